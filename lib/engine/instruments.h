// weir's own instruments, by their names in OpenTelemetry's GenAI conventions where it has any.

#ifndef WEIR_LIB_ENGINE_INSTRUMENTS_H_
#define WEIR_LIB_ENGINE_INSTRUMENTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "weir/metrics.h"
#include "weir/policy.h"
#include "weir/state.h"
#include "weir/usage.h"

namespace weir::engine {

// Runs `meter`. A lack of memory then loses a count, never the request that is counted.
template <typename Meter>
void TryToMeter(Meter&& meter) noexcept {
  try {
    meter();
  } catch (...) {
  }
}

// What an exchange came to in tokens: what is told of it, each with how it is known.
struct MeteredUsage {
  uint64_t input = 0, output = 0;
  dialects::Provenance input_provenance = dialects::Provenance::kEstimated;
  dialects::Provenance output_provenance = dialects::Provenance::kEstimated;
  const dialects::Usage* stated = nullptr;      // by the provider; never null
  std::optional<uint64_t> cost_micro_usd = {};  // nullopt: no price is known
};

// One exchange, told once, at its end. What is absent is unknown, or does not apply: it leaves no
// mark, a 0 would.
struct MeteredExchange {
  int status = 0;
  int64_t duration_ns = 0;
  std::optional<int64_t> first_token_ns = {};
  std::optional<int64_t> per_output_token_ns = {};
  std::optional<MeteredUsage> usage = {};
  std::optional<metrics::Exemplar> exemplar = {};
};

class Instruments {
 public:
  // What every exchange's series are labelled with. `custom` has one value per name in
  // custom_labels().
  struct Labels {
    std::string_view route, consumer, operation, provider, model, response_model, backend;
    absl::InlinedVector<std::string_view, 6> custom;
  };

  // Counts in `segment`, with all processes that map it; where it has no room, in this process
  // alone, and weir.degraded says so. The registry of `previous` is kept unless the policy's
  // dimensions changed: series cannot change their labels, so then they begin anew.
  static absl::StatusOr<std::shared_ptr<Instruments>> Make(
      state::Segment* segment, const policy::Plan& plan,
      const std::shared_ptr<Instruments>& previous);

  // The labels that the policy's meters add, each once, in the order of the document.
  const std::vector<std::string>& custom_labels() const { return custom_labels_; }
  const metrics::Registry& registry() const { return *registry_; }
  metrics::Registry& registry() { return *registry_; }

  // As Registry::Export, with Azure's names for the dimensions where `options` has none.
  absl::StatusOr<metrics::Batch> Export(metrics::ExportFormat format,
                                        metrics::ExportOptions options, Now now);

  void Exchange(const Labels& labels, const MeteredExchange& exchange, Now now);
  void UsageAnomaly(std::string_view backend);
  void LimitDecision(std::string_view limit, std::string_view decision);
  void Attempt(std::string_view backend, std::string_view outcome);
  void BreakerEvent(std::string_view backend, std::string_view event, int state);
  // result: "hit" or "miss"; reason: why ("exact", "semantic"; "no_entry", "guard", …).
  void RecordCache(std::string_view result, std::string_view reason);
  // What trying a kept answer told: "right", "wrong", "lost".
  void CacheTrial(std::string_view cache, std::string_view outcome);
  // What a hit did not cost.
  void CacheSaved(std::string_view reason, uint64_t tokens, std::optional<uint64_t> micro_usd);
  // Something works less well than it should, or does again.
  void Degraded(std::string_view reason, bool is_degraded);
  // weir's own time in one exchange, by stage; "total" is all of it.
  void Overhead(std::string_view stage, int64_t ns);

 private:
  struct Families {
    metrics::FamilyId exchange = 0, anomalies = 0, decisions = 0, attempts = 0;
    metrics::FamilyId breaker_events = 0, breaker_state = 0, cache = 0, cache_trials = 0,
                      cache_tokens = 0;
    metrics::FamilyId cache_cost = 0, degraded = 0, overhead = 0;
  };
  absl::Status AddFamilies(uint32_t max_series);
  void Usage(metrics::Handle handle, const MeteredUsage& usage, const metrics::Exemplar* exemplar);

  std::shared_ptr<metrics::Registry> registry_;
  std::vector<std::string> custom_labels_;
  Families families_;
};

// OpenTelemetry's words for what is asked and of whom: "chat", "generate_content"; "openai",
// "azure.ai.openai".
std::string_view GenAiOperation(dialects::Operation operation, dialects::Dialect dialect);
std::string_view GenAiProvider(dialects::Dialect dialect);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_INSTRUMENTS_H_
