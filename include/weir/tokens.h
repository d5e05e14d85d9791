// weir/tokens.h: exact token counts and encodings, without a file or a network.
//
// A limit in tokens, a price or a context window can only be held before a request is sent if the
// gateway counts as the provider will. This counts as OpenAI's tiktoken does, token for token.
//
//   const weir::tokens::Tokenizer* t = weir::tokens::Find("o200k_base");
//   size_t n = t->Count("Hello, world");                      // 3
//
//   std::string_view name = weir::tokens::EncodingForModel("gpt-4o-2024-08-06");
//   if (const auto* t = weir::tokens::Find(name)) …           // else estimate, and say so
//
// The tables of cl100k_base (5 MB) and o200k_base (10 MB) are inside the library: read-only pages
// that all processes share and that are read from disk as they are touched. Nothing runs at
// start-up. A hand-written pre-tokenizer carries out tiktoken's splitting rules with the categories
// of Unicode 16.0, the version that tiktoken uses; byte-pair merging gives the ids.
//
// Text is any bytes. Text that is not UTF-8 never fails (see Count). Text that looks like a special
// token ("<|endoftext|>") is text. What a provider adds round a text (the roles and frames of a
// chat) is not text and is not counted here.
//
// Threads: a Tokenizer is immutable; any number of threads may share it.
// Cost: linear in the text but for a piece (a word, a run of blanks) of more than 64 bytes, which
//   takes O(n log n) of its own length at most, whatever it holds. No recursion and little stack.
//   Memory is allocated for such a piece, up to about 45 bytes for each of its bytes, and for a
//   piece that is not UTF-8; it is freed at the end of the call.
// Limits: one piece of more than 2 GiB is cut, and may then count a token more at each cut.

#ifndef WEIR_TOKENS_H_
#define WEIR_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace weir::tokens {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // "o200k_base", or the name given when it was loaded.
  virtual std::string_view name() const = 0;

  // The number of tokens of `text`; never fails. Each maximal part of `text` that is not UTF-8
  // counts as one replacement character U+FFFD, which is what a string API would have sent on (the
  // Unicode Standard, section 3.9; the decoders of the WHATWG Encoding Standard).
  virtual size_t Count(std::string_view text) const = 0;

  // The token ids of `text`, appended to `ids`. Returns how many were appended: always Count(text).
  virtual size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const = 0;

  // The bytes of token `id`; empty when there is no such token. Valid as long as the tokenizer. A
  // token can be a part of a character. For the built-in ones, the bytes of Encode's ids joined are
  // the text, if it is UTF-8.
  virtual std::string_view TokenBytes(uint32_t id) const = 0;
};

// The built-in tokenizer called `encoding` ("cl100k_base", "o200k_base"), valid until the process
// ends; null when unknown. "o200k_harmony" has the ranks of o200k_base: ask for that.
const Tokenizer* Find(std::string_view encoding);

// The names that Find knows, for messages.
std::vector<std::string_view> EncodingNames();

// The encoding that a model uses ("gpt-4o-2024-08-06" -> "o200k_base"), by exact name, dated
// version, or family prefix, Azure's spellings ("gpt-35-turbo") and fine-tunes ("ft:gpt-4o:…")
// included; empty when unknown. Source: the model tables that OpenAI publishes with tiktoken.
std::string_view EncodingForModel(std::string_view model);

// A tokenizer from the bytes of a SentencePiece .model, whatever kind it is (BPE, unigram, word,
// character). UNIMPLEMENTED when weir was built without SentencePiece; INVALID_ARGUMENT when the
// bytes are not a model or are larger than 64 MiB. They may come from a stranger: what
// SentencePiece itself takes on trust is checked first. Loading takes milliseconds and is one at a
// time in a process; counting is SentencePiece's own work, 1 to 15 MB/s, and takes memory for the
// whole text. Should it fail in the middle of a text, every byte counts as one (unknown) token: too
// many rather than too few.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadSentencePiece(std::string_view name,
                                                             std::string_view model_bytes);

}  // namespace weir::tokens

#endif  // WEIR_TOKENS_H_
