// weir/tokenizer_files.h: tokenizers from the files that models come with.
//
// The encodings of OpenAI's models are built in (weir/tokens.h). Other models publish their
// tokenizer as a file: a tokenizer.json (Llama 3, Qwen, Mistral, DeepSeek, Phi, Gemma and most
// others), a SentencePiece .model (Llama 2, Mistral 7B, Gemma, T5) or a .tiktoken rank file. These
// functions make a Tokenizer of the bytes of one.
//
//   auto t = weir::tokens::LoadTokenizer("llama-3", bytes_of_tokenizer_json);
//   if (!t.ok()) return t.status();       // names the field that is not understood
//   size_t n = (*t)->Count(text);
//
// What a file asks for is done as the library that defines its format does it, id by id: tiktoken,
// Hugging Face's tokenizers, SentencePiece. What is not supported is refused by name when the file
// is loaded (UNIMPLEMENTED), so that nothing is ever miscounted.
//
// Files may come from strangers. Sizes, ids and offsets are checked, a file that is not sound is
// INVALID_ARGUMENT with the place of the fault, and patterns run on an engine of their own that is
// linear in the text whatever the pattern is.
//
// Text that is not UTF-8 counts as in weir/tokens.h. What stands round a text in a chat (the
// template, "post_processor") is not counted; "truncation" and "padding" of a tokenizer.json are
// not applied. TokenBytes of a token that begins a word has the space that the model sees there.
//
// Threads: as of any Tokenizer. Loading takes time in proportion to the file: 0.1 to 0.4 s for each
// 100,000 tokens. Cost of counting: linear in the text but for merges, O(n log n) in a stretch of n
// characters across which tokens might reach (a word, or a run of one character), 10 to 30 MB/s on
// running text. Memory: up to about 50 bytes for each byte of such a stretch, and a copy of the
// text if it is normalized.

#ifndef WEIR_TOKENIZER_FILES_H_
#define WEIR_TOKENIZER_FILES_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "weir/tokens.h"

namespace weir::tokens {

// A tokenizer from the bytes of a file in any of the formats below, which are told apart by how
// they begin. A rank file must be one of those that OpenAI has published (known by hash: r50k_base,
// p50k_base, cl100k_base, o200k_base); for another, call LoadTiktoken with its pattern.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(std::string_view name,
                                                         std::string_view bytes);

// A tokenizer from the bytes of a tiktoken rank file: lines of a token in base64 and its rank, at
// most 64 MiB, every single byte among them. `pattern` says how text is split before it is merged:
// the name of an encoding ("gpt2", "r50k_base", "p50k_base", "p50k_edit", "cl100k_base",
// "o200k_base", "o200k_harmony") or a regular expression in tiktoken's dialect, of what the
// published patterns are made of (see LoadHuggingFace). Source: openai/tiktoken.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTiktoken(std::string_view name,
                                                        std::string_view rank_file_bytes,
                                                        std::string_view pattern);

// A tokenizer from a Hugging Face tokenizer.json of at most 64 MiB.
//   model           BPE (byte_fallback, fuse_unk, ignore_merges, affixes; no dropout), Unigram
//                   (with an unk_id), WordPiece, WordLevel
//   normalizer      Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Nmt, Replace,
//                   Prepend, Precompiled, ByteLevel, BertNormalizer. Those that need Unicode data
//                   (normal forms, case, Precompiled, BertNormalizer) are UNIMPLEMENTED when weir
//                   was built without utf8proc.
//   pre_tokenizer   Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace,
//                   WhitespaceSplit, BertPreTokenizer
//   added_tokens    those that are not special are found in the text, as the library finds them;
//                   those that are special are in Specials(), and their text in a text is text
//                   (the library's `encode_special_tokens`)
// Regular expressions: alternatives, groups (?:…) and (?i:…), classes, \p{…} of general categories
// (Unicode 16.0), \s \d \w, the quantifiers ? * + {n,m} of one character or class, greedy or
// possessive, look-ahead of one character, `$`. That is all that the published files use, but for
// scripts and look-behind.
// Source: huggingface/tokenizers 0.23, whose order of steps and whose older Unicode tables (normal
// forms of 9.0, punctuation of 8.0) are kept.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadHuggingFace(std::string_view name,
                                                           std::string_view tokenizer_json);

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

#endif  // WEIR_TOKENIZER_FILES_H_
