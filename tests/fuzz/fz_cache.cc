// A similarity cache in memory that was damaged. Input: whether its writer was killed (1 byte), the
// number of changes (1 byte), each a place (2 bytes), a way (1 byte) and a number (4 bytes); the
// rest are calls (1 byte) with their argument (1 byte).
//
// Oracle: whatever the memory says, opening and looking up end, and give no more than there is room
// for. What a killed writer left is made anew from the rows, so that then writers get on too: what
// is inserted is found byte for byte, and after a purge nothing is left and no room is lost.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/memory.h"
#include "weir/cache.h"
#include "weir/state.h"

namespace {

using weir::cache::Answer;
using weir::cache::Cache;
using weir::cache::CacheOptions;
using weir::cache::Found;

constexpr uint32_t kDimensions = 16, kRows = 96;
// So few that every partition has some cells.
constexpr uint32_t kRowsOfACell = 4;
constexpr weir::cache::Embedder kOne = {1, 1};
constexpr weir::Now kNow = {0, 1000 * weir::kSecond};

void Require(bool holds) {
  if (!holds) std::abort();
}

std::vector<float> VectorOf(uint8_t of) {
  std::vector<float> vector(kDimensions, 0.1F);
  for (uint32_t i = 0; i < 8; ++i) vector[i + of % 8] += (of >> i & 1) != 0 ? 1.0F : -1.0F;
  return vector;
}

std::string PartitionOf(uint8_t of) { return std::string(1, static_cast<char>('a' + of % 6)); }

std::string ValueOf(uint8_t of) { return std::string(of * 5, static_cast<char>(of)); }

weir::cache::Entry EntryOf(uint8_t of, const std::string& partition, const std::string& value,
                           const std::vector<float>& vector) {
  weir::cache::Entry entry;
  entry.partition = partition;
  entry.exact = {of, of};
  if (of % 7 != 0) entry.vector = vector;
  entry.value = value;
  entry.ttl_ns = of % 5 == 0 ? (of + 1) * weir::kSecond : 0;
  entry.embedder = kOne;
  entry.model = of % 3;
  entry.scope = of % 4;
  entry.worth = of % 3;
  return entry;
}

bool Insert(Cache* cache, uint8_t of, weir::Now now) {
  const std::string partition = PartitionOf(of), value = ValueOf(of);
  const std::vector<float> vector = VectorOf(of);
  return cache->Insert(EntryOf(of, partition, value, vector), now).ok();
}

// A cache that has seen some traffic; its memory is put back before each input.
class Damaged {
 public:
  Damaged() {
    options_.dimensions = kDimensions;
    options_.max_entries = kRows;
    options_.max_partitions = 6;
    options_.bytes = weir::cache::BytesFor(options_, 512) + (size_t{1} << 20);
    segment_ = *weir::state::Segment::CreatePrivate({options_.bytes + (size_t{1} << 20), 7});
    const auto cache = Open();
    for (int i = 0; i < 400; ++i) {  // so many that the mean of the vectors is known
      Require(Insert(cache.get(), static_cast<uint8_t>(i), {0, (i + 1) * weir::kSecond}));
    }
    const size_t bytes = weir::cache::PlanLayout(options_, kRowsOfACell)->bytes;
    memory_ = static_cast<char*>(*segment_->Region("cache:fuzz", bytes));
    sound_.assign(memory_, memory_ + bytes);
    Require(reinterpret_cast<weir::cache::Header*>(memory_)->cells > kRows / 8);
    for (size_t at = 0; at < bytes; at += 4) {
      uint32_t word = 0;
      std::memcpy(&word, memory_ + at, 4);
      // The lock is the kernel's affair: see state/spin_lock.h.
      const bool is_lock = at == offsetof(weir::cache::Header, lock);
      if ((word != 0 || at < sizeof(weir::cache::Header)) && !is_lock) used_.push_back(at);
    }
  }

  void PutBack() { std::memcpy(memory_, sound_.data(), sound_.size()); }

