// SentencePiece's compiled normalization rules, as tokenizer.json carries them ("Precompiled"): a
// double-array trie of texts, each with the text that replaces it.

#ifndef WEIR_LIB_TOKENS_LOADED_CHARS_MAP_H_
#define WEIR_LIB_TOKENS_LOADED_CHARS_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace weir::tokens {

class CharsMap {
 public:
  // INVALID_ARGUMENT when an offset in `bytes` points outside them, or a replacement is more than
  // 255 bytes long.
  absl::Status Load(std::string_view bytes);

  // Appends the replacement of `text`: that of the shortest text that begins it, for all of it, as
  // the format's own library has it. False, and nothing appended, when there is none.
  bool Replace(std::string_view text, std::string* out) const;

  // Appends `text` with its grapheme clusters of less than 6 bytes, then its characters, replaced.
  void Append(std::string* out, std::string_view text) const;

  // By how much a text can grow at most.
  size_t growth() const { return growth_; }

 private:
  // What a lone ASCII character becomes.
  struct Ascii {
    bool changes = false;
    std::string becomes;
  };
  absl::Status Check();
  void AppendCluster(std::string* out, std::string_view cluster) const;

  std::vector<uint32_t> units_;
  std::string replacements_;  // each with a NUL at its end
  std::array<Ascii, 128> ascii_;
  size_t growth_ = 1;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_CHARS_MAP_H_
