#include "engine/generation.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weir::engine {
namespace {

absl::Status CheckSecrets(const policy::Policy& policy) {
  for (const policy::Secret& secret : policy.secrets()) {
    if (secret.value) continue;
    const bool env = secret.kind == policy::Secret::Kind::kEnv;
    return absl::FailedPreconditionError(
        Concat({"the policy wants the ", env ? "environment variable " : "file ", secret.name,
                ", and no value was given for it"}));
  }
  // A line break would begin another header; sending none would be a puzzle for the operator.
  const policy::Plan& plan = policy.plan();
  for (const policy::Credential& credential : plan.credentials) {
    const std::string_view value = plan.Resolve(credential.value);
    if (value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) continue;
    return absl::FailedPreconditionError(Concat(
        {"the value given for ", plan.secrets[static_cast<size_t>(credential.value.secret)].name,
         " has a line break or a NUL, so it cannot be the header ", credential.header}));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Generation>> Generation::Make(
    std::shared_ptr<state::Segment> segment, std::shared_ptr<const policy::Policy> policy,
    const Options& options, const std::shared_ptr<Instruments>& previous_instruments) {
  if (absl::Status status = CheckSecrets(*policy); !status.ok()) return status;
  auto made = std::make_shared<Generation>();
  made->segment = std::move(segment);
  made->policy = std::move(policy);
  const policy::Plan& plan = made->plan();

  auto keys = auth::KeyRing::Create(plan.Resolve(plan.pepper), plan.consumers);
  if (!keys.ok()) return keys.status();
  made->keys = *std::move(keys);

  limits::LimiterOptions limiter_options;
  limiter_options.max_counters = options.max_counters;
  auto limiter = limits::Limiter::Create(made->segment.get(), plan.rules, limiter_options);
  if (!limiter.ok()) return limiter.status();
  made->limiter = *std::move(limiter);

  if (std::any_of(plan.limits.begin(), plan.limits.end(), [](const policy::Limit& limit) {
        return limit.on_exceeded == policy::OnExceeded::kWait;
      })) {
    auto lines = queue::Lines::Create(made->segment.get(), {});
    if (!lines.ok()) return lines.status();
    made->lines = *std::move(lines);
  }

  std::vector<breaker::RuleSet> rule_sets;
  for (const policy::Backend& backend : plan.backends) rule_sets.push_back(backend.breaker);
  auto breaker = breaker::Breaker::Create(made->segment.get(), std::move(rule_sets), {});
  if (!breaker.ok()) return breaker.status();
  made->breaker = *std::move(breaker);

  for (const policy::Pool& pool : plan.pools) {
    auto balanced =
        balance::Pool::Create(made->segment.get(), pool.name, pool.members, options.seed);
    if (!balanced.ok()) return balanced.status();
    made->pools.push_back(*std::move(balanced));
    made->first_bytes.push_back(nullptr);
    if (pool.hedge.below == 0) continue;
    auto region = made->segment->Region(Concat({pool.name, ".first_byte"}), sizeof(FirstBytes));
    if (!region.ok()) return region.status();
    made->first_bytes.back() = static_cast<FirstBytes*>(*region);
  }
  auto instruments = Instruments::Make(plan, previous_instruments);
  if (!instruments.ok()) return instruments.status();
  made->instruments = *std::move(instruments);
  return std::shared_ptr<const Generation>(std::move(made));
}

}  // namespace weir::engine
