// Our reader beside RapidJSON: verdict, values, places, errors and their places.

#include "tests/base/json_oracle.h"

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"

namespace weir::json {
namespace {

using testing::DifferenceInAnyMode;

std::string Pick(Random* random, std::initializer_list<std::string_view> options) {
  return std::string(options.begin()[random->Below(options.size())]);
}

std::string RandomBlank(Random* random) {
  if (random->Below(3) != 0) return "";
  return Pick(random, {" ", "\n", "\t", "\r\n", "        ", "\n            ", "/* c */", "// c\n"});
}

// Runs of any length, so that what ends them falls on every place of a block, and now and then
// more than is marked at once.
std::string RandomString(Random* random) {
  std::string text = "\"";
  for (uint64_t pieces = random->Below(4); pieces > 0; --pieces) {
    text += std::string(random->Below(80) == 0 ? random->Below(10000) : random->Below(70), 'x');
    text += Pick(
        random, {"\\n", "\\u00e9", "\\uD83D\\ude00", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80",
                 "\\\\", "\\\"", "\\/", "\\b\\f\\r\\t", "\\u0000", "\x7F", "{}[],:", "\\uFFFF"});
    if (random->Below(50) == 0) {
      text += Pick(random, {"\\x", "\\u12", "\\u12g4", "\\ud83d", "\\udc00", "\\udfff\\q",
                            "\\ud83d\\u0041", "\\ud83d\\ud83d", "\\ud83d\\u", "\\ud83dx", "\x1F",
                            "\x1A", "\x01", "\n", "\xFF", "\xED\xA0\x80", "\xC3", "\\u", "\\"});
      if (random->Below(4) == 0) text.push_back('\0');
    }
  }
  return text + "\"";
}

// Few enough that they repeat, some in another spelling, some with the same mark.
std::string RandomKey(Random* random) {
  if (random->Below(8) == 0) return RandomString(random);
  return Pick(random, {"\"\"",           "\"a\"",       "\"\\u0061\"", "\"b\"",       "\"role\"",
                       "\"\\u0072ole\"", "\"rile\"",    "\"content\"", "\"context\"", "\"type\"",
                       "\"\xC3\xA9\"",   "\"\\u00e9\"", "\"\\u00E9\"", "\"k1\"",      "\"k2\"",
                       "\"k3\"",         "\"k4\"",      "\"k5\"",      "\"k6\"",      "\"k7\"",
                       "\"k8\"",         "\"k9\"",      "\"k10\"",     "\"k11\""});
}

std::string RandomScalar(Random* random) {
  switch (random->Below(6)) {
    case 0:
      return Pick(random, {"null", "true", "false", "[]", "{}", "[ ]", "{ }"});
    case 1:
      return Pick(random, {"0", "-0", "1", "-12", "1.5", "1e5", "1E+5", "2.5e-3", "0.0", "-0e0",
                           "123456789012345678901234567890", "1e400", "-1.5E999", "0e999"});
    case 2:
      return std::to_string(random->Next());
    case 3:
      if (random->Below(12) != 0) return "7";
      return Pick(random,
                  {"nul", "True", "",    "nulll", "tru", "fals3", "01",  "-",   "1.", ".5", "1e",
                   "+1",  "1e+",  "0x1", "NaN",   "-a",  "1.e5",  "--1", "'a'", "/",  "/*", ","});
    case 4:
      if (random->Below(20) != 0) return "-1.25";
      return std::string(300 + random->Below(20), '9') +
             Pick(random, {"", "e", ".", ".5", "e5", "e-400", ".5e", "x"});
    default:
      return RandomString(random);
  }
}

std::string RandomJson(Random* random, int depth) {
  if (depth == 0 || random->Below(3) == 0) return RandomScalar(random);
  const bool object = random->Below(2) == 0;
  std::string text = object ? "{" : "[";
  const uint64_t size = random->Below(10) == 0 ? random->Below(30) : random->Below(5);
  for (uint64_t i = 0; i < size; ++i) {
    if (i != 0 && random->Below(200) != 0) text += ",";
    text += RandomBlank(random);
    if (object) {
      text += RandomKey(random) + RandomBlank(random);
      if (random->Below(200) != 0) text += ":";
      text += RandomBlank(random);
    }
    text += RandomJson(random, depth - 1) + RandomBlank(random);
  }
  if (random->Below(50) == 0) text.append(",").append(RandomBlank(random));
  if (random->Below(200) != 0) text += object ? "}" : "]";
  return text;
}

constexpr std::string_view kChat =
    R"({"model":"gpt-4o","max_tokens":800,"temperature":0.7,"stream":true,"stop":null,"tools":[{)"
    R"("type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"messages":[)"
    R"({"role":"system","content":"Be brief."},{"role":"user","content":)"
    R"("caf\u00e9 \"\uD83D\uDE00\")"
    "\xE6\x97\xA5\xE6\x9C\xAC \\n "
    R"(line"},{"role":"tool","content":[],"n":-0.5e+10}]})";

