// The sections backends and pools: where requests go, and in which order.

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
       {"accept_retry_after", [&](const Place& at) { reader_.Bool(at, &rule.accept_retry_after); }},
       {"probes", [&](const Place& at) { reader_.Integer(at, 1, breaker::kMaxProbes, &probes); }},
       {"successes", [&](const Place& at) { reader_.Integer(at, 1, 1000, &successes); }}});
  const size_t on_length = rule.statuses.size();
  if (place.value["on"] && on_length == 0 && !rule.on_connect && !rule.on_timeout &&
      !rule.on_reset && !rule.on_stream_error) {
    reader_.Complain(place.Member(place.value["on"]), "nothing trips this rule");
  }
  set->probes = static_cast<uint32_t>(probes);
  set->successes_to_close = static_cast<uint32_t>(successes);
  set->rules.push_back(std::move(rule));
}

void Compiler::ReadTrigger(const Place& place, breaker::Rule* rule) {
  uint64_t count = 1;
  bool* const flags[] = {&rule->on_connect, &rule->on_timeout, &rule->on_reset,
                         &rule->on_stream_error};
  reader_.Object(place, {{"status", [&](const Place& at) { ReadStatuses(at, &rule->statuses); }},
                         {"failures",
                          [&](const Place& at) {
                            reader_.Array(at, [&](const Place& word) {
                              size_t index = std::size(kFailures);
                              reader_.Word(word, kFailures, &index);
                              if (index < std::size(kFailures)) *flags[index] = true;
                            });
                          }},
                         {"count", [&](const Place& at) { reader_.Integer(at, 1, 1000, &count); }},
                         {"percentage", [this](const Place& at) { reader_.NotYet(at); }},
                         {"interval", [&](const Place& at) {
                            reader_.Duration(at, kMillisecond, kDay, &rule->interval_ns);
                          }}});
  rule->count = static_cast<uint32_t>(count);
}

void Compiler::ReadCapacity(const Place& place, Backend* backend) {
  limits::Rule rule;
  rule.name = Concat({"backend:", backend->name});
  rule.window_ns = kMinute;
  reader_.Object(
      place,
      {{"tokens_per_minute",
        [&](const Place& at) { reader_.Integer(at, 1, limits::kMaxAmount, &rule.amount); }, true}});
  backend->capacity_rule = static_cast<int>(plan_.rules.size());
  plan_.rules.push_back(std::move(rule));
}

void Compiler::ReadPool(std::string_view name, const Place& place) {
  constexpr std::string_view kStrategies[] = {"weighted",      "round_robin", "least_busy",
                                              "least_latency", "p2c",         "hash"};
  Pool pool;
  pool.name = std::string(name);
  size_t strategy = 0;
  const auto not_yet = [this](const Place& at) { reader_.NotYet(at); };
  reader_.Object(place, {{"strategy",
                          [&](const Place& at) {
                            reader_.Word(at, kStrategies, &strategy);
                            if (strategy > 1) reader_.NotYet(at);
                          }},
                         {"members",
                          [&](const Place& at) {
                            reader_.Array(at,
                                          [&](const Place& member) { ReadMember(member, &pool); });
                            if (at.value.size() == 0 || at.value.size() > balance::kMaxMembers) {
                              reader_.Complain(at, "a pool has 1 to 64 members");
                            }
                          },
                          true},
                         {"session_affinity", not_yet},
                         {"retry", [&](const Place& at) { ReadRetry(at, &pool.retry); }},
                         {"hedge", not_yet}});
  if (strategy == 1) {
    for (balance::Member& member : pool.members) member.weight = 1;
  }
  plan_.pools.push_back(std::move(pool));
}

void Compiler::ReadMember(const Place& place, Pool* pool) {
  balance::Member member;
  uint64_t priority = 1;
  uint64_t weight = 1;
  std::optional<uint32_t> backend;
  reader_.Object(
      place,
      {{"backend",
        [&](const Place& at) { backend = Reference(at, "backend", NamesOf(plan_.backends)); },
        true},
       {"priority", [&](const Place& at) { reader_.Integer(at, 1, 1000, &priority); }},
       {"weight", [&](const Place& at) { reader_.Integer(at, 1, 1000, &weight); }}});
  if (!backend) return;
  member.name = plan_.backends[*backend].name;
  for (const balance::Member& other : pool->members) {
    if (other.name == member.name) {
      return reader_.Complain(place, Concat({"\"", member.name, "\" is in this pool already"}));
    }
  }
  member.priority = static_cast<uint32_t>(priority);
  member.weight = static_cast<uint32_t>(weight);
  pool->members.push_back(std::move(member));
  pool->backends.push_back(*backend);
}

void Compiler::ReadRetry(const Place& place, Retry* retry) {
  uint64_t attempts = 2;
  reader_.Object(
      place, {{"attempts", [&](const Place& at) { reader_.Integer(at, 1, 16, &attempts); }, true},
              {"on",
               [&](const Place& at) {
                 reader_.Array(at, [&](const Place& word) {
                   bool* const flags[] = {&retry->on_connect, &retry->on_timeout, &retry->on_reset};
                   for (size_t i = 0; i < std::size(flags); ++i) {
                     if (word.value.text() != kFailures[i]) continue;
                     *flags[i] = true;
                     return;
                   }
                   ReadStatus(word, &retry->statuses);
                 });
               },
               true}});
  retry->attempts = static_cast<uint32_t>(attempts);
}

}  // namespace weir::policy
