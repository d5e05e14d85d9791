// Answers that are kept, event by event, so that tests can change one and frame them again.

#ifndef WEIR_TESTS_DIALECTS_KEEP_FIXTURES_H_
#define WEIR_TESTS_DIALECTS_KEEP_FIXTURES_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dialects/event_stream.h"
#include "tests/dialects/keep_support.h"

namespace weir::dialects::testing {

using NamedEvent = std::pair<std::string, std::string>;  // name (may be empty), data

struct Written {
  std::string name;
  Origin origin;
  std::vector<NamedEvent> events;  // of a whole answer one
  std::vector<std::string> texts;  // of the choices
  std::string reason;              // to finish
  Usage usage{};

  std::string Body(std::string_view line_end = "\n") const {
    std::string body;
    const bool array = origin.kind == BodyKind::kJson && events.size() > 1;
    for (const auto& [event, data] : events) {
      if (origin.kind == BodyKind::kEventStream) {
        AppendFrame(&body,
                    {{":event-type", event},
                     {":content-type", "application/json"},
                     {":message-type", "event"}},
                    data);
      } else if (origin.kind == BodyKind::kSse) {
        if (!event.empty()) body += Concat({"event: ", event, line_end});
        body += Concat({"data: ", data, line_end, line_end});
      } else {
        if (array) body += body.empty() ? "[" : "\r\n,";
        body += data;
      }
    }
    return array ? body + "]" : body;
  }
};

inline constexpr Usage kChatUsage = {
    .prompt = 21, .completion = 9, .cached = 16, .reasoning = 4, .reported_total = 30};
inline const std::string kChatUsageJson =
    R"({"prompt_tokens":21,"completion_tokens":9,"total_tokens":30,)"
    R"("prompt_tokens_details":{"cached_tokens":16},)"
    R"("completion_tokens_details":{"reasoning_tokens":4}})";

inline std::string ChatChunk(std::string_view choices, std::string_view more = "") {
  return Concat({R"({"id":"c1","object":"chat.completion.chunk","created":1700000000,)",
                 R"("model":"test-4","system_fingerprint":"fp","service_tier":"default",)",
                 R"("choices":[)", choices, "]", more, R"(,"obfuscation":"xy"})"});
}
inline std::string ChatDelta(int index, std::string_view delta, std::string_view finish = "null") {
  return Concat({R"({"index":)", std::to_string(index), R"(,"delta":{)", delta,
                 R"(},"logprobs":null,"finish_reason":)", finish, "}"});
}

inline Written ChatStream() {
  return {"chat stream",
          {Dialect::kOpenAi, Operation::kChat, BodyKind::kSse},
          {{"", ChatChunk(ChatDelta(0, R"("role":"assistant","content":"","refusal":null)"))},
           {"", ChatChunk(ChatDelta(0, "\"content\":\"H\xC3\xA9\""))},
           {"", ChatChunk(ChatDelta(0, R"("content":" \u00e9\n")"))},
           {"", ChatChunk(ChatDelta(0, R"("content":"llo")"))},
           {"", ChatChunk(ChatDelta(0, "", "\"stop\""))},
           {"", ChatChunk("", ",\"usage\":" + kChatUsageJson)},
           {"", "[DONE]"}},
          {"H\xC3\xA9 \xC3\xA9\nllo"},
          "stop",
          kChatUsage};
}

inline Written ChatBody() {
  return {"chat",
          {Dialect::kOpenAi, Operation::kChat, BodyKind::kJson},
          {{"", R"({"id":"c1","object":"chat.completion","created":1700000000,"model":"test-4",)"
                R"("choices":[{"index":0,"message":{"role":"assistant","content":"Hello",)"
                R"("refusal":null,"annotations":[],"tool_calls":[]},"logprobs":{"content":null},)"
                R"("finish_reason":"stop"},{"index":1,"message":{"role":"assistant",)"
                R"("content":"Hi"},"finish_reason":"stop"}],"usage":)" +
                    kChatUsageJson + R"(,"x_groq":{"id":"r"},"provider":"p"})"}},
          {"Hello", "Hi"},
          "stop",
          kChatUsage};
}

// Azure: filter results before, with and after the text.
inline Written AzureChatStream() {
  const std::string safe =
      R"("content_filter_results":{"hate":{"filtered":false,"severity":"safe"},)"
      R"("jailbreak":{"filtered":false,"detected":false}})";
  return {"azure stream",
          {Dialect::kAzureOpenAi, Operation::kChat, BodyKind::kSse},
          {{"", R"({"choices":[],"created":0,"id":"","model":"","object":"",)"
                R"("prompt_filter_results":[{"prompt_index":0,)" +
                    safe + "}]}"},
           {"", R"({"choices":[{"delta":{"content":"kind"},)" + safe +
                    R"(,"finish_reason":null,"index":0}],"id":"c1","model":"test-4","created":1})"},
           {"", R"({"choices":[{"delta":{},"finish_reason":"stop","index":0}],"id":"c1"})"},
           {"", R"({"choices":[{"content_filter_offsets":{"check_offset":9,"start_offset":9,)"
                R"("end_offset":12},"index":0,"finish_reason":null,)" +
                    safe + R"(}],"id":""})"},
           {"", "[DONE]"}},
          {"kind"},
          "stop"};
}

inline Written CompletionsStream() {
  const auto chunk = [](const std::string& text, const std::string& finish) {
    return R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"test-i",)"
           R"("choices":[{"text":")" +
           text + R"(","index":0,"logprobs":null,"finish_reason":)" + finish + "}]}";
  };
  return {"completions stream",
          {Dialect::kOpenAi, Operation::kCompletions, BodyKind::kSse},
          {{"", chunk("on", "null")}, {"", chunk("ce", "\"stop\"")}, {"", "[DONE]"}},
          {"once"},
          "stop"};
}

