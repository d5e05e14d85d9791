#include "balance/plan.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_set>

#include "base/text.h"

namespace weir::balance {
namespace {

constexpr uint32_t kMaxPriority = 1000;
constexpr uint32_t kMaxWeight = 1000;
// log2(e) in units of 2^-48.
constexpr uint128 kLog2E = 406'082'553'034'800;

absl::Status CheckOptions(std::string_view pool, const PoolOptions& options) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(Concat({"pool \"", pool, "\": ", what}));
  };
  if (options.strategy > Strategy::kHash) return refuse("there is no such strategy");
  if (options.hold_down_ns < 0 || options.hold_down_ns > kDay) {
    return refuse("hold_down_ns must be 0 to 1 day");
  }
  if (options.latency_decay_ns < kSecond || options.latency_decay_ns > kHour) {
    return refuse("latency_decay_ns must be 1 second to 1 hour");
  }
  if (options.load_bound_percent < 101 || options.load_bound_percent > 10'000) {
    return refuse("load_bound_percent must be 101 to 10000");
  }
  if (options.load_floor < 1 || options.load_floor > 65'535) {
    return refuse("load_floor must be 1 to 65535");
  }
  return absl::OkStatus();
}

void Append(uint64_t number, std::string* text) {
  for (int byte = 0; byte < 8; ++byte) text->push_back(static_cast<char>(number >> (8 * byte)));
}

// A number for everything that the view is made of.
uint64_t Fingerprint(const Plan& plan) {
  std::string text;
  text.reserve(24 * plan.names.size() + 64);
  Append(static_cast<uint64_t>(plan.strategy), &text);
  Append(static_cast<uint64_t>(plan.hold_down_ns), &text);
  Append(plan.decay_rate, &text);
  for (size_t i = 0; i < plan.names.size(); ++i) {
    Append(plan.names[i].hi, &text);
    Append(plan.names[i].lo, &text);
    Append(plan.weights[i], &text);
  }
  for (const Plan::Tier& tier : plan.tiers) {
    Append(uint64_t{tier.priority} << 32 | tier.count, &text);
  }
  return SipHash(0, text).lo | 1;
}

}  // namespace

absl::Status Check(std::string_view pool, const std::vector<Member>& members,
                   const PoolOptions& options) {
  const auto refuse = [&](std::string_view name, std::string_view what) {
    return absl::InvalidArgumentError(
        Concat({"pool \"", pool, "\": member \"", name, "\": ", what}));
  };
  if (members.empty() || members.size() > static_cast<size_t>(kMaxMembers)) {
    return absl::InvalidArgumentError(
        Concat({"pool \"", pool, "\": members must be 1 to ", std::to_string(kMaxMembers)}));
  }
  std::unordered_set<std::string_view> names(members.size());
  std::unordered_set<uint32_t> priorities;
  for (const Member& member : members) {
    if (!names.insert(member.name).second) return refuse(member.name, "named twice");
    if (member.priority < 1 || member.priority > kMaxPriority) {
      return refuse(member.name, "priority must be 1 to 1000");
    }
    if (member.weight < 1 || member.weight > kMaxWeight) {
      return refuse(member.name, "weight must be 1 to 1000");
    }
    priorities.insert(member.priority);
  }
  if (priorities.size() > static_cast<size_t>(kMaxTiers)) {
    return absl::InvalidArgumentError(
        Concat({"pool \"", pool, "\": priorities must be ", std::to_string(kMaxTiers),
                " different ones at most"}));
  }
  return CheckOptions(pool, options);
}

Plan MakePlan(const std::vector<Member>& members, const PoolOptions& options, uint64_t segment_seed,
              std::vector<uint16_t>* order) {
  Plan plan;
  plan.seed = options.seed;
  plan.strategy = options.strategy;
  plan.hold_down_ns = options.hold_down_ns;
  plan.decay_rate = static_cast<uint64_t>(kLog2E / static_cast<uint64_t>(options.latency_decay_ns));
  order->resize(members.size());
  std::iota(order->begin(), order->end(), uint16_t{0});
  std::stable_sort(order->begin(), order->end(), [&](uint16_t a, uint16_t b) {
    return members[a].priority < members[b].priority;
  });
  plan.names.reserve(members.size());
  plan.weights.reserve(members.size());
  for (uint32_t place = 0; place < order->size(); ++place) {
    const Member& member = members[(*order)[place]];
    plan.names.push_back(SipHash(segment_seed, member.name));
    plan.weights.push_back(options.strategy == Strategy::kRoundRobin ? 1 : member.weight);
    plan.log_weights.push_back(static_cast<uint32_t>(Log2(plan.weights.back()) >> 16));
    plan.strides.push_back(kOne / plan.weights.back());
    if (plan.tiers.empty() || plan.tiers.back().priority != member.priority) {
      plan.tiers.push_back({member.priority, place, 0});
    }
    ++plan.tiers.back().count;
  }
  plan.config = Fingerprint(plan);
  return plan;
}

}  // namespace weir::balance
