// The token bucket of counter.h.

#ifndef WEIR_LIB_LIMITS_BUCKET_H_
#define WEIR_LIB_LIMITS_BUCKET_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "base/saturating.h"
#include "limits/counter.h"

namespace weir::limits {

namespace bucket_internal {

inline constexpr uint64_t kMaxSpent = uint64_t{1} << 62;

using PeakRing = Ring<kBucketPeaks>;  // for its indices

inline int64_t RefilledAt(const BucketState& bucket) { return bucket.clock >> 1; }
inline const BucketState::Level& LevelOf(const BucketState& bucket) {
  return bucket.levels[bucket.clock & 1];
}

// A step back of more than a window is a new clock; a shorter one is waited out. Memory that was
// never booked to has seen no clock at all.
inline bool ClockIsNew(const Spec& spec, const BucketState& bucket, int64_t now_ns) {
  const int64_t refilled_ns = RefilledAt(bucket);
  if (refilled_ns <= now_ns) return false;
  return refilled_ns - now_ns > spec.window_ns || (refilled_ns == 0 && LevelOf(bucket).spent == 0);
}

inline uint64_t Room(const Terms& terms, uint64_t spent) {
  return terms.size > spent ? terms.size - spent : 0;
}

// Forgets the sub-windows that have passed.
ABSL_ATTRIBUTE_NOINLINE inline void ForgetPeaks(const Spec& spec, BucketState& bucket,
                                                int64_t from_ns, int64_t number, bool anew) {
  const int64_t before = spec.width.Floor(from_ns);
  if (anew || number - before >= kBucketPeaks) {
    std::fill(std::begin(bucket.peaks), std::end(bucket.peaks), uint64_t{0});
  } else {
    for (int64_t k = before + 1; k <= number; ++k) bucket.peaks[PeakRing::IndexOf(k)] = 0;
  }
}

// Notes the level in sub-window `number`, which has `index` among the peaks.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void NotePeak(const Spec& spec, BucketState& bucket,
                                                  int64_t from_ns, int64_t number, int index,
                                                  bool anew, uint64_t level) {
  // `from` is not later, unless the clock is new.
  if (anew || from_ns < number * static_cast<int64_t>(spec.width.divisor())) {
    ForgetPeaks(spec, bucket, from_ns, number, anew);
  }
  uint64_t& peak = bucket.peaks[index];
  peak = std::max(peak, level);
}

// A bucket brought to the present, not yet stored.
struct Present {
  BucketState::Level level;
  int64_t refilled_ns;
  int64_t number;  // of the sub-window
  int index;       // of its peak
};
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Present BringUp(const Spec& spec, const Terms& terms,
                                                    BucketState& bucket,
                                                    const BucketState::Level& level,
                                                    int64_t now_ns) {
  const int64_t before_ns = RefilledAt(bucket);
  int64_t present_ns = now_ns;
  bool anew = false;
  if (ABSL_PREDICT_FALSE(before_ns > now_ns)) {
    anew = ClockIsNew(spec, bucket, now_ns);
    if (!anew) present_ns = before_ns;
  }
  const int64_t number = spec.width.Floor(present_ns);
  const int index = PeakRing::IndexOf(number);
  NotePeak(spec, bucket, before_ns, number, index, anew, Room(terms, level.spent));
  return {level, present_ns, number, index};
}

inline void Store(BucketState& bucket, const Present& present) {
  const int64_t copy = 1 - (bucket.clock & 1);
  // One word at a time: as a pair, they would go by way of memory.
  StoreInOrder(bucket.levels[copy].spent, present.level.spent);
  StoreInOrder(bucket.levels[copy].carry, present.level.carry);
  StoreInOrder(bucket.clock, present.refilled_ns * 2 + copy);
}

}  // namespace bucket_internal

namespace bucket_internal {

// Where the product has more than 64 bits.
ABSL_ATTRIBUTE_NOINLINE inline BucketState::Level WideLevel(const Spec& spec, const Terms& terms,
                                                            const BucketState::Level& level,
                                                            uint64_t passed) {
  const uint128 wide = static_cast<uint128>(passed) * terms.amount + level.carry;
  const uint128 units = wide / spec.window.divisor();
  if (units >= level.spent) return {0, 0};
  return {level.spent - static_cast<uint64_t>(units),
          static_cast<uint64_t>(wide % spec.window.divisor())};
}
// The wait where the amount is not the rule's own, or the product has more than 64 bits.
ABSL_ATTRIBUTE_NOINLINE inline int64_t OddWaitNs(const Terms& terms, uint64_t missing,
                                                 uint64_t carry, uint64_t window,
                                                 int64_t catch_up) {
  if (terms.amount == 0) return kNever;
  const uint128 wide = static_cast<uint128>(missing) * window - carry;
  const uint128 wait = (wide + terms.amount - 1) / terms.amount + static_cast<uint64_t>(catch_up);
  constexpr auto kLongest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(std::min<uint128>(wait, kLongest));
}

}  // namespace bucket_internal

