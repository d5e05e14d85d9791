// Groups, exemplars, OpenMetrics, and what a scraper accepts.

#include <string>

#include "base/text.h"
#include "tests/metrics/support.h"
#include "tests/support/catch.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

constexpr uint32_t kUsage = 0, kCost = 1, kTime = 2;
constexpr uint32_t kInput = 0, kOutput = 1;

Group Exchange() {
  Group group{.name = "exchange", .labels = {"route", "model"}};
  group.instruments.push_back({.kind = Kind::kHistogram,
                               .name = "gen_ai.client.token.usage",
                               .help = "Tokens \"used\".",
                               .unit = "{token}",
                               .bounds = {1, 1'048'576},
                               .labels = {"gen_ai.token.type"},
                               .points = {{"input"}, {"output"}},
                               .exemplars = true});
  group.instruments.push_back({.kind = Kind::kCounter,
                               .name = "weir.cost",
                               .help = "Cost.",
                               .unit = "USD",
                               .scale = 1'000'000});
  group.instruments.push_back({.kind = Kind::kHistogram,
                               .name = "weir.time",
                               .help = "Time.",
                               .unit = "s",
                               .scale = 1'000'000'000,
                               .bounds = {1'000, 10'000'000, 1'000'000'000}});
  return group;
}

TEST_CASE("a group shows what something was added to, and nothing else") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddGroup(Exchange());
  CHECK(registry->PrometheusText().empty());
  const Handle handle = registry->Find(id, {"chat", "m"});
  CHECK(registry->PrometheusText().empty());  // looked up, and nothing told of it
  registry->Observe(handle, kUsage, kOutput, 7, nullptr);
  registry->Increment(handle, kCost, 0, 1'500'000);
  CHECK(registry->PrometheusText() ==
        "# HELP gen_ai_client_token_usage Tokens \"used\".\n"
        "# TYPE gen_ai_client_token_usage histogram\n"
        "gen_ai_client_token_usage_bucket"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"output\",le=\"1\"} 0\n"
        "gen_ai_client_token_usage_bucket"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"output\",le=\"1048576\"} 1\n"
        "gen_ai_client_token_usage_bucket"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"output\",le=\"+Inf\"} 1\n"
        "gen_ai_client_token_usage_sum"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"output\"} 7\n"
        "gen_ai_client_token_usage_count"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"output\"} 1\n"
        "# HELP weir_cost_USD_total Cost.\n"
        "# TYPE weir_cost_USD_total counter\n"
        "weir_cost_USD_total{route=\"chat\",model=\"m\"} 1.5\n");
}

TEST_CASE("handles and points that do not fit do nothing") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddGroup(Exchange());
  const FamilyId lone = *registry->AddCounter({.name = "c", .help = ""});
  const std::string before = registry->PrometheusText();
  CHECK(registry->Find(id, {"one"}).cells == nullptr);
  CHECK(registry->Find(lone, {}).cells == nullptr);
  CHECK(registry->Find(99, {}).cells == nullptr);
  registry->Increment(Handle{}, kCost, 0, 1);
  const Handle handle = registry->Find(id, {"chat", "m"});
  registry->Increment(handle, kUsage, 0, 1);
  registry->Increment(handle, kCost, 1, 1);
  registry->Increment(handle, 3, 0, 1);
  registry->Observe(handle, kUsage, 2, 1, nullptr);
  registry->Observe(handle, kCost, 0, 1, nullptr);
  registry->Increment(id, {"chat", "m"}, 1);
  CHECK(registry->PrometheusText() == before);
}

TEST_CASE("groups that cannot be are refused") {
  auto registry = Registry::Create();
  Group group = Exchange();
  group.instruments[1].kind = Kind::kGauge;
  CHECK(!registry->AddGroup(group).ok());
  group = Exchange();
  group.instruments[0].points.push_back({"a", "b"});
  CHECK(!registry->AddGroup(group).ok());
  group = Exchange();
  group.instruments[1].name = std::string("weir.time");
  group.instruments[1].unit = std::string("s");
  CHECK(registry->AddGroup(group).ok());  // a counter: weir_time_seconds_total
  group = Exchange();
  group.labels.emplace_back("gen_ai_token_type");
  CHECK(!registry->AddGroup(group).ok());
  CHECK(!registry->AddGroup({.name = "none"}).ok());
}

