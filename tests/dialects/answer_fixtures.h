// Answers written for these tests, in the shapes that the providers really send: of every dialect a
// whole one and a stream.

#ifndef WEIR_TESTS_DIALECTS_ANSWER_FIXTURES_H_
#define WEIR_TESTS_DIALECTS_ANSWER_FIXTURES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/text.h"
#include "dialects/event_stream.h"
#include "tests/dialects/support.h"
#include "weir/usage.h"

namespace weir::dialects::testing {

struct AnswerFixture {
  std::string name;
  Origin origin;
  std::string body;
  Usage usage{};
  std::string text{};  // of all deltas, each followed by '|'
  std::string model{};
  std::string reason{};
  bool done = true, finish = true, error = false;
  uint64_t events = 1;
};

inline std::string Sse(const std::vector<std::string>& events, std::string_view line_end = "\n") {
  std::string body;
  for (const std::string& event : events) {
    body += Concat({"data: ", event, line_end, line_end});
  }
  return body;
}
// As Anthropic and OpenAI's responses do: the event is called by its type.
inline std::string NamedSse(const std::vector<std::string>& events) {
  std::string body;
  for (const std::string& event : events) {
    const size_t begin = event.find("\"type\":\"") + 8;
    const std::string type = event.substr(begin, event.find('"', begin) - begin);
    body += Concat({"event: ", type, "\ndata: ", event, "\n\n"});
  }
  return body;
}
inline std::string Frame(std::string_view type, std::string_view payload) {
  std::string frame;
  AppendFrame(
      &frame,
      {{":event-type", type}, {":content-type", "application/json"}, {":message-type", "event"}},
      payload);
  return frame;
}
inline std::string ChunkFrame(std::string_view event) {
  return Frame("chunk", Concat({"{\"bytes\":\"", StdView(absl::Base64Escape(AbslView(event))),
                                "\",\"p\":\"abcdef\"}"}));
}

inline constexpr Origin kResponsesSse = {Dialect::kOpenAi, Operation::kResponses, BodyKind::kSse};
inline constexpr Origin kAnthropicSse = {Dialect::kAnthropic, Operation::kChat, BodyKind::kSse};
inline constexpr Origin kGeminiSse = {Dialect::kGemini, Operation::kChat, BodyKind::kSse};
inline constexpr Origin kBedrockFrames = {Dialect::kBedrock, Operation::kChat,
                                          BodyKind::kEventStream};

inline Origin Json(Dialect dialect, Operation operation = Operation::kChat) {
  return {dialect, operation, BodyKind::kJson};
}

inline std::vector<AnswerFixture> OpenAiAnswers() {
  const std::string usage =
      R"("usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18})";
  return {
      {.name = "completions stream",
       .origin = {Dialect::kOpenAi, Operation::kCompletions, BodyKind::kSse},
       .body = Sse({R"({"id":"x","choices":[{"text":" a","index":0,"finish_reason":null}],)"
                    R"("model":"davinci","usage":null})",
                    R"({"id":"x","choices":[{"text":"b","index":0,"finish_reason":"length"}],)"
                    R"("model":"davinci","usage":null})",
                    R"({"id":"x","choices":[],"model":"davinci",)" + usage + "}", "[DONE]"}),
       .usage = {.prompt = 11, .completion = 7, .reported_total = 18},
       .text = " ab|",
       .model = "davinci",
       .reason = "length",
       .events = 4},
      {.name = "completions",
       .origin = Json(Dialect::kOpenAi, Operation::kCompletions),
       .body = R"({"model":"davinci","choices":[{"text":"one","index":0,"finish_reason":"stop"},)"
               R"({"text":"two","index":1,"finish_reason":"stop"}],)" +
               usage + "}",
       .usage = {.prompt = 11, .completion = 7, .reported_total = 18},
       .text = "one|two|",
       .model = "davinci",
       .reason = "stop"},
      {.name = "embeddings",
       .origin = Json(Dialect::kOpenAi, Operation::kEmbeddings),
       .body = R"({"object":"list","data":[{"embedding":[0.1,-2e-3],"index":0}],)"
               R"("model":"embed-3","usage":{"prompt_tokens":8,"total_tokens":8}})",
       .usage = {.prompt = 8, .completion = 0, .reported_total = 8},
       .model = "embed-3",
       .finish = false},
      {.name = "groq",
       .origin = {},
       .body = Sse({R"({"model":"l","choices":[{"index":0,"delta":{"content":"a"},)"
                    R"("finish_reason":null}],"x_groq":{"id":"r"}})",
                    R"({"model":"l","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],)"
                    R"("x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":3,)"
                    R"("completion_tokens":2,"total_tokens":5}}})",
                    "[DONE]"}),
       .usage = {.prompt = 3, .completion = 2, .reported_total = 5},
       .text = "a|",
       .model = "l",
       .reason = "stop",
       .events = 3},
      {.name = "deepseek, and thoughts of mistral",
       .origin = {},
       .body = Sse({R"({"model":"r","choices":[{"index":0,"delta":{"content":[{"type":"thinking",)"
                    R"("thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"so"}]}}]})",
                    R"({"model":"r","choices":[{"index":0,"delta":{"content":null,)"
                    R"("reasoning_content":"m"},"finish_reason":"stop"}],"usage":)"
                    R"({"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,)"
                    R"("prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":4}})",
                    "[DONE]"}),
       .usage = {.prompt = 9, .completion = 4, .cached = 5, .reported_total = 13},
       .text = "hmm|so|",
       .model = "r",
       .reason = "stop",
       .events = 3},
  };
}

