// weir_tokenizer_* and weir_encoding_*: tokenizers, by themselves.

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/text.h"
#include "handles.h"
#include "weir/tokenizer_files.h"
#include "weir/tokens.h"

namespace {

using weir::Concat;
using weir::capi::Behind;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::View;
using weir::tokens::Tokenizer;

weir_tokenizer* HandleOf(Tokenizer* tokenizer) {
  return reinterpret_cast<weir_tokenizer*>(tokenizer);
}

size_t ToSize(uint64_t count) {
  return static_cast<size_t>(std::min<uint64_t>(count, std::numeric_limits<size_t>::max()));
}

weir_status UnknownName(std::string_view name, weir_error* error) {
  constexpr size_t kMostQuoted = 100;
  std::string known;
  for (const std::string_view encoding : weir::tokens::EncodingNames()) {
    known.append(known.empty() ? "" : ", ").append(encoding);
  }
  const std::string_view quoted = name.substr(0, weir::Utf8Prefix(name, kMostQuoted));
  return Fail(error, WEIR_NOT_FOUND,
              Concat({"no encoding is known for \"", quoted, "\"; there are ", known}));
}

// Runs `encode`, which appends ids, and copies them out.
template <typename Encoding>
weir_status CopyIds(uint32_t* ids, size_t capacity, size_t* needed, weir_error* error,
                    Encoding&& encode) noexcept {
  return Guard(error, [&]() -> weir_status {
    std::vector<uint32_t> encoded;
    encode(&encoded);
    *needed = encoded.size();
    if (encoded.size() > capacity) {
      return Fail(error, WEIR_OUT_OF_RANGE, "the buffer is too small");
    }
    std::copy(encoded.begin(), encoded.end(), ids);
    return WEIR_OK;
  });
}

// Of a model, or of the one that a deployment's name hints at.
std::string_view EncodingOf(std::string_view model) {
  const std::string_view known = weir::tokens::EncodingForModel(model);
  return !known.empty() ? known : weir::tokens::EncodingForModel(weir::tokens::ModelHint(model));
}

}  // namespace

weir_status weir_tokenizer_find(const char* name, size_t name_size,
                                const weir_tokenizer** tokenizer, weir_error* error) {
  if (!IsText(name, name_size) || tokenizer == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    const Tokenizer* found = weir::tokens::Find(View(name, name_size));
    if (found == nullptr) found = weir::tokens::Find(EncodingOf(View(name, name_size)));
    if (found == nullptr) return UnknownName(View(name, name_size), error);
    *tokenizer = reinterpret_cast<const weir_tokenizer*>(found);
    return WEIR_OK;
  });
}

weir_status weir_tokenizer_load(const char* name, size_t name_size, const char* bytes,
                                size_t bytes_size, const char* pattern, size_t pattern_size,
                                weir_tokenizer** tokenizer, weir_error* error) {
  if (!IsText(name, name_size) || !IsText(bytes, bytes_size) || !IsText(pattern, pattern_size) ||
      tokenizer == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const std::string_view called = View(name, name_size), file = View(bytes, bytes_size);
    auto loaded = pattern_size == 0
                      ? weir::tokens::LoadTokenizer(called, file)
                      : weir::tokens::LoadTiktoken(called, file, View(pattern, pattern_size));
    if (!loaded.ok()) return Fail(error, loaded.status());
    *tokenizer = HandleOf(loaded->release());
    return WEIR_OK;
  });
}

void weir_tokenizer_free(weir_tokenizer* tokenizer) {
  const Tokenizer* behind = Behind(tokenizer);
  // Built-in ones are the process's.
  if (behind == nullptr || weir::tokens::Find(behind->name()) == behind) return;
  delete behind;
}

weir_status weir_tokenizer_name(const weir_tokenizer* tokenizer, const char** name,
                                size_t* name_size) {
  if (tokenizer == nullptr || name == nullptr || name_size == nullptr) return WEIR_INVALID_ARGUMENT;
  *name = Behind(tokenizer)->name().data();
  *name_size = Behind(tokenizer)->name().size();
  return WEIR_OK;
}

weir_status weir_encoding_name(uint32_t index, const char** name, size_t* name_size) {
  if (name == nullptr || name_size == nullptr) return WEIR_INVALID_ARGUMENT;
  return Guard(nullptr, [&]() -> weir_status {
    const std::vector<std::string_view> names = weir::tokens::EncodingNames();
    if (index >= names.size()) return WEIR_OUT_OF_RANGE;
    *name = names[index].data();
    *name_size = names[index].size();
    return WEIR_OK;
  });
}

weir_status weir_encoding_for_model(const char* model, size_t model_size, const char** encoding,
                                    size_t* encoding_size, weir_error* error) {
  if (!IsText(model, model_size) || encoding == nullptr || encoding_size == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const std::string_view found = EncodingOf(View(model, model_size));
    if (found.empty()) return UnknownName(View(model, model_size), error);
    *encoding = found.data();
    *encoding_size = found.size();
    return WEIR_OK;
  });
}

weir_status weir_tokenizer_count(const weir_tokenizer* tokenizer, const char* text,
                                 size_t text_size, uint64_t* count, weir_error* error) {
  if (tokenizer == nullptr || !IsText(text, text_size) || count == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    *count = Behind(tokenizer)->Count(View(text, text_size));
    return WEIR_OK;
  });
}

weir_status weir_tokenizer_count_up_to(const weir_tokenizer* tokenizer, const char* text,
                                       size_t text_size, uint64_t limit, uint64_t* count,
                                       weir_error* error) {
  if (tokenizer == nullptr || !IsText(text, text_size) || count == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    *count = Behind(tokenizer)->CountUpTo(View(text, text_size), ToSize(limit));
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
  return CopyIds(ids, capacity, needed, error, [&](std::vector<uint32_t>* encoded) {
    Behind(tokenizer)->Encode(View(text, text_size), encoded);
  });
}

weir_status weir_tokenizer_encode_with_specials(const weir_tokenizer* tokenizer, const char* text,
                                                size_t text_size, uint32_t* ids, size_t capacity,
                                                size_t* needed, weir_error* error) {
  if (tokenizer == nullptr || !IsText(text, text_size) || (ids == nullptr && capacity != 0) ||
      needed == nullptr) {
    return NullArgument(error);
  }
  return CopyIds(ids, capacity, needed, error, [&](std::vector<uint32_t>* encoded) {
    weir::tokens::EncodeWithSpecials(*Behind(tokenizer), View(text, text_size), encoded);
  });
}

weir_status weir_tokenizer_decode(const weir_tokenizer* tokenizer, const uint32_t* ids,
                                  size_t id_count, char* buffer, size_t capacity, size_t* needed,
                                  weir_error* error) {
  if (tokenizer == nullptr || (ids == nullptr && id_count != 0) || !IsText(buffer, capacity) ||
      needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const auto text = weir::tokens::Decode(*Behind(tokenizer), absl::MakeConstSpan(ids, id_count));
    if (!text.ok()) return Fail(error, text.status());
    return CopyOut(*text, buffer, capacity, needed, error);
  });
}

weir_status weir_tokenizer_split(const weir_tokenizer* tokenizer, const char* text,
                                 size_t text_size, uint64_t max_tokens, size_t* split_size,
                                 weir_error* error) {
  if (tokenizer == nullptr || !IsText(text, text_size) || split_size == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    *split_size =
        weir::tokens::SplitAt(*Behind(tokenizer), View(text, text_size), ToSize(max_tokens));
    return WEIR_OK;
  });
}

void weir_tokenizer_set_piece_cache(int32_t on) { weir::tokens::SetPieceCache(on != 0); }
