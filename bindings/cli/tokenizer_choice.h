// Which tokenizer is meant by --model, --encoding or --tokenizer.

#ifndef WEIR_BINDINGS_CLI_TOKENIZER_CHOICE_H_
#define WEIR_BINDINGS_CLI_TOKENIZER_CHOICE_H_

#include <memory>
#include <optional>
#include <string>

#include "options.h"
#include "weir.h"

namespace weir::cli {

inline constexpr std::string_view kDefaultEncoding = "o200k_base";

// A tokenizer, owned if it came from a file.
class TokenizerChoice {
 public:
  // What the options --tokenizer, --encoding or --model say. `or_default`: without any of them
  // kDefaultEncoding, else none. nullopt, and a complaint, when it is not to be had.
  static std::optional<TokenizerChoice> Make(const CommandLine& line, bool or_default);

  const weir_tokenizer* get() const { return tokenizer_; }
  std::string name() const;

 private:
  static std::optional<TokenizerChoice> Load(const CommandLine& line, const std::string& path);

  struct Free {
    void operator()(weir_tokenizer* loaded) const { weir_tokenizer_free(loaded); }
  };
  std::unique_ptr<weir_tokenizer, Free> loaded_;
  const weir_tokenizer* tokenizer_ = nullptr;
};

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_TOKENIZER_CHOICE_H_
