// What texts come to.

#ifndef WEIR_TESTS_METRICS_SUPPORT_H_
#define WEIR_TESTS_METRICS_SUPPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tests/metrics/prometheus_parser.h"
#include "tests/support/catch.h"

namespace weir::testing {

// The sum over all series of each name of samples; of whole numbers.
inline std::map<std::string, uint64_t> Totals(const std::string& text) {
  std::string error;
  const auto parsed = PrometheusParser::Parse(text, &error);
  INFO(error);
  REQUIRE(parsed.has_value());
  std::map<std::string, uint64_t> totals;
  for (const auto& sample : parsed->samples) totals[sample.name] += std::stoull(sample.value);
  return totals;
}

inline size_t CountLines(std::string_view text, std::string_view beginning) {
  size_t lines = 0;
  while (!text.empty()) {
    lines += text.substr(0, beginning.size()) == beginning ? 1 : 0;
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return lines;
}

}  // namespace weir::testing

#endif  // WEIR_TESTS_METRICS_SUPPORT_H_
