#include <limits>

#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

Response ReadChat(std::string_view body) {
  return ReadResponse(Dialect::kOpenAi, Operation::kChat, body);
}

using testing::ResponseFixtures;

Usage UsageOf(const std::string& members) {
  return ReadChat("{\"usage\":{" + members + "}}").usage;
}

TEST_CASE("a whole answer: usage, model, texts of each choice and kind") {
  const Response response = ReadChat(ResponseFixtures()[0]);
  CHECK(response.usage == testing::kFixtureUsage);
  CHECK(response.model == "test-4-2024");
  CHECK_FALSE(response.error);
  CHECK(response.texts == std::vector<std::string>{"Hello", "sum", "{\"x\":1}", "mul", "{}", "No"});
}

TEST_CASE("answers of compatible servers") {
  const Response response = ReadChat(ResponseFixtures()[1]);
  CHECK(response.usage == Usage{.prompt = 1, .completion = 2, .reported_total = 3});
  CHECK(response.texts == std::vector<std::string>{"ab", "hm", "f", "{\"x\":1}"});
  // Two names for the same thoughts are counted once.
  CHECK(
      ReadChat(R"({"choices":[{"message":{"reasoning":"hm","reasoning_content":"hm"}}]})").texts ==
      std::vector<std::string>{"hm"});
}

TEST_CASE("error bodies state nothing and say so") {
  const Response response = ReadChat(ResponseFixtures()[2]);
  CHECK(response.error);
  CHECK(response.usage == Usage{});
  CHECK(ReadChat(R"({"error":"boom"})").error);
  CHECK_FALSE(ReadChat(R"({"error":null,"choices":[]})").error);
  CHECK_FALSE(ReadChat("<html>500</html>").error);
}

TEST_CASE("an unreadable body states nothing") {
  for (const std::string& body :
       {std::string(), std::string("<html>"), std::string("[]"), std::string("1"),
        std::string("{\"usage\":{\"prompt_tokens\":1}"), std::string("{}\0", 3),
        std::string("{\"model\":\"\xff\"}"), std::string(1000000, '[')}) {
    const Response response = ReadChat(body);
    CHECK(response.usage == Usage{});
    CHECK(response.model.empty());
    CHECK(response.texts.empty());
  }
}

TEST_CASE("usage that cannot be is flagged and dropped, never booked") {
  const std::string huge_digits(400, '9');
  for (const std::string& bad :
       {std::string("-1"), std::string("1.5"), std::string("5.0"), std::string("\"2147483647\""),
        std::string("9223372036854775807"), std::string("18446744073709551616"),
        std::string("1e400"), std::string("-1e400"), std::string("1e3"), std::string("-0"),
        huge_digits, std::string("true"), std::string("[]"), std::string("{}"),
        std::to_string(kMaxTokens + 1)}) {
    INFO(bad);
    const Usage usage = UsageOf("\"prompt_tokens\":" + bad + ",\"completion_tokens\":7");
    CHECK(usage == Usage{.completion = 7, .anomaly = true});
    CHECK(UsageOf("\"completion_tokens\":" + bad) == Usage{.anomaly = true});
    CHECK(UsageOf("\"total_tokens\":" + bad) == Usage{.anomaly = true});
    CHECK(UsageOf("\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":" + bad +
                  "}") == Usage{.prompt = 9, .anomaly = true});
  }
  CHECK(UsageOf("\"prompt_tokens\":" + std::to_string(kMaxTokens)) == Usage{.prompt = kMaxTokens});
  CHECK(UsageOf("\"prompt_tokens\":null,\"completion_tokens\":0") == Usage{.completion = 0});
  CHECK(UsageOf("\"foo\":0,\"bar\":0") == Usage{});
  for (const char* junk : {"1", "\"x\"", "[]", "true"}) {
    CHECK(ReadChat("{\"usage\":" + std::string(junk) + "}").usage == Usage{.anomaly = true});
  }
  CHECK(ReadChat("{\"usage\":null}").usage == Usage{});
  CHECK(ReadChat("{\"usage\":NaN}").usage == Usage{});  // not JSON
}

TEST_CASE("a part is never more than its whole") {
  CHECK(UsageOf(R"("prompt_tokens":293,"prompt_tokens_details":{"cached_tokens":387})") ==
        Usage{.prompt = 293, .cached = 293, .anomaly = true});
  CHECK(UsageOf(R"("completion_tokens_details":{"reasoning_tokens":11},"completion_tokens":10)") ==
        Usage{.completion = 10, .reasoning = 10, .anomaly = true});
  CHECK(UsageOf(R"("completion_tokens_details":{"reasoning_tokens":10},"completion_tokens":10)") ==
        Usage{.completion = 10, .reasoning = 10});
  CHECK(UsageOf(R"("prompt_tokens_details":{"cached_tokens":5})") == Usage{});
  CHECK(UsageOf(R"("prompt_tokens":1,"prompt_tokens_details":7)") ==
        Usage{.prompt = 1, .anomaly = true});
}

TEST_CASE("of a repeated key the last one counts, as for clients") {
  CHECK(UsageOf(R"("prompt_tokens":1,"prompt_tokens":2)") == Usage{.prompt = 2});
  CHECK(ReadChat(R"({"usage":{"prompt_tokens":1},"usage":null})").usage == Usage{});
}

TEST_CASE("answers with every field of every other type are read or passed over") {
  for (const std::string& body : ResponseFixtures()) {
    testing::ForEachSwap(body, [](const std::string& path, const std::string& swapped) {
      INFO(path << ' ' << swapped);
      const Response response = ReadChat(swapped);
      REQUIRE(IsSane(response.usage));
      for (const std::string& text : response.texts) REQUIRE_FALSE(text.empty());
    });
  }
}

TEST_CASE("mutated and truncated answers never break the reader") {
  Random random(7);
  for (const std::string& body : ResponseFixtures()) {
    for (size_t cut = 0; cut < body.size(); ++cut) {
      REQUIRE(ReadChat(body.substr(0, cut)).usage == Usage{});
    }
    for (int round = 0; round < 3000; ++round) {
      std::string mutated = body;
      for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
        mutated[random.Below(mutated.size())] = static_cast<char>(random.Below(256));
      }
      REQUIRE(IsSane(ReadChat(mutated).usage));
    }
  }
}

}  // namespace
}  // namespace weir::dialects
