// The stream meter: what it reports for every dialect's answers, stated or not, whole or broken
// off, and what it costs.

#include "weir/stream_meter.h"

#include "tests/dialects/answer_fixtures.h"
#include "tests/dialects/fixtures.h"
#include "tests/support/catch.h"

namespace weir::metering {
namespace {

using dialects::BodyKind;
using dialects::Dialect;
using dialects::Operation;
using dialects::Provenance;
using dialects::testing::AnswerFixture;
using dialects::testing::Choice;
using dialects::testing::Chunk;
using dialects::testing::kDone;

std::string_view ContentType(BodyKind kind) {
  switch (kind) {
    case BodyKind::kJson:
      return "application/json; charset=utf-8";
    case BodyKind::kSse:
      return "text/event-stream";
    case BodyKind::kEventStream:
      return "application/vnd.amazon.eventstream";
    case BodyKind::kOther:
      return "";
  }
  return "";
}

StreamMeterOptions OptionsOf(const dialects::testing::Origin& origin) {
  StreamMeterOptions options;
  options.dialect = origin.dialect;
  options.operation = origin.operation;
  options.content_type = ContentType(origin.kind);
  options.tokenizer = tokens::Find("o200k_base");
  return options;
}

Metered Meter(std::string_view body, const StreamMeterOptions& options, bool end = true,
              size_t piece = 1000) {
  auto meter = StreamMeter::Create(options);
  std::string relay;
  for (size_t at = 0; at < body.size(); at += piece) {
    meter->Feed(std::string(body.substr(at, piece)), &relay);
  }
  if (end) meter->End(&relay);
  if (!options.strip_usage) REQUIRE(relay == body);
  return meter->Read();
}

// What the whole text counts, each choice, kind and part by itself: the slow way.
uint64_t CountWhole(std::string_view body, const dialects::testing::Origin& origin) {
  auto reader = dialects::StreamReader::Create(origin.dialect, origin.operation, origin.kind);
  reader->Feed(body, nullptr);
  reader->End(nullptr);
  std::map<std::tuple<uint32_t, dialects::TextKind, uint32_t>, std::string> texts;
  for (const auto& delta : reader->TakeDeltas()) {
    texts[{delta.choice, delta.kind, delta.part}] += delta.text;
  }
  uint64_t count = 0;
  for (const auto& text : texts) count += tokens::Find("o200k_base")->Count(text.second);
  return count;
}

TEST_CASE("answers of every dialect: the provider's word, or what was counted") {
  for (const AnswerFixture& fixture : dialects::testing::AnswerFixtures()) {
    INFO(fixture.name);
    const StreamMeterOptions options = OptionsOf(fixture.origin);
    const Metered metered = Meter(fixture.body, options);
    CHECK(metered.counted == CountWhole(fixture.body, fixture.origin));
    CHECK(metered.usage == fixture.usage);
    CHECK(metered.error == fixture.error);
    CHECK(metered.complete == (fixture.done || fixture.finish));
    CHECK(metered.unread == Unread::kNothing);
    if (fixture.usage.completion) {
      CHECK(metered.completion == *fixture.usage.completion);
      CHECK(metered.provenance == Provenance::kProvider);
    } else {
      CHECK(metered.completion == metered.counted);
      CHECK(metered.provenance != Provenance::kProvider);
    }
    for (size_t piece : {size_t{1}, size_t{7}, fixture.body.size()}) {
      const Metered again = Meter(fixture.body, options, true, piece);
      CHECK(again.completion == metered.completion);
      CHECK(again.counted == metered.counted);
      CHECK(again.text_bytes == metered.text_bytes);
    }
  }
}

std::string LongStream(int events, const std::string& usage = "") {
  std::string body;
  for (int i = 0; i < events; ++i) {
    body += Chunk(Choice(0, Concat({"\"content\":\" word", std::to_string(i), "\""})));
  }
  return body + Chunk(Choice(0, "", "\"stop\"")) + usage + kDone;
}

// A1, A4: whoever leaves, whenever.
TEST_CASE("a client that leaves after any event is charged for what was written until then") {
  const std::string body =
      LongStream(500, Chunk("", ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1400}"));
  auto meter = StreamMeter::Create(OptionsOf({}));
  std::string text;
  size_t at = 0;
  int events = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at) + 2;
    meter->Feed(body.substr(at, end - at), nullptr);
    at = end;
    if (events < 500) text += Concat({" word", std::to_string(events)});
    ++events;
    const Metered metered = meter->Read();
    REQUIRE(metered.counted == tokens::Find("o200k_base")->Count(text));
    if (events < 502) {
      REQUIRE(metered.completion == metered.counted);
      REQUIRE(metered.provenance == (events < 501 ? Provenance::kEstimated : Provenance::kExact));
      REQUIRE(metered.complete == (events == 501));
    } else {
      REQUIRE(metered.completion == 1400);
      REQUIRE(metered.complete);
    }
  }
}

// A5, A22.
TEST_CASE("four choices with tool calls in turns: the sum over all, names and arguments too") {
  std::string body;
  std::vector<std::string> arguments(4);
  Random random(5);
  for (int choice = 0; choice < 4; ++choice) {
    body += Chunk(Choice(choice, Concat({R"("tool_calls":[{"index":0,"function":{"name":"look_up_)",
                                         std::to_string(choice), R"(","arguments":""}}])"})));
  }
  for (int i = 0; i < 400; ++i) {
    const auto choice = random.Below(4);
    const std::string piece = Concat({"key", std::to_string(random.Below(1000)), ": value, "});
    arguments[choice] += piece;
    body += Chunk(Choice(
        static_cast<int>(choice),
        Concat({R"("tool_calls":[{"index":0,"function":{"arguments":")", piece, R"("}}])"})));
  }
  const tokens::Tokenizer& tokenizer = *tokens::Find("o200k_base");
  uint64_t expected = 0;
  for (int choice = 0; choice < 4; ++choice) {
    expected += tokenizer.Count(Concat({"look_up_", std::to_string(choice)}));
    expected += tokenizer.Count(arguments[static_cast<size_t>(choice)]);
  }
  const Metered metered = Meter(body, OptionsOf({}), /*end=*/false);
  CHECK(metered.completion == expected);
  CHECK(metered.provenance == Provenance::kEstimated);
}

