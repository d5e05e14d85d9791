#include "limits/rules.h"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "base/text.h"

namespace weir::limits {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr int64_t kMinWindowNs = kSecond;
constexpr int64_t kMaxWindowNs = 366 * kDay;

absl::Status Invalid(size_t index, const Rule& rule, std::string_view field, std::string_view why) {
  const std::string name = rule.name.substr(0, kMaxNameBytes);
  return absl::InvalidArgumentError(
      Concat({"limits rule ", std::to_string(index), " \"", name, "\": ", field, " ", why}));
}

std::string OutOfRange(const std::string& value, const std::string& low, const std::string& high) {
  return Concat({"is ", value, ", must be ", low, " to ", high});
}

absl::Status ValidateRule(size_t index, const Rule& rule) {
  if (rule.name.empty() || rule.name.size() > kMaxNameBytes) {
    return Invalid(index, rule, "name",
                   OutOfRange(std::to_string(rule.name.size()) + " bytes long", "1",
                              std::to_string(kMaxNameBytes)));
  }
  if (rule.algorithm != Algorithm::kSlidingWindow && rule.algorithm != Algorithm::kTokenBucket) {
    return Invalid(index, rule, "algorithm", "is unknown");
  }
  const std::string max_amount = std::to_string(kMaxAmount);
  if (rule.amount == 0 || rule.amount > kMaxAmount) {
    return Invalid(index, rule, "amount", OutOfRange(std::to_string(rule.amount), "1", max_amount));
  }
  if (rule.window_ns < kMinWindowNs || rule.window_ns > kMaxWindowNs) {
    return Invalid(index, rule, "window_ns",
                   OutOfRange(std::to_string(rule.window_ns), std::to_string(kMinWindowNs),
                              std::to_string(kMaxWindowNs)));
  }
  if (rule.burst > kMaxAmount) {
    return Invalid(index, rule, "burst", OutOfRange(std::to_string(rule.burst), "0", max_amount));
  }
  if (rule.burst != 0 && rule.algorithm != Algorithm::kTokenBucket) {
    return Invalid(index, rule, "burst", "belongs to a token bucket only");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateRules(absl::Span<const Rule> rules) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (absl::Status status = ValidateRule(i, rules[i]); !status.ok()) return status;
    if (!names.insert(rules[i].name).second) {
      return Invalid(i, rules[i], "name", "is also that of an earlier rule");
    }
  }
  return absl::OkStatus();
}

}  // namespace weir::limits
