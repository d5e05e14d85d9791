// Counts what this thread allocates and lets an allocation fail, by a replaced operator new of the
// whole test program.

#ifndef WEIR_TESTS_SUPPORT_ALLOCATIONS_H_
#define WEIR_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstdint>

namespace weir::testing {

uint64_t AllocationsOfThisThread();

// The allocation of this thread after the next `after` ones fails, once; a negative number: none.
void FailAllocation(int64_t after);

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_ALLOCATIONS_H_
