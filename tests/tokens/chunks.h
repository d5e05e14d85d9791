// Counting a text in chunks against counting it at once.

#ifndef WEIR_TESTS_TOKENS_CHUNKS_H_
#define WEIR_TESTS_TOKENS_CHUNKS_H_

#include <string>
#include <string_view>

#include "base/random.h"
#include "tests/support/catch.h"
#include "weir/tokens.h"

namespace weir::testing {

// In chunks of 1 to `largest` bytes; about one chunk in `rarity` is checked, and the end.
inline void CheckChunks(const tokens::Tokenizer& tokenizer, const std::string& text,
                        uint64_t largest, uint64_t rarity, Random* random) {
  tokens::Counter counter(tokenizer);
  for (size_t at = 0; at < text.size();) {
    const size_t size = 1 + random->Below(largest);
    counter.Append(std::string_view(text).substr(at, size));
    at += size;
    if (random->Below(rarity) == 0 && at < text.size()) {
      INFO(tokenizer.name() << ", up to " << at << ": " << text.substr(0, 200));
      REQUIRE(counter.Total() == tokenizer.Count(text.substr(0, at)));
    }
  }
  INFO(tokenizer.name() << ": " << text.substr(0, 200));
  REQUIRE(counter.Total() == tokenizer.Count(text));
}

}  // namespace weir::testing

#endif  // WEIR_TESTS_TOKENS_CHUNKS_H_
