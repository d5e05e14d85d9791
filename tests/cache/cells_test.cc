// The cells of large partitions: that their chains, lists and counts hold under any traffic, that
// what a killed writer left is made anew, and that odd rows do no harm.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cache/halves.h"
#include "tests/cache/support.h"

namespace weir::cache {
namespace {

constexpr Embedder kOne = {1, 1};

// What is in the memory, gone over from the rows' end: all of it must be told of once.
class Auditor {
 public:
  explicit Auditor(const Memory& memory) : memory_(memory) {}

  void Check() {
    const Header& header = *memory_.header;
    for (uint32_t bucket = 0; bucket < memory_.layout.partition_buckets; ++bucket) {
      uint32_t number = Get(memory_.partition_buckets[bucket]);
      for (; number != kNone; number = Get(memory_.partitions[number].next)) {
        REQUIRE(partitions_.insert(number).second);
        CheckPartition(number);
      }
    }
    REQUIRE(rows_.size() == Get(header.entries));
    REQUIRE(partitions_.size() == Get(header.partitions));
    REQUIRE(cells_ == Get(header.cells));
    REQUIRE(cells_ <= memory_.layout.cells);
    uint32_t free_blocks = 0, free_groups = 0;
    for (uint32_t b = Get(header.free_block); b != kNone; b = Get(memory_.blocks[b].next)) {
      REQUIRE(blocks_.count(b) == 0);
      REQUIRE(++free_blocks <= memory_.layout.blocks);
    }
    for (uint32_t g = Get(header.free_group); g != kNone; g = Get(memory_.groups[g].next)) {
      REQUIRE(groups_.count(g) == 0);
      REQUIRE(++free_groups <= memory_.layout.groups);
    }
    REQUIRE(blocks_.size() + free_blocks == memory_.layout.blocks);
    REQUIRE(groups_.size() + free_groups == memory_.layout.groups);
  }

  uint32_t cells() const { return cells_; }

 private:
  void CheckPartition(uint32_t number) {
    const Partition& partition = memory_.partitions[number];
    uint32_t rows = CheckChain(number, kNone, partition.chain);
    uint32_t cells = 0, unsettled = 0;
    for (uint32_t g = Get(partition.group); g != kNone; g = Get(memory_.groups[g].next)) {
      const CellGroup& group = memory_.groups[g];
      REQUIRE(groups_.insert(g).second);
      REQUIRE(Get(group.owner_hi) == Get(partition.hi));
      REQUIRE(Get(group.owner_lo) == Get(partition.lo));
      REQUIRE(Get(group.used) != 0);
      for (uint32_t at = 0; at < kGroupCells; ++at) {
        if ((Get(group.used) >> at & 1) == 0) continue;
        ++cells;
        unsettled += Get(group.chains[at].unsettled) != 0 ? 1 : 0;
        const uint32_t in_cell = CheckChain(number, g * kGroupCells + at, group.chains[at]);
        REQUIRE(in_cell > 0);
        rows += in_cell;
      }
    }
    cells_ += cells;
    REQUIRE(cells == Get(partition.cells));
    REQUIRE(unsettled == Get(partition.unsettled));
    REQUIRE(rows == Get(partition.rows));
    REQUIRE(Get(partition.moves) % 2 == 0);
  }

