// weir/tokens.h: exact token counts and encodings, without a file or a network.
//
// A limit in tokens, a price or a context window can only be held before a request is sent if the
// gateway counts as the provider will. This counts as OpenAI's tiktoken does, token for token.
//
//   const weir::tokens::Tokenizer* t = weir::tokens::Find("o200k_base");
//   size_t n = t->Count("Hello, world");                      // 3
//   if (t->CountUpTo(prompt, 1000) > 1000) …                  // reads no more than it must
//
//   std::string_view name = weir::tokens::EncodingForModel("gpt-4o-2024-08-06");
//   if (const auto* t = weir::tokens::Find(name)) …           // else estimate, and say so
//
//   weir::tokens::Counter counter(*t);                        // text that comes in pieces
//   counter.Append("Hel"); counter.Append("lo"); counter.Total();
//
// The tables of the encodings (1 to 9 MB each) are inside the library: read-only pages that all
// processes share and that are read from disk as they are touched; a build can leave encodings out.
// Nothing runs at start-up. The splitting rules are tiktoken's with the categories of Unicode 16.0,
// the version that tiktoken uses, carried out on 64 bytes at once where the processor can;
// byte-pair merging gives the ids. Pieces that were merged before are remembered in a fixed piece
// of memory that all threads of a process share (see SetPieceCache).
//
// Text is any bytes. Text that is not UTF-8 never fails (see Count). Text that looks like a special
// token ("<|endoftext|>") is text unless EncodeWithSpecials is asked. What a provider adds round a
// text (the roles and frames of a chat) is not text and is not counted here: weir/prompt_meter.h.
//
// Threads: a Tokenizer is immutable; any number of threads may share it. A Counter belongs to one.
// Cost: linear in the text, whatever it holds; no recursion and little stack. Memory is allocated
//   for what is not UTF-8, as much as the longest such piece (a word, a run of blanks), and freed
//   at the end of the call. Should a piece of more than 256 characters ever defy being merged in
//   sections (none is known), it takes 45 bytes for each of its own, and one of 2 GiB is cut.

#ifndef WEIR_TOKENS_H_
#define WEIR_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/recycling.h"

namespace weir::tokens {

// A token that stands for no text of its own, and the text by which people write it.
struct SpecialToken {
  std::string_view text;
  uint32_t id;
};

// Counts a piece of text that does not end (a word of a million letters, a run of blanks) without
// keeping it: see Tokenizer::OpenLongPiece. What Counter is made of.
class OpenPiece {
 public:
  virtual ~OpenPiece() = default;

  // `text` follows what was taken before. Takes from the front of it what need not be seen again,
  // and returns how many bytes that are; the caller comes with the others again, and more.
  virtual size_t Take(std::string_view text) = 0;
  // The piece ended with the last byte that was taken.
  virtual bool ended() const = 0;
  // The tokens of all that was taken if `text` follows it and then nothing, `text` included.
  virtual size_t Total(std::string_view text) const = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // "o200k_base", or the name given when it was loaded.
  virtual std::string_view name() const = 0;

  // The number of tokens of `text`; never fails. Each maximal part of `text` that is not UTF-8
  // counts as one replacement character U+FFFD, which is what a string API would have sent on (the
  // Unicode Standard, section 3.9; the decoders of the WHATWG Encoding Standard).
  virtual size_t Count(std::string_view text) const = 0;

  // Count(text) if that is at most `limit`, else a number above `limit`: then no more was read than
  // it took to know. Built-in tokenizers do not read a text at all that is too long to fit.
  virtual size_t CountUpTo(std::string_view text, size_t limit) const;

  // The token ids of `text`, appended to `ids`. Returns how many were appended: always Count(text).
  virtual size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const = 0;

  // The bytes of token `id`; empty when there is no such token, or when it is special. Valid as
  // long as the tokenizer. A token can be a part of a character. For the built-in ones, the bytes
  // of Encode's ids joined are the text, if it is UTF-8.
  virtual std::string_view TokenBytes(uint32_t id) const = 0;

  // None unless the tokenizer says otherwise. Valid as long as the tokenizer.
  virtual absl::Span<const SpecialToken> Specials() const;

