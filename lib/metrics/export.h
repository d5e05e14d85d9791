// What is sent: OTLP's JSON and Application Insights' envelopes.

#ifndef WEIR_LIB_METRICS_EXPORT_H_
#define WEIR_LIB_METRICS_EXPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "metrics/family.h"
#include "metrics/reading.h"
#include "weir/metrics.h"

namespace weir::metrics {

// What a batch covers.
struct Interval {
  int64_t start_unix_ns = 0, end_unix_ns = 0;
  bool is_delta = false;
};

// Empty when there is nothing to tell.
std::string WriteOtlp(absl::Span<Entry* const> entries, const Arena& arena, const Reading& reading,
                      const ExportOptions& options, const Interval& interval);
// Of gen_ai.client.token.usage alone: the three metrics that Azure's gateway emits.
std::string WriteTrack(absl::Span<Entry* const> entries, const Arena& arena, const Reading& reading,
                       const ExportOptions& options, const Interval& interval);

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_EXPORT_H_
