#include "weir/policy.h"

#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::policy {
namespace {

// A sound document in which one line can be put in place of another.
std::string Sound() {
  return R"({
  "weir": 1, // the version
  "pepper": {"env": "PEPPER"},
  "bounds": {"body": "4MiB"},
  "models": {"gpt-4o": {"encoding": "o200k_base", "max_output": 16384, "aliases": ["best"],
    "price": {"input": 2.50, "cached_input": 1.25, "output": 10.00}}},
  "consumers": {"red": {"keys":
    ["sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"],
    "attributes": {"team": "red"}, "models": ["gpt-4o*"]}},
  "credentials": {"east": {"header": "api-key", "value": {"file": "/run/east"}}},
  "backends": {"ptu": {"url": "https://east.example.com:8443/base/", "dialect": "azure-openai",
    "credential": "east", "api_version": "2024-10-21", "timeout": "90s",
    "circuit_breaker": [{"name": "throttle", "on": {"status": ["429", "5xx"],
      "failures": ["connect"], "count": 3, "interval": "10s"}, "trip": "30s",
      "accept_retry_after": true}],
    "capacity": {"tokens_per_minute": 300000}}},
  "pools": {"p": {"strategy": "weighted",
    "members": [{"backend": "ptu", "priority": 1, "weight": 3}],
    "retry": {"attempts": 3, "on": ["429", "5xx", "connect", "timeout"]}}},
  "limits": {"l": {"key": "consumer.id", "unit": "tokens", "amount": 50000, "per": "PT1M",
    "reserve": {"prompt": "exact", "output": "learned"}, "on_exceeded": {"status": 429}}},
  "meters": {"m": {"dimensions": {"team": "consumer.team", "app": "request.headers['x-app']"}}},
  "routes": [{"name": "chat", "match": {"method": "POST",
    "path": "/openai/deployments/{model}/chat/completions"},
    "pool": "p", "limits": ["l"], "meter": "m"}],
})";
}

std::string Replaced(const std::string& from, const std::string& to) {
  std::string text = Sound();
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a sound document becomes a plan of indices and nanoseconds") {
  std::vector<Fault> faults;
  const auto policy = Policy::Parse(Sound(), &faults);
  for (const Fault& fault : faults) UNSCOPED_INFO(FaultText(fault));
  REQUIRE(policy != nullptr);
  const Plan& plan = policy->plan();
  CHECK(plan.body_bytes_max == 4u << 20);
  CHECK(plan.secrets.size() == 2);
  CHECK(plan.FindModel("best")->max_output == 16384);
  CHECK(plan.FindModel("gpt-4o")->price_input == 2500000u);
  CHECK(plan.FindModel("other") == nullptr);
  const Backend& backend = plan.backends[0];
  CHECK(backend.origin == "https://east.example.com:8443");
  CHECK(backend.base_path == "/base");
  CHECK(backend.timeout_ns == 90 * kSecond);
  CHECK(backend.breaker.rules[0].statuses.size() == 2);
  CHECK(backend.breaker.rules[0].on_connect);
  CHECK_FALSE(backend.breaker.rules[0].on_reset);
  CHECK(plan.rules[static_cast<size_t>(backend.capacity_rule)].amount == 300000);
  CHECK(plan.rules[plan.limits[0].rule].window_ns == kMinute);
  CHECK(plan.pools[0].retry.attempts == 3);
  CHECK(plan.routes[0].operation == dialects::Operation::kChat);
  CHECK(plan.routes[0].dialect == dialects::Dialect::kAzureOpenAi);
  policy->set_secret(0, "salt");
  CHECK(plan.Resolve(plan.pepper) == "salt");
}

struct Row {
  std::string from, to;  // what is put in place of what
  std::string path;
  std::string words;  // the message has them
};

