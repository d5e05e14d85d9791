// weir_token_counter_*: a text that comes in pieces.

#include "handles.h"
#include "weir/tokens.h"

struct weir_token_counter {
  explicit weir_token_counter(const weir::tokens::Tokenizer& tokenizer) : counter(tokenizer) {}

  weir::tokens::Counter counter;
  bool is_broken = false;  // an append stopped somewhere in the middle
};

namespace {

using weir::capi::Behind;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::View;

weir_status Broken(weir_error* error) {
  return Fail(error, WEIR_FAILED_PRECONDITION, "the counter ran out of memory; free it");
}

}  // namespace

weir_status weir_token_counter_new(const weir_tokenizer* tokenizer, weir_token_counter** counter,
                                   weir_error* error) {
  if (tokenizer == nullptr || counter == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    *counter = std::make_unique<weir_token_counter>(*Behind(tokenizer)).release();
    return WEIR_OK;
  });
}

weir_status weir_token_counter_append(weir_token_counter* counter, const char* text,
                                      size_t text_size, weir_error* error) {
  if (counter == nullptr || !IsText(text, text_size)) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    if (counter->is_broken) return Broken(error);
    counter->is_broken = true;
    counter->counter.Append(View(text, text_size));
    counter->is_broken = false;
    return WEIR_OK;
  });
}

weir_status weir_token_counter_total(const weir_token_counter* counter, uint64_t* count,
                                     weir_error* error) {
  if (counter == nullptr || count == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    if (counter->is_broken) return Broken(error);
    *count = counter->counter.Total();
    return WEIR_OK;
  });
}

void weir_token_counter_free(weir_token_counter* counter) { delete counter; }
