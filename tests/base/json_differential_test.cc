// Our reader beside RapidJSON, on texts of every kind that a generator can think of.

#include "base/random.h"
#include "tests/base/json_reference.h"
#include "tests/support/catch.h"

namespace weir::json {
namespace {

std::string Pick(Random* random, std::initializer_list<const char*> options) {
  return options.begin()[random->Below(options.size())];
}

std::string RandomBlank(Random* random) {
  return Pick(random, {"", "", "", "", " ", "\n", "\t\r ", "          \n        "});
}

// Of any length, so that what ends it falls on every place of a block.
std::string RandomString(Random* random) {
  std::string text = "\"";
  for (uint64_t pieces = random->Below(5); pieces > 0; --pieces) {
    text += std::string(random->Below(40), 'x');
    text += Pick(random, {"", "\\n", "\\u00e9", "\\uD83D\\ude00", "\xC3\xA9", "\xE6\x97\xA5",
                          "\xF0\x9F\x98\x80", "\\\\", "\\\"", "\\/", "\\b\\f\\r\\t", "\\u0000", "/",
                          "\x7F", "{}[],:", "\\u001f"});
    if (random->Below(40) == 0) {
      text += Pick(random, {"\\x", "\\u12", "\\ud83d", "\\udc00", "\\ud83d\\u0041", "\x1F", "\x1A",
                            "\x01", "\n", "\xFF", "\xED\xA0\x80", "\xC3", "\\u", "\\"});
    }
  }
  return text + "\"";
}

std::string RandomJson(Random* random, int depth) {
  const uint64_t kind = random->Below(depth == 0 ? 6 : 8);
  if (kind < 2) return RandomString(random);
  if (kind < 4) {
    return Pick(random,
                {"0", "-0", "1", "-12", "1.5", "1e5", "1E+5", "2.5e-3", "123456789012345678", "01",
                 "-", "1.", ".5", "1e", "+1", "1e+", "0x1", "NaN", "1 2"});
  }
  if (kind < 6) {
    return Pick(random, {"null", "true", "false", "nul", "True", "", "nulll", "[]", "{}", "[ ]",
                         "{ }", "/**/1", "'a'"});
  }
  std::string text = kind == 6 ? "[" : "{";
  const uint64_t size = random->Below(4);
  for (uint64_t i = 0; i < size; ++i) {
    if (i != 0) text += RandomBlank(random) + (random->Below(60) == 0 ? "" : ",");
    text += RandomBlank(random);
    if (kind == 7) {
      text += RandomString(random) + RandomBlank(random);
      text += random->Below(60) == 0 ? "" : ":";
    }
    text += RandomBlank(random) + RandomJson(random, depth - 1);
  }
  if (random->Below(60) == 0) text += ",";
  return text + RandomBlank(random) + (kind == 6 ? "]" : "}");
}

// Whether both readers say the same; counts those that were read.
void CheckSame(const std::string& text, int* read) {
  const std::optional<std::string> reference = testing::ReferenceEvents(text);
  if (!reference) return;
  const std::string ours = testing::OurEvents(text);
  if (ours != *reference || !testing::PlacesAreRight(text)) {
    INFO(text);
    CHECK(ours == *reference);
    CHECK(testing::PlacesAreRight(text));
  }
  if (!ours.empty()) ++*read;
}

TEST_CASE("generated texts read as RapidJSON reads them") {
  Random random(41);
  int read = 0;
  for (int round = 0; round < 60000; ++round) {
    CheckSame(RandomBlank(&random) + RandomJson(&random, 5) + RandomBlank(&random), &read);
  }
  CHECK(read > 10000);
  CHECK(read < 50000);
}

TEST_CASE("mutated texts read as RapidJSON reads them") {
  const std::string bytes = "\"\\{}[],:eE+-.0123456789tfnul/ \n\t\r\x1F\x80\xC3\xA9\xFF";
  Random random(42);
  int read = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string text = RandomJson(&random, 6);
    if (text.empty()) continue;
    for (uint64_t edits = 1 + random.Below(3); edits > 0; --edits) {
      const size_t at = random.Below(text.size());
      const char byte = bytes[random.Below(bytes.size())];
      switch (random.Below(3)) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          if (text.size() > 1) text.erase(at, 1);
      }
    }
    CheckSame(text, &read);
  }
  CHECK(read > 3000);
}

TEST_CASE("every byte at every place of a string reads as RapidJSON reads it") {
  int read = 0;
  for (size_t size : {1, 15, 16, 17, 33}) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        CheckSame("\"" + text + "\"", &read);
        CheckSame("[\"\\n" + text + "\"]", &read);
      }
    }
  }
  CHECK(read > 10000);
}

TEST_CASE("a document that is used again tells nothing of what it was") {
  Document document;
  REQUIRE(document.Parse("[\"\\u0041\\u0042 a long text that is decoded\"]"));
  REQUIRE(document.Parse("{\"k\":\"\\n\",\"plain\":\"x\"}"));
  CHECK(document.root()["k"].text() == "\n");
  CHECK(document.root()["plain"].text() == "x");
  CHECK_FALSE(document.Parse("[\"\\q\"]"));
  CHECK_FALSE(document.root());
  REQUIRE(document.Parse("[\"a\"]"));
  CHECK((*document.root().members().begin()).text() == "a");
}

}  // namespace
}  // namespace weir::json
