// Requests of every dialect, passed on to a backend of the same family: where they go, what is
// edited, what is charged, and in whose words errors are said.

#include "base/json.h"
#include "dialects/event_stream.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

std::string DialectPolicy() {
  const std::string red = auth::HashKey("weir virtual key", "vk-red");
  return R"({"weir": 1,
    "consumers": {"red": {"keys": [")" +
         red + R"("]}},
    "credentials": {"c": {"header": "x-api-key", "value": "secret"}},
    "backends": {
      "open": {"url": "http://open.test", "dialect": "openai"},
      "azure": {"url": "http://azure.test", "dialect": "azure-openai",
                "api_version": "2024-10-21"},
      "claude": {"url": "http://claude.test", "dialect": "anthropic", "credential": "c"},
      "claude2": {"url": "http://claude2.test", "dialect": "anthropic", "model": "claude-x"},
      "google": {"url": "http://google.test", "dialect": "gemini"},
      "vertex": {"url": "http://vertex.test", "dialect": "gemini", "api_version": "v1",
                 "model": "projects/p/locations/l/publishers/google/models/g2"},
      "aws": {"url": "http://aws.test", "dialect": "bedrock", "model": "us.nova:0"}},
    "pools": {
      "openai": {"members": [{"backend": "open", "priority": 1},
                             {"backend": "azure", "priority": 2}],
                 "retry": {"attempts": 2, "on": ["5xx"]}},
      "anthropic": {"members": [{"backend": "claude", "priority": 1},
                                {"backend": "claude2", "priority": 2}],
                    "retry": {"attempts": 2, "on": ["5xx"]}},
      "gemini": {"members": [{"backend": "google", "priority": 1},
                             {"backend": "vertex", "priority": 2}],
                 "retry": {"attempts": 2, "on": ["5xx"]}},
      "bedrock": {"members": [{"backend": "aws"}]}},
    "limits": {"tokens": {"key": "consumer.id", "unit": "tokens", "amount": 1000, "per": "60s",
                          "reserve": {"output": "max_tokens"}}},
    "routes": [
      {"name": "responses", "match": {"path": "/v1/responses"}, "pool": "openai",
       "limits": ["tokens"]},
      {"name": "completions", "match": {"path": "/v1/completions"}, "pool": "openai",
       "limits": ["tokens"]},
      {"name": "embeddings", "match": {"path": "/v1/embeddings"}, "pool": "openai",
       "limits": ["tokens"]},
      {"name": "messages", "match": {"path": "/team/v1/messages"}, "pool": "anthropic",
       "limits": ["tokens"]},
      {"name": "generate", "match": {"path": "/v1beta/models/{model}:generateContent"},
       "pool": "gemini", "limits": ["tokens"]},
      {"name": "stream", "match": {"path": "/v1beta/models/{model}:streamGenerateContent"},
       "pool": "gemini", "limits": ["tokens"]},
      {"name": "converse", "match": {"path": "/model/{model}/converse"}, "pool": "bedrock",
       "limits": ["tokens"]},
      {"name": "converse-stream", "match": {"path": "/model/{model}/converse-stream"},
       "pool": "bedrock", "limits": ["tokens"]}]})";
}

std::unique_ptr<Engine> DialectEngine() {
  auto engine = Engine::Create(ParsePolicy(DialectPolicy()), {});
  REQUIRE(engine.ok());
  return *std::move(engine);
}

// What the transaction's explanation says under `key` of its usage.
std::string Used(const Transaction& txn, std::string_view key) {
  json::Document document;
  REQUIRE(document.Parse(txn.Explain()));
  return std::string(document.root()["usage"][key].text());
}

struct Exchange {
  std::string target, body;
  std::string sent_target, sent_body;  // empty: the body as it was
  std::string type, answer;
  std::string prompt, completion;
};

const char kMessages[] = R"({"model":"claude-y","max_tokens":90,"messages":[]})";
const char kClaudeAnswer[] =
    R"({"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",
        "usage":{"input_tokens":5,"cache_read_input_tokens":20,"output_tokens":7}})";