inline std::vector<AnswerFixture> ResponsesAnswers() {
  const std::string usage =
      R"("usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":8,)"
      R"("cache_write_tokens":4},"output_tokens":20,"output_tokens_details":)"
      R"({"reasoning_tokens":6},"total_tokens":50})";
  const Usage stated = {.prompt = 30,
                        .completion = 20,
                        .cached = 8,
                        .cache_write = 4,
                        .reasoning = 6,
                        .reported_total = 50};
  const std::vector<std::string> deltas = {
      R"({"type":"response.created","response":{"model":"gpt-r","status":"in_progress",)"
      R"("usage":null,"error":null}})",
      R"({"type":"response.reasoning_summary_text.delta","sequence_number":1,"output_index":0,)"
      R"("delta":"Hm."})",
      R"({"type":"response.output_text.delta","sequence_number":2,"output_index":1,"delta":"Yes"})",
      R"({"type":"response.output_text.delta","sequence_number":3,"output_index":1,)"
      R"("delta":" \u00e9"})",
      R"({"type":"response.output_text.done","sequence_number":4,"output_index":1,"text":"Yes"})",
      R"({"type":"response.refusal.delta","sequence_number":5,"output_index":1,"delta":"No"})",
      R"({"type":"response.output_item.added","output_index":2,"item":{"type":"function_call",)"
      R"("name":"sum","arguments":""}})",
      R"({"type":"response.function_call_arguments.delta","output_index":2,"delta":"{}"})",
      R"({"type":"response.custom_tool_call_input.delta","output_index":3,"delta":"1+1"})"};
  const std::string text = "Hm.|Yes \xC3\xA9|No|sum|{}|1+1|";
  const auto ending = [&](const std::string& event) {
    std::vector<std::string> events = deltas;
    events.push_back(event);
    return NamedSse(events);
  };
  return {
      {.name = "response.completed",
       .origin = kResponsesSse,
       .body = ending(R"({"type":"response.completed","response":{"model":"gpt-r","status":)"
                      R"("completed","output":[],)" +
                      usage + "}}"),
       .usage = stated,
       .text = text,
       .model = "gpt-r",
       .reason = "completed",
       .events = 10},
      {.name = "response.incomplete",
       .origin = kResponsesSse,
       .body = ending(R"({"type":"response.incomplete","response":{"model":"gpt-r","status":)"
                      R"("incomplete","incomplete_details":{"reason":"max_output_tokens"},)" +
                      usage + "}}"),
       .usage = stated,
       .text = text,
       .model = "gpt-r",
       .reason = "max_output_tokens",
       .events = 10},
      {.name = "response.failed",
       .origin = kResponsesSse,
       .body = ending(R"({"type":"response.failed","response":{"model":"gpt-r","status":"failed",)"
                      R"("error":{"code":"server_error","message":"boom"},)" +
                      usage + "}}"),
       .usage = stated,
       .text = text,
       .model = "gpt-r",
       .reason = "failed",
       .error = true,
       .events = 10},
      {.name = "response",
       .origin = Json(Dialect::kAzureOpenAi, Operation::kResponses),
       .body = R"({"model":"gpt-r","status":"completed","error":null,"incomplete_details":null,)"
               R"("output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}]},)"
               R"({"type":"message","content":[{"type":"output_text","text":"Yes"},)"
               R"({"type":"refusal","refusal":"No"}]},{"type":"function_call","name":"sum",)"
               R"("arguments":"{}"},{"type":"custom_tool_call","name":"m","input":"1+1"},)"
               R"({"type":"code_interpreter_call","code":"x=1"}],)" +
               usage + "}",
       .usage = stated,
       .text = "Hm.|Yes|No|sum|{}|m|1+1|x=1|",
       .model = "gpt-r",
       .reason = "completed"},
  };
}

