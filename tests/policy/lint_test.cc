// What silently does nothing is told, at its line; what does something is not.

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/policy.h"

namespace weir::policy {
namespace {

constexpr char kKey[] = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

// Sections of a document, each in place of one in which everything is used.
struct Sections {
  std::string more;
  std::string consumers = Concat({R"({"red": {"keys": [")", kKey, R"("]}})"});
  std::string credentials = R"({"c": {"header": "api-key", "value": "x"}})";
  std::string a = R"({"url": "http://a.test", "dialect": "openai", "credential": "c"})";
  std::string more_backends;
  std::string pool = R"({"members": [{"backend": "a"}, {"backend": "b"}]})";
  std::string more_pools;
  std::string limit = R"({"key": "consumer.id", "amount": 5, "per": "60s"})";
  std::string routes = R"([{"name": "chat", "match": {"path": "/v1/chat/completions"},
                            "pool": "p", "limits": ["l"]}])";
};

std::string Document(const Sections& s) {
  std::string text =
      Concat({R"({"weir": 1, )", s.more, R"("consumers": )", s.consumers, R"(, "credentials": )",
              s.credentials, R"(, "backends": {"a": )", s.a});
  text +=
      Concat({R"(, "b": {"url": "http://b.test", "dialect": "openai"})", s.more_backends,
              R"(}, "pools": {"p": )", s.pool, s.more_pools, R"(}, "limits": {"l": )", s.limit});
  return text + Concat({R"(}, "routes": )", s.routes, "}"});
}

// Each warning as "path: message"; none may come with a fault.
std::vector<std::string> WarningsOf(const Sections& sections) {
  const std::string text = Document(sections);
  std::vector<Fault> faults;
  const auto policy = Policy::Parse(text, &faults);
  for (const Fault& fault : faults) UNSCOPED_INFO(FaultText(fault));
  REQUIRE(policy != nullptr);
  std::vector<std::string> told;
  for (const Fault& warning : Policy::Warnings(text)) {
    told.push_back(Concat({warning.path, ": ", warning.message}));
  }
  return told;
}

void ExpectOne(const Sections& sections, std::string_view wanted) {
  const auto told = WarningsOf(sections);
  for (const std::string& warning : told) UNSCOPED_INFO(warning);
  REQUIRE(told.size() == 1);
  CHECK(told[0].substr(0, wanted.size()) == wanted);
}

TEST_CASE("where everything does something nothing is told") {
  CHECK(WarningsOf({}).empty());
  Sections full;
  full.more_backends = R"(, "d": {"url": "http://d.test", "dialect": "openai", "circuit_breaker":
      [{"on": {"status": ["5xx"], "count": 3, "interval": "5s"}, "trip": "1s", "trip_growth": 200,
        "trip_max": "60s"}]})";
  full.pool = R"({"strategy": "hash", "hash_key": "consumer.id", "load_bound": 150,
      "members": [{"backend": "a"}, {"backend": "b", "weight": 2}, {"backend": "d", "priority": 2}],
      "fail_back_after": "5s", "session_affinity": {"key": "cookie:s"}, "hedge": {"after": "p95"},
      "retry": {"attempts": 3, "on": ["5xx"]}, "fallback": [{"pool": "q"}]})";
  full.more_pools = R"(, "q": {"members": [{"backend": "b"}]})";
  CHECK(WarningsOf(full).empty());
}

TEST_CASE("what nothing uses is told") {
  Sections s;
  s.more_backends = R"(, "spare": {"url": "http://s.test", "dialect": "openai"})";
  ExpectOne(s, "backends.spare: it is in no pool");
  s = {};
  s.more_pools = R"(, "spare": {"members": [{"backend": "a"}]})";
  ExpectOne(s, "pools.spare: no route uses it");
  s = {};
  s.more = R"("meters": {"m": {}}, )";
  ExpectOne(s, "meters.m: no route uses it");
  s = {};
  s.a = R"({"url": "http://a.test", "dialect": "openai"})";
  ExpectOne(s, "credentials.c: no backend uses it");
  s = {};
  s.routes = R"([{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p"}])";
  ExpectOne(s, "limits.l: no route names it");
  s = {};
  s.consumers = R"({"red": {"keys": []}})";
  ExpectOne(s, "consumers.red: it has no keys");
}

