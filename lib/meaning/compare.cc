// Two texts' features side by side.

#include <array>

#include "meaning/facts.h"
#include "meaning/packed.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

constexpr std::array<std::string_view, kGuards> kNames = {
    "numbers", "dates", "negation", "opposites", "order", "question",
    "quotes",  "code",  "names",    "language",  "words", "length"};

// The facts of one guard, [begin, end), of a text.
struct Range {
  const Packed* text;
  size_t begin = 0, end = 0;
};

// The facts of each guard, found in one pass.
struct Side {
  explicit Side(std::string_view bytes) : packed(bytes) {
    size_t i = 0;
    for (int g = 0; g < kGuards; ++g) {
      begins[g] = i;
      while (i < packed.facts() && packed.Key(i) >> 24 == static_cast<uint32_t>(g)) ++i;
    }
    begins[kGuards] = i;
  }
  Range Of(Guard guard) const {
    const auto g = static_cast<size_t>(guard);
    return {&packed, begins[g], begins[g + 1]};
  }

  Packed packed;
  std::array<size_t, kGuards + 1> begins;
};

// What is in one range and not in the other.
struct Unmatched {
  size_t sure = 0, weak = 0;
  std::string_view piece;  // of the first

  void Note(const PackedFact& fact) {
    if (sure + weak == 0) piece = fact.piece;
    ((fact.flags & kWeak) != 0 ? weak : sure) += 1;
  }
};

// Walks both in order. Facts of kInnerWord are left out.
std::pair<Unmatched, Unmatched> Difference(Range a, Range b) {
  std::pair<Unmatched, Unmatched> result;
  const auto counts = [](const Range& r, size_t i) {
    return (r.text->Key(i) & 0xFFFFFF) != kInnerWord || r.text->Key(i) >> 24 <= 1;
  };
  size_t i = a.begin, j = b.begin;
  while (i < a.end || j < b.end) {
    const auto key = [](const Range& r, size_t k) {
      return std::pair(r.text->Key(k), r.text->Value(k));
    };
    const int order = j == b.end              ? -1
                      : i == a.end            ? 1
                      : key(a, i) < key(b, j) ? -1
                      : key(b, j) < key(a, i) ? 1
                                              : 0;
    if (order < 0 && counts(a, i)) result.first.Note(a.text->Fact(i));
    if (order > 0 && counts(b, j)) result.second.Note(b.text->Fact(j));
    if (order <= 0) ++i;
    if (order >= 0) ++j;
  }
  return result;
}

constexpr size_t kManyWords = 25;

class Comparison {
 public:
  Comparison(std::string_view asked, std::string_view stored, GuardSet guards)
      : a_(asked), b_(stored), guards_(guards) {}

  Verdict Run() {
    if (On(Guard::kNumbers) && !Numbers()) return verdict_;
    if (On(Guard::kDates) && !Dates()) return verdict_;
    if ((On(Guard::kNegation) || On(Guard::kOpposites)) && !Polarity()) return verdict_;
    if (On(Guard::kOpposites) && !FormsAgree()) return verdict_;
    if (On(Guard::kOrder) && !OrderAgrees()) return verdict_;
    if (On(Guard::kQuestion) && !Questions()) return verdict_;
    if (On(Guard::kQuotes) && !Marked(Guard::kQuotes)) return verdict_;
    if (On(Guard::kCode) && !Marked(Guard::kCode)) return verdict_;
    if (On(Guard::kNames) && !NamesAgree()) return verdict_;
    if (On(Guard::kLanguage) && !Languages()) return verdict_;
    if (On(Guard::kWords) && WordReplaced()) return verdict_;
    if (On(Guard::kLength) && a_.packed.beyond() != b_.packed.beyond()) {
      Refuse(Guard::kLength, {}, {});
    }
    return verdict_;
  }

 private:
  bool On(Guard guard) const { return (guards_ & Only(guard)) != 0; }

