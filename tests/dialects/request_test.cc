#include <sstream>

#include "absl/strings/cord.h"
#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::dialects {
namespace {

using testing::RequestFixtures;

struct Refusal {
  std::string message, param;
};

// Fails the test when the body is read.
Refusal RefusalOf(std::string_view body) {
  const auto request = ReadChatRequest(body);
  REQUIRE_FALSE(request.ok());
  CHECK(request.status().code() == absl::StatusCode::kInvalidArgument);
  const auto param = request.status().GetPayload("weir/param");
  const std::string message(request.status().message());
  CHECK_FALSE(message.empty());
  CHECK(message.size() <= 300);
  return {message, param ? std::string(*param) : ""};
}

TEST_CASE("a request with everything") {
  const auto request = ReadChatRequest(RequestFixtures()[1]);
  REQUIRE(request.ok());
  CHECK(request->model == "gpt-x");
  CHECK(request->stream);
  CHECK_FALSE(request->include_usage);
  CHECK(request->n == 2);
  CHECK(request->max_output_tokens == 50);
  REQUIRE(request->messages.size() == 4);
  CHECK(request->messages[0].role == "system");
  CHECK(request->messages[0].texts == std::vector<std::string>{"be brief"});
  CHECK(request->messages[1].name == "ann");
  CHECK(request->messages[1].texts ==
        std::vector<std::string>{"what is this?", "\xC3\xA9 \xF0\x9F\x98\x80"});
  CHECK(request->messages[2].texts.empty());
  CHECK(request->messages[3].texts == std::vector<std::string>{"2"});
  CHECK(request->image_parts == 1);
  CHECK(request->other_parts == 2);
  for (const char* piece : {"{\\\"x\\\":1}", R"("parameters":{"type":"object"})", "\"auto\"",
                            R"({"type":"json_object"})"}) {
    CHECK(request->extra_text.find(piece) != std::string::npos);
  }
  const std::string body = RequestFixtures()[1];
  const auto at = [&](ChatRequest::Span span) {
    return body.substr(span.begin, span.end - span.begin);
  };
  CHECK(at(request->model_value) == "\"gpt-x\"");
  CHECK(at(request->stream_options_value) == "{ \"include_usage\" : false }");
  CHECK(at(request->include_usage_value) == "false");
  CHECK(body[request->object_open] == '{');
}

TEST_CASE("absent and null mean their defaults") {
  for (const std::string& more :
       {std::string(), std::string(R"(,"model":null,"stream":null,"stream_options":null,"n":null,
         "max_tokens":null,"max_completion_tokens":null,"tools":null,"functions":null,
         "tool_choice":null,"function_call":null,"response_format":null)")}) {
    const auto request = ReadChatRequest(
        R"({"messages":[{"role":"user","content":null,"name":null,"tool_calls":null,
            "function_call":null,"refusal":null,"audio":null}])" +
        more + "}");
    REQUIRE(request.ok());
    CHECK(request->model.empty());
    CHECK_FALSE(request->stream);
    CHECK(request->n == 1);
    CHECK_FALSE(request->max_output_tokens);
    CHECK(request->extra_text.empty());
    CHECK(request->messages[0].texts.empty());
    CHECK(request->other_parts == 0);
  }
}

TEST_CASE("what the model wrote and reads again is counted") {
  const auto request = ReadChatRequest(
      R"({"messages":[{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],
          "refusal":"never","reasoning_content":"hm","audio":{"id":"a"}}]})");
  REQUIRE(request.ok());
  CHECK(request->messages[0].texts == std::vector<std::string>{"no"});
  CHECK(request->extra_text == "\"never\"\n\"hm\"");
  CHECK(request->other_parts == 1);
}

