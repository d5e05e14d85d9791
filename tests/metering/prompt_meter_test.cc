#include "weir/prompt_meter.h"

#include <random>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;
using dialects::Provenance;

const tokens::Tokenizer& Omni() { return *tokens::Find("o200k_base"); }
size_t N(const std::string& text) { return Omni().Count(text); }

PromptCount Count(const std::string& body, Operation operation = Operation::kChat,
                  const std::string& model = "gpt-4o", Dialect dialect = Dialect::kOpenAi,
                  uint64_t limit = ~uint64_t{0}) {
  const bool known = !tokens::EncodingForModel(model).empty();
  PromptOptions options;
  options.with_parts = true;
  options.limit = limit;
  const auto prompt = CountPrompt(dialect, operation, model, Omni(), known, body, options);
  INFO(prompt.status().ToString());
  REQUIRE(prompt.ok());
  uint64_t sum = 0;
  Provenance weakest = Provenance::kExact;
  for (const PromptPart& part : prompt->parts) {
    sum += part.count;
    if (part.provenance == Provenance::kEstimated) weakest = Provenance::kEstimated;
    if (part.provenance == Provenance::kUpperBound && weakest == Provenance::kExact) {
      weakest = Provenance::kUpperBound;
    }
    CHECK(PromptPartKindName(part.kind) != "");
  }
  CHECK(sum == prompt->count);
  CHECK(weakest == prompt->provenance);
  return *prompt;
}

uint64_t Exact(const std::string& body, Operation operation = Operation::kChat,
               const std::string& model = "gpt-4o") {
  const PromptCount prompt = Count(body, operation, model);
  CHECK(prompt.provenance == Provenance::kExact);
  return prompt.count;
}

std::string Chat(const std::string& messages, const std::string& more = "") {
  return "{\"messages\":[" + messages + "]" + more + "}";
}
const std::string kHello = R"({"role":"user","content":"Hello, world"})";

TEST_CASE("a plain chat") {
  CHECK(Exact(Chat(kHello)) == 10);
  CHECK(Exact(Chat(kHello), Operation::kChat, "o3-mini") == 9);
  CHECK(Exact(Chat(kHello), Operation::kChat, "gpt-5-mini") == 9);
  CHECK(Exact(Chat("")) == 3);
  CHECK(Exact(Chat(R"({"role":"developer","content":"Hello, world"})")) == 10);
  CHECK(Exact(Chat(R"({"role":"user","content":null})")) == 7);
  // The role and the name are one text: ":user" is one token, ":bob" is two.
  CHECK(Exact(Chat(R"({"role":"user","name":"user","content":"Hello, world"})")) == 11);
  CHECK(Exact(Chat(R"({"role":"user","name":"bob","content":"Hello, world"})")) == 12);
  // Texts of one content run together.
  CHECK(Exact(Chat(R"({"role":"user","content":[{"type":"text","text":"Hel"},
                       {"type":"text","text":"lo, world"}]})")) == 10);
  // GPT-5's answers name their channel.
  CHECK(Exact(Chat(R"({"role":"assistant","content":"Hello, world"})"), Operation::kChat,
              "gpt-5") == 11);
}