  uint32_t CheckChain(uint32_t number, uint32_t cell, const Chain& chain) {
    const Partition& partition = memory_.partitions[number];
    uint32_t rows = 0, previous = kNone, at = 0;
    for (uint32_t b = Get(chain.first); b != kNone; b = Get(memory_.blocks[b].next), ++at) {
      const Block& block = memory_.blocks[b];
      REQUIRE(blocks_.insert(b).second);
      REQUIRE(Get(block.owner_hi) == Get(partition.hi));
      REQUIRE(Get(block.owner_lo) == Get(partition.lo));
      REQUIRE(Get(block.previous) == previous);
      REQUIRE(Get(block.cell) == cell);
      REQUIRE(Get(block.rows) > 0);
      if (Get(block.next) != kNone) REQUIRE(Get(block.rows) == kBlockRows);
      if (cell != kNone) REQUIRE(Get(block.centre) == 1);
      if (cell != kNone && at < kCellBlocks) REQUIRE(Listed(cell, at) == b);
      for (uint32_t i = 0; i < Get(block.rows); ++i) CheckRow(number, b, i);
      rows += Get(block.rows);
      previous = b;
    }
    if (cell != kNone && at < kCellBlocks) REQUIRE(Listed(cell, at) == kNone);
    REQUIRE(Get(chain.last) == previous);
    REQUIRE(Get(chain.rows) == rows);
    return rows;
  }

  uint32_t Listed(uint32_t cell, uint32_t at) const {
    return Get(memory_.groups[cell / kGroupCells].blocks[cell % kGroupCells][at]);
  }

  void CheckRow(uint32_t number, uint32_t b, uint32_t at) {
    const Block& block = memory_.blocks[b];
    const uint32_t row = Get(block.row[at]);
    REQUIRE(rows_.insert(row).second);
    REQUIRE(IsLive(Get(memory_.rows[row].sequence)));
    REQUIRE(Get(memory_.rests[row].partition) == number);
    REQUIRE(Get(memory_.rests[row].place) == b * kBlockRows + at);
    const bool with_vector = Get(memory_.rows[row].embedder) != 0;
    REQUIRE((Get(block.with_vector) >> at & 1) == (with_vector ? 1 : 0));
  }

  const Memory memory_;
  std::set<uint32_t> partitions_, rows_, blocks_, groups_;
  uint32_t cells_ = 0;
};

uint32_t Audit(const Owned& cache) {
  Auditor auditor(cache.memory());
  auditor.Check();
  return auditor.cells();
}

// Entries by what they were inserted with.
struct Kept {
  std::string partition;
  Key key;
  Vector vector;
  EntryId entry;
};

// Changes without end, and what should be there after each few.
class Traffic {
 public:
  Traffic(uint32_t cell_rows, uint32_t quota, uint64_t seed) : random_(seed) {
    CacheOptions options = WithCells(Options(kDimensions, kEntries, 64, kPartitions), cell_rows);
    options.partition_quota = quota;
    cache_ = std::make_unique<Owned>(options, cell_rows);
    for (int i = 0; i < 30; ++i) centres_.push_back(RandomVector(&random_, kDimensions));
  }

  void Step(uint64_t step) {
    const uint64_t what = random_.Below(1000);
    // Most go to one partition, which so has most cells.
    const std::string name = Named("p", random_.Below(3) != 0 ? 0 : random_.Below(kPartitions));
    if (what == 0) {
      (*cache_)->PurgePartition(name);
    } else if (what == 1) {
      (*cache_)->PurgeModel(random_.Below(10));
    } else if (what < 200 && !kept_.empty()) {
      (*cache_)->Remove(kept_[random_.Below(kept_.size())].entry);
    } else {
      Vector vector;
      const Vector& centre = centres_[random_.Below(centres_.size())];
      if (random_.Below(8) != 0) vector = Near(centre, Uniform(&random_, 0.7, 1), &random_);
      const int64_t ttl_ns = random_.Below(10) == 0 ? 500 * kSecond : 0;
      const Key key = {step, random_.Below(4)};
      const auto made =
          (*cache_)->Insert({name, key, vector, Named("v", step), ttl_ns, kOne, step % 10},
                            At(static_cast<int64_t>(step)));
      REQUIRE(made.ok());
      kept_.push_back({name, key, vector, *made});
      if (kept_.size() > 2 * kEntries) kept_.erase(kept_.begin(), kept_.begin() + kEntries);
    }
  }

