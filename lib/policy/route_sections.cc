// The sections meters and routes: what is measured, and which requests go where.

#include <utility>

#include "base/text.h"
#include "policy/compiler.h"

namespace weir::policy {
namespace {

// Labels that weir's own instruments have, as Prometheus spells them; a dimension may not be
// spelled as one of them.
constexpr std::string_view kOwnLabels[] = {"route",
                                           "consumer",
                                           "gen_ai_operation_name",
                                           "gen_ai_provider_name",
                                           "gen_ai_request_model",
                                           "gen_ai_response_model",
                                           "backend",
                                           "error_type",
                                           "gen_ai_token_type",
                                           "category",
                                           "provenance",
                                           "status",
                                           "le"};

std::string Spelled(std::string_view label) {
  std::string spelled(label);
  for (char& c : spelled) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!stays) c = '_';
  }
  return spelled;
}

// One part of a path between slashes; false when a parameter stands where none may.
bool ReadSegment(std::string_view segment, PathPattern* path) {
  const size_t close = segment.find('}');
  const bool parameter = segment.size() > 2 && segment.front() == '{' && close > 1 &&
                         close != std::string_view::npos &&
                         (close + 1 == segment.size() || segment[close + 1] == ':');
  const std::string_view name = parameter ? segment.substr(1, close - 1) : "";
  const std::string_view rest = parameter ? segment.substr(close + 1) : segment;
  if (rest.find_first_of("{}") != std::string_view::npos || name.find('{') != name.npos) {
    return false;
  }
  if (parameter) {
    path->segments.push_back({std::string(name), true, std::string(rest)});
  } else {
    path->segments.push_back({std::string(segment), false});
  }
  return true;
}

}  // namespace

void Compiler::ReadMeter(std::string_view name, const Place& place) {
  Meter meter;
  meter.name = std::string(name);
  uint64_t max_series = meter.max_series;
  constexpr size_t kMaxDimensions = 10;
  reader_.Object(
      place,
      {{"dimensions",
        [&](const Place& at) {
          reader_.Map(at, [&](std::string_view label, const Place& value) {
            const std::string spelled = Spelled(label);
            for (std::string_view own : kOwnLabels) {
              if (own == spelled) {
                reader_.Complain(value, Concat({"\"", label, "\" is a dimension already"}));
              }
            }
            auto program = ReadExpression(value);
            if (program == nullptr) return;
            meter.dimensions.push_back({std::string(label), std::move(program)});
          });
          if (meter.dimensions.size() > kMaxDimensions) {
            reader_.Complain(at, "a meter has at most 10 dimensions of its own");
          }
        }},
       {"overhead_stages", [&](const Place& at) { reader_.Bool(at, &meter.overhead_stages); }},
       {"max_series", [&](const Place& at) { reader_.Integer(at, 1, 1000000, &max_series); }}});
  meter.max_series = static_cast<uint32_t>(max_series);
  plan_.meters.push_back(std::move(meter));
}

void Compiler::ReadRoute(const Place& place) {
  constexpr std::string_view kAuth[] = {"key", "none"};
  Route route;
  Place pool_place, cache_place;
  size_t auth = 0;
  reader_.Object(place, {{"name", [&](const Place& at) { reader_.String(at, &route.name); }, true},
                         {"match", [&](const Place& at) { ReadMatch(at, &route); }, true},
                         {"pool",
                          [&](const Place& at) {
                            pool_place = at;
                            if (const auto pool = Reference(at, "pool", NamesOf(plan_.pools)))
                              route.pool = *pool;
                          },
                          true},
                         {"limits",
                          [&](const Place& at) {
                            reader_.Array(at, [&](const Place& name) {
                              const auto limit = Reference(name, "limit", NamesOf(plan_.limits));
                              if (!limit) return;
                              for (uint32_t other : route.limits) {
                                if (other == *limit)
                                  return reader_.Complain(name, "this limit is named twice");
                              }
                              route.limits.push_back(*limit);
                            });
                          }},
                         {"cache",
                          [&](const Place& at) {
                            cache_place = at;
                            if (const auto cache = Reference(at, "cache", NamesOf(plan_.caches))) {
                              route.cache = static_cast<int>(*cache);
                            }
                          }},
                         {"meter",
                          [&](const Place& at) {
                            if (const auto meter = Reference(at, "meter", NamesOf(plan_.meters))) {
                              route.meter = static_cast<int>(*meter);
                            }
                          }},
                         {"auth", [&](const Place& at) { reader_.Word(at, kAuth, &auth); }}});
  route.authenticate = auth == 0;
  CheckDialects(route, pool_place);
  if (route.cache >= 0 && !route.operation) {
    reader_.Complain(cache_place,
                     "only requests that are counted can be cached, and weir knows "
                     "no operation of this route's path");
  }
  for (const Route& other : plan_.routes) {
    if (other.name == route.name) {
      reader_.Complain(place, Concat({"a route called \"", route.name, "\" exists already"}));
    }
  }
  plan_.routes.push_back(std::move(route));
}

// weir passes requests on in the dialect that they came in.
void Compiler::CheckDialects(const Route& route, const Place& pool_place) {
  if (!route.operation || route.pool >= plan_.pools.size()) return;
  const auto check = [&](const Pool& pool) {
    for (uint32_t index : pool.backends) {
      const Backend& backend = plan_.backends[index];
      if (dialects::SameFamily(backend.dialect, route.dialect)) continue;
      reader_.Complain(
          pool_place,
          Concat({"this route's path is of the dialect \"", dialects::DialectName(route.dialect),
                  "\", and the backend \"", backend.name, "\" of the pool \"", pool.name,
                  "\" speaks \"", dialects::DialectName(backend.dialect),
                  "\"; this release does not translate"}));
    }
  };
  const Pool& pool = plan_.pools[route.pool];
  check(pool);
  for (const Fallback& fallback : pool.fallbacks) check(plan_.pools[fallback.pool]);
}

void Compiler::ReadMatch(const Place& place, Route* route) {
  constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "*"};
  size_t method = 1;
  reader_.Object(place, {{"method", [&](const Place& at) { reader_.Word(at, kMethods, &method); }},
                         {"path", [&](const Place& at) { ReadPath(at, route); }, true}});
  route->method = kMethods[method] == "*" ? "" : std::string(kMethods[method]);
}

void Compiler::ReadPath(const Place& place, Route* route) {
  std::string path;
  reader_.String(place, &path);
  if (!place.value.Is(json::Type::kString)) return;
  if (path.empty() || path[0] != '/' || path.find_first_of("?#% ") != std::string::npos) {
    return reader_.Complain(place,
                            "expected a path such as \"/v1/chat/completions\", without a query");
  }
  std::string_view rest = std::string_view(path).substr(1);
  while (true) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (!ReadSegment(segment, &route->path)) {
      return reader_.Complain(place,
                              "a {parameter} is a whole part of the path between slashes, or "
                              "stands before a colon");
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (const auto parsed = dialects::ParseTarget(path)) {
    route->operation = parsed->operation;
    route->dialect = parsed->dialect;
  }
}

}  // namespace weir::policy