TEST_CASE("what is wrong is said with its place, and with the nearest known word") {
  const std::vector<Row> rows = {
      {"\"weir\": 1", "\"weir\": 2", "weir", "from 1 to 1"},
      {"\"bounds\"", "\"bonds\"", "bonds", "did you mean \"bounds\"?"},
      {"\"4MiB\"", "\"4MB\"", "bounds.body", "16MiB"},
      {"o200k_base", "o200k_bas", "models.gpt-4o.encoding", "did you mean \"o200k_base\"?"},
      {"2.50", "-1", "models.gpt-4o.price.input", "US dollars"},
      {"2.50", "0.0000001", "models.gpt-4o.price.input", "six decimals"},
      {"sha256:0011", "sha256:00", "consumers.red.keys[0]", "64 lower-case hex"},
      {"\"api-key\"", "\"api key\"", "credentials.east.header", "cannot be a header's name"},
      {"{\"file\": \"/run/east\"}", "{\"fil\": \"/run/east\"}", "credentials.east.value.fil",
       "did you mean \"file\"?"},
      {"https://east", "ftp://east", "backends.ptu.url", "https://"},
      {"east.example.com:8443", "user@east", "backends.ptu.url", "a host"},
      {"\"azure-openai\"", "\"azure\"", "backends.ptu.dialect", "unknown value \"azure\""},
      {"\"credential\": \"east\"", "\"credential\": \"west\"", "backends.ptu.credential",
       "known: \"east\""},
      {", \"api_version\": \"2024-10-21\"", "", "backends.ptu", "\"api_version\" is missing"},
      {"\"90s\"", "\"90\"", "backends.ptu.timeout", "a duration such as"},
      {"\"5xx\"]", "\"6xx\"]", "backends.ptu.circuit_breaker[0].on.status[1]", "\"500-503\""},
      {"[\"connect\"]", "[\"conect\"]", "backends.ptu.circuit_breaker[0].on.failures[0]",
       "did you mean \"connect\"?"},
      {"\"count\": 3", "\"count\": 0", "backends.ptu.circuit_breaker[0].on.count",
       "from 1 to 1000"},
      {"300000", "0", "backends.ptu.capacity.tokens_per_minute", "from 1 to"},
      {"\"weighted\"", "\"p2\"", "pools.p.strategy", "did you mean \"p2c\"?"},
      {"\"weighted\"", "\"p2c\", \"hash_key\": \"model\"", "pools.p.hash_key", "only the strategy"},
      {"\"weighted\"", "\"hash\", \"hash_key\": \"modl\"", "pools.p.hash_key", "expression"},
      {"\"weighted\"", "\"weighted\", \"session_affinity\": {\"key\": \"cookie:a b\"}",
       "pools.p.session_affinity.key", "cannot be a cookie's name"},
      {"\"weighted\"", "\"weighted\", \"hedge\": {\"after\": \"p80\"}", "pools.p.hedge.after",
       "p90"},
      {"\"backend\": \"ptu\"", "\"backend\": \"put\"", "pools.p.members[0].backend",
       "did you mean \"ptu\"?"},
      {"\"weight\": 3", "\"weight\": 3.5", "pools.p.members[0].weight", "an integer"},
      {"\"attempts\": 3", "\"attempts\": 99999999999999999999", "pools.p.retry.attempts",
       "from 1 to 16"},
      {"\"attempts\": 3", "\"attempts\": 3, \"deadline\": 5", "pools.p.retry.deadline", "expected"},
      {"\"retry\"", "\"all_down\": {\"action\": \"waits\"}, \"retry\"", "pools.p.all_down.action",
       "did you mean \"wait\"?"},
      {"\"retry\"", "\"all_down\": {\"action\": \"refuse\", \"max_wait\": \"1s\"}, \"retry\"",
       "pools.p.all_down.max_wait", "only the action"},
      {"\"retry\"", "\"fallback\": [{\"pool\": \"q\"}], \"retry\"", "pools.p.fallback[0].pool",
       "unknown pool \"q\""},
      {"\"retry\"", "\"fallback\": [{\"pool\": \"p\"}], \"retry\"", "pools.p.fallback[0]",
       "with another model"},
      {"\"api_version\"", "\"models\": {\"a\": 1}, \"api_version\"", "backends.ptu.models.a",
       "expected a string"},
      {"consumer.id", "consumr.id", "limits.l.key", "column 1"},
      {"50000", "0", "limits.l.amount", "from 1 to"},
      {"50000", "0", "limits.l.amount", "from 1 to"},
      {"50000", "9007199254740993", "limits.l.amount", "from 1 to 9007199254740992"},
      {"\"PT1M\"", "\"moon\"", "limits.l.per", "a duration such as"},
      {"\"PT1M\"", "\"100ms\"", "limits.l.per", "from 1s"},
      {"\"learned\"", "\"lerned\"", "limits.l.reserve.output", "did you mean \"learned\"?"},
      {"\"status\": 429}", "\"status\": 200}", "limits.l.on_exceeded.status", "from 400 to 599"},
      {"\"amount\": 50000", "\"amount\": 50000, \"burst\": 5", "limits.l.burst", "token_bucket"},
      {"\"team\": \"consumer.team\"", "\"route\": \"consumer.team\"", "meters.m.dimensions.route",
       "a dimension already"},
      {"\"/openai/deployments/{model}", "\"/openai/deployments/x{model}", "routes[0].match.path",
       "whole part of the path"},
      {"\"pool\": \"p\"", "\"pool\": \"q\"", "routes[0].pool", "unknown pool \"q\""},
      {"[\"l\"]", "[\"l\", \"l\"]", "routes[0].limits[1]", "named twice"},
      {"\"name\": \"chat\"", "\"name\": 7", "routes[0].name", "expected a string, found a number"},
      {"\"weir\": 1,", "\"weir\": 1, \"weir\": 1,", "", "appears twice"},
  };
  for (const Row& row : rows) {
    INFO(row.from << " -> " << row.to);
    std::vector<Fault> faults;
    CHECK(Policy::Parse(Replaced(row.from, row.to), &faults) == nullptr);
    bool said = false;
    for (const Fault& fault : faults) {
      UNSCOPED_INFO(FaultText(fault));
      said = said || (fault.path == row.path && fault.message.find(row.words) != std::string::npos);
    }
    CHECK(said);
  }
}

