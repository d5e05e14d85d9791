// Which member a key belongs to: weighted rendezvous hashing over buckets.
//
// Every member gets a score for every bucket, from its name, its weight and the bucket alone, and
// the lowest score has the bucket. So a member that comes or goes moves the buckets that it gains
// or loses, and none between others. Scores are -log2(u) / weight with u drawn by hashing, which
// gives each member its share of the buckets by weight. Integers throughout: a bucket has the same
// owner in every build.
//
// A bucket's owner is worked out when it is first asked for, O(members), and kept.
//
// Threads: any thread.

#ifndef WEIR_LIB_BALANCE_RENDEZVOUS_H_
#define WEIR_LIB_BALANCE_RENDEZVOUS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "balance/fixed.h"

namespace weir::balance {

// The finalizer of SplitMix64.
inline uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

struct Candidate {
  uint64_t name;  // hash of its name
  uint32_t weight;
};

class Rendezvous {
 public:
  explicit Rendezvous(std::vector<Candidate> candidates)
      : candidates_(std::move(candidates)),
        owners_(std::make_unique<std::atomic<uint16_t>[]>(kBuckets)) {}

  // The `round`-th candidate for a key, from 0. Candidates recur; every one comes up some time.
  uint32_t Owner(uint64_t key, uint32_t round) const {
    const uint64_t bucket = BucketOf(key + round * uint64_t{0x9E3779B97F4A7C15u});
    const uint16_t known = owners_[bucket].load(std::memory_order_relaxed);
    if (known != 0) [[likely]] {
      return known - 1u;
    }
    const uint32_t owner = Best(bucket, [](uint32_t) { return true; });
    owners_[bucket].store(static_cast<uint16_t>(owner + 1), std::memory_order_relaxed);
    return owner;
  }

  // Of the candidates that `admits`, the one that has `bucket`; their number when there is none.
  template <class Admits>
  uint32_t Best(uint64_t bucket, Admits&& admits) const {
    auto best = static_cast<uint32_t>(candidates_.size());
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < candidates_.size(); ++i) {
      if (!admits(i)) continue;
      const uint64_t score = Score(candidates_[i], bucket);
      if (score >= least) continue;
      least = score;
      best = i;
    }
    return best;
  }

 private:
  static constexpr uint32_t kBucketBits = 16;
  static constexpr size_t kBuckets = size_t{1} << kBucketBits;

  static uint64_t BucketOf(uint64_t key) { return Mix(key) >> (64 - kBucketBits); }

  static uint64_t Score(const Candidate& candidate, uint64_t bucket) {
    const uint64_t u = Mix(candidate.name ^ Mix(bucket + 1)) | 1;
    return ((64 * kOne) - Log2(u)) * ((uint64_t{1} << 24) / candidate.weight);
  }

  const std::vector<Candidate> candidates_;
  const std::unique_ptr<std::atomic<uint16_t>[]> owners_;  // plus one; 0: not asked for yet
};

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_RENDEZVOUS_H_
