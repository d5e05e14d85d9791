// weir_tokenizer_*: the built-in tokenizers, by themselves.

#include <algorithm>
#include <vector>

#include "guard.h"
#include "weir/tokens.h"

namespace {

using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::View;

// The handle is the tokenizer itself under an opaque name: it is static and never freed.
const weir::tokens::Tokenizer& Behind(const weir_tokenizer* tokenizer) {
  return *reinterpret_cast<const weir::tokens::Tokenizer*>(tokenizer);
}

}  // namespace

weir_status weir_tokenizer_find(const char* name, size_t name_size,
                                const weir_tokenizer** tokenizer, weir_error* error) {
  if (!IsText(name, name_size) || tokenizer == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    const weir::tokens::Tokenizer* found = weir::tokens::Find(View(name, name_size));
    if (found == nullptr) {
      found = weir::tokens::Find(weir::tokens::EncodingForModel(View(name, name_size)));
    }
    if (found == nullptr) {
      return Fail(error, WEIR_NOT_FOUND, "no encoding and no model of that name is known");
    }
    *tokenizer = reinterpret_cast<const weir_tokenizer*>(found);
    return WEIR_OK;
  });
}

weir_status weir_tokenizer_count(const weir_tokenizer* tokenizer, const char* text,
                                 size_t text_size, uint64_t* count, weir_error* error) {
  if (tokenizer == nullptr || !IsText(text, text_size) || count == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    *count = Behind(tokenizer).Count(View(text, text_size));
    return WEIR_OK;
  });
}

weir_status weir_tokenizer_encode(const weir_tokenizer* tokenizer, const char* text,
                                  size_t text_size, uint32_t* ids, size_t capacity, size_t* needed,
                                  weir_error* error) {
  if (tokenizer == nullptr || !IsText(text, text_size) || (ids == nullptr && capacity != 0) ||
      needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::vector<uint32_t> encoded;
    Behind(tokenizer).Encode(View(text, text_size), &encoded);
    *needed = encoded.size();
    if (encoded.size() > capacity) {
      return Fail(error, WEIR_OUT_OF_RANGE, "the buffer is too small");
    }
    std::copy(encoded.begin(), encoded.end(), ids);
    return WEIR_OK;
  });
}
