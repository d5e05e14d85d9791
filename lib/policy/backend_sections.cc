// The section backends: where requests may go, and when a backend is left alone.

#include <utility>

#include "base/text.h"
#include "policy/compiler.h"

namespace weir::policy {
namespace {

constexpr std::string_view kFailures[] = {"connect", "timeout", "reset", "stream_error"};
constexpr std::string_view kDialects[] = {"openai", "azure-openai", "anthropic", "gemini",
                                          "bedrock"};

bool IsHostText(std::string_view text) {
  constexpr std::string_view kSymbols = ".-:[]_";
  for (char c : text) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && kSymbols.find(c) == std::string_view::npos) return false;
  }
  return !text.empty() && text.front() != ':';
}

}  // namespace

void Compiler::ReadUrl(const Place& place, Backend* backend) {
  std::string url;
  reader_.String(place, &url);
  if (!place.value.Is(json::Type::kString)) return;
  const size_t scheme_end = url.find("://");
  const std::string_view whole = url;
  const std::string_view scheme = whole.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "https" && scheme != "http")) {
    return reader_.Complain(place, "expected a URL that begins with https:// or http://");
  }
  const size_t host_begin = scheme_end + 3;
  const size_t path_begin = std::min(url.find('/', host_begin), url.size());
  if (!IsHostText(whole.substr(host_begin, path_begin - host_begin))) {
    return reader_.Complain(place, "expected a host, and a port if need be, after ://");
  }
  std::string path = url.substr(path_begin);
  while (!path.empty() && path.back() == '/') path.pop_back();
  if (path.find_first_of("?#% \t\r\n\\") != std::string::npos) {
    return reader_.Complain(place,
                            "a query, a fragment or an escape has no place in a backend's URL");
  }
  backend->origin = url.substr(0, path_begin);
  backend->base_path = std::move(path);
}

void Compiler::ReadBackend(std::string_view name, const Place& place) {
  Backend backend;
  backend.name = std::string(name);
  backend.timeout_ns = kMinute;
  const auto text = [this](std::string* out) {
    return [this, out](const Place& at) { reader_.String(at, out); };
  };
  reader_.Object(
      place,
      {{"url", [&](const Place& at) { ReadUrl(at, &backend); }, true},
       {"dialect",
        [&](const Place& at) {
          size_t index = 0;
          reader_.Word(at, kDialects, &index);
          if (const auto dialect = dialects::DialectFromName(kDialects[index])) {
            backend.dialect = *dialect;
          }
        },
        true},
       {"credential",
        [&](const Place& at) {
          if (const auto index = Reference(at, "credential", credential_names_)) {
            backend.credential = static_cast<int>(*index);
          }
        }},
       {"api_version", text(&backend.api_version)},
       {"model", text(&backend.model)},
       {"models",
        [&](const Place& at) {
          reader_.Map(at, [&](std::string_view model, const Place& value) {
            std::string there;
            reader_.String(value, &there);
            backend.models.emplace_back(std::string(model), std::move(there));
          });
        }},
       {"timeout",
        [&](const Place& at) { reader_.Duration(at, kMillisecond, kDay, &backend.timeout_ns); }},
       {"circuit_breaker",
        [&](const Place& at) {
          reader_.Array(at, [&](const Place& rule) { ReadBreakerRule(rule, &backend.breaker); });
          if (backend.breaker.rules.size() > breaker::kMaxRules) {
            reader_.Complain(at, "a backend has at most 4 breaker rules");
          }
        }},
       {"capacity", [&](const Place& at) { ReadCapacity(at, &backend); }}});
  if (backend.dialect == dialects::Dialect::kAzureOpenAi && backend.api_version.empty()) {
    reader_.Complain(place,
                     "\"api_version\" is missing: Azure OpenAI wants one, such as \"2024-10-21\"");
  }
  plan_.backends.push_back(std::move(backend));
}

