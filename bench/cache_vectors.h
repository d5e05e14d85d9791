// Vectors for cache_bench and its neighbours: the same for all.

#ifndef WEIR_BENCH_CACHE_VECTORS_H_
#define WEIR_BENCH_CACHE_VECTORS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "base/random.h"

namespace weir::bench {

inline constexpr size_t kQueries = 200;

class Vectors {
 public:
  Vectors(uint32_t rows, uint32_t dimensions) : rows_(rows), dimensions_(dimensions) {
    const std::vector<float> common = Draw();
    std::vector<std::vector<float>> centres;
    for (uint32_t i = 0; i < std::max(16U, rows / 50); ++i) {
      centres.push_back(Mix(common, 0.75F, Draw()));
    }
    for (uint32_t i = 0; i < rows; ++i) {
      const auto row = Mix(centres[random_.Below(centres.size())], 0.9F, Draw());
      all_.insert(all_.end(), row.begin(), row.end());
    }
    for (size_t i = 0; i < kQueries; ++i) {
      near_.push_back(random_.Below(rows));
      const std::vector<float> row(this->row(near_[i]).begin(), this->row(near_[i]).end());
      const auto query = i % 3 == 0 ? Mix(row, 0.95F, Draw())
                                    : Mix(centres[random_.Below(centres.size())], 0.8F, Draw());
      queries_.insert(queries_.end(), query.begin(), query.end());
    }
  }

  absl::Span<const float> row(size_t i) const { return {&all_[i * dimensions_], dimensions_}; }
  absl::Span<const float> query(size_t i) const {
    return {&queries_[i * dimensions_], dimensions_};
  }
  // A row that the query may be near.
  size_t near(size_t query) const { return near_[query]; }

  float Best(size_t query) const {
    float best = -1;
    for (uint32_t i = 0; i < rows_; ++i) best = std::max(best, Dot(row(i), this->query(query)));
    return best;
  }
  // The share of the queries with a row so near.
  double true_share(float similarity) const {
    if (best_.empty()) {
      for (size_t i = 0; i < kQueries; ++i) best_.push_back(Best(i));
    }
    const auto near = [&](float best) { return best >= similarity; };
    return static_cast<double>(std::count_if(best_.begin(), best_.end(), near)) / kQueries;
  }

 private:
  static float Dot(absl::Span<const float> a, absl::Span<const float> b) {
    float sums[16] = {};
    for (size_t i = 0; i < a.size(); i += 16) {
      for (size_t l = 0; l < 16; ++l) sums[l] += a[i + l] * b[i + l];
    }
    float sum = 0;
    for (const float part : sums) sum += part;
    return sum;
  }
  std::vector<float> Draw() {
    std::vector<float> vector(dimensions_);
    for (float& x : vector) {
      x = -2;
      for (int i = 0; i < 4; ++i) x += static_cast<float>(random_.Next() >> 40) / (1 << 24);
    }
    return vector;
  }
  // Of length 1, and at the cosine `along` from `base`, which has length 1 or is scaled to it.
  std::vector<float> Mix(std::vector<float> base, float along, std::vector<float> other) const {
    Scale(&base);
    const float dot = Dot(base, other);
    for (size_t i = 0; i < base.size(); ++i) other[i] -= dot * base[i];
    Scale(&other);
    const float aside = std::sqrt(1 - along * along);
    for (size_t i = 0; i < base.size(); ++i) other[i] = along * base[i] + aside * other[i];
    return other;
  }
  static void Scale(std::vector<float>* vector) {
    const float length = std::sqrt(Dot(*vector, *vector));
    for (float& x : *vector) x /= length;
  }

  Random random_{7};
  uint32_t rows_, dimensions_;
  std::vector<float> all_, queries_;
  std::vector<size_t> near_;
  mutable std::vector<float> best_;
};

inline const Vectors& VectorsOf(uint32_t rows, uint32_t dimensions) {
  static auto* all = new std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Vectors>>;
  auto& one = (*all)[{rows, dimensions}];
  if (one == nullptr) one = std::make_unique<Vectors>(rows, dimensions);
  return *one;
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_CACHE_VECTORS_H_
