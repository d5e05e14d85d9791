// Counts what this thread allocates, by a replaced operator new of the whole test program.

#ifndef WEIR_TESTS_SUPPORT_ALLOCATIONS_H_
#define WEIR_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstdint>

namespace weir::testing {

uint64_t AllocationsOfThisThread();

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_ALLOCATIONS_H_
