// Whether this is built with a sanitizer: then a process takes ten times as long to fork, and what
// is found does not need as many rounds; and memory comes from an allocator that mallinfo2() knows
// nothing of.

#ifndef WEIR_TESTS_SUPPORT_SANITIZERS_H_
#define WEIR_TESTS_SUPPORT_SANITIZERS_H_

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define WEIR_UNDER_SANITIZER 1
#endif
#endif
#ifndef WEIR_UNDER_SANITIZER
#define WEIR_UNDER_SANITIZER 0
#endif

namespace weir::testing {

inline constexpr bool kUnderSanitizer = WEIR_UNDER_SANITIZER != 0;

}  // namespace weir::testing

#endif  // WEIR_TESTS_SUPPORT_SANITIZERS_H_
