// Spans and log records of exchanges. That they have OTLP's shape is held against its schema in
// tests/engine/formats.

#include <array>
#include <string>
#include <tuple>
#include <utility>

#include "base/json.h"
#include "tests/ledger/exchanges.h"
#include "tests/support/catch.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

std::string LineOf(const Exchange& exchange) {
  std::array<char, kMaxLineBytes> buffer;
  return std::string(buffer.data(), FormatLine(exchange, absl::MakeSpan(buffer)));
}

std::string Export(OtlpKind kind, const std::string& lines, ReadCounts* counts = nullptr) {
  ReadCounts ignored;
  const std::pair<std::string_view, std::string_view> resource[] = {{"service.name", "gateway"}};
  return OtlpJson(kind, lines, resource, counts == nullptr ? &ignored : counts);
}

// A parsed request and its first record.
struct Parsed {
  explicit Parsed(const std::string& text, OtlpKind kind = OtlpKind::kSpans) {
    json::ParseError error;
    REQUIRE(document.Parse(text, {}, &error));
    const bool spans = kind == OtlpKind::kSpans;
    records = First(First(document.root()[spans ? "resourceSpans" : "resourceLogs"])
                        [spans ? "scopeSpans" : "scopeLogs"])[spans ? "spans" : "logRecords"];
    record = First(records);
  }
  static json::Value First(json::Value list) {
    for (const json::Value element : list.members()) return element;
    return {};
  }
  static std::string Attribute(json::Value of, std::string_view key) {
    for (const json::Value attribute : of["attributes"].members()) {
      if (attribute["key"].text() == key) return std::string(First(attribute["value"]).text());
    }
    return {};
  }
  std::string operator[](std::string_view key) const { return Attribute(record, key); }

  json::Document document;
  json::Value records, record;
};

