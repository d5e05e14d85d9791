// Numbers with their units: 1,000 and 1000, "twenty-five" and 25, 1.5 hours and 90 minutes.

#include <algorithm>
#include <array>

#include "meaning/facts.h"
#include "meaning/word_table.h"

namespace weir::meaning {
namespace {

// A decimal number: mantissa × 10^exponent, the mantissa without zeros at its end.
struct Decimal {
  uint64_t mantissa = 0;
  int exponent = 0;
  bool negative = false;
  bool sound = true;  // else too long to be exact: `mantissa` is a hash of the digits

  void Normalise() {
    if (!sound) return;
    while (mantissa != 0 && mantissa % 10 == 0) {
      mantissa /= 10;
      ++exponent;
    }
    if (mantissa == 0) exponent = 0;
  }
  void Times(uint64_t factor, int power) {
    if (!sound) return;
    if (mantissa > UINT64_MAX / factor) {
      sound = false;
    } else {
      mantissa *= factor;
      exponent += power;
    }
  }
};

// A unit in its dimension: `factor` × 10^power base units.
struct Unit {
  uint8_t dimension;  // 0: none
  uint32_t factor;
  int8_t power;
};
enum Dimension : uint8_t {
  kNoUnit,
  kPercent,
  kLength,
  kMass,
  kVolume,
  kTime,
  kMonths,
  kBytes,
  kBits,
  kCelsius,
  kFahrenheit,
  kDollar,
  kEuro,
  kPound,
  kYen,
  kRupee,
  kKelvin,
  kPower,
  kEnergy,
  kVoltage,
  kFrequency,
  kPixels,
  kCalories,
  kTimes,
  kDegrees,
  kHectare,
  kSpeed,
  kMiles,
  kYuan,
  kCurrent,
  kMinutesOrMetres,
};

// The groups of kUnitWords, in its order.
constexpr Unit kUnits[] = {
    {kPercent, 1, 0},      {kLength, 1, 6},     {kLength, 1, 3},       {kLength, 1, 1},
    {kLength, 1, 0},       {kLength, 254, -1},  {kLength, 3048, -1},   {kLength, 9144, -1},
    {kLength, 1609344, 0}, {kMass, 1, 6},       {kMass, 1, 3},         {kMass, 1, 0},
    {kMass, 1, -3},        {kMass, 1, 9},       {kMass, 45359237, -2}, {kMass, 2834952, -2},
    {kVolume, 1, 3},       {kVolume, 1, 0},     {kVolume, 1, 1},       {kVolume, 3785412, -3},
    {kTime, 1, -3},        {kTime, 1, 0},       {kTime, 60, 0},        {kTime, 3600, 0},
    {kTime, 86400, 0},     {kTime, 604800, 0},  {kMonths, 1, 0},       {kMonths, 12, 0},
    {kBytes, 1, 0},        {kBytes, 1, 3},      {kBytes, 1, 6},        {kBytes, 1, 9},
    {kBytes, 1, 12},       {kBytes, 1024, 0},   {kBytes, 1048576, 0},  {kBytes, 1073741824, 0},
    {kBits, 1, 6},         {kBits, 1, 9},       {kCelsius, 1, 0},      {kFahrenheit, 1, 0},
    {kDollar, 1, 0},       {kEuro, 1, 0},       {kPound, 1, 0},        {kYen, 1, 0},
    {kRupee, 1, 0},        {kYuan, 1, 0},       {kPower, 1, 0},        {kPower, 1, 3},
    {kEnergy, 1, 3},       {kVoltage, 1, 0},    {kFrequency, 1, 0},    {kFrequency, 1, 6},
    {kFrequency, 1, 9},    {kPixels, 1, 0},     {kCalories, 1, 0},     {kTimes, 1, 0},
    {kDegrees, 1, 0},      {kHectare, 1, 0},    {kSpeed, 1, 0},        {kSpeed, 1609344, -6},
    {kMonths, 120, 0},     {kMonths, 1200, 0},  {kTime, 1, -6},        {kVolume, 236588, -3},
    {kVolume, 14787, -3},  {kVolume, 4929, -3}, {kCurrent, 1, 0},
};
constexpr std::string_view kUnitWords =
    "percent prozent pct pourcent;km kilometer kilometre kilometern kilometros;"
    "meter metre meters metern metros;cm centimeter centimetre zentimeter;mm millimeter millimetre;"
    "inch inches zoll;ft foot feet;yard yd yards;mile mi meile millas;"
    "kg kilogram kilo kilogramm kilos;g gram gramm grams;mg milligram milligramm;"
    "mcg microgram ug;tonne tonnen;lb lbs;oz ounce;"
    "liter litre litro litern;ml milliliter millilitre;cl centiliter;gallon gal;"
    "ms millisecond millisekunde;second sec secs sekunde sekunden seconde segundo segundos;"
    "minute min mins minuten minuto minutos;hour hr hrs stunde stunden heure hora horas;"
    "day tag tagen tage jour dia dias;week wk woche wochen semaine semana semanas;"
    "month monat monate monaten mois mes meses;year yr yrs jahr jahre jahren ans annee ano anos;"
    "byte bytes;kb kilobyte;mb megabyte;gb gigabyte gigs gig;tb terabyte;kib;mib;gib;"
    "mbps mbit megabit;gbps gbit gigabit;celsius;fahrenheit;"
    "usd dollar dollars;eur euro euros;gbp sterling;yen jpy;inr rupee rupees;yuan cny rmb;"
    "watt watts;kw kilowatt;kwh;volt volts;hz hertz;mhz megahertz;ghz gigahertz;px pixel pixels;"
    "calorie kcal kalorien;times x mal fois veces;degree degrees grad;hectare hectares;"
    "kmh kph;mph;decade;century;us microsecond;cup cups;tablespoon tbsp;teaspoon tsp;amp amps";
// Letters that are units only right behind the digits.
constexpr std::string_view kGluedWords = "g|l|s|h|d|w|c|f|v|m|b|t|kg";

struct Scale {
  std::string_view name;
  uint64_t factor;
};
// The groups of kScaleWords.
constexpr uint8_t kScalePowers[] = {3, 6, 9, 12};
constexpr std::string_view kScaleWords =
    "thousand tausend mille mil|million millionen millions mn mio millon millones|"
    "billion bn milliarde milliarden milliard milliards|trillion";

constexpr std::string_view kSmallWords =
    "zero null|one|two zwei deux dos|three drei trois tres|four vier quatre cuatro|"
    "five funf cinq cinco|six sechs seis|seven sieben sept siete|eight acht huit ocho|"
    "nine neun neuf nueve|ten zehn dix diez|eleven elf onze|twelve zwolf douze doce|"
    "thirteen dreizehn treize trece|fourteen vierzehn quatorze catorce|"
    "fifteen funfzehn quinze quince|sixteen sechzehn seize|seventeen siebzehn|eighteen achtzehn|"
    "nineteen neunzehn";
constexpr std::string_view kTensWords =
    "twenty zwanzig vingt veinte|thirty dreissig trente treinta|forty vierzig quarante cuarenta|"
    "fifty funfzig cinquante cincuenta|sixty sechzig soixante sesenta|seventy siebzig setenta|"
    "eighty achtzig ochenta|ninety neunzig noventa";
constexpr std::string_view kOrdinalWords =
    "third dritte tercero|fourth vierte|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth";

using Table = WordTable<512>;

const Table& UnitTable() {
  static const Table table(kUnitWords, Table::kExact);
  return table;
}
const Table& GluedTable() {
  static const Table table(kGluedWords, Table::kExact);
  return table;
}
const Table& NumberTable() {
  // Groups: 0 small, 1 tens, 2 scales, 3 hundred and dozen, 4 ordinals, 5 halves.
  static const Table table(
      [] {
        std::string text;
        for (const std::string_view part : {kSmallWords, kTensWords, kScaleWords}) {
          text.append(part).push_back(';');
        }
        text.append("hundred hundert cent cien|dozen dutzend;").append(kOrdinalWords);
        return text.append(";half");
      }(),
      Table::kExact);
  return table;
}

class NumberFinder {
 public:
  NumberFinder(const Scan& scan, Facts* facts) : scan_(scan), facts_(facts) {}

