// Which answers are kept, and which are not and why: by how they end, in every framing; whatever
// the cuts; and never with anything in them that is not known.

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/dialects/keep_fixtures.h"
#include "tests/dialects/recording.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::KeptOutcome;
using testing::Origin;
using testing::RunKeeping;
using testing::Written;

TEST_CASE("what ended as it should is kept, with its text, reason, model and usage") {
  for (const Written& written : testing::KeptFixtures()) {
    INFO(written.name);
    const bool sse = written.origin.kind == BodyKind::kSse;
    for (const char* line_end : {"\n", "\r\n", "\r"}) {
      const std::string body = written.Body(line_end);
      const KeptOutcome outcome = RunKeeping(body, written.origin);
      CHECK(outcome.relayed == body);
      CHECK(outcome.reason == NotKept::kNothing);
      CHECK(outcome.kept.usage == written.usage);
      const testing::Outcome read = testing::Run(body, {}, false, written.origin);
      CHECK(outcome.kept.model == read.model);
      REQUIRE(outcome.kept.choices.size() == written.texts.size());
      for (size_t i = 0; i < written.texts.size(); ++i) {
        CHECK(outcome.kept.choices[i].text == written.texts[i]);
        CHECK(outcome.kept.choices[i].finish_reason == written.reason);
      }
      if (!sse) break;
    }
  }
}

// ---- Endings ----

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Change {
  const char* name;
  NotKept reason;
  std::string from, to;  // in the first event that has `from`
};

void CheckChanges(const Written& written, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    INFO(written.name << ": " << change.name);
    Written changed = written;
    bool found = false;
    for (auto& [name, data] : changed.events) {
      const size_t at = data.find(change.from);
      if (found || at == std::string::npos) continue;
      data.replace(at, change.from.size(), change.to);
      found = true;
    }
    REQUIRE(found);
    const std::string body = changed.Body();
    const KeptOutcome outcome = RunKeeping(body, changed.origin);
    CHECK(outcome.reason == change.reason);
    CHECK(outcome.relayed == body);
  }
}

// Of chat, whole and streamed, the members are the same.
std::vector<Change> ChatChanges(const std::string& content, const std::string& refusal) {
  const std::string stop = R"("finish_reason":"stop")";
  const auto instead = [&](const std::string& members) { return members + "," + content; };
  return {
      {"length", NotKept::kFinishReason, stop, R"("finish_reason":"length")"},
      {"content_filter", NotKept::kFinishReason, stop, R"("finish_reason":"content_filter")"},
      {"tool_calls", NotKept::kToolCall, stop, R"("finish_reason":"tool_calls")"},
      {"function_call", NotKept::kToolCall, stop, R"("finish_reason":"function_call")"},
      {"no reason", NotKept::kIncomplete, stop, R"("finish_reason":null)"},
      {"empty reason", NotKept::kIncomplete, stop, R"("finish_reason":"")"},
      {"numeric reason", NotKept::kFinishReason, stop, R"("finish_reason":1)"},
      {"unknown reason", NotKept::kFinishReason, stop, R"("finish_reason":"eos")"},
      {"refusal", NotKept::kRefusal, refusal, R"("refusal":"No.")"},
      {"a tool call", NotKept::kToolCall, content,
       instead(R"("tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}])")},
      {"a function call", NotKept::kToolCall, content,
       instead(R"("function_call":{"name":"f","arguments":"{}"})")},
      {"thoughts", NotKept::kReasoning, content, instead(R"("reasoning_content":"hm")")},
      {"thoughts, other name", NotKept::kReasoning, content, instead(R"("reasoning":"hm")")},
      {"audio", NotKept::kUnknownContent, content, instead(R"("audio":{"transcript":"hm"})")},
      {"annotations", NotKept::kUnknownContent, content,
       instead(R"("annotations_new":[{"type":"url_citation"}])")},
      {"images", NotKept::kUnknownContent, content, instead(R"("images":[{"url":"x"}])")},
      {"content in parts", NotKept::kUnknownContent, content,
       R"("content":[{"type":"text","text":"a"}])"},
      {"content that repeats", NotKept::kUnknownContent, content, content + "," + content},
      {"another role", NotKept::kUnknownContent, content, instead(R"("role":"tool")")},
      {"log probabilities", NotKept::kUnknownContent, stop,
       R"("logprobs_x":null,"logprobs":{"content":[{"token":"a"}]},)" + stop},
      {"filtered", NotKept::kFinishReason, stop,
       R"("content_filter_results":{"hate":{"filtered":true,"severity":"high"}},)" + stop},
      {"code under a licence", NotKept::kUnknownContent, stop,
       R"("content_filter_results":{"protected_material_code":{"filtered":false,)"
       R"("detected":true}},)" +
           stop},
      {"a filter that failed", NotKept::kUnknownContent, stop,
       R"("content_filter_results":{"error":{"code":"x","message":"y"}},)" + stop},
      {"an error beside", NotKept::kError, R"("model":)", R"("error":{"message":"x"},"model":)"},
      {"citations", NotKept::kUnknownContent, R"("model":)", R"("citations":["x"],"model":)"},
  };
}

