#include "policy/lint.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"

namespace weir::policy {
namespace {

// Does every path that `later` matches match `earlier` too?
bool Covers(const PathPattern& earlier, const PathPattern& later) {
  if (earlier.segments.size() != later.segments.size()) return false;
  for (size_t i = 0; i < earlier.segments.size(); ++i) {
    const PathPattern::Segment& wide = earlier.segments[i];
    const PathPattern::Segment& narrow = later.segments[i];
    if (!wide.parameter) {
      if (narrow.parameter || narrow.text != wide.text) return false;
      continue;
    }
    const std::string_view end = narrow.parameter ? narrow.suffix : narrow.text;
    const size_t suffix = wide.suffix.size();
    if (end.size() < suffix || end.substr(end.size() - suffix) != wide.suffix) return false;
    if (!narrow.parameter && end.size() == suffix) return false;
  }
  return true;
}

// Of all members, as many as there are different ones of.
template <typename Key>
size_t Different(const std::vector<balance::Member>& members, Key key) {
  std::set<uint32_t> seen;
  for (const balance::Member& member : members) seen.insert(key(member));
  return seen.size();
}

}  // namespace

void Linter::Lint() {
  LintIdentity();
  LintUnused();
  LintPools();
  LintBreakers();
  LintLimits();
  LintRoutes();
}

Place Linter::FieldOf(const Place& place, std::string_view name) {
  if (!place.value) return {};
  const json::Value value = place.value[name];
  return value ? place.Member(value) : Place();
}

Place Linter::Entry(std::string_view section, std::string_view name) const {
  return FieldOf(FieldOf(document_, section), name);
}

void Linter::Warn(const Place& place, std::string_view field, std::string message) {
  const Place at = FieldOf(place, field);
  if (at.value) reader_.ComplainOfKey(at, std::move(message));
}

void Linter::WarnOfEntry(std::string_view section, std::string_view name, std::string message) {
  Warn(FieldOf(document_, section), name, std::move(message));
}

void Linter::LintIdentity() {
  for (const auth::Consumer& consumer : plan_.consumers) {
    if (!consumer.key_hashes.empty()) continue;
    WarnOfEntry("consumers", consumer.id, "it has no keys, so no request can be this consumer's");
  }
  const auto asks = [](const Route& route) { return route.authenticate; };
  const bool nobody_asks = std::none_of(plan_.routes.begin(), plan_.routes.end(), asks);
  if (nobody_asks && !plan_.consumers.empty()) {
    Warn(document_, "consumers", R"(every route says "auth": "none", so no key is ever looked at)");
  }
  if (plan_.consumers.empty()) {
    Warn(document_, "pepper", "it belongs to the hashes of keys, and there are no consumers");
  }
}

// What no route leads to.
void Linter::LintUnused() {
  std::set<uint32_t> pools, limits;
  std::set<int> meters, caches, credentials;
  for (const Route& route : plan_.routes) {
    pools.insert(route.pool);
    for (const Fallback& fallback : plan_.pools[route.pool].fallbacks) pools.insert(fallback.pool);
    limits.insert(route.limits.begin(), route.limits.end());
    meters.insert(route.meter);
    caches.insert(route.cache);
  }
  std::set<uint32_t> backends;
  for (const Pool& pool : plan_.pools) {
    backends.insert(pool.backends.begin(), pool.backends.end());
  }
  for (const Cache& cache : plan_.caches) {
    if (cache.embedding.by == Embedding::By::kBackend) backends.insert(cache.embedding.backend);
  }
  for (const Backend& backend : plan_.backends) credentials.insert(backend.credential);
  for (uint32_t i = 0; i < plan_.pools.size(); ++i) {
    if (pools.count(i) != 0) continue;
    WarnOfEntry("pools", plan_.pools[i].name, "no route uses it, not even as a fallback");
  }
  for (uint32_t i = 0; i < plan_.limits.size(); ++i) {
    if (limits.count(i) != 0) continue;
    WarnOfEntry("limits", plan_.limits[i].name,
                R"(no route names it in "limits": it holds nobody)");
  }
  for (uint32_t i = 0; i < plan_.backends.size(); ++i) {
    if (backends.count(i) != 0) continue;
    WarnOfEntry("backends", plan_.backends[i].name, "it is in no pool");
  }
  for (size_t i = 0; i < plan_.meters.size(); ++i) {
    if (meters.count(static_cast<int>(i)) != 0) continue;
    WarnOfEntry("meters", plan_.meters[i].name, "no route uses it");
  }
  for (size_t i = 0; i < plan_.caches.size(); ++i) {
    if (caches.count(static_cast<int>(i)) != 0) continue;
    WarnOfEntry("caches", plan_.caches[i].name, "no route uses it");
  }
  int index = 0;
  const Place section = FieldOf(document_, "credentials");
  if (!section.value) return;
  for (const json::Value entry : section.value.members()) {
    if (credentials.count(index++) != 0) continue;
    reader_.ComplainOfKey(section.Member(entry), "no backend uses it");
  }
}

void Linter::LintPools() {
  for (const Pool& pool : plan_.pools) LintPool(pool, Entry("pools", pool.name));
}

void Linter::LintPool(const Pool& pool, const Place& place) {
  LintRetry(pool, place);
  if (pool.members.size() == 1) {
    for (const char* field : {"strategy", "hash_key", "load_bound", "session_affinity", "hedge"}) {
      Warn(place, field, "the pool has one member: there is nothing to choose");
    }
  }
  const auto priority = [](const balance::Member& member) { return member.priority; };
  if (Different(pool.members, priority) == 1) {
    Warn(place, "fail_back_after", "all members have the same priority: nothing fails back");
  }
  const Place members = FieldOf(place, "members");
  size_t index = 0;
  for (const json::Value member : members.value.members()) {
    const Place at = members.Element(member, index++);
    if (pool.strategy == balance::Strategy::kRoundRobin) {
      Warn(at, "weight", R"(the strategy "round_robin" takes every weight as 1)");
    }
  }
}

void Linter::LintRetry(const Pool& pool, const Place& place) {
  const Retry& retry = pool.retry;
  const Place at = FieldOf(place, "retry");
  if (!at.value) return;
  if (retry.attempts == 1) {
    Warn(at, "attempts", "the first attempt is one of them: nothing is tried again");
    Warn(at, "attempts_per_backend", "there is one attempt in all");
  }
  const bool on_nothing =
      retry.statuses.empty() && !retry.on_connect && !retry.on_timeout && !retry.on_reset;
  if (on_nothing) Warn(at, "on", "it is empty: nothing is tried again");
  // What a fallback may add is another pool's plan.
  const uint64_t possible = uint64_t{retry.attempts_per_backend} * pool.members.size();
  if (retry.attempts > possible && pool.all_down != AllDown::kWait) {
    Warn(at, "attempts",
         Concat({"only ", std::to_string(possible), " can be made: the pool has ",
                 std::to_string(pool.members.size()),
                 pool.members.size() == 1 ? " member" : " members",
                 " and \"attempts_per_backend\" is ", std::to_string(retry.attempts_per_backend)}));
  }
}

void Linter::LintBreakers() {
  for (const Backend& backend : plan_.backends) {
    const Place rules = FieldOf(Entry("backends", backend.name), "circuit_breaker");
    if (!rules.value) continue;
    size_t index = 0;
    for (const json::Value entry : rules.value.members()) {
      const breaker::Rule& rule = backend.breaker.rules[index];
      const Place at = rules.Element(entry, index++);
      if (rule.trip_growth_percent == 100) {
        Warn(at, "trip_max", R"(without a "trip_growth" above 100 every trip is equally long)");
      } else if (rule.trip_max_ns <= rule.trip_ns) {
        Warn(at, "trip_growth", R"("trip_max" leaves it no room above "trip")");
      }
      if (rule.percentage == 0 && rule.count == 1) {
        Warn(FieldOf(at, "on"), "interval", R"(with a "count" of 1 the first failure trips)");
      }
    }
  }
}

void Linter::LintLimits() {
  const auto priced = [](const Model& model) { return model.price_input.has_value(); };
  const bool any_price = std::any_of(plan_.models.begin(), plan_.models.end(), priced);
  for (const Limit& limit : plan_.limits) {
    const Place place = Entry("limits", limit.name);
    if (limit.unit == Unit::kUsd && !any_price) {
      Warn(place, "unit", R"(no model in "models" has a price: only public models pass)");
    }
    if (limit.unit == Unit::kPromptTokens) {
      Warn(FieldOf(place, "reserve"), "output", "a limit of prompt_tokens counts no output");
    }
    if (limit.unit == Unit::kCompletionTokens) {
      Warn(FieldOf(place, "reserve"), "prompt", "a limit of completion_tokens counts no prompt");
    }
    if (!limit.shadow) continue;
    for (const char* field : {"status", "message", "action"}) {
      Warn(FieldOf(place, "on_exceeded"), field, "a shadow limit refuses nobody");
    }
  }
}

void Linter::LintRoutes() {
  const Place routes = FieldOf(document_, "routes");
  size_t index = 0;
  for (const json::Value entry : routes.value.members()) {
    LintRoute(index, routes.Element(entry, index));
    ++index;
  }
}

void Linter::LintRoute(size_t index, const Place& place) {
  const Route& route = plan_.routes[index];
  for (size_t i = 0; i < index; ++i) {
    const Route& earlier = plan_.routes[i];
    const bool method = earlier.method.empty() || earlier.method == route.method;
    if (!method || !Covers(earlier.path, route.path)) continue;
    Warn(place, "match",
         Concat({"never reached: the route \"", earlier.name, "\" above matches all of it"}));
    break;
  }
  if (route.authenticate) return;
  for (const uint32_t limit : route.limits) {
    const Place key = FieldOf(Entry("limits", plan_.limits[limit].name), "key");
    if (key.value.text().find("consumer.") == std::string_view::npos) continue;
    Warn(place, "limits",
         Concat({"the route asks for no key, so the limit \"", plan_.limits[limit].name,
                 "\" knows no consumer: all requests count as one"}));
  }
}

}  // namespace weir::policy
