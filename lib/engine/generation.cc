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

// Of embedders whose backends have none: a request that waits for one in vain loses its deadline
// each time.
breaker::RuleSet EmbedderRules() {
  breaker::Rule rule;
  rule.name = "embedder";
  rule.statuses = {{401, 401}, {408, 408}, {429, 429}, {500, 599}};
  rule.on_connect = rule.on_timeout = rule.on_reset = rule.on_stream_error = true;
  rule.count = 3;
  rule.interval_ns = 10 * kSecond;
  rule.trip_ns = 5 * kSecond;
  rule.trip_growth_percent = 200;
  rule.trip_max_ns = 2 * kMinute;
  breaker::RuleSet rules;
  rules.rules.push_back(std::move(rule));
  rules.probe_timeout_ns = kMinute;
  return rules;
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
  if (absl::Status status = made->MakeCaches(); !status.ok()) return status;
  for (const policy::Pool& pool : plan.pools) {
    if (absl::Status status = made->MakePool(pool, options); !status.ok()) return status;
  }
  auto instruments = Instruments::Make(made->segment.get(), plan, previous_instruments);
  if (!instruments.ok()) return instruments.status();
  made->instruments = *std::move(instruments);
  return std::shared_ptr<const Generation>(std::move(made));
}

absl::Status Generation::MakeBreaker() {
  std::vector<breaker::RuleSet> rule_sets;
  rule_sets.reserve(plan().backends.size() + 1);
  for (const policy::Backend& backend : plan().backends) rule_sets.push_back(backend.breaker);
  rule_sets.push_back(EmbedderRules());
  auto made = breaker::Breaker::Create(segment.get(), std::move(rule_sets), {});
  if (!made.ok()) return made.status();
  breaker = *std::move(made);
  circuits.reserve(plan().backends.size());
  for (uint32_t i = 0; i < plan().backends.size(); ++i) {
    circuits.push_back(breaker->Find(plan().backends[i].name, i, {}));
  }
  return absl::OkStatus();
}

// After the breaker. An embedder that is a backend with rules of its own has that one's circuit.
absl::Status Generation::MakeCaches() {
  if (plan().caches.empty()) return absl::OkStatus();
  auto in_flight = Flights::Create(segment.get());
  if (!in_flight.ok()) return in_flight.status();
  flights = *std::move(in_flight);
  for (const policy::Cache& rules : plan().caches) {
    auto made = AnswerCache::Create(segment.get(), rules);
    if (!made.ok()) return made.status();
    caches.push_back(*std::move(made));
    using By = policy::Embedding::By;
    const By by = rules.embedding.by;
    const uint32_t backend = rules.embedding.backend;
    breaker::Circuit circuit;
    if (by == By::kBackend && !plan().backends[backend].breaker.rules.empty()) {
      circuit = circuits[backend];
    } else if (by == By::kBackend || by == By::kHost) {
      circuit = breaker->Find(Concat({"embedder of ", rules.name}),
                              static_cast<uint32_t>(plan().backends.size()), {});
    }
    embedder_circuits.push_back(circuit);
    breaker::Circuit verifier;
    if (rules.verifier.is_set) {
      verifier = breaker->Find(Concat({"verifier of ", rules.name}),
                               static_cast<uint32_t>(plan().backends.size()), {});
    }
    verifier_circuits.push_back(verifier);
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