TEST_CASE("errors name the field as OpenAI does") {
  const auto with_message = [](const std::string& message) {
    return R"({"messages":[{"role":"user"},)" + message + "]}";
  };
  const auto with = [](const std::string& member) { return R"({"messages":[],)" + member + "}"; };
  const std::pair<std::string, std::string> rows[] = {
      {"{}", "messages"},
      {R"({"messages":null})", "messages"},
      {R"({"messages":{}})", "messages"},
      {with_message("1"), "messages[1]"},
      {with_message("{}"), "messages[1].role"},
      {with_message(R"({"role":null})"), "messages[1].role"},
      {with_message(R"({"role":"user","content":1})"), "messages[1].content"},
      {with_message(R"({"role":"user","content":{}})"), "messages[1].content"},
      {with_message(R"({"role":"user","content":["a"]})"), "messages[1].content[0]"},
      {with_message(R"({"role":"user","content":[{"type":"text","text":"a"},{}]})"),
       "messages[1].content[1].type"},
      {with_message(R"({"role":"user","content":[{"type":"text"}]})"),
       "messages[1].content[0].text"},
      {with_message(R"({"role":"user","content":[{"type":"text","text":1}]})"),
       "messages[1].content[0].text"},
      {with_message(R"({"role":"user","content":[{"type":1}]})"), "messages[1].content[0].type"},
      {with_message(R"({"role":"user","name":1})"), "messages[1].name"},
      {with_message(R"({"role":"user","tool_calls":{}})"), "messages[1].tool_calls"},
      {with_message(R"({"role":"user","function_call":"f"})"), "messages[1].function_call"},
      {with(R"("model":1)"), "model"},
      {with(R"("stream":"true")"), "stream"},
      {with(R"("stream":1)"), "stream"},
      {with(R"("stream_options":true)"), "stream_options"},
      {with(R"("stream_options":{"include_usage":1})"), "stream_options.include_usage"},
      {with(R"("tools":{})"), "tools"},
      {with(R"("functions":"x")"), "functions"},
      {with(R"("tool_choice":[])"), "tool_choice"},
      {with(R"("function_call":1)"), "function_call"},
      {with(R"("response_format":"json")"), "response_format"},
  };
  for (const auto& [body, param] : rows) {
    INFO(body);
    const Refusal refusal = RefusalOf(body);
    CHECK(refusal.param == param);
    CHECK(refusal.message.find("'" + param + "'") != std::string::npos);
  }
}

TEST_CASE("numbers that no one means are refused, never admitted free") {
  for (const char* field : {"n", "max_tokens", "max_completion_tokens"}) {
    const auto body = [&](const std::string& value) {
      return "{\"messages\":[],\"" + std::string(field) + "\":" + value + "}";
    };
    for (const std::string& bad :
         {std::string("0"), std::string("-1"), std::string("-0"), std::string("1.5"),
          std::string("1.0"), std::string("1e3"), std::string("1e400"),
          std::string("9223372036854775808"), std::string("18446744073709551616"),
          std::string(400, '9'), std::string("\"5\""), std::string("true"), std::string("[]"),
          std::string("{}"), std::to_string(kMaxTokens + 1)}) {
      INFO(body(bad));
      CHECK(RefusalOf(body(bad)).param == field);
    }
    for (const std::string& good :
         {std::string("1"), std::string("2147483648"), std::to_string(kMaxTokens)}) {
      CHECK(ReadChatRequest(body(good)).ok());
    }
  }
}

TEST_CASE("a body that is not one clean JSON object is refused") {
  const std::string messages = R"("messages":[])";
  for (const std::string& body :
       {std::string(), std::string(" "), std::string("[]"), std::string("null"),
        std::string("\"x\""), "{" + messages, "{" + messages + "}}", "{" + messages + ",}",
        "{" + messages + "} x", "{" + messages + "}" + std::string(1, '\0'),
        "{" + messages + ",\"a\":01}", "{" + messages + ",\"a\":NaN}",
        "\xEF\xBB\xBF{" + messages + "}", "{" + messages + ",\"a\":\"\xff\"}",
        "{" + messages + ",\"a\":\"\\ud83d\"}", "{" + messages + ",\"a\":\"\n\"}",
        "// x\n{" + messages + "}", std::string("{'a':1}")}) {
    INFO(body);
    CHECK(RefusalOf(body).param.empty());
  }
}

