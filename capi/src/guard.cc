#include "guard.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "handles.h"

namespace weir::capi {

static_assert(WEIR_OK == static_cast<int>(absl::StatusCode::kOk));
static_assert(WEIR_INVALID_ARGUMENT == static_cast<int>(absl::StatusCode::kInvalidArgument));
static_assert(WEIR_NOT_FOUND == static_cast<int>(absl::StatusCode::kNotFound));
static_assert(WEIR_PERMISSION_DENIED == static_cast<int>(absl::StatusCode::kPermissionDenied));
static_assert(WEIR_RESOURCE_EXHAUSTED == static_cast<int>(absl::StatusCode::kResourceExhausted));
static_assert(WEIR_FAILED_PRECONDITION == static_cast<int>(absl::StatusCode::kFailedPrecondition));
static_assert(WEIR_OUT_OF_RANGE == static_cast<int>(absl::StatusCode::kOutOfRange));
static_assert(WEIR_UNIMPLEMENTED == static_cast<int>(absl::StatusCode::kUnimplemented));
static_assert(WEIR_INTERNAL == static_cast<int>(absl::StatusCode::kInternal));

weir_status Fail(weir_error* error, weir_status code, std::string_view message) noexcept {
  return FailAt(error, code, message, 0, 0, 0);
}

weir_status Fail(weir_error* error, const absl::Status& status) noexcept {
  return Fail(error, static_cast<weir_status>(status.code()), StdView(status.message()));
}

weir_status FailAt(weir_error* error, weir_status code, std::string_view message, size_t offset,
                   size_t line, size_t column) noexcept {
  if (error == nullptr) return code;
  weir_error full;
  std::memset(&full, 0, sizeof(full));
  const size_t size = std::min<size_t>(error->size, sizeof(full));
  full.size = error->size;
  full.code = code;
  full.offset = offset;
  full.line = static_cast<uint32_t>(line);
  full.column = static_cast<uint32_t>(column);
  constexpr size_t kMessageAt = offsetof(weir_error, message);
  if (size > kMessageAt) {
    const size_t room = size - kMessageAt - 1;
    std::memcpy(full.message, message.data(), Utf8Prefix(message, room));
  }
  if (size >= sizeof(error->size)) std::memcpy(error, &full, size);
  return code;
}

weir_status CopyOut(std::string_view text, char* buffer, size_t capacity, size_t* needed,
                    weir_error* error) noexcept {
  *needed = text.size();
  if (text.size() > capacity) {
    return Fail(error, WEIR_OUT_OF_RANGE, "the buffer is too small");
  }
  if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
  return WEIR_OK;
}

}  // namespace weir::capi