  bool Refuse(Guard guard, std::string_view asked, std::string_view stored) {
    verdict_ = {false, guard, asked, stored};
    return false;
  }

  bool Numbers() {
    const auto [a, b] = Difference(a_.Of(Guard::kNumbers), b_.Of(Guard::kNumbers));
    const bool differ = a.sure + b.sure > 0 || (a.weak > 0 && b.weak > 0);
    return !differ || Refuse(Guard::kNumbers, a.piece, b.piece);
  }

  bool Dates() {
    const auto [a, b] = Difference(a_.Of(Guard::kDates), b_.Of(Guard::kDates));
    return a.sure + b.sure == 0 || Refuse(Guard::kDates, a.piece, b.piece);
  }

  // The sides of one axis.
  struct Axis {
    uint64_t plain = 0;   // as the words say
    uint64_t turned = 0;  // with negations before them
    bool flipped = false;
    std::string_view piece;
  };
  static Axis ReadAxis(const Range& r, size_t* i) {
    Axis axis;
    const uint32_t key = r.text->Key(*i);
    for (; *i < r.end && r.text->Key(*i) == key; ++*i) {
      const PackedFact fact = r.text->Fact(*i);
      const uint64_t side = fact.value & 63;
      // Of three colours there is no opposite.
      const bool flipped = (fact.flags & kFlipped) != 0 && side < 2;
      if (axis.plain == 0) axis.piece = fact.piece;
      axis.plain |= uint64_t{1} << side;
      axis.turned |= uint64_t{1} << (flipped ? side ^ 1 : side);
      axis.flipped = axis.flipped || flipped;
    }
    return axis;
  }

  // Calls f(a, b) for each axis that both have, until it is false.
  template <typename F>
  void EachAxis(Guard guard, F f) const {
    const Range a = a_.Of(guard), b = b_.Of(guard);
    size_t i = a.begin, j = b.begin;
    while (i < a.end && j < b.end) {
      const uint32_t x = a.text->Key(i), y = b.text->Key(j);
      const size_t from_i = i, from_j = j;
      if (x <= y) {
        const Axis axis = ReadAxis(a, &i);
        if (x == y) {
          const Axis other = ReadAxis(b, &j);
          if (!f(axis, other)) return;
        }
      } else {
        ReadAxis(b, &j);
      }
      if (i == from_i && j == from_j) return;
    }
  }

  static bool Meet(uint32_t low_a, uint32_t high_a, uint32_t low_b, uint32_t high_b) {
    return low_a <= high_b && low_b <= high_a;
  }

  bool IsLong() const { return a_.packed.words() > kManyWords && b_.packed.words() > kManyWords; }

  // Long texts have words of both sides by chance: there a common one will do.
  bool SameSides(uint64_t a, uint64_t b) const { return IsLong() ? (a & b) != 0 : a == b; }

  // A text can be read as it stands, its negations counted, or with each negation joined to the
  // opposite behind it: "not allowed" is "forbidden". They agree when they do in one reading.
  bool Polarity() {
    bool plain = true, turned = true, flipped_a = false, flipped_b = false;
    std::string_view asked, stored;
    EachAxis(Guard::kOpposites, [&](const Axis& a, const Axis& b) {
      if (!SameSides(a.plain, b.plain) && asked.empty()) {
        asked = a.piece;
        stored = b.piece;
      }
      plain = plain && SameSides(a.plain, b.plain);
      turned = turned && SameSides(a.turned, b.turned);
      flipped_a = flipped_a || a.flipped;
      flipped_b = flipped_b || b.flipped;
      return true;
    });
    const uint32_t sure_a = a_.packed.sure(), sure_b = b_.packed.sure();
    const uint32_t high_a = sure_a + a_.packed.maybe(), high_b = sure_b + b_.packed.maybe();
    const bool counted = Meet(sure_a, high_a, sure_b, high_b);
    const bool joined = Meet(sure_a - (flipped_a && sure_a > 0 ? 1 : 0), high_a,
                             sure_b - (flipped_b && sure_b > 0 ? 1 : 0), high_b);
    if (!On(Guard::kOpposites)) {
      return counted || joined ||
             Refuse(Guard::kNegation, a_.packed.negation(), b_.packed.negation());
    }
    if (!On(Guard::kNegation)) return plain || turned || Refuse(Guard::kOpposites, asked, stored);
    if ((plain && counted) || (turned && joined)) return true;
    if (plain) return Refuse(Guard::kNegation, a_.packed.negation(), b_.packed.negation());
    return Refuse(Guard::kOpposites, asked, stored);
  }

