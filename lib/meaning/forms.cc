// Words that are made the opposite of others by their form: "unexpected", "discourage", "hopeless".

#include <array>
#include <string_view>

#include "meaning/common_words.h"
#include "meaning/facts.h"
#include "meaning/letters.h"
#include "meaning/packed.h"

namespace weir::meaning {
namespace {

constexpr size_t kLeastRest = 3, kLongestWord = 40;

// Of a word that begins, or ends, with `own` the opposite has `others` there.
struct Change {
  std::string_view own, others;
};
constexpr Change kPrefixes[] = {
    {"un", ""},        {"non", ""},        {"dis", ""},        {"dis", "en"},      {"in", ""},
    {"im", ""},        {"il", ""},         {"ir", ""},         {"mis", ""},        {"de", ""},
    {"de", "in"},      {"des", "as"},      {"ex", "in"},       {"ex", "im"},       {"anti", ""},
    {"anti", "pro"},   {"under", "over"},  {"hypo", "hyper"},  {"macro", "micro"}, {"post", "pre"},
    {"poste", "ante"}, {"intra", "inter"}, {"out", "in"},      {"min", "max"},     {"down", "up"},
    {"exo", "endo"},   {"hetero", "homo"}, {"poly", "mono"},   {"extra", "intro"}, {"mal", "be"},
    {"sub", "super"},  {"multi", "uni"},   {"multi", "single"}};
constexpr Change kSuffixes[] = {{"less", "ful"}, {"less", ""}, {"ee", "er"}, {"phobe", "phile"}};

uint64_t KeyOf(std::string_view word) {
  std::array<char, kLongestWord + 8> buffer;
  Lexeme x;
  x.hash = WordHash(word);
  x.stem = WordHash(Stem(word, buffer.data()));
  return WordKey(x);
}

class FormFinder {
 public:
  FormFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {}

  void Run() {
    for (size_t i = 0; i < scan_.lexemes.size(); ++i) {
      const Lexeme& x = scan_.lexemes[i];
      const bool is_word = x.kind == Lexeme::kWord && !facts_->used[i];
      if (!is_word || x.folded_size > kLongestWord || IsFunctionWord(x.hash)) continue;
      Word(x, scan_.Folded(x));
    }
  }

 private:
  void Word(const Lexeme& x, std::string_view word) {
    for (const Change& change : kPrefixes) {
      if (word.size() < change.own.size() + kLeastRest) continue;
      if (word.substr(0, change.own.size()) != change.own) continue;
      const std::string_view rest = word.substr(change.own.size());
      if (change.others.empty() && rest.size() == kLeastRest) continue;
      Emit(x, change.others, rest, {});
      if (change.own == "un" && change.others.empty()) Negates(rest);
    }
    for (const Change& change : kSuffixes) {
      if (word.size() < change.own.size() + kLeastRest) continue;
      const size_t cut = word.size() - change.own.size();
      if (word.substr(cut) == change.own) Emit(x, {}, word.substr(0, cut), change.others);
    }
  }

  // "Unclear" is as good as "not clear".
  void Negates(std::string_view rest) {
    std::array<char, kLongestWord> buffer;
    if (rest.size() > kLeastRest && IsCommonWord(WordHash(Stem(rest, buffer.data())))) {
      ++facts_->negations.maybe;
    }
  }

  void Emit(const Lexeme& x, std::string_view prefix, std::string_view rest,
            std::string_view suffix) {
    std::array<char, kLongestWord + 8> opposite;
    size_t size = 0;
    for (const std::string_view part : {prefix, rest, suffix}) {
      for (const char c : part) opposite[size++] = c;
    }
    const uint64_t key = KeyOf({opposite.data(), size});
    Fact fact{Guard::kOpposites, kFormAxis, uint64_t{ShortHash(key)} << kFormShift};
    fact.begin = x.begin;
    fact.end = x.end;
    facts_->facts.push_back(fact);
  }

  const Scan& scan_;
  Facts* facts_;
};

}  // namespace

void FindForms(const Scan& scan, Facts* facts) {
  if (facts->language == Language::kEnglish || facts->language == Language::kUnknown) {
    FormFinder(scan, facts).Run();
  }
}

}  // namespace weir::meaning
