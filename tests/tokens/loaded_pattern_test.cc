// The pattern engine against a naive twin, and on what makes backtracking engines slow.

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "tokens/loaded/pattern.h"

namespace weir::tokens {
namespace {

using Matches = std::vector<std::pair<size_t, size_t>>;

Matches Find(const Pattern& pattern, std::string_view text) {
  Matches matches;
  PatternMatcher matcher(pattern, text);
  for (size_t begin = 0, end = 0; matcher.Next(&begin, &end);) matches.emplace_back(begin, end);
  return matches;
}

// A random pattern over the letters a to d, as text and as what it means.
struct Atom {
  enum Kind { kLoop, kAhead, kNotAhead } kind = kLoop;
  std::string letters;  // the set
  size_t min = 1, max = 1;
  bool possessive = false;
};
struct Item {
  std::vector<std::vector<Atom>> group;  // an atom alone is a group of one
  bool optional = false;
};
using Alternatives = std::vector<std::vector<Item>>;

// The naive twin: every place where a part can end, in the order in which a backtracking engine
// would try them.
using Ends = std::vector<size_t>;

void AppendNew(Ends* all, const Ends& more) {
  for (const size_t end : more) {
    if (std::find(all->begin(), all->end(), end) == all->end()) all->push_back(end);
  }
}

Ends EndsOfAtom(const Atom& atom, std::string_view text, size_t begin) {
  const auto has = [&](size_t at) {
    return at < text.size() && atom.letters.find(text[at]) != std::string::npos;
  };
  if (atom.kind == Atom::kAhead) return has(begin) ? Ends{begin} : Ends{};
  if (atom.kind == Atom::kNotAhead) return has(begin) ? Ends{} : Ends{begin};
  size_t longest = begin;
  while (longest - begin < atom.max && has(longest)) ++longest;
  Ends ends;
  for (size_t end = longest + 1; end-- > begin;) {
    if (end - begin >= atom.min && (end == longest || !atom.possessive)) ends.push_back(end);
  }
  return ends;
}

Ends EndsOfItem(const Item& item, std::string_view text, size_t begin) {
  Ends ends;
  for (const std::vector<Atom>& atoms : item.group) {
    Ends reached = {begin};
    for (const Atom& atom : atoms) {
      Ends further;
      for (const size_t at : reached) AppendNew(&further, EndsOfAtom(atom, text, at));
      reached = further;
    }
    AppendNew(&ends, reached);
  }
  if (item.optional) AppendNew(&ends, {begin});
  return ends;
}

Matches FindByTwin(const Alternatives& alternatives, std::string_view text) {
  Matches matches;
  for (size_t begin = 0; begin < text.size();) {
    Ends ends;
    for (const std::vector<Item>& items : alternatives) {
      Ends reached = {begin};
      for (const Item& item : items) {
        Ends further;
        for (const size_t at : reached) AppendNew(&further, EndsOfItem(item, text, at));
        reached = further;
      }
      AppendNew(&ends, reached);
    }
    if (ends.empty()) {
      ++begin;
      continue;
    }
    matches.emplace_back(begin, ends.front());
    begin = ends.front();
  }
  return matches;
}

std::string RandomAtom(Random* random, Atom* atom) {
  struct Set {
    const char* written;
    const char* letters;
  };
  constexpr Set kSets[] = {{"a", "a"},     {"b", "b"},      {"c", "c"},       {"[ab]", "ab"},
                           {"[bc]", "bc"}, {"[^a]", "bcd"}, {"[a-c]", "abc"}, {"[^bc]", "ad"}};
  constexpr struct {
    const char* written;
    size_t min, max;
  } kLoops[] = {{"", 1, 1},   {"", 1, 1},      {"", 1, 1},    {"?", 0, 1},    {"*", 0, 99},
                {"+", 1, 99}, {"{1,3}", 1, 3}, {"{2}", 2, 2}, {"{2,}", 2, 99}};
  const Set& set = kSets[random->Below(std::size(kSets))];
  atom->letters = set.letters;
  if (random->Below(8) == 0) {
    atom->kind = random->Below(2) == 0 ? Atom::kAhead : Atom::kNotAhead;
    std::string ahead = atom->kind == Atom::kAhead ? "(?=" : "(?!";
    return ahead.append(set.written).append(")");
  }
  const auto& loop = kLoops[random->Below(std::size(kLoops))];
  atom->min = loop.min;
  atom->max = loop.max;
  atom->possessive = loop.written[0] != '\0' && random->Below(6) == 0;
  return Concat({set.written, loop.written, atom->possessive ? "+" : ""});
}

std::string RandomAtoms(Random* random, std::vector<Atom>* atoms) {
  std::string written;
  for (uint64_t n = 1 + random->Below(3); n > 0; --n) {
    atoms->emplace_back();
    written += RandomAtom(random, &atoms->back());
  }
  return written;
}

std::string RandomItems(Random* random, std::vector<Item>* items) {
  std::string written;
  for (uint64_t n = 1 + random->Below(4); n > 0; --n) {
    Item& item = items->emplace_back();
    item.group.emplace_back();
    if (random->Below(4) != 0) {
      written += RandomAtom(random, &item.group.back().emplace_back());
      continue;
    }
    written += "(?:";
    written += RandomAtoms(random, &item.group.back());
    for (uint64_t k = random->Below(3); k > 0; --k) {
      written += '|';
      written += RandomAtoms(random, &item.group.emplace_back());
    }
    item.optional = random->Below(2) == 0;
    written += item.optional ? ")?" : ")";
  }
  return written;
}

TEST_CASE("patterns match as a backtracking engine matches") {
  Random random(21);
  size_t compared = 0;
  for (int round = 0; round < 8000; ++round) {
    Alternatives alternatives;
    std::string written = RandomItems(&random, &alternatives.emplace_back());
    while (random.Below(2) == 0) {
      written += '|';
      written += RandomItems(&random, &alternatives.emplace_back());
    }
    const auto pattern = Pattern::Compile(written, RegexFlavour::kTiktoken);
    if (!pattern.ok()) {  // it can match nothing, or has too many atoms to remember
      const std::string message(pattern.status().message());
      const bool empty = message.find("match nothing") != std::string::npos;
      const bool intricate = message.find("intricate") != std::string::npos;
      INFO(message);
      REQUIRE((empty || intricate));
      continue;
    }
    for (int i = 0; i < 6; ++i) {
      std::string text;
      for (uint64_t n = random.Below(16); n > 0; --n) {
        text += static_cast<char>('a' + random.Below(random.Below(3) == 0 ? 2 : 4));
      }
      INFO(written << " in " << text);
      REQUIRE(Find(*pattern, text) == FindByTwin(alternatives, text));
      ++compared;
    }
  }
  CHECK(compared > 20000);
}

TEST_CASE("what a pattern can say beyond ASCII") {
  struct Case {
    const char* pattern;
    const char* text;
    Matches matches;
  };
  const Case cases[] = {
      {R"(\p{L}+)", "ab\u00E9 \u4E16\u754C1", {{0, 4}, {5, 11}}},
      {R"((?i:'s|'k))", "'S '\u017F '\u212A 'x", {{0, 2}, {3, 6}, {7, 11}}},
      {R"([^\s\p{L}]+)", "a\u00A0-\u3000\u0301b", {{3, 4}, {7, 9}}},
      {R"(\s+(?!\S)|\s)", "   a", {{0, 2}, {2, 3}}},
      {R"([\x{4E00}-\u9FFF]+|a)", "\u4E16a\u9FFF\uA000", {{0, 3}, {3, 4}, {4, 7}}},
      {R"(\P{N}+)", "1a\u0661b", {{1, 2}, {4, 5}}},
      {R"(\w+)", "a_\u24B6-1", {{0, 5}, {6, 7}}},
      {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]+)", "a-[]\\b", {{1, 5}}},
  };
  for (const Case& c : cases) {
    INFO(c.pattern);
    const auto pattern = Pattern::Compile(c.pattern, RegexFlavour::kOniguruma);
    REQUIRE(pattern.ok());
    CHECK(Find(*pattern, c.text) == c.matches);
  }
}

TEST_CASE("the two flavours differ where their engines do") {
  const auto line = Pattern::Compile("a$", RegexFlavour::kOniguruma);
  const auto text = Pattern::Compile("a$", RegexFlavour::kTiktoken);
  REQUIRE((line.ok() && text.ok()));
  CHECK(Find(*line, "a\na\r\na") == Matches{{0, 1}, {5, 6}});
  CHECK(Find(*text, "a\na\r\na") == Matches{{5, 6}});
  CHECK(Pattern::Compile("a{1,3}+", RegexFlavour::kTiktoken).ok());
  CHECK(!Pattern::Compile("a{1,3}+", RegexFlavour::kOniguruma).ok());
}

TEST_CASE("patterns that are not understood are refused with their name") {
  const struct {
    const char* pattern;
    const char* what;
    absl::StatusCode code;
  } cases[] = {
      {"(a|b)*", "repeated group", absl::StatusCode::kUnimplemented},
      {"(?<=a)b", "group that is not", absl::StatusCode::kUnimplemented},
      {"(?:a(?:b))", "group inside a group", absl::StatusCode::kUnimplemented},
      {"a*?", "lazy", absl::StatusCode::kUnimplemented},
      {".", "has .", absl::StatusCode::kUnimplemented},
      {"^a", "has ^", absl::StatusCode::kUnimplemented},
      {R"(\p{Han})", R"(\p{Han})", absl::StatusCode::kUnimplemented},
      {R"(\bx)", R"(\b)", absl::StatusCode::kUnimplemented},
      {R"(\1)", R"(\1)", absl::StatusCode::kUnimplemented},
      {"[a&&b]", "&&", absl::StatusCode::kUnimplemented},
      {"[[a]]", "[ inside", absl::StatusCode::kUnimplemented},
      {"(?!ab)c", "look-ahead of more", absl::StatusCode::kUnimplemented},
      {"(?i:ss)", "fold to one character", absl::StatusCode::kUnimplemented},
      {"(?i:\u00E9)", "beyond ASCII", absl::StatusCode::kUnimplemented},
      {"a{1000}", "{n,m}", absl::StatusCode::kUnimplemented},
      {"a*", "match nothing", absl::StatusCode::kInvalidArgument},
      {"a|", "match nothing", absl::StatusCode::kInvalidArgument},
      {"", "match nothing", absl::StatusCode::kInvalidArgument},
      {"(?=a)", "match nothing", absl::StatusCode::kInvalidArgument},
      {"[z-a]", "range", absl::StatusCode::kInvalidArgument},
      {"[a", "[ without its ]", absl::StatusCode::kInvalidArgument},
      {"(?:a", "( without its )", absl::StatusCode::kInvalidArgument},
      {"*a", "nothing before it", absl::StatusCode::kInvalidArgument},
      {"a\\", "\\ at its end", absl::StatusCode::kInvalidArgument},
      {"a{1", "{ without its }", absl::StatusCode::kInvalidArgument},
      {"\xFF", "not UTF-8", absl::StatusCode::kInvalidArgument},
  };
  for (const auto& c : cases) {
    INFO(c.pattern);
    const auto pattern = Pattern::Compile(c.pattern, RegexFlavour::kOniguruma);
    REQUIRE(!pattern.ok());
    CHECK(pattern.status().code() == c.code);
    const std::string message(pattern.status().message());
    INFO(message);
    CHECK(message.find(c.what) != std::string::npos);
  }
  std::string intricate;
  for (int i = 0; i < 40; ++i) intricate += "a*";
  CHECK(!Pattern::Compile(intricate + "b", RegexFlavour::kTiktoken).ok());
  CHECK(!Pattern::Compile(std::string(10000, 'a'), RegexFlavour::kTiktoken).ok());
}

TEST_CASE("no pattern is slow on any text") {
  const char* const patterns[] = {
      "a*b|a",
      "a*+b|a",
      "[ab]*c|[ab]*a|b",
      "a*a*a*a*b|a",
      "(?:a|a)?(?:a|a)?(?:a|a)?(?:a|a)?(?:a|a)?(?:a|a)?(?:a|a)?(?:a|a)?b|a",
      "a?a?a?a?a?a?a?a?a?a?a?a?b|a",
      "a{1,30}b|a",
      R"(\s*[\r\n]+|\s+(?!\S)|\s+|a)",
  };
  constexpr size_t kBytes = size_t{1} << 18;
  std::vector<std::string> texts = {std::string(kBytes, 'a'), std::string(kBytes, ' '),
                                    std::string(kBytes, 'a') + "c"};
  std::string mixed;
  while (mixed.size() < kBytes) mixed += mixed.size() % 7 == 0 ? "b" : "aa ";
  texts.push_back(mixed);
  for (const char* const source : patterns) {
    const auto pattern = Pattern::Compile(source, RegexFlavour::kTiktoken);
    REQUIRE(pattern.ok());
    for (const std::string& text : texts) {
      INFO(source << " in " << text.substr(0, 8));
      const auto start = std::chrono::steady_clock::now();
      PatternMatcher matcher(*pattern, text);
      size_t covered = 0;
      for (size_t begin = 0, end = 0; matcher.Next(&begin, &end);) covered += end - begin;
      CHECK(covered <= text.size());
      // Quadratic engines take hours; this takes milliseconds, or seconds with sanitizers.
      CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
    }
  }
}

}  // namespace
}  // namespace weir::tokens
