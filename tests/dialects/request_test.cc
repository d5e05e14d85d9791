#include <sstream>

#include "absl/strings/cord.h"
#include "tests/dialects/request_fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::dialects {
namespace {

using testing::AllRequestFixtures;
using testing::kConverse;
using testing::kGenerate;
using testing::RequestFixture;

absl::StatusOr<Request> Read(const RequestFixture& fixture) {
  return ReadRequest(fixture.dialect, fixture.operation, fixture.target, fixture.body);
}

struct Refusal {
  std::string message, param;
};

// Fails the test when the body is read.
Refusal RefusalOf(const RequestFixture& fixture) {
  const auto request = Read(fixture);
  REQUIRE_FALSE(request.ok());
  CHECK(request.status().code() == absl::StatusCode::kInvalidArgument);
  const auto param = request.status().GetPayload("weir/param");
  const std::string message(request.status().message());
  CHECK_FALSE(message.empty());
  CHECK(message.size() <= 300);
  return {message, param ? std::string(*param) : ""};
}

// One of each dialect and operation, with `member` beside what a request needs.
std::vector<RequestFixture> With(const std::string& member) {
  const auto body = [&](const std::string& needed) {
    return "{" + needed + (needed.empty() || member.empty() ? "" : ",") + member + "}";
  };
  const std::string messages = "\"messages\":[]";
  return {
      {.body = body(messages)},
      {.operation = Operation::kResponses, .body = body("")},
      {.operation = Operation::kCompletions, .body = body("")},
      {.operation = Operation::kEmbeddings, .body = body("\"input\":\"\"")},
      {.dialect = Dialect::kAzureOpenAi, .target = testing::kDeployment, .body = body(messages)},
      {.dialect = Dialect::kAnthropic, .body = body(messages)},
      {.dialect = Dialect::kGemini, .target = kGenerate, .body = body("\"contents\":[]")},
      {.dialect = Dialect::kGemini,
       .operation = Operation::kEmbeddings,
       .body = body("\"content\":{}")},
      {.dialect = Dialect::kBedrock, .target = kConverse, .body = body(messages)},
      {.dialect = Dialect::kBedrock, .target = "/model/m/invoke", .body = body(messages)},
  };
}

TEST_CASE("requests of every dialect say what they say") {
  const std::vector<RequestFixture> fixtures = AllRequestFixtures();
  CHECK(fixtures.size() >= 30);
  for (const RequestFixture& fixture : fixtures) {
    INFO(fixture.target << ' ' << fixture.body);
    const auto request = Read(fixture);
    REQUIRE(request.ok());
    CHECK(request->dialect == fixture.dialect);
    CHECK(request->operation == fixture.operation);
    CHECK(request->model == fixture.model);
    CHECK(request->stream == fixture.stream);
    CHECK(request->include_usage == fixture.include_usage);
    CHECK(request->max_output_tokens == fixture.max_output_tokens);
    CHECK(request->n == fixture.n);
    CHECK(request->user == fixture.user);
    CHECK(fixture.body[request->object_open] == '{');
  }
}

TEST_CASE("places in the body are those of the values") {
  const RequestFixture fixture = testing::ChatFixtures()[1];
  const auto request = Read(fixture);
  REQUIRE(request.ok());
  const auto at = [&](Span span) { return fixture.body.substr(span.begin, span.end - span.begin); };
  CHECK(at(request->model_value) == "\"gpt-x\"");
  CHECK(request->body_model == "gpt-x");
  CHECK(at(request->stream_options_value) == "{ \"include_usage\" : false }");
  CHECK(at(request->include_usage_value) == "false");
  CHECK(at(request->max_output_value) == "50");
  CHECK(at(request->older_max_output_value) == "100");
}

TEST_CASE("the path's model is the one that is asked") {
  const RequestFixture azure = testing::ChatFixtures()[6];
  const auto request = Read(azure);
  REQUIRE(request.ok());
  CHECK(request->model == "gpt-4o");
  CHECK(request->model_in_path);
  CHECK(request->body_model == "ignored");
  const auto body = Read(testing::ChatFixtures()[7]);
  REQUIRE(body.ok());
  CHECK_FALSE(body->model_in_path);
}

TEST_CASE("absent and null mean their defaults") {
  const std::string nulls =
      R"("model":null,"stream":null,"stream_options":null,"n":null,"max_tokens":null,
         "max_completion_tokens":null,"max_output_tokens":null,"best_of":null,"tools":null,
         "functions":null,"tool_choice":null,"function_call":null,"response_format":null,
         "text":null,"instructions":null,"prompt":null,"suffix":null,"user":null,"metadata":null,
         "safety_identifier":null,"system":null,"systemInstruction":null,"generationConfig":null,
         "inferenceConfig":null,"toolConfig":null,"num_generations":null)";
  for (const std::string& members : {std::string(), nulls}) {
    for (RequestFixture& fixture : With(members)) {
      if (fixture.dialect == Dialect::kAnthropic && !members.empty()) continue;  // see below
      INFO(fixture.body);
      fixture.target.clear();
      const auto request = Read(fixture);
      REQUIRE(request.ok());
      CHECK(request->model.empty());
      CHECK_FALSE(request->stream);
      CHECK_FALSE(request->include_usage);
      CHECK(request->n == 1);
      CHECK_FALSE(request->max_output_tokens);
      CHECK(request->user.empty());
    }
  }
  CHECK(Read({.dialect = Dialect::kAnthropic,
              .body = R"({"messages":[],"model":null,"system":null,"metadata":{"user_id":null},
                  "max_tokens":null,"stream":null,"tools":null})"})
            .ok());
}

