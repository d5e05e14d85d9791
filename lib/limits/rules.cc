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
constexpr int64_t kMaxLeaseNs = kDay;

// Complains of one rule.
class RuleReader {
 public:
  RuleReader(size_t index, const Rule& rule) : index_(index), rule_(rule) {}

  absl::Status Invalid(std::string_view field, std::string_view why) const {
    const std::string name = rule_.name.substr(0, kMaxNameBytes);
    return absl::InvalidArgumentError(
        Concat({"limits rule ", std::to_string(index_), " \"", name, "\": ", field, " ", why}));
  }

  template <typename T>
  absl::Status Range(std::string_view field, T value, T low, T high) const {
    if (value >= low && value <= high) return absl::OkStatus();
    return Invalid(field, Concat({"is ", std::to_string(value), ", must be ", std::to_string(low),
                                  " to ", std::to_string(high)}));
  }

  absl::Status Check() const {
    const Algorithm algorithm = rule_.algorithm;
    if (rule_.name.empty() || rule_.name.size() > kMaxNameBytes) {
      return Invalid("name", Concat({"is ", std::to_string(rule_.name.size()),
                                     " bytes long, must be 1 to ", std::to_string(kMaxNameBytes)}));
    }
    if (algorithm > Algorithm::kConcurrency) return Invalid("algorithm", "is unknown");
    absl::Status status = Range("amount", rule_.amount, uint64_t{1}, kMaxAmount);
    if (status.ok()) status = CheckWindow();
    if (status.ok()) status = Range("burst", rule_.burst, uint64_t{0}, kMaxAmount);
    if (status.ok() && rule_.burst != 0 && algorithm != Algorithm::kTokenBucket) {
      status = Invalid("burst", "belongs to a token bucket only");
    }
    if (status.ok() && algorithm > Algorithm::kTokenBucket) status = CheckLease();
    if (status.ok() && rule_.share) status = CheckShare();
    return status;
  }

 private:
  absl::Status CheckWindow() const {
    switch (rule_.algorithm) {
      case Algorithm::kCalendar:
        if (rule_.window_ns != 0) return Invalid("window_ns", "is not for calendar periods");
        if (rule_.period > Period::kLifetime) return Invalid("period", "is unknown");
        return Range("week_start", rule_.week_start, 1, 7);
      case Algorithm::kConcurrency:
        if (rule_.window_ns != 0) return Invalid("window_ns", "is not for concurrency");
        return absl::OkStatus();
      default:
        return Range("window_ns", rule_.window_ns, kMinWindowNs, kMaxWindowNs);
    }
  }

  absl::Status CheckLease() const {
    if (rule_.lease_ns == 0 && rule_.algorithm != Algorithm::kConcurrency) return absl::OkStatus();
    return Range("lease_ns", rule_.lease_ns, kSecond, kMaxLeaseNs);
  }

  absl::Status CheckShare() const {
    if (rule_.algorithm != Algorithm::kSlidingWindow) {
      return Invalid("share", "belongs to a sliding window only");
    }
    return Range("share_floor", rule_.share_floor, uint64_t{0}, rule_.amount);
  }

  const size_t index_;
  const Rule& rule_;
};

}  // namespace

absl::Status ValidateRules(absl::Span<const Rule> rules) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < rules.size(); ++i) {
    const RuleReader reader(i, rules[i]);
    if (absl::Status status = reader.Check(); !status.ok()) return status;
    if (!names.insert(rules[i].name).second) {
      return reader.Invalid("name", "is also that of an earlier rule");
    }
  }
  return absl::OkStatus();
}

}  // namespace weir::limits
