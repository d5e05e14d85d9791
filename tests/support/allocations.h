// Counts what this thread allocates and lets an allocation fail, by a replaced operator new of the
// whole test program.

#ifndef WEIR_TESTS_SUPPORT_ALLOCATIONS_H_
#define WEIR_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstdint>

namespace weir::testing {

uint64_t AllocationsOfThisThread();

// Those that this thread made, without as many as it gave up.
int64_t LiveAllocationsOfThisThread();

// The allocation of this thread after the next `after` ones fails, once or with all that follow; a
// negative number: none.
void FailAllocation(int64_t after, bool forever = false);

// Whether one has failed since FailAllocation was last told that one should.
bool AllocationHasFailed();

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_ALLOCATIONS_H_