TEST_CASE("more texts at a time than are told apart are counted, with a token for a seam") {
  std::string body;
  std::vector<std::string> texts(100);
  for (int round = 0; round < 5; ++round) {
    for (int choice = 0; choice < 100; ++choice) {
      body += Chunk(Choice(choice, "\"content\":\"some words \""));
      texts[static_cast<size_t>(choice)] += "some words ";
    }
  }
  uint64_t expected = 0;
  for (const std::string& text : texts) expected += tokens::Find("o200k_base")->Count(text);
  const Metered metered = Meter(body, OptionsOf({}));
  CHECK(metered.counted >= expected);
  CHECK(metered.counted <= expected + 500);
  CHECK(metered.provenance == Provenance::kEstimated);
}

TEST_CASE("a statement that cannot be is not believed, and never makes an answer free") {
  const auto metered = [](const std::string& completion, bool exact) {
    StreamMeterOptions options = OptionsOf({});
    options.tokenizer_is_exact = exact;
    return Meter(LongStream(100, Chunk("", Concat({R"(,"usage":{"prompt_tokens":5,)",
                                                   R"("completion_tokens":)", completion, "}"}))),
                 options);
  };
  const uint64_t counted = metered("null", true).counted;
  REQUIRE(counted > 100);
  CHECK(metered("null", true).completion == counted);
  CHECK_FALSE(metered("null", true).anomaly);
  for (const char* absurd :
       {"0", "1", "-1", "1.5", "1e400", "\"200\"", "9223372036854775807", "[]"}) {
    for (bool exact : {true, false}) {
      INFO(absurd);
      CHECK(metered(absurd, exact).completion == counted);
      CHECK(metered(absurd, exact).anomaly);
      CHECK(metered(absurd, exact).provenance != Provenance::kProvider);
    }
  }
  const std::string a_little_less = std::to_string(counted - 1);
  CHECK(metered(a_little_less, true).completion == counted - 1);
  CHECK(metered(a_little_less, true).anomaly);
  CHECK_FALSE(metered(a_little_less, false).anomaly);
  CHECK_FALSE(metered(std::to_string(counted), true).anomaly);
  CHECK(metered(std::to_string(counted), true).provenance == Provenance::kProvider);
  CHECK_FALSE(metered("1000000", true).anomaly);
}

TEST_CASE("without a tokenizer tokens are estimated from bytes") {
  StreamMeterOptions options = OptionsOf({});
  options.tokenizer = nullptr;
  const Metered metered = Meter(LongStream(100), options);
  CHECK(metered.text_bytes == 690);
  CHECK(metered.completion == 230);
  CHECK(metered.provenance == Provenance::kEstimated);
}

TEST_CASE("an event or a body above its bound is charged by its size") {
  const std::string large = Chunk(Choice(0, "\"content\":\"" + std::string(5000, 'x') + "\""));
  StreamMeterOptions options = OptionsOf({});
  options.max_event_bytes = 1000;
  const Metered stream = Meter(large + LongStream(1), options);
  CHECK(stream.completion >= large.size() / 4);
  CHECK(stream.provenance == Provenance::kEstimated);
  options = OptionsOf(dialects::testing::Json(Dialect::kOpenAi));
  const std::string body =
      R"({"choices":[{"message":{"content":")" + std::string(5000, 'x') + R"("}}]})";
  options.max_body_bytes = 1000;
  CHECK(Meter(body, options).completion >= body.size() / 4);
  options.max_body_bytes = body.size();
  CHECK(Meter(body, options).completion ==
        tokens::Find("o200k_base")->Count(std::string(5000, 'x')));
}

TEST_CASE("strip_usage relays all but the event that only carries usage") {
  const std::string usage = Chunk("", ",\"usage\":{\"completion_tokens\":400}");
  StreamMeterOptions options = OptionsOf({});
  options.strip_usage = true;
  auto meter = StreamMeter::Create(options);
  std::string relay;
  meter->Feed(LongStream(3, usage), &relay);
  meter->End(&relay);
  CHECK(relay == LongStream(3));
  CHECK(meter->Read().completion == 400);
}

// A24.
TEST_CASE("one endless word is counted in parts") {
  auto meter = StreamMeter::Create(OptionsOf({}));
  const std::string chunk = Chunk(Choice(0, "\"content\":\"" + std::string(60000, 'a') + "\""));
  for (int i = 0; i < 40; ++i) meter->Feed(chunk, nullptr);
  const Metered metered = meter->Read();
  CHECK(metered.text_bytes == 2400000);
  const uint64_t expected = tokens::Find("o200k_base")->Count(std::string(2400000, 'a'));
  CHECK(metered.counted >= expected);
  CHECK(metered.counted <= expected + 3);
  CHECK(metered.provenance == Provenance::kEstimated);
}

TEST_CASE("an endpoint that writes nothing is charged nothing") {
  const Metered metered =
      Meter(R"({"object":"list","data":[]})", OptionsOf(dialects::testing::Json(Dialect::kOpenAi)));
  CHECK(metered.completion == 0);
  CHECK(metered.counted == 0);
}

}  // namespace
}  // namespace weir::metering
