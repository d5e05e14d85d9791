// The sliding window of counter.h.

#ifndef WEIR_LIB_LIMITS_WINDOW_H_
#define WEIR_LIB_LIMITS_WINDOW_H_

#include <cstdint>

#include "limits/counter.h"

namespace weir::limits {

uint64_t WindowUsed(const Spec& spec, const WindowState& window, int64_t now_ns);
// Until at most `keep` is used; 0 when that is so now.
int64_t WindowWaitNs(const Spec& spec, const WindowState& window, int64_t now_ns, uint64_t keep);
int64_t WindowBook(const Spec& spec, WindowState& window, int64_t now_ns, uint64_t cost);
void WindowRefund(WindowState& window, int64_t booked_at, uint64_t unused);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_WINDOW_H_
