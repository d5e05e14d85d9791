// The barrier between weir and its host: nothing thrown inside crosses it, and every status comes
// with its words.

#ifndef WEIR_CAPI_GUARD_H_
#define WEIR_CAPI_GUARD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// Reads the `size` bytes that the caller has of a struct onto defaults, all zero.
template <typename Struct>
weir_status ReadBytes(const void* given, size_t size, Struct* read, weir_error* error) noexcept {
  std::memset(read, 0, sizeof(*read));
  const auto* bytes = static_cast<const unsigned char*>(given);
  for (size_t i = sizeof(*read); i < size; ++i) {
    if (bytes[i] != 0) {
      return Fail(error, WEIR_UNIMPLEMENTED, "a struct has fields that this weir does not know");
    }
  }
  std::memcpy(read, given, std::min(size, sizeof(*read)));
  return WEIR_OK;
}

// The same of a struct whose first field is its `size`; null is all defaults.
template <typename Struct>
weir_status ReadSized(const Struct* given, Struct* read, weir_error* error) noexcept {
  if (given == nullptr) {
    std::memset(read, 0, sizeof(*read));
    return WEIR_OK;
  }
  if (given->size < sizeof(given->size)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "the size of a struct is not set");
  }
  return ReadBytes(given, given->size, read, error);
}

// Writes as much of a struct as the caller has room for.
template <typename Struct>
void WriteSized(Struct full, Struct* out) noexcept {
  full.size = out->size;
  if (full.size == sizeof(full)) {
    *out = full;  // as it nearly always is; of a known size
  } else {
    std::memcpy(out, &full, std::min<size_t>(full.size, sizeof(full)));
  }
}

}  // namespace weir::capi

#endif  // WEIR_CAPI_GUARD_H_