TEST_CASE("every fault is said at once, in the order of the document, with line and column") {
  std::string text = Replaced("\"4MiB\"", "4");
  text.replace(text.find("50000"), 5, "null ");
  text.replace(text.find("\"pool\": \"p\""), 11, "\"pol\": \"p\"");
  std::vector<Fault> faults;
  CHECK(Policy::Parse(text, &faults) == nullptr);
  REQUIRE(faults.size() == 4);  // the misspelt key, and the one that is missing for it
  CHECK(FaultText(faults[0]).substr(0, 21) == "4:22: bounds.body: ex");
  CHECK(faults[1].path == "limits.l.amount");
  for (size_t i = 1; i < faults.size(); ++i) CHECK(faults[i - 1].offset <= faults[i].offset);
  const Fault& key = faults[3].path == "routes[0].pol" ? faults[3] : faults[2];
  CHECK(text.substr(key.offset, 5) == "\"pol\"");
}

// Sound() with these fields in its one limit, beside its key.
std::string WithLimit(const std::string& fields) {
  std::string text = Sound();
  const size_t begin = text.find("\"unit\": \"tokens\""), end = text.find("}},", begin);
  REQUIRE(end != std::string::npos);
  return text.replace(begin, end - begin, fields);
}

TEST_CASE("limits of every kind are read as they are meant") {
  struct Meant {
    std::string fields;
    Unit unit;
    limits::Algorithm algorithm;
    uint64_t amount;
    int status;
  };
  using limits::Algorithm;
  const Meant rows[] = {
      {R"("amount": 5, "per": "1s")", Unit::kTokens, Algorithm::kSlidingWindow, 5, 429},
      {R"("amount": 5, "per": "366d", "algorithm": "fixed_window")", Unit::kTokens,
       Algorithm::kFixedWindow, 5, 429},
      {R"("unit": "usd", "amount": 0.000001, "per": "lifetime")", Unit::kUsd, Algorithm::kCalendar,
       1, 403},
      {R"("unit": "usd", "amount": 500, "per": "month", "time_zone": "Europe/Berlin",
          "on_exceeded": {"status": 402})",
       Unit::kUsd, Algorithm::kCalendar, 500000000, 402},
      {R"("unit": "requests", "amount": 9007199254740992, "per": "week", "week_start": "sunday",
          "algorithm": "fixed_window")",
       Unit::kRequests, Algorithm::kCalendar, 9007199254740992, 403},
      {R"("unit": "concurrency", "amount": 3)", Unit::kConcurrency, Algorithm::kConcurrency, 3,
       429},
      {R"("cost": "usage.prompt + 4 * usage.completion", "amount": 7, "per": "1m")", Unit::kCost,
       Algorithm::kSlidingWindow, 7, 429},
      {R"("amount": 7, "per": "1m", "share": {"weights": "consumer.weight", "floor": 2})",
       Unit::kTokens, Algorithm::kSlidingWindow, 7, 429},
  };
  for (const Meant& row : rows) {
    INFO(row.fields);
    std::vector<Fault> faults;
    const auto policy = Policy::Parse(WithLimit(row.fields), &faults);
    for (const Fault& fault : faults) UNSCOPED_INFO(FaultText(fault));
    REQUIRE(policy != nullptr);
    const Limit& limit = policy->plan().limits[0];
    const limits::Rule& rule = policy->plan().rules[limit.rule];
    CHECK(limit.unit == row.unit);
    CHECK(rule.algorithm == row.algorithm);
    CHECK(rule.amount == row.amount);
    CHECK(limit.status == row.status);
    CHECK((limit.cost != nullptr) == (row.unit == Unit::kCost));
  }
}

