// W3C trace context, and what a scraper accepts.

#include <algorithm>

#include "base/text.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

// Lower-case hexadecimal digits only, as the recommendation demands.
bool ReadHex(std::string_view digits, uint64_t* value) {
  *value = 0;
  for (const char c : digits) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c < 'a' || c > 'f')) return false;
    *value = *value << 4 | static_cast<uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

// "0.5" → 500; 1000 where it is absent or no such number.
int QualityOf(std::string_view value) {
  int thousandths = 0;
  if (value.empty() || (value[0] != '0' && value[0] != '1')) return 1000;
  thousandths = (value[0] - '0') * 1000;
  if (value.size() > 1 && value[1] != '.') return 1000;
  int place = 100;
  for (size_t i = 2; i < std::min<size_t>(value.size(), 5); ++i, place /= 10) {
    if (value[i] < '0' || value[i] > '9') return 1000;
    thousandths += (value[i] - '0') * place;
  }
  return std::min(thousandths, 1000);
}

struct Range {
  std::string_view type;
  std::string_view version;
  int quality = 1000;
};

Range ReadRange(std::string_view text) {
  Range range;
  bool is_first = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view part = TrimSpace(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = TrimSpace(part.substr(0, equals));
    std::string_view value = TrimSpace(part.substr(std::min(equals + 1, part.size())));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (is_first) {
      range.type = part;
    } else if (EqualsIgnoreCase(name, "q")) {
      range.quality = QualityOf(value);
    } else if (EqualsIgnoreCase(name, "version")) {
      range.version = value;
    }
    is_first = false;
  }
  return range;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view header) {
  header = TrimSpace(header);
  constexpr size_t kSize = 55;  // 00-<32>-<16>-<2>; later versions may go on after another dash
  uint64_t version = 0, flags = 0;
  TraceContext context;
  if (header.size() < kSize || !ReadHex(header.substr(0, 2), &version) || version == 0xFF ||
      (header.size() > kSize && (version == 0 || header[kSize] != '-')) || header[2] != '-' ||
      header[35] != '-' || header[52] != '-' ||
      !ReadHex(header.substr(3, 16), &context.trace_high) ||
      !ReadHex(header.substr(19, 16), &context.trace_low) ||
      !ReadHex(header.substr(36, 16), &context.span) || !ReadHex(header.substr(53, 2), &flags)) {
    return std::nullopt;
  }
  if ((context.trace_high | context.trace_low) == 0 || context.span == 0) return std::nullopt;
  constexpr uint64_t kSampled = 1;
  context.sampled = (flags & kSampled) != 0;
  return context;
}

TextFormat NegotiateText(std::string_view accept) {
  int open_metrics = 0, plain = 0, text = -1, any = -1;
  bool has_plain = false;
  while (!accept.empty()) {
    const size_t end = std::min(accept.find(','), accept.size());
    const Range range = ReadRange(accept.substr(0, end));
    accept.remove_prefix(std::min(end + 1, accept.size()));
    if (EqualsIgnoreCase(range.type, "application/openmetrics-text")) {
      const bool is_known =
          range.version.empty() || range.version == "1.0.0" || range.version == "0.0.1";
      if (is_known) open_metrics = std::max(open_metrics, range.quality);
    } else if (EqualsIgnoreCase(range.type, "text/plain")) {
      has_plain = true;
      plain = std::max(plain, range.quality);
    } else if (EqualsIgnoreCase(range.type, "text/*")) {
      text = range.quality;
    } else if (range.type == "*/*") {
      any = range.quality;
    }
  }
  if (!has_plain) plain = text >= 0 ? text : std::max(any, 0);
  return open_metrics > 0 && open_metrics >= plain ? TextFormat::kOpenMetrics
                                                   : TextFormat::kPrometheus;
}

std::string_view ContentType(TextFormat format) {
  return format == TextFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace weir::metrics