TEST_CASE("operations that a dialect has not are refused") {
  for (Dialect dialect : {Dialect::kAnthropic, Dialect::kGemini, Dialect::kBedrock}) {
    for (Operation operation : {Operation::kResponses, Operation::kCompletions}) {
      CHECK_FALSE(ReadRequest(dialect, operation, "", "{}").ok());
    }
  }
  CHECK_FALSE(ReadRequest(Dialect::kAnthropic, Operation::kEmbeddings, "", "{}").ok());
}

struct ParamRow {
  RequestFixture fixture;
  std::string param{};
};

std::vector<ParamRow> ChatParamRows() {
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
      {with(R"("user":1)"), "user"},
      {with(R"("safety_identifier":{})"), "safety_identifier"},
  };
  std::vector<ParamRow> all;
  for (const auto& [body, param] : rows) all.push_back({{.body = body}, param});
  return all;
}

std::vector<ParamRow> OtherParamRows() {
  std::vector<ParamRow> all;
  const auto add = [&](Dialect dialect, Operation operation, const std::string& target,
                       std::initializer_list<std::pair<const char*, const char*>> rows) {
    for (const auto& [body, param] : rows) {
      all.push_back({{dialect, operation, target, body}, param});
    }
  };
  add(Dialect::kOpenAi, Operation::kResponses, "",
      {{R"({"input":1})", "input"},
       {R"({"input":["a"]})", "input[0]"},
       {R"({"input":[{"role":1}]})", "input[0].role"},
       {R"({"input":[{},{"content":{}}]})", "input[1].content"},
       {R"({"input":[{"content":[{}]}]})", "input[0].content[0].type"},
       {R"({"instructions":[]})", "instructions"},
       {R"({"text":"json"})", "text"}});
  add(Dialect::kOpenAi, Operation::kCompletions, "",
      {{R"({"prompt":{}})", "prompt"},
       {R"({"prompt":["a",1]})", "prompt"},
       {R"({"prompt":[1,"a"]})", "prompt"},
       {R"({"prompt":["a",null]})", "prompt[1]"},
       {R"({"prompt":[[1],["a"]]})", "prompt[1][0]"},
       {R"({"prompt":[1,2.5]})", "prompt[1]"},
       {R"({"prompt":[-1]})", "prompt[0]"},
       {R"({"stream_options":[]})", "stream_options"}});
  add(Dialect::kOpenAi, Operation::kEmbeddings, "",
      {{"{}", "input"}, {R"({"input":null})", "input"}, {R"({"input":[{}]})", "input[0]"}});
  add(Dialect::kAnthropic, Operation::kChat, "",
      {{"{}", "messages"},
       {R"({"messages":{}})", "messages"},
       {R"({"messages":[{"role":"user","content":"a"},{"content":"a"}]})", "messages.1.role"},
       {R"({"messages":[{"role":"user"}]})", "messages.0.content"},
       {R"({"messages":[{"role":"user","content":null}]})", "messages.0.content"},
       {R"({"messages":[{"role":"user","content":[{"text":"a"}]}]})", "messages.0.content.0.type"},
       {R"({"messages":[],"system":1})", "system"},
       {R"({"messages":[],"system":[1]})", "system.0"},
       {R"({"messages":[],"metadata":{"user_id":7}})", "metadata.user_id"}});
  add(Dialect::kGemini, Operation::kChat, kGenerate,
      {{"{}", "contents"},
       {R"({"contents":{}})", "contents"},
       {R"({"contents":[1]})", "contents[0]"},
       {R"({"contents":[{"role":1}]})", "contents[0].role"},
       {R"({"contents":[{"parts":{}}]})", "contents[0].parts"},
       {R"({"contents":[{"parts":["a"]}]})", "contents[0].parts[0]"},
       {R"({"contents":[],"systemInstruction":"s"})", "systemInstruction"},
       {R"({"contents":[],"generationConfig":[]})", "generationConfig"},
       {R"({"contents":[],"generationConfig":{},"generation_config":{}})", "generation_config"},
       {R"({"contents":[],"systemInstruction":{},"system_instruction":{}})", "system_instruction"},
       {R"({"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}})",
        "generationConfig.max_output_tokens"}});
  add(Dialect::kGemini, Operation::kEmbeddings, "",
      {{"{}", "content"},
       {R"({"content":"a"})", "content"},
       {R"({"requests":{}})", "requests"},
       {R"({"requests":[{"content":{}},{}]})", "requests[1].content"}});
  add(Dialect::kBedrock, Operation::kChat, kConverse,
      {{R"({"messages":[{"role":"user","content":"a"}]})", "messages.0.content"},
       {R"({"messages":[{"role":"user","content":["a"]}]})", "messages.0.content.0"},
       {R"({"messages":[{"content":[]}]})", "messages.0.role"},
       {R"({"system":"s"})", "system"},
       {R"({"inferenceConfig":[]})", "inferenceConfig"}});
  add(Dialect::kBedrock, Operation::kChat, "/model/m/invoke",
      {{R"({"max_tokens":1,"max_gen_len":1})", "max_gen_len"}});
  return all;
}