  void Run() {
    for (size_t i = 0; i < scan_.lexemes.size();) i = Step(i);
  }

 private:
  const Lexeme& At(size_t i) const { return scan_.lexemes[i]; }
  bool Is(size_t i, Lexeme::Kind kind) const {
    return i < scan_.lexemes.size() && At(i).kind == kind;
  }
  bool IsSymbol(size_t i, std::string_view text) const {
    return Is(i, Lexeme::kSymbol) && scan_.Source(At(i)) == text;
  }

  size_t Step(size_t i) {
    if (facts_->used[i]) return i + 1;
    if (Is(i, Lexeme::kNumber)) return Digits(i);
    if (Is(i, Lexeme::kWord)) return Words(i);
    if (Is(i, Lexeme::kIdentifier)) Version(i);
    return i + 1;
  }

  size_t Digits(size_t i) {
    Decimal d;
    if (!ParseDigits(scan_.Folded(At(i)), &d)) {
      Emit(i, i + 1, At(i).hash, kNoUnit, 0);
      return i + 1;
    }
    const bool minus = i > 0 && (IsSymbol(i - 1, "-") || IsSymbol(i - 1, "\xe2\x88\x92")) &&
                       At(i).Has(Lexeme::kGlued) && !At(i - 1).Has(Lexeme::kGlued);
    d.negative = minus;
    size_t next = i + 1;
    if (Is(next, Lexeme::kWord) && At(next).Has(Lexeme::kGlued)) {
      const std::string_view suffix = scan_.Folded(At(next));
      if (suffix == "k") {
        d.Times(1, 3);
        ++next;
      } else if (suffix == "st" || suffix == "nd" || suffix == "rd" || suffix == "th") {
        ++next;
      }
    }
    return Finish(i, ScaleAfter(next, &d), d, 0);
  }