TEST_CASE("chat completions are kept only when every choice stopped of itself") {
  std::vector<Change> whole = ChatChanges(R"("content":"Hello")", R"("refusal":null)");
  for (Change& change : whole) {
    // The fixture has both already.
    if (change.to.find(R"("tool_calls":)") == 0)
      change.from = R"("tool_calls":[])", change.to.resize(change.to.rfind(','));
    if (change.to.find("logprobs_x") != std::string::npos) {
      change.from = R"("logprobs":{"content":null})";
      change.to = R"("logprobs":{"content":[{"token":"a"}]})";
    }
    if (change.to.find(R"("role":)") == 0) {
      change.from = R"("role":"assistant")";
      change.to = R"("role":"tool")";
    }
  }
  CheckChanges(testing::ChatBody(), whole);
  CheckChanges(
      testing::ChatBody(),
      {{"one of two cut", NotKept::kFinishReason, R"("stop"}],"usage")", R"("length"}],"usage")"},
       {"one of two unfinished", NotKept::kIncomplete, R"("stop"}],"usage")", R"(null}],"usage")"},
       {"one of two empty", NotKept::kEmpty, R"("content":"Hi")", R"("content":"")"},
       {"one of two missing", NotKept::kIncomplete, R"("index":1)", R"("index":2)"},
       {"two of the same index", NotKept::kUnknownContent, R"("index":1)", R"("index":0)"},
       {"too many", NotKept::kTooLarge, R"("index":1)", R"("index":128)"},
       {"a delta in it", NotKept::kUnknownContent, R"("message":)",
        R"("delta":{"content":"x"},"message":)"}});
  std::vector<Change> stream = ChatChanges(R"("content":"H)"
                                           "\xC3\xA9\"",
                                           R"("refusal":null)");
  for (Change& change : stream) {
    if (change.to.find("logprobs_x") != std::string::npos) {
      change.from = R"("logprobs":null)";
      change.to = R"("logprobs":{"content":[{"token":"a"}]})";
    }
  }
  CheckChanges(testing::ChatStream(), stream);
}

TEST_CASE("a stream that lacks its end is not kept, wherever it was cut") {
  for (const Written& written : testing::KeptFixtures()) {
    if (written.events.size() == 1) continue;
    INFO(written.name);
    const std::string body = written.Body();
    const std::string whole = RunKeeping(body, written.origin).kept.Serialize();
    for (size_t size = 0; size < body.size(); ++size) {
      const KeptOutcome outcome = RunKeeping(body.substr(0, size), written.origin);
      // Its last blank line or two may lack.
      const bool all = size + 4 >= body.size() && written.origin.kind == BodyKind::kSse;
      if (all && outcome.reason == NotKept::kNothing) {
        CHECK(outcome.kept.Serialize() == whole);
      } else {
        CHECK((outcome.reason == NotKept::kIncomplete || outcome.reason == NotKept::kUnreadable));
      }
    }
  }
}

