#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

Response ReadChat(std::string_view body) {
  return ReadResponse(Dialect::kOpenAi, Operation::kChat, body);
}

using testing::Choice;
using testing::Chunk;
using testing::kDone;
using testing::kUsageMember;
using testing::Outcome;
using testing::Run;
using testing::StreamFixture;
using testing::StreamFixtures;

TEST_CASE("streams tell what they say") {
  for (const StreamFixture& fixture : StreamFixtures()) {
    INFO(fixture.name);
    const Outcome outcome = Run(fixture.body, {});
    CHECK(outcome.relayed == fixture.body);
    CHECK(outcome.usage == fixture.usage);
    CHECK(outcome.Text() == fixture.text);
    CHECK(outcome.done == fixture.done);
    CHECK(outcome.finish == fixture.finish);
    CHECK(outcome.error == fixture.error);
    CHECK(outcome.events == fixture.events);
    CHECK(outcome.unreadable == fixture.unreadable);
    if (fixture.error == false && fixture.unreadable == 0) CHECK(outcome.model == "test-4");
  }
}

TEST_CASE("every cut tells the same, byte for byte") {
  for (const StreamFixture& fixture : StreamFixtures()) {
    INFO(fixture.name);
    CHECK(testing::CutsDoNotMatter(fixture.body, /*strip=*/false, 1));
    CHECK(testing::CutsDoNotMatter(fixture.body, /*strip=*/true, 2));
  }
}

TEST_CASE("without strip_usage every byte is relayed at once") {
  const std::string body = testing::PlainStream().body;
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
  std::string relay;
  for (size_t i = 0; i < body.size(); ++i) {
    reader->Feed(body.substr(i, 1), &relay);
    REQUIRE(relay.size() == i + 1);
  }
}

