// OTLP/HTTP in JSON, of exchanges: opentelemetry-proto's trace.proto and logs.proto by the protobuf
// JSON mapping with OTLP's exceptions: ids are hexadecimal, enumerations are numbers, 64-bit
// integers are strings.

#include <algorithm>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/saturating.h"
#include "base/text.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

constexpr int kSpanKindClient = 3;
constexpr int kStatusCodeError = 2;
constexpr int kSeverityInfo = 9;
constexpr int kSeverityWarn = 13;
constexpr int kFlagSampled = 1;
constexpr int kFirstErrorStatus = 400;

std::string Hex(uint64_t id) {
  std::string digits(16, '0');
  for (auto digit = digits.rbegin(); id != 0; id >>= 4) *digit++ = "0123456789abcdef"[id & 15];
  return digits;
}

// OpenTelemetry's word for what was asked for.
std::string_view OperationOf(const Exchange& exchange) {
  if (exchange.operation == "chat" && exchange.provider == "gcp.gemini") return "generate_content";
  if (exchange.operation == "responses") return "chat";
  if (exchange.operation == "completions") return "text_completion";
  return exchange.operation;
}

// The limit that refused it, the first of them.
std::string_view RefusedBy(const Exchange& exchange) {
  for (const LimitDecision& decision : exchange.limits) {
    if (!decision.admitted && !decision.shadow) return decision.limit;
  }
  return {};
}

// What stands for the exchange in its trace. Never 0: ids of 0 are none.
uint64_t SpanIdOf(const Exchange& exchange) {
  return exchange.id_lo != 0 ? exchange.id_lo : exchange.id_hi | 1;
}

// A key stands once: of two values the first counts.
class Attributes {
 public:
  explicit Attributes(json::Writer* writer) : writer_(*writer) {
    writer_.Key("attributes").BeginArray();
  }
  ~Attributes() { writer_.EndArray(); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  void Text(std::string_view name, std::string_view value) {
    if (value.empty() || !Take(name)) return;
    Begin(name, "stringValue");
    writer_.String(value);
    End();
  }
  template <typename Integer>
  void Number(std::string_view name, const std::optional<Integer>& value) {
    if (!value || !Take(name)) return;
    Begin(name, "intValue");
    writer_.String(std::to_string(*value));
    End();
  }
  void Flag(std::string_view name, bool value) {
    if (!Take(name)) return;
    Begin(name, "boolValue");
    writer_.Bool(value);
    End();
  }

 private:
  bool Take(std::string_view name) {
    if (std::find(taken_.begin(), taken_.end(), name) != taken_.end()) return false;
    taken_.push_back(name);
    return true;
  }
  void Begin(std::string_view name, std::string_view type) {
    writer_.BeginObject().Key("key").String(name).Key("value").BeginObject().Key(type);
  }
  void End() { writer_.EndObject().EndObject(); }

  json::Writer& writer_;
  absl::InlinedVector<std::string_view, 32> taken_;
};

class ExchangeJson {
 public:
  ExchangeJson(const Exchange& exchange, json::Writer* writer)
      : exchange_(exchange), writer_(*writer) {}

  void WriteSpan() {
    writer_.BeginObject();
    WriteIds();
    if (exchange_.trace) writer_.Key("parentSpanId").String(Hex(exchange_.trace->parent));
    writer_.Key("name").String(Name()).Key("kind").Int(kSpanKindClient);
    WriteInstant("startTimeUnixNano", 0);
    WriteInstant("endTimeUnixNano", exchange_.latency.total_us);
    WriteAttributes();
    if (!exchange_.attempts.empty()) WriteAttempts();
    writer_.Key("status").BeginObject();
    if (IsError()) writer_.Key("code").Int(kStatusCodeError);
    writer_.EndObject().EndObject();
  }

  void WriteLogRecord() {
    writer_.BeginObject();
    WriteInstant("timeUnixNano", exchange_.latency.total_us);
    WriteInstant("observedTimeUnixNano", exchange_.latency.total_us);
    writer_.Key("severityNumber").Int(IsError() ? kSeverityWarn : kSeverityInfo);
    writer_.Key("eventName").String("gen_ai.client.inference.operation.details");
    WriteAttributes();
    WriteIds();
    writer_.EndObject();
  }

 private:
  bool IsError() const { return exchange_.status >= kFirstErrorStatus; }

  std::string Name() const {
    const std::string_view operation = OperationOf(exchange_);
    if (operation.empty()) return "request";
    return exchange_.model.empty() ? std::string(operation)
                                   : Concat({operation, " ", exchange_.model});
  }

  void WriteIds() {
    const std::optional<Trace>& trace = exchange_.trace;
    const uint64_t hi = trace ? trace->id_hi : exchange_.id_hi;
    const uint64_t lo = trace ? trace->id_lo : exchange_.id_lo;
    writer_.Key("traceId").String(Concat({Hex(hi), Hex(lo)}));
    writer_.Key("spanId").String(Hex(SpanIdOf(exchange_)));
    writer_.Key("flags").Int(!trace || trace->sampled ? kFlagSampled : 0);
  }