  // v2.10 is 2.10.
  void Version(size_t i) {
    std::string_view text = scan_.Folded(At(i));
    if (text.size() < 2 || text[0] != 'v' || text[1] < '0' || text[1] > '9') return;
    text.remove_prefix(1);
    Decimal d;
    if (ParseDigits(text, &d)) {
      Finish(i, i + 1, d, 0);
    } else {
      Emit(i, i + 1, WordHash(text), kNoUnit, 0);
    }
  }

  // "million" and the like behind digits or words.
  size_t ScaleAfter(size_t i, Decimal* d) const {
    while (Is(i, Lexeme::kWord)) {
      const Table::Entry* e = NumberTable().First(At(i).hash);
      if (e == nullptr || (e->group != 2 && e->group != 3)) break;
      if (e->group == 2) {
        d->Times(1, kScalePowers[e->side]);
      } else {
        d->Times(e->side == 0 ? 100 : 12, 0);
      }
      ++i;
    }
    return i;
  }

  // twenty-five, two hundred and fifty thousand.
  size_t Words(size_t i) {
    uint64_t total = 0, current = 0;
    size_t next = i, words = 0;
    bool only_one = false;
    for (; Is(next, Lexeme::kWord) && words < 12; ++next) {
      const Table::Entry* e = NumberTable().First(At(next).hash);
      if (e == nullptr) {
        const bool joins = words > 0 && scan_.Folded(At(next)) == "and" && JoinsNumber(next);
        if (!joins) break;
        continue;
      }
      if (e->group == 5) return words == 0 ? Half(i) : Finish(i, next, {total + current}, 0);
      if (!Add(*e, words, &total, &current)) break;
      only_one = words == 0 && e->group == 0 && e->side == 1;
      ++words;
      if (IsSymbol(next + 1, "-") && Is(next + 2, Lexeme::kWord) &&
          NumberTable().First(At(next + 2).hash) != nullptr) {
        ++next;
      }
    }
    if (words == 0) return i + 1;
    return Finish(i, next, {total + current}, only_one && next == i + 1 ? kWeak : 0);
  }

  size_t Half(size_t i) { return Finish(i, i + 1, {5, -1}, kWeak); }

  // "and" belongs to a number only behind a hundred or a scale.
  bool JoinsNumber(size_t i) const {
    const Table::Entry* before = NumberTable().First(At(i - 1).hash);
    if (before == nullptr || (before->group != 2 && before->group != 3)) return false;
    if (!Is(i + 1, Lexeme::kWord)) return false;
    const Table::Entry* after = NumberTable().First(At(i + 1).hash);
    return after != nullptr && after->group <= 1;
  }

