#include "tokenizer_choice.h"

#include "console.h"

namespace weir::cli {

std::optional<TokenizerChoice> TokenizerChoice::Load(const CommandLine& line,
                                                     const std::string& path) {
  const std::optional<std::string> bytes = ReadWhole(path);
  if (!bytes) return std::nullopt;
  const std::string name = path.substr(path.find_last_of('/') + 1);
  const std::string pattern = line.Value("--pattern").value_or("");
  Error error;
  weir_tokenizer* loaded = nullptr;
  if (weir_tokenizer_load(name.data(), name.size(), bytes->data(), bytes->size(), pattern.data(),
                          pattern.size(), &loaded, &error) != WEIR_OK) {
    Complain({"count: --tokenizer ", path, ": ", error.message});
    return std::nullopt;
  }
  TokenizerChoice choice;
  choice.loaded_.reset(loaded);
  choice.tokenizer_ = loaded;
  return choice;
}

std::optional<TokenizerChoice> TokenizerChoice::Make(const CommandLine& line, bool or_default) {
  if (const auto path = line.Value("--tokenizer")) return Load(line, *path);
  const auto encoding = line.Value("--encoding"), model = line.Value("--model");
  TokenizerChoice choice;
  if (!encoding && !model && !or_default) return choice;
  const std::string name = encoding ? *encoding : model ? *model : std::string(kDefaultEncoding);
  Error error;
  if (weir_tokenizer_find(name.data(), name.size(), &choice.tokenizer_, &error) == WEIR_OK) {
    return choice;
  }
  std::string message = "count: ";
  message.append(encoding ? "--encoding: " : model ? "--model: " : "").append(error.message);
  message += model && !encoding ? "; name one with --encoding, or give the model's own with "
                                  "--tokenizer FILE"
                                : "; weir encodings lists them with the models that use them";
  Complain({message});
  return std::nullopt;
}

std::string TokenizerChoice::name() const {
  const char* name = nullptr;
  size_t size = 0;
  if (weir_tokenizer_name(tokenizer_, &name, &size) != WEIR_OK) return {};
  return {name, size};
}

}  // namespace weir::cli