TEST_CASE("functions, with a system message and without") {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"f","description":"Does."}}])";
  const std::string text =
      "namespace functions {\n\n// Does.\ntype f = () => any;\n\n"
      "} // namespace functions";
  CHECK(Exact(Chat(kHello, tools)) == 10 + 9 + N(text));
  const std::string system = R"({"role":"system","content":"Be brief."},)";
  CHECK(Exact(Chat(system + kHello, tools)) == 10 + 4 + N("Be brief.\n\n") + 5 + N(text));
  CHECK(Exact(Chat(kHello, R"(,"functions":[{"name":"f","description":"Does."}])")) ==
        10 + 9 + N(text));
  // The same for responses, in a message of their own.
  const std::string flat =
      R"({"input":"Hello, world","tools":[{"type":"function","name":"f","description":"Does."}]})";
  CHECK(Exact(flat, Operation::kResponses) == 10 + 3 + N(text));
  // A model of which no bill with functions is known.
  CHECK(Count(Chat(kHello, tools), Operation::kChat, "o3-mini").provenance ==
        Provenance::kEstimated);
  // A call that is required is begun in the prompt.
  const std::string forced = R"(,"tool_choice":{"type":"function","function":{"name":"f"}})";
  CHECK(Exact(Chat(kHello, tools + forced)) == Exact(Chat(kHello, tools)) + 8);
  CHECK(Exact(Chat(kHello, tools + forced), Operation::kChat, "gpt-5") ==
        Exact(Chat(kHello, tools), Operation::kChat, "gpt-5"));
}

TEST_CASE("calls and their results") {
  const std::string call = R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":
      "function","function":{"name":"get_capital","arguments":"{\"country\": \"France\"}"}}]})";
  const std::string result = R"({"role":"tool","tool_call_id":"1","content":"Paris"})";
  const uint64_t expected =
      13 + N(".get_capital") + N("get_capital") + N(R"({"country":"France"})") + N("Paris");
  CHECK(Exact(Chat(kHello + "," + call + "," + result)) == 10 + expected);
  CHECK(Exact(Chat(kHello + "," + call + "," + result), Operation::kChat, "gpt-5") ==
        9 + 6 + expected);
  // A result of a call that is not there.
  CHECK(Count(Chat(result)).provenance == Provenance::kEstimated);
  const std::string both = R"({"role":"assistant","tool_calls":[
      {"id":"b","function":{"name":"f","arguments":"{}"}},
      {"id":"a","function":{"name":"g","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"a","content":"Paris"},
      {"role":"tool","tool_call_id":"b","content":"Rome"})";
  const std::string wrapped = R"({"tool_uses":[{"recipient_name":"functions.f","parameters":{}},)"
                              R"({"recipient_name":"functions.g","parameters":{}}]})";
  CHECK(Exact(Chat(both)) == 3 + 24 + N(wrapped) + N("Paris") + N("Rome"));
  const std::string items = R"({"input":[{"role":"user","content":"Hello, world"},
      {"type":"function_call","call_id":"1","name":"get_capital","arguments":"{}"},
      {"type":"function_call_output","call_id":"1","output":"Paris"}]})";
  CHECK(Exact(items, Operation::kResponses) ==
        10 + 11 + N(".get_capital") + N("get_capital") + N("{}") + N("Paris"));
}

TEST_CASE("schemas of answers") {
  const std::string format = R"({"type":"json_schema","json_schema":{"name":"Person","schema":
      {"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}}})";
  const std::string json = R"({"type":"object","properties":{"age":{"type":"integer"}}})";
  const uint64_t schema = 1 + N("Person") + N("\n\n" + json);
  CHECK(Exact(Chat(kHello, ",\"response_format\":" + format)) == 10 + 10 + 1 + schema);
  CHECK(Exact(Chat(kHello, R"(,"response_format":{"type":"json_object"})")) == 10);
  CHECK(Exact(R"({"input":"Hello, world","text":{"format":{"type":"json_schema","name":"Person",
      "schema":)" +
                  json + "}}}",
              Operation::kResponses) == 10 + 5 + schema);
}

