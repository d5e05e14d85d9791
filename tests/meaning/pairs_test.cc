// Guards and lexical similarity over hand-made pairs, and over recorded paraphrases where they are
// at hand: what is refused, what is let through, and what that makes of precision and recall.

#include <cstdint>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

struct Pair {
  std::string a, b, kind;
  bool same = false;
  bool allowed = false;
  bool allowed_by_all = false;  // with guard "words"
  Guard guard = Guard::kNumbers;
  double similarity = 0;
};

double Similarity(const std::string& a, const std::string& b) {
  std::vector<float> x(LexicalEmbedder::kDefaultDimension), y(x.size());
  if (!LexicalEmbedder().Embed(a, absl::MakeSpan(x))) return 0;
  if (!LexicalEmbedder().Embed(b, absl::MakeSpan(y))) return 0;
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += double{x[i]} * double{y[i]};
  return sum;
}

void Judge(Pair* p) {
  const Features a = Features::Of(p->a), b = Features::Of(p->b);
  const Verdict v = Compare(a, b);
  p->allowed = v.allowed;
  p->allowed_by_all = Compare(a, b, kAllGuards).allowed;
  p->guard = v.guard;
  p->similarity = Similarity(p->a, p->b);
}

// "pairs.jsonl": tables and rules were corrected by it. "pairs_unseen.jsonl": written afterwards by
// the same hand, with words that were thought not to be in the tables; it led to one correction (a
// negation before a colour) and to guard "words". Of its opposites most have come into the table
// since, with the commonest antonyms of English: it is no longer unseen.
std::vector<Pair> HandMade(const std::string& name = "pairs.jsonl") {
  const auto text = testing::ReadFile(testing::SourcePath("tests/meaning/" + name));
  REQUIRE(text.has_value());
  std::vector<Pair> pairs;
  std::istringstream lines(*text);
  json::Document document;
  for (std::string line; std::getline(lines, line);) {
    json::ParseError error;
    REQUIRE(document.Parse(line, {}, &error));
    const json::Value row = document.root();
    Pair p;
    p.a = row["a"].text();
    p.b = row["b"].text();
    p.kind = row["kind"].text();
    p.same = row["same"].boolean();
    Judge(&p);
    pairs.push_back(p);
  }
  return pairs;
}

struct Count {
  int all = 0, refused = 0, refused_by_all = 0;
};

void PrintSimilarities(const std::vector<Pair>& pairs) {
  std::cout
      << "\n| lexical similarity at least | precision | recall | with guards: precision | recall "
         "|\n|---|---|---|---|---|\n";
  for (const double threshold : {0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}) {
    int hits = 0, right = 0, guarded = 0, guarded_right = 0, same = 0;
    for (const Pair& p : pairs) {
      if (p.same) ++same;
      if (p.similarity < threshold) continue;
      ++hits;
      if (p.same) ++right;
      if (!p.allowed) continue;
      ++guarded;
      if (p.same) ++guarded_right;
    }
    const auto share = [](int part, int whole) { return whole == 0 ? 0.0 : 100.0 * part / whole; };
    std::cout << std::fixed << std::setprecision(1) << "| " << threshold << " | "
              << share(right, hits) << " % | " << share(right, same) << " % | "
              << share(guarded_right, guarded) << " % | " << share(guarded_right, same) << " % |\n";
  }
}

struct Totals {
  Count same, differ;  // `differ` without what no guard looks at
};

Totals PrintRefusals(const std::vector<Pair>& pairs) {
  std::map<std::string, Count> kinds;
  Totals totals;
  for (const Pair& p : pairs) {
    Count* total = p.same ? &totals.same : p.kind == "topic" ? nullptr : &totals.differ;
    for (Count* c : {&kinds[p.kind], total}) {
      if (c == nullptr) continue;
      ++c->all;
      if (!p.allowed) ++c->refused;
      if (!p.allowed_by_all) ++c->refused_by_all;
    }
  }
  kinds["all that mean the same"] = totals.same;
  kinds["all that differ, without topic"] = totals.differ;
  std::cout
      << "\n| pairs | kind | refused by the guards | and with \"words\" |\n|---|---|---|---|\n";
  for (const auto& [kind, count] : kinds) {
    std::cout << "| " << count.all << " | " << kind << " | " << count.refused << " | "
              << count.refused_by_all << " |\n";
  }
  return totals;
}

TEST_CASE("hand-made pairs: opposites are refused, paraphrases pass") {
  const std::vector<Pair> pairs = HandMade();
  REQUIRE(pairs.size() >= 600);
  const Totals totals = PrintRefusals(pairs);
  PrintSimilarities(pairs);
  CHECK(100 * totals.differ.refused >= 99 * totals.differ.all);
  CHECK(100 * totals.same.refused <= 5 * totals.same.all);
}

TEST_CASE("hand-made pairs that no rule was made for at first") {
  const std::vector<Pair> pairs = HandMade("pairs_unseen.jsonl");
  const Totals totals = PrintRefusals(pairs);
  PrintSimilarities(pairs);
  CHECK(100 * totals.differ.refused >= 95 * totals.differ.all);
  CHECK(100 * totals.same.refused <= 5 * totals.same.all);
}

// "pairs_templates.jsonl": written before the rules for forms of words, rare words and word order
// were, which were then made to be general and measured by it: 58 of the 136 that differ were
// refused before, half of the opposites being antonyms drawn at random from a dictionary. None of
// those was put into the table since.
TEST_CASE("hand-made pairs by other templates") {
  const std::vector<Pair> pairs = HandMade("pairs_templates.jsonl");
  REQUIRE(pairs.size() >= 150);
  const Totals totals = PrintRefusals(pairs);
  PrintSimilarities(pairs);
  CHECK(100 * totals.differ.refused >= 77 * totals.differ.all);
  CHECK(100 * totals.same.refused <= 5 * totals.same.all);
}

TEST_CASE("recorded paraphrases: few are refused") {
  const auto text = testing::SharedData("question_pairs.tsv");
  if (!text) return;
  std::istringstream lines(*text);
  std::map<std::string_view, int> refusals;
  int all = 0, refused = 0;
  for (std::string line; std::getline(lines, line);) {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    Pair p;
    p.a = line.substr(0, tab);
    p.b = line.substr(tab + 1);
    Judge(&p);
    ++all;
    if (p.allowed) continue;
    ++refused;
    ++refusals[GuardName(p.guard)];
  }
  std::cout << "\nrecorded paraphrases: " << refused << " of " << all << " refused";
  for (const auto& [guard, count] : refusals) std::cout << ", " << guard << ' ' << count;
  std::cout << "\n";
  CHECK(all >= 500);
  CHECK(100 * refused <= 5 * all);
}

TEST_CASE("hand-made pairs: the wrongly judged", "[.list]") {
  std::vector<Pair> pairs = HandMade();
  for (const char* more : {"pairs_unseen.jsonl", "pairs_templates.jsonl"}) {
    for (const Pair& p : HandMade(more)) pairs.push_back(p);
  }
  for (const Pair& p : pairs) {
    if (p.same == p.allowed || p.kind == "topic") continue;
    std::cout << p.kind << (p.same ? " refused by " + std::string(GuardName(p.guard)) : " allowed")
              << ": " << p.a << " / " << p.b << "\n";
  }
}

}  // namespace
}  // namespace weir::meaning
