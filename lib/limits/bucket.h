// The token bucket of counter.h.

#ifndef WEIR_LIB_LIMITS_BUCKET_H_
#define WEIR_LIB_LIMITS_BUCKET_H_

#include <cstdint>

#include "limits/counter.h"

namespace weir::limits {

uint64_t BucketUsed(const Spec& spec, const BucketState& bucket, int64_t now_ns);
// Until at most `keep` is spent; 0 when that is so now.
int64_t BucketWaitNs(const Spec& spec, const BucketState& bucket, int64_t now_ns, uint64_t keep);
int64_t BucketBook(const Spec& spec, BucketState& bucket, int64_t now_ns, uint64_t cost);
void BucketRefund(const Spec& spec, BucketState& bucket, int64_t now_ns, int64_t booked_at,
                  uint64_t unused);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_BUCKET_H_