TEST_CASE("a stream of which an event is missing, repeated or out of its place is not kept") {
  for (const Written& written : testing::KeptFixtures()) {
    if (written.events.size() == 1) continue;
    const bool framed = written.origin.dialect == Dialect::kAnthropic ||
                        written.origin.dialect == Dialect::kBedrock ||
                        written.origin.operation == Operation::kResponses;
    if (!framed) continue;
    for (size_t i = 0; i < written.events.size(); ++i) {
      const std::string& name = written.events[i].first;
      INFO(written.name << ": " << name << " " << i);
      // Of these there may be fewer or more.
      const bool free = name == "ping" || name == "response.created" ||
                        name == "response.in_progress" ||
                        written.events[i].second.find("reasoning\"") != std::string::npos ||
                        name == "response.content_part.added";
      const bool restates =
          name == "response.output_text.done" || name == "response.content_part.done";
      const bool delta =
          name == "content_block_delta" || name == "contentBlockDelta" || name == "message_delta";
      Written less = written;
      less.events.erase(less.events.begin() + static_cast<ptrdiff_t>(i));
      // A delta that lacks cannot be told, where nothing restates it.
      if (!free && !restates && (!delta || name == "message_delta")) {
        CHECK(RunKeeping(less.Body(), less.origin).reason != NotKept::kNothing);
      }
      Written more = written;
      more.events.insert(more.events.begin() + static_cast<ptrdiff_t>(i), written.events[i]);
      if (!free && !restates && !delta) {
        CHECK(RunKeeping(more.Body(), more.origin).reason != NotKept::kNothing);
      }
    }
  }
}

TEST_CASE("streams with errors, odd events or text after the end are not kept") {
  const auto with = [](Written written, size_t at, const testing::NamedEvent& event) {
    written.events.insert(written.events.begin() + static_cast<ptrdiff_t>(at), event);
    return RunKeeping(written.Body(), written.origin).reason;
  };
  const Written chat = testing::ChatStream();
  const std::string more = testing::ChatChunk(testing::ChatDelta(0, R"("content":"!")"));
  CHECK(with(chat, 2, {"", R"({"error":{"message":"overloaded"}})"}) == NotKept::kError);
  CHECK(with(chat, 2, {"error", "{}"}) == NotKept::kError);
  CHECK(with(chat, 2, {"", "hello"}) == NotKept::kUnreadable);
  CHECK(with(chat, 2, {"", "[1]"}) == NotKept::kUnreadable);
  CHECK(with(chat, 5, {"", more}) == NotKept::kUnknownContent);
  CHECK(with(chat, 7, {"", more}) == NotKept::kUnknownContent);
  CHECK(with(chat, 1, {"", testing::ChatChunk(testing::ChatDelta(1, R"("content":"!")"))}) ==
        NotKept::kIncomplete);
  const Written message = testing::MessageStream();
  const std::string delta =
      R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"}})";
  CHECK(with(message, 4, {"error", R"({"type":"error","error":{"type":"overloaded_error"}})"}) ==
        NotKept::kError);
  CHECK(with(message, 7, {"content_block_delta", delta}) == NotKept::kUnknownContent);
  CHECK(with(message, 9, {"content_block_delta", delta}) == NotKept::kUnknownContent);
  CHECK(with(message, 4, {"other", delta}) == NotKept::kUnknownContent);
  const Written responses = testing::ResponsesStream();
  CHECK(with(responses, 3, {"error", R"({"type":"error","message":"x"})"}) == NotKept::kError);
  const Written gemini = testing::GeminiStream();
  CHECK(with(gemini, 3, gemini.events[0]) == NotKept::kUnknownContent);
  const Written converse = testing::ConverseStream();
  CHECK(with(converse, 2, {"chunk", R"({"bytes":"e30="})"}) == NotKept::kDialect);
  CHECK(with(converse, 5, converse.events[1]) == NotKept::kUnknownContent);

  std::string broken = converse.Body();
  broken[broken.size() / 2] ^= 1;
  CHECK(RunKeeping(broken, converse.origin).reason == NotKept::kUnreadable);
  const Written array = testing::GeminiStream(BodyKind::kJson);
  CHECK(RunKeeping(Replaced(array.Body(), "[", "[\"x\","), array.origin).reason ==
        NotKept::kUnreadable);
}

