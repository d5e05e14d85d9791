// How much memory is in use: mallinfo2(), where it tells. Sanitizers bring allocators of their own,
// which do not; WEIR_NO_MALLINFO then leaves tests of memory out.

#ifndef WEIR_TESTS_SUPPORT_HEAP_H_
#define WEIR_TESTS_SUPPORT_HEAP_H_

#include <malloc.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_NO_MALLINFO
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define WEIR_NO_MALLINFO
#endif
#endif

#endif  // WEIR_TESTS_SUPPORT_HEAP_H_