  // "Unpaid" here, "paid" there: unless one of the two says "not" besides.
  bool FormsAgree() {
    if (a_.packed.sure() != b_.packed.sure()) return true;
    const std::string_view a = Turned(a_, b_), b = Turned(b_, a_);
    return (a.data() == nullptr && b.data() == nullptr) || Refuse(Guard::kOpposites, a, b);
  }

  // The first word that is by its form the opposite of one which the other text has and its own
  // has not, while the other has not it; null when there is none.
  static std::string_view Turned(const Side& text, const Side& other) {
    const Range facts = text.Of(Guard::kOpposites), others = other.Of(Guard::kOpposites);
    for (size_t i = facts.end; i > facts.begin; --i) {
      if ((facts.text->Key(i - 1) & 0xFFFFFF) != kFormAxis) break;
      const uint64_t value = facts.text->Value(i - 1);
      const auto opposite = static_cast<uint16_t>(value >> kFormShift);
      if (!other.packed.HasShort(opposite) || text.packed.HasShort(opposite)) continue;
      bool is_in_both = false;
      for (size_t j = others.end; j > others.begin && !is_in_both; --j) {
        if (others.text->Key(j - 1) != facts.text->Key(i - 1)) break;
        is_in_both = others.text->Value(j - 1) == value;
      }
      if (!is_in_both) return facts.text->Fact(i - 1).piece;
    }
    return {};
  }

  // An exchange: one word went from the first side to the second, another the way back.
  bool OrderAgrees() {
    std::string_view there, back;
    EachAxis(Guard::kOrder, [&](const Axis& a, const Axis& b) {
      if (a.plain == 1 && b.plain == 2) there = a.piece;
      if (a.plain == 2 && b.plain == 1) back = b.piece;
      return there.empty() || back.empty();
    });
    if (!there.empty() && !back.empty()) return Refuse(Guard::kOrder, there, back);
    const uint64_t frame = Whole(a_, kFrameAxis);
    const bool is_same_frame = frame != 0 && frame == Whole(b_, kFrameAxis);
    return !is_same_frame || Whole(a_, kSequenceAxis) == Whole(b_, kSequenceAxis) ||
           Refuse(Guard::kOrder, {}, {});
  }

  // The one value of a whole text on such an axis; 0 when it has none. They are the last two.
  static uint64_t Whole(const Side& side, uint32_t axis) {
    const Range facts = side.Of(Guard::kOrder);
    for (size_t i = facts.end; i > facts.begin && i + 2 > facts.end; --i) {
      if ((facts.text->Key(i - 1) & 0xFFFFFF) == axis) return facts.text->Value(i - 1);
    }
    return 0;
  }

  bool Questions() {
    bool agree = true;
    EachAxis(Guard::kQuestion, [&](const Axis& a, const Axis& b) {
      if ((a.plain & b.plain) == 0) agree = Refuse(Guard::kQuestion, a.piece, b.piece);
      return agree;
    });
    return agree;
  }

  // Quotations and code: equal, or the words of the one are among the other's.
  bool Marked(Guard guard) {
    const auto [a, b] = Difference(a_.Of(guard), b_.Of(guard));
    if (a.sure > 0 && b.sure > 0) return Refuse(guard, a.piece, b.piece);
    if (a.sure > 0 && !Contains(b_.packed, a_.Of(guard))) return Refuse(guard, a.piece, {});
    if (b.sure > 0 && !Contains(a_.packed, b_.Of(guard))) return Refuse(guard, {}, b.piece);
    return true;
  }

