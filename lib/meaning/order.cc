// Which side of a relation a word is on: from Paris to London, faster than Java, 10 minus 3; and
// the order of all words, for texts that have the same ones.

#include <algorithm>
#include <vector>

#include "meaning/facts.h"
#include "meaning/packed.h"
#include "meaning/word_table.h"

namespace weir::meaning {
namespace {

// Group 0: what is before comes first; 1: what follows comes first; 2: as 0, of more words before.
constexpr std::string_view kConnectors =
    "to into before nach zu vers a|minus by;from von depuis desde aus after;than als que";

using Table = WordTable<128>;
const Table& Connectors() {
  static const Table table(kConnectors, Table::kExact);
  return table;
}

class OrderFinder {
 public:
  OrderFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {}

  void Run() {
    for (size_t i = 0; i < scan_.lexemes.size(); ++i) {
      const Lexeme& x = scan_.lexemes[i];
      if (x.kind == Lexeme::kSymbol) {
        Symbol(i, x);
      } else if (x.kind != Lexeme::kWord || !Connector(x)) {
        Content(x);
      }
    }
  }

 private:
  static constexpr int kBefore = 3;

  void Symbol(size_t i, const Lexeme& x) {
    const std::string_view mark = scan_.Source(x);
    const bool operation = mark == "-" || mark == "/" || mark == "->" || mark == "^" ||
                           mark == "\xc3\xb7" || mark == "\xe2\x88\x92" || mark == "\xe2\x86\x92";
    const bool numbers = i > 0 && i + 1 < scan_.lexemes.size() &&
                         scan_.lexemes[i - 1].kind == Lexeme::kNumber &&
                         scan_.lexemes[i + 1].kind == Lexeme::kNumber;
    if (operation && (numbers || mark.size() > 1)) {
      Mark(1, 0);
      expected_ = 1;
      return;
    }
    if (mark == "-" || mark == "\"" || mark == "'") return;
    before_ = 0;
    expected_ = -1;
  }

  bool Connector(const Lexeme& x) {
    const Table::Entry* e = Connectors().First(x.hash);
    if (e == nullptr) return false;
    // Words of other languages that are common otherwise.
    const std::string_view word = scan_.Folded(x);
    const bool english = facts_->language == Language::kEnglish;
    const bool foreign = word == "a" || word == "als" || word == "zu" || word == "que" ||
                         word == "aus" || word == "von";
    if (foreign && (english || facts_->language == Language::kUnknown)) return false;
    if (word == "a" && facts_->language != Language::kSpanish) return false;
    if (e->group == 1) {
      if (word == "after") Mark(2, 1);
      expected_ = 0;
      return true;
    }
    Mark(e->group == 2 ? kBefore : 2, 0);
    expected_ = 1;
    return true;
  }

  // The last `count` content words of this clause are on `side`.
  void Mark(int count, uint64_t side) {
    for (int k = 0; k < before_ && k < count; ++k) Emit(*last_[k], side);
  }

  void Content(const Lexeme& x) {
    if (x.kind == Lexeme::kWord && IsFunctionWord(x.hash)) return;
    if (expected_ >= 0) Emit(x, static_cast<uint64_t>(expected_));
    expected_ = -1;
    for (int k = kBefore - 1; k > 0; --k) last_[k] = last_[k - 1];
    last_[0] = &x;
    if (before_ < kBefore) ++before_;
  }

  void Emit(const Lexeme& x, uint64_t side) {
    const uint64_t name = x.kind == Lexeme::kWord ? KnownName(x) : 0;
    const uint64_t word = name != 0 ? name : x.stem;
    Fact fact{Guard::kOrder, static_cast<uint32_t>(word >> 40), side};
    fact.begin = x.begin;
    fact.end = x.end;
    facts_->facts.push_back(fact);
  }

  const Scan& scan_;
  Facts* facts_;
  const Lexeme* last_[kBefore] = {};
  int before_ = 0;
  int expected_ = -1;
};

// The frame of a text, "did the _ _ the _", and how its words fill it. Between two of the same
// frame and the same words, the order is what differs: who bit whom. Words in a row may change
// places in a text of keywords, which does not begin with a function word, and so may those that
// "and" or a comma joins.
class SequenceFinder {
 public:
  SequenceFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {}

  void Run() {
    if (scan_.lexemes.size() > kMostLexemes) return;
    for (size_t i = 0; i < scan_.lexemes.size(); ++i) {
      const Lexeme& x = scan_.lexemes[i];
      // Dates and numbers with units have an order of their own.
      if (facts_->used[i]) continue;
      if (x.kind == Lexeme::kSymbol) {
        if (scan_.Source(x) == ",") joins_ = !run_.empty();
      } else if (IsFunction(x)) {
        Function(x);
      } else {
        Content(x);
      }
    }
    EndRun();
    if (functions_ == 0 || contents_ < 2) return;
    Emit(kFrameAxis, frame_ + bag_);
    Emit(kSequenceAxis, sequence_);
  }

 private:
  static constexpr size_t kMostLexemes = 48;

  // "Man" is a pronoun in German only.
  bool IsFunction(const Lexeme& x) const {
    if (x.kind != Lexeme::kWord || !IsFunctionWord(x.hash)) return false;
    return facts_->language == Language::kGerman || scan_.Folded(x) != "man";
  }

  void Function(const Lexeme& x) {
    constexpr std::string_view kJoining[] = {"and", "or", "vs", "versus", "und", "oder",
                                             "et",  "ou", "y",  "o",      "e"};
    if (contents_ == 0) begins_with_function_ = true;
    ++functions_;
    frame_ = PairHash(frame_, x.hash);
    const bool is_joining =
        std::find(std::begin(kJoining), std::end(kJoining), scan_.Folded(x)) != std::end(kJoining);
    if (is_joining) {
      joins_ = !run_.empty();
    } else {
      EndRun();
    }
  }

  void Content(const Lexeme& x) {
    const uint64_t name = x.kind == Lexeme::kWord ? KnownName(x) : 0;
    const uint64_t word = name != 0 ? name : x.stem;
    ++contents_;
    frame_ = PairHash(frame_, 1);
    bag_ += word * 0x9e3779b97f4a7c15u;
    // What is joined is in no order: its sum stands for it.
    if (joins_ && !run_.empty()) {
      run_.back() += word;
    } else {
      run_.push_back(word);
    }
    joins_ = false;
  }

  void EndRun() {
    if (!begins_with_function_) std::sort(run_.begin(), run_.end());
    for (const uint64_t word : run_) sequence_ = PairHash(sequence_, word);
    sequence_ = PairHash(sequence_, 1);
    run_.clear();
    joins_ = false;
  }

  void Emit(uint32_t axis, uint64_t value) {
    facts_->facts.push_back({Guard::kOrder, axis, value & ~uint64_t{63}});
  }

  const Scan& scan_;
  Facts* facts_;
  std::vector<uint64_t> run_;
  size_t functions_ = 0, contents_ = 0;
  bool begins_with_function_ = false, joins_ = false;
  uint64_t frame_ = 0, bag_ = 0, sequence_ = 0;
};

}  // namespace

void FindOrder(const Scan& scan, Facts* facts) {
  OrderFinder(scan, facts).Run();
  SequenceFinder(scan, facts).Run();
}

}  // namespace weir::meaning