// Few of each kind pass in silence: a REQUIRE a document would take longer than the documents.
void RequireSame(const std::string& text) {
  const std::string difference = DifferenceInAnyMode(text);
  if (difference.empty()) return;
  INFO(text);
  REQUIRE(difference == "");
}

TEST_CASE("generated texts are read as RapidJSON reads them") {
  Random random(51);
  int read = 0;
  constexpr int kRounds = 60000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = RandomBlank(&random) + RandomJson(&random, 4) + RandomBlank(&random) +
                             (random.Below(40) == 0 ? RandomScalar(&random) : "");
    RequireSame(text);
    if (Document().Parse(text)) ++read;
  }
  CHECK(read > kRounds / 4);  // neither kind is rare
  CHECK(read < kRounds * 3 / 4);
}

TEST_CASE("mutated texts are read as RapidJSON reads them") {
  constexpr char kBytes[] =
      "\"\\{}[],:eE+-.0123456789tfnul/* \n\t\r\x00\x1F\x80\xC3\xA9\xED\xF0\xFF";
  const std::string_view bytes(kBytes, sizeof(kBytes) - 1);  // the NUL in it included
  Random random(52);
  for (int round = 0; round < 60000; ++round) {
    std::string text = random.Below(3) == 0 ? std::string(kChat) : RandomJson(&random, 4);
    for (uint64_t edits = 1 + random.Below(3); edits > 0 && !text.empty(); --edits) {
      const size_t at = random.Below(text.size());
      switch (random.Below(5)) {
        case 0:
          text[at] = bytes[random.Below(bytes.size())];
          break;
        case 1:
          text.insert(at, 1, bytes[random.Below(bytes.size())]);
          break;
        case 2:
          text.erase(at, 1 + random.Below(3));
          break;
        case 3:
          text[at] = static_cast<char>(text[at] ^ (1 << random.Below(8)));
          break;
        default:
          text.insert(at, text.substr(random.Below(text.size()), random.Below(20)));
      }
    }
    RequireSame(text);
  }
}

TEST_CASE("every truncation and every byte in every place") {
  for (size_t size = 0; size <= kChat.size(); ++size) {
    RequireSame(std::string(kChat.substr(0, size)));
    RequireSame(std::string(kChat.substr(0, size)) + std::string(1, '\0'));
  }
  const std::string_view small = R"({"k":["a\n\u0041",-1.5e3,true,null],"l":{}})";
  for (size_t at = 0; at < small.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text(small);
      text[at] = static_cast<char>(byte);
      RequireSame(text);
    }
  }
}

// Short texts are all there is for the grammar: every string of these bytes up to five long.
TEST_CASE("every short text of the bytes that matter") {
  constexpr std::string_view kBytes = "[]{},:\"\\0-.e1n/* ";
  size_t count = 1;
  for (int size = 1; size <= 4; ++size) {
    count *= kBytes.size();
    for (size_t number = 0; number < count; ++number) {
      std::string text;
      for (size_t rest = number, i = 0; i < static_cast<size_t>(size); ++i) {
        text.push_back(kBytes[rest % kBytes.size()]);
        rest /= kBytes.size();
      }
      RequireSame(text);
    }
  }
}

