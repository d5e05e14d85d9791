// One convention for all: golden tables for each dialect, merging in streams, numbers that cannot
// be.

#include <algorithm>

#include "tests/dialects/answer_fixtures.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::Json;
using testing::NamedSse;
using testing::Run;
using testing::Sse;

struct Row {
  Dialect dialect;
  Operation operation;
  std::string stated;  // the members of `usage`
  Usage usage;
};

std::string BodyWith(const Row& row) {
  const bool gemini = row.dialect == Dialect::kGemini;
  return Concat({R"({"type":"message",")", gemini ? "usageMetadata" : "usage", "\":{", row.stated,
                 row.dialect == Dialect::kBedrock ? R"(},"output":{}})" : "}}"});
}

Usage UsageOf(const Row& row) {
  Row shaped = row;
  std::string body = BodyWith(shaped);
  // Of Bedrock, "type":"message" would be Anthropic's.
  if (row.dialect == Dialect::kBedrock) body.replace(0, 18, "{");
  return ReadResponse(row.dialect, row.operation, body).usage;
}

TEST_CASE("what is inside and what is beside, dialect by dialect") {
  const Row rows[] = {
      {Dialect::kOpenAi,
       Operation::kChat,
       R"("prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
          "prompt_tokens_details":{"cached_tokens":64},
          "completion_tokens_details":{"reasoning_tokens":20,"accepted_prediction_tokens":1,
          "rejected_prediction_tokens":2})",
       {.prompt = 100,
        .completion = 50,
        .cached = 64,
        .reasoning = 20,
        .accepted_prediction = 1,
        .rejected_prediction = 2,
        .reported_total = 150}},
      // Reasoning beside, as xAI has it: the total tells.
      {Dialect::kOpenAi,
       Operation::kChat,
       R"("prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
          "completion_tokens_details":{"reasoning_tokens":94})",
       {.prompt = 32,
        .completion = 103,
        .reasoning = 94,
        .reported_total = 135,
        .reasoning_was_beside = true}},
      // Above the completion, and the total does not tell of it: clamped.
      {Dialect::kOpenAi,
       Operation::kChat,
       R"("prompt_tokens":43,"completion_tokens":10,"total_tokens":53,
          "completion_tokens_details":{"reasoning_tokens":11})",
       {.prompt = 43, .completion = 10, .reasoning = 10, .reported_total = 53, .anomaly = true}},
      {Dialect::kOpenAi,
       Operation::kChat,
       R"("prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":5)",
       {.prompt = 9, .completion = 4, .cached = 5}},
      // Details go before what lies loose.
      {Dialect::kOpenAi,
       Operation::kChat,
       R"("prompt_tokens":9,"cached_tokens":7,"prompt_tokens_details":{"cached_tokens":3})",
       {.prompt = 9, .cached = 3}},
      {Dialect::kOpenAi,
       Operation::kChat,
       R"("prompt_tokens":20,"cache_read_input_tokens":4,"cache_creation_input_tokens":6)",
       {.prompt = 20, .cached = 4, .cache_write = 6}},
      {Dialect::kOpenAi,
       Operation::kResponses,
       R"("input_tokens":30,"output_tokens":20,"total_tokens":50,
          "input_tokens_details":{"cached_tokens":8,"cache_write_tokens":4},
          "output_tokens_details":{"reasoning_tokens":6})",
       {.prompt = 30,
        .completion = 20,
        .cached = 8,
        .cache_write = 4,
        .reasoning = 6,
        .reported_total = 50}},
      {Dialect::kAnthropic,
       Operation::kChat,
       R"("input_tokens":4,"output_tokens":290,"cache_read_input_tokens":14714,
          "cache_creation_input_tokens":379,"output_tokens_details":{"thinking_tokens":19})",
       {.prompt = 15097, .completion = 290, .cached = 14714, .cache_write = 379, .reasoning = 19}},
      {Dialect::kGemini,
       Operation::kChat,
       R"("promptTokenCount":32,"candidatesTokenCount":25,"totalTokenCount":4704,
          "toolUsePromptTokenCount":4610,"thoughtsTokenCount":37,"cachedContentTokenCount":30)",
       {.prompt = 4642, .completion = 62, .cached = 30, .reasoning = 37, .reported_total = 4704}},
      // Thoughts, and no word yet.
      {Dialect::kGemini,
       Operation::kChat,
       R"("promptTokenCount":34,"thoughtsTokenCount":68)",
       {.prompt = 34, .completion = 68, .reasoning = 68}},
      {Dialect::kBedrock,
       Operation::kChat,
       R"("inputTokens":13,"outputTokens":5,"totalTokens":24,"cacheReadInputTokens":4,
          "cacheWriteInputTokens":2)",
       {.prompt = 19, .completion = 5, .cached = 4, .cache_write = 2, .reported_total = 24}},
      {Dialect::kOpenAi,
       Operation::kEmbeddings,
       R"("prompt_tokens":8,"total_tokens":8)",
       {.prompt = 8, .completion = 0, .reported_total = 8}},
  };
  for (const Row& row : rows) {
    INFO(DialectName(row.dialect) << ' ' << row.stated);
    const Usage usage = UsageOf(row);
    CHECK(usage == row.usage);
    CHECK(IsSane(usage));
    if (usage.prompt && usage.completion) {
      CHECK(usage.total() == *usage.prompt + *usage.completion);
    } else {
      CHECK_FALSE(usage.total());
    }
  }
}

