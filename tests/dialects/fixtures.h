// Bodies written for these tests, in the shapes that providers really send.

#ifndef WEIR_TESTS_DIALECTS_FIXTURES_H_
#define WEIR_TESTS_DIALECTS_FIXTURES_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects::testing {

struct StreamFixture {
  std::string name;
  std::string body;
  Usage usage;
  std::string text;        // of all deltas, in their order
  std::string stripped{};  // what strip_usage leaves; empty: all of it
  bool done = true, finish = true, error = false;
  uint64_t events = 0, unreadable = 0;
};

// A chunk as OpenAI sends it: `choices` and further members as JSON.
inline std::string Chunk(std::string_view choices, std::string_view more = "") {
  return Concat(
      {"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
       "\"model\":\"test-4\",\"choices\":[",
       choices, "]", more, "}\n\n"});
}
inline std::string Choice(int index, std::string_view delta, std::string_view finish = "null") {
  return Concat({"{\"index\":", std::to_string(index), ",\"delta\":{", delta,
                 "},\"logprobs\":null,\"finish_reason\":", finish, "}"});
}
inline const std::string kDone = "data: [DONE]\n\n";
inline const std::string kUsageMember =
    ",\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":9,\"total_tokens\":30,"
    "\"prompt_tokens_details\":{\"cached_tokens\":16,\"audio_tokens\":2},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":4,\"audio_tokens\":1,"
    "\"accepted_prediction_tokens\":3,\"rejected_prediction_tokens\":0}}";
inline const Usage kFixtureUsage = {.prompt = 21,
                                    .completion = 9,
                                    .cached = 16,
                                    .reasoning = 4,
                                    .audio_prompt = 2,
                                    .audio_completion = 1,
                                    .accepted_prediction = 3,
                                    .rejected_prediction = 0,
                                    .reported_total = 30,
                                    .anomaly = false};

inline StreamFixture PlainStream() {
  const std::string null_usage = ",\"usage\":null";
  const std::string head =
      Chunk(Choice(0, R"("role":"assistant","content":"","refusal":null)"), null_usage) +
      Chunk(Choice(0, "\"content\":\"H\xC3\xA9\""), null_usage) +
      Chunk(Choice(0, "\"content\":\"\xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80\""), null_usage) +
      Chunk(Choice(0, R"("content":" \u00e9\n\"q\"")"), null_usage) +
      Chunk(Choice(0, "", "\"stop\""), null_usage);
  return {.name = "plain",
          .body = head + Chunk("", kUsageMember) + kDone,
          .usage = kFixtureUsage,
          .text = "H\xC3\xA9\xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80 \xC3\xA9\n\"q\"",
          .stripped = head + kDone,
          .events = 7};
}

// Azure: a first chunk without choices, id or model; filter results after the end.
inline StreamFixture AzureStream() {
  const std::string filter =
      "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\","
      "\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}\n\n";
  const std::string late =
      "data: {\"choices\":[{\"content_filter_offsets\":{\"check_offset\":9},\"index\":0,"
      "\"finish_reason\":null}],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\"}\n\n";
  const std::string text =
      Chunk(Choice(0, R"("content":"kind")")) + Chunk(Choice(0, "", "\"stop\""));
  return {.name = "azure",
          .body = filter + text + late + Chunk("", kUsageMember) + "data: [DONE]",
          .usage = kFixtureUsage,
          .text = "kind",
          .stripped = filter + text + late + "data: [DONE]",
          .events = 6};
}

// Three choices whose pieces come in turns: text, a refusal, two tool calls.
inline StreamFixture InterleavedStream() {
  const auto tool = [](int index, const std::string& function) {
    return "\"tool_calls\":[{\"index\":" + std::to_string(index) +
           ",\"type\":\"function\",\"function\":{" + function + "}}]";
  };
  const std::string head =
      Chunk(Choice(0, R"("role":"assistant","content":"a")")) +
      Chunk(Choice(2, tool(0, R"("name":"sum","arguments":"")"))) +
      Chunk(Choice(1, R"("refusal":"No")") + "," + Choice(0, R"("content":"b")")) +
      Chunk(Choice(2, tool(1, R"("name":"mul","arguments":"{\"y\"")"))) +
      Chunk(Choice(2, tool(0, R"("arguments":"{\"x\":1}")"))) +
      Chunk(Choice(1, R"("refusal":".")")) + Chunk(Choice(2, tool(1, R"("arguments":":2}")"))) +
      Chunk(Choice(0, "", "\"stop\"")) + Chunk(Choice(1, "", "\"stop\"")) +
      Chunk(Choice(2, "", "\"tool_calls\""));
  return {.name = "interleaved",
          .body = head + Chunk("", kUsageMember) + kDone,
          .usage = kFixtureUsage,
          .text = "absumNo.mul{\"y\":2}{\"x\":1}",
          .stripped = head + kDone,
          .events = 12};
}

// A compatible server: comments, thoughts, a legacy function call, usage in several chunks.
inline StreamFixture CompatStream() {
  const auto usage = [](int completion) {
    return ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":" + std::to_string(completion) +
           ",\"total_tokens\":" + std::to_string(5 + completion) + ",\"cost\":1e-05}";
  };
  return {
      .name = "compat",
      .body =
          ": PROCESSING\n\n: PROCESSING\n\n" +
          Chunk(Choice(0, R"("content":"","reasoning_content":"hm","reasoning":"hm")"), usage(1)) +
          Chunk(Choice(0, R"("content":null,"function_call":{"name":"f","arguments":""})"),
                usage(2)) +
          Chunk(Choice(0, R"("function_call":{"arguments":"{}"})", "\"function_call\""), usage(3)) +
          kDone,
      .usage = {.prompt = 5, .completion = 3, .reported_total = 8},
      .text = "hmf{}",
      .events = 4};
}

inline StreamFixture ErrorStream() {
  return {.name = "error",
          .body = Chunk(Choice(0, R"("content":"a")"), ",\"error\":null") +
                  "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n",
          .usage = {},
          .text = "a",
          .done = false,
          .finish = false,
          .error = true,
          .events = 2};
}

// What no provider should send: an empty event, text, an array, a repeated key.
inline StreamFixture OddStream() {
  return {.name = "odd",
          .body = "data:\n\ndata: hello\n\ndata: [1]\n\n" +
                  Chunk(Choice(0, R"("content":"a","content":"b")", "\"stop\"")) + kDone,
          .usage = {},
          .text = "b",
          .events = 5,
          .unreadable = 3};
}

inline std::vector<StreamFixture> StreamFixtures() {
  return {PlainStream(),  AzureStream(), InterleavedStream(),
          CompatStream(), ErrorStream(), OddStream()};
}

inline std::vector<std::string> ResponseFixtures() {
  return {
      R"({"id":"c1","object":"chat.completion","created":1700000000,"model":"test-4-2024",
          "choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},
          "logprobs":null,"finish_reason":"stop"},{"index":1,"message":{"role":"assistant",
          "content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"sum",
          "arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"mul",
          "arguments":"{}"}}]},"finish_reason":"tool_calls"},{"index":2,"message":{
          "role":"assistant","content":"","refusal":"No"},"finish_reason":"stop"}])" +
          kUsageMember + "}",
      R"({"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
          "reasoning_content":"hm","function_call":{"name":"f","arguments":{"x":1}}}}],
          "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,
          "prompt_tokens_details":null,"completion_tokens_details":null}})",
      R"({"error":{"message":"no","type":"invalid_request_error","param":null,"code":"x"}})",
  };
}

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_FIXTURES_H_