TEST_CASE("errors name the field as the provider does") {
  std::vector<ParamRow> rows = ChatParamRows();
  for (ParamRow& row : OtherParamRows()) rows.push_back(std::move(row));
  for (const ParamRow& row : rows) {
    INFO(row.fixture.body);
    const Refusal refusal = RefusalOf(row.fixture);
    CHECK(refusal.param == row.param);
    CHECK(refusal.message.find("'" + row.param + "'") != std::string::npos);
  }
}

struct CountField {
  Dialect dialect = Dialect::kOpenAi;
  Operation operation = Operation::kChat;
  std::string target{};
  std::string before{}, after{};  // of the number
  std::string param{};
  bool zero = false;  // 0 is a count
};

std::vector<CountField> CountFields() {
  const auto chat = [](const std::string& key) {
    return CountField{.before = R"({"messages":[],")" + key + "\":", .after = "}", .param = key};
  };
  const auto completions = [](const std::string& key, bool zero) {
    return CountField{.operation = Operation::kCompletions,
                      .before = "{\"" + key + "\":",
                      .after = "}",
                      .param = key,
                      .zero = zero};
  };
  return {
      chat("n"),
      chat("max_tokens"),
      chat("max_completion_tokens"),
      completions("n", false),
      completions("best_of", false),
      completions("max_tokens", true),
      {.operation = Operation::kResponses,
       .before = "{\"max_output_tokens\":",
       .after = "}",
       .param = "max_output_tokens"},
      {.dialect = Dialect::kAnthropic,
       .before = R"({"messages":[],"max_tokens":)",
       .after = "}",
       .param = "max_tokens",
       .zero = true},
      {.dialect = Dialect::kGemini,
       .before = R"({"contents":[],"generationConfig":{"maxOutputTokens":)",
       .after = "}}",
       .param = "generationConfig.maxOutputTokens"},
      {.dialect = Dialect::kGemini,
       .before = R"({"contents":[],"generation_config":{"candidate_count":)",
       .after = "}}",
       .param = "generation_config.candidate_count"},
      {.dialect = Dialect::kBedrock,
       .before = R"({"inferenceConfig":{"maxTokens":)",
       .after = "}}",
       .param = "inferenceConfig.maxTokens"},
      {.dialect = Dialect::kBedrock,
       .target = "/model/m/invoke",
       .before = R"({"textGenerationConfig":{"maxTokenCount":)",
       .after = "}}",
       .param = "textGenerationConfig.maxTokenCount",
       .zero = true},
      {.dialect = Dialect::kBedrock,
       .target = "/model/m/invoke",
       .before = R"({"num_generations":)",
       .after = "}",
       .param = "num_generations"},
  };
}