TEST_CASE("images, sound and files") {
  // A PNG's first bytes: 128 pixels square.
  const std::string png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACA";
  const auto image = [](const std::string& url, const std::string& detail) {
    return Chat(R"({"role":"user","content":[{"type":"image_url","image_url":{"url":")" + url +
                "\"" + detail + "}}]}");
  };
  CHECK(Exact(image(png, "")) == 7 + 85 + 170);
  CHECK(Exact(image(png, R"(,"detail":"low")")) == 7 + 85);
  CHECK(Exact(image("https://example.com/a.png", R"(,"detail":"low")")) == 7 + 85);
  CHECK(Exact(image(png, ""), Operation::kChat, "gpt-4.1-nano") == 7 + 41);
  CHECK(Exact(R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":")" + png +
                  "\"}]}]}",
              Operation::kResponses, "gpt-5-nano") == 6 + 24);
  const PromptCount remote = Count(image("https://example.com/a.png", ""));
  CHECK(remote.provenance == Provenance::kUpperBound);
  CHECK(remote.count == 7 + 85 + 8 * 170);
  REQUIRE(remote.parts.size() == 3);
  CHECK(remote.parts[1].path == "messages[0].content[0]");
  CHECK(remote.parts[1].kind == PromptPart::Kind::kImage);

  const PromptCount sound = Count(Chat(R"({"role":"user","content":[{"type":"input_audio",
      "input_audio":{"format":"wav","data":"UklGRlwEAABXQVZF"}}]})"));
  CHECK(sound.provenance == Provenance::kUpperBound);
  const PromptCount file = Count(Chat(R"({"role":"user","content":[{"type":"file",
      "file":{"file_data":"data:text/plain;base64,AAAAAAAA"}}]})"));
  CHECK(file.provenance == Provenance::kUpperBound);
  CHECK(file.count == 7 + 6);
}

TEST_CASE("completions and embeddings") {
  CHECK(Exact(R"({"prompt":"Hello, world"})", Operation::kCompletions) == 3);
  CHECK(Exact(R"({"prompt":["Hello, world","Hello"]})", Operation::kCompletions) == 4);
  CHECK(Exact(R"({"input":[1,2,3,4]})", Operation::kEmbeddings) == 4);
  CHECK(Exact(R"({"input":[[1,2],[3]]})", Operation::kEmbeddings) == 3);
  CHECK(Exact(R"({})", Operation::kEmbeddings) == 0);
  CHECK(Count(R"({"input":[{"a":1}]})", Operation::kEmbeddings).provenance ==
        Provenance::kEstimated);
}

TEST_CASE("what cannot be seen makes an estimate") {
  CHECK(Exact(R"({"input":"Hello, world"})", Operation::kResponses) == 10);
  for (const char* more : {R"("previous_response_id":"resp_1")", R"("conversation":"conv_1")",
                           R"("prompt":{"id":"p"})", R"("tools":[{"type":"web_search"}])",
                           R"("tools":[{"type":"unheard_of","x":1}])"}) {
    INFO(more);
    const PromptCount prompt =
        Count(std::string(R"({"input":"Hello, world",)") + more + "}", Operation::kResponses);
    CHECK(prompt.provenance == Provenance::kEstimated);
    CHECK(prompt.count >= 10);
  }
  CHECK(Exact(R"({"input":"Hello, world","previous_response_id":null})", Operation::kResponses) ==
        10);
  CHECK(Count(R"({"input":[{"type":"unheard_of","x":1}]})", Operation::kResponses).provenance ==
        Provenance::kEstimated);
  CHECK(Count(Chat(R"({"role":"user","content":[{"type":"unheard_of"}]})")).provenance ==
        Provenance::kEstimated);
  CHECK(Count(Chat(kHello), Operation::kChat, "no-such-model").provenance ==
        Provenance::kEstimated);
  CHECK(Count(Chat(kHello), Operation::kChat, "no-such-model").count == 10);
}