TEST_CASE("a repeated key is refused wherever it is and however it is spelled") {
  for (const std::string& body :
       {std::string(R"({"model":"a","messages":[],"model":"b"})"),
        std::string(R"({"model":"a","messages":[],"m\u006fdel":"b"})"),
        std::string(R"({"messages":[],"stream":true,"stream":true})"),
        std::string(R"({"messages":[],"messages":[]})"),
        std::string(R"({"messages":[],"max_tokens":1,"max_tokens":1})"),
        std::string(R"({"messages":[{"role":"user","role":"system"}]})"),
        std::string(R"({"messages":[],"metadata":{"a":{"b":1,"b":2}}})")}) {
    INFO(body);
    CHECK(RefusalOf(body).message.find("twice") != std::string::npos);
  }
  RefusalOf("{\"" + std::string(100000, 'k') + "\":1,\"" + std::string(100000, 'k') + "\":2}");
}

TEST_CASE("depth and width end in an answer") {
  std::string deep = "{\"messages\":[],\"a\":";
  for (int i = 0; i < 1000000; ++i) deep += i % 2 == 0 ? "[" : "{\"a\":";
  CHECK(RefusalOf(deep).message.find("deep") != std::string::npos);
  std::string wide = "{\"messages\":[{\"role\":\"user\"";
  for (int i = 0; i < 100000; ++i) wide += ",\"k" + std::to_string(i) + "\":0";
  CHECK(ReadChatRequest(wide + "}]}").ok());
  wide += ",\"k777\":1}]}";
  CHECK(RefusalOf(wide).message.find("k777") != std::string::npos);
  CHECK(ReadChatRequest("{\"messages\":[],\"x\":" + std::string(1000000, '9') + "}").ok());
}

TEST_CASE("every field of every other type is read or refused by name") {
  for (const std::string& body : RequestFixtures()) {
    testing::ForEachSwap(body, [](const std::string& path, const std::string& swapped) {
      INFO(path << ' ' << swapped);
      const auto request = ReadChatRequest(swapped);
      if (request.ok()) {
        REQUIRE(request->n >= 1);
        REQUIRE(request->n <= kMaxTokens);
        REQUIRE(request->max_output_tokens.value_or(1) >= 1);
      } else {
        const Refusal refusal = RefusalOf(swapped);
        // What is refused is the field itself, or one that the swap has taken away or brought in.
        if (!path.empty()) {
          REQUIRE(refusal.param.compare(0, std::min(path.size(), refusal.param.size()),
                                        path.substr(0, refusal.param.size())) == 0);
        }
      }
    });
  }
}

TEST_CASE("truncated and mutated requests are read or refused") {
  Random random(5);
  for (const std::string& body : RequestFixtures()) {
    const size_t last = body.find_last_of('}');
    for (size_t cut = 0; cut <= last; ++cut) RefusalOf(body.substr(0, cut));
    for (int round = 0; round < 3000; ++round) {
      std::string mutated = body;
      for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
        mutated[random.Below(mutated.size())] = static_cast<char>(random.Below(256));
      }
      if (!ReadChatRequest(mutated).ok()) RefusalOf(mutated);
    }
  }
}

TEST_CASE("real requests are all read") {
  const auto lines = weir::testing::SharedData("usage/chat.jsonl");
  if (!lines) return;
  std::istringstream in(*lines);
  std::string line;
  size_t count = 0;
  while (std::getline(in, line)) {
    json::Document row;
    REQUIRE(row.Parse(line));
    const json::Value source = row.root()["request"];
    INFO(row.root()["id"].text());
    const auto request = ReadChatRequest(source.source());
    REQUIRE(request.ok());
    CHECK(request->messages.size() == source["messages"].size());
    CHECK(request->model ==
          (source["model"].Is(json::Type::kString) ? source["model"].text() : ""));
    CHECK(request->stream == source["stream"].boolean());
    ++count;
  }
  CHECK(count == 228);
}

}  // namespace
}  // namespace weir::dialects
