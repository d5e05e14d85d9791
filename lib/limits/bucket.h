// The token bucket of counter.h.

#ifndef WEIR_LIB_LIMITS_BUCKET_H_
#define WEIR_LIB_LIMITS_BUCKET_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/saturating.h"
#include "limits/counter.h"

namespace weir::limits {

namespace bucket_internal {

inline constexpr uint64_t kMaxSpent = uint64_t{1} << 62;

inline int IndexOf(int64_t number) {
  const auto index = static_cast<int>(number % kBucketPeaks);
  return index < 0 ? index + kBucketPeaks : index;
}

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

// Notes the level in its sub-window, forgetting the sub-windows that have passed since. Returns the
// sub-window's number.
inline int64_t NotePeak(const Spec& spec, BucketState& bucket, int64_t from_ns, int64_t to_ns,
                        bool anew, uint64_t level) {
  const int64_t before = spec.width.Floor(from_ns);
  const int64_t number = spec.width.Floor(to_ns);
  if (number != before || anew) {
    if (anew || number - before >= kBucketPeaks) {
      std::fill(std::begin(bucket.peaks), std::end(bucket.peaks), uint64_t{0});
    } else {
      for (int64_t k = before + 1; k <= number; ++k) bucket.peaks[IndexOf(k)] = 0;
    }
  }
  uint64_t& peak = bucket.peaks[IndexOf(number)];
  peak = std::max(peak, level);
  return number;
}

// A bucket brought to the present, not yet stored.
struct Present {
  BucketState::Level level;
  int64_t refilled_ns;
  int64_t number;  // of the sub-window
};
inline Present BringUp(const Spec& spec, const Terms& terms, BucketState& bucket,
                       const BucketState::Level& level, int64_t now_ns) {
  Present present;
  present.level = level;
  const int64_t before_ns = RefilledAt(bucket);
  const bool anew = ClockIsNew(spec, bucket, now_ns);
  present.refilled_ns = anew || before_ns < now_ns ? now_ns : before_ns;
  present.number = NotePeak(spec, bucket, before_ns, present.refilled_ns, anew,
                            Room(terms, present.level.spent));
  return present;
}

inline void Store(BucketState& bucket, const Present& present) {
  const int64_t copy = 1 - (bucket.clock & 1);
  bucket.levels[copy] = present.level;
  StoreInOrder(bucket.clock, present.refilled_ns * 2 + copy);
}

}  // namespace bucket_internal

// Brought to the present.
inline BucketState::Level BucketLevel(const Spec& spec, const Terms& terms,
                                      const BucketState& bucket, int64_t now_ns) {
  const BucketState::Level& level = bucket_internal::LevelOf(bucket);
  if (level.spent == 0) return {0, 0};
  const int64_t passed = now_ns - bucket_internal::RefilledAt(bucket);
  if (passed <= 0) return level;  // a step back is no time
  uint64_t product = 0;
  if (!__builtin_mul_overflow(static_cast<uint64_t>(passed), terms.amount, &product) &&
      !__builtin_add_overflow(product, level.carry, &product)) {
    const uint64_t units = spec.window.Divide(product);
    if (units >= level.spent) return {0, 0};
    return {level.spent - units, product - units * spec.window.divisor()};
  }
  const uint128 wide =
      static_cast<uint128>(static_cast<uint64_t>(passed)) * terms.amount + level.carry;
  const uint128 units = wide / spec.window.divisor();
  if (units >= level.spent) return {0, 0};
  return {level.spent - static_cast<uint64_t>(units),
          static_cast<uint64_t>(wide % spec.window.divisor())};
}

// Until at most `keep` of `level`, which is that of now, is spent.
inline int64_t BucketWaitNs(const Spec& spec, const Terms& terms, const BucketState& bucket,
                            const BucketState::Level& level, int64_t now_ns, uint64_t keep) {
  if (terms.amount == 0) return kNever;
  int64_t catch_up = 0;
  if (bucket_internal::RefilledAt(bucket) > now_ns &&
      !bucket_internal::ClockIsNew(spec, bucket, now_ns)) {
    catch_up = bucket_internal::RefilledAt(bucket) - now_ns;
  }
  // The least e with floor((e * amount + carry) / window) >= missing.
  const uint64_t missing = level.spent - keep;
  const auto window = static_cast<uint64_t>(spec.window_ns);
  uint64_t product = 0;
  if (!__builtin_mul_overflow(missing, window, &product)) {
    const uint64_t wait = CeilDiv(product - level.carry, terms.amount);
    if (wait < uint64_t{1} << 62) return static_cast<int64_t>(wait) + catch_up;
  }
  const uint128 wide = static_cast<uint128>(missing) * window - level.carry;
  const uint128 wait = (wide + terms.amount - 1) / terms.amount + static_cast<uint64_t>(catch_up);
  constexpr auto kLongest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(std::min<uint128>(wait, kLongest));
}

// Books on top of `level`, which is that of now, and brings it up to date. Returns the number of
// the sub-window.
inline int64_t BucketBook(const Spec& spec, const Terms& terms, BucketState& bucket, int64_t now_ns,
                          uint64_t cost, BucketState::Level* level) {
  bucket_internal::Present present = bucket_internal::BringUp(spec, terms, bucket, *level, now_ns);
  present.level.spent =
      std::min(SaturatingAdd(present.level.spent, cost), bucket_internal::kMaxSpent);
  bucket_internal::Store(bucket, present);
  *level = present.level;
  return present.number;
}

// Gives back what was booked in a sub-window, as far as the bucket would be fuller without it.
inline void BucketRefund(const Spec& spec, const Terms& terms, BucketState& bucket, int64_t now_ns,
                         int64_t booked_at, uint64_t unused) {
  bucket_internal::Present present = bucket_internal::BringUp(
      spec, terms, bucket, BucketLevel(spec, terms, bucket, now_ns), now_ns);
  uint64_t refund = 0;
  if (booked_at <= present.number && booked_at > present.number - kBucketPeaks) {
    // Had it never been taken, the bucket would have been fuller by `unused`, but never above its
    // size: what would have run over since is not given back.
    uint64_t highest = bucket_internal::Room(terms, present.level.spent);
    for (int64_t k = booked_at + 1; k <= present.number; ++k) {
      highest = std::max(highest, bucket.peaks[bucket_internal::IndexOf(k)]);
    }
    refund = std::min({bucket_internal::Room(terms, highest), unused, present.level.spent});
    // The level has been higher by that all along: what comes back next may not count the same
    // room.
    for (int64_t k = booked_at; k <= present.number; ++k) {
      uint64_t& peak = bucket.peaks[bucket_internal::IndexOf(k)];
      peak = std::min(peak + refund, terms.size);
    }
  }
  present.level.spent -= refund;
  bucket_internal::Store(bucket, present);
}

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_BUCKET_H_
