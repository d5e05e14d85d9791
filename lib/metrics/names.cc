#include "metrics/names.h"

#include <algorithm>
#include <utility>

namespace weir::metrics {
namespace {

using Words = std::pair<std::string_view, std::string_view>;

// The UCUM codes that OpenTelemetry's conventions use, and what Prometheus calls them.
constexpr Words kUnits[] = {
    {"d", "days"},          {"h", "hours"},         {"min", "minutes"},    {"s", "seconds"},
    {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},
    {"KiBy", "kibibytes"},  {"MiBy", "mebibytes"},  {"GiBy", "gibibytes"}, {"TiBy", "tebibytes"},
    {"kBy", "kilobytes"},   {"MBy", "megabytes"},   {"GBy", "gigabytes"},  {"TBy", "terabytes"},
    {"bit", "bits"},        {"m", "meters"},        {"V", "volts"},        {"A", "amperes"},
    {"J", "joules"},        {"W", "watts"},         {"g", "grams"},        {"Cel", "celsius"},
    {"Hz", "hertz"},        {"%", "percent"},
};
constexpr Words kPerUnits[] = {
    {"s", "second"}, {"ms", "millisecond"}, {"min", "minute"}, {"h", "hour"},  {"d", "day"},
    {"wk", "week"},  {"mo", "month"},       {"a", "year"},     {"By", "byte"},
};

template <size_t kSize>
std::string_view FullWord(const Words (&words)[kSize], std::string_view code) {
  const auto* found = std::find_if(std::begin(words), std::end(words),
                                   [&](const Words& word) { return word.first == code; });
  return found == std::end(words) ? code : found->second;
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Appends with everything else as single underscores; no two of them meet.
void AppendMapped(std::string_view text, bool allow_colon, std::string* out) {
  for (char c : text) {
    if (IsNameByte(c) || (allow_colon && c == ':')) {
      out->push_back(c);
    } else if (out->empty() || out->back() != '_') {
      out->push_back('_');
    }
  }
}

std::string Mapped(std::string_view text, bool allow_colon) {
  std::string mapped;
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') mapped.push_back('_');
  AppendMapped(text, allow_colon, &mapped);
  return mapped;
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// "By{packet}" → "By".
std::string WithoutAnnotations(std::string_view unit) {
  std::string plain;
  bool inside = false;
  for (char c : unit) {
    if (c == '{') inside = true;
    if (!inside) plain.push_back(c);
    if (c == '}') inside = false;
  }
  return plain;
}

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      break;
  }
  return "histogram";
}

std::string UnitWords(std::string_view unit, Kind kind) {
  if (unit == "1") return kind == Kind::kGauge ? "ratio" : "";
  const std::string without = WithoutAnnotations(unit);
  const std::string_view plain = without;
  const size_t slash = plain.find('/');
  std::string_view above = plain.substr(0, slash);
  if (above == "1") above = {};
  std::string words;
  AppendMapped(FullWord(kUnits, above), false, &words);
  if (slash == std::string_view::npos || slash + 1 == plain.size()) return words;
  words.append(words.empty() ? "per_" : "_per_");
  AppendMapped(FullWord(kPerUnits, plain.substr(slash + 1)), false, &words);
  return words;
}

std::string PrometheusName(std::string_view name, std::string_view unit, Kind kind) {
  constexpr std::string_view kTotal = "_total";
  std::string mapped = Mapped(name, true);
  // The unit goes before the type's suffix, also when the name brought that suffix along.
  if (kind == Kind::kCounter && mapped.size() > kTotal.size() && EndsWith(mapped, kTotal)) {
    mapped.resize(mapped.size() - kTotal.size());
  }
  const std::string words = UnitWords(unit, kind);
  if (!words.empty() && !EndsWith(mapped, "_" + words)) AppendMapped("_" + words, false, &mapped);
  if (kind == Kind::kCounter) AppendMapped(kTotal, false, &mapped);
  return mapped;
}

std::string PrometheusLabel(std::string_view name) { return Mapped(name, false); }

}  // namespace weir::metrics
