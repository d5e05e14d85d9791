// LoadTokenizer: a tokenizer file of any of the formats.

#include "base/text.h"
#include "tokens/loaded/tiktoken_file.h"
#include "weir/tokenizer_files.h"

namespace weir::tokens {

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(std::string_view name,
                                                         std::string_view bytes) {
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '{') return LoadHuggingFace(name, bytes);
  if (!LooksLikeRankFile(bytes)) return LoadSentencePiece(name, bytes);
  const std::string_view pattern = PatternOfRankFile(bytes);
  if (pattern.empty()) {
    return absl::InvalidArgumentError(
        "rank file: it is none of those that OpenAI has published, so its pattern must be given");
  }
  return LoadTiktoken(name, bytes, pattern);
}

}  // namespace weir::tokens