const char kClaudeStream[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
    "\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
    "\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
    "\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const char kGeminiAnswer[] =
    R"({"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":3,
        "totalTokenCount":13}})";

std::vector<Exchange> Exchanges() {
  const std::string google = "/v1beta/models/g:generateContent";
  return {
      {"/v1/responses", R"({"model":"gpt-5","input":"hi","max_output_tokens":90})", "/v1/responses",
       "", "application/json",
       R"({"output":[],"usage":{"input_tokens":8,"output_tokens":9,"total_tokens":17}})", "8", "9"},
      {"/v1/completions", R"({"stream":true,"model":"d","prompt":"a","max_tokens":9})",
       "/v1/completions",
       R"({"stream_options":{"include_usage":true},"stream":true,"model":"d","prompt":"a",)"
       R"("max_tokens":9})",
       "text/event-stream",
       "data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\n"
       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,"
       "\"total_tokens\":5}}\n\ndata: [DONE]\n\n",
       "3", "2"},
      {"/v1/embeddings", R"({"model":"e","input":"a"})", "/v1/embeddings", "", "application/json",
       R"({"data":[],"usage":{"prompt_tokens":1,"total_tokens":1}})", "1", "0"},
      {"/team/v1/messages?beta=true", kMessages, "/v1/messages?beta=true", "", "application/json",
       kClaudeAnswer, "25", "7"},
      {"/team/v1/messages", R"({"model":"c","max_tokens":90,"stream":true,"messages":[]})",
       "/v1/messages", "", "text/event-stream; charset=utf-8", kClaudeStream, "5", "7"},
      {google + "?key=vk-red", R"({"contents":[],"generationConfig":{"maxOutputTokens":90}})",
       google, "", "application/json; charset=UTF-8", kGeminiAnswer, "4", "9"},
      {"/v1beta/models/g:streamGenerateContent?alt=sse",
       R"({"contents":[],"generationConfig":{"maxOutputTokens":90}})",
       "/v1beta/models/g:streamGenerateContent?alt=sse", "", "text/event-stream",
       "data: " + std::string(R"({"candidates":[{"content":{"parts":[{"text":"Hi"}]},)") +
           R"("finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,)" +
           "\"candidatesTokenCount\":6,\"totalTokenCount\":10}}\r\n\r\n",
       "4", "6"},
      {"/model/nova/converse", R"({"messages":[],"inferenceConfig":{"maxTokens":90}})",
       "/model/us.nova%3A0/converse", "", "application/json",
       R"({"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},
           "stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}})",
       "3", "2"},
  };
}

TEST_CASE("each dialect's requests go through, and its stated usage is charged") {
  for (const Exchange& exchange : Exchanges()) {
    INFO(exchange.target);
    auto engine = DialectEngine();
    auto txn = Ask(*engine, "vk-red", exchange.body, exchange.target);
    const Action forward = Decide(*txn, At(0));
    INFO(txn->body());
    REQUIRE(forward.kind == ActionKind::kForward);
    CHECK(txn->target() == exchange.sent_target);
    CHECK(txn->body() == (exchange.sent_body.empty() ? exchange.body : exchange.sent_body));
    Answer(*txn, 200, exchange.type);
    Decide(*txn, At(1));
    std::string relayed;
    for (size_t at = 0; at < exchange.answer.size(); at += 7) {
      const std::string piece = exchange.answer.substr(at, 7);
      REQUIRE(txn->ResponseBody(piece).ok());
      const Action relay = Decide(*txn, At(2));
      if (relay.relay == Relay::kInput) relayed += piece;
      if (relay.relay == Relay::kView) relayed += txn->body();
    }
    REQUIRE(txn->ResponseEnd().ok());
    const Action done = Decide(*txn, At(3));
    CHECK(done.kind == ActionKind::kDone);
    if (done.relay == Relay::kView) relayed += txn->body();
    CHECK(Used(*txn, "prompt") == exchange.prompt);
    CHECK(Used(*txn, "completion") == exchange.completion);
    CHECK(Used(*txn, "prompt_provenance") == "provider");
    // Only the usage that weir asked for is left out.
    const size_t asked =
        exchange.sent_body.empty() ? 0 : exchange.answer.find("data: {\"choices\":[],");
    if (asked == 0) {
      CHECK(relayed == exchange.answer);
    } else {
      CHECK(relayed == exchange.answer.substr(0, asked) + "data: [DONE]\n\n");
    }
  }
}

