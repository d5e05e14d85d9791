#include "base/time.h"

#include <charconv>
#include <limits>

#include "base/saturating.h"
#include "base/text.h"

namespace weir {
namespace {

struct Unit {
  std::string_view name;
  int64_t ns;
};
// Largest first: a combination names each unit once, in this order.
constexpr Unit kUnits[] = {{"d", kDay},    {"h", kHour},         {"m", kMinute},
                           {"s", kSecond}, {"ms", kMillisecond}, {"us", kMicrosecond},
                           {"ns", 1}};
constexpr Unit kIsoDateUnits[] = {{"W", 7 * kDay}, {"D", kDay}};
constexpr Unit kIsoTimeUnits[] = {{"H", kHour}, {"M", kMinute}, {"S", kSecond}};

// Reads "<digits><unit>" groups, each unit later in `units` than the one before.
std::optional<int64_t> SumGroups(std::string_view text, const Unit* units, size_t unit_count) {
  int64_t total = 0;
  size_t next_unit = 0;
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0 || text[0] == '-') return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    size_t letters = 0;
    while (letters < text.size() && (text[letters] < '0' || text[letters] > '9')) ++letters;
    const std::string_view name = text.substr(0, letters);
    while (next_unit < unit_count && units[next_unit].name != name) ++next_unit;
    if (next_unit == unit_count) return std::nullopt;
    const int64_t part = SaturatingMul(number, units[next_unit].ns);
    total = SaturatingAdd(total, part);
    if (total == std::numeric_limits<int64_t>::max()) return std::nullopt;
    ++next_unit;
    text.remove_prefix(letters);
  }
  return total;
}

std::optional<int64_t> ParseIso(std::string_view text) {
  text.remove_prefix(1);  // P
  const size_t t = text.find('T');
  const std::string_view date = text.substr(0, t);
  const std::string_view time = t == std::string_view::npos ? "" : text.substr(t + 1);
  if (date.empty() && time.empty()) return std::nullopt;
  if (t != std::string_view::npos && time.empty()) return std::nullopt;
  const auto days = SumGroups(date, kIsoDateUnits, std::size(kIsoDateUnits));
  const auto rest = SumGroups(time, kIsoTimeUnits, std::size(kIsoTimeUnits));
  if (!days || !rest) return std::nullopt;
  return SaturatingAdd(*days, *rest);
}

}  // namespace

std::optional<int64_t> ParseDurationNs(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text[0] == 'P') return ParseIso(text);
  return SumGroups(text, kUnits, std::size(kUnits));
}

std::string FormatResetDuration(int64_t ns) {
  const uint64_t total_ms =
      ns <= 0 ? 0 : static_cast<uint64_t>(ns / kMillisecond + (ns % kMillisecond != 0 ? 1 : 0));
  std::string text;
  const auto write = [&text](uint64_t number, std::string_view unit) {
    text += std::string_view(Decimal(number));
    text += unit;
  };
  if (total_ms == 0) return "0s";
  if (total_ms < 1000) {
    write(total_ms, "ms");
    return text;
  }
  const uint64_t hours = total_ms / 3600000;
  const uint64_t minutes = total_ms / 60000 % 60;
  if (hours > 0) write(hours, "h");
  if (hours > 0 || minutes > 0) write(minutes, "m");
  write(total_ms / 1000 % 60, "");
  if (uint64_t ms = total_ms % 1000; ms != 0) {
    text += '.';
    for (uint64_t unit = 100; ms != 0; ms %= unit, unit /= 10) {
      text += static_cast<char>('0' + ms / unit);
    }
  }
  text += 's';
  return text;
}

}  // namespace weir
