// Every dialect's answers, whole and as streams: what is read of them, whatever the cuts, and what
// is left when they are mutated.

#include "tests/dialects/answer_fixtures.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::AnswerFixture;
using testing::AnswerFixtures;
using testing::Outcome;
using testing::Run;

std::string Joined(const Outcome& outcome) {
  std::string text;
  for (const auto& delta : outcome.deltas) text += delta.second + "|";
  return text;
}

TEST_CASE("answers of every dialect tell what they say") {
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    INFO(fixture.name);
    const Outcome outcome = Run(fixture.body, {}, false, fixture.origin);
    CHECK(outcome.relayed == fixture.body);
    CHECK(outcome.usage == fixture.usage);
    CHECK(IsSane(outcome.usage));
    CHECK(Joined(outcome) == fixture.text);
    CHECK(outcome.model == fixture.model);
    CHECK(outcome.reason == fixture.reason);
    CHECK(outcome.done == fixture.done);
    CHECK(outcome.finish == fixture.finish);
    CHECK(outcome.error == fixture.error);
    CHECK(outcome.events == fixture.events);
    CHECK(outcome.unreadable == 0);
  }
}

TEST_CASE("answers of every dialect tell the same however they are cut") {
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    INFO(fixture.name);
    CHECK(testing::CutsDoNotMatter(fixture.body, /*strip=*/false, 1, fixture.origin));
    CHECK(testing::CutsDoNotMatter(fixture.body, /*strip=*/true, 2, fixture.origin));
  }
}

TEST_CASE("other dialects relay every byte at once, also with strip_usage") {
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    if (fixture.origin.dialect == Dialect::kOpenAi &&
        fixture.origin.operation != Operation::kResponses) {
      continue;
    }
    INFO(fixture.name);
    auto reader =
        StreamReader::Create(fixture.origin.dialect, fixture.origin.operation, fixture.origin.kind);
    reader->set_strip_usage(true);
    std::string relay;
    for (size_t i = 0; i < fixture.body.size(); ++i) {
      reader->Feed(fixture.body.substr(i, 1), &relay);
      REQUIRE(relay.size() == i + 1);
    }
  }
}

TEST_CASE("a whole answer read at once and in parts tells the same") {
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    if (fixture.origin.kind != BodyKind::kJson) continue;
    INFO(fixture.name);
    const Response response =
        ReadResponse(fixture.origin.dialect, fixture.origin.operation, fixture.body);
    CHECK(response.usage == fixture.usage);
    CHECK(response.model == fixture.model);
    CHECK(response.finish_reason == fixture.reason);
    CHECK(response.error == fixture.error);
    CHECK(response.error == !response.error_info.message.empty());
  }
}

TEST_CASE("errors say what they are") {
  const auto error = [](const std::string& name) {
    for (const AnswerFixture& fixture : AnswerFixtures()) {
      if (fixture.name == name) return Run(fixture.body, {}, false, fixture.origin).error_text;
    }
    return std::string();
  };
  CHECK(error("messages stream with an error") == "overloaded_error||Overloaded");
  CHECK(error("response.failed") == "|server_error|boom");
  CHECK(error("gemini error") == "RESOURCE_EXHAUSTED|429|quota");
  CHECK(error("converse-stream with an exception") == "throttlingException||slow down");
  CHECK(error("bedrock error") == "||The security token is invalid.");
}

TEST_CASE("content types announce kinds of bodies") {
  CHECK(KindOf("text/event-stream") == BodyKind::kSse);
  CHECK(KindOf("Text/Event-Stream; charset=utf-8") == BodyKind::kSse);
  CHECK(KindOf(" application/json ;charset=UTF-8") == BodyKind::kJson);
  CHECK(KindOf("application/problem+json") == BodyKind::kJson);
  CHECK(KindOf("application/vnd.amazon.eventstream") == BodyKind::kEventStream);
  for (const char* other : {"", ";", "text/html", "+json", "text/event-streams", "json",
                            "application/jsonl", "application/octet-stream"}) {
    CHECK(KindOf(other) == BodyKind::kOther);
  }
}