  // How many bytes at the front of `text` count the same whatever follows them:
  // Count(text + x) == Count(text.substr(0, n)) + Count(text.substr(n) + x) for every x. What
  // remains is the last word or two, but 0 is always right, and all that other tokenizers say.
  virtual size_t StableBytes(std::string_view text) const;

  // For a text of which StableBytes says nothing though it is long: counts on from its beginning in
  // bounded memory. Null when the tokenizer cannot. The tokenizer must outlive it.
  virtual std::unique_ptr<OpenPiece> OpenLongPiece() const;
};

// `text` with special tokens: each place where the text of one of Specials() stands becomes that
// token, the longest where several begin; the text between is encoded by itself. Only for text that
// the caller wrote: in a stranger's text "<|endoftext|>" is text. Returns how many ids it appended.
size_t EncodeWithSpecials(const Tokenizer& tokenizer, std::string_view text,
                          std::vector<uint32_t>* ids);

// The bytes that `ids` stand for, those of special tokens as their text. INVALID_ARGUMENT names the
// first id that there is not. What Encode made of UTF-8 is that UTF-8 again.
absl::StatusOr<std::string> Decode(const Tokenizer& tokenizer, absl::Span<const uint32_t> ids);

// The length of the longest beginning of `text` that ends with a whole token and a whole character
// of it and has at most `max_tokens` tokens when it is counted by itself. For cutting a text to a
// budget or into chunks. Reads little more of `text` than it returns.
size_t SplitAt(const Tokenizer& tokenizer, std::string_view text, size_t max_tokens);

// Counts a text that is appended to: exact for any cuts, those inside a character too.
//
// It keeps what more text could still change: the last word or two, and of a piece that does not
// end (a run of letters, of blanks) 16 KiB; or all of the text if the tokenizer can tell nothing of
// a part (StableBytes and OpenLongPiece: a loaded one). The cost of an Append is that of the text
// appended, and now and then of what was kept.
class Counter {
 public:
  // `tokenizer` must outlive this.
  explicit Counter(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  void Append(std::string_view bytes);

  // The number of tokens of all that was appended, as Count would tell it.
  size_t Total() const;

  // How much of the text it keeps, for whoever must bound that.
  size_t kept_bytes() const { return kept_.size(); }

 private:
  void Settle();
  void TakePiece();

  static constexpr size_t kLeastSettled = 96;

  const Tokenizer* tokenizer_;
  size_t settled_ = 0;                // tokens that nothing can change any more
  RecycledString kept_;               // the text after them
  std::unique_ptr<OpenPiece> piece_;  // that kept_ goes on with, if it is a long one
  size_t settle_at_ = kLeastSettled;  // look for stable bytes when kept_ is that long
};

// Sets whether built-in tokenizers remember how many tokens a piece has that is none itself; they
// do unless told otherwise. The memory for it is part of the process, 4 MiB an encoding, and
// becomes real as it is used. Without it counts are the same, and text takes longer, the more the
// rarer its words are. For all threads, at once.
void SetPieceCache(bool on);

// The built-in tokenizer called `encoding` ("o200k_base", "cl100k_base", "o200k_harmony",
// "p50k_base", "p50k_edit", "r50k_base" or "gpt2"), valid until the process ends; null when unknown
// or left out of this build.
const Tokenizer* Find(std::string_view encoding);

// What to estimate with when a model's encoding is not known: o200k_base, or the best there is in
// this build.
const Tokenizer& Default();

// The names that Find knows, for messages.
std::vector<std::string_view> EncodingNames();

// The encoding that a model uses ("gpt-4o-2024-08-06" -> "o200k_base"), by exact name, dated
// version, or family prefix, Azure's spellings ("gpt-35-turbo") and fine-tunes ("ft:gpt-4o:…")
// included; empty when unknown. Source: the model tables that OpenAI publishes with tiktoken.
std::string_view EncodingForModel(std::string_view model);

// The model that a name hints at which is none itself: an Azure deployment's ("prod-GPT4o-eu":
// "gpt-4o-eu"), a router's ("openai/gpt-4o": "gpt-4o"). In lower case; empty when it is a model's
// own name, or hints at none. A hint is not knowledge: what is counted with it is an estimate.
std::string ModelHint(std::string_view name);

}  // namespace weir::tokens

#endif  // WEIR_TOKENS_H_
