#include "tokens/loaded/json_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/text.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxShownBytes = 80;

std::string Message(std::string_view path, std::string_view what) {
  return Concat({"tokenizer.json: ", path, " ", what});
}

// 10^0 to 10^308, each the nearest double.
const std::array<double, 309>& PowersOfTen() {
  static const std::array<double, 309> powers = [] {
    std::array<double, 309> made = {};
    for (size_t i = 0; i < made.size(); ++i) {
      const std::string text = Concat({"1e", std::to_string(i)});
      std::from_chars(text.data(), text.data() + text.size(), made[i]);
    }
    return made;
  }();
  return powers;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void LoadErrors::Invalid(std::string_view path, std::string_view what) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(Message(path, what));
}

void LoadErrors::Unsupported(std::string_view path, std::string_view what) {
  if (status_.ok()) status_ = absl::UnimplementedError(Message(path, what));
}

void LoadErrors::Take(std::string_view path, const absl::Status& status) {
  if (status_.ok() && !status.ok()) {
    status_ = absl::Status(status.code(),
                           Concat({"tokenizer.json: ", path, ": ", StdView(status.message())}));
  }
}

Fields::Fields(json::Value object, std::string path, LoadErrors* errors)
    : object_(object), path_(std::move(path)), errors_(errors) {
  if (!object_.Is(json::Type::kObject)) errors_->Invalid(path_, "is not an object");
}

std::string Fields::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : Concat({path_, ".", key});
}

bool Fields::Bool(std::string_view key, bool default_value) const {
  const json::Value value = object_[key];
  if (!value || value.type() == json::Type::kNull) return default_value;
  if (value.type() != json::Type::kBool) errors_->Invalid(PathOf(key), "is not a boolean");
  return value.boolean();
}

std::string_view Fields::Text(std::string_view key) const {
  const json::Value value = object_[key];
  if (!value || value.type() == json::Type::kNull) return {};
  if (value.type() != json::Type::kString) {
    errors_->Invalid(PathOf(key), "is not a string");
    return {};
  }
  return value.text();
}

uint64_t Fields::Uint(std::string_view key, uint64_t default_value) const {
  const json::Value value = object_[key];
  if (!value || value.type() == json::Type::kNull) return default_value;
  const std::optional<uint64_t> number = value.Uint();
  if (!number) errors_->Invalid(PathOf(key), "is not a natural number");
  return number.value_or(default_value);
}

bool Fields::RequiredBool(std::string_view key) const {
  if (!object_[key].Is(json::Type::kBool)) errors_->Invalid(PathOf(key), "is not a boolean");
  return Bool(key, false);
}

std::string_view Fields::RequiredText(std::string_view key) const {
  if (!object_[key].Is(json::Type::kString)) errors_->Invalid(PathOf(key), "is not a string");
  return Text(key);
}

json::Value Fields::RequiredArray(std::string_view key) const {
  const json::Value value = object_[key];
  if (!value.Is(json::Type::kArray)) {
    errors_->Invalid(PathOf(key), "is not an array");
    return {};
  }
  return value;
}

void Fields::AllowOnly(std::initializer_list<std::string_view> keys) const {
  for (const json::Value member : object_.members()) {
    if (std::find(keys.begin(), keys.end(), member.key()) != keys.end()) continue;
    const std::string_view key = member.key();
    errors_->Unsupported(PathOf(key.substr(0, Utf8Prefix(key, kMaxShownBytes))), "is not known");
    return;
  }
}

std::string ItemPath(std::string_view path, size_t index) {
  return Concat({path, "[", std::to_string(index), "]"});
}

bool ReadScore(json::Value value, double* score) {
  if (!value.Is(json::Type::kNumber)) return false;
  std::string_view text = value.text();
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  uint64_t digits = 0;
  int64_t exponent = 0;
  bool full = false, fraction = false;
  size_t i = 0;
  for (; i < text.size() && (IsDigit(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    const auto digit = static_cast<uint64_t>(text[i] - '0');
    full = full || digits > (std::numeric_limits<uint64_t>::max() - digit) / 10;
    if (full) {
      if (!fraction) ++exponent;
    } else {
      digits = digits * 10 + digit;
      if (fraction) --exponent;
    }
  }
  if (i < text.size()) {
    std::string_view written = text.substr(i + 1);
    if (!written.empty() && written[0] == '+') written.remove_prefix(1);
    int64_t more = 0;
    if (!ParseInt64(written, &more) || more > 100'000 || more < -100'000) return false;
    exponent += more;
  }
  auto magnitude = static_cast<double>(digits);
  const auto& powers = PowersOfTen();
  constexpr int64_t kLargest = 308;
  while (exponent < -kLargest && magnitude != 0) {
    magnitude /= powers[kLargest];
    exponent += kLargest;
  }
  if (magnitude != 0 && exponent > kLargest) return false;
  if (magnitude != 0 && exponent < 0) magnitude /= powers[static_cast<size_t>(-exponent)];
  if (magnitude != 0 && exponent > 0) magnitude *= powers[static_cast<size_t>(exponent)];
  if (!std::isfinite(magnitude)) return false;
  *score = negative ? -magnitude : magnitude;
  return true;
}

}  // namespace weir::tokens