inline std::vector<AnswerFixture> AnthropicAnswers() {
  const std::string start =
      R"({"type":"message_start","message":{"id":"m","role":"assistant","model":"claude",)"
      R"("content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":)"
      R"(3,"cache_read_input_tokens":5,"output_tokens":1}}})";
  const std::vector<std::string> events = {
      start,
      R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking",)"
      R"("thinking":""}})",
      R"({"type": "ping"})",
      R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",)"
      R"("thinking":"hm"}})",
      R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",)"
      R"("signature":"A"}})",
      R"({"type":"content_block_stop","index":0})",
      R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})",
      R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello"}   })",
      R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" you"} })",
      R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t",)"
      R"("name":"sum","input":{}}})",
      R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
      R"("partial_json":"{\"a\":1}"}})",
      R"({"type":"content_block_start","index":3,"content_block":{"type":"server_tool_use",)"
      R"("id":"s","name":"web","input":{}}})",
      R"({"type":"content_block_start","index":4,"content_block":{"type":"web_search_tool_result",)"
      R"("content":[{"type":"web_search_result","title":"not its own words"}]}})",
      R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":40,)"
      R"("output_tokens_details":{"thinking_tokens":12}}})",
      R"({"type":"message_stop"})"};
  const Usage stated = {
      .prompt = 18, .completion = 40, .cached = 5, .cache_write = 3, .reasoning = 12};
  return {
      {.name = "messages stream",
       .origin = kAnthropicSse,
       .body = NamedSse(events),
       .usage = stated,
       .text = "hm|Hello you|sum|{\"a\":1}|web|",
       .model = "claude",
       .reason = "tool_use",
       .events = 15},
      {.name = "messages stream that breaks off",
       .origin = kAnthropicSse,
       .body = NamedSse({start, events[7]}),
       .usage = {.prompt = 18, .cached = 5, .cache_write = 3},  // its output is only a guess
       .text = "Hello|",
       .model = "claude",
       .done = false,
       .finish = false,
       .events = 2},
      {.name = "messages stream with an error",
       .origin = kAnthropicSse,
       .body = NamedSse({start, R"({"type":"error","error":{"type":"overloaded_error",)"
                                R"("message":"Overloaded"}})"}),
       .usage = {.prompt = 18, .cached = 5, .cache_write = 3},
       .model = "claude",
       .done = false,
       .finish = false,
       .error = true,
       .events = 2},
      {.name = "message",
       .origin = Json(Dialect::kAnthropic),
       .body = R"({"id":"m","type":"message","model":"claude","content":[{"type":"thinking",)"
               R"("thinking":"hm"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"t",)"
               R"("name":"sum","input":{"a": 1}},{"type":"tool_use","name":"now","input":{}}],)"
               R"("stop_reason":"tool_use","usage":{"input_tokens":10,"cache_read_input_tokens":5,)"
               R"("cache_creation_input_tokens":3,"output_tokens":40}})",
       .usage = {.prompt = 18, .completion = 40, .cached = 5, .cache_write = 3},
       .text = "hm|Hello|sum|{\"a\": 1}|now|",
       .model = "claude",
       .reason = "tool_use"},
      {.name = "anthropic error",
       .origin = Json(Dialect::kAnthropic),
       .body = R"({"type":"error","error":{"type":"invalid_request_error","message":"no"}})",
       .finish = false,
       .error = true},
  };
}