  // By key all are found that live; by their own vectors nearly all.
  void CheckLiving(uint64_t step) {
    int living = 0, near = 0;
    std::string value;
    for (const Kept& kept : kept_) {
      const Now now = At(static_cast<int64_t>(step));
      const Answer exact = (*cache_)->Lookup({kept.partition, kept.key, {}, 1, {}}, now, &value);
      if (exact.found != Found::kExact || exact.entry != kept.entry || kept.vector.empty())
        continue;
      ++living;
      const Query query{kept.partition, {~0ULL, 0}, kept.vector, 0.95, kOne};
      near += (*cache_)->Lookup(query, now, &value).found == Found::kSemantic ? 1 : 0;
    }
    CHECK(living > 0);
    CHECK(near >= living * 0.98);  // of cells of four rows; recall_test.cc has them as they are
  }

  // As after a writer that was killed.
  void Reopen() {
    Set(cache_->memory().header->dirty, 1);
    const uint32_t entries = (*cache_)->GetStats().entries;
    REQUIRE((*cache_)->Insert({"p0", {1, 1}, centres_[0], "v", 0, kOne}, At(0)).ok());
    CHECK((*cache_)->GetStats().entries <= entries + 1);
    CHECK((*cache_)->GetStats().entries >= entries);
  }

  const Owned& cache() const { return *cache_; }