  static bool Add(const Table::Entry& e, size_t words, uint64_t* total, uint64_t* current) {
    switch (e.group) {
      case 0:
        if (words > 0 && *current % 10 != 0) return false;
        *current += e.side;
        return true;
      case 1:
        if (words > 0 && *current % 100 != 0) return false;
        *current += 20 + 10 * uint64_t{e.side};
        return true;
      case 2: {
        if (words == 0) return false;  // "millions of": no number
        uint64_t factor = 1;
        for (int k = 0; k < kScalePowers[e.side]; ++k) factor *= 10;
        if (*current == 0 || *current > 1000000) return false;
        *total += *current * factor;
        *current = 0;
        return true;
      }
      case 3:
        if (words == 0) *current = 1;
        if (*current > 1000000) return false;
        *current *= e.side == 0 ? 100 : 12;
        return true;
      case 4:
        if (words > 0) return false;
        *current += 3 + uint64_t{e.side};
        return true;
      default:
        return false;
    }
  }

  // The digits of a lexeme: which separators part thousands and which is the decimal point.
  bool ParseDigits(std::string_view text, Decimal* d) const {
    size_t points = 0, groups_of_three = 0, last = std::string_view::npos;
    bool mixed = false;
    char separator = 0;
    std::array<char, 64> digits;
    size_t n = 0, after_last = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c >= 'a' && c <= 'z') return false;
      if (c >= '0' && c <= '9') {
        if (n == digits.size()) return false;
        digits[n++] = c;
        ++after_last;
        continue;
      }
      if (points > 0 && after_last == 3) ++groups_of_three;
      if (separator != 0 && c != separator) mixed = true;
      if (static_cast<unsigned char>(c) >= 0x80 && last == i - 1) continue;  // of one character
      separator = c;
      last = i;
      ++points;
      after_last = 0;
    }
    const bool three = points > 0 && after_last == 3;
    size_t decimals = 0;
    if (points > 0) {
      const bool all_three = three && groups_of_three == points - 1;
      if (points > 1 && !mixed && !all_three) return false;  // a version, an address
      const bool parts_thousands = points > 1 || (three && PartsThousands(text, last, separator));
      if (mixed || !parts_thousands) decimals = after_last;
    }
    return FromDigits({digits.data(), n}, decimals, d);
  }

  // One separator with three digits behind it.
  bool PartsThousands(std::string_view text, size_t at, char separator) const {
    if (at > 3 || text[0] == '0') return false;
    if (separator != '.' && separator != ',') return true;
    if (text.substr(at + 1) == "000") return true;
    const bool comma_is_point =
        facts_->language == Language::kGerman || facts_->language == Language::kSpanish ||
        facts_->language == Language::kFrench || facts_->language == Language::kItalian ||
        facts_->language == Language::kPortuguese || facts_->language == Language::kDutch;
    return (separator == ',') != comma_is_point;
  }

  static bool FromDigits(std::string_view digits, size_t decimals, Decimal* d) {
    while (decimals > 0 && !digits.empty() && digits.back() == '0') {
      digits.remove_suffix(1);
      --decimals;
    }
    while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
    d->exponent = -static_cast<int>(decimals);
    if (digits.size() > 18) {
      d->sound = false;
      d->mantissa = WordHash(digits);
      return true;
    }
    for (const char c : digits) d->mantissa = 10 * d->mantissa + static_cast<uint64_t>(c - '0');
    return true;
  }

  // Looks for the unit on both sides and writes the fact. `end` is behind the number.
  size_t Finish(size_t begin, size_t end, Decimal d, uint8_t flags) {
    size_t first = begin;
    Unit unit = CurrencyBefore(begin, &first);
    if (unit.dimension == kNoUnit) unit = UnitAt(&end);
    if (unit.dimension != kNoUnit) d.Times(unit.factor, unit.power);
    if (unit.dimension != kNoUnit) flags = 0;
    d.Normalise();
    const uint64_t value =
        (d.mantissa * 0x9e3779b97f4a7c15u) ^
        (static_cast<uint64_t>(d.exponent + 512) << 8 | (d.negative ? 4 : 0) | (d.sound ? 0 : 2)) *
            0xd6e8feb86659fd93u;
    Emit(first, end, value, unit.dimension, flags);
    return end;
  }