std::string ReplaceAll(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

TEST_CASE("strip_usage leaves out exactly the chunk that only carries usage") {
  for (const StreamFixture& fixture : StreamFixtures()) {
    const std::string left = fixture.stripped.empty() ? fixture.body : fixture.stripped;
    for (const char* line_end : {"\n", "\r\n", "\r"}) {
      INFO(fixture.name << ' ' << int{line_end[0]});
      const std::string body = ReplaceAll(fixture.body, "\n", line_end);
      CHECK(Run(body, {}, true).relayed == ReplaceAll(left, "\n", line_end));
      CHECK(Run(body, {}, true).usage == fixture.usage);
      CHECK(testing::CutsDoNotMatter(body, /*strip=*/true, 3));
    }
  }
}

TEST_CASE("strip_usage holds an event until its end and no longer") {
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
  reader->set_strip_usage(true);
  std::string relay;
  const std::string first = Chunk(Choice(0, R"("content":"a")"));
  reader->Feed(first.substr(0, first.size() - 1), &relay);
  CHECK(relay.empty());
  reader->Feed(first.substr(first.size() - 1), &relay);
  CHECK(relay == first);
  reader->Feed(": still here\n\n", &relay);
  CHECK(relay == first + ": still here\n\n");
  reader->Feed(Chunk("", kUsageMember), &relay);
  reader->Feed("data: [DO", &relay);
  CHECK(relay == first + ": still here\n\n");
  reader->End(&relay);
  CHECK(relay == first + ": still here\n\ndata: [DO");
}

TEST_CASE("strip_usage leaves what is more than usage") {
  const std::string usage = "\"usage\":{\"prompt_tokens\":1}";
  for (const std::string& kept :
       {"data: {\"choices\":[{}]," + usage + "}\n\n", "data: {" + usage + "}\n\n",
        "data: {\"choices\":null," + usage + "}\n\n", "data: {\"choices\":{}," + usage + "}\n\n",
        std::string("data: {\"choices\":[],\"usage\":null}\n\n"),
        std::string("data: {\"choices\":[]}\n\n"),
        "data: {\"choices\":[],\"error\":{}," + usage + "}\n\n",
        "event: error\ndata: {\"choices\":[]," + usage + "}\n\n",
        "dat: {\"choices\":[]," + usage + "}\n\n"}) {
    CHECK(Run(kept, {}, true).relayed == kept);
  }
  for (const std::string& dropped :
       {"data: {\"choices\":[]," + usage + "}\n\n", "data: {" + usage + ",\"choices\" : [ ] }",
        ": x\nid: 7\ndata:{\"choices\":[],\ndata:" + usage + "}\n\n"}) {
    CHECK(Run(dropped, {}, true).relayed.empty());
    CHECK(Run(dropped, {}, true).usage == Usage{.prompt = 1});
  }
}

TEST_CASE("an event too large to hold is relayed, never left out") {
  // Readable, but with comments around it that make the whole block larger than what is held.
  const std::string comment = ": " + std::string(kMaxEventBytes / 2, 'x') + "\n";
  const std::string chunk = Chunk("", kUsageMember);
  const std::string body = comment + comment + chunk + kDone;
  const std::vector<size_t> cuts = {10, kMaxEventBytes / 2, kMaxEventBytes + 2, body.size() - 20};
  for (const auto& at : {std::vector<size_t>{}, cuts}) {
    CHECK(Run(body, at, true).relayed == body);
    CHECK(Run(body, at, true).usage == testing::kFixtureUsage);
  }
  CHECK(Run(comment + chunk + kDone, {}, true).relayed == kDone);
}

TEST_CASE("an event larger than the bound is relayed, passed by unread, and said so") {
  const std::string huge =
      Chunk(Choice(0, "\"content\":\"" + std::string(kMaxEventBytes, 'x') + "\""));
  const std::string body = huge + Chunk(Choice(0, R"("content":"a")", "\"stop\"")) + kDone;
  for (bool strip : {false, true}) {
    for (const auto& cuts : {std::vector<size_t>{},
                             std::vector<size_t>{1, 100, kMaxEventBytes, kMaxEventBytes + 300}}) {
      const Outcome outcome = Run(body, cuts, strip);
      CHECK(outcome.relayed == body);
      CHECK(outcome.unreadable == 1);
      CHECK(outcome.events == 3);
      CHECK(outcome.Text() == "a");
      CHECK(outcome.finish);
    }
  }
}

TEST_CASE("usage: the last stated counts, nothing is summed") {
  const auto usage = [](const std::string& members) {
    return Chunk("", Concat({",\"usage\":{", members, "}"}));
  };
  const std::string first = usage(R"("prompt_tokens":5,"completion_tokens":1)");
  const std::string last = usage(R"("prompt_tokens":5,"completion_tokens":3)");
  CHECK(Run(first + first + last + last, {}).usage == Usage{.prompt = 5, .completion = 3});
  // What states nothing leaves the one before.
  CHECK(Run(last + Chunk("", ",\"usage\":null"), {}).usage == Usage{.prompt = 5, .completion = 3});
  CHECK(Run(last + usage(""), {}).usage == Usage{.prompt = 5, .completion = 3});
  CHECK(Run(last + usage(R"("prompt_tokens":-1)"), {}).usage ==
        Usage{.prompt = 5, .completion = 3, .anomaly = true});
  CHECK(Run(usage(R"("prompt_tokens":-1)") + last, {}).usage ==
        Usage{.prompt = 5, .completion = 3, .anomaly = true});
  CHECK(Run(last + usage(R"("prompt_tokens":6,"completion_tokens":1e400)"), {}).usage ==
        Usage{.prompt = 6, .anomaly = true});
}

TEST_CASE("a stream and a whole answer of the same content state the same") {
  const std::string choice =
      R"("content":"x","tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}])";
  const std::string head = "{\"model\":\"test-4\",\"choices\":[{\"index\":0,\"message\":{" +
                           choice + "},\"finish_reason\":\"stop\"}]";
  const Response whole = ReadChat(head + kUsageMember + "}");
  const Outcome stream = Run(Chunk(Choice(0, choice, "\"stop\"")) + Chunk("", kUsageMember), {});
  CHECK(stream.usage == whole.usage);
  CHECK(stream.model == whole.model);
  std::vector<std::string> texts;
  for (const auto& delta : stream.deltas) texts.push_back(delta.second);
  CHECK(texts == whole.texts);
}

TEST_CASE("deltas can be taken as they come") {
  const StreamFixture fixture = testing::InterleavedStream();
  auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
  std::string relay;
  std::map<uint32_t, std::string> texts;
  const auto take = [&] {
    for (const auto& delta : reader->TakeDeltas()) texts[delta.choice] += delta.text;
  };
  for (char byte : fixture.body) {
    reader->Feed({&byte, 1}, &relay);
    take();
  }
  reader->End(&relay);
  take();
  CHECK(texts ==
        std::map<uint32_t, std::string>{{0, "ab"}, {1, "No."}, {2, "summul{\"y\"{\"x\":1}:2}"}});
  CHECK(reader->TakeDeltas().empty());
}

