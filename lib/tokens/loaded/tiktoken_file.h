// What a rank file can be known by.

#ifndef WEIR_LIB_TOKENS_LOADED_TIKTOKEN_FILE_H_
#define WEIR_LIB_TOKENS_LOADED_TIKTOKEN_FILE_H_

#include <string_view>

namespace weir::tokens {

// Whether the first line is a token in base64 and a rank.
bool LooksLikeRankFile(std::string_view bytes);

// The name of the pattern that belongs to one of OpenAI's published files, which is known by its
// hash; empty for any other file, since ranks do not say by which pattern text was split.
std::string_view PatternOfRankFile(std::string_view bytes);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_TIKTOKEN_FILE_H_