TEST_CASE("bytes that may not be UTF-8, in keys and values") {
  const auto same = [](const std::string& bytes) {
    RequireSame(Concat({"{\"k", bytes, "\":\"v\"}"}));
    RequireSame(Concat({"{\"k\":\"", bytes, "v\"}"}));
  };
  const auto text = [](std::initializer_list<int> bytes) {
    std::string made;
    for (int byte : bytes) made.push_back(static_cast<char>(byte));
    return made;
  };
  constexpr int kEdges[] = {0x22, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                            0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xF0, 0xFF};
  for (int a = 0; a < 256; ++a) {
    same(text({a}));
    if (a < 0x80) continue;
    for (int b = 0; b < 256; ++b) same(text({a, b}));
    if (a < 0xE0 && a % 8 != 0) continue;
    for (int b : kEdges) {
      for (int c : kEdges) {
        same(text({a, b, c}));
        if (a < 0xF0) continue;
        for (int d : {0x41, 0x80, 0xBF, 0xC0}) same(text({a, b, c, d}));
      }
    }
  }
}

TEST_CASE("every escape") {
  for (int byte = 0; byte < 256; ++byte) {
    RequireSame(std::string("[\"\\") + static_cast<char>(byte) + "0041\"]");
  }
  const auto hex = [](unsigned unit) {
    constexpr std::string_view kDigits = "0123456789aBcDeF";
    std::string escape = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) escape += kDigits[unit >> shift & 15];
    return escape;
  };
  for (unsigned unit = 0; unit < 0x10000; unit += unit < 0xD700 || unit > 0xE100 ? 61 : 1) {
    RequireSame(Concat({"[\"", hex(unit), "\"]"}));
  }
  for (unsigned first : {0xD7FF, 0xD800, 0xD801, 0xDBFF, 0xDC00, 0xDFFF, 0xE000}) {
    for (unsigned second : {0x41, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDC01, 0xDFFF, 0xE000}) {
      RequireSame(Concat({"[\"", hex(first), hex(second), "\"]"}));
    }
  }
}

TEST_CASE("keys in objects of every size, one of them twice") {
  Random random(53);
  for (size_t size = 1; size < 60; ++size) {
    for (int round = 0; round < 40; ++round) {
      std::string text = "{";
      for (size_t i = 0; i < size; ++i) {
        const uint64_t key = random.Below(20) == 0 ? random.Below(size) : i;
        text += i == 0 ? "\"" : ",\"";
        text += random.Below(4) == 0 ? "\\u006b" : "k";
        text += std::to_string(key) + (random.Below(3) == 0 ? "\":[{}]" : "\":0");
      }
      RequireSame(text + "}");
    }
  }
}

TEST_CASE("depth, long numbers and a byte order mark") {
  for (size_t depth : {1, 63, 64, 65, 66, 1000}) {
    RequireSame(std::string(depth, '[') + std::string(depth, ']'));
    RequireSame(std::string(depth, '[') + std::string(depth - 1, ']'));
    std::string objects;
    for (size_t i = 0; i < depth; ++i) objects += "{\"a\":";
    RequireSame(objects + "1" + std::string(depth, '}'));
  }
  for (size_t digits : {17, 20, 307, 308, 309, 310, 400, 5000}) {
    for (const char* sign : {"", "-"}) {
      for (const char* tail : {"", ".", ".0", "e", "e1", "e-", "e-5", "e+1", ".5e309", "x", " 1"}) {
        RequireSame(Concat({"[", sign, std::string(digits, '9'), tail, "]"}));
        RequireSame(Concat({sign, "1.", std::string(digits, '3'), tail}));
        RequireSame(Concat({sign, "1e", std::string(digits, '7'), tail}));
      }
    }
  }
  RequireSame("\xEF\xBB\xBF{}");
  RequireSame("{}\xEF\xBB\xBF");
}

}  // namespace
}  // namespace weir::json
