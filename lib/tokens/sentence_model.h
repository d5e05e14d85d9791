// SentencePiece behind a door of std types: its header defines absl::string_view its own way and so
// cannot share a file with Abseil. sentencepiece.cc is the only file that includes it.

#ifndef WEIR_LIB_TOKENS_SENTENCE_MODEL_H_
#define WEIR_LIB_TOKENS_SENTENCE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tokens {

// True in a build with WEIR_WITH_SENTENCEPIECE.
extern const bool kHasSentencePiece;

class SentenceModel {
 public:
  virtual ~SentenceModel() = default;

  // The ids of well-formed UTF-8, appended to `ids` unless it is null. Returns how many.
  virtual size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const = 0;

  virtual std::string_view TokenBytes(uint32_t id) const = 0;
};

// Null, with the reason, when `model` is not one that SentencePiece takes. CheckSentenceModel comes
// first.
std::unique_ptr<SentenceModel> LoadSentenceModel(std::string_view model, std::string* error);

// What SentencePiece takes on trust, checked: the bytes may be an attacker's. Returns what is wrong
// with them, or nothing. See sentence_model_check.cc.
std::string CheckSentenceModel(std::string_view model);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_SENTENCE_MODEL_H_
