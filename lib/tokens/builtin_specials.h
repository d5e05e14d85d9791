// The special tokens of the built-in encodings, as tiktoken and the harmony format define them.

#ifndef WEIR_LIB_TOKENS_BUILTIN_SPECIALS_H_
#define WEIR_LIB_TOKENS_BUILTIN_SPECIALS_H_

#include "absl/types/span.h"
#include "weir/tokens.h"

namespace weir::tokens {

inline constexpr SpecialToken kP50kSpecials[] = {{"<|endoftext|>", 50256}};
inline constexpr SpecialToken kP50kEditSpecials[] = {{"<|endoftext|>", 50256},
                                                     {"<|fim_prefix|>", 50281},
                                                     {"<|fim_middle|>", 50282},
                                                     {"<|fim_suffix|>", 50283}};
inline constexpr SpecialToken kCl100kSpecials[] = {{"<|endoftext|>", 100257},
                                                   {"<|fim_prefix|>", 100258},
                                                   {"<|fim_middle|>", 100259},
                                                   {"<|fim_suffix|>", 100260},
                                                   {"<|endofprompt|>", 100276}};
inline constexpr SpecialToken kO200kSpecials[] = {{"<|endoftext|>", 199999},
                                                  {"<|endofprompt|>", 200018}};

// o200k_harmony: the named ones, and "<|reserved_N|>" for all others from 200000 to 201087.
absl::Span<const SpecialToken> HarmonySpecials();

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_BUILTIN_SPECIALS_H_