TEST_CASE("limits that contradict themselves are refused by the field at fault") {
  const Row rows[] = {
      {R"("amount": 5)", "", "limits.l", "\"per\" is missing"},
      {R"("unit": "usd", "amount": 0, "per": "day")", "", "limits.l.amount", "more than 0"},
      {R"("unit": "usd", "amount": 0.0000001, "per": "day")", "", "limits.l.amount",
       "six decimals"},
      {R"("unit": "usd", "amount": 1e10, "per": "day")", "", "limits.l.amount", "US dollars"},
      {R"("amount": "no.such", "per": "day")", "", "limits.l.amount", "expression"},
      {R"("amount": "usage.prompt", "per": "day")", "", "limits.l.amount", "expression"},
      {R"("cost": "usage.promt", "amount": 1, "per": "day")", "", "limits.l.cost", "prompt"},
      {R"("unit": "tokens", "cost": "1", "amount": 1, "per": "day")", "", "limits.l.cost",
       "not both"},
      {R"("amount": 1, "per": "day", "time_zone": "Mars/Olympus")", "", "limits.l.time_zone",
       "no time zone \"Mars/Olympus\""},
      {R"("amount": 1, "per": "1d", "time_zone": "UTC")", "", "limits.l.time_zone",
       "only calendar periods"},
      {R"("amount": 1, "per": "month", "week_start": "monday")", "", "limits.l.week_start",
       "only the period \"week\""},
      {R"("amount": 1, "per": "month", "algorithm": "token_bucket")", "", "limits.l.algorithm",
       "fixed windows"},
      {R"("unit": "concurrency", "amount": 1, "per": "1m")", "", "limits.l.per", "no period"},
      {R"("unit": "concurrency", "amount": 1, "reserve": {})", "", "limits.l.reserve",
       "exactly one"},
      {R"("amount": 1, "per": "month", "share": {})", "", "limits.l.share", "sliding_window"},
      {R"("amount": "1", "per": "1m", "share": {})", "", "limits.l.share", "one amount"},
      {R"("unit": "requests", "amount": 1, "per": "1m", "on_exceeded": {"action": "cut"})", "",
       "limits.l.on_exceeded.action", "can be held"},
      {R"("amount": 1, "per": "1m", "on_exceeded": {"action": {"downgrade": 3}})", "",
       "limits.l.on_exceeded.action.downgrade", "a string"},
      {R"("amount": 1, "per": "1m", "on_exceeded": {"action": "clamp", "max_wait": "1s"})", "",
       "limits.l.on_exceeded.max_wait", "waits"},
  };
  for (const Row& row : rows) {
    INFO(row.from);
    std::vector<Fault> faults;
    CHECK(Policy::Parse(WithLimit(row.from), &faults) == nullptr);
    REQUIRE_FALSE(faults.empty());
    CHECK(faults[0].path == row.path);
    INFO(faults[0].message);
    CHECK(faults[0].message.find(row.words) != std::string::npos);
  }
}