TEST_CASE("messages are kept only when their turn ended") {
  const std::string stop = R"("stop_reason":"end_turn")";
  const auto reason = [](const char* word) { return Concat({R"("stop_reason":")", word, "\""}); };
  const std::string block = R"({"type":"text","text":""})";
  const std::string delta = R"({"type":"text_delta","text":"He"})";
  CheckChanges(
      testing::MessageStream(),
      {{"max_tokens", NotKept::kFinishReason, stop, reason("max_tokens")},
       {"tool_use", NotKept::kToolCall, stop, reason("tool_use")},
       {"pause_turn", NotKept::kFinishReason, stop, reason("pause_turn")},
       {"refusal", NotKept::kRefusal, stop, reason("refusal")},
       {"context", NotKept::kFinishReason, stop, reason("model_context_window_exceeded")},
       {"no reason", NotKept::kIncomplete, stop, R"("stop_reason":null)"},
       {"a tool", NotKept::kToolCall, block, R"({"type":"tool_use","name":"f","input":{}})"},
       {"a server's tool", NotKept::kToolCall, block, R"({"type":"server_tool_use","name":"f"})"},
       {"thoughts", NotKept::kReasoning, block, R"({"type":"thinking","thinking":""})"},
       {"hidden thoughts", NotKept::kReasoning, block, R"({"type":"redacted_thinking"})"},
       {"an image", NotKept::kUnknownContent, block, R"({"type":"image"})"},
       {"arguments", NotKept::kToolCall, delta, R"({"type":"input_json_delta","partial_json":""})"},
       {"a signature", NotKept::kReasoning, delta, R"({"type":"signature_delta","signature":"x"})"},
       {"a citation", NotKept::kUnknownContent, delta,
        R"({"type":"citations_delta","citation":{"type":"x"}})"},
       {"another block", NotKept::kUnknownContent, R"("index":0,"delta")", R"("index":1,"delta")"},
       {"container", NotKept::kUnknownContent, R"("stop_sequence":null},"usage")",
        R"("stop_sequence":null,"container":{"id":"x"}},"usage")"}});
  const std::string text = R"({"type":"text","text":"Hello","citations":null})";
  CheckChanges(
      testing::MessageBody(),
      {{"max_tokens", NotKept::kFinishReason, reason("stop_sequence"), reason("max_tokens")},
       {"two texts", NotKept::kUnknownContent, text, text + "," + text},
       {"text and tool", NotKept::kToolCall, text, text + R"(,{"type":"tool_use","name":"f"})"},
       {"citations", NotKept::kUnknownContent, R"("citations":null)", R"("citations":[{"a":1}])"},
       {"nothing said", NotKept::kEmpty, text, R"({"type":"text","text":""})"},
       {"no block", NotKept::kEmpty, text, ""},
       {"long stop sequence", NotKept::kTooLarge, "END", std::string(300, 'x')},
       {"an error", NotKept::kError, R"("type":"message")", R"("type":"error")"}});
}