TEST_CASE("a retry asks the next backend by its own name for the model") {
  struct Row {
    std::string target, body, second_url, second_target, second_model;
  };
  const Row rows[] = {
      {"/v1/responses", R"({"model":"gpt-5","input":"hi"})", "http://azure.test",
       "/openai/responses?api-version=2024-10-21", "gpt-5"},
      {"/v1/embeddings", R"({"model":"e","input":"hi"})", "http://azure.test",
       "/openai/deployments/e/embeddings?api-version=2024-10-21", "e"},
      {"/team/v1/messages", kMessages, "http://claude2.test", "/v1/messages", "claude-x"},
      {"/v1beta/models/g:streamGenerateContent?alt=sse", R"({"contents":[]})", "http://vertex.test",
       "/v1/projects/p/locations/l/publishers/google/models/g2:streamGenerateContent?alt=sse", ""},
  };
  for (const Row& row : rows) {
    INFO(row.target);
    auto engine = DialectEngine();
    auto txn = Ask(*engine, "vk-red", row.body, row.target);
    // A maximum that is not stated may be any: too much for this limit, so it is stated.
    const Action first = Decide(*txn, At(0));
    if (first.kind == ActionKind::kReply) {
      txn = Ask(*engine, "vk-red",
                row.target.find("models") != std::string::npos
                    ? R"({"contents":[],"generationConfig":{"maxOutputTokens":9}})"
                    : R"({"model":"gpt-5","input":"hi","max_output_tokens":9})",
                row.target);
      REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    }
    Answer(*txn, 503);
    REQUIRE(Decide(*txn, At(1)).kind == ActionKind::kForward);
    CHECK(txn->url() == row.second_url);
    CHECK(txn->target() == row.second_target);
    json::Document sent;
    REQUIRE(sent.Parse(txn->body()));
    CHECK(sent.root()["model"].text() == row.second_model);
  }
}

TEST_CASE("refusals speak the client's dialect") {
  struct Row {
    std::string target, body;
    int status;
    std::string words;
  };
  const std::string google = "/v1beta/models/g:generateContent";
  const Row rows[] = {
      {"/team/v1/messages", R"({"model":"c","messages":[{"role":1}]})", 400,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"Invalid type for )"
       R"('messages.0.role': )"},
      {"/team/v1/messages", R"({"messages":[]})", 400, R"("type":"invalid_request_error")"},
      {"/team/v1/messages", R"({"model":"c","max_tokens":5000,"messages":[]})", 429,
       R"({"type":"error","error":{"type":"rate_limit_error")"},
      {google, R"({"contents":1})", 400, R"("status":"INVALID_ARGUMENT","details":[{"@type")"},
      {google, R"({"contents":[],"generationConfig":{"maxOutputTokens":5000}})", 429,
       R"("status":"RESOURCE_EXHAUSTED")"},
      {"/model/m/converse", R"({"messages":{}})", 400,
       R"({"message":"Invalid type for 'messages')"},
      {"/model/%2E%2E/converse", R"({"messages":[]})", 404, R"({"message":"Invalid URL)"},
      {"/v1/responses", R"({"model":"m","input":{}})", 400, R"("param":"input","code")"},
      {"/v1/messages", "{}", 404, R"({"type":"error","error":{"type":"not_found_error")"},
      {"/v1/models/m:generateContent", "{}", 404, R"("status":"NOT_FOUND")"},
  };
  for (const Row& row : rows) {
    INFO(row.target << ' ' << row.body);
    auto engine = DialectEngine();
    auto txn = Ask(*engine, "vk-red", row.body, row.target);
    const Action reply = Decide(*txn, At(0));
    CHECK(reply.kind == ActionKind::kReply);
    CHECK(reply.status == row.status);
    INFO(txn->body());
    CHECK(txn->body().find(row.words) != std::string_view::npos);
    const bool bedrock = row.target.substr(0, 7) == "/model/";
    REQUIRE((FindEdit(*txn, "x-amzn-errortype") != nullptr) == bedrock);
    if (bedrock) {
      CHECK(FindEdit(*txn, "x-amzn-errortype")->value ==
            (row.status == 404 ? "ResourceNotFoundException" : "ValidationException"));
    }
  }
}