  void Change(uint16_t place, uint8_t way, uint32_t number) {
    char* const at = memory_ + used_[place % used_.size()];
    uint32_t word = 0;
    std::memcpy(&word, at, 4);
    constexpr uint32_t kEdges[] = {0, 1, kRows, kRows + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2};
    switch (way % 4) {
      case 0:
        word = number;
        break;
      case 1:
        word = kEdges[number % 8];
        break;
      case 2:
        word += number % 8 - 4;
        break;
      default:
        word ^= uint32_t{1} << number % 32;
    }
    std::memcpy(at, &word, 4);
  }

  void Kill() { reinterpret_cast<weir::cache::Header*>(memory_)->dirty = 1; }
  // Nullptr: it is refused.
  std::unique_ptr<Cache> Open() {
    auto cache = weir::cache::CreateWithCells(segment_.get(), "fuzz", options_, kRowsOfACell);
    Require(cache.ok() || !cache.status().message().empty());
    return cache.ok() ? *std::move(cache) : nullptr;
  }
  uint64_t bytes() const { return options_.bytes; }

 private:
  CacheOptions options_;
  std::unique_ptr<weir::state::Segment> segment_;
  char* memory_ = nullptr;
  std::string sound_;
  std::vector<size_t> used_;
};

Answer LookUp(Cache* cache, uint8_t of, bool by_key, std::string* value) {
  const std::string partition = PartitionOf(of);
  const std::vector<float> vector = VectorOf(of);
  weir::cache::Query query;
  query.partition = partition;
  query.exact = {of, by_key ? of : ~uint64_t{0}};
  if (!by_key) query.vector = vector;
  query.min_similarity = 0.7;
  query.embedder = kOne;
  return cache->Lookup(query, kNow, value);
}

void Read(Cache* cache, uint8_t of, uint64_t room) {
  for (const bool by_key : {true, false}) {
    std::string value;
    const Answer answer = LookUp(cache, of, by_key, &value);
    Require(value.size() <= room && answer.age_ns >= 0);
    Require(answer.found != Found::kSemantic || !by_key);
  }
}

void Write(Cache* cache, uint8_t call, uint8_t of) {
  std::string value;
  switch (call % 8) {
    case 0:
    case 1:
    case 2:
      Require(Insert(cache, of, kNow));
      Require(LookUp(cache, of, true, &value).found == Found::kExact);
      Require(value == ValueOf(of));
      break;
    case 3:
      cache->Remove(LookUp(cache, of, of % 2 == 0, &value).entry);
      break;
    case 4:
      cache->Touch(LookUp(cache, of, of % 2 == 0, &value).entry, of * weir::kSecond, kNow);
      break;
    case 5:
      cache->PurgePartition(PartitionOf(of));
      break;
    case 6:
      cache->PurgeModel(of % 4);
      break;
    default:
      cache->PurgeScope(of % 5);
  }
  Require(cache->GetStats().entries <= kRows);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Damaged& damaged = *new Damaged;
  if (size < 2) return 0;
  const bool killed = data[0] % 2 == 0;
  damaged.PutBack();
  size_t at = 2;
  for (int left = data[1] % 32; left > 0 && at + 7 <= size; --left, at += 7) {
    uint16_t place = 0;
    uint32_t number = 0;
    std::memcpy(&place, data + at, 2);
    std::memcpy(&number, data + at + 3, 4);
    damaged.Change(place, data[at + 2], number);
  }
  if (killed) damaged.Kill();
  const std::unique_ptr<Cache> cache = damaged.Open();
  if (cache == nullptr) return 0;
  for (int i = 0; i < 256; i += 5) Read(cache.get(), static_cast<uint8_t>(i), damaged.bytes());
  for (; at + 2 <= size; at += 2) {
    Read(cache.get(), data[at + 1], damaged.bytes());
    if (killed) Write(cache.get(), data[at], data[at + 1]);
  }
  if (!killed) return 0;
  cache->PurgeAll();
  Require(cache->GetStats().entries == 0 && cache->GetStats().value_bytes_used == 0);
  return 0;
}
