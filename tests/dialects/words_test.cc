#include "base/json.h"
#include "base/time.h"
#include "dialects/event_stream.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"

namespace weir::dialects {
namespace {

constexpr Dialect kDialects[] = {Dialect::kOpenAi, Dialect::kAzureOpenAi, Dialect::kAnthropic,
                                 Dialect::kGemini, Dialect::kBedrock};
constexpr Operation kOperations[] = {Operation::kChat, Operation::kResponses,
                                     Operation::kCompletions, Operation::kEmbeddings};

TEST_CASE("names go both ways") {
  for (Dialect dialect : kDialects) CHECK(DialectFromName(DialectName(dialect)) == dialect);
  CHECK_FALSE(DialectFromName("OpenAI"));
  CHECK_FALSE(DialectFromName(""));
  CHECK(OperationName(Operation::kChat) == "chat");
  CHECK(OperationName(Operation::kEmbeddings) == "embeddings");
  CHECK(ProvenanceName(Provenance::kExact) == "exact");
  CHECK(ProvenanceName(Provenance::kProvider) == "provider");
  CHECK(ProvenanceName(Provenance::kEstimated) == "estimated");
  CHECK(ProvenanceName(Provenance::kUpperBound) == "upper_bound");
}

TEST_CASE("errors have exactly the dialect's shape") {
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAzureOpenAi}) {
    CHECK(ErrorBody(dialect, {.status = 429,
                              .message = "Too many",
                              .type = "rate_limit_error",
                              .code = "rate_limit_exceeded"}) ==
          R"({"error":{"message":"Too many","type":"rate_limit_error","param":null,)"
          R"("code":"rate_limit_exceeded"}})");
    CHECK(
        ErrorBody(dialect, {.status = 400, .message = "a \"b\"\n", .param = "messages[0].role"}) ==
        R"({"error":{"message":"a \"b\"\n","type":"invalid_request_error",)"
        R"("param":"messages[0].role","code":null}})");
  }
  const ErrorWords words = {
      .status = 429, .message = "Too many", .type = "tokens", .code = "rate_limit_exceeded"};
  CHECK(ErrorBody(Dialect::kAnthropic, words) ==
        R"({"type":"error","error":{"type":"rate_limit_error","message":"Too many"}})");
  CHECK(ErrorBody(Dialect::kGemini, words) ==
        R"({"error":{"code":429,"message":"Too many","status":"RESOURCE_EXHAUSTED"}})");
  CHECK(ErrorBody(Dialect::kBedrock, words) == R"({"message":"Too many"})");
  CHECK(ErrorBody(Dialect::kGemini, {.status = 400,
                                     .message = "m",
                                     .param = "contents[0].role",
                                     .retry_after_ns = 34400 * kMillisecond}) ==
        R"({"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[)"
        R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
        R"({"field":"contents[0].role","description":"m"}]},)"
        R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.400s"}]}})");
}

TEST_CASE("an error's type follows its status") {
  struct Row {
    int status;
    const char *openai, *anthropic, *gemini, *bedrock;
  };
  const Row rows[] = {
      {400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT",
       "ValidationException"},
      {401, "invalid_request_error", "authentication_error", "UNAUTHENTICATED",
       "AccessDeniedException"},
      {403, "invalid_request_error", "permission_error", "PERMISSION_DENIED",
       "AccessDeniedException"},
      {404, "invalid_request_error", "not_found_error", "NOT_FOUND", "ResourceNotFoundException"},
      {413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT",
       "ValidationException"},
      {418, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT",
       "ValidationException"},
      {429, "invalid_request_error", "rate_limit_error", "RESOURCE_EXHAUSTED",
       "ThrottlingException"},
      {500, "server_error", "api_error", "INTERNAL", "InternalServerException"},
      {502, "server_error", "api_error", "INTERNAL", "InternalServerException"},
      {503, "server_error", "overloaded_error", "UNAVAILABLE", "ServiceUnavailableException"},
      {504, "server_error", "timeout_error", "DEADLINE_EXCEEDED", "InternalServerException"},
      {529, "server_error", "overloaded_error", "INTERNAL", "InternalServerException"},
  };
  for (const Row& row : rows) {
    INFO(row.status);
    CHECK(ErrorType(Dialect::kOpenAi, row.status) == row.openai);
    CHECK(ErrorType(Dialect::kAzureOpenAi, row.status) == row.openai);
    CHECK(ErrorType(Dialect::kAnthropic, row.status) == row.anthropic);
    CHECK(ErrorType(Dialect::kGemini, row.status) == row.gemini);
    CHECK(ErrorType(Dialect::kBedrock, row.status) == row.bedrock);
  }
}