TEST_CASE("other dialects are estimated") {
  const auto estimate = [](const std::string& body, const std::string& model, Dialect dialect) {
    const PromptCount prompt = Count(body, Operation::kChat, model, dialect);
    CHECK(prompt.provenance == Provenance::kEstimated);
    return prompt.count;
  };
  const std::string text(3000, 'a');
  const uint64_t claude =
      estimate(Chat(R"({"role":"user","content":[{"type":"text","text":")" + text + "\"}]}"),
               "claude-sonnet-4-5", Dialect::kAnthropic);
  CHECK(claude >= N(text));
  CHECK(claude < 2 * N(text) + 20);
  CHECK(estimate(R"({"contents":[{"role":"user","parts":[{"text":"Hello, world"}]}]})",
                 "gemini-2.5-pro", Dialect::kGemini) == 5);
  CHECK(estimate(R"({"messages":[{"role":"user","content":[{"text":"Hello, world"}]}]})",
                 "anthropic.claude-sonnet-4-5-v1:0", Dialect::kBedrock) > 5);
  // Tools cost what they say, calls what they hold.
  const std::string tool = R"(,"tools":[{"name":"f","input_schema":{"type":"object"}}])";
  CHECK(estimate(Chat(kHello, tool), "claude-sonnet-4-5", Dialect::kAnthropic) > 495);
  const std::string use = R"({"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f",
      "input":{"a":"Hello, world"}}]},{"role":"user","content":[{"type":"tool_result",
      "tool_use_id":"x","content":[{"type":"text","text":"Hello, world"}]}]})";
  CHECK(estimate(Chat(use), "claude-sonnet-4-5", Dialect::kAnthropic) > 38);
}

TEST_CASE("counting stops when the limit is passed") {
  std::string body = "{\"messages\":[";
  for (int i = 0; i < 2000; ++i) body += (i > 0 ? "," : "") + kHello;
  body += "]}";
  const uint64_t all = Count(body).count;
  CHECK(all == 3 + 2000 * 7);
  for (const uint64_t limit : {uint64_t{0}, uint64_t{100}, all - 1}) {
    const PromptCount some = Count(body, Operation::kChat, "gpt-4o", Dialect::kOpenAi, limit);
    CHECK(some.count > limit);
    CHECK(some.count <= limit + 20);
  }
  CHECK(Count(body, Operation::kChat, "gpt-4o", Dialect::kOpenAi, all).count == all);
  const std::string text(1000000, 'x');
  const PromptCount one = Count(Chat(R"({"role":"user","content":")" + text + "\"}"),
                                Operation::kChat, "gpt-4o", Dialect::kOpenAi, 10);
  CHECK(one.count > 10);
}

TEST_CASE("a body that is no object is refused") {
  for (const char* body : {"", "[]", "7", "{", "{\"a\":1,\"a\":2}", "\"x\""}) {
    const auto prompt =
        CountPrompt(Dialect::kOpenAi, Operation::kChat, "gpt-4o", Omni(), true, body, {});
    CHECK(prompt.status().code() == absl::StatusCode::kInvalidArgument);
  }
}

// Wrong types in every place: no crash, and nothing that was text is free.
TEST_CASE("any JSON in any place is counted") {
  const std::string body = R"({"messages":[{"role":"assistant","name":"n","content":[{"type":"text",
      "text":"Hello"},{"type":"image_url","image_url":{"url":"u","detail":"d"}}],
      "tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool",
      "tool_call_id":"1","content":"r"}],
      "tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"type":
      "array","items":{"anyOf":[{"enum":["x"]}]}}}}}}],"response_format":{"type":"json_schema",
      "json_schema":{"name":"n","schema":{"type":"object"}}},
      "input":[{"type":"function_call","name":"f","arguments":"{}","call_id":"c"},
      {"type":"function_call_output","call_id":"c","output":[{}]},
      {"type":"reasoning","encrypted_content":"abc"}],
      "contents":[{"parts":[{"inlineData":{"data":"a"}}]}]})";
  const std::string others[] = {"null", "1",      "\"s\"", "[]",
                                "{}",   "[[{}]]", "true",  "{\"type\":\"text\"}"};
  // Replaces one value after another, found as the text behind a colon.
  for (size_t at = body.find(':'); at != std::string::npos; at = body.find(':', at + 1)) {
    size_t end = at + 1;
    while (end < body.size() && body[end] != ',' && body[end] != '}' && body[end] != ']') ++end;
    for (const std::string& other : others) {
      std::string mutant = body;
      mutant.replace(at + 1, end - at - 1, other);
      for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini}) {
        for (const Operation operation : {Operation::kChat, Operation::kResponses,
                                          Operation::kCompletions, Operation::kEmbeddings}) {
          const auto prompt =
              CountPrompt(dialect, operation, "gpt-4o", Omni(), true, mutant, {true});
          if (!prompt.ok()) continue;
          CHECK(prompt->count < 100000);
        }
      }
    }
  }
}