 private:
  static constexpr uint32_t kEntries = 1500, kDimensions = 32;
  static constexpr uint64_t kPartitions = 5;
  Random random_;
  std::unique_ptr<Owned> cache_;
  std::vector<Vector> centres_;
  std::vector<Kept> kept_;
};

TEST_CASE("cells come and go, and every row is in one place") {
  for (const uint32_t cell_rows : {4U, 16U, 60U, 200U}) {
    for (const uint32_t quota : {0U, 400U}) {
      Traffic traffic(cell_rows, quota, cell_rows + quota);
      uint32_t most = 0, least = ~0U;
      for (uint64_t step = 1; step <= 8'000; ++step) {
        traffic.Step(step);
        if (step % 250 != 0) continue;
        const uint32_t cells = Audit(traffic.cache());
        most = std::max(most, cells);
        if (step > 2'000) least = std::min(least, cells);
        if (step % 2'000 == 0) traffic.CheckLiving(step);
        if (step % 4'000 != 0) continue;
        traffic.Reopen();
        Audit(traffic.cache());
        traffic.CheckLiving(step);
      }
      INFO(cell_rows << " rows a cell, quota " << quota);
      CHECK(most >= 2);
      CHECK(least < most);
      traffic.cache()->PurgeAll();
      CHECK(Audit(traffic.cache()) == 0);
    }
  }
}

TEST_CASE("a small cache, or one without vectors, spends nothing on cells") {
  CHECK(PlanLayout(Options(384, 2 * kCellRows - 1))->groups == 0);
  CHECK(PlanLayout(Options(384, 2 * kCellRows))->groups > 0);
  CHECK(PlanLayout(Options(0, 100'000))->groups == 0);
}

TEST_CASE("an entry takes its dimensions and 160 bytes at most") {
  for (const uint32_t dimensions : {384U, 1536U, 3072U}) {
    for (const uint32_t entries : {4'096U, 10'000U, 77'674U, 100'000U, 1'000'000U, 1'300'000U}) {
      for (const uint32_t partitions : {1U, entries / 1000}) {
        const CacheOptions options = Options(dimensions, entries, 256, partitions);
        const Layout layout = *PlanLayout(options);
        // Without values, what comes once, and what each partition takes.
        const uint64_t bytes = layout.next_piece_at - sizeof(Header) - layout.stride * 5 -
                               kSketchBits * 4 - 2 * sizeof(CellGroup) -
                               (partitions + 1) * (sizeof(Partition) + sizeof(Block) + 8);
        INFO(dimensions << " dimensions, " << entries << " entries, " << partitions
                        << " partitions");
        CHECK(bytes <= uint64_t{entries} * (dimensions + 160));
      }
    }
  }
}

TEST_CASE("one vector many times over is no cell to split, and is found") {
  const Owned cache(WithCells(Options(64, 4000), 64), 64);
  Random random(3);
  const Vector one = RandomVector(&random, 64);
  for (uint64_t i = 0; i < 4000; ++i) {
    const Vector vector = i < 600 || i % 4 == 0 ? RandomVector(&random, 64) : one;
    REQUIRE(cache->Insert({"p", {0, i}, vector, std::to_string(i), 0, kOne}, At(0)).ok());
  }
  CHECK(Audit(cache) > 4);
  std::string value;
  CHECK(cache->Lookup({"p", {1, 1}, one, 0.99, kOne}, At(0), &value).found == Found::kSemantic);
  // A cell of far more blocks than it lists: the last one is found too.
  const Vector near = Near(one, 0.98, &random);
  REQUIRE(cache->Insert({"p", {2, 2}, near, "near", 0, kOne}, At(0)).ok());
  CHECK(cache->Lookup({"p", {1, 1}, near, 0.995, kOne}, At(0), &value).found == Found::kSemantic);
  CHECK(value == "near");
}

TEST_CASE("rows without a vector are in no cell") {
  const Owned cache(WithCells(Options(64, 4000), 256), 256);
  Random random(4);
  for (uint64_t i = 0; i < 4000; ++i) {
    const Vector vector = i % 2 == 0 ? Vector() : RandomVector(&random, 64);
    REQUIRE(cache->Insert({"p", {0, i}, vector, std::to_string(i), 0, kOne}, At(0)).ok());
  }
  CHECK(Audit(cache) > 4);
  const Memory memory = cache.memory();
  for (uint32_t row = 1; row <= memory.layout.rows; ++row) {
    const Block& block = memory.blocks[Get(memory.rests[row].place) / kBlockRows];
    REQUIRE((Get(block.cell) == kNone) == (Get(memory.rows[row].embedder) == 0));
  }
  CHECK(cache->PurgePartition("p") == 4000);
  CHECK(Audit(cache) == 0);
}

TEST_CASE("where there is no room for more cells, partitions do without") {
  CacheOptions options = WithCells(Options(32, 4000, 64, 40), 32);
  options.bytes += 40 * sizeof(CellGroup);
  const Owned cache(options, 32);
  Random random(5);
  std::vector<Vector> vectors;
  // Forty partitions, each large enough to have cells, of which there are not so many groups.
  for (uint64_t i = 0; i < 4000; ++i) {
    vectors.push_back(RandomVector(&random, 32));
    const std::string name = Named("p", i % 40);
    REQUIRE(cache->Insert({name, {0, i}, vectors[i], std::to_string(i), 0, kOne}, At(0)).ok());
  }
  Audit(cache);
  std::string value;
  int found = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const std::string name = Named("p", i % 40);
    const Query query{name, {1, 1}, vectors[i], 0.95, kOne};
    found += cache->Lookup(query, At(0), &value).found == Found::kSemantic ? 1 : 0;
  }
  CHECK(found >= 3980);
}

TEST_CASE("two means tell two clusters apart, and one vector from nothing") {
  Random random(6);
  std::vector<Bearing> bearings(300);
  for (size_t i = 0; i < bearings.size(); ++i) {
    for (uint32_t c = 0; c < kBearings; ++c) {
      const int common = (c < 128) == (i % 3 == 0) ? 500 : -500;
      bearings[i].at[c] = static_cast<int16_t>(common + static_cast<int>(random.Below(801)) - 400);
    }
  }
  const Halves halves = Halve(bearings);
  CHECK(std::min(halves.counts[0], halves.counts[1]) == 100);
  for (size_t i = 0; i < bearings.size(); ++i) {
    CHECK((halves.sides[i] == halves.sides[0]) == (i % 3 == 0));
  }
  const Halves same = Halve(std::vector<Bearing>(50, bearings[0]));
  CHECK(std::max(same.counts[0], same.counts[1]) == 50);
  CHECK(Halve({}).sides.empty());
}

}  // namespace
}  // namespace weir::cache