TEST_CASE("error bodies are JSON whatever they quote") {
  for (const std::string& quoted :
       {std::string("\xff\xfe"), std::string("a\0b", 3), std::string("\xED\xA0\x80"),
        std::string("\r\n\r\ndata: x"), std::string("</script>\x7f\x01")}) {
    const ErrorWords words = {
        .status = 400, .message = quoted, .type = quoted, .param = quoted, .code = quoted};
    for (Dialect dialect : kDialects) {
      json::Document document;
      REQUIRE(document.Parse(ErrorBody(dialect, words)));
      if (dialect == Dialect::kBedrock) continue;
      for (Operation operation : kOperations) {
        const std::string event = ErrorEvent(dialect, operation, words, 0);
        const size_t end = dialect == Dialect::kGemini ? 4 : 2;
        const size_t data = event.find("data: ");
        CHECK(event.find_first_of("\r\n", data) == event.size() - end);
        REQUIRE(document.Parse(event.substr(data + 6)));
      }
    }
  }
}

TEST_CASE("an error event is one event, and this stream's own reader notices it") {
  const ErrorWords words = {
      .status = 502, .message = "stopped", .type = "server_error", .code = "broken"};
  CHECK(ErrorEvent(Dialect::kOpenAi, Operation::kChat, words, 7) ==
        "data: {\"error\":{\"message\":\"stopped\",\"type\":\"server_error\",\"param\":null,"
        "\"code\":\"broken\"}}\n\n");
  CHECK(ErrorEvent(Dialect::kOpenAi, Operation::kResponses, words, 7) ==
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,\"code\":\"broken\","
        "\"message\":\"stopped\",\"param\":null,\"error\":{\"message\":\"stopped\",\"type\":"
        "\"server_error\",\"param\":null,\"code\":\"broken\"}}\n\n");
  CHECK(ErrorEvent(Dialect::kAnthropic, Operation::kChat, words, 7) ==
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"
        "\"stopped\"}}\n\n");
  CHECK(ErrorEvent(Dialect::kGemini, Operation::kChat, words, 7) ==
        "data: {\"error\":{\"code\":502,\"message\":\"stopped\",\"status\":\"INTERNAL\"}}"
        "\r\n\r\n");
  for (Dialect dialect : kDialects) {
    for (Operation operation : kOperations) {
      INFO(DialectName(dialect) << ' ' << OperationName(operation));
      const std::string event = ErrorEvent(dialect, operation, words, 7);
      auto reader = StreamReader::Create(dialect, operation);
      std::string relay;
      reader->Feed(event, &relay);
      reader->End(&relay);
      CHECK(reader->saw_error());
      CHECK(reader->events() == 1);
      CHECK(relay == event);
    }
  }
}

TEST_CASE("Bedrock's error is a frame of its event stream") {
  const auto exception = [](int status) {
    const std::string event =
        ErrorEvent(Dialect::kBedrock, Operation::kChat, {.status = status, .message = "m"}, 0);
    EventStreamReader reader(kMaxEventBytes);
    const EventStreamReader::Progress progress = reader.Read(event);
    REQUIRE(progress.frame_end);
    CHECK(progress.consumed == event.size());
    CHECK_FALSE(reader.frame().unreadable);
    CHECK(reader.frame().message_type == "exception");
    CHECK(reader.frame().payload == R"({"message":"m"})");
    return std::string(reader.frame().exception_type);
  };
  CHECK(exception(400) == "validationException");
  CHECK(exception(424) == "modelStreamErrorException");
  CHECK(exception(429) == "throttlingException");
  CHECK(exception(502) == "internalServerException");
  CHECK(exception(503) == "serviceUnavailableException");
}

struct ErrorRow {
  Dialect dialect = Dialect::kOpenAi;
  std::string body{};
  ProviderError error{};
};

bool Same(const ProviderError& a, const ProviderError& b) {
  return a.message == b.message && a.type == b.type && a.code == b.code && a.param == b.param &&
         a.retry_after_ns == b.retry_after_ns;
}

