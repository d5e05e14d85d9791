#include "base/random.h"
#include "tests/support/catch.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

TEST_CASE("targets") {
  const auto chat = [](Dialect dialect, std::string_view model, std::string_view version) {
    return Target(dialect, Operation::kChat, model, version, false);
  };
  CHECK(chat(Dialect::kOpenAi, "gpt-4o", "2024-10-21") == "/v1/chat/completions");
  CHECK(chat(Dialect::kAzureOpenAi, "gpt-4o", "2024-10-21") ==
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21");
  CHECK(chat(Dialect::kAzureOpenAi, "a/b?c#d %\r\n\xC3\xA9", "") ==
        "/openai/deployments/a%2Fb%3Fc%23d%20%25%0D%0A%C3%A9/chat/completions");
  CHECK(chat(Dialect::kAzureOpenAi, "m", "1&x=2") ==
        "/openai/deployments/m/chat/completions?api-version=1%26x%3D2");
  CHECK(chat(Dialect::kAzureOpenAi, "gpt-4o", "v1") == "/openai/v1/chat/completions");
  // No spelling of a model name walks up the path.
  CHECK(chat(Dialect::kAzureOpenAi, "..", "") == "/openai/deployments/%252E%252E/chat/completions");
  CHECK(chat(Dialect::kAzureOpenAi, ".", "") == "/openai/deployments/%252E/chat/completions");
  CHECK(chat(Dialect::kAzureOpenAi, "gpt-3.5", "") ==
        "/openai/deployments/gpt-3.5/chat/completions");
  CHECK(chat(Dialect::kAnthropic, "claude", "") == "/v1/messages");
  CHECK(chat(Dialect::kGemini, "gemini-2.5-pro", "") ==
        "/v1beta/models/gemini-2.5-pro:generateContent");
  CHECK(chat(Dialect::kGemini, "tunedModels/a b", "v1") == "/v1/tunedModels/a%20b:generateContent");
  CHECK(chat(Dialect::kGemini, "publishers/google/models/../m", "v1") ==
        "/v1/publishers/google/models/%252E%252E/m:generateContent");
  CHECK(chat(Dialect::kBedrock, "amazon.nova-micro-v1:0", "") ==
        "/model/amazon.nova-micro-v1%3A0/converse");
}

TEST_CASE("targets of the other operations, and of streams") {
  CHECK(Target(Dialect::kOpenAi, Operation::kResponses, "m", "", true) == "/v1/responses");
  CHECK(Target(Dialect::kOpenAi, Operation::kEmbeddings, "m", "", false) == "/v1/embeddings");
  CHECK(Target(Dialect::kOpenAi, Operation::kCompletions, "m", "", false) == "/v1/completions");
  CHECK(Target(Dialect::kAzureOpenAi, Operation::kResponses, "m", "1", true) ==
        "/openai/responses?api-version=1");
  CHECK(Target(Dialect::kAzureOpenAi, Operation::kResponses, "m", "v1", true) ==
        "/openai/v1/responses");
  CHECK(Target(Dialect::kAzureOpenAi, Operation::kEmbeddings, "m", "1", false) ==
        "/openai/deployments/m/embeddings?api-version=1");
  CHECK(Target(Dialect::kGemini, Operation::kChat, "m", "v1", true) ==
        "/v1/models/m:streamGenerateContent?alt=sse");
  CHECK(Target(Dialect::kGemini, Operation::kEmbeddings, "m", "", true) ==
        "/v1beta/models/m:embedContent");
  CHECK(Target(Dialect::kBedrock, Operation::kChat, "m", "", true) == "/model/m/converse-stream");
  CHECK(Target(Dialect::kBedrock, Operation::kEmbeddings, "m", "", false) == "/model/m/invoke");
  for (Dialect dialect : {Dialect::kAnthropic, Dialect::kGemini, Dialect::kBedrock}) {
    CHECK(Target(dialect, Operation::kResponses, "m", "", false).empty());
    CHECK(Target(dialect, Operation::kCompletions, "m", "", false).empty());
  }
  CHECK(Target(Dialect::kAnthropic, Operation::kEmbeddings, "m", "", false).empty());
}

TEST_CASE("a target is parsed into what it was made of") {
  const std::string models[] = {"gpt-4o", "a/b?c#d %\r\n\xC3\xA9", "amazon.titan-embed:0", "m:n",
                                "arn:aws:bedrock:us-east-1:1:inference-profile/x"};
  for (Dialect dialect : {Dialect::kOpenAi, Dialect::kAzureOpenAi, Dialect::kAnthropic,
                          Dialect::kGemini, Dialect::kBedrock}) {
    for (Operation operation : {Operation::kChat, Operation::kResponses, Operation::kCompletions,
                                Operation::kEmbeddings}) {
      for (bool stream : {false, true}) {
        for (const std::string& model : models) {
          // A resource name's parts, and what only its name tells to embed.
          if (dialect == Dialect::kGemini && model.find('/') != std::string::npos) continue;
          if (dialect == Dialect::kBedrock && operation == Operation::kEmbeddings &&
              model.find("embed") == std::string::npos) {
            continue;
          }
          const std::string target = Target(dialect, operation, model, "v2", stream);
          if (target.empty()) continue;
          INFO(target);
          for (const std::string prefix : {"", "/team/a"}) {
            const auto parsed = ParseTarget(prefix + target);
            REQUIRE(parsed);
            CHECK(parsed->dialect == dialect);
            CHECK(parsed->operation == operation);
            const bool in_path = ModelInPath(dialect, operation, "v2");
            CHECK(parsed->model == (in_path ? model : ""));
            CHECK((parsed->model_span.end != 0) == in_path);
            CHECK(parsed->own_begin == prefix.size());
            const bool told = dialect == Dialect::kGemini || dialect == Dialect::kBedrock;
            CHECK(parsed->stream == (told && stream && operation == Operation::kChat));
            CHECK(RewriteTarget(prefix + target, *parsed, "") == target);
            if (in_path) {
              CHECK(RewriteTarget(prefix + target, *parsed, "x y") ==
                    Target(dialect, operation, "x y", "v2", stream));
            }
          }
        }
      }
    }
  }
}

struct Row {
  std::string target{};
  Dialect dialect = Dialect::kOpenAi;
  Operation operation = Operation::kChat;
  std::string model{};
  std::string own{};
  bool stream = false, invoke = false;
};

TEST_CASE("targets as clients write them") {
  const std::string vertex = "projects/p/locations/l/publishers/google/models/g:generateContent";
  const Row rows[] = {
      {.target = "/v1/chat/completions", .own = "/v1/chat/completions"},
      {.target = "/chat/completions?x", .own = "/chat/completions"},
      {.target = "/a/b/chat/completions", .own = "/chat/completions"},
      {.target = "/api/v1/completions",
       .operation = Operation::kCompletions,
       .own = "/v1/completions"},
      {.target = "/responses", .operation = Operation::kResponses, .own = "/responses"},
      {.target = "/openai/responses?api-version=1",
       .dialect = Dialect::kAzureOpenAi,
       .operation = Operation::kResponses,
       .own = "/openai/responses"},
      {.target = "/openai/deployments/my%20gpt/embeddings",
       .dialect = Dialect::kAzureOpenAi,
       .operation = Operation::kEmbeddings,
       .model = "my gpt",
       .own = "/openai/deployments/my%20gpt/embeddings"},
      {.target = "/x/v1/messages?beta=true", .dialect = Dialect::kAnthropic, .own = "/v1/messages"},
      {.target = "/v1beta1/" + vertex,
       .dialect = Dialect::kGemini,
       .model = "g",
       .own = "/v1beta1/" + vertex},
      {.target = "/team/" + vertex, .dialect = Dialect::kGemini, .model = "g", .own = "/" + vertex},
      {.target = "/v1/publishers/google/models/g:streamGenerateContent",
       .dialect = Dialect::kGemini,
       .model = "g",
       .own = "/v1/publishers/google/models/g:streamGenerateContent",
       .stream = true},
      {.target = "/v1beta/tunedModels/t:generateContent",
       .dialect = Dialect::kGemini,
       .model = "t",
       .own = "/v1beta/tunedModels/t:generateContent"},
      {.target = "/b/model/arn%3Aaws%3Abedrock%3A%2Fx/invoke-with-response-stream",
       .dialect = Dialect::kBedrock,
       .model = "arn:aws:bedrock:/x",
       .own = "/model/arn%3Aaws%3Abedrock%3A%2Fx/invoke-with-response-stream",
       .stream = true,
       .invoke = true},
  };
  for (const Row& row : rows) {
    INFO(row.target);
    const auto parsed = ParseTarget(row.target);
    REQUIRE(parsed);
    CHECK(parsed->dialect == row.dialect);
    CHECK(parsed->operation == row.operation);
    CHECK(parsed->model == row.model);
    CHECK(parsed->stream == row.stream);
    CHECK(parsed->invoke == row.invoke);
    const size_t end = std::min(row.target.find('?'), row.target.size());
    CHECK(row.target.substr(parsed->own_begin, end - parsed->own_begin) == row.own);
  }
}

TEST_CASE("other targets are none of these operations") {
  for (const char* target :
       {"",
        "/",
        "*",
        "/v1",
        "/v1/models",
        "/v1/chat",
        "/v1/chat/completions/",
        "/completions/x",
        "/v1/responses/r1",
        "/v1/responses/r1/cancel",
        "/evals/e/responses",
        "/v1/messages/batches",
        "/v1/messages/count_tokens",
        "/v1/threads/t/messages",
        "/messages",
        "/v1beta/models/g:countTokens",
        "/v1beta/models/g",
        "/v1beta/models/:generateContent",
        "/v1beta/files/g:generateContent",
        "/model/m/count-tokens",
        "/model//converse",
        "/models/m/converse",
        "/openai/deployments//chat/completions",
        "/openai/deployments/%zz/chat/completions",
        "/openai/deployments/%00/chat/completions",
        "/model/%2E%2E/converse",
        "/model/../converse",
        "/openai/deployments/./completions",
        "/v1/projects/../locations/l/publishers/google/models/g:generateContent",
        "/v1/projects/p%2F..%2Fq/locations/l/publishers/google/models/g:generateContent",
        "/model/a%5C..%5Cb/converse",
        "?/v1/messages",
        "#/v1/messages"}) {
    INFO(target);
    CHECK_FALSE(ParseTarget(target));
  }
}

TEST_CASE("a client's target goes on as it is, without its credentials") {
  const auto rewritten = [](std::string_view target, std::string_view model) {
    const auto parsed = ParseTarget(target);
    REQUIRE(parsed);
    return RewriteTarget(target, *parsed, model);
  };
  const std::string generate = "/v1beta/models/g:generateContent";
  CHECK(rewritten(generate + "?key=secret&alt=sse", "") == generate + "?alt=sse");
  CHECK(rewritten(generate + "?alt=sse&key=secret", "") == generate + "?alt=sse");
  CHECK(rewritten(generate + "?key=secret", "") == generate);
  CHECK(rewritten(generate + "?access_token=s&key&%24alt=json%3Benum-encoding%3Dint&", "") ==
        generate + "?%24alt=json%3Benum-encoding%3Dint&");
  CHECK(rewritten("/x/v1beta/models/g:generateContent?keys=1#f", "new/m") ==
        "/v1beta/models/new%2Fm:generateContent?keys=1");
  CHECK(rewritten("/p/v1/messages?beta=true", "ignored") == "/v1/messages?beta=true");
  CHECK(rewritten("/model/a%3A0/converse", "b:0") == "/model/b%3A0/converse");
}

TEST_CASE("no target breaks the parser, and what it finds lies inside") {
  Random random(3);
  const char* words[] = {"/",           "v1",          "chat",
                         "completions", "model",       "models",
                         ":",           "converse",    "generateContent",
                         "openai",      "deployments", "%2F",
                         "..",          "?",           "key=x",
                         "&",           "%",           "messages",
                         "projects",    "locations",   "publishers",
                         "embeddings"};
  for (int round = 0; round < 50000; ++round) {
    std::string target;
    for (uint64_t n = random.Below(14); n > 0; --n) {
      target += words[random.Below(std::size(words))];
      if (random.Below(3) != 0) target += "/";
    }
    const auto parsed = ParseTarget(target);
    if (!parsed) continue;
    REQUIRE(parsed->own_begin < target.size());
    REQUIRE(parsed->model_span.end <= target.size());
    const std::string next = RewriteTarget(target, *parsed, "x");
    INFO(target << ' ' << next);
    REQUIRE(next[0] == '/');
    REQUIRE(next.find("?key=") == std::string::npos);
    REQUIRE(next.find("&key=") == std::string::npos);
    const auto again = ParseTarget(next);
    REQUIRE(again);
    CHECK(again->operation == parsed->operation);
    CHECK(again->model == (parsed->model.empty() ? "" : "x"));
    CHECK(again->own_begin == 0);
  }
}

TEST_CASE("a rewrite with places of another target is empty, never out of bounds") {
  const auto parsed = ParseTarget("/v1beta/models/a-long-name:generateContent");
  REQUIRE(parsed);
  CHECK(RewriteTarget("/v1", *parsed, "m").empty());
  CHECK(RewriteTarget("", *parsed, "m").empty());
}

}  // namespace
}  // namespace weir::dialects
