// meters_samples FOLDER: what an engine says of exchanges with hostile names, in every format, for
// readers that others wrote.

#include <array>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "weir/engine.h"
#include "weir/ledger.h"
#include "weir/metrics.h"
#include "weir/policy.h"

namespace weir::engine {
namespace {

constexpr char kPolicy[] = R"({"weir": 1,
  "models": {"gpt-4o": {"price": {"input": 2.5, "output": 10}}},
  "backends": {"east": {"url": "http://east.test", "dialect": "openai",
    "circuit_breaker": [{"on": {"status": ["5xx"], "count": 1, "interval": "10s"},
                         "trip": "1s"}]}},
  "pools": {"p": {"members": [{"backend": "east"}]}},
  "limits": {"all": {"key": "'k'", "unit": "tokens", "amount": 1000000, "per": "60s"}},
  "meters": {"m": {"dimensions": {"team": "request.headers['x-team']",
                                  "who.asks": "request.headers['x-who']"},
                   "max_series": 150}},
  "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "auth": "none",
              "pool": "p", "limits": ["all"], "meter": "m"}]})";

Now At(int64_t ms) {
  return {1000 * kSecond + ms * kMillisecond, 1'700'000'000 * kSecond + ms * kMillisecond};
}

std::string Junk(Random* random) {
  std::string junk(random->Below(40), ' ');
  for (char& c : junk) c = static_cast<char>(random->Below(256));
  return junk;
}

std::string LineOf(Transaction& txn, Now now) {
  txn.ClientLeft(now);  // where nothing more comes
  std::array<char, ledger::kMaxLineBytes> line;
  const auto size = txn.LedgerLine(absl::MakeSpan(line));
  return size.ok() ? std::string(line.data(), *size) : std::string();
}

// The exchange's line of a ledger.
std::string Play(Engine& engine, Random* random, int64_t at) {
  auto txn = engine.Begin();
  const bool stream = random->Below(2) == 0;
  static_cast<void>(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7"));
  static_cast<void>(txn->RequestHeader("x-team", random->Below(3) == 0 ? "red" : Junk(random)));
  static_cast<void>(txn->RequestHeader("x-who", Junk(random)));
  static_cast<void>(
      txn->RequestHeader("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  static_cast<void>(txn->RequestBody(std::string(R"({"model":"gpt-4o",)") +
                                     (stream ? R"("stream":true,)" : "") +
                                     R"("messages":[{"role":"user","content":"Hello"}]})"));
  static_cast<void>(txn->RequestEnd());
  auto action = txn->Next(At(at));
  if (!action.ok() || action->kind != ActionKind::kForward) return LineOf(*txn, At(at + 700));
  const int status = random->Below(20) == 0 ? 503 : 200;
  static_cast<void>(txn->ResponseHead(status));
  static_cast<void>(
      txn->ResponseHeader("content-type", stream ? "text/event-stream" : "application/json"));
  static_cast<void>(txn->Next(At(at + 10)));
  if (status != 200) return LineOf(*txn, At(at + 700));
  const std::string usage =
      R"("usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,)"
      R"("prompt_tokens_details":{"cached_tokens":5}})";
  static_cast<void>(txn->ResponseBody(
      stream ? "data: {\"choices\":[]," + usage + "}\n\ndata: [DONE]\n\n" : "{" + usage + "}"));
  static_cast<void>(txn->Next(At(at + 100)));
  static_cast<void>(txn->ResponseEnd());
  static_cast<void>(txn->Next(At(at + 700)));
  txn->AddOverhead(static_cast<int64_t>(random->Below(100'000)));
  return LineOf(*txn, At(at + 700));
}

bool Write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  return !bytes.empty() && file.good();
}

int Run(const std::string& folder) {
  std::vector<policy::Fault> faults;
  auto policy = policy::Policy::Parse(kPolicy, &faults);
  for (const policy::Fault& fault : faults) std::cerr << policy::FaultText(fault) << "\n";
  if (policy == nullptr) return 1;
  auto engine = Engine::Create(std::move(policy), {});
  if (!engine.ok()) return 1;
  Random random(5);
  std::string lines;
  for (int64_t i = 0; i < 2000; ++i) lines += Play(**engine, &random, i * 1000);
  bool sound = Write(folder + "/prometheus.txt", (*engine)->MetricsText());
  sound &=
      Write(folder + "/openmetrics.txt", (*engine)->MetricsText(metrics::TextFormat::kOpenMetrics));
  const std::pair<const char*, metrics::ExportFormat> formats[] = {
      {"/cumulative.json", metrics::ExportFormat::kOtlpCumulative},
      {"/delta.json", metrics::ExportFormat::kOtlpDelta},
      {"/track.ndjson", metrics::ExportFormat::kTrack}};
  for (const auto& [name, format] : formats) {
    const auto batch = (*engine)->ExportMetrics(
        format, {.resource = {{"service.name", "gateway"}}, .instrumentation_key = "key"},
        At(3'000'000));
    sound &= batch.ok() && Write(folder + name, batch->bytes);
  }
  const std::pair<std::string_view, std::string_view> resource[] = {{"service.name", "gateway"}};
  ledger::ReadCounts counts;
  sound &= Write(folder + "/spans.json",
                 ledger::OtlpJson(ledger::OtlpKind::kSpans, lines, resource, &counts));
  sound &= Write(folder + "/logs.json",
                 ledger::OtlpJson(ledger::OtlpKind::kLogRecords, lines, resource, &counts));
  return sound ? 0 : 1;
}

}  // namespace
}  // namespace weir::engine

int main(int count, char** arguments) { return count == 2 ? weir::engine::Run(arguments[1]) : 2; }
