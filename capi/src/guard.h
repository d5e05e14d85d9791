// The barrier between weir and its host: nothing thrown inside crosses it, and every status comes
// with its words.

#ifndef WEIR_CAPI_GUARD_H_
#define WEIR_CAPI_GUARD_H_

#include <cstddef>
#include <new>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "weir.h"

namespace weir::capi {

// Fills the caller's record, as much of it as the caller has; null is fine. Returns `code`.
weir_status Fail(weir_error* error, weir_status code, std::string_view message) noexcept;
weir_status Fail(weir_error* error, const absl::Status& status) noexcept;

// True when pointer and length make a text: null only with length 0.
inline bool IsText(const char* text, size_t size) { return text != nullptr || size == 0; }
inline std::string_view View(const char* text, size_t size) {
  return size == 0 ? std::string_view() : std::string_view(text, size);
}

// Runs `body`, which returns a weir_status. Out of memory is a status, and so is anything else that
// might be thrown.
template <typename Body>
weir_status Guard(weir_error* error, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Fail(error, WEIR_RESOURCE_EXHAUSTED, "out of memory");
  } catch (...) {
    return Fail(error, WEIR_INTERNAL, "an unexpected exception inside weir");
  }
}

inline weir_status NullArgument(weir_error* error) noexcept {
  return Fail(error, WEIR_INVALID_ARGUMENT, "a null handle, output or text");
}

// Copies `text` into the caller's buffer; *needed is its length either way.
weir_status CopyOut(std::string_view text, char* buffer, size_t capacity, size_t* needed,
                    weir_error* error) noexcept;

}  // namespace weir::capi

#endif  // WEIR_CAPI_GUARD_H_