TEST_CASE("cached and written together are never more than the prompt") {
  CHECK(UsageOf({Dialect::kOpenAi,
                 Operation::kChat,
                 R"("prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":7,
                    "cache_write_tokens":7})",
                 {}}) == Usage{.prompt = 10, .cached = 7, .cache_write = 3, .anomaly = true});
}

const std::string kAbsurd[] = {"-1",
                               "1.5",
                               "5.0",
                               "\"2147483647\"",
                               "9223372036854775807",
                               "18446744073709551616",
                               "1e400",
                               "-1e400",
                               "1e3",
                               "-0",
                               "true",
                               "[]",
                               "{}",
                               "\"\"",
                               "1099511627777",
                               std::string(400, '9')};

TEST_CASE("a number that cannot be drops the sum that it is part of, and is flagged") {
  for (const std::string& bad : kAbsurd) {
    INFO(bad);
    const auto with = [&](Dialect dialect, std::string stated) {
      stated.replace(stated.find('?'), 1, bad);
      return UsageOf({dialect, Operation::kChat, stated, {}});
    };
    CHECK(with(Dialect::kAnthropic, R"("input_tokens":?,"output_tokens":7)") ==
          Usage{.completion = 7, .anomaly = true});
    CHECK(with(Dialect::kAnthropic,
               R"("input_tokens":3,"cache_read_input_tokens":?,"output_tokens":7)") ==
          Usage{.completion = 7, .anomaly = true});
    CHECK(with(Dialect::kGemini,
               R"("promptTokenCount":3,"candidatesTokenCount":?,"thoughtsTokenCount":7)") ==
          Usage{.prompt = 3, .anomaly = true});
    CHECK(with(Dialect::kGemini,
               R"("promptTokenCount":3,"toolUsePromptTokenCount":?,"candidatesTokenCount":7)") ==
          Usage{.completion = 7, .anomaly = true});
    CHECK(with(Dialect::kGemini, R"("promptTokenCount":3,"cachedContentTokenCount":?)") ==
          Usage{.prompt = 3, .anomaly = true});
    CHECK(with(Dialect::kBedrock, R"("inputTokens":3,"outputTokens":?)") ==
          Usage{.prompt = 3, .anomaly = true});
    CHECK(with(Dialect::kOpenAi, R"("prompt_tokens":3,"completion_tokens":?)") ==
          Usage{.prompt = 3, .anomaly = true});
  }
  // Each of them can be, their sum cannot.
  const std::string most = std::to_string(kMaxTokens);
  CHECK(UsageOf({Dialect::kAnthropic,
                 Operation::kChat,
                 Concat({"\"input_tokens\":", most, ",\"cache_read_input_tokens\":1"}),
                 {}}) == Usage{.anomaly = true});
}

TEST_CASE("usage that is no object is flagged") {
  for (const char* junk : {"1", "\"x\"", "[]", "true"}) {
    for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kBedrock}) {
      const std::string body = Concat({R"({"output":{},"usage":)", junk, "}"});
      CHECK(ReadResponse(dialect, Operation::kChat, body).usage == Usage{.anomaly = true});
    }
    CHECK(
        ReadResponse(Dialect::kGemini, Operation::kChat, Concat({"{\"usageMetadata\":", junk, "}"}))
            .usage == Usage{.anomaly = true});
  }
}

// JSON on one line, as SSE wants it.
std::string OneLine(std::string json) {
  json.erase(std::remove(json.begin(), json.end(), '\n'), json.end());
  return json;
}
std::string Start(const std::string& usage) {
  return OneLine(R"({"type":"message_start","message":{"model":"m","usage":{)" + usage + "}}}");
}
std::string Delta(const std::string& usage) {
  return OneLine(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{)" + usage +
                 "}}");
}
Usage Anthropic(const std::vector<std::string>& events) {
  return Run(NamedSse(events), {}, false, testing::kAnthropicSse).usage;
}

