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

  if (absl::Status status = made->MakeBreaker(); !status.ok()) return status;
  for (const policy::Pool& pool : plan.pools) {
    if (absl::Status status = made->MakePool(pool, options); !status.ok()) return status;
  }
  auto instruments = Instruments::Make(plan, previous_instruments);
  if (!instruments.ok()) return instruments.status();
  made->instruments = *std::move(instruments);
  return std::shared_ptr<const Generation>(std::move(made));
}

absl::Status Generation::MakeBreaker() {
  std::vector<breaker::RuleSet> rule_sets;
  rule_sets.reserve(plan().backends.size());
  for (const policy::Backend& backend : plan().backends) rule_sets.push_back(backend.breaker);
  auto made = breaker::Breaker::Create(segment.get(), std::move(rule_sets), {});
  if (!made.ok()) return made.status();
  breaker = *std::move(made);
  circuits.reserve(plan().backends.size());
  for (uint32_t i = 0; i < plan().backends.size(); ++i) {
    circuits.push_back(breaker->Find(plan().backends[i].name, i, {}));
  }
  return absl::OkStatus();
}

absl::Status Generation::MakePool(const policy::Pool& pool, const Options& options) {
  balance::PoolOptions balancing = pool.options;
  balancing.strategy = pool.strategy;
  balancing.seed = options.seed;
  balancing.id_seed = balance::StableHash(Concat({plan().Resolve(plan().pepper), "\n", pool.name}));
  auto made = balance::Pool::Create(segment.get(), pool.name, pool.members, balancing);
  if (!made.ok()) return made.status();
  pools.push_back(*std::move(made));
  first_bytes.push_back(nullptr);
  if (pool.hedge.below != 0) {
    auto region = segment->Region(Concat({pool.name, ".first_byte"}), sizeof(FirstBytes));
    if (!region.ok()) return region.status();
    first_bytes.back() = static_cast<FirstBytes*>(*region);
  }
  if (pool.affinity.key != nullptr && sessions == nullptr) {
    auto table = Sessions::Create(segment.get());
    if (!table.ok()) return table.status();
    sessions = *std::move(table);
  }
  return absl::OkStatus();
}

}  // namespace weir::engine
