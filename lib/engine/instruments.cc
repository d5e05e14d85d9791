#include "engine/instruments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace weir::engine {
namespace {

using metrics::Kind;

constexpr uint64_t kMs = kMillisecond;
constexpr uint64_t kUs = kMicrosecond;

// Bucket boundaries that OpenTelemetry's GenAI metrics recommend.
const std::vector<uint64_t>& TokenBounds() {
  static const std::vector<uint64_t> bounds = {
      1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
  return bounds;
}
const std::vector<uint64_t>& DurationBounds() {
  static const std::vector<uint64_t> bounds = {
      10 * kMs,   20 * kMs,   40 * kMs,   80 * kMs,    160 * kMs,   320 * kMs,   640 * kMs,
      1280 * kMs, 2560 * kMs, 5120 * kMs, 10240 * kMs, 20480 * kMs, 40960 * kMs, 81920 * kMs};
  return bounds;
}
const std::vector<uint64_t>& FirstTokenBounds() {
  static const std::vector<uint64_t> bounds = {
      1 * kMs,   5 * kMs,   10 * kMs,  20 * kMs,   40 * kMs,   60 * kMs,   80 * kMs,   100 * kMs,
      250 * kMs, 500 * kMs, 750 * kMs, 1000 * kMs, 2500 * kMs, 5000 * kMs, 7500 * kMs, 10000 * kMs};
  return bounds;
}
const std::vector<uint64_t>& PerTokenBounds() {
  static const std::vector<uint64_t> bounds = {
      10 * kMs,  25 * kMs,  50 * kMs,  75 * kMs,  100 * kMs,  150 * kMs, 200 * kMs,
      300 * kMs, 400 * kMs, 500 * kMs, 750 * kMs, 1000 * kMs, 2500 * kMs};
  return bounds;
}
const std::vector<uint64_t>& OverheadBounds() {
  static const std::vector<uint64_t> bounds = {1 * kUs,  2 * kUs,   5 * kUs,   10 * kUs,  20 * kUs,
                                               50 * kUs, 100 * kUs, 200 * kUs, 500 * kUs, 1 * kMs,
                                               2 * kMs,  5 * kMs,   10 * kMs};
  return bounds;
}

// The instruments of an exchange, in the order of their group.
enum : uint32_t {
  kTokenUsage,
  kDuration,
  kFirstToken,
  kPerToken,
  kTokens,
  kCost,
  kRequests,
  kUnknownUsage,
  kUnknownCost,
};

// The points of weir.tokens: input by provenance, output by provenance, then what the provider
// states of them.
constexpr uint32_t kProvenances = 4;
constexpr std::array<dialects::Provenance, kProvenances> kAllProvenances = {
    dialects::Provenance::kExact, dialects::Provenance::kProvider, dialects::Provenance::kEstimated,
    dialects::Provenance::kUpperBound};
enum : uint32_t {
  kInputTokens = 0,
  kOutputTokens = kProvenances,
  kCachedTokens = 2 * kProvenances,
  kCacheWriteTokens,
  kReasoningTokens,
  kAudioInputTokens,
  kAudioOutputTokens,
};

std::vector<std::vector<std::string>> TokenPoints() {
  std::vector<std::vector<std::string>> points;
  for (const char* category : {"input", "output"}) {
    for (const dialects::Provenance provenance : kAllProvenances) {
      points.push_back({category, std::string(dialects::ProvenanceName(provenance))});
    }
  }
  for (const char* category :
       {"cached", "cache_write", "reasoning", "audio_input", "audio_output"}) {
    points.push_back({category, "provider"});
  }
  return points;
}

// What weir and the providers answer with; the last point is for all others.
constexpr int kStatuses[] = {200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401,
                             402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 414, 415, 416,
                             422, 424, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 529};

std::vector<std::vector<std::string>> StatusPoints() {
  std::vector<std::vector<std::string>> points;
  for (const int status : kStatuses) points.push_back({std::to_string(status)});
  points.push_back({"other"});
  return points;
}

uint32_t StatusPoint(int status) {
  const auto* found = std::lower_bound(std::begin(kStatuses), std::end(kStatuses), status);
  if (found == std::end(kStatuses) || *found != status) found = std::end(kStatuses);
  return static_cast<uint32_t>(found - std::begin(kStatuses));
}

metrics::Instrument Histogram(std::string name, std::string help, std::string unit,
                              const std::vector<uint64_t>& bounds, uint64_t scale) {
  metrics::Instrument made;
  made.kind = Kind::kHistogram;
  made.name = std::move(name);
  made.help = std::move(help);
  made.unit = std::move(unit);
  made.bounds = bounds;
  made.scale = scale;
  made.exemplars = true;
  return made;
}

metrics::Instrument Counter(std::string name, std::string help, std::string unit) {
  metrics::Instrument made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.unit = std::move(unit);
  return made;
}

std::vector<metrics::Instrument> ExchangeInstruments() {
  std::vector<metrics::Instrument> all;
  all.push_back(
      Histogram("gen_ai.client.token.usage", "Tokens used, by type.", "{token}", TokenBounds(), 1));
  all.back().labels = {"gen_ai.token.type"};
  all.back().points = {{"input"}, {"output"}};
  all.push_back(Histogram("gen_ai.client.operation.duration",
                          "From the request to the end of its answer.", "s", DurationBounds(),
                          kSecond));
  all.push_back(Histogram("gen_ai.server.time_to_first_token",
                          "From sending the request to the first bytes of a streamed answer.", "s",
                          FirstTokenBounds(), kSecond));
  all.push_back(Histogram("gen_ai.server.time_per_output_token",
                          "From the first bytes to the end of a streamed answer, by output token "
                          "after the first.",
                          "s", PerTokenBounds(), kSecond));
  all.push_back(Counter("weir.tokens",
                        "Tokens settled, by how they are known. Input and output are all; the "
                        "other categories are parts of them.",
                        "{token}"));
  all.back().labels = {"category", "provenance"};
  all.back().points = TokenPoints();
  all.push_back(Counter("weir.cost.usd", "What the usage costs, as the ledger says.", "{USD}"));
  all.back().scale = 1'000'000;
  all.push_back(Counter("weir.requests", "Requests answered, by status.", "{request}"));
  all.back().labels = {"status"};
  all.back().points = StatusPoints();
  all.push_back(
      Counter("weir.usage.unknown", "Answers that stated no usage; weir counted.", "{request}"));
  all.push_back(Counter("weir.cost.unknown", "Answers that no known price fits.", "{request}"));
  return all;
}

uint64_t AtLeastZero(int64_t ns) { return static_cast<uint64_t>(std::max<int64_t>(ns, 0)); }

}  // namespace

std::string_view GenAiOperation(dialects::Operation operation, dialects::Dialect dialect) {
  switch (operation) {
    case dialects::Operation::kChat:
      return dialect == dialects::Dialect::kGemini ? "generate_content" : "chat";
    case dialects::Operation::kResponses:
      return "chat";
    case dialects::Operation::kCompletions:
      return "text_completion";
    case dialects::Operation::kEmbeddings:
      return "embeddings";
  }
  return {};
}

std::string_view GenAiProvider(dialects::Dialect dialect) {
  switch (dialect) {
    case dialects::Dialect::kOpenAi:
      return "openai";
    case dialects::Dialect::kAzureOpenAi:
      return "azure.ai.openai";
    case dialects::Dialect::kAnthropic:
      return "anthropic";
    case dialects::Dialect::kGemini:
      return "gcp.gemini";
    case dialects::Dialect::kBedrock:
      return "aws.bedrock";
  }
  return {};
}

absl::StatusOr<std::shared_ptr<Instruments>> Instruments::Make(
    state::Segment* segment, const policy::Plan& plan,
    const std::shared_ptr<Instruments>& previous) {
  auto made = std::make_shared<Instruments>();
  uint32_t max_series = plan.meters.empty() ? metrics::Group().max_series : 0;
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
  auto shared =
      metrics::Registry::Open(segment, std::min(segment->bytes() / 4, metrics::kDefaultBytes));
  if (shared.ok()) {
    made->registry_ = *std::move(shared);
    const absl::Status status = made->AddFamilies(max_series);
    if (status.ok()) return made;
    if (!absl::IsResourceExhausted(status)) return status;
  }
  made->registry_ = metrics::Registry::Create();
  if (absl::Status status = made->AddFamilies(max_series); !status.ok()) return status;
  made->Degraded("metrics_of_one_process", true);
  return made;
}

absl::Status Instruments::AddFamilies(uint32_t max_series) {
  absl::Status status;
  const auto keep = [&status](metrics::FamilyId* id, absl::StatusOr<metrics::FamilyId> added) {
    if (added.ok()) {
      *id = *added;
    } else if (status.ok()) {
      status = added.status();
    }
  };
  metrics::Registry& registry = *registry_;
  const auto counter = [&](metrics::FamilyId* id, const char* name, const char* help,
                           const char* unit, std::vector<std::string> labels, uint64_t scale = 1) {
    keep(id, registry.AddCounter({name, help, unit, std::move(labels), max_series, scale}));
  };
  metrics::Group exchange{.name = "exchange", .max_series = max_series};
  exchange.labels = {"route",
                     "consumer",
                     "gen_ai.operation.name",
                     "gen_ai.provider.name",
                     "gen_ai.request.model",
                     "gen_ai.response.model",
                     "backend",
                     "error.type"};
  exchange.labels.insert(exchange.labels.end(), custom_labels_.begin(), custom_labels_.end());
  exchange.instruments = ExchangeInstruments();
  keep(&families_.exchange, registry.AddGroup(exchange));
  counter(&families_.anomalies, "weir.usage.anomalies", "Answers whose stated usage cannot be.",
          "{request}", {"backend"});
  counter(&families_.decisions, "weir.limit.decisions", "What limits decided.", "{decision}",
          {"limit", "decision"});
  counter(&families_.attempts, "weir.attempts", "Attempts at backends.", "{attempt}",
          {"backend", "outcome"});
  counter(&families_.breaker_events, "weir.breaker.events", "Circuits tripped and closed again.",
          "{event}", {"backend", "event"});
  keep(&families_.breaker_state,
       registry.AddGauge({"weir.breaker.state",
                          "0 closed, 1 open, 2 half-open, at the last event.",
                          "",
                          {"backend"},
                          max_series}));
  counter(&families_.cache, "weir.cache.results", "Look-ups in the cache, by why.", "{request}",
          {"result", "reason"});
  counter(&families_.cache_trials, "weir.cache.trials",
          "Kept answers that were compared with the backend's instead of given.", "{request}",
          {"cache", "outcome"});
  counter(&families_.cache_tokens, "weir.cache.saved.tokens", "Tokens that hits did not use.",
          "{token}", {"reason"});
  counter(&families_.cache_cost, "weir.cache.saved.usd", "What hits did not cost.", "{USD}",
          {"reason"}, 1'000'000);
  keep(&families_.degraded, registry.AddGauge({"weir.degraded",
                                               "1 while something works less well than it should.",
                                               "",
                                               {"reason"},
                                               max_series}));
  keep(&families_.overhead,
       registry.AddHistogram(
           {"weir.overhead", "weir's own time in an exchange.", "s", {"stage"}, max_series},
           OverheadBounds(), kSecond));
  return status;
}

absl::StatusOr<metrics::Batch> Instruments::Export(metrics::ExportFormat format,
                                                   metrics::ExportOptions options, Now now) {
  if (options.dimensions.empty()) {
    options.dimensions = {{"route", "API ID"},
                          {"gen_ai.operation.name", "Operation ID"},
                          {"consumer", "Subscription ID"},
                          {"backend", "Backend ID"}};
  }
  return registry_->Export(format, options, now);
}

void Instruments::Exchange(const Labels& labels, const MeteredExchange& exchange, Now now) {
  std::array<char, 12> digits;
  std::string_view error;
  if (exchange.status >= 400) {
    const auto end = std::to_chars(digits.begin(), digits.end(), exchange.status).ptr;
    error = {digits.data(), static_cast<size_t>(end - digits.data())};
  }
  absl::InlinedVector<std::string_view, metrics::kMaxLabels> values = {
      labels.route, labels.consumer,       labels.operation, labels.provider,
      labels.model, labels.response_model, labels.backend,   error};
  values.insert(values.end(), labels.custom.begin(), labels.custom.end());
  metrics::Registry& registry = *registry_;
  registry.NoteTime(now.unix_ns);
  const metrics::Handle handle = registry.Find(families_.exchange, values);
  const metrics::Exemplar* exemplar = exchange.exemplar ? &*exchange.exemplar : nullptr;
  registry.Increment(handle, kRequests, StatusPoint(exchange.status), 1);
  registry.Observe(handle, kDuration, 0, AtLeastZero(exchange.duration_ns), exemplar);
  if (exchange.first_token_ns) {
    registry.Observe(handle, kFirstToken, 0, AtLeastZero(*exchange.first_token_ns), exemplar);
  }
  if (exchange.per_output_token_ns) {
    registry.Observe(handle, kPerToken, 0, AtLeastZero(*exchange.per_output_token_ns), exemplar);
  }
  if (exchange.usage) Usage(handle, *exchange.usage, exemplar);
}

void Instruments::Usage(metrics::Handle handle, const MeteredUsage& usage,
                        const metrics::Exemplar* exemplar) {
  metrics::Registry& registry = *registry_;
  const dialects::Usage& stated = *usage.stated;
  // Neither stated nor counted: there is none, as of an embedding's output, or nobody knows.
  if (stated.prompt || usage.input != 0) {
    registry.Observe(handle, kTokenUsage, 0, usage.input, exemplar);
  }
  if (stated.completion || usage.output != 0) {
    registry.Observe(handle, kTokenUsage, 1, usage.output, exemplar);
  }
  registry.Increment(handle, kTokens, kInputTokens + static_cast<uint32_t>(usage.input_provenance),
                     usage.input);
  registry.Increment(handle, kTokens,
                     kOutputTokens + static_cast<uint32_t>(usage.output_provenance), usage.output);
  if (usage.cost_micro_usd) {
    registry.Increment(handle, kCost, 0, *usage.cost_micro_usd);
  } else {
    registry.Increment(handle, kUnknownCost, 0, 1);
  }
  if (!stated.prompt || !stated.completion) registry.Increment(handle, kUnknownUsage, 0, 1);
  const std::pair<uint32_t, const std::optional<uint64_t>*> parts[] = {
      {kCachedTokens, &stated.cached},
      {kCacheWriteTokens, &stated.cache_write},
      {kReasoningTokens, &stated.reasoning},
      {kAudioInputTokens, &stated.audio_prompt},
      {kAudioOutputTokens, &stated.audio_completion}};
  for (const auto& [point, count] : parts) {
    if (*count && **count != 0) registry.Increment(handle, kTokens, point, **count);
  }
}

void Instruments::UsageAnomaly(std::string_view backend) {
  registry_->Increment(families_.anomalies, {backend}, 1);
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

void Instruments::RecordCache(std::string_view result, std::string_view reason) {
  registry_->Increment(families_.cache, {result, reason}, 1);
}

void Instruments::CacheTrial(std::string_view cache, std::string_view outcome) {
  registry_->Increment(families_.cache_trials, {cache, outcome}, 1);
}

void Instruments::CacheSaved(std::string_view reason, uint64_t tokens,
                             std::optional<uint64_t> micro_usd) {
  registry_->Increment(families_.cache_tokens, {reason}, tokens);
  if (micro_usd) registry_->Increment(families_.cache_cost, {reason}, *micro_usd);
}

void Instruments::Degraded(std::string_view reason, bool is_degraded) {
  registry_->Set(families_.degraded, {reason}, is_degraded ? 1 : 0);
}

void Instruments::Overhead(std::string_view stage, int64_t ns) {
  registry_->Observe(families_.overhead, {stage}, AtLeastZero(ns));
}

}  // namespace weir::engine
