// Dates and times: 5 March, March 5th, 2024-03-05, 17:00 and 5 pm, Tuesday, tomorrow, next week.

#include "meaning/facts.h"
#include "meaning/word_table.h"

namespace weir::meaning {
namespace {

constexpr uint32_t kMonth = 1, kDay = 2, kTimeOfDay = 3, kWeekday = 4, kRelative = 5, kUnsure = 6;

constexpr std::string_view kWords =
    "january jan januar janvier enero|february feb februar fevrier febrero|march mar marz mars "
    "marzo|april apr avril abril|may mai mayo|june jun juni juin junio|july jul juli juillet julio|"
    "august aug aout agosto|september sep sept septembre septiembre|october oct oktober octobre "
    "octubre|november nov novembre noviembre|december dec dezember decembre diciembre;"
    "monday mondays montag lundi lunes|tuesday tuesdays dienstag mardi martes|wednesday wednesdays "
    "mittwoch mercredi "
    "miercoles|thursday thursdays donnerstag jeudi jueves|friday fridays freitag vendredi "
    "viernes|saturday saturdays samstag "
    "samedi sabado|sunday sundays sonntag dimanche domingo;"
    "today heute hoy|tomorrow tmrw morgen demain|yesterday gestern hier ayer|tonight|midnight|noon "
    "midday|overmorrow ubermorgen;"
    "next following nachste nachsten nachster kommende prochain prochaine proxima proximo|last "
    "previous past letzte letzten vergangene dernier derniere pasada pasado|this current diese "
    "dieser cette este esta;"
    "week woche semaine semana|month monat mois mes|year jahr annee ano|quarter quartal trimestre|"
    "weekend wochenende|night|morning|evening|summer|winter|spring|fall autumn";
enum Group : uint16_t { kMonths, kWeekdays, kDaysAway, kWhich, kSpan };

using Table = WordTable<512>;
const Table& Words() {
  static const Table table(kWords, Table::kExact);
  return table;
}

class DateFinder {
 public:
  DateFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {}

  void Run() {
    for (size_t i = 0; i < scan_.lexemes.size(); ++i) {
      if (facts_->used[i]) continue;
      if (Is(i, Lexeme::kNumber)) {
        if (!Clock(i)) Numeric(i);
      } else if (Is(i, Lexeme::kWord)) {
        Word(i);
      }
    }
  }

 private:
  const Lexeme& At(size_t i) const { return scan_.lexemes[i]; }
  bool Is(size_t i, Lexeme::Kind kind) const {
    return i < scan_.lexemes.size() && At(i).kind == kind;
  }
  bool IsSymbol(size_t i, char c) const {
    return Is(i, Lexeme::kSymbol) && scan_.Source(At(i)) == std::string_view(&c, 1);
  }
  std::string_view Text(size_t i) const { return scan_.Folded(At(i)); }

  // Plain digits, at most four; -1 otherwise.
  int Plain(size_t i) const {
    if (!Is(i, Lexeme::kNumber) || Text(i).size() > 4) return -1;
    int value = 0;
    for (const char c : Text(i)) {
      if (c < '0' || c > '9') return -1;
      value = 10 * value + (c - '0');
    }
    return value;
  }

  void Emit(uint32_t axis, uint64_t value, size_t first, size_t last) {
    Fact fact{Guard::kDates, axis, value};
    fact.begin = At(first).begin;
    fact.end = At(last).end;
    facts_->facts.push_back(fact);
  }
  void Use(size_t first, size_t last) {
    for (size_t k = first; k <= last; ++k) facts_->used[k] = true;
  }