TEST_CASE("responses are kept only when completed, with one text that all events agree on") {
  const std::string status = R"("status":"completed","output")";
  const std::string text = R"("text":"Hello")";
  const std::vector<Change> both = {
      {"incomplete", NotKept::kFinishReason, status, R"("status":"incomplete","output")"},
      {"cancelled", NotKept::kFinishReason, status, R"("status":"cancelled","output")"},
      {"failed", NotKept::kError, status, R"("status":"failed","output")"},
      {"in progress", NotKept::kFinishReason, status, R"("status":"in_progress","output")"},
      {"no status", NotKept::kIncomplete, status, R"("output")"},
      {"thoughts", NotKept::kReasoning, R"("summary":[])", R"("summary":[{"text":"hm"}])"},
      {"hidden thoughts", NotKept::kReasoning, R"("summary":[])",
       R"("summary":[],"encrypted_content":"x")"},
      {"a search", NotKept::kToolCall, R"("type":"reasoning")", R"("type":"web_search_call")"},
      {"a call", NotKept::kToolCall, R"("type":"reasoning")", R"("type":"function_call")"},
      {"refusal", NotKept::kRefusal, R"("type":"output_text")", R"("type":"refusal")"},
      {"annotations", NotKept::kUnknownContent, R"("annotations":[])", R"("annotations":[{}])"},
      {"log probabilities", NotKept::kUnknownContent, R"("logprobs":[])", R"("logprobs":[{}])"},
      {"in the background", NotKept::kUnknownContent, R"("background":false)",
       R"("background":true)"},
      {"an error", NotKept::kError, R"("error":null)", R"("error":{"code":"x"})"},
      {"details", NotKept::kFinishReason, R"("incomplete_details":null)",
       R"("incomplete_details":{"reason":"x"})"},
      {"a conversation", NotKept::kUnknownContent, R"("metadata":{})",
       R"("conversation":{"id":"x"})"},
  };
  CheckChanges(testing::ResponsesBody(), both);
  CheckChanges(testing::ResponsesStream(), both);
  Written written = testing::ResponsesStream();
  size_t restated = 0;
  for (auto& [name, data] : written.events) {
    const size_t at = data.find(text);
    if (at == std::string::npos) continue;
    ++restated;
    const std::string before = data;
    data.replace(at, text.size(), R"("text":"Help")");
    INFO(name);
    CHECK(RunKeeping(written.Body(), written.origin).reason == NotKept::kUnknownContent);
    data = before;
  }
  CHECK(restated == 4);
  CheckChanges(
      testing::ResponsesStream(),
      {{"another delta", NotKept::kUnknownContent, R"("delta":"ll")", R"("delta":"lp")"},
       {"another part", NotKept::kUnknownContent, R"("content_index":0,"delta")",
        R"("content_index":1,"delta")"},
       {"a text from the start", NotKept::kUnknownContent, R"("text":"")", R"("text":"x")"}});
}

