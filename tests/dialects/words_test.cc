#include "base/json.h"
#include "tests/support/catch.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

TEST_CASE("names go both ways") {
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAzureOpenAi}) {
    CHECK(DialectFromName(DialectName(dialect)) == dialect);
  }
  CHECK_FALSE(DialectFromName("OpenAI"));
  CHECK_FALSE(DialectFromName(""));
  CHECK(ProvenanceName(Provenance::kExact) == "exact");
  CHECK(ProvenanceName(Provenance::kProvider) == "provider");
  CHECK(ProvenanceName(Provenance::kEstimated) == "estimated");
  CHECK(ProvenanceName(Provenance::kUpperBound) == "upper_bound");
}

TEST_CASE("errors have exactly OpenAI's shape") {
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAzureOpenAi}) {
    CHECK(ErrorBody(dialect, "Too many", "rate_limit_error", "", "rate_limit_exceeded") ==
          R"({"error":{"message":"Too many","type":"rate_limit_error","param":null,)"
          R"("code":"rate_limit_exceeded"}})");
    CHECK(ErrorBody(dialect, "a \"b\"\n", "invalid_request_error", "messages[0].role", "") ==
          R"({"error":{"message":"a \"b\"\n","type":"invalid_request_error",)"
          R"("param":"messages[0].role","code":null}})");
  }
}

TEST_CASE("error bodies are JSON whatever they quote") {
  for (const std::string& quoted :
       {std::string("\xff\xfe"), std::string("a\0b", 3), std::string("\xED\xA0\x80"),
        std::string("\r\n\r\ndata: x"), std::string("</script>\x7f\x01")}) {
    json::Document document;
    REQUIRE(document.Parse(ErrorBody(Dialect::kOpenAi, quoted, quoted, quoted, quoted)));
    CHECK(document.root()["error"].size() == 4);
    const std::string event = ErrorEvent(Dialect::kOpenAi, quoted, quoted, quoted);
    CHECK(event.find_first_of("\r\n") == event.size() - 2);
  }
}

TEST_CASE("an error event ends a stream in a way that readers notice") {
  const std::string event = ErrorEvent(Dialect::kOpenAi, "stopped", "server_error", "");
  CHECK(event ==
        "data: {\"error\":{\"message\":\"stopped\",\"type\":\"server_error\",\"param\":null,"
        "\"code\":null}}\n\n");
  auto reader = ChatStreamReader::Create();
  std::string relay;
  reader->Feed(event, &relay);
  CHECK(reader->saw_error());
  CHECK(relay == event);
}

TEST_CASE("targets") {
  CHECK(ChatTarget(Dialect::kOpenAi, "gpt-4o", "2024-10-21") == "/v1/chat/completions");
  CHECK(ChatTarget(Dialect::kAzureOpenAi, "gpt-4o", "2024-10-21") ==
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21");
  CHECK(ChatTarget(Dialect::kAzureOpenAi, "a/b?c#d %\r\n\xC3\xA9", "") ==
        "/openai/deployments/a%2Fb%3Fc%23d%20%25%0D%0A%C3%A9/chat/completions");
  CHECK(ChatTarget(Dialect::kAzureOpenAi, "m", "1&x=2") ==
        "/openai/deployments/m/chat/completions?api-version=1%26x%3D2");
  // No spelling of a model name walks up the path.
  CHECK(ChatTarget(Dialect::kAzureOpenAi, "..", "") ==
        "/openai/deployments/%252E%252E/chat/completions");
  CHECK(ChatTarget(Dialect::kAzureOpenAi, ".", "") == "/openai/deployments/%252E/chat/completions");
  CHECK(ChatTarget(Dialect::kAzureOpenAi, "gpt-3.5", "") ==
        "/openai/deployments/gpt-3.5/chat/completions");
}

}  // namespace
}  // namespace weir::dialects