  // So many microseconds after the request came.
  void WriteInstant(std::string_view key, int64_t after_us) {
    const int64_t unix_ns = SaturatingAdd(exchange_.unix_ns, SaturatingMul(after_us, kMicrosecond));
    writer_.Key(key).String(std::to_string(std::max<int64_t>(unix_ns, 0)));
  }

  void WriteAttributes() {
    Attributes attributes(&writer_);
    attributes.Text("gen_ai.operation.name", OperationOf(exchange_));
    attributes.Text("gen_ai.provider.name", exchange_.provider);
    attributes.Text("gen_ai.request.model", exchange_.model);
    attributes.Text("gen_ai.response.model", exchange_.response_model);
    if (exchange_.usage) {
      const Usage& usage = *exchange_.usage;
      attributes.Number("gen_ai.usage.input_tokens", usage.prompt);
      attributes.Number("gen_ai.usage.output_tokens", usage.completion);
      attributes.Number("gen_ai.usage.cache_read.input_tokens", usage.cached);
      attributes.Number("gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
      attributes.Number("weir.usage.reasoning_tokens", usage.reasoning);
      attributes.Text("weir.usage.input_provenance", usage.prompt_provenance);
      attributes.Text("weir.usage.output_provenance", usage.completion_provenance);
    }
    if (IsError()) attributes.Text("error.type", std::to_string(exchange_.status));
    attributes.Number("http.response.status_code", std::optional<int>(exchange_.status));
    attributes.Text("weir.exchange.id", Concat({Hex(exchange_.id_hi), Hex(exchange_.id_lo)}));
    attributes.Text("weir.consumer", exchange_.consumer);
    attributes.Text("weir.route", exchange_.route);
    attributes.Text("weir.backend", exchange_.backend);
    attributes.Text("weir.outcome", exchange_.outcome);
    attributes.Flag("weir.stream", exchange_.stream);
    attributes.Text("weir.cache.result", exchange_.cache.result);
    if (exchange_.cost) attributes.Number("weir.cost.micro_usd", exchange_.cost->micro_usd);
    attributes.Number("weir.first_byte_us", exchange_.latency.first_byte_us);
    attributes.Text("weir.refused_by", RefusedBy(exchange_));
    for (const Dimension& dimension : exchange_.dimensions) {
      attributes.Text(dimension.name, dimension.value);
    }
  }

  void WriteAttempts() {
    writer_.Key("events").BeginArray();
    for (const Attempt& attempt : exchange_.attempts) {
      writer_.BeginObject();
      WriteInstant("timeUnixNano", attempt.sent_us);
      writer_.Key("name").String("weir.attempt");
      WriteAttributes(attempt);
      writer_.EndObject();
    }
    writer_.EndArray();
  }

  void WriteAttributes(const Attempt& attempt) {
    Attributes attributes(&writer_);
    attributes.Text("weir.backend", attempt.backend);
    attributes.Text("weir.outcome", attempt.outcome);
    if (attempt.status != 0) {
      attributes.Number("http.response.status_code", std::optional<int>(attempt.status));
    }
    attributes.Number("weir.took_us", std::optional<int64_t>(attempt.took_us));
  }

  const Exchange& exchange_;
  json::Writer& writer_;
};

// The names that differ between the two requests.
struct Words {
  std::string_view resources, scopes, records;
};

Words WordsOf(OtlpKind kind) {
  if (kind == OtlpKind::kSpans) return {"resourceSpans", "scopeSpans", "spans"};
  return {"resourceLogs", "scopeLogs", "logRecords"};
}

}  // namespace

std::string OtlpJson(OtlpKind kind, std::string_view text,
                     absl::Span<const std::pair<std::string_view, std::string_view>> resource,
                     ReadCounts* counts) {
  const Words words = WordsOf(kind);
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject().Key(words.resources).BeginArray().BeginObject();
  writer.Key("resource").BeginObject();
  {
    Attributes attributes(&writer);
    for (const auto& [name, value] : resource) attributes.Text(name, value);
  }
  writer.EndObject().Key(words.scopes).BeginArray().BeginObject();
  writer.Key("scope").BeginObject().Key("name").String("weir");
  writer.Key("version").String(Version()).EndObject();
  writer.Key(words.records).BeginArray();
  bool has_any = false;
  const auto write = [&](const Exchange& exchange) {
    if (kind == OtlpKind::kSpans && exchange.trace && !exchange.trace->sampled) return;
    ExchangeJson one(exchange, &writer);
    if (kind == OtlpKind::kSpans) {
      one.WriteSpan();
    } else {
      one.WriteLogRecord();
    }
    has_any = true;
  };
  ReadLines(text, write, counts);
  if (!has_any) return {};
  writer.EndArray().EndObject().EndArray().EndObject().EndArray().EndObject();
  return out;
}

}  // namespace weir::ledger
