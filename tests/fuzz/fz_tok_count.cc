// Counting: bytes × encoding → the naive twin's tokens, by every way of counting.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokens/oracle.h"
#include "tokens/utf8_class.h"
#include "weir/tokens.h"

namespace {

using weir::tokens::Tokenizer;

void Require(bool holds) {
  if (!holds) std::abort();
}

// The first bytes are how long the chunks are.
size_t CountInChunks(const Tokenizer& tokenizer, std::string_view text, uint8_t seed) {
  weir::tokens::Counter counter(tokenizer);
  for (size_t at = 0, size = 1 + seed % 7; at < text.size(); at += size, size = 1 + size * 5 % 61) {
    counter.Append(text.substr(at, size));
  }
  return counter.Total();
}

void Check(const std::string& encoding, std::string_view text, uint8_t seed) {
  const Tokenizer& tokenizer = *weir::tokens::Find(encoding);
  std::vector<uint32_t> ids;
  const size_t count = tokenizer.Encode(text, &ids);
  Require(count == ids.size());
  Require(tokenizer.Count(text) == count);
  Require(CountInChunks(tokenizer, text, seed) == count);
  const size_t limit = seed;
  const size_t found = tokenizer.CountUpTo(text, limit);
  Require(count <= limit ? found == count : found > limit && found <= count);
  std::string lossy;
  weir::tokens::AppendLossy(&lossy, text);
  Require(*weir::tokens::Decode(tokenizer, ids) == lossy);
  const size_t split = weir::tokens::SplitAt(tokenizer, text, limit);
  Require(split <= text.size() && tokenizer.Count(text.substr(0, split)) <= limit);
  // The twin is quadratic.
  constexpr size_t kTwinBytes = 300;
  if (text.size() <= kTwinBytes) Require(ids == weir::testing::NaiveEncode(encoding, text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr const char* kEncodings[] = {"o200k_base", "cl100k_base", "r50k_base", "p50k_base"};
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  Check(kEncodings[data[0] % std::size(kEncodings)], text, data[1]);
  return 0;
}