  Unit CurrencyBefore(size_t i, size_t* first) const {
    if (i == 0) return {};
    if (Is(i - 1, Lexeme::kSymbol)) {
      static constexpr std::string_view kSigns[] = {"$", "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5",
                                                    "\xe2\x82\xb9"};
      static constexpr Dimension kCurrencies[] = {kDollar, kEuro, kPound, kYen, kRupee};
      for (size_t k = 0; k < 5; ++k) {
        if (scan_.Source(At(i - 1)) == kSigns[k]) {
          *first = i - 1;
          return {static_cast<uint8_t>(kCurrencies[k]), 1, 0};
        }
      }
    }
    if (Is(i - 1, Lexeme::kWord) && At(i - 1).Has(Lexeme::kAllCaps)) {
      const Table::Entry* e = UnitTable().First(At(i - 1).hash);
      if (e != nullptr) {
        const Unit unit = kUnits[e->group];
        if (unit.dimension >= kDollar && unit.dimension <= kRupee) {
          *first = i - 1;
          return unit;
        }
      }
    }
    return {};
  }

  // The unit at *end, past a hyphen; moves *end behind it.
  Unit UnitAt(size_t* end) const {
    size_t i = *end;
    if (IsSymbol(i, "%")) {
      *end = i + 1;
      return {kPercent, 1, 0};
    }
    if (IsSymbol(i, "\xe2\x82\xac")) {
      *end = i + 1;
      return {kEuro, 1, 0};
    }
    bool degree = false;
    if (IsSymbol(i, "-") || IsSymbol(i, "\xc2\xb0")) {
      degree = !IsSymbol(i, "-");
      ++i;
    }
    if (!Is(i, Lexeme::kWord)) return degree ? Unit{kDegrees, 1, 0} : Unit{};
    if (degree || At(i).Has(Lexeme::kGlued) || IsScale(i)) {
      if (const Table::Entry* e = GluedTable().First(At(i).hash)) {
        *end = i + 1;
        return Glued(e->side, degree || IsScale(i));
      }
    }
    if (const Table::Entry* e = UnitTable().First(At(i).hash)) return WithUnit(i, *e, end);
    if (const Table::Entry* e = UnitTable().First(PluralLess(i))) return WithUnit(i, *e, end);
    return {};
  }

  // "180 C", "350 F".
  bool IsScale(size_t i) const {
    return At(i).Has(Lexeme::kCapital) &&
           (scan_.Folded(At(i)) == "c" || scan_.Folded(At(i)) == "f");
  }

  uint64_t PluralLess(size_t i) const {
    std::string_view word = scan_.Folded(At(i));
    if (word.size() > 2 && word.back() == 's') word.remove_suffix(1);
    return WordHash(word);
  }

  Unit WithUnit(size_t i, const Table::Entry& e, size_t* end) const {
    Unit unit = kUnits[e.group];
    *end = i + 1;
    if (unit.dimension == kDegrees && Is(i + 1, Lexeme::kWord)) {
      const Table::Entry* next = UnitTable().First(At(i + 1).hash);
      if (next != nullptr && (kUnits[next->group].dimension == kCelsius ||
                              kUnits[next->group].dimension == kFahrenheit)) {
        *end = i + 2;
        return kUnits[next->group];
      }
    }
    return unit;
  }

  static Unit Glued(uint16_t side, bool degree) {
    switch (side) {
      case 0:
        return {kMass, 1, 3};
      case 1:
        return {kVolume, 1, 3};
      case 2:
        return {kTime, 1, 0};
      case 3:
        return {kTime, 3600, 0};
      case 4:
        return {kTime, 86400, 0};
      case 5:
        return {kPower, 1, 0};
      case 6:
        return degree ? Unit{kCelsius, 1, 0} : Unit{};
      case 7:
        return degree ? Unit{kFahrenheit, 1, 0} : Unit{};
      case 8:
        return {kVoltage, 1, 0};
      case 9:
        return {kMinutesOrMetres, 1, 0};  // or millions: agrees with itself only
      case 10:
        return {kMinutesOrMetres, 2, 0};
      case 11:
        return {kMass, 1, 9};
      default:
        return {kMass, 1, 6};
    }
  }

  void Emit(size_t first, size_t end, uint64_t value, uint8_t dimension, uint8_t flags) {
    for (size_t k = first; k < end; ++k) facts_->used[k] = true;
    Fact fact{Guard::kNumbers, 0, value ^ (uint64_t{dimension} << 56)};
    fact.begin = At(first).begin;
    fact.end = At(end - 1).end;
    fact.flags = flags;
    facts_->facts.push_back(fact);
  }

  const Scan& scan_;
  Facts* facts_;
};

}  // namespace

void FindNumbers(const Scan& scan, Facts* facts) { NumberFinder(scan, facts).Run(); }

}  // namespace weir::meaning