TEST_CASE("Gemini's and Bedrock's answers are kept only when they stopped of themselves") {
  const std::string stop = R"("finishReason":"STOP")";
  const auto reason = [](const char* word) { return Concat({R"("finishReason":)", word}); };
  const std::string part = R"({"text":")";
  const std::vector<Change> gemini = {
      {"MAX_TOKENS", NotKept::kFinishReason, stop, reason("\"MAX_TOKENS\"")},
      {"SAFETY", NotKept::kFinishReason, stop, reason("\"SAFETY\"")},
      {"RECITATION", NotKept::kFinishReason, stop, reason("\"RECITATION\"")},
      {"MALFORMED_FUNCTION_CALL", NotKept::kFinishReason, stop,
       reason("\"MALFORMED_FUNCTION_CALL\"")},
      {"a number", NotKept::kFinishReason, stop, reason("1")},
      {"no reason", NotKept::kIncomplete, stop, reason("null")},
      {"thoughts", NotKept::kReasoning, part, R"({"thought":true,"text":")"},
      {"a call", NotKept::kToolCall, part, R"({"functionCall":{"name":"f"},"text":")"},
      {"code", NotKept::kToolCall, part, R"({"executableCode":{"code":"f"},"text":")"},
      {"an image", NotKept::kUnknownContent, part, R"({"inlineData":{"data":"x"},"text":")"},
      {"grounding", NotKept::kUnknownContent, stop, stop + R"(,"groundingMetadata":{"a":1})"},
      {"citations", NotKept::kUnknownContent, stop, stop + R"(,"citationMetadata":{"a":1})"},
      {"blocked", NotKept::kFinishReason, R"("blocked":false)", R"("blocked":true)"},
      {"a refused prompt", NotKept::kFinishReason, R"("modelVersion")",
       R"("promptFeedback":{"blockReason":"SAFETY"},"modelVersion")"},
      {"an error", NotKept::kError, R"("modelVersion")", R"("error":{"code":5},"modelVersion")"},
  };
  CheckChanges(testing::GeminiBody(), gemini);
  CheckChanges(testing::GeminiStream(), gemini);
  CheckChanges(testing::GeminiStream(BodyKind::kJson), gemini);
  const std::string ended = R"("stopReason":"end_turn")";
  const std::vector<Change> converse = {
      {"max_tokens", NotKept::kFinishReason, ended, R"("stopReason":"max_tokens")"},
      {"tool_use", NotKept::kToolCall, ended, R"("stopReason":"tool_use")"},
      {"guardrail", NotKept::kFinishReason, ended, R"("stopReason":"guardrail_intervened")"},
      {"content_filtered", NotKept::kFinishReason, ended, R"("stopReason":"content_filtered")"},
      {"trace", NotKept::kUnknownContent, R"("metrics")", R"("trace":{"guardrail":{}},"metrics")"},
      {"a tool", NotKept::kToolCall, part, R"({"toolUse":{"name":"f"},"text":")"},
      {"thoughts", NotKept::kReasoning, part, R"({"reasoningContent":{"text":"x"},"text":")"},
      {"a citation", NotKept::kUnknownContent, part, R"({"citation":{"title":"x"},"text":")"},
  };
  CheckChanges(testing::ConverseBody(), converse);
  CheckChanges(testing::ConverseStream(), converse);
  CheckChanges(testing::ConverseBody(),
               {{"invoke", NotKept::kDialect, R"("output")", R"("output_x":null,"generation")"},
                {"an error", NotKept::kError, R"("output")", R"("message":"x","output")"}});
}

TEST_CASE("what is not an answer with text is not kept") {
  const auto reason = [](std::string_view body, Dialect dialect, Operation operation,
                         BodyKind kind) {
    return RunKeeping(body, {dialect, operation, kind}).reason;
  };
  const std::string chat = testing::ChatBody().Body();
  CHECK(reason(chat, Dialect::kOpenAi, Operation::kEmbeddings, BodyKind::kJson) ==
        NotKept::kDialect);
  CHECK(reason(chat, Dialect::kOpenAi, Operation::kChat, BodyKind::kOther) == NotKept::kDialect);
  CHECK(reason("<html>", Dialect::kOpenAi, Operation::kChat, BodyKind::kJson) ==
        NotKept::kUnreadable);
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini}) {
    CHECK(reason("", dialect, Operation::kChat, BodyKind::kSse) == NotKept::kIncomplete);
    CHECK(reason("{}", dialect, Operation::kChat, BodyKind::kJson) == NotKept::kIncomplete);
  }
  CHECK(reason(chat + "}", Dialect::kOpenAi, Operation::kChat, BodyKind::kJson) ==
        NotKept::kUnreadable);
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat, BodyKind::kJson);
  reader->Feed(chat, nullptr);
  reader->End(nullptr);
  KeptAnswer kept;
  CHECK(reader->TakeKept(&kept) == NotKept::kDialect);
}

// ---- Nothing unknown ----

// Places inside the objects of `data` at which a member may be added; those that restate the
// request may hold anything.
struct Place {
  size_t at;
  bool empty;  // the object
};
std::vector<Place> Objects(const json::Document& document) {
  static const std::set<std::string_view> kRequest = {"text", "tools", "tool_choice", "metadata",
                                                      "reasoning"};
  std::vector<Place> places;
  std::vector<json::Value> open = {document.root()};
  while (!open.empty()) {
    const json::Value value = open.back();
    open.pop_back();
    if (value.Is(json::Type::kObject)) places.push_back({value.begin_offset() + 1, !value.size()});
    for (json::Value member : value.members()) {
      if (kRequest.count(member.key()) == 0) open.push_back(member);
    }
  }
  return places;
}

