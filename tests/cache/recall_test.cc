// What cells cost: partitions large enough to have them, against a scan of all vectors, when they
// have just grown and after every row has given its place to another one ten times over.
// WEIR_LONG=1 asks for 100,000 rows.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/cache/real_vectors.h"
#include "tests/cache/support.h"
#include "tests/support/sanitizers.h"

namespace weir::cache {
namespace {

constexpr Embedder kOne = {1, 1};
constexpr double kThreshold = 0.9;
// Of int8's rounding: decisions so near to the threshold may fall either way.
constexpr double kSlack = 0.003;

float Product(const float* a, const float* b, size_t size) {
  float sums[16] = {};
  for (size_t i = 0; i < size; i += 16) {
    for (size_t lane = 0; lane < 16; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

using Draw = std::function<Vector(Random*)>;

// Rows one after another in one partition, and where each is.
class Filled {
 public:
  Filled(uint32_t rows, uint32_t dimensions, uint32_t cell_rows, Draw draw, uint64_t seed)
      : dimensions_(dimensions),
        draw_(std::move(draw)),
        random_(seed),
        cache_(WithCells(Options(dimensions, rows, 8, 1), cell_rows), cell_rows),
        vectors_(size_t{rows} * dimensions),
        entries_(rows) {}

  // A new row for each; the old one goes.
  void TurnOver() {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i] != 0) REQUIRE(cache_->Remove(entries_[i]));
      const Vector vector = draw_(&random_);
      const auto made =
          cache_->Insert({"p", {0, ++number_}, vector, std::to_string(i), 0, kOne}, At(0));
      REQUIRE(made.ok());
      entries_[i] = *made;
      std::copy(vector.begin(), vector.end(), vectors_.begin() + i * dimensions_);
    }
  }

  // Of those whose best row is at the threshold or above: the share for which it was found, or one
  // as good.
  double Recall(int asked) {
    int hits = 0, found = 0;
    std::string value;
    for (int i = 0; i < asked; ++i) {
      const size_t of = random_.Below(entries_.size());
      const Vector row(vectors_.begin() + of * dimensions_,
                       vectors_.begin() + (of + 1) * dimensions_);
      const Vector query = Near(row, Uniform(&random_, kThreshold + kSlack, 1), &random_);
      float best = -1;
      for (size_t r = 0; r < entries_.size(); ++r) {
        best = std::max(best, Product(&vectors_[r * dimensions_], query.data(), dimensions_));
      }
      const Answer answer =
          cache_->Lookup({"p", {~0ULL, 0}, query, kThreshold, kOne}, At(0), &value);
      REQUIRE(answer.miss != Miss::kRaced);
      ++hits;
      if (answer.found != Found::kSemantic) continue;
      const size_t given = std::stoul(value);
      const float similarity = Product(&vectors_[given * dimensions_], query.data(), dimensions_);
      CHECK(std::abs(similarity - answer.similarity) < kSlack);
      found += similarity > best - kSlack ? 1 : 0;
    }
    return static_cast<double>(found) / hits;
  }

  uint32_t cells() const { return Get(cache_.memory().header->cells); }

 private:
  const uint32_t dimensions_;
  const Draw draw_;
  Random random_;
  Owned cache_;
  std::vector<float> vectors_;
  std::vector<EntryId> entries_;
  uint64_t number_ = 0;
};

// Near one of the centres, and these near one of few: as questions about a few matters are.
Draw Clustered(uint32_t dimensions, uint32_t centres, Random* random) {
  std::vector<Vector> matters, all;
  const Vector common = RandomVector(random, dimensions);
  for (int i = 0; i < 40; ++i) matters.push_back(Near(common, 0.6, random));
  for (uint32_t i = 0; i < centres; ++i) {
    all.push_back(Near(matters[random->Below(matters.size())], Uniform(random, 0.6, 0.9), random));
  }
  return [all](Random* from) {
    return Near(all[from->Below(all.size())], Uniform(from, 0.7, 0.97), from);
  };
}

Draw Spread(uint32_t dimensions) {
  return [dimensions](Random* from) { return RandomVector(from, dimensions); };
}

// Mixtures of texts' vectors, and then some.
Draw Real(std::vector<Vector> real) {
  return [real = std::move(real)](Random* from) {
    Vector vector(real[0].size());
    for (int i = 0; i < 3; ++i) {
      const Vector& one = real[from->Below(real.size())];
      const auto share = static_cast<float>(Uniform(from, 0, 1));
      for (size_t d = 0; d < vector.size(); ++d) vector[d] += share * one[d];
    }
    Normalise(&vector);
    return Near(vector, 0.9, from);
  };
}

void CheckRecall(const char* kind, uint32_t rows, uint32_t dimensions, uint32_t cell_rows,
                 const Draw& draw, int turnovers, int asked) {
  Filled filled(rows, dimensions, cell_rows, draw, 77);
  filled.TurnOver();
  const uint32_t cells = filled.cells();
  const double grown = filled.Recall(asked);
  for (int i = 0; i < turnovers; ++i) filled.TurnOver();
  const double turned_over = filled.Recall(asked);
  INFO(kind << ", " << rows << " rows of " << dimensions << " dimensions, " << cells
            << " cells, then " << filled.cells() << ": recall " << grown << ", after " << turnovers
            << " turnovers " << turned_over);
  CHECK(cells >= rows / cell_rows);
  CHECK(grown >= 0.995);
  CHECK(turned_over >= 0.995);
}

TEST_CASE("cells cost no recall, nor do ten turnovers of their rows") {
  const bool is_long = std::getenv("WEIR_LONG") != nullptr;
  Random random(70);
  const uint32_t rows = is_long ? 100'000 : testing::kUnderSanitizer ? 5'000 : 20'000;
  const int asked = is_long ? 2'000 : testing::kUnderSanitizer ? 400 : 600;
  CheckRecall("clustered", rows, 128, kCellRows, Clustered(128, rows / 50, &random), 10, asked);
  CheckRecall("spread", rows, 64, kCellRows, Spread(64), is_long ? 10 : 3, asked);
  if (!is_long) return;
  CheckRecall("clustered", rows, 384, kCellRows, Clustered(384, rows / 50, &random), 10, asked);
  CheckRecall("spread", rows, 384, kCellRows, Spread(384), 3, asked);
}

TEST_CASE("cells of real vectors cost no recall") {
  const bool is_long = std::getenv("WEIR_LONG") != nullptr;
  const auto all = RealVectors();
  for (const char* model : {"text-embedding-3-small", "text-embedding-ada-002"}) {
    const auto real = all.find({model, 1536});
    if (real == all.end()) continue;
    if (is_long) {
      CheckRecall(model, 20'000, 1536, kCellRows, Real(real->second), 3, 1'000);
    } else {
      if (testing::kUnderSanitizer) continue;  // where random ones do as well
      CheckRecall(model, 3'000, 1536, 256, Real(real->second), 1, 300);
    }
  }
}

}  // namespace
}  // namespace weir::cache