TEST_CASE("providers' errors are read") {
  const ErrorRow rows[] = {
      {.body = R"({"error":{"message":"no","type":"t","param":"p","code":"c"}})",
       .error = {"no", "t", "c", "p", {}}},
      {.body = R"({"error":{"message":"no","type":null,"param":null,"code":429}})",
       .error = {"no", "", "429", "", {}}},
      {.body = R"({"error":"model not found"})", .error = {"model not found", "", "", "", {}}},
      {.body = R"({"object":"error","message":"m","type":"Bad","code":400})",
       .error = {"m", "Bad", "400", "", {}}},
      {.body = R"({"detail":"Not Found"})", .error = {"Not Found", "", "", "", {}}},
      {.dialect = Dialect::kAzureOpenAi,
       .body = R"({"statusCode":429,"message":"wait"})",
       .error = {"wait", "", "429", "", {}}},
      {.dialect = Dialect::kAnthropic,
       .body = R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},
                   "request_id":"r"})",
       .error = {"Overloaded", "overloaded_error", "", "", {}}},
      {.dialect = Dialect::kGemini,
       .body = R"([{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[
                   {"@type":"x","violations":[{}]},{"@type":"y","retryDelay":"34.4s"},
                   {"fieldViolations":[{"field":"contents"}]}]}}])",
       .error = {"m", "RESOURCE_EXHAUSTED", "429", "contents", 34400 * kMillisecond}},
      {.dialect = Dialect::kBedrock, .body = R"({"message":"m"})", .error = {"m", "", "", "", {}}},
      {.dialect = Dialect::kBedrock,
       .body = R"({"__type":"com.amazon.coral.service#UnrecognizedClientException:http://x",
                   "Message":"m"})",
       .error = {"m", "UnrecognizedClientException", "", "", {}}},
      {.body = "<html>502</html>", .error = {}},
      {.body = "", .error = {}},
      {.body = "[]", .error = {}},
      {.body = R"([1])", .error = {}},
      {.body = R"({"error":null,"message":[]})", .error = {}},
  };
  for (const ErrorRow& row : rows) {
    INFO(row.body);
    CHECK(Same(ReadError(row.dialect, row.body), row.error));
  }
}

TEST_CASE("waits are read as Google spells them") {
  const auto wait = [](const std::string& delay) {
    return ReadError(Dialect::kGemini, R"({"error":{"details":[{"retryDelay":")" + delay + "\"}]}}")
        .retry_after_ns;
  };
  CHECK(wait("0s") == 0);
  CHECK(wait("1.000000001s") == kSecond + 1);
  CHECK(wait("99999999999999999999s") == std::nullopt);
  CHECK(wait("9999999999999999999s") == INT64_MAX);
  for (const char* odd : {"", "s", "1", "-1s", "1.s", ".5s", "1.0000000001s", "1,5s", "1ms"}) {
    INFO(odd);
    CHECK(wait(odd) == std::nullopt);
  }
}

TEST_CASE("what weir says it also reads") {
  const ErrorWords words = {.status = 429, .message = "m", .retry_after_ns = kSecond};
  for (Dialect dialect : kDialects) {
    const ProviderError error = ReadError(dialect, ErrorBody(dialect, words));
    CHECK(error.message == "m");
    if (dialect != Dialect::kBedrock) CHECK(error.type == ErrorType(dialect, 429));
    CHECK(error.retry_after_ns.has_value() == (dialect == Dialect::kGemini));
  }
}

TEST_CASE("recorded errors are read, and no mutation of them breaks the reader") {
  const std::pair<const char*, Dialect> files[] = {
      {"anthropic/ruby_llm__chat_real_error_scenarios_anthropic_claude_haiku_4_5_handl_0.json",
       Dialect::kAnthropic},
      {"gemini/vercel__gemini_429_retry_info.json", Dialect::kGemini},
      {"bedrock/ruby_llm__chat_error_handling_with_bedrock_amazon_nova_2_lite_v1_0_r_0.json",
       Dialect::kBedrock},
      {"openai_chat/dd-trace-py__chat_completion_error_0.json", Dialect::kOpenAi},
      {"openai_completions/ai-gateway__completion_unknown_model_0.json", Dialect::kOpenAi},
      {"compat/pydantic-ai__test_openrouter_errors_raised_0.json", Dialect::kOpenAi},
  };
  for (const auto& each : files) {
    const auto file = each.first;
    const Dialect dialect = each.second;
    const auto body = weir::testing::SharedData("streams/" + std::string(file));
    if (!body) return;
    INFO(file);
    const ProviderError error = ReadError(dialect, *body);
    CHECK(error.message.size() > 10);
    CHECK((dialect == Dialect::kBedrock || !error.type.empty() || error.code == "429"));
    if (dialect == Dialect::kGemini) CHECK(error.retry_after_ns == 34400 * kMillisecond);
    testing::ForEachSwap(*body, [&](const std::string&, const std::string& swapped) {
      ReadError(dialect, swapped);
    });
  }
}

}  // namespace
}  // namespace weir::dialects