// The events of a recorded body, to be changed.
Written AsWritten(const testing::Recording& recording) {
  Written written;
  written.name = recording.file;
  written.origin = recording.origin;
  if (recording.origin.kind == BodyKind::kJson) {
    written.events.emplace_back("", recording.bytes);
    return written;
  }
  if (recording.origin.kind != BodyKind::kSse) return written;
  std::istringstream lines(recording.bytes);
  std::string line, name;
  while (std::getline(lines, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.compare(0, 7, "event: ") == 0) name = line.substr(7);
    if (line.compare(0, 5, "data:") != 0) continue;
    const size_t data = std::min(line.find_first_not_of(' ', 5), line.size());
    written.events.emplace_back(name, line.substr(data));
    name.clear();
  }
  return written;
}

TEST_CASE("a member that nobody knows, wherever it is, is not kept") {
  std::vector<Written> all = testing::KeptFixtures();
  for (const testing::Recording& recording : testing::Recordings()) {
    const Written written = AsWritten(recording);
    if (written.events.empty()) continue;
    if (RunKeeping(written.Body(), written.origin).reason == NotKept::kNothing) {
      all.push_back(written);
    }
  }
  Random random(3);
  size_t tried = 0;
  for (Written& written : all) {
    INFO(written.name);
    const size_t step = 1 + written.events.size() / (testing::kSlow ? 8 : 40);
    for (size_t i = 0; i < written.events.size(); ++i) {
      if (i > 4 && i + 6 < written.events.size() && i % step != 0) continue;
      std::string& data = written.events[i].second;
      json::Document document;
      if (!document.Parse(data)) continue;  // [DONE]
      for (const Place& place : Objects(document)) {
        static constexpr const char* kValues[] = {"\"x\"", "[\"x\"]", "{\"a\":\"b\"}",
                                                  "[{\"a\":[\"b\"]}]"};
        const std::string before = data;
        const std::string key = Concat({"new_", std::to_string(random.Below(1000))});
        data.insert(place.at,
                    Concat({"\"", key, "\":", kValues[random.Below(4)], place.empty ? "" : ","}));
        INFO(data);
        CHECK(RunKeeping(written.Body(), written.origin).reason != NotKept::kNothing);
        data = before;
        // Empty it says nothing.
        static constexpr const char* kEmpty[] = {"null", "\"\"", "[]", "{}"};
        data.insert(place.at,
                    Concat({"\"", key, "\":", kEmpty[random.Below(4)], place.empty ? "" : ","}));
        CHECK(RunKeeping(written.Body(), written.origin).reason == NotKept::kNothing);
        data = before;
        ++tried;
      }
    }
  }
  CHECK(tried > 200);
}

// ---- How it is read ----

TEST_CASE("what is kept does not depend on the cuts") {
  uint64_t seed = 0;
  const auto check = [&](const std::string& body, const Origin& origin, bool all) {
    const std::string whole = RunKeeping(body, origin).Everything();
    CHECK(RunKeeping(body, origin, testing::EveryByte(body.size())).Everything() == whole);
    for (size_t cut = 1; all && cut < body.size(); ++cut) {
      REQUIRE(RunKeeping(body, origin, {cut}).Everything() == whole);
    }
    Random random(++seed);
    for (int round = 0; round < 10; ++round) {
      const auto cuts = testing::RandomCuts(&random, body.size());
      CHECK(RunKeeping(body, origin, cuts).Everything() == whole);
    }
  };
  for (const Written& written : testing::KeptFixtures()) {
    INFO(written.name);
    check(written.Body(), written.origin, true);
  }
  for (const testing::Recording& recording : testing::Recordings()) {
    INFO(recording.file);
    check(recording.bytes, recording.origin, false);
  }
}

