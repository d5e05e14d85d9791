// Recorded answers of every dialect, when they lie beside the project: metered, mutated field by
// field and number by number. Never a crash, never free tokens.

#include <map>

#include "absl/strings/escaping.h"
#include "dialects/event_stream.h"
#include "tests/dialects/answer_fixtures.h"
#include "tests/dialects/recording.h"
#include "tests/support/catch.h"
#include "weir/stream_meter.h"

namespace weir::metering {
namespace {

using dialects::BodyKind;
using dialects::Provenance;
using dialects::testing::Recording;
using dialects::testing::Recordings;

Metered Meter(const Recording& recording, std::string_view body) {
  StreamMeterOptions options;
  options.dialect = recording.origin.dialect;
  options.operation = recording.origin.operation;
  options.content_type = recording.origin.kind == BodyKind::kSse ? "text/event-stream"
                         : recording.origin.kind == BodyKind::kEventStream
                             ? "application/vnd.amazon.eventstream"
                             : "application/json";
  options.tokenizer = tokens::Find("o200k_base");
  auto meter = StreamMeter::Create(options);
  meter->Feed(body, nullptr);
  meter->End(nullptr);
  return meter->Read();
}

TEST_CASE("recorded answers are metered as stated, or by what they say") {
  size_t honest = 0, doubted = 0;
  for (const Recording& recording : Recordings()) {
    INFO(recording.file);
    const Metered metered = Meter(recording, recording.bytes);
    CHECK(metered.usage == dialects::testing::Oracle().Read(recording));
    if (recording.status == 200)
      CHECK((metered.completion > 0) ==
            (metered.text_bytes > 0 || metered.usage.completion.value_or(0) > 0));
    if (!metered.usage.completion) {
      CHECK(metered.completion >= metered.counted);
      CHECK(metered.provenance != Provenance::kProvider);
      continue;
    }
    if (metered.provenance == Provenance::kProvider) {
      ++honest;
      CHECK(metered.completion == *metered.usage.completion);
    } else {
      ++doubted;
      CHECK(metered.anomaly);
      CHECK(metered.completion == metered.counted);
    }
  }
  // Two of the recordings were written by hand and state next to nothing of what they say.
  CHECK(doubted <= 2);
  if (!Recordings().empty()) CHECK(honest >= 50);
}

// What a mutated body is booked at is never less than what its own text counts, unless it is said
// that something is wrong.
void CheckNeverFree(const Recording& recording, const std::string& body) {
  const Metered metered = Meter(recording, body);
  REQUIRE(IsSane(metered.usage));
  REQUIRE((metered.completion >= metered.counted || metered.anomaly));
  REQUIRE((metered.completion > 0 || metered.counted == 0));
  if (metered.provenance != Provenance::kProvider) REQUIRE(metered.completion >= metered.counted);
}

// Every JSON value of a body: where it is, and what puts a mutated one back.
template <typename Check>
void ForEachJson(const Recording& recording, Check check) {
  const std::string& body = recording.bytes;
  if (recording.origin.kind == BodyKind::kJson) {
    check(body, [](const std::string& mutated) { return mutated; });
    return;
  }
  if (recording.origin.kind == BodyKind::kSse) {
    size_t at = 0;
    while ((at = body.find("data:", at)) != std::string::npos) {
      const size_t begin = at + 5;
      const size_t end = std::min(body.find_first_of("\r\n", begin), body.size());
      check(body.substr(begin, end - begin), [&](const std::string& mutated) {
        return dialects::testing::Splice(body, begin, end, " " + mutated);
      });
      at = end;
    }
    return;
  }
  size_t at = 0;
  dialects::EventStreamReader frames(dialects::kMaxEventBytes);
  while (at < body.size()) {
    const size_t begin = at;
    at += frames.Read(std::string_view(body).substr(at)).consumed;
    const std::string type(frames.frame().event_type);
    std::string payload(frames.frame().payload);
    if (type == "chunk") {
      json::Document document;
      REQUIRE(document.Parse(payload));
      const std::string coded(document.root()["bytes"].text());
      REQUIRE(absl::Base64Unescape(AbslView(coded), &payload));
    }
    check(payload, [&](const std::string& mutated) {
      return body.substr(0, begin) +
             (type == "chunk" ? dialects::testing::ChunkFrame(mutated)
                              : dialects::testing::Frame(type, mutated)) +
             body.substr(at);
    });
  }
}

constexpr std::string_view kNumbers[] = {"0",
                                         "1",
                                         "-1",
                                         "-0",
                                         "1.5",
                                         "1e400",
                                         "-1e400",
                                         "1e3",
                                         "2147483647",
                                         "2147483648",
                                         "4294967296",
                                         "1099511627776",
                                         "1099511627777",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "\"2147483647\"",
                                         "\"1\"",
                                         "NaN",
                                         "Infinity",
                                         "-9223372036854775808",
                                         "99999999999999999999999999999999999999999999",
                                         "00",
                                         "0x10"};

bool IsUsagePath(const std::string& path) {
  for (const char* word : {"usage", "Usage", "invocationMetrics", "Tokens", "tokens"}) {
    if (path.find(word) != std::string::npos) return true;
  }
  return false;
}

// A recording has up to some hundred events that are alike: of the fields that are none of usage's
// the first few of each path are enough.
TEST_CASE("every field of another type, every number extreme: clamped or flagged, never free") {
  size_t mutations = 0;
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200) continue;
    INFO(recording.file);
    std::map<std::string, int> seen;
    ForEachJson(recording, [&](const std::string& text, auto rebuild) {
      json::Document document;
      if (!document.Parse(text)) return;
      for (const auto& each : dialects::testing::AllValues(document)) {
        const auto& path = each.first;
        const auto& value = each.second;
        const bool usage = IsUsagePath(path);
        if (!usage && seen[path]++ >= (dialects::testing::kSlow ? 1 : 2)) continue;
        if (dialects::testing::kSlow && usage && seen[path]++ >= 1) continue;
        if (!usage && recording.bytes.size() > 20000 && seen[path] > 1) continue;
        const auto mutate = [&](std::string_view with) {
          ++mutations;
          INFO(path << " := " << with);
          CheckNeverFree(recording, rebuild(dialects::testing::Splice(text, value.begin_offset(),
                                                                      value.end_offset(), with)));
        };
        for (std::string_view swap : dialects::testing::kSwaps) mutate(swap);
        if (!usage) continue;
        for (std::string_view number : kNumbers) mutate(number);
      }
    });
  }
  if (!Recordings().empty()) CHECK(mutations > (dialects::testing::kSlow ? 5000 : 20000));
}

TEST_CASE("recordings cut short at any event: charged for what was written") {
  for (const Recording& recording : Recordings()) {
    if (recording.origin.kind != BodyKind::kSse || recording.bytes.size() > 20000) continue;
    INFO(recording.file);
    uint64_t before = 0;
    for (size_t at = 0; at != std::string::npos && at < recording.bytes.size();
         at = recording.bytes.find("data:", at + 1)) {
      StreamMeterOptions options;
      options.dialect = recording.origin.dialect;
      options.operation = recording.origin.operation;
      options.tokenizer = tokens::Find("o200k_base");
      auto meter = StreamMeter::Create(options);
      meter->Feed(std::string_view(recording.bytes).substr(0, at), nullptr);
      const Metered metered = meter->Read();
      REQUIRE((metered.completion >= metered.counted || metered.anomaly));
      REQUIRE(metered.text_bytes >= before);
      before = metered.text_bytes;
    }
  }
}

}  // namespace
}  // namespace weir::metering
