#include "metrics/text.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace weir::metrics {
namespace {

// Runs without a special byte are copied whole.
void AppendEscaped(std::string_view text, bool escape_quotes, std::string* out) {
  const auto special = [escape_quotes](char c) {
    return c == '\\' || c == '\n' || (escape_quotes && c == '"');
  };
  while (true) {
    const auto* at = std::find_if(text.begin(), text.end(), special);
    out->append(text.begin(), at);
    if (at == text.end()) return;
    out->push_back('\\');
    out->push_back(*at == '\n' ? 'n' : *at);
    text.remove_prefix(static_cast<size_t>(at - text.begin()) + 1);
  }
}

}  // namespace

void AppendLabelValue(std::string_view text, std::string* out) { AppendEscaped(text, true, out); }

void AppendHelp(std::string_view text, bool escape_quotes, std::string* out) {
  while (true) {
    const size_t at = FindInvalidUtf8(text);
    AppendEscaped(text.substr(0, at), escape_quotes, out);
    if (at == std::string_view::npos) return;
    out->append("\xEF\xBF\xBD");
    text.remove_prefix(at + 1);
  }
}

void AppendInteger(uint128 value, std::string* out) {
  std::array<char, 40> digits;  // 2^128 has 39
  size_t begin = digits.size();
  // Almost every value fits 64 bits, whose division is many times cheaper.
  while (value > std::numeric_limits<uint64_t>::max()) {
    digits[--begin] = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  }
  auto rest = static_cast<uint64_t>(value);
  do {
    digits[--begin] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  out->append(digits.data() + begin, digits.size() - begin);
}

void AppendDecimal(uint128 value, uint64_t scale, std::string* out) {
  AppendInteger(value / scale, out);
  auto fraction = static_cast<uint64_t>(value % scale);
  if (fraction == 0) return;
  out->push_back('.');
  for (uint64_t place = scale / 10; fraction != 0; place /= 10) {
    out->push_back(static_cast<char>('0' + fraction / place));
    fraction %= place;
  }
}

std::string CanonicalFloat(std::string_view decimal) {
  const size_t point = std::min(decimal.find('.'), decimal.size());
  std::string digits(decimal.substr(0, point));
  if (point < decimal.size()) digits.append(decimal.substr(point + 1));
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return "0.0";
  // The place of the first digit that counts: 0 stands before the point.
  const int exponent = static_cast<int>(point) - 1 - static_cast<int>(first);
  if (exponent >= -4 && exponent < 6) {
    std::string plain(decimal);
    return point < decimal.size() ? plain : plain + ".0";
  }
  const std::string_view counting =
      std::string_view(digits).substr(first, digits.find_last_not_of('0') - first + 1);
  std::string text(counting.substr(0, 1));
  if (counting.size() > 1) text.append(".").append(counting.substr(1));
  const int distance = exponent < 0 ? -exponent : exponent;
  text.append(exponent < 0 ? "e-" : "e+").append(distance < 10 ? "0" : "");
  return text.append(std::to_string(distance));
}

void AppendHex(uint64_t value, std::string* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out->push_back(kDigits[value >> shift & 15]);
}

}  // namespace weir::metrics
