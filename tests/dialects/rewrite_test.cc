#include <map>

#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::RequestFixtures;

// Every path of the body with its source, objects and arrays as their size only where `shape`.
std::map<std::string, std::string> Leaves(std::string_view body) {
  json::Document document;
  REQUIRE(document.Parse(body));
  std::map<std::string, std::string> leaves;
  for (const auto& [path, value] : testing::AllValues(document)) {
    if (value.Is(json::Type::kObject)) {
      leaves[path].assign(1, '{');
    } else if (value.Is(json::Type::kArray)) {
      leaves[path] = Concat({"[", std::to_string(value.size())});
    } else {
      leaves[path] = value.source();
    }
  }
  return leaves;
}

ChatRequest Read(std::string_view body) {
  auto request = ReadChatRequest(body);
  REQUIRE(request.ok());
  return *std::move(request);
}

std::string Rewrite(std::string_view body, std::string_view model, bool want_usage) {
  return RewriteChatRequest(body, Read(body), model, want_usage);
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

void CheckRewrites(const std::string& body) {
  const ChatRequest request = Read(body);
  for (const std::string& model : {std::string("gpt-4o"), std::string("a \"b\"\n\xC3\xA9")}) {
    std::string quoted;
    json::AppendString(&quoted, model);

    const std::string with_model = Rewrite(body, model, false);
    auto expected = Leaves(body);
    expected["model"] = quoted;
    CHECK(Leaves(with_model) == expected);
    const size_t old_size = request.model_value.end - request.model_value.begin;
    CHECK(DiffersInOneRun(body, with_model, old_size));

    const std::string with_usage = Rewrite(body, "", true);
    expected = Leaves(body);
    if (request.stream) {
      expected["stream_options"].assign(1, '{');
      expected["stream_options.include_usage"] = "true";
      CHECK(Read(with_usage).include_usage);
    }
    CHECK(Leaves(with_usage) == expected);
    CHECK(DiffersInOneRun(body, with_usage, 5));

    // Both edits at once are one after the other, in either order.
    const std::string both = Rewrite(body, model, true);
    expected["model"] = quoted;
    CHECK(Leaves(both) == expected);
    CHECK(both.size() == Rewrite(with_model, "", true).size());
    CHECK(Leaves(Rewrite(with_usage, model, false)) == expected);
    CHECK(Rewrite(both, model, true) == both);
  }
}

TEST_CASE("a rewrite changes the edited paths and no other byte") {
  for (const std::string& body : RequestFixtures()) {
    INFO(body);
    CheckRewrites(body);
  }
}

TEST_CASE("nothing to edit, nothing changed") {
  for (const std::string& body : RequestFixtures()) {
    CHECK(Rewrite(body, "", false) == body);
    CHECK(Rewrite(body, Read(body).model, false) == body);
  }
  const std::string asked =
      R"({"stream":true,"messages":[],"stream_options":{"include_usage":true}})";
  CHECK(Rewrite(asked, "", true) == asked);
  const std::string whole = R"({"stream":false,"messages":[]})";
  CHECK(Rewrite(whole, "", true) == whole);
}

TEST_CASE("edits as they look") {
  CHECK(Rewrite(R"({"messages":[]})", "m", true) == R"({"model":"m","messages":[]})");
  CHECK(Rewrite(R"({"model" : "a\u0062","messages":[]})", "m", true) ==
        R"({"model" : "m","messages":[]})");
  CHECK(Rewrite(R"({"messages":[],"stream":true})", "m", true) ==
        R"({"model":"m","stream_options":{"include_usage":true},"messages":[],"stream":true})");
  CHECK(Rewrite(R"({"stream_options":{ },"messages":[],"stream":true,"model":"a"})", "m", true) ==
        R"({"stream_options":{"include_usage":true },"messages":[],"stream":true,"model":"m"})");
  CHECK(Rewrite(R"({"stream_options":{"include_usage":null,"x":1},"messages":[],"stream":true})",
                "", true) ==
        R"({"stream_options":{"include_usage":true,"x":1},"messages":[],"stream":true})");
}

// Whatever a request can say between and around the members that are edited.
std::string RandomRequest(Random* random) {
  const auto pick = [&](std::initializer_list<const char*> options) {
    return std::string(options.begin()[random->Below(options.size())]);
  };
  const auto blank = [&] { return pick({"", "", " ", "\n\t ", "\r\n"}); };
  std::vector<std::string> members = {
      Concat({"\"messages\"", blank(), ":", blank(),
              pick({"[]", "[ {\"role\":\"user\",\"content\":\"model stream_options {\"} ]",
                    "[{\"role\":\"user\",\"content\":[{\"type\":\"x\",\"model\":\"y\"}]}]"})})};
  if (random->Below(3) != 0) {
    members.push_back(Concat({pick({"\"model\"", "\"mod\\u0065l\""}), blank(), ":", blank(),
                              pick({"\"a\"", "\"\"", "null", "\"\\\"}{\\\\\"", "\"\\u00e9\""})}));
  }
  if (random->Below(3) != 0) {
    members.push_back(Concat(
        {"\"stream_options\":", blank(),
         pick({"null", "{}", "{ }", "{\"include_usage\":false}",
               "{ \"x\" : {\"include_usage\":1} }", "{\"include_usage\" : null }",
               "{\"x\":[{}],\"include\\u005fusage\":false\n}", "{\"include_usage\":true}"})}));
  }
  members.push_back(Concat({"\"stream\":", pick({"true", "true", "true", "false", "null"})}));
  members.push_back(
      Concat({"\"x\":", pick({"1e400", "-0.0", "{\"model\":\"z\"}", "[[],{}]", "\"}\""})}));
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
  for (int round = 0; round < 4000; ++round) {
    const std::string body = RandomRequest(&random);
    INFO(body);
    if (Leaves(body)["stream_options.include_usage"] == "true") continue;
    CheckRewrites(body);
  }
}

TEST_CASE("a request that was read from another body edits nothing out of bounds") {
  const ChatRequest request = Read(RequestFixtures()[1]);
  CHECK(RewriteChatRequest("{}", request, "m", true) == "{}");
  CHECK(RewriteChatRequest("", request, "m", true).empty());
}

}  // namespace
}  // namespace weir::dialects
