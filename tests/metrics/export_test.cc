// Batches: what they say, that they come again until they arrived, and that they add up.

#include <csignal>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "base/json.h"
#include "base/random.h"
#include "tests/metrics/support.h"
#include "tests/support/catch.h"
#include "tests/support/processes.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

using testing::Shared;
using testing::Start;
using testing::TempPath;

constexpr Now At(int64_t seconds) { return {0, seconds * kSecond}; }

Group Usage() {
  Group group{.name = "exchange", .labels = {"backend", "model"}};
  group.instruments.push_back({.kind = Kind::kHistogram,
                               .name = "gen_ai.client.token.usage",
                               .help = "Tokens.",
                               .unit = "{token}",
                               .bounds = {10, 100},
                               .labels = {"gen_ai.token.type"},
                               .points = {{"input"}, {"output"}}});
  return group;
}

TEST_CASE("OTLP has its golden bytes") {
  auto registry = Registry::Create();
  const FamilyId group = *registry->AddGroup(Usage());
  const FamilyId cost = *registry->AddCounter(
      {.name = "cost", .help = "USD.", .unit = "USD", .labels = {"team"}, .scale = 1'000'000});
  const FamilyId state = *registry->AddGauge({.name = "state", .help = "", .labels = {"b"}});
  registry->NoteTime(At(50).unix_ns);
  registry->NoteTime(At(60).unix_ns);
  registry->Observe(registry->Find(group, {"west", ""}), 0, 1, 11, nullptr);
  registry->Increment(cost, {"red\n"}, 1'250'000);
  registry->Set(state, {"west"}, -2);
  const auto batch = registry->Export(ExportFormat::kOtlpCumulative,
                                      {.resource = {{"service.name", "gw"}}}, At(100));
  REQUIRE(batch.ok());
  CHECK(batch->number == 0);
  const std::string expected =
      R"({"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":)"
      R"({"stringValue":"gw"}}]},"scopeMetrics":[{"scope":{"name":"weir","version":")" +
      std::string(Version()) +
      R"("},"metrics":[{"name":"gen_ai.client.token.usage","description":"Tokens.",)"
      R"("unit":"{token}","histogram":{"aggregationTemporality":2,"dataPoints":[{"attributes":[)"
      R"({"key":"backend","value":{"stringValue":"west"}},)"
      R"({"key":"gen_ai.token.type","value":{"stringValue":"output"}}],)"
      R"("startTimeUnixNano":"50000000000","timeUnixNano":"100000000000","count":"1","sum":11,)"
      R"("bucketCounts":["0","1","0"],"explicitBounds":[10,100]}]}},)"
      R"({"name":"cost","description":"USD.","unit":"USD","sum":{"aggregationTemporality":2,)"
      R"("isMonotonic":true,"dataPoints":[{"attributes":[{"key":"team","value":)"
      R"({"stringValue":"red\n"}}],"startTimeUnixNano":"50000000000",)"
      R"("timeUnixNano":"100000000000","asDouble":1.25}]}},)"
      R"({"name":"state","description":"","unit":"","gauge":{"dataPoints":[{"attributes":[)"
      R"({"key":"b","value":{"stringValue":"west"}}],"timeUnixNano":"100000000000",)"
      R"("asInt":"-2"}]}}]}]}]})";
  CHECK(batch->bytes == expected);
}

