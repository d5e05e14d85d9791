#include "tests/dialects/edit_twin.h"
#include "tests/dialects/request_fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::AllRequestFixtures;
using testing::LeavesOf;
using testing::RequestFixture;
using testing::TwinEdit;

Request Read(const RequestFixture& fixture) {
  auto request = ReadRequest(fixture.dialect, fixture.operation, fixture.target, fixture.body);
  INFO(request.status().ToString());
  REQUIRE(request.ok());
  return *std::move(request);
}

Request ReadAgain(const RequestFixture& fixture, std::string_view body) {
  RequestFixture changed = fixture;
  changed.body = std::string(body);
  return Read(changed);
}

std::string Rewrite(const RequestFixture& fixture, const Edits& edits) {
  return RewriteRequest(fixture.body, Read(fixture), edits);
}

std::string RewriteChat(std::string body, const Edits& edits) {
  return Rewrite({.body = std::move(body)}, edits);
}

// `rewritten` is `body` with one run of bytes replaced or inserted.
bool DiffersInOneRun(std::string_view body, std::string_view rewritten, size_t longest_removed) {
  size_t prefix = 0;
  while (prefix < std::min(body.size(), rewritten.size()) && body[prefix] == rewritten[prefix]) {
    ++prefix;
  }
  size_t suffix = 0;
  while (suffix < std::min(body.size(), rewritten.size()) - prefix &&
         body[body.size() - 1 - suffix] == rewritten[rewritten.size() - 1 - suffix]) {
    ++suffix;
  }
  return body.size() - prefix - suffix <= longest_removed;
}

size_t Size(Span span) { return span.end - span.begin; }

// Each edit alone is the twin's and one run of bytes; together they are the twin's, the same bytes
// as one after the other would leave, and doing them again changes nothing.
void CheckRewrites(const RequestFixture& fixture) {
  const std::string& body = fixture.body;
  const Request request = Read(fixture);
  for (const std::string& model : {std::string("gpt-4o"), std::string("a \"b\"\n\xC3\xA9")}) {
    const std::string with_model = Rewrite(fixture, {.model = model});
    CHECK(LeavesOf(with_model) == TwinEdit(body, request, {.model = model}));
    CHECK(DiffersInOneRun(body, with_model, Size(request.model_value)));

    const std::string with_usage = Rewrite(fixture, {.want_usage = true});
    CHECK(LeavesOf(with_usage) == TwinEdit(body, request, {.want_usage = true}));
    CHECK(DiffersInOneRun(body, with_usage, 5));

    const Edits most = {.max_output_tokens = 77};
    const std::string with_most = Rewrite(fixture, most);
    CHECK(LeavesOf(with_most) == TwinEdit(body, request, most));
    if (request.older_max_output_value.end == 0 || request.max_output_value.end == 0) {
      CHECK(DiffersInOneRun(body, with_most,
                            std::max({Size(request.max_output_value), size_t{4},
                                      Size(request.older_max_output_value)})));
    }

    const Edits all = {.model = model, .want_usage = true, .max_output_tokens = 77};
    const std::string edited = Rewrite(fixture, all);
    INFO(edited);
    CHECK(LeavesOf(edited) == TwinEdit(body, request, all));
    const Request again = ReadAgain(fixture, edited);
    CHECK(RewriteRequest(edited, again, all) == edited);
    if (again.max_output_value.end + again.older_max_output_value.end != 0) {
      CHECK(again.max_output_tokens == 77);
    }
    const std::string step = RewriteRequest(with_model, ReadAgain(fixture, with_model), most);
    const std::string both = RewriteRequest(step, ReadAgain(fixture, step), {.want_usage = true});
    CHECK(LeavesOf(both) == LeavesOf(edited));
    CHECK(both.size() == edited.size());
  }
}

TEST_CASE("a rewrite changes the edited paths and no other byte") {
  for (const RequestFixture& fixture : AllRequestFixtures()) {
    INFO(fixture.target << ' ' << fixture.body);
    CheckRewrites(fixture);
  }
}

TEST_CASE("nothing to edit, nothing changed") {
  for (const RequestFixture& fixture : AllRequestFixtures()) {
    const Request request = Read(fixture);
    CHECK(Rewrite(fixture, {}) == fixture.body);
    CHECK(Rewrite(fixture, {.model = request.body_model}) == fixture.body);
    CHECK(Rewrite(fixture, {.max_output_tokens = request.max_output_tokens}) == fixture.body);
  }
  const std::string asked =
      R"({"stream":true,"messages":[],"stream_options":{"include_usage":true}})";
  CHECK(RewriteChat(asked, {.want_usage = true}) == asked);
  const std::string whole = R"({"stream":false,"messages":[]})";
  CHECK(RewriteChat(whole, {.want_usage = true}) == whole);
}

