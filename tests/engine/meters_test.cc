// What the meters say: names, units, buckets and attributes by the standard, and sums that agree
// with what was used.

#include <map>
#include <set>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "tests/engine/support.h"
#include "tests/metrics/support.h"
#include "tests/support/processes.h"
#include "weir/metrics.h"

namespace weir::engine::testing {
namespace {

using weir::testing::CountLines;

// OpenTelemetry's semantic conventions for generative AI (semantic-conventions-genai, August 2026,
// status: development), as far as weir has them.
struct Standard {
  const char* name;
  const char* unit;
  std::vector<double> bounds;
};
const std::vector<Standard>& StandardTable() {
  static const std::vector<Standard> table = {
      {"gen_ai.client.token.usage",
       "{token}",
       {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}},
      {"gen_ai.client.operation.duration",
       "s",
       {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}},
      {"gen_ai.server.time_to_first_token",
       "s",
       {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}},
      {"gen_ai.server.time_per_output_token",
       "s",
       {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}},
  };
  return table;
}
const std::set<std::string, std::less<>> kStandardAttributes = {
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model",
    "gen_ai.response.model", "gen_ai.token.type",    "error.type"};
const std::set<std::string, std::less<>> kOwnAttributes = {"route", "consumer", "backend"};

constexpr char kUsageChunk[] =
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],"
    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
    "\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n";

// A streamed exchange: first bytes after 250 ms, the end 400 ms later.
void Stream(Engine& engine, const char* traceparent = nullptr) {
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  REQUIRE(txn->RequestHeader("authorization", "Bearer vk-red").ok());
  if (traceparent != nullptr) REQUIRE(txn->RequestHeader("traceparent", traceparent).ok());
  REQUIRE(txn->RequestBody(Body(true)).ok());
  REQUIRE(txn->RequestEnd().ok());
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  txn->AddOverhead(30'000);
  Answer(*txn, 200, "text/event-stream");
  Decide(*txn, At(10));
  REQUIRE(
      txn->ResponseBody("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n")
          .ok());
  Decide(*txn, At(250));
  REQUIRE(txn->ResponseBody(kUsageChunk).ok());
  REQUIRE(txn->ResponseEnd().ok());
  REQUIRE(Decide(*txn, At(650)).kind == ActionKind::kDone);
  txn->AddOverhead(10'000);
  txn->AddOverhead(5'000);
}

void Refuse(Engine& engine, const std::string& model) {
  auto txn = Ask(engine, "vk-red",
                 R"({"model":")" + model + R"(","messages":[{"role":"user","content":"x"}]})");
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  Answer(*txn, 404);
  Decide(*txn, At(5));
  REQUIRE(txn->ResponseBody(R"({"error":{"message":"no such model"}})").ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, At(6));
}

TEST_CASE("names, units, buckets and attributes are the standard's") {
  auto engine = MakeEngine();
  Stream(*engine);
  Refuse(*engine, "nobody-has-it");
  json::Document document;
  REQUIRE(document.Parse(
      engine->ExportMetrics(metrics::ExportFormat::kOtlpCumulative, {}, At(700))->bytes));
  const json::Value scope = *document.root()["resourceMetrics"].members().begin();
  std::map<std::string, json::Value> told;
  for (const json::Value metric : (*scope["scopeMetrics"].members().begin())["metrics"].members()) {
    told[std::string(metric["name"].text())] = metric;
  }
  std::set<std::string> standard;
  for (const Standard& row : StandardTable()) {
    CAPTURE(row.name);
    standard.insert(row.name);
    REQUIRE(told.count(row.name) == 1);
    CHECK(told[row.name]["unit"].text() == row.unit);
    CHECK(told[row.name]["histogram"]["dataPoints"].size() > 0);
    for (const json::Value point : told[row.name]["histogram"]["dataPoints"].members()) {
      std::vector<double> bounds;
      for (const json::Value bound : point["explicitBounds"].members()) {
        bounds.push_back(std::stod(std::string(bound.text())));
      }
      CHECK(bounds == row.bounds);
      std::map<std::string, std::string> attributes;
      for (const json::Value attribute : point["attributes"].members()) {
        const std::string key(attribute["key"].text());
        CHECK((kStandardAttributes.count(key) != 0 || kOwnAttributes.count(key) != 0));
        attributes[key] = std::string(attribute["value"]["stringValue"].text());
      }
      CHECK(attributes["gen_ai.operation.name"] == "chat");
      CHECK(attributes["gen_ai.provider.name"] == "openai");
      const bool is_usage = std::string(row.name) == "gen_ai.client.token.usage";
      const std::string type = attributes["gen_ai.token.type"];
      CHECK((is_usage ? type == "input" || type == "output" : type.empty()));
    }
  }
  for (const auto& [name, metric] : told) {
    // No name of the standard's that it does not know.
    CHECK((name.substr(0, 6) != "gen_ai" || standard.count(name) != 0));
  }
}

TEST_CASE("one streamed exchange, as the text tells it") {
  auto engine = MakeEngine();
  Stream(*engine, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const std::string text = engine->MetricsText();
  const std::string labels =
      "route=\"chat\",consumer=\"red\",gen_ai_operation_name=\"chat\","
      "gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\","
      "gen_ai_response_model=\"gpt-4o-2024-08-06\",backend=\"a\",error_type=\"\"";
  const auto has = [&](const char* name, const std::string& more, const char* value) {
    const std::string line = Concat({name, "{", labels, more, "} ", value, "\n"});
    INFO(line << "\n" << text);
    CHECK(text.find(line) != std::string::npos);
  };
  has("gen_ai_client_token_usage_sum", ",gen_ai_token_type=\"input\"", "10");
  has("gen_ai_client_token_usage_sum", ",gen_ai_token_type=\"output\"", "5");
  has("gen_ai_client_operation_duration_seconds_sum", "", "0.65");
  has("gen_ai_server_time_to_first_token_seconds_sum", "", "0.25");
  has("gen_ai_server_time_per_output_token_seconds_sum", "", "0.1");
  has("weir_tokens_total", ",category=\"input\",provenance=\"provider\"", "10");
  has("weir_tokens_total", ",category=\"output\",provenance=\"provider\"", "5");
  has("weir_tokens_total", ",category=\"cached\",provenance=\"provider\"", "4");
  has("weir_tokens_total", ",category=\"reasoning\",provenance=\"provider\"", "2");
  has("weir_requests_total", ",status=\"200\"", "1");
  CHECK(text.find("weir_overhead_seconds_sum{stage=\"total\"} 0.000045\n") != std::string::npos);
  CHECK(CountLines(text, "weir_usage_unknown_total{") == 0);
  // The policy knows no price; the table of public models does.
  CHECK(CountLines(text, "weir_cost_usd_total{") == 1);
  CHECK(CountLines(text, "weir_cost_unknown_total{") == 0);
  CHECK(engine->MetricsText(metrics::TextFormat::kOpenMetrics)
            .find("# {trace_id=\"0af7651916cd43dd8448eb211c80319c\",span_id=\"b7ad6b7169203331\"} "
                  "0.65 1700000000.65\n") != std::string::npos);
}

TEST_CASE("models that nobody answered for are others") {
  auto engine = MakeEngine();
  for (int i = 0; i < 20; ++i) Refuse(*engine, "invented-" + std::to_string(i));
  Stream(*engine);
  const std::string text = engine->MetricsText();
  CHECK(text.find("invented") == std::string::npos);
  CHECK(CountLines(text, "weir_requests_total{") == 2);
  CHECK(text.find("gen_ai_request_model=\"other\",gen_ai_response_model=\"\",backend=\"a\",error_"
                  "type=\"404\"") != std::string::npos);
}

std::string WithPrices(const std::string& text) {
  return "{\"models\": {\"gpt-4o\": {\"price\": {\"input\": 2.5, \"output\": 10}}}," +
         text.substr(1);
}

TEST_CASE("costs are told where a price is known, and unknown ones are counted") {
  auto engine = EngineOf(WithPrices(PolicyText({})));
  Stream(*engine);
  auto txn = Ask(*engine, "vk-red",
                 R"({"model":"gpt-9","messages":[{"role":"user","content":"Hello, world"}]})");
  Decide(*txn, At(0));
  Answer(*txn, 200);
  Decide(*txn, At(1));
  REQUIRE(txn->ResponseBody(JsonAnswer(10, 5)).ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, At(2));
  const std::string text = engine->MetricsText();
  // 10 at 2.5 and 5 at 10 micro-USD.
  CHECK(text.find("gen_ai_response_model=\"gpt-4o-2024-08-06\",backend=\"a\","
                  "error_type=\"\"} 0.000075\n") != std::string::npos);
  CHECK(CountLines(text, "weir_cost_usd_total{") == 1);
  CHECK(CountLines(text, "weir_cost_unknown_total{") == 1);
}

TEST_CASE("weir's own time, by stage when asked") {
  std::string text = PolicyText({});
  text.insert(1, R"("meters": {"m": {"overhead_stages": true}},)");
  text.replace(text.find(R"("name": "chat",)"), 15, R"("name": "chat", "meter": "m",)");
  auto engine = EngineOf(text);
  Stream(*engine);
  Ask(*engine, "vk-nobody")->AddOverhead(7'000);  // never decided upon: of no route
  auto refused = Ask(*engine, "vk-red");
  REQUIRE(Decide(*refused, At(1)).kind == ActionKind::kForward);
  refused->AddOverhead(2'000);
  refused.reset();
  const std::string told = engine->MetricsText();
  const auto has = [&told](const std::string& row) {
    CAPTURE(row);
    CHECK(told.find("weir_overhead_seconds" + row + "\n") != std::string::npos);
  };
  has(R"(_sum{stage="total"} 0.000054)");
  has(R"(_count{stage="total"} 3)");
  has(R"(_sum{stage="request"} 0.000032)");
  has(R"(_count{stage="request"} 2)");
  has(R"(_sum{stage="response"} 0.000015)");
  has(R"(_count{stage="response"} 1)");

  auto plain = MakeEngine();
  Stream(*plain);
  CHECK(plain->MetricsText().find("stage=\"request\"") == std::string::npos);
}

TEST_CASE("what the meters sum up to is what was used, whatever happens to exchanges") {
  Setup setup;
  setup.limit = R"("key": "consumer.id", "unit": "requests", "amount": 100000000, "per": "60s")";
  auto engine = MakeEngine(setup);
  Random random(11);
  constexpr uint64_t kExchanges = 3000;
  uint64_t input = 0, output = 0;
  for (uint64_t i = 0; i < kExchanges; ++i) {
    const auto at = static_cast<int64_t>(i * 100'000);  // circuits that tripped have closed again
    auto txn = Ask(*engine, random.Below(2) == 0 ? "vk-red" : "vk-blue");
    REQUIRE(Decide(*txn, At(at)).kind == ActionKind::kForward);
    const uint64_t fault = random.Below(6);
    if (fault == 0 && Fail(*txn, At(at + 1), 500).kind != ActionKind::kForward) continue;
    if (fault == 1) {  // the client leaves before anything came: the prompt alone
      input += kPrompt;
      txn->ClientLeft(At(at + 2));
      continue;
    }
    Answer(*txn, 200);
    Decide(*txn, At(at + 3));
    const uint64_t prompt = random.Below(2000), completion = 3 + random.Below(2000);
    REQUIRE(txn->ResponseBody(JsonAnswer(prompt, completion)).ok());
    REQUIRE(txn->ResponseEnd().ok());
    Decide(*txn, At(at + 4));
    input += prompt;
    output += completion;
  }
  std::map<std::string, uint64_t> sums;
  std::string error;
  const auto parsed = weir::testing::PrometheusParser::Parse(engine->MetricsText(), &error);
  INFO(error);
  REQUIRE(parsed.has_value());
  for (const auto& sample : parsed->samples) {
    if (sample.value.find('.') != std::string::npos) continue;
    for (const auto& [name, value] : sample.labels) {
      if (name == "gen_ai_token_type" || name == "category") {
        sums[Concat({sample.name, " ", value})] += std::stoull(sample.value);
      }
    }
    sums[sample.name] += std::stoull(sample.value);
  }
  CHECK(sums["gen_ai_client_token_usage_sum input"] == input);
  CHECK(sums["gen_ai_client_token_usage_sum output"] == output);
  CHECK(sums["weir_tokens_total input"] == input);
  CHECK(sums["weir_tokens_total output"] == output);
  CHECK(sums["weir_requests_total"] == kExchanges);
  CHECK(sums["gen_ai_client_operation_duration_seconds_count"] == kExchanges);
}

TEST_CASE("engines that share a state file share their meters, and a reload keeps them") {
  const weir::testing::TempPath path;
  const auto open = [&] {
    auto engine = Engine::Create(ParsePolicy(PolicyText({})), {.state_file = path.str()});
    REQUIRE(engine.ok());
    return *std::move(engine);
  };
  auto first = open(), second = open();
  Stream(*first);
  Stream(*second);
  CHECK(first->MetricsText() == second->MetricsText());
  const metrics::ExportFormat format = metrics::ExportFormat::kTrack;
  const auto batch = first->ExportMetrics(format, {}, At(700));
  REQUIRE(batch.ok());
  CHECK(batch->bytes.find(R"("name":"Total Tokens","ns":"API Management","kind":1,"value":30,)"
                          R"("count":2)") != std::string::npos);
  CHECK(batch->bytes.find(R"("properties":{"API ID":"chat","Subscription ID":"red",)"
                          R"("Operation ID":"chat",)") != std::string::npos);
  CHECK(second->ExportMetrics(format, {}, At(701))->bytes == batch->bytes);
  REQUIRE(second->AcknowledgeMetrics(format, batch->number).ok());
  CHECK(first->ExportMetrics(format, {}, At(702))->bytes.empty());
  const std::string before = first->MetricsText();
  REQUIRE(first->Reload(ParsePolicy(PolicyText({}))).ok());
  CHECK(first->MetricsText() == before);
}

TEST_CASE("a state without room is told of, and counting goes on") {
  auto engine = Engine::Create(ParsePolicy(PolicyText({})),
                               {.max_counters = 16, .state_bytes = size_t{512} << 10});
  if (!engine.ok()) {  // not even the limits fit
    CHECK(engine.status().code() == absl::StatusCode::kResourceExhausted);
    return;
  }
  Stream(**engine);
  CHECK(CountLines((*engine)->MetricsText(), "weir_requests_total{") == 1);
}

}  // namespace
}  // namespace weir::engine::testing