inline std::vector<AnswerFixture> GeminiAnswers() {
  const std::vector<std::string> chunks = {
      R"({"candidates": [{"content": {"parts": [{"text": "hm","thought": true}],"role": "model"},)"
      R"("index": 0}],"usageMetadata": {"promptTokenCount": 34,"totalTokenCount": 102,)"
      R"("thoughtsTokenCount": 68},"modelVersion": "gemini-t"})",
      R"({"candidates": [{"content": {"parts": [{"text": "So "}]},"index": 0}],)"
      R"("usageMetadata": {"trafficType": "ON_DEMAND"},"modelVersion": "gemini-t"})",
      R"({"candidates": [{"content": {"parts": [{"text": "be it"},{"functionCall": {"name": "f",)"
      R"("args": {"x": 1}}}]},"finishReason": "STOP","index": 0}],"usageMetadata": )"
      R"({"promptTokenCount": 34,"candidatesTokenCount": 9,"totalTokenCount": 121,)"
      R"("cachedContentTokenCount": 30,"toolUsePromptTokenCount": 10,"thoughtsTokenCount": 68},)"
      R"("modelVersion": "gemini-t"})"};
  const Usage stated = {
      .prompt = 44, .completion = 77, .cached = 30, .reasoning = 68, .reported_total = 121};
  const std::string text = "hm|So be it|f|{\"x\": 1}|";
  return {
      {.name = "generateContent as SSE",
       .origin = kGeminiSse,
       .body = Sse(chunks, "\r\n"),
       .usage = stated,
       .text = text,
       .model = "gemini-t",
       .reason = "STOP",
       .done = false,
       .events = 3},
      {.name = "generateContent as an array",
       .origin = Json(Dialect::kGemini),
       .body = Concat({"[", chunks[0], "\n,\r\n", chunks[1], "\n,\r\n", chunks[2], "\n]\n"}),
       .usage = stated,
       .text = text,
       .model = "gemini-t",
       .reason = "STOP",
       .done = false,
       .events = 3},
      {.name = "generateContent",
       .origin = Json(Dialect::kGemini),
       .body = chunks[2],
       .usage = stated,
       .text = "be it|f|{\"x\": 1}|",
       .model = "gemini-t",
       .reason = "STOP"},
      {.name = "a prompt that Gemini refuses",
       .origin = Json(Dialect::kGemini),
       .body = R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":)"
               R"(4,"totalTokenCount":4},"modelVersion":"gemini-t"})",
       .usage = {.prompt = 4, .reported_total = 4},
       .model = "gemini-t",
       .reason = "SAFETY"},
      {.name = "gemini error",
       .origin = Json(Dialect::kGemini),
       .body = R"({"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}})",
       .finish = false,
       .error = true},
  };
}