Exchange Ordinary() {
  Exchange made;
  made.id_hi = 0x0123456789abcdef;
  made.id_lo = 0xfedcba9876543210;
  made.unix_ns = 1'795'419'747'123'456'000;
  made.trace = Trace{0x0af7651916cd43dd, 0x8448eb211c80319c, 0xb7ad6b7169203331, true};
  made.consumer = "team-red";
  made.route = "chat";
  made.operation = "chat";
  made.model = "gpt-4o";
  made.served = "deployment-4o";
  made.response_model = "gpt-4o-2024-08-06";
  made.backend = "payg-west";
  made.provider = "azure.ai.openai";
  made.status = 200;
  made.outcome = "ok";
  made.usage = Usage{1200, 340, 1024, {}, 64, {}, {}, "provider", "provider"};
  made.cost = Cost{5120, {}, {}, {}};
  made.latency = {2'000'000, 0, 456'789};
  made.attempts.push_back({"ptu-east", 429, "status", 120, 50'300, 100});
  made.attempts.push_back({"payg-west", 200, "ok", 50'600, 1'949'400, {}});
  made.dimensions.push_back({"team", "red"});
  return made;
}

TEST_CASE("a span is of the caller's trace, and as long as the exchange") {
  const Parsed span(Export(OtlpKind::kSpans, LineOf(Ordinary())));
  CHECK(span.record["traceId"].text() == "0af7651916cd43dd8448eb211c80319c");
  CHECK(span.record["parentSpanId"].text() == "b7ad6b7169203331");
  CHECK(span.record["spanId"].text() == "fedcba9876543210");
  CHECK(span.record["name"].text() == "chat gpt-4o");
  CHECK(span.record["startTimeUnixNano"].text() == "1795419747123456000");
  CHECK(span.record["endTimeUnixNano"].text() == "1795419749123456000");
  CHECK(!span.record["status"]["code"]);
  CHECK(span["gen_ai.operation.name"] == "chat");
  CHECK(span["gen_ai.provider.name"] == "azure.ai.openai");
  CHECK(span["gen_ai.request.model"] == "gpt-4o");
  CHECK(span["gen_ai.response.model"] == "gpt-4o-2024-08-06");
  CHECK(span["gen_ai.usage.input_tokens"] == "1200");
  CHECK(span["gen_ai.usage.output_tokens"] == "340");
  CHECK(span["gen_ai.usage.cache_read.input_tokens"] == "1024");
  CHECK(span["gen_ai.usage.cache_creation.input_tokens"].empty());
  CHECK(span["error.type"].empty());
  CHECK(span["weir.exchange.id"] == "0123456789abcdeffedcba9876543210");
  CHECK(span["weir.cost.micro_usd"] == "5120");
  CHECK(span["team"] == "red");
  const json::Value attempt = Parsed::First(span.record["events"]);
  CHECK(attempt["name"].text() == "weir.attempt");
  CHECK(attempt["timeUnixNano"].text() == "1795419747123576000");
  CHECK(Parsed::Attribute(attempt, "weir.backend") == "ptu-east");
  CHECK(Parsed::Attribute(attempt, "http.response.status_code") == "429");
}

TEST_CASE("a log record tells the same, and names its span") {
  const Parsed record(Export(OtlpKind::kLogRecords, LineOf(Ordinary())), OtlpKind::kLogRecords);
  CHECK(record.record["eventName"].text() == "gen_ai.client.inference.operation.details");
  CHECK(record.record["traceId"].text() == "0af7651916cd43dd8448eb211c80319c");
  CHECK(record.record["spanId"].text() == "fedcba9876543210");
  CHECK(record.record["timeUnixNano"].text() == "1795419749123456000");
  CHECK(record["gen_ai.usage.input_tokens"] == "1200");
}

TEST_CASE("operations have OpenTelemetry's names") {
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"chat", "openai", "chat"},
      {"responses", "openai", "chat"},
      {"chat", "gcp.gemini", "generate_content"},
      {"completions", "openai", "text_completion"},
      {"embeddings", "aws.bedrock", "embeddings"}};
  for (const auto& [operation, provider, name] : rows) {
    Exchange exchange = Ordinary();
    exchange.operation = operation;
    exchange.provider = provider;
    CHECK(Parsed(Export(OtlpKind::kSpans, LineOf(exchange)))["gen_ai.operation.name"] == name);
  }
}

TEST_CASE("a request without a trace is one of its own; a refused one an error") {
  Exchange exchange = Ordinary();
  exchange.trace.reset();
  exchange.status = 429;
  exchange.limits.push_back({"watching", false, true, 1, 2, 3, 4, {}});
  exchange.limits.push_back({"per-minute", false, false, 1, 2, 3, 4, {}});
  exchange.limits.push_back({"per-day", false, false, 1, 2, 3, 4, {}});
  const Parsed span(Export(OtlpKind::kSpans, LineOf(exchange)));
  CHECK(span.record["traceId"].text() == "0123456789abcdeffedcba9876543210");
  CHECK(!span.record["parentSpanId"]);
  CHECK(span.record["status"]["code"].text() == "2");
  CHECK(span["error.type"] == "429");
  CHECK(span["weir.refused_by"] == "per-minute");
}

TEST_CASE("what the caller does not record has no span, but a log record") {
  Exchange exchange = Ordinary();
  exchange.trace->sampled = false;
  const std::string line = LineOf(exchange);
  CHECK(Export(OtlpKind::kSpans, line).empty());
  const Parsed record(Export(OtlpKind::kLogRecords, line), OtlpKind::kLogRecords);
  CHECK(record.record["flags"].text() == "0");
}

TEST_CASE("of a key that stands twice the first value counts") {
  Exchange exchange = Ordinary();
  exchange.dimensions.push_back({"gen_ai.request.model", "another"});
  const Parsed span(Export(OtlpKind::kSpans, LineOf(exchange)));
  size_t seen = 0;
  for (const json::Value attribute : span.record["attributes"].members()) {
    if (attribute["key"].text() == "gen_ai.request.model") ++seen;
  }
  CHECK(seen == 1);
  CHECK(span["gen_ai.request.model"] == "gpt-4o");
}

TEST_CASE("any exchanges make JSON, as many records as lines; poison is passed over") {
  testing::ExchangeMaker maker(11);
  for (int round = 0; round < 200; ++round) {
    std::string lines;
    size_t recorded = 0;
    for (int i = 0; i < 5; ++i) {
      const Exchange exchange = maker.Make();
      recorded += !exchange.trace || exchange.trace->sampled ? 1 : 0;
      lines += LineOf(exchange);
    }
    lines += "poison\n";
    ReadCounts counts;
    const std::string text = Export(OtlpKind::kSpans, lines, &counts);
    CHECK(counts.lines == 5);
    CHECK(counts.poison == 1);
    size_t spans = 0;
    if (!text.empty()) {
      const Parsed parsed(text);
      for (const json::Value span : parsed.records.members()) {
        static_cast<void>(span);
        ++spans;
      }
    }
    REQUIRE(spans == recorded);
  }
  CHECK(Export(OtlpKind::kSpans, "").empty());
}

}  // namespace
}  // namespace weir::ledger
