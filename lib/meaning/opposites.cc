// Negations, opposites and the kind of a question.

#include <array>

#include "meaning/facts.h"
#include "meaning/opposites_words.h"
#include "meaning/word_table.h"

namespace weir::meaning {
namespace {

using Table = WordTable<8192>;
const Table& Opposites() {
  static const Table table(kOpposites, Table::kStems);
  return table;
}
using SmallTable = WordTable<512>;
const SmallTable& NegationWords() {
  static const SmallTable table(kNegations, SmallTable::kExact);
  return table;
}

// Verbs that a particle turns round, and the particles: side of on/off, in/out, up/down.
constexpr std::string_view kParticleVerbs =
    "turn switch power toggle log sign opt check clock zoom fade scale go move speed scroll shut "
    "start is are be stay keep leave set boot count slow wind phase tune vote thumbs thumb roll "
    "back";
constexpr std::string_view kParticles = "on|off;in|out;up|down";
constexpr std::string_view kQuestions =
    "when wann quand cuando|where wo ou donde|who whom whose wer qui quien|why warum pourquoi "
    "wieso weshalb|how_many how_much wie_viele wie_viel combien cuanto cuantos cuanta cuantas";

const SmallTable& ParticleVerbs() {
  static const SmallTable table(kParticleVerbs, SmallTable::kStems);
  return table;
}
const SmallTable& Particles() {
  static const SmallTable table(kParticles, SmallTable::kExact);
  return table;
}
const SmallTable& Questions() {
  static const SmallTable table(kQuestions, SmallTable::kExact);
  return table;
}
const SmallTable& NotNegating() {
  // "not only", "no matter"; "whether or not", "why not"
  static const SmallTable table(
      "not_only no_matter no_problem no_doubt not_just no_one;or_not why_not if_not",
      SmallTable::kExact);
  return table;
}

constexpr size_t kFlipReach = 3;      // words behind a negation that it may turn round
constexpr size_t kParticleReach = 4;  // words between a verb and its particle

class OppositeFinder {
 public:
  OppositeFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {}

  void Run() {
    for (size_t i = 0; i < scan_.lexemes.size(); ++i) {
      const Lexeme& x = scan_.lexemes[i];
      if (x.kind == Lexeme::kSymbol) {
        Symbol(x);
        continue;
      }
      // Units and the words of numbers are not meant.
      if (x.kind != Lexeme::kWord || facts_->used[i]) {
        Advance(&since_negation_);
        Advance(&since_verb_);
        continue;
      }
      if (StandsAlone(ScriptOf(Decode(scan_.text, x.begin).value)) || x.Has(Lexeme::kNonLatin)) {
        Eastern(x);
      }
      Word(i, x);
    }
    Settle();
  }

 private:
  static constexpr size_t kFar = 1000;
  static void Advance(size_t* distance) {
    if (*distance < kFar) ++*distance;
  }

  void Symbol(const Lexeme& x) {
    const std::string_view mark = scan_.Source(x);
    if (mark == "-" || mark == "*" || mark == "\"") return;
    Settle();
    since_negation_ = since_verb_ = kFar;
  }

  // A negation that turned no opposite round is one for itself.
  void Settle() { pending_ = false; }

  void Word(size_t i, const Lexeme& x) {
    Advance(&since_negation_);
    Advance(&since_verb_);
    const Lexeme* next = i + 1 < scan_.lexemes.size() ? &scan_.lexemes[i + 1] : nullptr;
    const Lexeme* before = i > 0 ? &scan_.lexemes[i - 1] : nullptr;
    Question(x, next);
    TooMuch(i, x);
    if (Negation(i, x, before, next)) return;
    Opposites().Find(x.stem, [&](const Table::Entry& e) { Emit(e.group, e.side, x, x); });
    if (ParticleVerbs().First(x.stem) != nullptr) {
      since_verb_ = 0;
      verb_ = &x;
    } else if (since_verb_ <= kParticleReach) {
      if (const SmallTable::Entry* e = Particles().First(x.hash)) {
        const bool at_end = next == nullptr || next->kind == Lexeme::kSymbol;
        // "is in", "be on": of a place or a day, unless nothing follows.
        if (at_end || since_verb_ == 1 || e->side == 1) Emit(e->group, e->side, *verb_, x);
        since_verb_ = kFar;
      }
    }
    if (since_negation_ >= kFlipReach) pending_ = false;
  }

  void Question(const Lexeme& x, const Lexeme* next) {
    const SmallTable::Entry* e = Questions().First(x.hash);
    if (e == nullptr && next != nullptr && next->kind == Lexeme::kWord) {
      e = Questions().First(PairHash(x.hash, next->hash));
    }
    if (e == nullptr) return;
    // "ou" is French for where and for or; "wo" and "when" also join clauses: first words only.
    if (!x.Has(Lexeme::kStart)) return;
    Fact fact{Guard::kQuestion, 0, e->side};
    fact.begin = x.begin;
    fact.end = x.end;
    facts_->facts.push_back(fact);
  }

