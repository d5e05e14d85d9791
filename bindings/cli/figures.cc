#include "figures.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "console.h"

namespace weir::cli {
namespace {

// How many characters a text has.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

}  // namespace

std::string Grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string SizeText(uint64_t bytes) {
  constexpr std::string_view kUnits[] = {" KiB", " MiB", " GiB", " TiB"};
  uint64_t tenths = (bytes * 10 + 1023) / 1024;
  size_t unit = 0;
  for (; tenths >= 10240 && unit + 1 < std::size(kUnits); ++unit) tenths = (tenths + 512) / 1024;
  return Concat({std::to_string(tenths / 10), ".", std::to_string(tenths % 10), kUnits[unit]});
}

std::string ShareText(uint64_t used, uint64_t amount) {
  constexpr uint64_t kMost = UINT64_MAX / 1000;
  if (amount == 0 || used > kMost) return "-";
  const uint64_t tenths = used * 1000 / amount;
  return Concat({std::to_string(tenths / 10), ".", std::to_string(tenths % 10), "%"});
}

std::string DurationText(uint64_t ms) {
  struct Unit {
    uint64_t ms;
    std::string_view word;
  };
  constexpr Unit kUnits[] = {{86400000, " d"}, {3600000, " h"}, {60000, " min"}, {1000, " s"}};
  if (ms < 1000) return std::to_string(ms) + " ms";
  for (size_t i = 0; i < std::size(kUnits); ++i) {
    if (ms < kUnits[i].ms) continue;
    std::string text = Concat({std::to_string(ms / kUnits[i].ms), kUnits[i].word});
    if (i + 1 == std::size(kUnits)) return text;
    const uint64_t rest = ms % kUnits[i].ms / kUnits[i + 1].ms;
    return rest == 0 ? text : Concat({text, " ", std::to_string(rest), kUnits[i + 1].word});
  }
  return {};
}

std::string ShownName(const std::string& name) {
  std::string shown = name.empty() ? std::string("(unknown)") : name;
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; }, '?');
  return shown;
}

std::string TableOf(const std::vector<std::vector<std::string>>& rows, size_t text_columns,
                    const std::string& indent) {
  std::vector<size_t> widths(rows.empty() ? 0 : rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    out += indent;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string padding(widths[i] - Width(row[i]), ' ');
      if (i > 0) out += "  ";
      out += i < text_columns ? row[i] + padding : padding + row[i];
    }
    out += "\n";
  }
  return out;
}

}  // namespace weir::cli