  // Are there inner words, and are all in `text`? Fences and operators have none.
  static bool Contains(const Packed& text, Range facts) {
    bool any = false;
    for (size_t i = facts.begin; i < facts.end; ++i) {
      const uint32_t axis = facts.text->Key(i) & 0xFFFFFF;
      if (axis == 0 && facts.text->Key(i) >> 24 == static_cast<uint32_t>(Guard::kCode))
        return false;
      if (axis != kInnerWord) continue;
      any = true;
      if (!text.HasWord(facts.text->Value(i))) return false;
    }
    return any;
  }

  bool NamesAgree() {
    const std::string_view a = Missing(a_.Of(Guard::kNames), b_, 0);
    const std::string_view b = Missing(b_.Of(Guard::kNames), a_, 0);
    if (a.data() != nullptr || b.data() != nullptr) return Refuse(Guard::kNames, a, b);
    // A rare word may be another way to say a common one; two that the other text has not are two
    // names.
    const std::string_view rare_a = Missing(a_.Of(Guard::kNames), b_, kRareAxis);
    if (rare_a.data() == nullptr || IsLong()) return true;
    const std::string_view rare_b = Missing(b_.Of(Guard::kNames), a_, kRareAxis);
    return rare_b.data() == nullptr || Refuse(Guard::kNames, rare_a, rare_b);
  }

  // The first name on an axis that is not among the words of `text`, nor, as long texts do not keep
  // all words, among its names; null when there is none.
  static std::string_view Missing(Range names, const Side& text, uint32_t axis) {
    const Range others = text.Of(Guard::kNames);
    size_t j = others.begin;
    const auto is_other = [&](const Range& r, size_t i) {
      return (r.text->Key(i) & 0xFFFFFF) != axis;
    };
    for (size_t i = names.begin; i < names.end; ++i) {
      if (is_other(names, i)) continue;
      const uint64_t value = names.text->Value(i);
      if (text.packed.HasWord(value)) continue;
      while (j < others.end && (is_other(others, j) || others.text->Value(j) < value)) ++j;
      if (j == others.end || others.text->Value(j) != value) return names.text->Fact(i).piece;
    }
    return {};
  }

  bool Languages() {
    const uint8_t a = a_.packed.language(), b = b_.packed.language();
    return a == b || a == 0 || b == 0 || Refuse(Guard::kLanguage, {}, {});
  }

  // Exactly one word each that the other has not, and others that both have. Whether the two mean
  // the same no table says: most often they do not.
  bool WordReplaced() {
    const Packed &a = a_.packed, &b = b_.packed;
    size_t only_a = 0, only_b = 0, both = 0, i = 0, j = 0;
    while ((i < a.words() || j < b.words()) && only_a < 2 && only_b < 2) {
      if (j == b.words() || (i < a.words() && a.Word(i) < b.Word(j))) {
        ++only_a;
        ++i;
      } else if (i == a.words() || b.Word(j) < a.Word(i)) {
        ++only_b;
        ++j;
      } else {
        ++both;
        ++i;
        ++j;
      }
    }
    if (only_a != 1 || only_b != 1 || both == 0) return false;
    Refuse(Guard::kWords, {}, {});
    return true;
  }

  Side a_, b_;
  GuardSet guards_;
  Verdict verdict_;
};

}  // namespace

std::string_view GuardName(Guard guard) {
  const auto i = static_cast<size_t>(guard);
  return i < kNames.size() ? kNames[i] : std::string_view();
}

std::optional<Guard> GuardByName(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Guard>(i);
  }
  return std::nullopt;
}

Verdict Compare(FeaturesView asked, FeaturesView stored, GuardSet guards) {
  return Comparison(asked.bytes(), stored.bytes(), guards).Run();
}

}  // namespace weir::meaning
