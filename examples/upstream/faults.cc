#include "upstream/faults.h"

#include "common/flags.h"

namespace upstream {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kMaxFaultMs = 3'600'000;
constexpr int64_t kDefaultThrottleMs = 2000;
constexpr int64_t kDefaultPieces = 3;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "200ms", "2s" or plain milliseconds.
std::optional<milliseconds> ParseDuration(std::string_view text) {
  int64_t scale_ms = 1;
  if (text.size() > 2 && text.substr(text.size() - 2) == "ms") {
    text.remove_suffix(2);
  } else if (!text.empty() && text.back() == 's') {
    text.remove_suffix(1);
    scale_ms = 1000;
  }
  int64_t number = 0;
  if (!examples::ParseInteger(text, 0, kMaxFaultMs / scale_ms, &number)) return std::nullopt;
  return milliseconds(number * scale_ms);
}

}  // namespace

std::string Faults::AddOne(std::string_view spec) {
  const size_t equals = spec.find('=');
  const std::string_view kind = spec.substr(0, equals);
  const bool has_value = equals != std::string_view::npos;
  const std::string_view value = has_value ? spec.substr(equals + 1) : std::string_view();
  std::string wrong_value =
      "fault " + std::string(kind) + ": wrong value \"" + std::string(value) + "\"";

  struct Timed {
    std::string_view kind;
    std::optional<milliseconds>* target;
    bool needs_value;
  };
  for (const Timed& timed :
       {Timed{"latency", &latency, true}, Timed{"slow-first-byte", &slow_first_byte, true},
        Timed{"throttle", &throttle, false}}) {
    if (timed.kind != kind) continue;
    if (!has_value && timed.needs_value) return wrong_value;
    *timed.target = has_value ? ParseDuration(value) : milliseconds(kDefaultThrottleMs);
    return timed.target->has_value() ? "" : wrong_value;
  }

  struct Numbered {
    std::string_view kind;
    std::optional<int64_t>* target;
    int64_t min, max, otherwise;
  };
  for (const Numbered& numbered :
       {Numbered{"status", &status, 400, 599, 500},
        Numbered{"reset", &reset, 0, INT32_MAX, kDefaultPieces},
        Numbered{"stall", &stall, 0, INT32_MAX, kDefaultPieces},
        Numbered{"malformed", &malformed, 0, INT32_MAX, kDefaultPieces},
        Numbered{"stream-error", &stream_error, 0, INT32_MAX, kDefaultPieces}}) {
    if (numbered.kind != kind) continue;
    int64_t number = numbered.otherwise;
    if (has_value && !examples::ParseInteger(value, numbered.min, numbered.max, &number)) {
      return wrong_value;
    }
    *numbered.target = number;
    return "";
  }
  return "unknown fault \"" + std::string(kind) + "\"";
}

std::string Faults::Add(std::string_view list) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view spec = Trim(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (spec.empty()) continue;
    std::string error = AddOne(spec);
    if (!error.empty()) return error;
    specs.emplace_back(spec);
  }
  return "";
}

}  // namespace upstream