// Brought to the present.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline BucketState::Level BucketLevel(const Spec& spec,
                                                                   const Terms& terms,
                                                                   const BucketState& bucket,
                                                                   int64_t now_ns) {
  const BucketState::Level level = bucket_internal::LevelOf(bucket);
  if (level.spent == 0) return {0, 0};
  const int64_t passed = now_ns - bucket_internal::RefilledAt(bucket);
  if (passed <= 0) return level;  // a step back is no time
  uint64_t product = 0;
  if (!__builtin_mul_overflow(static_cast<uint64_t>(passed), terms.amount, &product) &&
      !__builtin_add_overflow(product, level.carry, &product)) {
    uint64_t owed = 0;
    if (!__builtin_mul_overflow(level.spent, spec.window.divisor(), &owed) && product >= owed) {
      return {0, 0};
    }
    const uint64_t units = spec.window.Divide(product);
    return {level.spent - units, product - units * spec.window.divisor()};
  }
  return bucket_internal::WideLevel(spec, terms, level, static_cast<uint64_t>(passed));
}

// Until at most `keep` of `level`, which is that of `refilled_ns`, is spent; more is then.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t BucketWaitNs(const Spec& spec, const Terms& terms,
                                                         const BucketState::Level& level,
                                                         int64_t refilled_ns, int64_t now_ns,
                                                         uint64_t keep) {
  // The least e with floor((e * amount + carry) / window) >= missing.
  const int64_t catch_up = refilled_ns - now_ns;
  const uint64_t missing = level.spent - keep;
  uint64_t product = 0;
  if (ABSL_PREDICT_FALSE(__builtin_mul_overflow(missing, spec.window.divisor(), &product) ||
                         terms.amount != spec.rate.divisor())) {
    return bucket_internal::OddWaitNs(terms, missing, level.carry, spec.window.divisor(), catch_up);
  }
  // The carry is less than one unit, hence more than nothing is left.
  const uint64_t wait = spec.rate.DivideUp(product - level.carry);
  if (ABSL_PREDICT_FALSE(wait >> 62 != 0)) {
    return bucket_internal::OddWaitNs(terms, missing, level.carry, spec.window.divisor(), catch_up);
  }
  return static_cast<int64_t>(wait) + catch_up;
}

// The same for keep = 0, of any bucket as it was stored last.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t BucketResetNs(const Spec& spec, const Terms& terms,
                                                          const bucket_internal::Present& present,
                                                          int64_t now_ns) {
  if (present.level.spent == 0) return 0;
  return BucketWaitNs(spec, terms, present.level, present.refilled_ns, now_ns, 0);
}

// When `level`, as BucketLevel tells it, was so: now, or where the clock has been already.
inline int64_t BucketLevelAt(const Spec& spec, const BucketState& bucket, int64_t now_ns) {
  const int64_t refilled_ns = bucket_internal::RefilledAt(bucket);
  return refilled_ns > now_ns && !bucket_internal::ClockIsNew(spec, bucket, now_ns) ? refilled_ns
                                                                                    : now_ns;
}

// Books on top of `level`, which is that of now.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline bucket_internal::Present BucketBook(
    const Spec& spec, const Terms& terms, BucketState& bucket, int64_t now_ns, uint64_t cost,
    const BucketState::Level& level) {
  using bucket_internal::kMaxSpent;
  bucket_internal::Present present = bucket_internal::BringUp(spec, terms, bucket, level, now_ns);
  present.level.spent = std::min(present.level.spent + std::min(cost, kMaxSpent), kMaxSpent);
  bucket_internal::Store(bucket, present);
  return present;
}

// Gives back what was booked in a sub-window, as far as the bucket would be fuller without it.
// Returns what is left.
inline bucket_internal::Present BucketRefund(const Spec& spec, const Terms& terms,
                                             BucketState& bucket, int64_t now_ns, int64_t booked_at,
                                             uint64_t unused) {
  bucket_internal::Present present = bucket_internal::BringUp(
      spec, terms, bucket, BucketLevel(spec, terms, bucket, now_ns), now_ns);
  uint64_t refund = 0;
  if (booked_at <= present.number && booked_at > present.number - kBucketPeaks) {
    // Had it never been taken, the bucket would have been fuller by `unused`, but never above its
    // size: what would have run over since is not given back.
    uint64_t highest = bucket_internal::Room(terms, present.level.spent);
    int index = present.index;
    for (int64_t k = present.number; k > booked_at; --k) {
      highest = std::max(highest, bucket.peaks[index]);
      index = bucket_internal::PeakRing::Before(index);
    }
    refund = std::min({bucket_internal::Room(terms, highest), unused, present.level.spent});
    // The level has been higher by that all along: what comes back next may not count the same
    // room.
    for (int64_t k = booked_at; k <= present.number; ++k) {
      bucket.peaks[index] = std::min(bucket.peaks[index] + refund, terms.size);
      index = bucket_internal::PeakRing::After(index);
    }
  }
  present.level.spent -= refund;
  bucket_internal::Store(bucket, present);
  return present;
}

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_BUCKET_H_
