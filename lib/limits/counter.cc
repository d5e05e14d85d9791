#include "limits/counter.h"

#include <algorithm>
#include <string>

#include "base/hash.h"
#include "base/saturating.h"
#include "limits/bucket.h"
#include "limits/window.h"

namespace weir::limits {

int64_t ClampTime(int64_t mono_ns) { return std::clamp(mono_ns, -kMaxTimeNs, kMaxTimeNs); }

Spec MakeSpec(const Rule& rule, uint64_t seed) {
  Spec spec;
  spec.algorithm = rule.algorithm;
  spec.amount = rule.amount;
  spec.size =
      rule.algorithm == Algorithm::kTokenBucket && rule.burst != 0 ? rule.burst : rule.amount;
  spec.window_ns = rule.window_ns;
  spec.width_ns = static_cast<int64_t>(
      CeilDiv(static_cast<uint64_t>(rule.window_ns), static_cast<uint64_t>(kWindowBuckets)));
  // What shapes a counter's memory is part of its name, so a rule that is reloaded with another
  // window starts new counters instead of misreading the old ones; another amount keeps them.
  std::string shape = std::to_string(static_cast<int>(rule.algorithm));
  shape += ':';
  shape += std::to_string(rule.window_ns);
  spec.key_seed = SipHash(seed, rule.name, shape).lo;
  return spec;
}

uint64_t Used(const Spec& spec, const Counter& counter, int64_t now_ns) {
  return spec.algorithm == Algorithm::kSlidingWindow ? WindowUsed(spec, counter.window, now_ns)
                                                     : BucketUsed(spec, counter.bucket, now_ns);
}

int64_t RetryAfterNs(const Spec& spec, const Counter& counter, int64_t now_ns, uint64_t cost) {
  if (cost > spec.size) return kNever;
  return spec.algorithm == Algorithm::kSlidingWindow
             ? WindowWaitNs(spec, counter.window, now_ns, spec.size - cost)
             : BucketWaitNs(spec, counter.bucket, now_ns, spec.size - cost);
}

int64_t ResetNs(const Spec& spec, const Counter& counter, int64_t now_ns) {
  return spec.algorithm == Algorithm::kSlidingWindow
             ? WindowWaitNs(spec, counter.window, now_ns, 0)
             : BucketWaitNs(spec, counter.bucket, now_ns, 0);
}

Booking Book(const Spec& spec, Counter& counter, int64_t now_ns, uint64_t cost) {
  Booking booking;
  booking.number = spec.algorithm == Algorithm::kSlidingWindow
                       ? WindowBook(spec, counter.window, now_ns, cost)
                       : BucketBook(spec, counter.bucket, now_ns, cost);
  booking.reset_ns = ResetNs(spec, counter, now_ns);
  counter.empty_at_ns = SaturatingAdd(now_ns, booking.reset_ns);
  return booking;
}

void Refund(const Spec& spec, Counter& counter, int64_t now_ns, int64_t booked_at,
            uint64_t unused) {
  if (spec.algorithm == Algorithm::kSlidingWindow) {
    WindowRefund(counter.window, booked_at, unused);
  } else {
    BucketRefund(spec, counter.bucket, now_ns, booked_at, unused);
  }
  counter.empty_at_ns = SaturatingAdd(now_ns, ResetNs(spec, counter, now_ns));
}

}  // namespace weir::limits