TEST_CASE("edits as they look") {
  const Edits both = {.model = "m", .want_usage = true};
  CHECK(RewriteChat(R"({"messages":[]})", both) == R"({"model":"m","messages":[]})");
  CHECK(RewriteChat(R"({"model" : "a\u0062","messages":[]})", both) ==
        R"({"model" : "m","messages":[]})");
  CHECK(RewriteChat(R"({"messages":[],"stream":true})", both) ==
        R"({"model":"m","stream_options":{"include_usage":true},"messages":[],"stream":true})");
  CHECK(RewriteChat(R"({"stream_options":{ },"messages":[],"stream":true,"model":"a"})", both) ==
        R"({"stream_options":{"include_usage":true },"messages":[],"stream":true,"model":"m"})");
  CHECK(
      RewriteChat(R"({"stream_options":{"include_usage":null,"x":1},"messages":[],"stream":true})",
                  {.want_usage = true}) ==
      R"({"stream_options":{"include_usage":true,"x":1},"messages":[],"stream":true})");
  const Edits most = {.max_output_tokens = 9};
  CHECK(RewriteChat(R"({"messages":[],"max_tokens":50})", most) ==
        R"({"messages":[],"max_tokens":9})");
  CHECK(RewriteChat(R"({"messages":[],"max_tokens":50,"max_completion_tokens":null})", most) ==
        R"({"messages":[],"max_tokens":9,"max_completion_tokens":null})");
  CHECK(RewriteChat(R"({"messages":[],"max_tokens":50,"max_completion_tokens":60})", most) ==
        R"({"messages":[],"max_tokens":9,"max_completion_tokens":9})");
  CHECK(RewriteChat(R"({"messages":[],"max_tokens":null})", most) ==
        R"({"messages":[],"max_tokens":9})");
  CHECK(RewriteChat(R"({"messages":[]})", most) == R"({"max_completion_tokens":9,"messages":[]})");
}

TEST_CASE("edits of other dialects as they look") {
  const Edits all = {.model = "m", .want_usage = true, .max_output_tokens = 9};
  CHECK(Rewrite({.operation = Operation::kResponses, .body = "{ }"}, all) ==
        R"({"model":"m","max_output_tokens":9 })");
  CHECK(Rewrite({.operation = Operation::kCompletions, .body = R"({"stream":true})"}, all) ==
        R"({"model":"m","stream_options":{"include_usage":true},"max_tokens":9,"stream":true})");
  CHECK(Rewrite({.operation = Operation::kEmbeddings, .body = R"({"input":""})"}, all) ==
        R"({"model":"m","input":""})");
  CHECK(Rewrite({.dialect = Dialect::kAnthropic, .body = R"({"messages":[],"stream":true})"},
                all) == R"({"model":"m","max_tokens":9,"messages":[],"stream":true})");
  const RequestFixture gemini = {.dialect = Dialect::kGemini, .target = testing::kGenerate};
  const auto google = [&](std::string body) {
    RequestFixture fixture = gemini;
    fixture.body = std::move(body);
    return Rewrite(fixture, all);
  };
  CHECK(google(R"({"contents":[]})") ==
        R"({"generationConfig":{"maxOutputTokens":9},"contents":[]})");
  CHECK(google(R"({"contents":[],"generationConfig":{"topP":1}})") ==
        R"({"contents":[],"generationConfig":{"maxOutputTokens":9,"topP":1}})");
  CHECK(google(R"({"contents":[],"generation_config":null})") ==
        R"({"contents":[],"generation_config":{"max_output_tokens":9}})");
  CHECK(google(R"({"contents":[],"generationConfig":{"max_output_tokens":"80"}})") ==
        R"({"contents":[],"generationConfig":{"max_output_tokens":9}})");
  CHECK(Rewrite({.dialect = Dialect::kBedrock, .target = testing::kConverse, .body = "{}"}, all) ==
        R"({"inferenceConfig":{"maxTokens":9}})");
  CHECK(Rewrite({.dialect = Dialect::kBedrock, .target = "/model/m/invoke", .body = "{}"}, all) ==
        "{}");
  CHECK(Rewrite({.dialect = Dialect::kBedrock,
                 .target = "/model/m/invoke",
                 .body = R"({"max_gen_len":5})"},
                all) == R"({"max_gen_len":9})");
}

