#include "limits/bucket.h"

#include <algorithm>
#include <limits>

#include "base/saturating.h"
#include "limits/floor.h"

namespace weir::limits {
namespace {

constexpr uint64_t kMaxSpent = uint64_t{1} << 62;

int IndexOf(int64_t number) { return static_cast<int>(FloorMod(number, kWindowBuckets)); }

struct Level {
  uint64_t spent;
  uint64_t carry;
};

// Time passed for this bucket. A step back is none.
uint64_t Elapsed(const BucketState& bucket, int64_t now_ns) {
  return now_ns > bucket.refilled_ns
             ? static_cast<uint64_t>(now_ns) - static_cast<uint64_t>(bucket.refilled_ns)
             : 0;
}

// A step back of more than a window is a new clock; a shorter one is waited out. Memory that was
// never booked to has seen no clock at all.
bool ClockIsNew(const Spec& spec, const BucketState& bucket, int64_t now_ns) {
  if (bucket.refilled_ns <= now_ns) return false;
  return bucket.refilled_ns - now_ns > spec.window_ns ||
         (bucket.refilled_ns == 0 && bucket.spent == 0);
}

Level Refill(const Spec& spec, const BucketState& bucket, int64_t now_ns) {
  if (bucket.spent == 0) return {0, 0};
  const uint64_t elapsed = Elapsed(bucket, now_ns);
  const auto window = static_cast<uint64_t>(spec.window_ns);
  uint64_t product = 0;
  if (!__builtin_mul_overflow(elapsed, spec.amount, &product) &&
      !__builtin_add_overflow(product, bucket.carry, &product)) {
    const uint64_t units = product / window;
    if (units >= bucket.spent) return {0, 0};
    return {bucket.spent - units, product - units * window};
  }
  const uint128 wide = static_cast<uint128>(elapsed) * spec.amount + bucket.carry;
  const uint128 units = wide / window;
  if (units >= bucket.spent) return {0, 0};
  return {bucket.spent - static_cast<uint64_t>(units), static_cast<uint64_t>(wide % window)};
}

uint64_t Room(const Spec& spec, uint64_t spent) {
  return spec.size > spent ? spec.size - spent : 0;
}

// Brings the bucket to `now_ns` and notes its level. Returns the number of the sub-window.
int64_t Touch(const Spec& spec, BucketState& bucket, int64_t now_ns) {
  const Level level = Refill(spec, bucket, now_ns);
  bucket.spent = level.spent;
  bucket.carry = level.carry;
  const int64_t before = FloorDiv(bucket.refilled_ns, spec.width_ns);
  const bool restart = ClockIsNew(spec, bucket, now_ns);
  if (restart || bucket.refilled_ns < now_ns) bucket.refilled_ns = now_ns;
  const int64_t number = FloorDiv(bucket.refilled_ns, spec.width_ns);
  if (restart || number - before >= kWindowBuckets) {
    std::fill(std::begin(bucket.peaks), std::end(bucket.peaks), uint64_t{0});
  } else {
    for (int64_t k = before + 1; k <= number; ++k) bucket.peaks[IndexOf(k)] = 0;
  }
  uint64_t& peak = bucket.peaks[IndexOf(number)];
  peak = std::max(peak, Room(spec, bucket.spent));
  return number;
}

}  // namespace

uint64_t BucketUsed(const Spec& spec, const BucketState& bucket, int64_t now_ns) {
  return Refill(spec, bucket, now_ns).spent;
}

int64_t BucketWaitNs(const Spec& spec, const BucketState& bucket, int64_t now_ns, uint64_t keep) {
  const Level level = Refill(spec, bucket, now_ns);
  if (level.spent <= keep) return 0;
  // The least e with floor((e * amount + carry) / window) >= missing.
  const uint128 missing = level.spent - keep;
  const uint128 product = missing * static_cast<uint64_t>(spec.window_ns) - level.carry;
  uint128 wait = (product + spec.amount - 1) / spec.amount;
  if (bucket.refilled_ns > now_ns && !ClockIsNew(spec, bucket, now_ns)) {
    wait += static_cast<uint64_t>(bucket.refilled_ns - now_ns);
  }
  constexpr auto kLongest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(std::min<uint128>(wait, kLongest));
}

int64_t BucketBook(const Spec& spec, BucketState& bucket, int64_t now_ns, uint64_t cost) {
  const int64_t number = Touch(spec, bucket, now_ns);
  bucket.spent = std::min(SaturatingAdd(bucket.spent, cost), kMaxSpent);
  return number;
}

void BucketRefund(const Spec& spec, BucketState& bucket, int64_t now_ns, int64_t booked_at,
                  uint64_t unused) {
  const int64_t number = Touch(spec, bucket, now_ns);
  if (booked_at > number || booked_at <= number - kWindowBuckets) return;
  // Had it never been taken, the bucket would have been fuller by `unused`, but never above its
  // size: what would have run over since is not given back.
  uint64_t highest = Room(spec, bucket.spent);
  for (int64_t k = booked_at + 1; k <= number; ++k) {
    highest = std::max(highest, bucket.peaks[IndexOf(k)]);
  }
  uint64_t refund = spec.size > highest ? spec.size - highest : 0;
  refund = std::min({refund, unused, bucket.spent});
  bucket.spent -= refund;
  // The level has been higher by that all along: what comes back next may not count the same room.
  for (int64_t k = booked_at; k <= number; ++k) {
    uint64_t& peak = bucket.peaks[IndexOf(k)];
    peak = std::min(peak + refund, spec.size);
  }
}

}  // namespace weir::limits
