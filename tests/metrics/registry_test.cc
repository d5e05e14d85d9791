// What the text says: golden forms, names and units, refusals, scales, exact sums.

#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The name of the only family, as the text spells it.
std::string SpelledName(const Family& family, char kind) {
  auto registry = Registry::Create();
  const auto id = kind == 'c'   ? registry->AddCounter(family)
                  : kind == 'g' ? registry->AddGauge(family)
                                : registry->AddHistogram(family, {1}, 1);
  REQUIRE(id.ok());
  const std::string text = registry->PrometheusText();
  constexpr size_t kHead = 7;  // "# HELP "
  return text.substr(kHead, text.find(' ', kHead) - kHead);
}

TEST_CASE("each type has its golden text") {
  auto registry = Registry::Create();
  const auto decisions = registry->AddCounter({.name = "weir.limit.decisions",
                                               .help = "Decisions of \\limits\\,\nby outcome.",
                                               .unit = "{decision}",
                                               .labels = {"rule", "outcome"}});
  const auto state = registry->AddGauge(
      {.name = "weir.breaker.state", .help = "State.", .unit = "", .labels = {"backend"}});
  const auto duration =
      registry->AddHistogram({.name = "gen_ai.client.operation.duration",
                              .help = "Time of one operation.",
                              .unit = "s",
                              .labels = {"gen_ai.request.model"}},
                             {10'000'000, 250'000'000, 2'000'000'000}, 1'000'000'000);
  const auto total = registry->AddCounter({.name = "weir.requests", .help = ""});
  const auto sizes =
      registry->AddHistogram({.name = "weir.sizes", .help = "x", .unit = "By"}, {}, 1);
  registry->Increment(*decisions, {"team", "refused"}, 2);
  registry->Increment(*decisions, {"team", "admitted"}, 40);
  registry->Increment(*decisions, {"team", "admitted"}, 2);
  registry->Set(*state, {"b\"1\"\\\n"}, 2);
  registry->Set(*state, {"a"}, -7);
  registry->Observe(*duration, {"m"}, 10'000'000);
  registry->Observe(*duration, {"m"}, 10'000'001);
  registry->Observe(*duration, {"m"}, 0);
  registry->Observe(*duration, {"m"}, 1'214'567'889);
  registry->Observe(*duration, {"m"}, 2'000'000'001);
  registry->Observe(*sizes, {}, 12);
  (void)total;
  REQUIRE(
      registry->PrometheusText() ==
      "# HELP weir_limit_decisions_total Decisions of \\\\limits\\\\,\\nby outcome.\n"
      "# TYPE weir_limit_decisions_total counter\n"
      "weir_limit_decisions_total{rule=\"team\",outcome=\"admitted\"} 42\n"
      "weir_limit_decisions_total{rule=\"team\",outcome=\"refused\"} 2\n"
      "# HELP weir_breaker_state State.\n"
      "# TYPE weir_breaker_state gauge\n"
      "weir_breaker_state{backend=\"a\"} -7\n"
      "weir_breaker_state{backend=\"b\\\"1\\\"\\\\\\n\"} 2\n"
      "# HELP gen_ai_client_operation_duration_seconds Time of one operation.\n"
      "# TYPE gen_ai_client_operation_duration_seconds histogram\n"
      "gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_model=\"m\",le=\"0.01\"} 2\n"
      "gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_model=\"m\",le=\"0.25\"} 3\n"
      "gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_model=\"m\",le=\"2\"} 4\n"
      "gen_ai_client_operation_duration_seconds_bucket{gen_ai_request_model=\"m\",le=\"+Inf\"} 5\n"
      "gen_ai_client_operation_duration_seconds_sum{gen_ai_request_model=\"m\"} 3.234567891\n"
      "gen_ai_client_operation_duration_seconds_count{gen_ai_request_model=\"m\"} 5\n"
      "# HELP weir_requests_total \n"
      "# TYPE weir_requests_total counter\n"
      "weir_requests_total 0\n"
      "# HELP weir_sizes_bytes x\n"
      "# TYPE weir_sizes_bytes histogram\n"
      "weir_sizes_bytes_bucket{le=\"+Inf\"} 1\n"
      "weir_sizes_bytes_sum 12\n"
      "weir_sizes_bytes_count 1\n");
}

TEST_CASE("names take units and suffixes as OpenTelemetry's rules say") {
  struct Row {
    const char* name;
    const char* unit;
    char kind;
    const char* expected;
  };
  const Row rows[] = {
      {"gen_ai.client.token.usage", "{token}", 'h', "gen_ai_client_token_usage"},
      {"gen_ai.client.operation.duration", "s", 'h', "gen_ai_client_operation_duration_seconds"},
      {"weir.tokens", "{token}", 'c', "weir_tokens_total"},
      {"weir.wait", "ms", 'c', "weir_wait_milliseconds_total"},
      {"weir.wait.total", "ms", 'c', "weir_wait_milliseconds_total"},
      {"weir.requests_total", "", 'c', "weir_requests_total"},
      {"weir.requests_total", "", 'g', "weir_requests_total"},
      {"weir.used", "1", 'g', "weir_used_ratio"},
      {"weir.used", "1", 'c', "weir_used_total"},
      {"weir.used", "1", 'h', "weir_used"},
      {"weir.flow", "By/s", 'g', "weir_flow_bytes_per_second"},
      {"weir.flow", "{request}/s", 'g', "weir_flow_per_second"},
      {"weir.flow", "1/min", 'g', "weir_flow_per_minute"},
      {"weir.flow", "By{packet}/{second}", 'g', "weir_flow_bytes"},
      {"weir.pause_seconds", "s", 'g', "weir_pause_seconds"},
      {"seconds_left", "s", 'g', "seconds_left_seconds"},
      {"weir.cost", "USD", 'c', "weir_cost_USD_total"},
      {"weir.cost.USD", "USD", 'c', "weir_cost_USD_total"},
      {"weir.heat", "%", 'g', "weir_heat_percent"},
      {"a..b--c__d", "", 'g', "a_b_c_d"},
      {"9lives", "", 'g', "_9lives"},
      {"a:b", "", 'g', "a:b"},
      {"\xC3\xA9t\xC3\xA9\n", "", 'g', "_t_"},
      {"a_", "s", 'g', "a_seconds"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name, row.unit, row.kind);
    CHECK(SpelledName({.name = row.name, .help = "h", .unit = row.unit}, row.kind) == row.expected);
  }
}

TEST_CASE("label names are mapped") {
  auto registry = Registry::Create();
  const auto id = registry->AddCounter(
      {.name = "c", .help = "", .labels = {"gen_ai.token.type", "a:b", "1st", "__name__"}});
  registry->Increment(*id, {"v", "w", "x", "y"}, 1);
  CHECK(Contains(registry->PrometheusText(),
                 "c_total{gen_ai_token_type=\"v\",a_b=\"w\",_1st=\"x\",_name_=\"y\"} 1\n"));
}

TEST_CASE("what cannot be told apart in the text is refused") {
  auto registry = Registry::Create();
  REQUIRE(registry->AddCounter({.name = "a.b", .help = ""}).ok());
  REQUIRE(registry->AddHistogram({.name = "h", .help = ""}, {1, 2}, 1).ok());
  const auto same = registry->AddCounter({.name = "a_b", .help = ""});
  CHECK(same.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(same.status().message()) ==
        "families 'a.b' and 'a_b' are both written as 'a_b_total'");
  CHECK(!registry->AddGauge({.name = "a.b.total", .help = ""}).ok());
  CHECK(!registry->AddGauge({.name = "h.count", .help = ""}).ok());
  CHECK(!registry->AddGauge({.name = "h_sum", .help = ""}).ok());
  CHECK(!registry->AddGauge({.name = "h-bucket", .help = ""}).ok());
  CHECK(registry->AddGauge({.name = "h.mean", .help = ""}).ok());
  const auto labels = registry->AddGauge({.name = "g", .help = "", .labels = {"x.y", "z", "x_y"}});
  CHECK(std::string(labels.status().message()) ==
        "family 'g' has labels 'x.y' and 'x_y', both written as 'x_y'");
  CHECK(!registry->AddHistogram({.name = "i", .help = "", .labels = {"le"}}, {1}, 1).ok());
  CHECK(registry->AddGauge({.name = "i", .help = "", .labels = {"le"}}).ok());
  CHECK(!registry->AddGauge({.name = "", .help = ""}).ok());
  CHECK(!registry->AddGauge({.name = "j", .help = "", .labels = {""}}).ok());
  CHECK(!registry->AddGauge({.name = "j", .labels = std::vector<std::string>(17, "l")}).ok());
}

TEST_CASE("bounds and scales are checked") {
  auto registry = Registry::Create();
  const Family family{.name = "h", .help = ""};
  CHECK(!registry->AddHistogram(family, {2, 1}, 1).ok());
  CHECK(!registry->AddHistogram(family, {1, 1}, 1).ok());
  CHECK(!registry->AddHistogram(family, {1}, 0).ok());
  CHECK(!registry->AddHistogram(family, {1}, 60).ok());
  CHECK(!registry->AddHistogram(family, {1}, 10'000'000'000'000'000'000u).ok());
  CHECK(!registry->AddGauge({.name = "g", .scale = 3}).ok());
  std::vector<uint64_t> bounds(257);
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = i;
  CHECK(!registry->AddHistogram(family, bounds, 1).ok());
  bounds.pop_back();
  CHECK(registry->AddHistogram(family, bounds, 1'000'000'000'000'000'000u).ok());
}

TEST_CASE("adding again gives the same id only for the same family") {
  auto registry = Registry::Create();
  const Family family{.name = "h", .help = "one", .unit = "s", .labels = {"a"}};
  const auto first = registry->AddHistogram(family, {1, 2}, 10);
  Family again = family;
  again.help = "two";
  again.max_series = 5;
  CHECK(*registry->AddHistogram(again, {1, 2}, 10) == *first);
  const auto refused = [](const absl::StatusOr<FamilyId>& id) {
    return id.status().code() == absl::StatusCode::kAlreadyExists;
  };
  CHECK(refused(registry->AddHistogram(family, {1, 3}, 10)));
  CHECK(refused(registry->AddHistogram(family, {1, 2}, 100)));
  CHECK(refused(registry->AddCounter(family)));
  CHECK(refused(registry->AddGauge(family)));
  Family other = family;
  other.labels = {"b"};
  CHECK(refused(registry->AddHistogram(other, {1, 2}, 10)));
  other = family;
  other.unit = "ms";
  CHECK(refused(registry->AddHistogram(other, {1, 2}, 10)));
}

TEST_CASE("max_series follows the latest registration and drops nothing") {
  auto registry = Registry::Create();
  Family family{.name = "c", .help = "", .labels = {"a"}, .max_series = 1};
  const FamilyId id = *registry->AddCounter(family);
  registry->Increment(id, {"x"}, 1);
  registry->Increment(id, {"y"}, 1);
  family.max_series = 2;
  REQUIRE(*registry->AddCounter(family) == id);
  registry->Increment(id, {"z"}, 1);
  family.max_series = 0;
  REQUIRE(*registry->AddCounter(family) == id);
  registry->Increment(id, {"x"}, 1);
  registry->Increment(id, {"w"}, 1);
  CHECK(registry->PrometheusText() ==
        "# HELP c_total \n# TYPE c_total counter\n"
        "c_total{a=\"other\"} 2\nc_total{a=\"x\"} 2\nc_total{a=\"z\"} 1\n");
}

TEST_CASE("a registry is full at kMaxFamilies") {
  auto registry = Registry::Create();
  for (int i = 0; i < kMaxFamilies; ++i) {
    REQUIRE(
        registry->AddGauge({.name = std::string("g").append(std::to_string(i)), .help = ""}).ok());
  }
  CHECK(registry->AddGauge({.name = "more"}).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(registry->AddGauge({.name = "g7"}).ok());
}

TEST_CASE("calls that do not fit their family change nothing") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddCounter({.name = "c", .help = "", .labels = {"a"}});
  registry->Increment(id, {"x"}, 1);
  const std::string before = registry->PrometheusText();
  registry->Increment(id, {}, 1);
  registry->Increment(id, {"x", "y"}, 1);
  registry->Set(id, {"x"}, 1);
  registry->Observe(id, {"x"}, 1);
  registry->Increment(id + 1, {"x"}, 1);
  registry->Increment(0xFFFFFFFF, {"x"}, 1);
  CHECK(registry->PrometheusText() == before);
}

TEST_CASE("scaled values are exact decimals") {
  struct Row {
    int64_t value;
    uint64_t scale;
    const char* expected;
  };
  const Row rows[] = {
      {0, 1000, "0"},
      {1, 1000, "0.001"},
      {-1, 1000, "-0.001"},
      {10, 1000, "0.01"},
      {1000, 1000, "1"},
      {-1500, 1000, "-1.5"},
      {1'234'567'890, 1'000'000'000, "1.23456789"},
      {100'000'000'001, 1'000'000'000, "100.000000001"},
      {INT64_MAX, 1, "9223372036854775807"},
      {INT64_MIN, 1, "-9223372036854775808"},
      {INT64_MIN, 1'000'000'000'000'000'000, "-9.223372036854775808"},
  };
  for (const Row& row : rows) {
    auto registry = Registry::Create();
    const FamilyId id = *registry->AddGauge({.name = "g", .help = "", .scale = row.scale});
    registry->Set(id, {}, row.value);
    CHECK(Contains(registry->PrometheusText(), std::string("\ng ") + row.expected + "\n"));
  }
}

TEST_CASE("sums beyond 64 bits stay exact") {
  auto registry = Registry::Create();
  const FamilyId counter = *registry->AddCounter({.name = "c", .help = ""});
  const FamilyId histogram = *registry->AddHistogram({.name = "h", .help = ""}, {5}, 1'000'000'000);
  for (int i = 0; i < 3; ++i) registry->Increment(counter, {}, UINT64_MAX);
  registry->Increment(counter, {}, 5);
  for (int i = 0; i < 10; ++i) registry->Observe(histogram, {}, UINT64_MAX);
  const std::string text = registry->PrometheusText();
  CHECK(Contains(text, "\nc_total 55340232221128654850\n"));
  CHECK(Contains(text, "\nh_sum 184467440737.09551615\n"));
}

TEST_CASE("the word that takes additions is folded before it overflows") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddCounter({.name = "c", .help = ""});
  constexpr uint64_t kStep = (uint64_t{1} << 40) - 1;
  constexpr int kThreads = 2;
  constexpr uint64_t kSteps = 10'000'000;  // 1.19 × 2^64 in sum
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kSteps; ++i) registry->Increment(id, {}, kStep);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(Contains(registry->PrometheusText(), "\nc_total 21990232555500000000\n"));
}

}  // namespace
}  // namespace weir::metrics
