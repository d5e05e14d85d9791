#include "engine/instruments.h"

#include <algorithm>
#include <utility>

namespace weir::engine {
namespace {

// Bucket boundaries that OpenTelemetry's GenAI metrics recommend.
constexpr uint64_t kTokenBounds[] = {1,     4,     16,     64,      256,     1024,     4096,
                                     16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
constexpr uint64_t kMs = kMillisecond;
constexpr uint64_t kDurationBounds[] = {
    10 * kMs,   20 * kMs,   40 * kMs,   80 * kMs,    160 * kMs,   320 * kMs,   640 * kMs,
    1280 * kMs, 2560 * kMs, 5120 * kMs, 10240 * kMs, 20480 * kMs, 40960 * kMs, 81920 * kMs};
constexpr uint64_t kFirstTokenBounds[] = {
    1 * kMs,   5 * kMs,   10 * kMs,  20 * kMs,   40 * kMs,   60 * kMs,   80 * kMs,   100 * kMs,
    250 * kMs, 500 * kMs, 750 * kMs, 1000 * kMs, 2500 * kMs, 5000 * kMs, 7500 * kMs, 10000 * kMs};

}  // namespace

absl::StatusOr<std::shared_ptr<Instruments>> Instruments::Make(
    const policy::Plan& plan, const std::shared_ptr<Instruments>& previous) {
  auto made = std::make_shared<Instruments>();
  uint32_t max_series = 2000;
  for (const policy::Meter& meter : plan.meters) {
    max_series = std::max(max_series, meter.max_series);
    for (const policy::Dimension& dimension : meter.dimensions) {
      auto& labels = made->custom_labels_;
      if (std::find(labels.begin(), labels.end(), dimension.label) == labels.end()) {
        labels.push_back(dimension.label);
      }
    }
  }
  if (previous != nullptr) {
    made->registry_ = previous->registry_;
    if (made->AddFamilies(max_series).ok()) return made;
  }
  made->registry_ = metrics::Registry::Create();
  if (absl::Status status = made->AddFamilies(max_series); !status.ok()) return status;
  return made;
}

absl::Status Instruments::AddFamilies(uint32_t max_series) {
  std::vector<std::string> exchange = {"route", "consumer", "model", "backend"};
  exchange.insert(exchange.end(), custom_labels_.begin(), custom_labels_.end());
  const auto with = [&](const std::string& label) {
    std::vector<std::string> labels = exchange;
    labels.push_back(label);
    return labels;
  };
  absl::Status status;
  const auto keep = [&status](metrics::FamilyId* id, absl::StatusOr<metrics::FamilyId> added) {
    if (added.ok()) {
      *id = *added;
    } else if (status.ok()) {
      status = added.status();
    }
  };
  metrics::Registry& registry = *registry_;
  keep(&families_.token_usage,
       registry.AddHistogram({"gen_ai.client.token.usage", "Tokens used, by type.", "{token}",
                              with("gen_ai.token.type"), max_series},
                             kTokenBounds, 1));
  keep(&families_.duration, registry.AddHistogram({"gen_ai.client.operation.duration",
                                                   "From the request to the end of its answer.",
                                                   "s", exchange, max_series},
                                                  kDurationBounds, kSecond));
  keep(&families_.first_token,
       registry.AddHistogram({"gen_ai.server.time_to_first_token",
                              "From sending the request to the first bytes of its answer.", "s",
                              exchange, max_series},
                             kFirstTokenBounds, kSecond));
  keep(&families_.requests, registry.AddCounter({"weir.requests", "Requests answered, by status.",
                                                 "{request}", with("status"), max_series}));
  keep(&families_.unknown,
       registry.AddCounter({"weir.usage.unknown", "Answers that stated no usage; weir counted.",
                            "{request}", exchange, max_series}));
  keep(&families_.anomalies, registry.AddCounter({"weir.usage.anomalies",
                                                  "Answers whose stated usage cannot be.",
                                                  "{request}",
                                                  {"backend"},
                                                  max_series}));
  keep(&families_.counted, registry.AddCounter({"weir.tokens",
                                                "Tokens settled, by how they are known.",
                                                "{token}",
                                                {"gen_ai.token.type", "provenance"},
                                                max_series}));
  keep(&families_.decisions, registry.AddCounter({"weir.limit.decisions",
                                                  "What limits decided.",
                                                  "{decision}",
                                                  {"limit", "decision"},
                                                  max_series}));
  keep(&families_.attempts, registry.AddCounter({"weir.attempts",
                                                 "Attempts at backends.",
                                                 "{attempt}",
                                                 {"backend", "outcome"},
                                                 max_series}));
  keep(&families_.breaker_events, registry.AddCounter({"weir.breaker.events",
                                                       "Circuits tripped and closed again.",
                                                       "{event}",
                                                       {"backend", "event"},
                                                       max_series}));
  keep(&families_.breaker_state,
       registry.AddGauge({"weir.breaker.state",
                          "0 closed, 1 open, 2 half-open, at the last event.",
                          "",
                          {"backend"},
                          max_series}));
  return status;
}

Instruments::LabelValues Instruments::Values(const Labels& labels, std::string_view last) const {
  LabelValues values = {labels.route, labels.consumer, labels.model, labels.backend};
  for (const std::string_view custom : labels.custom) values.push_back(custom);
  if (!last.empty()) values.push_back(last);
  return values;
}

void Instruments::TokenUsage(const Labels& labels, std::string_view token_type, uint64_t count) {
  registry_->Observe(families_.token_usage, Values(labels, token_type), count);
}

void Instruments::OperationDuration(const Labels& labels, int64_t ns) {
  registry_->Observe(families_.duration, Values(labels, {}),
                     static_cast<uint64_t>(std::max<int64_t>(ns, 0)));
}

void Instruments::TimeToFirstToken(const Labels& labels, int64_t ns) {
  registry_->Observe(families_.first_token, Values(labels, {}),
                     static_cast<uint64_t>(std::max<int64_t>(ns, 0)));
}

void Instruments::Request(const Labels& labels, int status) {
  const std::string text = std::to_string(status);
  registry_->Increment(families_.requests, Values(labels, text), 1);
}

void Instruments::UnknownUsage(const Labels& labels) {
  registry_->Increment(families_.unknown, Values(labels, {}), 1);
}

void Instruments::UsageAnomaly(std::string_view backend) {
  registry_->Increment(families_.anomalies, {backend}, 1);
}

void Instruments::Counted(std::string_view token_type, std::string_view provenance,
                          uint64_t count) {
  registry_->Increment(families_.counted, {token_type, provenance}, count);
}

void Instruments::LimitDecision(std::string_view limit, std::string_view decision) {
  registry_->Increment(families_.decisions, {limit, decision}, 1);
}

void Instruments::Attempt(std::string_view backend, std::string_view outcome) {
  registry_->Increment(families_.attempts, {backend, outcome}, 1);
}

void Instruments::BreakerEvent(std::string_view backend, std::string_view event, int state) {
  registry_->Increment(families_.breaker_events, {backend, event}, 1);
  registry_->Set(families_.breaker_state, {backend}, state);
}

}  // namespace weir::engine