  // 17:00, 5:30 pm, 5pm.
  bool Clock(size_t i) {
    const int hour = Plain(i);
    if (hour < 0 || hour > 24) return false;
    size_t last = i;
    int minute = 0;
    bool is_time = false;
    if (IsSymbol(i + 1, ':') && At(i + 1).Has(Lexeme::kGlued) && Plain(i + 2) >= 0 &&
        At(i + 2).Has(Lexeme::kGlued) && Text(i + 2).size() == 2 && Plain(i + 2) < 60) {
      minute = Plain(i + 2);
      last = i + 2;
      is_time = true;
      if (IsSymbol(last + 1, ':') && Plain(last + 2) >= 0) last += 2;
    }
    int h = hour;
    if (Is(last + 1, Lexeme::kWord) && hour >= 1 && hour <= 12) {
      const std::string_view half = Text(last + 1);
      if (half == "pm" || half == "am") {
        h = hour % 12 + (half == "pm" ? 12 : 0);
        ++last;
        is_time = true;
      }
    }
    if (Is(last + 1, Lexeme::kWord) && (Text(last + 1) == "uhr" || Text(last + 1) == "oclock")) {
      ++last;
      is_time = true;
    }
    if (!is_time) return false;
    Emit(kTimeOfDay, static_cast<uint64_t>(h) % 24 * 60 + static_cast<uint64_t>(minute), i, last);
    Use(i, last);
    return true;
  }

  // 2024-03-05, 5/3/2024, 5.3.2024.
  void Numeric(size_t i) {
    const std::string_view text = Text(i);
    int a = Plain(i), b = -1, c = -1;
    size_t last = i;
    char separator = 0;
    if (a >= 0) {
      if (!Is(i + 1, Lexeme::kSymbol) || !At(i + 1).Has(Lexeme::kGlued)) return;
      separator = scan_.Source(At(i + 1))[0];
      if (separator != '-' && separator != '/') return;
      if (!IsSymbol(i + 3, separator)) return;
      b = Plain(i + 2);
      c = Plain(i + 4);
      last = i + 4;
    } else {
      int parts[3] = {0, 0, 0}, n = 0, digits = 0;
      for (const char x : text) {
        if (x == '.' && n < 2 && digits > 0) {
          ++n;
          digits = 0;
        } else if (x >= '0' && x <= '9' && ++digits <= 4) {
          parts[n] = 10 * parts[n] + (x - '0');
        } else {
          return;
        }
      }
      if (n != 2 || digits != 4) return;
      a = parts[0];
      b = parts[1];
      c = parts[2];
      separator = '.';
    }
    Split(a, b, c, separator, i, last);
  }

  void Split(int a, int b, int c, char separator, size_t first, size_t last) {
    int year = c, month = 0, day = 0;
    if (a < 0 || b < 0 || c < 0) return;
    if (a >= 1000 && b >= 1 && b <= 12 && c >= 1 && c <= 31) {
      year = a;
      month = b;
      day = c;
    } else if (a > 31 || b > 31 || a < 1 || b < 1 || (c < 1000 && c > 99)) {
      return;
    } else if (separator == '.' || a > 12) {
      day = a;
      month = b;
    } else if (b > 12) {
      month = a;
      day = b;
    } else {  // the 5th of March or the 3rd of May
      Emit(kUnsure, static_cast<uint64_t>(a) << 8 | static_cast<uint64_t>(b), first, last);
    }
    if (month > 12) return;
    if (month > 0) {
      Emit(kMonth, static_cast<uint64_t>(month - 1), first, last);
      Emit(kDay, static_cast<uint64_t>(day), first, last);
    }
    EmitYear(year, first, last);
    Use(first, last);
  }

  // A year is a number wherever it stands.
  void EmitYear(int year, size_t first, size_t last) {
    uint64_t mantissa = static_cast<uint64_t>(year);
    int exponent = 0;
    while (mantissa != 0 && mantissa % 10 == 0) {
      mantissa /= 10;
      ++exponent;
    }
    Fact fact{Guard::kNumbers, 0,
              (mantissa * 0x9e3779b97f4a7c15u) ^
                  (static_cast<uint64_t>(exponent + 512) << 8) * 0xd6e8feb86659fd93u};
    fact.begin = At(first).begin;
    fact.end = At(last).end;
    facts_->facts.push_back(fact);
  }