// Whatever a request can say between and around the members that are edited.
std::string RandomBody(Random* random) {
  const auto pick = [&](std::initializer_list<const char*> options) {
    return std::string(options.begin()[random->Below(options.size())]);
  };
  const auto blank = [&] { return pick({"", "", " ", "\n\t ", "\r\n"}); };
  std::vector<std::string> members = {
      Concat({"\"messages\"", blank(), ":", blank(), pick({"[]", "[ ]"})}),
      pick({"\"input\":\"model stream_options {\"", "\"input\": [ ]"}),
      pick({"\"contents\":[]", "\"contents\": [{\"parts\":[{\"text\":\"generationConfig\"}]} ]"}),
      pick({"\"content\":{}", "\"content\":{\"parts\":[ ]}"}),
      Concat({"\"stream\":", pick({"true", "true", "true", "false", "null"})}),
      Concat({"\"x\":", pick({"1e400", "-0.0", "{\"model\":\"z\"}", "[[],{}]", "\"}\""})})};
  const auto maybe = [&](std::string member) {
    if (random->Below(3) != 0) members.push_back(std::move(member));
  };
  maybe(Concat({pick({"\"model\"", "\"mod\\u0065l\""}), blank(), ":", blank(),
                pick({"\"a\"", "\"\"", "null", "\"\\\"}{\\\\\"", "\"\\u00e9\""})}));
  maybe(
      Concat({"\"stream_options\":", blank(),
              pick({"null", "{}", "{ }", "{\"include_usage\":false}",
                    "{ \"x\" : {\"include_usage\":1} }", "{\"include_usage\" : null }",
                    "{\"x\":[{}],\"include\\u005fusage\":false\n}", "{\"include_usage\":true}"})}));
  maybe(Concat({"\"max_tokens\"", blank(), ":", pick({"1", "null", "4096"})}));
  maybe(Concat({"\"max_completion\\u005ftokens\":", blank(), pick({"1", "null", "4096"})}));
  maybe(Concat({"\"max_output_tokens\":", pick({"1", "null", "4096"})}));
  maybe(Concat(
      {pick({"\"generationConfig\"", "\"generation_config\"", "\"g\\u0065nerationConfig\""}), ":",
       pick({"null", "{}", "{ \"topP\":1}", "{\"maxOutputTokens\":5}",
             "{\"x\":[],\"max_output_tokens\" : null }", "{\"maxOutputTokens\":\"5\"}"})}));
  maybe(Concat({"\"inferenceConfig\":", blank(),
                pick({"null", "{}", "{ \"topP\":1}", "{\"maxTokens\":5}"})}));
  std::string body = Concat({blank(), "{", blank()});
  while (!members.empty()) {
    const size_t at = random->Below(members.size());
    body += members[at] + blank();
    members.erase(members.begin() + static_cast<ptrdiff_t>(at));
    if (!members.empty()) body += Concat({",", blank()});
  }
  return Concat({body, "}", blank()});
}

TEST_CASE("random requests: only the edited paths change") {
  Random random(9);
  const RequestFixture kinds[] = {
      {},
      {.operation = Operation::kResponses},
      {.operation = Operation::kCompletions},
      {.operation = Operation::kEmbeddings},
      {.dialect = Dialect::kAzureOpenAi, .target = testing::kDeployment},
      {.dialect = Dialect::kAnthropic},
      {.dialect = Dialect::kGemini, .target = testing::kGenerate},
      {.dialect = Dialect::kGemini, .operation = Operation::kEmbeddings},
      {.dialect = Dialect::kBedrock, .target = testing::kConverse},
  };
  for (int round = 0; round < 4000; ++round) {
    RequestFixture fixture = kinds[random.Below(std::size(kinds))];
    fixture.body = RandomBody(&random);
    INFO(DialectName(fixture.dialect) << ' ' << fixture.body);
    CheckRewrites(fixture);
  }
}

TEST_CASE("a request that was read from another body edits nothing out of bounds") {
  const Edits all = {.model = "m", .want_usage = true, .max_output_tokens = 9};
  for (const RequestFixture& fixture : AllRequestFixtures()) {
    const Request request = Read(fixture);
    for (size_t size = 0; size <= fixture.body.size(); ++size) {
      const std::string other(size, 'x');
      CHECK(RewriteRequest(other, request, all).size() < size + 200);
    }
  }
  const Request request = Read(testing::ChatFixtures()[1]);
  CHECK(RewriteRequest("{}", request, all) == "{}");
  CHECK(RewriteRequest("", request, all).empty());
}

}  // namespace
}  // namespace weir::dialects