TEST_CASE("a body of another kind passes through and states nothing") {
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    for (BodyKind kind : {BodyKind::kSse, BodyKind::kEventStream, BodyKind::kJson}) {
      if (kind == fixture.origin.kind) continue;
      INFO(fixture.name << ' ' << static_cast<int>(kind));
      testing::Origin origin = fixture.origin;
      origin.kind = kind;
      const Outcome outcome = Run(fixture.body, {7}, false, origin);
      CHECK(outcome.relayed == fixture.body);
      CHECK(outcome.usage == Usage{});
      CHECK_FALSE(outcome.done);
      CHECK(outcome.deltas.empty());
    }
  }
}

// The JSON values of a body, each with where it lies: of SSE the data lines, of a whole body
// itself.
std::vector<std::pair<size_t, size_t>> JsonRanges(const AnswerFixture& fixture) {
  std::vector<std::pair<size_t, size_t>> ranges;
  if (fixture.origin.kind == BodyKind::kJson) return {{0, fixture.body.size()}};
  size_t at = 0;
  while ((at = fixture.body.find("data: {", at)) != std::string::npos) {
    const size_t end = fixture.body.find_first_of("\r\n", at);
    ranges.emplace_back(at + 6, end);
    at = end;
  }
  return ranges;
}

TEST_CASE("every field of every other type: sane, relayed, and no crash") {
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    if (fixture.origin.kind == BodyKind::kEventStream) continue;
    for (const auto& range : JsonRanges(fixture)) {
      const size_t begin = range.first, end = range.second;
      testing::ForEachSwap(
          fixture.body.substr(begin, end - begin), [&](const auto& path, const auto& swapped) {
            INFO(fixture.name << ' ' << path << ' ' << swapped);
            const std::string body = testing::Splice(fixture.body, begin, end, swapped);
            const Outcome outcome = Run(body, {begin}, false, fixture.origin);
            REQUIRE(outcome.relayed == body);
            REQUIRE(IsSane(outcome.usage));
          });
    }
  }
}

TEST_CASE("frames with every field of every other type: sane, relayed, and no crash") {
  const std::string payloads[] = {
      R"({"contentBlockIndex":1,"delta":{"text":"a","toolUse":{"input":"{}"}},"p":"ab"})",
      R"({"contentBlockIndex":2,"start":{"toolUse":{"name":"sum","toolUseId":"t"}}})",
      R"({"stopReason":"end_turn"})",
      R"({"metrics":{"latencyMs":5},"usage":{"inputTokens":13,"outputTokens":5,)"
      R"("cacheReadInputTokens":4,"cacheWriteInputTokens":2,"totalTokens":24}})",
      R"({"finish_reason":"MAX_TOKENS","is_finished":true,"text":"x",)"
      R"("amazon-bedrock-invocationMetrics":{"inputTokenCount":20,"outputTokenCount":10}})"};
  for (const std::string& payload : payloads) {
    testing::ForEachSwap(payload, [](const auto& path, const auto& swapped) {
      INFO(path << ' ' << swapped);
      for (const char* type :
           {"contentBlockDelta", "contentBlockStart", "messageStop", "metadata"}) {
        const std::string body = testing::Frame(type, swapped) + testing::ChunkFrame(swapped) +
                                 testing::Frame("chunk", swapped);
        const Outcome outcome = Run(body, {30}, false, testing::kBedrockFrames);
        REQUIRE(outcome.relayed == body);
        REQUIRE(outcome.events == 3);
        REQUIRE(IsSane(outcome.usage));
      }
    });
  }
}

TEST_CASE("mutated answers: bytes pass, usage stays sane, cuts still do not matter") {
  Random random(12);
  for (const AnswerFixture& fixture : AnswerFixtures()) {
    for (int round = 0; round < 150; ++round) {
      std::string body = fixture.body;
      for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
        const size_t at = random.Below(body.size());
        if (random.Below(3) != 0) {
          body[at] = static_cast<char>(random.Below(256));
        } else if (body.size() > 40) {
          body.erase(at, random.Below(20));
        }
      }
      const Outcome whole = Run(body, {}, false, fixture.origin);
      REQUIRE(whole.relayed == body);
      REQUIRE(IsSane(whole.usage));
      REQUIRE(Run(body, testing::EveryByte(body.size()), false, fixture.origin) == whole);
      REQUIRE(Run(body, testing::RandomCuts(&random, body.size()), false, fixture.origin) == whole);
    }
  }
}

}  // namespace
}  // namespace weir::dialects