TEST_CASE("a batch comes again until it arrived, then what is new") {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddCounter({.name = "c", .help = "", .labels = {"m"}});
  registry->NoteTime(At(1).unix_ns);
  const auto tell = [&](int64_t at) {
    return *registry->Export(ExportFormat::kOtlpDelta, {}, At(at));
  };
  CHECK(tell(2).bytes.empty());
  CHECK(tell(2).number == 0);
  registry->Increment(id, {"a"}, 5);
  const Batch first = tell(3);
  CHECK(first.number == 1);
  CHECK(first.bytes.find(
            R"("startTimeUnixNano":"1000000000","timeUnixNano":"3000000000","asInt":"5")") !=
        std::string::npos);
  registry->Increment(id, {"a"}, 7);
  registry->Increment(id, {"b"}, 1);
  CHECK(tell(4).bytes == first.bytes);
  CHECK(registry->Acknowledge(ExportFormat::kOtlpDelta, 2).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(registry->Acknowledge(ExportFormat::kTrack, 1).code() ==
        absl::StatusCode::kFailedPrecondition);
  REQUIRE(registry->Acknowledge(ExportFormat::kOtlpDelta, 1).ok());
  CHECK(!registry->Acknowledge(ExportFormat::kOtlpDelta, 1).ok());
  const Batch second = tell(5);
  CHECK(second.number == 2);
  CHECK(second.bytes.find(
            R"("startTimeUnixNano":"3000000000","timeUnixNano":"5000000000","asInt":"7")") !=
        std::string::npos);
  CHECK(second.bytes.find(R"("asInt":"1")") != std::string::npos);
  REQUIRE(registry->Acknowledge(ExportFormat::kOtlpDelta, 2).ok());
  CHECK(tell(6).bytes.empty());
  registry->Increment(id, {"b"}, 2);
  CHECK(tell(7).bytes.find(
            R"("startTimeUnixNano":"5000000000","timeUnixNano":"7000000000","asInt":"2")") !=
        std::string::npos);
}

TEST_CASE("Application Insights gets Azure's three metrics") {
  auto registry = Registry::Create();
  const FamilyId group = *registry->AddGroup(Usage());
  const Handle handle = registry->Find(group, {"west", "m"});
  registry->Observe(handle, 0, 0, 30, nullptr);
  registry->Observe(handle, 0, 0, 12, nullptr);
  registry->Observe(handle, 0, 1, 8, nullptr);
  const Batch batch = *registry->Export(
      ExportFormat::kTrack, {.instrumentation_key = "k", .dimensions = {{"backend", "Backend ID"}}},
      At(1'700'000'000));
  const auto line = [](const char* name, const char* value, const char* count) {
    return std::string(R"({"name":"Microsoft.ApplicationInsights.Metric",)"
                       R"("time":"2023-11-14T22:13:20.000000Z","iKey":"k","data":{"baseType":)"
                       R"("MetricData","baseData":{"ver":2,"metrics":[{"name":")") +
           name + R"(","ns":"API Management","kind":1,"value":)" + value + R"(,"count":)" + count +
           R"(}],"properties":{"Backend ID":"west","model":"m"}}}})" + "\n";
  };
  CHECK(batch.bytes == line("Prompt Tokens", "42", "2") + line("Completion Tokens", "8", "1") +
                           line("Total Tokens", "50", "2"));
  REQUIRE(registry->Acknowledge(ExportFormat::kTrack, batch.number).ok());
  CHECK(registry->Export(ExportFormat::kTrack, {}, At(1'700'000'001))->bytes.empty());
}

TEST_CASE("without room in the segment deltas are refused, and counting goes on") {
  auto segment = *state::Segment::CreatePrivate({.bytes = size_t{1} << 20});
  auto registry = *Registry::Open(segment.get(), size_t{512} << 10);
  const FamilyId id = *registry->AddCounter({.name = "c", .help = ""});
  registry->Increment(id, {}, 1);
  CHECK(registry->Export(ExportFormat::kOtlpDelta, {}, At(1)).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(registry->Export(ExportFormat::kOtlpCumulative, {}, At(1)).ok());
  CHECK(testing::Totals(registry->PrometheusText()).at("c_total") == 1);
}

// The sum of a batch's counters; also checks that the bytes are JSON.
uint64_t SumOfBatch(const std::string& bytes) {
  json::Document document;
  REQUIRE(document.Parse(bytes));
  uint64_t sum = 0;
  const json::Value scope = *document.root()["resourceMetrics"].members().begin();
  const json::Value metrics = (*scope["scopeMetrics"].members().begin())["metrics"];
  for (const json::Value metric : metrics.members()) {
    for (const json::Value point : metric["sum"]["dataPoints"].members()) {
      sum += std::stoull(std::string(point["asInt"].text()));
    }
  }
  return sum;
}

// A receiver that knows batches by their number, senders that die anywhere, writers that go on.
TEST_CASE("deltas add up whoever is killed") {
  const TempPath path;
  const auto open = [&] {
    auto segment = testing::OpenFile(path);
    auto registry = *Registry::Open(segment.get(), size_t{256} << 10);
    const FamilyId id =
        *registry->AddCounter({.name = "c", .help = "", .labels = {"m"}, .max_series = 200});
    return std::tuple(std::move(segment), std::move(registry), id);
  };
  auto [segment, registry, id] = open();
  struct Wire {
    std::atomic<uint64_t> number, size;
    std::atomic<bool> stop;
    char bytes[1 << 20];
  };
  auto* wire = Shared<Wire>();
  const pid_t writer = Start([&] {
    auto [own_segment, own, own_id] = open();
    Random random(1);
    while (!wire->stop)
      own->Increment(own_id, {std::to_string(random.Below(300))}, random.Below(9));
  });
  std::map<uint64_t, uint64_t> received;
  Random random(2);
  for (int round = 0; round < 40; ++round) {
    wire->number = 0;
    const pid_t sender = Start([&] {
      auto [own_segment, own, own_id] = open();
      for (int64_t at = 1;; ++at) {
        const Batch batch = *own->Export(ExportFormat::kOtlpDelta, {}, At(round * 1000 + at));
        if (batch.number == 0 || batch.bytes.size() > sizeof(wire->bytes)) continue;
        while (wire->number != 0) continue;  // the receiver is at the one before
        batch.bytes.copy(wire->bytes, batch.bytes.size());
        wire->size = batch.bytes.size();
        wire->number = batch.number;
        while (wire->number != 0) continue;
        static_cast<void>(own->Acknowledge(ExportFormat::kOtlpDelta, batch.number));
      }
    });
    const uint64_t batches = 1 + random.Below(20);
    for (uint64_t i = 0; i < batches; ++i) {
      while (wire->number == 0) std::this_thread::yield();
      const uint64_t sum = SumOfBatch(std::string(wire->bytes, wire->size));
      const auto known = received.emplace(wire->number, sum);
      REQUIRE(known.first->second == sum);  // the same bytes, if it came before
      wire->number = 0;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.Below(500)));
    kill(sender, SIGKILL);
    int status = 0;
    waitpid(sender, &status, 0);
  }
  wire->stop = true;
  CHECK(testing::EndsWell(writer));
  for (int64_t at = 1; at < 4; ++at) {
    const Batch batch = *registry->Export(ExportFormat::kOtlpDelta, {}, At(100'000 + at));
    if (batch.number == 0) break;
    const auto known = received.emplace(batch.number, SumOfBatch(batch.bytes));
    CHECK(known.first->second == SumOfBatch(batch.bytes));
    CHECK(registry->Acknowledge(ExportFormat::kOtlpDelta, batch.number).ok());
  }
  uint64_t sum = 0;
  for (const auto& [number, one] : received) sum += one;
  CHECK(sum == testing::Totals(registry->PrometheusText()).at("c_total"));
  CHECK(received.size() > 40);
  CHECK(received.rbegin()->first == received.size());  // no number was left out
}

}  // namespace
}  // namespace weir::metrics