TEST_CASE("numbers that no one means are refused, never admitted free") {
  for (const CountField& field : CountFields()) {
    const auto with = [&](const std::string& value) {
      return RequestFixture{field.dialect, field.operation, field.target,
                            field.before + value + field.after};
    };
    std::vector<std::string> bad = {"-1",
                                    "-0",
                                    "0.5",
                                    "1.0",
                                    "1e3",
                                    "1e400",
                                    "true",
                                    "[]",
                                    "{}",
                                    "\"\"",
                                    "\"x\"",
                                    "\"-1\"",
                                    "9223372036854775808",
                                    "18446744073709551616",
                                    std::string(400, '9'),
                                    std::to_string(kMaxTokens + 1)};
    if (!field.zero) bad.emplace_back("0");
    if (field.dialect != Dialect::kGemini) bad.emplace_back("\"5\"");
    for (const std::string& value : bad) {
      INFO(with(value).body);
      CHECK(RefusalOf(with(value)).param == field.param);
    }
    for (const std::string& value :
         {std::string("1"), std::string("2147483648"), std::to_string(kMaxTokens)}) {
      INFO(with(value).body);
      CHECK(Read(with(value)).ok());
    }
    if (field.zero) CHECK(Read(with("0")).ok());
  }
}

TEST_CASE("answers of a completion multiply without end and without wrapping") {
  const auto n_of = [](const std::string& body) {
    const auto request = ReadRequest(Dialect::kOpenAi, Operation::kCompletions, "", body);
    REQUIRE(request.ok());
    return request->n;
  };
  CHECK(n_of(R"({"prompt":"a","n":3,"best_of":2})") == 3);
  CHECK(n_of(R"({"prompt":["a","b"],"n":3})") == 6);
  CHECK(n_of(R"({"prompt":[],"n":3})") == 3);
  CHECK(n_of(R"({"prompt":[7,8],"n":3})") == 3);
  std::string many = R"({"best_of":)" + std::to_string(kMaxTokens) + R"(,"prompt":[""])";
  for (int i = 0; i < 20; ++i) many.insert(many.size() - 1, ",\"\"");
  CHECK(n_of(many + "}") == 21 * kMaxTokens);
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
    for (RequestFixture& fixture : With("")) {
      fixture.body = body;
      CHECK(RefusalOf(fixture).param.empty());
    }
  }
}