void Compiler::ReadBreakerRule(const Place& place, breaker::RuleSet* set) {
  breaker::Rule rule;
  rule.interval_ns = 10 * kSecond;
  rule.trip_ns = 30 * kSecond;
  uint64_t growth = rule.trip_growth_percent;
  uint64_t probes = set->probes;
  uint64_t successes = set->successes_to_close;
  const auto duration = [this](int64_t* out) {
    return [this, out](const Place& at) { reader_.Duration(at, kMillisecond, kDay, out); };
  };
  reader_.Object(
      place,
      {{"name", [&](const Place& at) { reader_.String(at, &rule.name); }},
       {"on", [&](const Place& at) { ReadTrigger(at, &rule); }, true},
       {"trip", duration(&rule.trip_ns)},
       {"trip_growth", [&](const Place& at) { reader_.Integer(at, 100, 1000, &growth); }},
       {"trip_max", duration(&rule.trip_max_ns)},
       {"accept_retry_after", [&](const Place& at) { reader_.Bool(at, &rule.accept_retry_after); }},
       {"probes", [&](const Place& at) { reader_.Integer(at, 1, breaker::kMaxProbes, &probes); }},
       {"successes", [&](const Place& at) { reader_.Integer(at, 1, 1000, &successes); }}});
  const size_t on_length = rule.statuses.size();
  if (place.value["on"] && on_length == 0 && !rule.on_connect && !rule.on_timeout &&
      !rule.on_reset && !rule.on_stream_error) {
    reader_.Complain(place.Member(place.value["on"]), "nothing trips this rule");
  }
  rule.trip_growth_percent = static_cast<uint32_t>(growth);
  rule.trip_max_ns = std::max(rule.trip_max_ns, rule.trip_ns);
  set->probes = static_cast<uint32_t>(probes);
  set->successes_to_close = static_cast<uint32_t>(successes);
  set->rules.push_back(std::move(rule));
}

void Compiler::ReadTrigger(const Place& place, breaker::Rule* rule) {
  uint64_t count = 1;
  uint64_t percentage = 0;
  uint64_t samples = rule->min_samples;
  bool* const flags[] = {&rule->on_connect, &rule->on_timeout, &rule->on_reset,
                         &rule->on_stream_error};
  reader_.Object(
      place, {{"status", [&](const Place& at) { ReadStatuses(at, &rule->statuses); }},
              {"failures",
               [&](const Place& at) {
                 reader_.Array(at, [&](const Place& word) {
                   size_t index = std::size(kFailures);
                   reader_.Word(word, kFailures, &index);
                   if (index < std::size(kFailures)) *flags[index] = true;
                 });
               }},
              {"count", [&](const Place& at) { reader_.Integer(at, 1, 1000, &count); }},
              {"percentage", [&](const Place& at) { reader_.Integer(at, 1, 100, &percentage); }},
              {"min_samples", [&](const Place& at) { reader_.Integer(at, 1, 1000000, &samples); }},
              {"interval", [&](const Place& at) {
                 reader_.Duration(at, kMillisecond, kDay, &rule->interval_ns);
               }}});
  rule->count = static_cast<uint32_t>(count);
  rule->percentage = static_cast<uint32_t>(percentage);
  rule->min_samples = static_cast<uint32_t>(samples);
  if (place.value["min_samples"] && percentage == 0) {
    reader_.Complain(place.Member(place.value["min_samples"]), "only a percentage has samples");
  }
}

void Compiler::ReadCapacity(const Place& place, Backend* backend) {
  limits::Rule rule;
  rule.name = Concat({"backend:", backend->name});
  rule.window_ns = kMinute;
  uint64_t utilization = 0;
  reader_.Object(
      place,
      {{"tokens_per_minute",
        [&](const Place& at) { reader_.Integer(at, 1, limits::kMaxAmount, &rule.amount); }},
       {"utilization_max", [&](const Place& at) { reader_.Integer(at, 1, 100, &utilization); }}});
  backend->utilization_max = static_cast<uint32_t>(utilization);
  if (!place.value["tokens_per_minute"]) return;
  backend->capacity_rule = static_cast<int>(plan_.rules.size());
  plan_.rules.push_back(std::move(rule));
}

}  // namespace weir::policy