inline Written CompletionsBody() {
  return {"completions",
          {Dialect::kOpenAi, Operation::kCompletions, BodyKind::kJson},
          {{"", R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"test-i",)"
                R"("choices":[{"text":"once","index":0,"logprobs":null,"finish_reason":"stop"}],)"
                R"("usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}})"}},
          {"once"},
          "stop",
          {.prompt = 2, .completion = 1, .reported_total = 3}};
}

inline const std::string kResponseHead =
    R"({"id":"resp_1","object":"response","created_at":1,"model":"test-5","error":null,)"
    R"("incomplete_details":null,"instructions":"be kind","tools":[],"tool_choice":"auto",)"
    R"("metadata":{},"text":{"format":{"type":"text"}},"temperature":1.0,"background":false,)";
inline const std::string kResponseItem =
    R"({"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[)"
    R"({"type":"output_text","annotations":[],"logprobs":[],"text":"Hello"}]})";
inline const std::string kResponseThoughts = R"({"id":"rs_1","type":"reasoning","summary":[]})";
inline const std::string kResponseEnd =
    kResponseHead + R"("status":"completed","output":[)" + kResponseThoughts + "," + kResponseItem +
    R"(],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":0},)"
    R"("output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":8}})";
inline constexpr Usage kResponseUsage = {
    .prompt = 5, .completion = 3, .cached = 0, .reasoning = 1, .reported_total = 8};

inline Written ResponsesBody() {
  return {"responses",          {Dialect::kOpenAi, Operation::kResponses, BodyKind::kJson},
          {{"", kResponseEnd}}, {"Hello"},
          "completed",          kResponseUsage};
}

inline Written ResponsesStream() {
  Written written = {"responses stream",
                     {Dialect::kOpenAi, Operation::kResponses, BodyKind::kSse},
                     {},
                     {"Hello"},
                     "completed",
                     kResponseUsage};
  const auto add = [&](const std::string& type, const std::string& members) {
    written.events.emplace_back(type, R"({"type":")" + type + R"(","sequence_number":)" +
                                          std::to_string(written.events.size()) + "," + members +
                                          "}");
  };
  const std::string at = R"("item_id":"msg_1","output_index":1,"content_index":0,)";
  const std::string begun = R"("response":)" + kResponseHead + R"("status":"in_progress",)" +
                            R"("output":[],"usage":null})";
  add("response.created", begun);
  add("response.in_progress", begun);
  add("response.output_item.added", R"("output_index":0,"item":)" + kResponseThoughts);
  add("response.output_item.done", R"("output_index":0,"item":)" + kResponseThoughts);
  add("response.output_item.added",
      R"("output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress",)"
      R"("content":[],"role":"assistant"})");
  add("response.content_part.added",
      at + R"("part":{"type":"output_text","annotations":[],"logprobs":[],"text":""})");
  for (const char* piece : {"He", "ll", "o"}) {
    add("response.output_text.delta",
        at + R"("delta":")" + piece + R"(","logprobs":[],"obfuscation":"abc")");
  }
  add("response.output_text.done", at + R"("text":"Hello","logprobs":[])");
  add("response.content_part.done",
      at + R"("part":{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello"})");
  add("response.output_item.done", R"("output_index":1,"item":)" + kResponseItem);
  add("response.completed", R"("response":)" + kResponseEnd);
  return written;
}

inline const std::string kMessageUsage =
    R"({"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,)"
    R"("output_tokens":3,"service_tier":"standard"})";
inline constexpr Usage kMessageStated = {
    .prompt = 12, .completion = 3, .cached = 7, .cache_write = 0};