TEST_CASE("headers to clients are called as the policy says, or are not sent") {
  std::string text = Sound();
  text.insert(text.find("\"routes\""),
              R"("headers": {"retry-after-ms": false, "x-weir-backend": "x-served-by"},)");
  std::vector<Fault> faults;
  const auto policy = Policy::Parse(text, &faults);
  REQUIRE(policy != nullptr);
  const auto name = [&](ClientHeader header) {
    return policy->plan().client_headers[static_cast<size_t>(header)];
  };
  CHECK(name(ClientHeader::kRetryAfterMs).empty());
  CHECK(name(ClientHeader::kBackend) == "x-served-by");
  CHECK(name(ClientHeader::kRetryAfter) == "retry-after");
  CHECK(name(ClientHeader::kExplain).empty());
  CHECK_FALSE(policy->plan().ledger_explains);
  text.replace(text.find("retry-after-ms"), 14, "retry-aftr-ms!");
  CHECK(Policy::Parse(text, &faults) == nullptr);
  CHECK(faults[0].message.find("retry-after") != std::string::npos);
}

TEST_CASE("explanations for those who ask for them") {
  for (const auto& [value, called] :
       {std::pair("true", "x-weir-explain"), {"false", ""}, {"\"x-why\"", "x-why"}}) {
    std::string text = Sound();
    text.insert(text.find("\"routes\""), std::string(R"("headers": {"x-weir-explain": )") + value +
                                             R"(}, "ledger": {"explain": true},)");
    std::vector<Fault> faults;
    const auto policy = Policy::Parse(text, &faults);
    REQUIRE(policy != nullptr);
    CHECK(policy->plan().client_headers[static_cast<size_t>(ClientHeader::kExplain)] == called);
    CHECK(policy->plan().ledger_explains);
    text.replace(text.find("{\"explain\": true}"), 17, "{\"explain\": 1}   ");
    CHECK(Policy::Parse(text, &faults) == nullptr);
  }
}

TEST_CASE("documents that are no documents") {
  std::vector<Fault> faults;
  for (const char* text : {"", "[]", "null", "{", "{\"weir\":1}", "\xff", "{\"weir\":1,}"}) {
    INFO(text);
    CHECK(Policy::Parse(text, &faults) == nullptr);
    CHECK_FALSE(faults.empty());
  }
  CHECK(Policy::Parse(std::string(100000, '['), &faults) == nullptr);
  CHECK(Policy::Parse(std::string((16 << 20) + 1, ' '), &faults) == nullptr);
}

TEST_CASE("a document mutated anywhere is read or refused, never worse") {
  Random random(11);
  const std::string sound = Sound();
  const std::vector<std::string> pieces = {"null", "0",  "-1",   "1e999", "\"\"",
                                           "[]",   "{}", "true", "\"x\"", ",",
                                           ":",    "{",  "]",    "\x01",  "\\"};
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = sound;
    for (uint64_t edits = 1 + random.Below(3); edits > 0; --edits) {
      const size_t at = random.Below(text.size());
      text.replace(at, random.Below(12), pieces[random.Below(pieces.size())]);
    }
    std::vector<Fault> faults;
    const auto policy = Policy::Parse(text, &faults);
    REQUIRE((policy == nullptr) == !faults.empty());
    refused += policy == nullptr ? 1 : 0;
  }
  CHECK(refused > 2500);
}

TEST_CASE("routes match whole segments, and parameters are decoded") {
  std::vector<Fault> faults;
  const auto policy = Policy::Parse(Sound(), &faults);
  REQUIRE(policy != nullptr);
  Parameters parameters;
  bool other_method = false;
  const auto match = [&](std::string_view method, std::string_view path) {
    return policy->plan().Match(method, path, &parameters, &other_method);
  };
  CHECK(match("POST", "/openai/deployments/gpt-4o/chat/completions") != nullptr);
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].second == "gpt-4o");
  CHECK(match("POST", "/openai/deployments/a%2Fb/chat/completions") != nullptr);
  CHECK(parameters[0].second == "a/b");
  CHECK(match("GET", "/openai/deployments/gpt-4o/chat/completions") == nullptr);
  CHECK(other_method);
  for (const char* path :
       {"/openai/deployments//chat/completions", "/openai/deployments/a/b/chat/completions",
        "/openai/deployments/a/chat/completions/", "/openai/deployments/a/chat", "", "openai",
        "/openai/deployments/%zz/chat/completions", "/openai/deployments/%00/chat/completions"}) {
    INFO(path);
    CHECK(match("POST", path) == nullptr);
    CHECK_FALSE(other_method);
  }
}