TEST_CASE("keeping changes nothing that is relayed or told, also with the other modes") {
  for (const testing::Recording& recording : testing::Recordings()) {
    INFO(recording.file);
    const Origin& origin = recording.origin;
    const KeptOutcome alone = RunKeeping(recording.bytes, origin);
    CHECK(alone.relayed == recording.bytes);
    for (bool hold : {false, true}) {
      std::string relayed, plain_relayed;
      auto reader = StreamReader::Create(origin.dialect, origin.operation, origin.kind);
      auto plain = StreamReader::Create(origin.dialect, origin.operation, origin.kind);
      for (StreamReader* each : {reader.get(), plain.get()}) {
        each->set_hold_events(hold);
        each->set_strip_usage(hold);
      }
      reader->set_keep(1 << 20);
      reader->Feed(recording.bytes, &relayed);
      reader->End(&relayed);
      plain->Feed(recording.bytes, &plain_relayed);
      plain->End(&plain_relayed);
      CHECK(relayed == plain_relayed);
      CHECK(reader->usage() == plain->usage());
      CHECK(reader->finish_reason() == plain->finish_reason());
      CHECK(reader->events() == plain->events());
      KeptAnswer kept;
      CHECK(reader->TakeKept(&kept) == alone.reason);
      if (alone.reason == NotKept::kNothing) CHECK(kept.Serialize() == alone.kept.Serialize());
      std::string text, plain_text;
      for (const auto& delta : reader->TakeDeltas()) text += delta.text;
      for (const auto& delta : plain->TakeDeltas()) plain_text += delta.text;
      CHECK(text == plain_text);
    }
  }
}

TEST_CASE("of a text that is too large nothing is kept") {
  for (const Written& written : testing::KeptFixtures()) {
    INFO(written.name);
    size_t size = 0;
    for (const std::string& text : written.texts) size += text.size();
    const std::string body = written.Body();
    CHECK(RunKeeping(body, written.origin, {}, size).reason == NotKept::kNothing);
    CHECK(RunKeeping(body, written.origin, {}, size - 1).reason == NotKept::kTooLarge);
    CHECK(RunKeeping(body, written.origin, {}, 0).reason == NotKept::kTooLarge);
  }
}

// ---- Recorded answers ----

TEST_CASE("recorded answers are kept if they are nothing but text that ended as it should") {
  size_t kept = 0;
  for (const testing::Recording& recording : testing::Recordings()) {
    INFO(recording.file);
    const KeptOutcome outcome = RunKeeping(recording.bytes, recording.origin);
    const testing::Outcome read = testing::Run(recording.bytes, {}, false, recording.origin);
    if (outcome.reason != NotKept::kNothing) {
      // Plain answers are not refused by mistake: of these something is known to be against it.
      const bool plain = recording.status == 200 && recording.Has("FR_stop") &&
                         !recording.Has("LOGPROBS") && !recording.Has("NONJSON") &&
                         recording.file.find("compat/") != 0;
      CHECK_FALSE(plain);
      continue;
    }
    ++kept;
    CHECK(recording.status < 300);
    CHECK_FALSE(read.error);
    CHECK(read.finish);
    CHECK(read.unreadable == 0);
    for (TextKind kind : read.kinds) CHECK(kind == TextKind::kContent);
    for (const char* feature : {"TOOLS", "PARTOOLS", "FUNCCALL", "ERROR", "FR_length", "LOGPROBS",
                                "FR_content_filter", "REASONTXT", "THOUGHT", "SRVTOOL", "FC"}) {
      CHECK_FALSE(recording.Has(feature));
    }
    CHECK(outcome.kept.usage == read.usage);
    const auto texts = read.TextOfChoices();
    REQUIRE(texts.size() == outcome.kept.choices.size());
    for (const auto& [choice, text] : texts) CHECK(outcome.kept.choices[choice].text == text);
  }
  if (!testing::Recordings().empty()) CHECK(kept >= 20);
}

}  // namespace
}  // namespace weir::dialects
