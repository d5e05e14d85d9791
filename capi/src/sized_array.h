// Arrays of the caller's structs: the first element's size is that of all.

#ifndef WEIR_CAPI_SIZED_ARRAY_H_
#define WEIR_CAPI_SIZED_ARRAY_H_

#include <cstddef>
#include <cstdint>

#include "guard.h"

namespace weir::capi {

// How far an element is from the next. Fails when an element has no room for its first
// `least_bytes`.
template <typename Struct>
weir_status ReadStride(const Struct* first, size_t count, size_t least_bytes, size_t* stride,
                       weir_error* error) noexcept {
  *stride = 0;
  if (count == 0) return WEIR_OK;
  if (first == nullptr) return NullArgument(error);
  if (first->size < least_bytes || first->size % alignof(uint64_t) != 0) {
    return Fail(error, WEIR_INVALID_ARGUMENT,
                "the size of an array's first struct is not set, or too small");
  }
  *stride = first->size;
  return WEIR_OK;
}

// Where the element `index` is.
inline const void* ElementAt(const void* first, size_t stride, size_t index) {
  return static_cast<const unsigned char*>(first) + stride * index;
}
inline void* ElementAt(void* first, size_t stride, size_t index) {
  return static_cast<unsigned char*>(first) + stride * index;
}

// Calls `take(index, element)` for each element, as far as this weir knows its fields, until one
// call does not return WEIR_OK.
template <typename Struct, typename Take>
weir_status ReadArray(const Struct* first, size_t count, weir_error* error, Take&& take) {
  size_t stride = 0;
  weir_status status = ReadStride(first, count, sizeof(uint64_t), &stride, error);
  for (size_t i = 0; i < count && status == WEIR_OK; ++i) {
    if (stride == sizeof(Struct)) {  // as it nearly always is: nothing to copy
      status = take(i, first[i]);
      continue;
    }
    Struct read;
    status = ReadBytes(ElementAt(first, stride, i), stride, &read, error);
    if (status == WEIR_OK) status = take(i, read);
  }
  return status;
}

}  // namespace weir::capi

#endif  // WEIR_CAPI_SIZED_ARRAY_H_
