// Pieces that do not end: counted exactly as they come, in bounded memory.

#include <malloc.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/tokens/chunks.h"
#include "tests/tokens/oracle.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

constexpr const char* kEncodings[] = {"r50k_base", "cl100k_base", "o200k_base"};

// What one run is made of: the first mostly, now and then one of the others.
struct RunKind {
  std::vector<std::string> common;
  std::vector<std::string> rare;
};

const std::vector<RunKind>& RunKinds() {
  static const std::vector<RunKind> kinds = {
      {{"a"}, {"a"}},
      {{"a", "b", "e", "n", "t", "s"}, {"\u0301", "\u4E2D"}},
      {{"A", "B", "X"}, {"\u4E2D", "\u0301"}},         // may end at any of the rare ones
      {{"\u4E2D", "\u6587", "\u5B57"}, {"A"}},         //
      {{"\u4E2D", "A", "\u0416"}, {"\u0301"}},         //
      {{" "}, {"\n"}},                                 // may end at each newline
      {{" ", "\t", "\u3000"}, {"\r\n"}},               //
      {{"\n"}, {" "}},                                 //
      {{"!", "-", "=", "#"}, {"\u0301", "\xFF"}},      //
      {{"\n", "\r"}, {"/"}},                           // after punctuation
      {{"1", "7", "\u0663"}, {"\u00BD"}},              //
      {{"\u0301", "\u0E31"}, {"\u0301"}},              //
      {{"\xFF", "\xE2\x82", "\x80"}, {"\xF0\x9F"}},    //
      {{"\U0001F600", "\U0001F468\u200D"}, {"\xC3"}},  //
      {{"a1", "B", "\u4E2D\u4E2Da"}, {"'s"}},          // many pieces, no stable place
      {{"aB", "x"}, {"\n/"}},
  };
  return kinds;
}

std::string Run(Random* random) {
  const RunKind& kind = RunKinds()[random->Below(RunKinds().size())];
  const uint64_t rarity = 1 + random->Below(6000);
  const uint64_t size = random->Below(4) == 0 ? random->Below(20) : random->Below(20000);
  std::string run;
  while (run.size() < size) {
    const bool rare = random->Below(rarity) == 0;
    const std::vector<std::string>& from = rare ? kind.rare : kind.common;
    run += from[random->Below(from.size())];
  }
  return run;
}

std::string RunsAndSeams(Random* random) {
  static const std::vector<std::string> kSeams = {
      "",   " ",  "'s",     "'LL", "!",   ".\n/",     "a",       "A",   "\u4E2D",   "1",
      "\n", " x", "\u0301", "'",   "  y", "\xF0\x9F", "'\u017F", " \n", "\r\n\r\n", "'re"};
  std::string text;
  for (uint64_t runs = 1 + random->Below(3); runs > 0; --runs) {
    text += kSeams[random->Below(kSeams.size())];
    text += Run(random);
    text += kSeams[random->Below(kSeams.size())];
  }
  return text;
}

TEST_CASE("long pieces count the same in chunks as at once") {
  Random random(31);
  for (int round = 0; round < testing::Rounds(1500); ++round) {
    const std::string text = RunsAndSeams(&random);
    for (const char* encoding : kEncodings) {
      const uint64_t largest = random.Below(3) == 0 ? 40 : 5000;
      testing::CheckChunks(*Find(encoding), text, largest, text.size() / largest + 5, &random);
    }
  }
}

// With the allocator of the C library; others say nothing, and the difference is 0.
TEST_CASE("a piece without end takes no more memory than 64 KiB") {
  const std::string endless[] = {"a",    "A", "\u4E2D", "\u4E2DA", " ",    "\n ",       "!", "\n",
                                 "\xFF", "1", "\u0301", "a\u4E2D", "aBcD", "\U0001F600"};
  for (const std::string& text : endless) {
    std::string chunk;
    while (chunk.size() < 1000) chunk += text;
    for (const char* encoding : kEncodings) {
      Counter counter(*Find(encoding));
      const size_t before = mallinfo2().uordblks;
      size_t most = 0;
      for (size_t total = 0; total < (size_t{1} << 20); total += chunk.size()) {
        counter.Append(chunk);
        most = std::max(most, mallinfo2().uordblks - before);
      }
      INFO(encoding << " of " << text);
      CHECK(most < (size_t{64} << 10));
    }
  }
}

}  // namespace
}  // namespace weir::tokens
