// Token counts as the provider bills them, by weir's own tokenizers.

#ifndef WEIR_EXAMPLES_UPSTREAM_TOKEN_COUNTER_H_
#define WEIR_EXAMPLES_UPSTREAM_TOKEN_COUNTER_H_

#include <weir.h>

#include <cstdint>
#include <string_view>

namespace upstream {

class TokenCounter {
 public:
  // The encoding that the model uses; o200k_base for one that weir does not know.
  explicit TokenCounter(std::string_view model) {
    weir_error error = {};
    error.size = sizeof error;
    if (weir_tokenizer_find(model.data(), model.size(), &tokenizer_, &error) == WEIR_OK) return;
    constexpr std::string_view kDefault = "o200k_base";
    weir_tokenizer_find(kDefault.data(), kDefault.size(), &tokenizer_, &error);
  }

  int64_t Count(std::string_view text) const {
    uint64_t count = 0;
    weir_error error = {};
    error.size = sizeof error;
    weir_tokenizer_count(tokenizer_, text.data(), text.size(), &count, &error);
    return static_cast<int64_t>(count);
  }

 private:
  const weir_tokenizer* tokenizer_ = nullptr;
};

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_TOKEN_COUNTER_H_