TEST_CASE("a repeated key is refused wherever it is and however it is spelled") {
  for (const char* members :
       {R"("model":"a","model":"b")", R"("model":"a","m\u006fdel":"b")",
        R"("\u006dodel":"a","mod\u0065l":"b")", R"("stream":true,"stream":true)",
        R"("max_tokens":1,"max_tokens":1)", R"("x":[{"role":"user","r\u006Fle":"system"}])",
        R"("metadata":{"a":{"b":1,"b":2}})", "\"x\":{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}",
        R"("x":{"":1,"":2})", R"("x":{"\/":1,"/":2})", R"("x":{"\t":1,"\u0009":2})"}) {
    for (const RequestFixture& fixture : With(members)) {
      INFO(fixture.body);
      CHECK(RefusalOf(fixture).message.find("twice") != std::string::npos);
    }
  }
  // Keys that only look alike are two.
  for (const RequestFixture& fixture : With(R"("x":{"a":1,"A":2,"\u0430":3,"a ":4,"a\u0000":5})")) {
    CHECK(Read(fixture).ok());
  }
  const std::string key(100000, 'k');
  RefusalOf({.body = "{\"" + key + "\":1,\"" + key + "\":2}"});
}

TEST_CASE("depth and width end in an answer") {
  std::string deep = "\"a\":";
  for (int i = 0; i < 300000; ++i) deep += i % 2 == 0 ? "[" : "{\"a\":";
  for (const RequestFixture& fixture : With(deep)) {
    CHECK(RefusalOf(fixture).message.find("deep") != std::string::npos);
  }
  std::string wide = "{\"messages\":[{\"role\":\"user\"";
  for (int i = 0; i < 100000; ++i) wide += ",\"k" + std::to_string(i) + "\":0";
  CHECK(Read({.body = wide + "}]}"}).ok());
  wide += ",\"k777\":1}]}";
  CHECK(RefusalOf({.body = wide}).message.find("k777") != std::string::npos);
  CHECK(Read({.body = "{\"messages\":[],\"x\":" + std::string(1000000, '9') + "}"}).ok());
}

// The field at fault is the one that was swapped, one above or below it, or one that the swap has
// taken away from beside it.
bool IsAbout(const std::string& param, const std::string& path) {
  const std::string above = path.substr(0, path.find_last_of(".["));
  return param.rfind(path, 0) == 0 || path.rfind(param, 0) == 0 || param.rfind(above, 0) == 0;
}

TEST_CASE("every field of every other type is read or refused by name") {
  for (const RequestFixture& fixture : AllRequestFixtures()) {
    const bool dots =
        fixture.dialect == Dialect::kAnthropic || fixture.dialect == Dialect::kBedrock;
    testing::ForEachSwap(fixture.body, [&](std::string path, const std::string& swapped) {
      INFO(path << ' ' << swapped);
      RequestFixture changed = fixture;
      changed.body = swapped;
      const auto request = Read(changed);
      if (request.ok()) {
        REQUIRE(request->n >= 1);
        REQUIRE(request->max_output_tokens.value_or(0) <= kMaxTokens);
        REQUIRE(RewriteRequest(swapped, *request, {}) == swapped);
        return;
      }
      if (dots) {
        std::string dotted;
        for (char c : path) {
          if (c != ']') dotted.push_back(c == '[' ? '.' : c);
        }
        path = dotted;
      }
      const Refusal refusal = RefusalOf(changed);
      if (!path.empty()) REQUIRE(IsAbout(refusal.param, path));
    });
  }
}

TEST_CASE("truncated and mutated requests are read or refused") {
  Random random(5);
  for (const RequestFixture& fixture : AllRequestFixtures()) {
    RequestFixture changed = fixture;
    const size_t last = fixture.body.find_last_of('}');
    for (size_t cut = 0; cut <= last; ++cut) {
      changed.body = fixture.body.substr(0, cut);
      RefusalOf(changed);
    }
    for (int round = 0; round < 500; ++round) {
      changed.body = fixture.body;
      for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
        changed.body[random.Below(changed.body.size())] = static_cast<char>(random.Below(256));
      }
      if (!Read(changed).ok()) RefusalOf(changed);
    }
  }
}