  // "Too large to fit": as good as "does not fit".
  void TooMuch(size_t i, const Lexeme& x) {
    if (scan_.Folded(x) != "too" || i + 2 >= scan_.lexemes.size()) return;
    const Lexeme& to = scan_.lexemes[i + 2];
    if (to.kind == Lexeme::kWord && scan_.Folded(to) == "to") ++facts_->negations.maybe;
  }

  bool Negation(size_t i, const Lexeme& x, const Lexeme* before, const Lexeme* next) {
    const SmallTable::Entry* e = NegationWords().First(x.hash);
    if (e == nullptr) return false;
    if (e->group == 1) {
      ++facts_->negations.maybe;
      return false;
    }
    if (next != nullptr && NotNegating().First(PairHash(x.hash, next->hash)) != nullptr)
      return true;
    if (before != nullptr && NotNegating().First(PairHash(before->hash, x.hash)) != nullptr) {
      return true;
    }
    const std::string_view word = scan_.Folded(x);
    // An answer's "No, …" is said again in what follows. "sin" is English too, "no" Spanish and
    // English, "non" and "nor" join what is negated already.
    if (word == "no" && x.Has(Lexeme::kStart) && next != nullptr && scan_.Source(*next) == ",") {
      return true;
    }
    if (word == "nor" && facts_->negations.sure > 0) return true;
    if (word == "sin" && facts_->language == Language::kEnglish) return false;
    if (word == "pas" && facts_->language == Language::kEnglish) return false;
    since_negation_ = 0;
    CountOnce(i);
    if (facts_->negations.sure == 1) {
      facts_->negations.begin = x.begin;
      facts_->negations.end = x.end;
    }
    pending_ = true;
    return word != "none" && word != "never";
  }

  // What is said twice of one word ("non-empty … non-empty") counts once.
  void CountOnce(size_t i) {
    uint64_t of = 0;
    for (size_t k = i + 1; k < scan_.lexemes.size() && k <= i + 4 && of == 0; ++k) {
      const Lexeme& y = scan_.lexemes[k];
      if (y.kind != Lexeme::kSymbol && !IsFunctionWord(y.hash)) of = y.stem;
    }
    for (size_t k = 0; k < negated_count_; ++k) {
      if (of != 0 && negated_[k] == of && facts_->negations.sure > 0) return;
    }
    if (negated_count_ < negated_.size()) negated_[negated_count_++] = of;
    ++facts_->negations.sure;
  }

  void Emit(uint16_t group, uint16_t side, const Lexeme& first, const Lexeme& last) {
    Fact fact{Guard::kOpposites, group, side};
    fact.begin = first.begin;
    fact.end = last.end;
    if (pending_ && since_negation_ > 0 && since_negation_ <= kFlipReach) fact.flags = kFlipped;
    facts_->facts.push_back(fact);
  }

  // Chinese and Japanese: one character a word; Korean and Russian words.
  void Eastern(const Lexeme& x) {
    static constexpr std::string_view kWords[] = {
        "\xe4\xb8\x8d",
        "\xe6\xb2\xa1",
        "\xe6\xb2\x92",
        "\xe6\x97\xa0",
        "\xe7\x84\xa1",
        "\xe6\x9c\xaa",
        "\xe5\x88\xab",
        "\xe9\x9d\x9e",  // Chinese
        "\xec\x95\x88",
        "\xeb\xaa\xbb",  // Korean
        "\xd0\xbd\xd0\xb5",
        "\xd0\xbd\xd0\xb5\xd1\x82",
        "\xd0\xb1\xd0\xb5\xd0\xb7",
        "\xd0\xbd\xd0\xb8\xd0\xba\xd0\xbe\xd0\xb3\xd0\xb4\xd0\xb0"};  // Russian
    const std::string_view word = scan_.Folded(x);
    bool negation = false;
    for (const std::string_view w : kWords) negation = negation || w == word;
    // Japanese: na-i, na-ka-t.
    static constexpr std::string_view kNa = "\xe3\x81\xaa";
    if (word == kNa) {
      const std::string_view rest = scan_.text.substr(x.end, 3);
      negation = rest == "\xe3\x81\x84" || rest == "\xe3\x81\x8b" || rest == "\xe3\x81\x8f";
    }
    if (!negation) return;
    if (facts_->negations.sure++ > 0) return;
    facts_->negations.begin = x.begin;
    facts_->negations.end = x.end;
  }

  const Scan& scan_;
  Facts* facts_;
  size_t since_negation_ = kFar;
  size_t since_verb_ = kFar;
  const Lexeme* verb_ = nullptr;
  bool pending_ = false;
  std::array<uint64_t, 8> negated_ = {};
  size_t negated_count_ = 0;
};

}  // namespace

uint64_t KnownMeaning(const Lexeme& word) {
  const Table::Entry* e = Opposites().First(word.stem);
  if (e == nullptr) return 0;
  return WordHash("known meaning") + (uint64_t{e->group} * 64 + e->side + 1) * 0x9e3779b97f4a7c15u;
}

void FindOpposites(const Scan& scan, Facts* facts) { OppositeFinder(scan, facts).Run(); }

}  // namespace weir::meaning