TEST_CASE("OpenMetrics has its golden text, with exemplars") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddGroup(Exchange());
  const Handle handle = registry->Find(id, {"chat", "m"});
  const Exemplar exemplar = {0x0af7651916cd43dd, 0x8448eb211c80319c, 0xb7ad6b7169203331,
                             1'700'000'000'250'000'000};
  registry->Observe(handle, kUsage, kInput, 1200, &exemplar);
  registry->Observe(handle, kTime, 0, 20'000'000, &exemplar);  // keeps none
  registry->Increment(handle, kCost, 0, 1);
  CHECK(registry->Text(TextFormat::kOpenMetrics) ==
        "# HELP gen_ai_client_token_usage Tokens \\\"used\\\".\n"
        "# TYPE gen_ai_client_token_usage histogram\n"
        "gen_ai_client_token_usage_bucket"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"input\",le=\"1.0\"} 0\n"
        "gen_ai_client_token_usage_bucket"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"input\",le=\"1.048576e+06\"} 1"
        " # {trace_id=\"0af7651916cd43dd8448eb211c80319c\",span_id=\"b7ad6b7169203331\"}"
        " 1200 1700000000.25\n"
        "gen_ai_client_token_usage_bucket"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"input\",le=\"+Inf\"} 1\n"
        "gen_ai_client_token_usage_sum"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"input\"} 1200\n"
        "gen_ai_client_token_usage_count"
        "{route=\"chat\",model=\"m\",gen_ai_token_type=\"input\"} 1\n"
        "# HELP weir_cost_USD Cost.\n"
        "# TYPE weir_cost_USD counter\n"
        "# UNIT weir_cost_USD USD\n"
        "weir_cost_USD_total{route=\"chat\",model=\"m\"} 0.000001\n"
        "# HELP weir_time_seconds Time.\n"
        "# TYPE weir_time_seconds histogram\n"
        "# UNIT weir_time_seconds seconds\n"
        "weir_time_seconds_bucket{route=\"chat\",model=\"m\",le=\"1e-06\"} 0\n"
        "weir_time_seconds_bucket{route=\"chat\",model=\"m\",le=\"0.01\"} 0\n"
        "weir_time_seconds_bucket{route=\"chat\",model=\"m\",le=\"1.0\"} 1\n"
        "weir_time_seconds_bucket{route=\"chat\",model=\"m\",le=\"+Inf\"} 1\n"
        "weir_time_seconds_sum{route=\"chat\",model=\"m\"} 0.02\n"
        "weir_time_seconds_count{route=\"chat\",model=\"m\"} 1\n"
        "# EOF\n");
}

TEST_CASE("traceparent is read as W3C writes it") {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto read = ParseTraceparent(Concat({" ", good, "\t"}));
  REQUIRE(read.has_value());
  CHECK(read->trace_high == 0x0af7651916cd43dd);
  CHECK(read->trace_low == 0x8448eb211c80319c);
  CHECK(read->span == 0xb7ad6b7169203331);
  CHECK(read->sampled);
  const auto unsampled = ParseTraceparent(Concat({good.substr(0, 54), "2"}));
  REQUIRE(unsampled.has_value());
  CHECK(!unsampled->sampled);
  CHECK(ParseTraceparent(Concat({"cc", good.substr(2)})).has_value());
  CHECK(ParseTraceparent(Concat({"cc", good.substr(2), "-more"})).has_value());
  const std::string bad[] = {"",
                             good.substr(1),
                             Concat({good, "-more"}),
                             Concat({"ff", good.substr(2)}),
                             Concat({"cc", good.substr(2), "more"}),
                             "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                             "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                             "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                             "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01"};
  for (const std::string& header : bad) {
    CAPTURE(header);
    CHECK(!ParseTraceparent(header).has_value());
  }
}

TEST_CASE("the Accept header decides on the text") {
  const auto open = [](const char* accept) {
    return NegotiateText(accept) == TextFormat::kOpenMetrics;
  };
  // What Prometheus 2.42 and 3 send.
  CHECK(
      open("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1"
           ";q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  CHECK(
      open("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
           "text/plain;version=1.0.0;q=0.4,*/*;q=0.2"));
  CHECK(open("application/openmetrics-text"));
  CHECK(open("Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.2, text/plain;q=0.1"));
  CHECK(!open(""));
  CHECK(!open("*/*"));
  CHECK(!open("text/plain"));
  CHECK(!open("text/html,application/xhtml+xml,*/*;q=0.8"));
  CHECK(!open("application/openmetrics-text;version=2.0.0,*/*;q=0.1"));
  CHECK(!open("application/openmetrics-text;q=0"));
  CHECK(!open("application/openmetrics-text;q=0.3,text/plain;q=0.5"));
  CHECK(!open(";;,,=;q=,"));
  CHECK(ContentType(TextFormat::kPrometheus) == "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace weir::metrics