TEST_CASE("a stream has finished when every choice seen has") {
  const std::string open = Chunk(Choice(0, R"("content":"a")") + "," + Choice(3, ""));
  CHECK_FALSE(Run("", {}).finish);
  CHECK_FALSE(Run(open, {}).finish);
  CHECK_FALSE(Run(open + Chunk(Choice(0, "", "\"stop\"")), {}).finish);
  CHECK_FALSE(Run(open + Chunk(Choice(0, "", "\"\"") + "," + Choice(3, "", "\"\"")), {}).finish);
  const std::string closed =
      open + Chunk(Choice(0, "", "\"stop\"")) + Chunk(Choice(3, "", "\"length\""));
  CHECK(Run(closed, {}).finish);
  CHECK_FALSE(Run(closed + Chunk(Choice(1, "")), {}).finish);
  // Servers that leave the index out mean the position; a choice without a delta may finish.
  CHECK(Run("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n", {}).finish);
}

TEST_CASE("errors inside a stream are seen, nulls are not errors") {
  CHECK(Run("data: {\"error\":{\"message\":\"x\"}}\n\n", {}).error);
  CHECK(Run("data: {\"error\":\"x\"}\n\n", {}).error);
  CHECK(Run("event: error\ndata: {}\n\n", {}).error);
  CHECK(Run("event: error\ndata: not json\n\n", {}).error);
  for (const char* value : {"null", "\"\"", "false", "0", "[]"}) {
    CHECK_FALSE(Run("data: {\"error\":" + std::string(value) + "}\n\n", {}).error);
  }
}

TEST_CASE("a body that is not an event stream passes through") {
  for (const std::string& body :
       {std::string("{\"error\":{\"message\":\"no\"}}"), std::string("<html>\n\n<p>500</p>"),
        std::string("\n\n\r\r\n"), std::string(300, '\0'), std::string("\xEF\xBB"),
        std::string("\xEF\xBB\xBF")}) {
    for (bool strip : {false, true}) {
      const Outcome outcome = Run(body, {}, strip);
      CHECK(outcome.relayed == body);
      CHECK(outcome.events == 0);
      CHECK(testing::CutsDoNotMatter(body, strip, 4));
    }
  }
}

TEST_CASE("chunks with every field of every other type are read or passed over") {
  for (const StreamFixture& fixture : StreamFixtures()) {
    size_t at = 0;
    while ((at = fixture.body.find("data: {", at)) != std::string::npos) {
      const size_t begin = at + 6;
      const size_t end = fixture.body.find('\n', begin);
      testing::ForEachSwap(
          fixture.body.substr(begin, end - begin), [&](const auto& path, const auto& swapped) {
            INFO(path << ' ' << swapped);
            const std::string body = testing::Splice(fixture.body, begin, end, swapped);
            const Outcome outcome = Run(body, {begin});
            REQUIRE(outcome.relayed == body);
            REQUIRE(IsSane(outcome.usage));
            REQUIRE(outcome.events == fixture.events);
          });
      at = end;
    }
  }
}

TEST_CASE("mutated streams: bytes pass, and cuts still do not matter") {
  Random random(11);
  for (const StreamFixture& fixture : StreamFixtures()) {
    for (int round = 0; round < 300; ++round) {
      std::string body = fixture.body;
      for (uint64_t n = 1 + random.Below(5); n > 0; --n) {
        const size_t at = random.Below(body.size());
        if (random.Below(2) == 0) {
          body[at] = static_cast<char>(random.Below(256));
        } else {
          body.erase(at, random.Below(20));
        }
        if (body.empty()) body.assign(1, 'x');
      }
      const bool strip = random.Below(2) == 0;
      const Outcome whole = Run(body, {}, strip);
      REQUIRE((strip || whole.relayed == body));
      REQUIRE(IsSane(whole.usage));
      REQUIRE(Run(body, testing::EveryByte(body.size()), strip) == whole);
      REQUIRE(Run(body, testing::RandomCuts(&random, body.size()), strip) == whole);
    }
  }
}

TEST_CASE("a choice with an absurd index is counted and does not hurt") {
  for (const char* index : {"4294967295", "4294967296", "-1", "1e400", "\"x\"", "128"}) {
    const Outcome outcome = Run("data: {\"choices\":[{\"index\":" + std::string(index) +
                                    ",\"delta\":{\"content\":\"a\"}}]}\n\n",
                                {});
    CHECK(outcome.Text() == "a");
  }
}

}  // namespace
}  // namespace weir::dialects
