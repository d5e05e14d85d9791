// How OpenTelemetry's names and units are spelled in Prometheus text.

#ifndef WEIR_LIB_METRICS_NAMES_H_
#define WEIR_LIB_METRICS_NAMES_H_

#include <string>
#include <string_view>

#include "weir/metrics.h"

namespace weir::metrics {

std::string_view KindName(Kind kind);  // as the TYPE line says it

// Name with unit and type suffix: ("gen_ai.client.token.usage", "{token}", kHistogram) →
// "gen_ai_client_token_usage".
std::string PrometheusName(std::string_view name, std::string_view unit, Kind kind);

// The unit's words in such a name ("seconds"); empty where it has none.
std::string UnitWords(std::string_view unit, Kind kind);

std::string PrometheusLabel(std::string_view name);

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_NAMES_H_
