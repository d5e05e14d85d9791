#include "base/text.h"

#include "base/random.h"
#include "tests/support/catch.h"

namespace weir {
namespace {

// Decodes by the definition of UTF-8 (RFC 3629 section 3) and re-encodes; slow and plain.
size_t NaiveInvalidUtf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](size_t i) {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    size_t length = byte(0) < 0x80       ? 1
                    : byte(0) >> 5 == 6  ? 2
                    : byte(0) >> 4 == 14 ? 3
                    : byte(0) >> 3 == 30 ? 4
                                         : 0;
    if (length == 0 || at + length > text.size()) return at;
    uint32_t code = length == 1 ? byte(0) : byte(0) & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
      if (byte(i) >> 6 != 2) return at;
      code = code << 6 | (byte(i) & 0x3F);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return at;
    at += length;
  }
  return std::string_view::npos;
}

TEST_CASE("well-formed UTF-8 is told from the rest exactly as the definition does") {
  for (uint32_t a = 0; a < 256; ++a) {
    for (uint32_t b = 0; b < 256; ++b) {
      const std::string two = {static_cast<char>(a), static_cast<char>(b)};
      REQUIRE(FindInvalidUtf8(two) == NaiveInvalidUtf8(two));
    }
  }
  Random random(7);
  const std::string alphabet =
      std::string("aZ \x80\xBF\xC2\xE0\xA0\x9F\xED\xEF\xF0\x90\x8F\xF4\xF5\xFF", 17);
  for (int round = 0; round < 200000; ++round) {
    std::string text;
    for (uint64_t n = random.Below(14); n > 0; --n) text += alphabet[random.Below(alphabet.size())];
    REQUIRE(FindInvalidUtf8(text) == NaiveInvalidUtf8(text));
  }
}

TEST_CASE("a prefix never splits a character") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (size_t limit = 0; limit <= text.size() + 1; ++limit) {
    const size_t cut = Utf8Prefix(text, limit);
    CHECK(cut <= limit);
    CHECK(FindInvalidUtf8(std::string_view(text).substr(0, cut)) == std::string_view::npos);
    CHECK((limit < 4 || cut + 4 > limit || cut == text.size()));
  }
}

TEST_CASE("globs") {
  CHECK(GlobMatch("gpt-4o*", "gpt-4o-mini"));
  CHECK(GlobMatch("*", ""));
  CHECK(GlobMatch("a?c*e", "abcde"));
  CHECK_FALSE(GlobMatch("gpt-4o*", "gpt-4"));
  CHECK_FALSE(GlobMatch("", "x"));
  CHECK(GlobMatch("*a*b*a*", "xxaybza"));
  CHECK_FALSE(GlobMatch("*a*b*a*", "xxaybz"));
}

TEST_CASE("the nearest known word, or none when nothing is near") {
  const std::vector<std::string_view> known = {"backends", "pools", "limits", "routes"};
  CHECK(NearestWord("limts", known) == "limits");
  CHECK(NearestWord("Backend", known) == "backends");
  CHECK(NearestWord("polos", known) == "pools");
  CHECK(NearestWord("zebra", known).empty());
  CHECK(NearestWord(std::string(1000, 'l'), known).empty());
}

TEST_CASE("integers are whole texts or nothing") {
  int64_t i = 5;
  CHECK(ParseInt64("-42", &i));
  CHECK(i == -42);
  for (const char* bad : {"", " 1", "1 ", "+1", "0x10", "1.0", "9223372036854775808", "-"}) {
    CHECK_FALSE(ParseInt64(bad, &i));
  }
  CHECK(i == -42);
}

TEST_CASE("percent escapes") {
  std::string out;
  CHECK(PercentDecode("a%20b%2F", &out));
  CHECK(out == "a b/");
  for (const char* bad : {"%", "%2", "%GG", "%00"}) CHECK_FALSE(PercentDecode(bad, &out));
  std::string bytes;
  for (int c = 1; c < 256; ++c) bytes.push_back(static_cast<char>(c));
  CHECK(PercentDecode(PercentEncode(bytes), &out));
  CHECK(out == bytes);
}

TEST_CASE("case and blanks are ASCII's") {
  CHECK(EqualsIgnoreCase("X-Api-Key", "x-aPI-kEY"));
  CHECK_FALSE(EqualsIgnoreCase("x", "xy"));
  CHECK(TrimSpace(" \t a b \t") == "a b");
  CHECK(TrimSpace(" \t ").empty());
}

}  // namespace
}  // namespace weir
