// weir/tokens.h: exact token counts and encodings, without a file or a network.
//
// The rank tables of cl100k_base and o200k_base are inside the library (read-only pages, shared by
// all processes, no start-up work). A hand-written pre-tokenizer carries out the splitting rules of
// OpenAI's tiktoken with Unicode 16.0 categories; byte-pair merging gives the ids.
//
//   const weir::tokens::Tokenizer* t = weir::tokens::Find("o200k_base");
//   size_t n = t->Count("Hello, world");
//
// Threads: a Tokenizer is immutable; any number of threads. Cost: O(n log n) worst case, no
// recursion, memory proportional to the longest single piece. Input is any bytes: text that is not
// UTF-8 never fails (see Count). Text that looks like a special token ("<|endoftext|>") is text.

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

  // The number of tokens of `text`. A byte that is not part of well-formed UTF-8 counts as the
  // replacement character U+FFFD would, one per maximal ill-formed part, as string APIs see it.
  virtual size_t Count(std::string_view text) const = 0;

  // The token ids of `text`, appended to `ids`. Returns how many were appended.
  virtual size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const = 0;

  // The bytes of token `id`; empty when there is no such token.
  virtual std::string_view TokenBytes(uint32_t id) const = 0;
};

// The built-in tokenizer called `encoding` ("cl100k_base", "o200k_base"); null when unknown.
const Tokenizer* Find(std::string_view encoding);

// The names that Find knows, for messages.
std::vector<std::string_view> EncodingNames();

// The encoding that a model uses ("gpt-4o-2024-08-06" -> "o200k_base"), by exact name, dated
// version, or family prefix, Azure's spellings ("gpt-35-turbo") and fine-tunes ("ft:gpt-4o:…")
// included; empty when unknown. Source: the model tables that OpenAI publishes with tiktoken.
std::string_view EncodingForModel(std::string_view model);

// A tokenizer from the bytes of a SentencePiece .model. UNIMPLEMENTED when weir was built without
// SentencePiece; INVALID_ARGUMENT when the bytes are not a model.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadSentencePiece(std::string_view name,
                                                             std::string_view model_bytes);

}  // namespace weir::tokens

#endif  // WEIR_TOKENS_H_
