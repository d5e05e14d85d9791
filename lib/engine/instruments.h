// weir's own instruments, by their names in OpenTelemetry's GenAI conventions where it has any.

#ifndef WEIR_LIB_ENGINE_INSTRUMENTS_H_
#define WEIR_LIB_ENGINE_INSTRUMENTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "weir/metrics.h"
#include "weir/policy.h"

namespace weir::engine {

// Runs `meter`. A lack of memory then loses a count, never the request that is counted.
template <typename Meter>
void TryToMeter(Meter&& meter) noexcept {
  try {
    meter();
  } catch (...) {
  }
}

class Instruments {
 public:
  // What every exchange's series are labelled with. `custom` has one value per name in
  // custom_labels().
  struct Labels {
    std::string_view route, consumer, model, backend;
    absl::InlinedVector<std::string_view, 6> custom;
  };

  // The registry of `previous` is kept, and with it every count, unless the policy's dimensions or
  // bounds changed: series cannot change their labels, so then they begin anew.
  static absl::StatusOr<std::shared_ptr<Instruments>> Make(
      const policy::Plan& plan, const std::shared_ptr<Instruments>& previous);

  // The labels that the policy's meters add, each once, in the order of the document.
  const std::vector<std::string>& custom_labels() const { return custom_labels_; }
  const metrics::Registry& registry() const { return *registry_; }

  void TokenUsage(const Labels& labels, std::string_view token_type, uint64_t count);
  void OperationDuration(const Labels& labels, int64_t ns);
  void TimeToFirstToken(const Labels& labels, int64_t ns);
  void Request(const Labels& labels, int status);
  void UnknownUsage(const Labels& labels);
  void UsageAnomaly(std::string_view backend);
  // provenance: "exact", "provider", "estimated" or "upper_bound".
  void Counted(std::string_view token_type, std::string_view provenance, uint64_t count);
  void LimitDecision(std::string_view limit, std::string_view decision);
  void Attempt(std::string_view backend, std::string_view outcome);
  void BreakerEvent(std::string_view backend, std::string_view event, int state);

 private:
  struct Families {
    metrics::FamilyId token_usage = 0, duration = 0, first_token = 0, requests = 0, unknown = 0;
    metrics::FamilyId anomalies = 0, counted = 0, decisions = 0, attempts = 0, breaker_events = 0;
    metrics::FamilyId breaker_state = 0;
  };
  absl::Status AddFamilies(uint32_t max_series);
  // Route, consumer, model, backend, the custom ones, then `last` if it is not empty.
  using LabelValues = absl::InlinedVector<std::string_view, metrics::kMaxLabels>;
  LabelValues Values(const Labels& labels, std::string_view last) const;

  std::shared_ptr<metrics::Registry> registry_;
  std::vector<std::string> custom_labels_;
  Families families_;
};

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_INSTRUMENTS_H_