// Sound() with its one route on `path` and its backend of `dialect`.
std::string On(const std::string& path, const std::string& dialect) {
  std::string text = Replaced("/openai/deployments/{model}/chat/completions", path);
  const std::string azure = "\"azure-openai\"";
  return text.replace(text.find(azure), azure.size(), "\"" + dialect + "\"");
}

TEST_CASE("a route's path says its dialect and operation, and its backends speak the same") {
  struct PathRow {
    std::string path, dialect;
    std::optional<dialects::Operation> operation;
  };
  const PathRow rows[] = {
      {"/v1/chat/completions", "openai", dialects::Operation::kChat},
      {"/v1/responses", "openai", dialects::Operation::kResponses},
      {"/v1/completions", "openai", dialects::Operation::kCompletions},
      {"/v1/embeddings", "openai", dialects::Operation::kEmbeddings},
      {"/a/v1/messages", "anthropic", dialects::Operation::kChat},
      {"/v1beta/models/{model}:generateContent", "gemini", dialects::Operation::kChat},
      {"/v1beta/models/{model}:embedContent", "gemini", dialects::Operation::kEmbeddings},
      {"/model/{model}/converse-stream", "bedrock", dialects::Operation::kChat},
      {"/v1/models", "openai", std::nullopt},
  };
  for (const PathRow& row : rows) {
    for (const char* dialect : {"openai", "azure-openai", "anthropic", "gemini", "bedrock"}) {
      INFO(row.path << ' ' << dialect);
      std::vector<Fault> faults;
      const auto policy = Policy::Parse(On(row.path, dialect), &faults);
      const bool fits =
          !row.operation || dialects::SameFamily(*dialects::DialectFromName(dialect),
                                                 *dialects::DialectFromName(row.dialect));
      REQUIRE((policy != nullptr) == fits);
      if (policy == nullptr) {
        CHECK(faults[0].path == "routes[0].pool");
        CHECK(faults[0].message.find("speaks \"" + std::string(dialect) + "\"") !=
              std::string::npos);
        continue;
      }
      CHECK(policy->plan().routes[0].operation == row.operation);
      if (row.operation) {
        CHECK(dialects::DialectName(policy->plan().routes[0].dialect) == row.dialect);
      }
    }
  }
}

TEST_CASE("a parameter may stand before a colon and a word") {
  std::vector<Fault> faults;
  const auto policy =
      Policy::Parse(On("/v1beta/models/{model}:generateContent", "gemini"), &faults);
  REQUIRE(policy != nullptr);
  Parameters parameters;
  bool other_method = false;
  const auto match = [&](std::string_view path) {
    return policy->plan().Match("POST", path, &parameters, &other_method) != nullptr;
  };
  REQUIRE(match("/v1beta/models/a%20b:c:generateContent"));
  CHECK(parameters[0].second == "a b:c");
  for (const char* path :
       {"/v1beta/models/:generateContent", "/v1beta/models/g:generateContents", "/v1beta/models/g",
        "/v1beta/models/generateContent", "/v1beta/models/g:generateContent/"}) {
    INFO(path);
    CHECK_FALSE(match(path));
  }
  for (const char* path : {"/m/{model}x", "/m/{model}{b}", "/m/{}:x", "/m/{a:b", "/m/{a}:{b}"}) {
    INFO(path);
    CHECK(Policy::Parse(On(path, "gemini"), &faults) == nullptr);
  }
}

TEST_CASE("the demo's policy is sound") {
  const auto text = testing::ReadFile(testing::SourcePath("examples/policies/demo.json"));
  REQUIRE(text.has_value());
  std::vector<Fault> faults;
  const auto policy = Policy::Parse(*text, &faults);
  for (const Fault& fault : faults) UNSCOPED_INFO(FaultText(fault));
  CHECK(policy != nullptr);
}

}  // namespace
}  // namespace weir::policy
