// What is done with whole texts: counting to a limit, in chunks, splitting, decoding, specials.

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/tokens/chunks.h"
#include "tests/tokens/oracle.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

constexpr const char* kEncodings[] = {"r50k_base", "p50k_edit", "cl100k_base", "o200k_harmony"};

// Text of all kinds, with long runs, and with bytes that are not UTF-8 if asked.
std::string SomeText(Random* random, bool any_bytes) {
  static constexpr std::string_view kWords[] = {"the ",
                                                "Weir's",
                                                " tokens",
                                                "12345",
                                                "\n\n",
                                                "   ",
                                                "\t",
                                                "don't ",
                                                "foo(",
                                                "}};\n",
                                                "\xE4\xBD\xA0\xE5\xA5\xBD",
                                                "\xD0\x96\xD0\xB8",
                                                "\xC2\xA0",
                                                "'",
                                                "'LL ",
                                                "//",
                                                "\xF0\x9F\x98\x80",
                                                "\xE0\xB8\x81\xE0\xB8\xB2",
                                                "ABc"};
  std::string text;
  for (uint64_t n = random->Below(40); n > 0; --n) {
    const std::string_view word = kWords[random->Below(std::size(kWords))];
    const uint64_t times = random->Below(12) == 0 ? 1 + random->Below(90) : 1;
    for (uint64_t i = 0; i < times; ++i) text += word;
    if (any_bytes && random->Below(6) == 0) text += static_cast<char>(random->Below(256));
  }
  return text;
}

TEST_CASE("counting in chunks does not depend on the chunks") {
  Random random(21);
  for (int round = 0; round < testing::Rounds(4000); ++round) {
    const std::string text = SomeText(&random, round % 2 == 0);
    for (const char* encoding : kEncodings) {
      const uint64_t largest = random.Below(2) == 0 ? 3 : 400;
      testing::CheckChunks(*Find(encoding), text, largest, 30, &random);
    }
  }
}

TEST_CASE("stable bytes count the same whatever follows") {
  Random random(22);
  for (int round = 0; round < testing::Rounds(6000); ++round) {
    const std::string text = SomeText(&random, round % 2 == 0);
    const std::string more = text + SomeText(&random, true);
    for (const char* encoding : kEncodings) {
      const Tokenizer& tokenizer = *Find(encoding);
      const size_t stable = tokenizer.StableBytes(text);
      REQUIRE(stable <= text.size());
      INFO(encoding << ": " << text << "|" << more.substr(text.size()));
      REQUIRE(tokenizer.Count(more.substr(0, stable)) + tokenizer.Count(more.substr(stable)) ==
              tokenizer.Count(more));
    }
  }
  // Running text is stable but for its last words.
  const std::string prose = "It was the best of times, it was the worst of times";
  CHECK(Find("o200k_base")->StableBytes(prose) == prose.rfind(' '));
}

TEST_CASE("counting up to a limit is exact below it and only says so above") {
  Random random(23);
  for (int round = 0; round < testing::Rounds(4000); ++round) {
    const std::string text = SomeText(&random, round % 2 == 0);
    for (const char* encoding : kEncodings) {
      const Tokenizer& tokenizer = *Find(encoding);
      const size_t count = tokenizer.Count(text), limit = random.Below(2 * count + 2);
      const size_t found = tokenizer.CountUpTo(text, limit);
      INFO(encoding << " " << limit << ": " << text);
      REQUIRE(found <= count);
      if (count <= limit) REQUIRE(found == count);
      if (count > limit) REQUIRE(found > limit);
    }
  }
}

TEST_CASE("what was split off fits, and no more would") {
  Random random(24);
  for (int round = 0; round < testing::Rounds(1500); ++round) {
    const std::string text = SomeText(&random, round % 4 == 0);
    for (const char* encoding : kEncodings) {
      const Tokenizer& tokenizer = *Find(encoding);
      const size_t count = tokenizer.Count(text), most = random.Below(count + 3);
      const size_t at = SplitAt(tokenizer, text, most);
      INFO(encoding << " " << most << ": " << text);
      REQUIRE(at <= text.size());
      REQUIRE(tokenizer.Count(text.substr(0, at)) <= most);
      if (count <= most) REQUIRE(at == text.size());
      if (at < text.size() && round % 4 != 0) REQUIRE((text[at] & 0xC0) != 0x80);
      // A character can take four tokens, and a shorter piece can need one more.
      if (count > most && most > 4) REQUIRE(tokenizer.Count(text.substr(0, at)) + 5 > most);
    }
  }
  CHECK(SplitAt(*Find("o200k_base"), "Hello, world", 2) == 6);
  CHECK(SplitAt(*Find("o200k_base"), "Hello, world", 0) == 0);
  CHECK(SplitAt(*Find("o200k_base"), "", 5) == 0);
}

TEST_CASE("decoding gives back what was encoded") {
  Random random(25);
  for (int round = 0; round < testing::Rounds(2000); ++round) {
    const std::string text = SomeText(&random, false);
    for (const char* encoding : kEncodings) {
      std::vector<uint32_t> ids;
      Find(encoding)->Encode(text, &ids);
      const auto decoded = Decode(*Find(encoding), ids);
      REQUIRE(decoded.ok());
      REQUIRE(*decoded == text);
    }
  }
  const auto wrong = Decode(*Find("cl100k_base"), {1, 100256});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.status().message() == "there is no token 100256 in cl100k_base");
}

TEST_CASE("special tokens are text unless they are asked for") {
  const Tokenizer& harmony = *Find("o200k_harmony");
  const std::string text = "<|start|>user<|message|>Hi<|end|><|reserved_200013|><|en";
  std::vector<uint32_t> plain, special;
  harmony.Encode(text, &plain);
  CHECK(plain.size() > 20);
  const size_t appended = EncodeWithSpecials(harmony, text, &special);
  CHECK(appended == special.size());
  std::vector<uint32_t> expected = {200006};
  harmony.Encode("user", &expected);
  expected.push_back(200008);
  harmony.Encode("Hi", &expected);
  expected.push_back(200007);
  expected.push_back(200013);
  harmony.Encode("<|en", &expected);
  CHECK(special == expected);
  CHECK(*Decode(harmony, special) == text);
  CHECK(harmony.Specials().size() == 1088 + 2);

  std::vector<uint32_t> ids;
  EncodeWithSpecials(*Find("cl100k_base"), "<|endofprompt|>", &ids);
  CHECK(ids == std::vector<uint32_t>{100276});
  ids.clear();
  EncodeWithSpecials(*Find("p50k_edit"), "a<|fim_suffix|>", &ids);
  CHECK(ids == std::vector<uint32_t>{64, 50283});
}

TEST_CASE("counts are the same without the piece cache") {
  Random random(26);
  for (int round = 0; round < testing::Rounds(1000); ++round) {
    const std::string text = SomeText(&random, true);
    for (const char* encoding : kEncodings) {
      const size_t with = Find(encoding)->Count(text);
      SetPieceCache(false);
      const size_t without = Find(encoding)->Count(text);
      SetPieceCache(true);
      REQUIRE(with == without);
    }
  }
}

}  // namespace
}  // namespace weir::tokens
