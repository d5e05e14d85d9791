// The pieces of Prometheus text: escaped strings, exact decimals.

#ifndef WEIR_LIB_METRICS_TEXT_H_
#define WEIR_LIB_METRICS_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/saturating.h"

namespace weir::metrics {

// `\`, `"` and line feed escaped. `text` is UTF-8.
void AppendLabelValue(std::string_view text, std::string* out);

// `\` and line feed escaped, quotes too where that is wanted; bytes that are not UTF-8 become
// U+FFFD.
void AppendHelp(std::string_view text, bool escape_quotes, std::string* out);

void AppendInteger(uint128 value, std::string* out);

// value / scale, exactly: 1234567890 at 10^9 is "1.23456789". `scale` is a power of ten.
void AppendDecimal(uint128 value, uint64_t scale, std::string* out);

// A non-negative decimal as OpenMetrics wants its bounds: "10" → "10.0", "1048576" →
// "1.048576e+06", "0.000001" → "1e-06".
std::string CanonicalFloat(std::string_view decimal);

void AppendHex(uint64_t value, std::string* out);  // 16 digits

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_TEXT_H_