// Functions whose loading is deferred are told about where they are found, and the search only
// while some of them were not.
TEST_CASE("functions that are loaded later") {
  const std::string later =
      R"({"type":"function","name":"rate","defer_loading":true,"description":"Look up a rate.",)"
      R"("parameters":{"type":"object","properties":{"pair":{"type":"string"}}}})";
  const std::string tools = R"("tools":[{"type":"tool_search"},)" + later + "]";
  const std::string input = R"("input":[{"role":"user","content":"Hello, world"})";
  const auto count = [&](const std::string& more) {
    return Count("{" + tools + "," + input + more + "]}", Operation::kResponses, "gpt-5.4");
  };
  const PromptCount asked = count("");
  const PromptCount searched = count(R"(,{"type":"tool_search_call","arguments":{"q":["rate"]}})");
  const PromptCount found = count(R"(,{"type":"tool_search_call","arguments":{"q":["rate"]}},
      {"type":"tool_search_output","tools":[)" +
                                  later + "]}");
  for (const PromptCount* prompt : {&asked, &searched, &found}) {
    CHECK(prompt->provenance == Provenance::kEstimated);
  }
  CHECK(asked.count > searched.count);
  CHECK(searched.count > found.count + 200);
  // Without any, the tool has nothing to say.
  const PromptCount none = Count(R"({"tools":[{"type":"tool_search"}],)" + input + "]}",
                                 Operation::kResponses, "gpt-5.4");
  CHECK(none.count == 9);
  // What a client searches by itself is told in its own words.
  const PromptCount client =
      Count(R"({"tools":[{"type":"tool_search","execution":"client"}],)" + input + "]}",
            Operation::kResponses, "gpt-5.4");
  CHECK(client.count > none.count);
  CHECK(client.count < 40);
}

TEST_CASE("functions that a conversation brings") {
  const std::string function =
      R"({"type":"function","name":"rate","parameters":{"type":"object","properties":{}}})";
  const std::string hello = R"({"role":"user","content":"Hello, world"})";
  const PromptCount brought = Count(
      R"({"input":[)" + hello + R"(,{"type":"additional_tools","tools":[)" + function + "]}]}",
      Operation::kResponses, "gpt-5.6");
  const PromptCount declared = Count(R"({"tools":[)" + function + R"(],"input":[)" + hello + "]}",
                                     Operation::kResponses, "gpt-5.6");
  CHECK(brought.provenance == Provenance::kEstimated);
  CHECK(brought.count == declared.count + 82);
}

TEST_CASE("calls of loaded functions name where they were loaded from") {
  const auto count = [](const std::string& space) {
    return Count(R"({"input":[{"type":"function_call","call_id":"c","name":"rate",)" + space +
                     R"("arguments":"{}"},{"type":"function_call_output","call_id":"c",)" +
                     R"("output":"1"}]})",
                 Operation::kResponses, "gpt-5");
  };
  CHECK(count("").provenance == Provenance::kExact);
  CHECK(count(R"("namespace":"rate",)").count == count("").count + 2 * N("rate"));
  CHECK(count(R"("namespace":"rate",)").provenance == Provenance::kEstimated);
  CHECK(count(R"("id":"fc_1",)").count == count("").count + 3);
  CHECK(count(R"("id":"fc_1",)").provenance == Provenance::kEstimated);
}

}  // namespace
}  // namespace weir::metering