TEST_CASE("a stream that breaks off ends in the dialect's own error") {
  struct Row {
    std::string target, body, type, start, error;
  };
  const std::string delta = std::string(kClaudeStream).substr(0, 120);
  const Row rows[] = {
      {"/team/v1/messages", kMessages, "text/event-stream", delta,
       "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""},
      {"/v1/responses", R"({"model":"m","input":"a","stream":true,"max_output_tokens":9})",
       "text/event-stream", "data: {\"type\":\"response.created\",\"sequence_number\":0}\n\n",
       "event: error\ndata: {\"type\":\"error\",\"sequence_number\":1,"},
      {"/v1beta/models/g:streamGenerateContent?alt=sse",
       R"({"contents":[],"generationConfig":{"maxOutputTokens":9}})", "text/event-stream",
       "data: {\"candidates\":[]}\r\n\r\n", "data: {\"error\":{\"code\":502,"},
  };
  for (const Row& row : rows) {
    INFO(row.target);
    auto engine = DialectEngine();
    auto txn = Ask(*engine, "vk-red", row.body, row.target);
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    Answer(*txn, 200, row.type);
    Decide(*txn, At(1));
    REQUIRE(txn->ResponseBody(row.start).ok());
    Decide(*txn, At(2));
    REQUIRE(txn->ResponseEnd().ok());
    CHECK(Decide(*txn, At(3)).kind == ActionKind::kFinish);
    INFO(txn->body());
    CHECK(txn->body().find(row.error) != std::string_view::npos);
  }
}

TEST_CASE("Bedrock's binary stream is read, and broken off with a frame") {
  std::string stream;
  const auto event = [&](std::string_view type, std::string_view payload) {
    dialects::AppendFrame(&stream, {{":message-type", "event"}, {":event-type", type}}, payload);
  };
  event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"Hi"}})");
  const size_t cut = stream.size();
  event("messageStop", R"({"stopReason":"end_turn"})");
  event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}})");
  const std::string body = R"({"messages":[],"inferenceConfig":{"maxTokens":9}})";
  for (const bool whole : {true, false}) {
    auto engine = DialectEngine();
    auto txn = Ask(*engine, "vk-red", body, "/model/m/converse-stream");
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    CHECK(txn->target() == "/model/us.nova%3A0/converse-stream");
    Answer(*txn, 200, "application/vnd.amazon.eventstream");
    Decide(*txn, At(1));
    REQUIRE(txn->ResponseBody(stream.substr(0, whole ? stream.size() : cut)).ok());
    CHECK(Decide(*txn, At(2)).relay == Relay::kInput);
    REQUIRE(txn->ResponseEnd().ok());
    const Action end = Decide(*txn, At(3));
    CHECK(end.kind == (whole ? ActionKind::kDone : ActionKind::kFinish));
    if (whole) {
      CHECK(Used(*txn, "prompt") == "3");
      CHECK(Used(*txn, "completion") == "2");
    } else {
      dialects::EventStreamReader reader(1 << 20);
      CHECK(reader.Read(txn->body()).frame_end);
      CHECK(reader.frame().exception_type == "internalServerException");
      CHECK(Used(*txn, "completion") == "1");  // "Hi", counted
    }
  }
}

}  // namespace
}  // namespace weir::engine::testing