TEST_CASE("a route below one that matches all of it is told, and no other") {
  const auto second = [](const std::string& match) {
    Sections s;
    s.routes = Concat({R"([{"name": "chat", "match": {"path": "/v1/{kind}/completions"},
                            "pool": "p", "limits": ["l"]},
                           {"name": "next", "match": )",
                       match, R"(, "pool": "p", "limits": ["l"]}])"});
    return s;
  };
  ExpectOne(second(R"({"path": "/v1/chat/completions"})"), "routes[1].match: never reached");
  ExpectOne(second(R"({"path": "/v1/{other}/completions"})"), "routes[1].match: never reached");
  CHECK(WarningsOf(second(R"({"method": "*", "path": "/v1/chat/completions"})")).empty());
  CHECK(WarningsOf(second(R"({"method": "GET", "path": "/v1/chat/completions"})")).empty());
  CHECK(WarningsOf(second(R"({"path": "/v1/chat/completions/now"})")).empty());
  CHECK(WarningsOf(second(R"({"path": "/v1/{a}/{b}"})")).empty());
}

TEST_CASE("a limit by consumers on a route that knows none is told") {
  Sections s;
  s.more_pools = "";
  s.routes = R"([{"name": "open", "match": {"path": "/v1/embeddings"}, "auth": "none",
                  "pool": "p", "limits": ["l"]},
                 {"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p"}])";
  ExpectOne(s, "routes[0].limits: the route asks for no key");
}

TEST_CASE("fields that others leave no effect are told") {
  const auto pool = [](const std::string& text) {
    Sections s;
    s.pool = text;
    return s;
  };
  const std::string two = R"({"members": [{"backend": "a"}, {"backend": "b"}], )";
  ExpectOne(pool(two + R"("retry": {"attempts": 1, "on": ["5xx"]}})"),
            "pools.p.retry.attempts: the first attempt is one of them");
  ExpectOne(pool(two + R"("retry": {"attempts": 2, "on": []}})"), "pools.p.retry.on: it is empty");
  ExpectOne(pool(two + R"("retry": {"attempts": 5, "on": ["5xx"]}})"),
            "pools.p.retry.attempts: only 2 can be made: the pool has 2 members");
  ExpectOne(pool(two + R"("fail_back_after": "3s"})"), "pools.p.fail_back_after: all members");
  ExpectOne(pool(R"({"strategy": "round_robin",
                     "members": [{"backend": "a", "weight": 3}, {"backend": "b"}]})"),
            "pools.p.members[0].weight: the strategy");
  Sections s;
  s.limit = R"({"key": "consumer.id", "unit": "usd", "amount": 5, "per": "60s"})";
  ExpectOne(s, "limits.l.unit: no model");
  s.limit = R"({"key": "consumer.id", "amount": 5, "per": "60s", "shadow": true,
                "on_exceeded": {"message": "no"}})";
  ExpectOne(s, "limits.l.on_exceeded.message: a shadow limit refuses nobody");
  s = {};
  s.a = R"({"url": "http://a.test", "dialect": "openai", "credential": "c", "circuit_breaker":
      [{"on": {"status": ["5xx"]}, "trip": "1s", "trip_max": "60s"}]})";
  ExpectOne(s, "backends.a.circuit_breaker[0].trip_max: without a");
}

TEST_CASE("a document with faults has no warnings") {
  CHECK(Policy::Warnings("{").empty());
  CHECK(Policy::Warnings(R"({"weir": 1, "pepper": "x"})").empty());
}

}  // namespace
}  // namespace weir::policy