// The rows of one file of real requests, each handed to `check(row, body)`.
template <typename Check>
size_t ForEachRow(const std::string& file, Check check) {
  const auto lines = weir::testing::SharedData("usage/" + file);
  if (!lines) return 0;
  std::istringstream in(*lines);
  std::string line;
  size_t count = 0;
  while (std::getline(in, line)) {
    json::Document row;
    REQUIRE(row.Parse(line));
    INFO(file << ' ' << row.root()["id"].text());
    check(row.root(), row.root()["request"]);
    ++count;
  }
  return count;
}

TEST_CASE("real requests are all read") {
  struct File {
    std::string name;
    Dialect dialect;
    Operation operation;
    std::string max_key;
    size_t rows;
  };
  const File files[] = {
      {"chat.jsonl", Dialect::kOpenAi, Operation::kChat, "max_completion_tokens", 228},
      {"responses.jsonl", Dialect::kOpenAi, Operation::kResponses, "max_output_tokens", 216},
      {"completions.jsonl", Dialect::kOpenAi, Operation::kCompletions, "max_tokens", 14},
      {"embeddings.jsonl", Dialect::kOpenAi, Operation::kEmbeddings, "", 29},
      {"anthropic.jsonl", Dialect::kAnthropic, Operation::kChat, "max_tokens", 187},
      {"anthropic_count_tokens.jsonl", Dialect::kAnthropic, Operation::kChat, "max_tokens", 7},
  };
  for (const File& file : files) {
    const size_t rows = ForEachRow(file.name, [&](json::Value, json::Value source) {
      const auto request = ReadRequest(file.dialect, file.operation, "", source.source());
      INFO(request.status().ToString());
      REQUIRE(request.ok());
      CHECK(request->model ==
            (source["model"].Is(json::Type::kString) ? source["model"].text() : ""));
      CHECK(request->stream == source["stream"].boolean());
      std::optional<uint64_t> most = source[file.max_key].Uint();
      if (!most && file.operation == Operation::kChat) most = source["max_tokens"].Uint();
      CHECK(request->max_output_tokens == most);
      CHECK(RewriteRequest(source.source(), *request, {}) == source.source());
    });
    if (rows != 0) CHECK(rows == file.rows);
  }
}

// Recordings name the URL that was asked and the request's body.
TEST_CASE("recorded requests are read where their paths say") {
  const auto manifest = weir::testing::SharedData("streams/MANIFEST.tsv");
  if (!manifest) return;
  std::istringstream lines(*manifest);
  std::string line;
  size_t count = 0;
  while (std::getline(lines, line)) {
    const std::string file = line.substr(0, line.find('\t'));
    const std::string folder = file.substr(0, file.find('/'));
    const auto meta = weir::testing::ReadFile(weir::testing::SharedDataPath(
        "streams/" + file.substr(0, file.find_last_of('.')) + ".meta.json"));
    if (!meta) continue;
    json::Document document;
    REQUIRE(document.Parse(*meta));
    const std::string_view url = document.root()["url"].text();
    const json::Value body = document.root()["request"];
    const size_t host = url.find("://");
    if (host == std::string_view::npos || !body.Is(json::Type::kObject)) continue;
    INFO(file << ' ' << url);
    const std::string_view target = url.substr(url.find('/', host + 3));
    const auto parsed = ParseTarget(target);
    REQUIRE(parsed);
    if (folder == "anthropic" || folder == "gemini" || folder == "bedrock") {
      CHECK(DialectName(parsed->dialect) == folder);
      CHECK_FALSE((folder != "anthropic" && parsed->model.empty()));
    }
    const auto request = ReadRequest(parsed->dialect, parsed->operation, target, body.source());
    INFO(request.status().ToString());
    CHECK(request.ok());
    ++count;
  }
  CHECK(count >= 30);
}

}  // namespace
}  // namespace weir::dialects
