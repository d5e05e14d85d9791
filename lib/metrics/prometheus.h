// A family as Prometheus text 0.0.4 or OpenMetrics 1.0.

#ifndef WEIR_LIB_METRICS_PROMETHEUS_H_
#define WEIR_LIB_METRICS_PROMETHEUS_H_

#include <string>

#include "metrics/family.h"
#include "metrics/reading.h"
#include "weir/metrics.h"

namespace weir::metrics {

void WriteText(const Entry& entry, const Arena& arena, const Reading& reading, TextFormat format,
               std::string* out);

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_PROMETHEUS_H_