TEST_CASE("Anthropic's stream: a delta restates field by field, in whatever order, as often") {
  const std::string start = Start(
      R"("input_tokens":18,"cache_creation_input_tokens":1031,"cache_read_input_tokens":2,
         "output_tokens":1)");
  const std::string written = Delta(R"("output_tokens":100)");
  const Usage both = {.prompt = 1051, .completion = 100, .cached = 2, .cache_write = 1031};
  CHECK(Anthropic({start, written}) == both);
  CHECK(Anthropic({start, start, written}) == both);
  CHECK(Anthropic({start, written, written}) == both);
  CHECK(Anthropic({written, start}) == both);
  CHECK(Anthropic({start, written, start}) == both);
  CHECK(Anthropic({start}).completion == std::nullopt);
  // Cumulative.
  CHECK(Anthropic({start, Delta(R"("output_tokens":40)"), written}) == both);
  // The input restated, with and without what caches did.
  const std::string restated = Delta(
      R"("input_tokens":3883,"cache_creation_input_tokens":0,"cache_read_input_tokens":30464,
         "output_tokens":49)");
  const Usage last = {.prompt = 34347, .completion = 49, .cached = 30464, .cache_write = 0};
  CHECK(Anthropic({Start(R"("input_tokens":34824,"output_tokens":0)"), restated}) == last);
  CHECK(Anthropic({restated, Start(R"("input_tokens":34824,"output_tokens":0)")}) == last);
  CHECK(Anthropic({start, Delta(R"("input_tokens":61,"output_tokens":3)")}) ==
        Usage{.prompt = 1094, .completion = 3, .cached = 2, .cache_write = 1031});
  // A total is never stated, and never lost: only the output is new.
  CHECK(Anthropic({start, written}).total() == 1151);
}

TEST_CASE("Anthropic's stream: what cannot be is never booked, nor what was said before it") {
  for (const std::string& bad : kAbsurd) {
    INFO(bad);
    const Usage usage =
        Anthropic({Start(R"("input_tokens":18,"output_tokens":1)"), Delta(R"("output_tokens":40)"),
                   Delta(R"("output_tokens":)" + bad)});
    CHECK(usage == Usage{.prompt = 18, .anomaly = true});
    // Stated well afterwards, it counts, and the flag stays.
    CHECK(Anthropic({Start(R"("input_tokens":)" + bad), Delta(R"("input_tokens":5)"),
                     Delta(R"("output_tokens":6)")}) ==
          Usage{.prompt = 5, .completion = 6, .anomaly = true});
  }
}

TEST_CASE("Gemini's stream: of each field the largest, however the chunks come") {
  const auto chunk = [](const std::string& usage) {
    return R"({"candidates":[],"usageMetadata":{)" + usage + "}}";
  };
  std::vector<std::string> chunks = {
      chunk(R"("promptTokenCount":34,"totalTokenCount":102,"thoughtsTokenCount":68)"),
      chunk(R"("promptTokenCount":34,"candidatesTokenCount":3,"thoughtsTokenCount":80)"),
      chunk(R"("trafficType":"ON_DEMAND")"),
      chunk(R"("candidatesTokenCount":9,"totalTokenCount":123)")};
  std::sort(chunks.begin(), chunks.end());
  do {
    std::vector<std::string> twice = chunks;
    twice.insert(twice.end(), chunks.begin(), chunks.end());
    for (const auto& events : {chunks, twice}) {
      REQUIRE(Run(Sse(events), {}, false, testing::kGeminiSse).usage ==
              Usage{.prompt = 34, .completion = 89, .reasoning = 80, .reported_total = 123});
    }
  } while (std::next_permutation(chunks.begin(), chunks.end()));
}

TEST_CASE("a stream that is cut short never takes back what it has stated") {
  for (const testing::AnswerFixture& fixture : testing::AnswerFixtures()) {
    INFO(fixture.name);
    Usage before;
    for (size_t size = 0; size <= fixture.body.size(); ++size) {
      auto reader = StreamReader::Create(fixture.origin.dialect, fixture.origin.operation,
                                         fixture.origin.kind);
      reader->Feed(fixture.body.substr(0, size), nullptr);
      const Usage now = reader->usage();
      REQUIRE(IsSane(now));
      REQUIRE(now.prompt.value_or(0) >= before.prompt.value_or(0));
      REQUIRE(now.completion.value_or(0) >= before.completion.value_or(0));
      REQUIRE((now.completion || !before.completion));
      before = now;
    }
  }
}

TEST_CASE("a stream and a whole answer of the same state the same") {
  const std::string details =
      R"("prompt_tokens":293,"completion_tokens":58,"total_tokens":351,
         "prompt_tokens_details":{"cached_tokens":387},
         "completion_tokens_details":{"reasoning_tokens":7})";
  const Usage whole =
      ReadResponse(Dialect::kOpenAi, Operation::kChat, "{\"usage\":{" + details + "}}").usage;
  CHECK(Run(Sse({OneLine("{\"choices\":[],\"usage\":{" + details + "}}")}), {}).usage == whole);
  CHECK(whole.cached == 293);
}

TEST_CASE("x_groq states usage where usage is missing, and usage goes before it") {
  const std::string groq = R"("x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":2}})";
  CHECK(Run(Sse({"{\"choices\":[]," + groq + "}"}), {}).usage ==
        Usage{.prompt = 3, .completion = 2});
  CHECK(Run(Sse({"{\"choices\":[],\"usage\":null," + groq + "}"}), {}).usage ==
        Usage{.prompt = 3, .completion = 2});
  CHECK(Run(Sse({R"({"choices":[],"usage":{"prompt_tokens":4},)" + groq + "}"}), {}).usage ==
        Usage{.prompt = 4});
  // An event that carries it is not one that strip_usage leaves out.
  CHECK_FALSE(Run(Sse({"{\"choices\":[]," + groq + "}"}), {}, true).relayed.empty());
}

}  // namespace
}  // namespace weir::dialects