  void Word(size_t i) {
    Words().Find(At(i).hash, [&](const Table::Entry& e) {
      switch (e.group) {
        case kMonths:
          return MonthAt(i, e.side);
        case kWeekdays:
          // "mars", "hier" and the like are other words in other languages: with a capital only.
          return Emit(kWeekday, e.side, i, i);
        case kDaysAway:
          if (Text(i) == "hier" && facts_->language != Language::kFrench) return;
          if (Text(i) == "noon" || Text(i) == "midday" || Text(i) == "midnight") {
            return Emit(kTimeOfDay, Text(i) == "midnight" ? 0 : 720, i, i);
          }
          return Emit(kRelative, e.side + (IsDayBeyond(i) ? kBeyond : 0), i, i);
        case kWhich:
          return WhichAt(i, e.side);
        default:
          return;
      }
    });
  }

  // Where the day of the month at `i` stands: "5 March", "5 of March", "5th March", "5th of March",
  // "5. März", else behind it.
  size_t DayBeside(size_t i) const {
    if (i > 0 && DayAt(i - 1)) return i - 1;
    if (i > 1 && DayAt(i - 2) &&
        (Text(i - 1) == "of" || IsOrdinalEnd(i - 1) || IsSymbol(i - 1, '.'))) {
      return i - 2;
    }
    if (i > 2 && Text(i - 1) == "of" && IsOrdinalEnd(i - 2) && DayAt(i - 3)) return i - 3;
    return DayAt(i + 1) ? i + 1 : 0;
  }

  void MonthAt(size_t i, uint16_t month) {
    const size_t day_at = DayBeside(i);
    const bool day = DayAt(day_at) && (day_at == i + 1 || (day_at < i && i - day_at <= 3));
    const std::string_view text = Text(i);
    // May, March and short forms are other words too.
    const bool doubtful = text.size() <= 4 || text == "march" || text == "marzo";
    const bool year = Plain(i + 1) >= 1000 || (IsSymbol(i + 1, ',') && Plain(i + 2) >= 1000);
    const bool capital = At(i).Has(Lexeme::kCapital) && !At(i).Has(Lexeme::kStart);
    if (doubtful && !day && !year && !capital) return;
    Emit(kMonth, month, i, i);
    if (!day) return;
    Emit(kDay, static_cast<uint64_t>(Plain(day_at)), day_at, day_at);
    Use(day_at, day_at);
  }
  bool DayAt(size_t i) const {
    const int day = Plain(i);
    return day >= 1 && day <= 31;
  }
  bool IsOrdinalEnd(size_t i) const {
    if (!Is(i, Lexeme::kWord) || !At(i).Has(Lexeme::kGlued)) return false;
    const std::string_view text = Text(i);
    return text == "st" || text == "nd" || text == "rd" || text == "th";
  }

  // "The day after tomorrow", "the day before yesterday".
  static constexpr uint64_t kBeyond = 50;
  bool IsDayBeyond(size_t i) const {
    if (i < 2 || !Is(i - 1, Lexeme::kWord) || !Is(i - 2, Lexeme::kWord)) return false;
    return Text(i - 2) == "day" && (Text(i - 1) == "after" || Text(i - 1) == "before");
  }

  void WhichAt(size_t i, uint16_t which) {
    if (!Is(i + 1, Lexeme::kWord)) return;
    Words().Find(At(i + 1).hash, [&](const Table::Entry& e) {
      if (e.group == kSpan || e.group == kWeekdays) {
        Emit(kRelative, uint64_t{100} + 100 * uint64_t{which} + 20 * uint64_t{e.group} + e.side, i,
             i + 1);
      }
    });
  }

  const Scan& scan_;
  Facts* facts_;
};

}  // namespace

void FindDates(const Scan& scan, Facts* facts) { DateFinder(scan, facts).Run(); }

}  // namespace weir::meaning
