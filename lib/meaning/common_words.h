// Which words are common in English: what is not one is likely a name, or as good as one.

#ifndef WEIR_LIB_MEANING_COMMON_WORDS_H_
#define WEIR_LIB_MEANING_COMMON_WORDS_H_

#include <cstdint>

namespace weir::meaning {

// By the hash of its stem. 12,000 stems; one in two hundred of all others passes for one, too.
bool IsCommonWord(uint64_t stem);

}  // namespace weir::meaning

#endif  // WEIR_LIB_MEANING_COMMON_WORDS_H_