inline Written MessageBody() {
  return {"messages",
          {Dialect::kAnthropic, Operation::kChat, BodyKind::kJson},
          {{"", R"({"id":"msg_1","type":"message","role":"assistant","model":"test-c","content":[)"
                R"({"type":"text","text":"Hello","citations":null}],"stop_reason":"stop_sequence",)"
                R"("stop_sequence":"END","usage":)" +
                    kMessageUsage + R"(,"context_management":{"applied_edits":[]}})"}},
          {"Hello"},
          "stop_sequence",
          kMessageStated};
}

inline Written MessageStream() {
  Written written = {"messages stream",
                     {Dialect::kAnthropic, Operation::kChat, BodyKind::kSse},
                     {},
                     {"Hello"},
                     "end_turn",
                     kMessageStated};
  const auto add = [&](const std::string& type, const std::string& members) {
    written.events.emplace_back(type, R"({"type":")" + type + "\"" + members + "}");
  };
  add("message_start",
      R"(,"message":{"id":"msg_1","type":"message","role":"assistant","model":"test-c",)"
      R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":)" +
          kMessageUsage + "}");
  add("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
  add("ping", "");
  for (const char* piece : {"He", "ll", "o"}) {
    add("content_block_delta",
        R"(,"index":0,"delta":{"type":"text_delta","text":")" + std::string(piece) + "\"}");
  }
  add("content_block_stop", R"(,"index":0)");
  add("message_delta", R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},)"
                       R"("usage":{"output_tokens":3})");
  add("message_stop", "");
  return written;
}

inline std::string GeminiChunk(std::string_view text, std::string_view finish,
                               std::string_view more = "") {
  return Concat({R"({"candidates":[{"content":{"parts":[{"text":")", text,
                 R"("}],"role":"model"},"index":0,"safetyRatings":[{"category":"c",)",
                 R"("probability":"LOW","blocked":false}])", finish, "}]", more,
                 R"(,"modelVersion":"test-g","responseId":"r1"})"});
}
inline const std::string kGeminiUsageMember =
    R"(,"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":1,)"
    R"("totalTokenCount":8,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}]})";
inline constexpr Usage kGeminiStated = {
    .prompt = 5, .completion = 3, .reasoning = 1, .reported_total = 8};

inline Written GeminiBody() {
  return {"gemini",
          {Dialect::kGemini, Operation::kChat, BodyKind::kJson},
          {{"", GeminiChunk("Hello", R"(,"finishReason":"STOP")", kGeminiUsageMember)}},
          {"Hello"},
          "STOP",
          kGeminiStated};
}
inline Written GeminiStream(BodyKind kind = BodyKind::kSse) {
  return {kind == BodyKind::kSse ? "gemini stream" : "gemini array",
          {Dialect::kGemini, Operation::kChat, kind},
          {{"", GeminiChunk("He", "")},
           {"", GeminiChunk("ll", "")},
           {"", GeminiChunk("o", R"(,"finishReason":"STOP")", kGeminiUsageMember)}},
          {"Hello"},
          "STOP",
          kGeminiStated};
}

inline const std::string kConverseNumbers =
    R"("usage":{"inputTokens":5,"outputTokens":3,"totalTokens":8,"serverToolUsage":{}},)"
    R"("metrics":{"latencyMs":12})";
inline constexpr Usage kConverseStated = {.prompt = 5, .completion = 3, .reported_total = 8};

inline Written ConverseBody() {
  return {"converse",
          {Dialect::kBedrock, Operation::kChat, BodyKind::kJson},
          {{"", R"({"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},)"
                R"("stopReason":"end_turn",)" +
                    kConverseNumbers + "}"}},
          {"Hello"},
          "end_turn",
          kConverseStated};
}
inline Written ConverseStream() {
  return {"converse stream",
          {Dialect::kBedrock, Operation::kChat, BodyKind::kEventStream},
          {{"messageStart", R"({"role":"assistant","p":"ab"})"},
           {"contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"He"},"p":"abc"})"},
           {"contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"ll"},"p":"a"})"},
           {"contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"o"},"p":"ab"})"},
           {"contentBlockStop", R"({"contentBlockIndex":0})"},
           {"messageStop", R"({"stopReason":"end_turn"})"},
           {"metadata", "{" + kConverseNumbers + "}"}},
          {"Hello"},
          "end_turn",
          kConverseStated};
}

inline std::vector<Written> KeptFixtures() {
  return {ChatStream(),      ChatBody(),      AzureChatStream(), CompletionsStream(),
          CompletionsBody(), ResponsesBody(), ResponsesStream(), MessageBody(),
          MessageStream(),   GeminiBody(),    GeminiStream(),    GeminiStream(BodyKind::kJson),
          ConverseBody(),    ConverseStream()};
}

}  // namespace weir::dialects::testing

#endif  // WEIR_TESTS_DIALECTS_KEEP_FIXTURES_H_