inline std::vector<AnswerFixture> BedrockAnswers() {
  const std::string converse =
      Frame("messageStart", R"({"p":"abc","role":"assistant"})") +
      Frame("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"reasoningContent":)"
                                 R"({"text":"hm"}},"p":"a"})") +
      Frame("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":"Hel"},"p":"ab"})") +
      Frame("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":"lo"},"p":"abcd"})") +
      Frame("contentBlockStop", R"({"contentBlockIndex":1})") +
      Frame("contentBlockStart", R"({"contentBlockIndex":2,"start":{"toolUse":{"name":"sum",)"
                                 R"("toolUseId":"t"}}})") +
      Frame("contentBlockDelta", R"({"contentBlockIndex":2,"delta":{"toolUse":{"input":"{}"}}})") +
      Frame("messageStop", R"({"stopReason":"tool_use"})");
  const std::string metadata =
      Frame("metadata", R"({"metrics":{"latencyMs":5},"usage":{"inputTokens":13,"outputTokens":5,)"
                        R"("cacheReadInputTokens":4,"cacheWriteInputTokens":2,"totalTokens":24}})");
  std::string exception;
  AppendFrame(&exception,
              {{":exception-type", "throttlingException"}, {":message-type", "exception"}},
              R"({"message":"slow down"})");
  const Usage stated = {
      .prompt = 19, .completion = 5, .cached = 4, .cache_write = 2, .reported_total = 24};
  const std::string metrics =
      R"("amazon-bedrock-invocationMetrics":{"inputTokenCount":20,"outputTokenCount":10})";
  return {
      {.name = "converse-stream",
       .origin = kBedrockFrames,
       .body = converse + metadata,
       .usage = stated,
       .text = "hm|Hello|sum|{}|",
       .reason = "tool_use",
       .events = 9},
      {.name = "converse-stream with an exception",
       .origin = kBedrockFrames,
       .body = converse.substr(0, converse.size()) + exception,
       .text = "hm|Hello|sum|{}|",
       .reason = "tool_use",
       .error = true,
       .events = 9},
      {.name = "invoke-model with Claude",
       .origin = kBedrockFrames,
       .body = ChunkFrame(R"({"type":"message_start","message":{"model":"claude","usage":)"
                          R"({"input_tokens":20,"output_tokens":1}}})") +
               ChunkFrame(R"({"type":"content_block_delta","index":0,"delta":{"type":)"
                          R"("text_delta","text":"Hi"}})") +
               ChunkFrame(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},)"
                          R"("usage":{"output_tokens":10}})") +
               ChunkFrame(R"({"type":"message_stop",)" + metrics + "}"),
       .usage = {.prompt = 20, .completion = 10},
       .text = "Hi|",
       .model = "claude",
       .reason = "end_turn",
       .events = 4},
      {.name = "invoke-model with Cohere",
       .origin = kBedrockFrames,
       .body = ChunkFrame(R"({"is_finished":false,"text":" I"})") +
               ChunkFrame(R"({"is_finished":false,"text":" am"})") +
               ChunkFrame(R"({"finish_reason":"MAX_TOKENS","is_finished":true,)" + metrics + "}"),
       .usage = {.prompt = 20, .completion = 10},
       .text = " I am|",
       .reason = "MAX_TOKENS",
       .done = false,
       .events = 3},
      {.name = "converse",
       .origin = Json(Dialect::kBedrock),
       .body = R"({"output":{"message":{"role":"assistant","content":[{"text":"Hello"},)"
               R"({"toolUse":{"name":"sum","input":{"a":1},"toolUseId":"t"}}]}},"stopReason":)"
               R"("tool_use","usage":{"inputTokens":13,"outputTokens":5,"totalTokens":24,)"
               R"("cacheReadInputTokens":4,"cacheWriteInputTokens":2}})",
       .usage = stated,
       .text = "Hello|sum|{\"a\":1}|",
       .reason = "tool_use"},
      {.name = "invoke-model, Llama",
       .origin = Json(Dialect::kBedrock),
       .body = R"({"generation":"Hi","prompt_token_count":3,"generation_token_count":2,)"
               R"("stop_reason":"stop"})",
       .usage = {.prompt = 3, .completion = 2},
       .text = "Hi|",
       .reason = "stop"},
      {.name = "bedrock error",
       .origin = Json(Dialect::kBedrock),
       .body = R"({"message":"The security token is invalid."})",
       .finish = false,
       .error = true},
  };
}

inline std::vector<AnswerFixture> AnswerFixtures() {
  std::vector<AnswerFixture> all;
  for (const auto& some : {OpenAiAnswers(), ResponsesAnswers(), AnthropicAnswers(), GeminiAnswers(),
                           BedrockAnswers()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_ANSWER_FIXTURES_H_
