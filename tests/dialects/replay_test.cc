// Kept answers, written again: read with the library's own readers they are the same answers, in
// both modes, and kept once more they are the same bytes.

#include "dialects/event_stream.h"
#include "tests/dialects/keep_fixtures.h"
#include "tests/dialects/recording.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::KeptOutcome;
using testing::Origin;
using testing::Outcome;
using testing::RunKeeping;
using testing::Written;

constexpr std::string_view kSeed = "00112233445566778899aabbccddeeff";

// What a replay states of it.
Usage Cached(Usage usage) {
  usage.cached = usage.prompt;
  usage.cache_write.reset();
  usage.reported_total.reset();
  usage.anomaly = usage.reasoning_was_beside = false;
  return usage;
}

Replay ReplayFor(const Origin& origin, bool stream, bool include_usage = true) {
  Replay replay;
  replay.dialect = origin.dialect;
  replay.operation = origin.operation;
  replay.stream = stream;
  replay.include_usage = include_usage;
  replay.id_seed = kSeed;
  replay.created_unix_s = 1800000000;
  return replay;
}

void CheckReplay(const KeptAnswer& kept, const Replay& replay) {
  const auto written = WriteReplay(kept, replay);
  REQUIRE(written.ok());
  INFO(written->body);
  const Origin origin = {replay.dialect, replay.operation, KindOf(written->content_type)};
  const Outcome read = testing::Run(written->body, {}, false, origin);
  CHECK(read.unreadable == 0);
  CHECK_FALSE(read.error);
  CHECK(read.finish);
  CHECK(read.reason == kept.choices.front().finish_reason);
  if (replay.dialect != Dialect::kBedrock) {
    CHECK(read.model == (replay.model.empty() ? kept.model : std::string(replay.model)));
  }
  const auto texts = read.TextOfChoices();
  REQUIRE(texts.size() == kept.choices.size());
  for (const auto& [choice, text] : texts) CHECK(text == kept.choices[choice].text);

  const bool openai =
      replay.operation != Operation::kResponses &&
      (replay.dialect == Dialect::kOpenAi || replay.dialect == Dialect::kAzureOpenAi);
  const bool silent = openai && replay.stream && !replay.include_usage;
  Usage stated = Cached(read.usage), expected = Cached(kept.usage);
  const bool thoughts =
      replay.dialect != Dialect::kAnthropic && replay.dialect != Dialect::kBedrock;
  if (!thoughts) expected.reasoning.reset();
  if (replay.operation == Operation::kResponses && kept.usage.total()) {
    expected.reasoning = expected.reasoning.value_or(0);
  }
  if (silent) {
    CHECK(read.usage == Usage{});
  } else if (kept.usage.total()) {
    CHECK(read.usage.cached == kept.usage.prompt);
    CHECK_FALSE(read.usage.anomaly);
    CHECK(stated == expected);
  }

  const KeptOutcome again = RunKeeping(written->body, origin);
  REQUIRE(again.reason == NotKept::kNothing);
  REQUIRE(again.kept.choices.size() == kept.choices.size());
  for (size_t i = 0; i < kept.choices.size(); ++i) {
    CHECK(again.kept.choices[i].text == kept.choices[i].text);
    CHECK(again.kept.choices[i].finish_reason == kept.choices[i].finish_reason);
    CHECK(again.kept.choices[i].stop_sequence == kept.choices[i].stop_sequence);
  }
}

void CheckAllReplays(const KeptAnswer& kept, const Origin& origin) {
  for (bool stream : {false, true}) {
    for (bool include_usage : {false, true}) {
      Replay replay = ReplayFor(origin, stream, include_usage);
      CheckReplay(kept, replay);
      replay.model = "shown";
      replay.json_array = true;
      CheckReplay(kept, replay);
    }
  }
}

TEST_CASE("what is kept is replayed in both modes as the same answer") {
  for (const Written& written : testing::KeptFixtures()) {
    INFO(written.name);
    const KeptOutcome outcome = RunKeeping(written.Body(), written.origin);
    REQUIRE(outcome.reason == NotKept::kNothing);
    CheckAllReplays(outcome.kept, written.origin);
  }
}

TEST_CASE("recorded answers that are kept are replayed in both modes as the same answer") {
  for (const testing::Recording& recording : testing::Recordings()) {
    INFO(recording.file);
    const KeptOutcome outcome = RunKeeping(recording.bytes, recording.origin);
    if (outcome.reason == NotKept::kNothing) CheckAllReplays(outcome.kept, recording.origin);
  }
}

// Long texts come in pieces of whole characters, none of them large; odd characters stay.
TEST_CASE("long and odd texts are replayed whole") {
  std::string text;
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    const char* const kinds[] = {"a",  "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80", "\n",  "\"",
                                 "\\", "\x01",     "data: ",       "\r\n\r\n",         "</s>"};
    text += kinds[random.Below(11)];
  }
  for (const Written& written : testing::KeptFixtures()) {
    INFO(written.name);
    KeptAnswer kept;
    kept.model = "m";
    kept.usage = {.prompt = 100, .completion = 50};
    kept.choices.push_back({text, written.reason, ""});
    CheckAllReplays(kept, written.origin);
    auto reader = StreamReader::Create(written.origin.dialect, written.origin.operation);
    const auto replayed = WriteReplay(kept, ReplayFor(written.origin, true));
    REQUIRE(replayed.ok());
    size_t longest = 0;
    for (std::string_view rest = replayed->body; !rest.empty();) {
      rest.remove_prefix(reader->FeedEvent(rest, nullptr));
      for (const auto& delta : reader->TakeDeltas()) longest = std::max(longest, delta.text.size());
    }
    CHECK(longest <= kReplayPieceBytes);
    CHECK(longest > kReplayPieceBytes / 2);
  }
}

TEST_CASE("an answer of unknown usage states none, where clients do without") {
  for (const Written& written : testing::KeptFixtures()) {
    INFO(written.name);
    KeptAnswer kept;
    kept.choices.push_back({"Hello", written.reason, ""});
    for (bool stream : {false, true}) {
      const auto replayed = WriteReplay(kept, ReplayFor(written.origin, stream));
      REQUIRE(replayed.ok());
      const Origin origin = {written.origin.dialect, written.origin.operation,
                             KindOf(replayed->content_type)};
      const Usage usage = testing::Run(replayed->body, {}, false, origin).usage;
      if (written.origin.dialect == Dialect::kAnthropic) continue;
      CHECK(usage == Usage{});
    }
  }
}

TEST_CASE("ids are of the seed, and new for each replay") {
  const std::string other(32, 'f');
  for (const Written& written : testing::KeptFixtures()) {
    if (written.origin.dialect == Dialect::kBedrock) continue;  // has none
    INFO(written.name);
    KeptAnswer kept;
    kept.choices.push_back({"Hello", written.reason, ""});
    for (bool stream : {false, true}) {
      Replay replay = ReplayFor(written.origin, stream);
      std::string first = WriteReplay(kept, replay)->body;
      replay.id_seed = other;
      const std::string second = WriteReplay(kept, replay)->body;
      CHECK(first.find(kSeed) != std::string::npos);
      for (size_t at; (at = first.find(kSeed)) != std::string::npos;) {
        first.replace(at, kSeed.size(), other);
      }
      CHECK(first == second);
    }
  }
}

TEST_CASE("what cannot be replayed is refused") {
  KeptAnswer kept;
  kept.choices.push_back({"Hello", "stop", ""});
  const Origin chat;
  CHECK(WriteReplay(kept, ReplayFor(chat, true)).ok());
  const auto refused = [](const KeptAnswer& answer, const Replay& replay) {
    return WriteReplay(answer, replay).status().code() == absl::StatusCode::kInvalidArgument;
  };
  for (std::string_view seed :
       {"", "0011", "00112233445566778899aabbccddeef\"", "00112233445566778899aabbccddeeff0"}) {
    Replay replay = ReplayFor(chat, false);
    replay.id_seed = seed;
    CHECK(refused(kept, replay));
  }
  // Of another dialect, by its reasons.
  for (const Dialect dialect : {Dialect::kAnthropic, Dialect::kGemini, Dialect::kBedrock}) {
    CHECK(refused(kept, ReplayFor({dialect, Operation::kChat, BodyKind::kJson}, false)));
  }
  CHECK(refused(kept, ReplayFor({Dialect::kOpenAi, Operation::kResponses}, true)));
  CHECK(refused(kept, ReplayFor({Dialect::kOpenAi, Operation::kEmbeddings}, false)));
  KeptAnswer none;
  CHECK(refused(none, ReplayFor(chat, false)));
  KeptAnswer two;
  two.choices.assign(2, {"Hello", "end_turn", ""});
  CHECK(refused(two, ReplayFor({Dialect::kAnthropic, Operation::kChat}, false)));
  kept.choices.front().finish_reason = "length";
  CHECK(refused(kept, ReplayFor(chat, true)));
}

TEST_CASE("what is written in a stream is in the order in which the provider writes it") {
  KeptAnswer kept;
  kept.model = "m";
  kept.usage = {.prompt = 3, .completion = 2};
  kept.choices.push_back({"Hi", "stop", ""});
  const auto body = [&](Dialect dialect, Operation operation, bool include_usage) {
    return WriteReplay(kept, ReplayFor({dialect, operation}, true, include_usage))->body;
  };
  const std::string head =
      R"(data: {"id":"chatcmpl-00112233445566778899aabbccddeeff",)"
      R"("object":"chat.completion.chunk","created":1800000000,"model":"m","choices":[)";
  const auto delta = [](const std::string& members, const std::string& finish) {
    return R"({"index":0,"delta":{)" + members + R"(},"logprobs":null,"finish_reason":)" + finish +
           "}]";
  };
  const std::string role = R"("role":"assistant","content":"","refusal":null)";
  CHECK(body(Dialect::kOpenAi, Operation::kChat, false) ==
        head + delta(role, "null") + "}\n\n" + head + delta(R"("content":"Hi")", "null") + "}\n\n" +
            head + delta("", "\"stop\"") + "}\n\ndata: [DONE]\n\n");
  const std::string none = ",\"usage\":null}\n\n";
  CHECK(body(Dialect::kAzureOpenAi, Operation::kChat, true) ==
        head + delta(role, "null") + none + head + delta(R"("content":"Hi")", "null") + none +
            head + delta("", "\"stop\"") + none + head +
            R"(],"usage":{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":3},)"
            R"("completion_tokens":2,"total_tokens":5}})" +
            "\n\ndata: [DONE]\n\n");

  kept.choices.front().finish_reason = "completed";
  std::vector<std::string> types;
  uint64_t number = 0;
  const std::string events = body(Dialect::kOpenAi, Operation::kResponses, false);
  for (size_t at = events.find("data: "); at != std::string::npos;
       at = events.find("data: ", at + 1)) {
    json::Document document;
    REQUIRE(document.Parse(events.substr(at + 6, events.find("\n\n", at) - at - 6)));
    types.emplace_back(document.root()["type"].text().substr(9));
    CHECK(document.root()["sequence_number"].Uint() == number++);
  }
  CHECK(types == std::vector<std::string>{"created", "in_progress", "output_item.added",
                                          "content_part.added", "output_text.delta",
                                          "output_text.done", "content_part.done",
                                          "output_item.done", "completed"});
}

// ---- As bytes ----

KeptAnswer RandomAnswer(Random* random) {
  KeptAnswer answer;
  const auto word = [&](size_t longest) {
    std::string text;
    for (size_t n = random->Below(longest + 1); n > 0; --n) {
      text.push_back(static_cast<char>('a' + random->Below(26)));
    }
    return text;
  };
  answer.model = word(20);
  if (random->Below(4) != 0) answer.usage.prompt = random->Below(uint64_t{1} << 20);
  if (random->Below(4) != 0) answer.usage.completion = random->Below(uint64_t{1} << 30);
  if (answer.usage.prompt && random->Below(2) == 0) {
    answer.usage.cached = random->Below(*answer.usage.prompt + 1);
  }
  if (answer.usage.completion && random->Below(2) == 0) answer.usage.reasoning = 0;
  answer.usage.anomaly = random->Below(8) == 0;
  answer.usage.reasoning_was_beside = random->Below(8) == 0;
  for (size_t n = 1 + random->Below(3); n > 0; --n) {
    answer.choices.push_back({"\xC3\xA9" + word(300), "stop" + word(4), word(3)});
  }
  return answer;
}

TEST_CASE("a kept answer comes back from its bytes; other bytes are refused or one answer's") {
  Random random(11);
  for (int round = 0; round < 3000; ++round) {
    const KeptAnswer answer = RandomAnswer(&random);
    std::string bytes = answer.Serialize();
    const auto parsed = KeptAnswer::Parse(bytes);
    REQUIRE(parsed.ok());
    CHECK(parsed->Serialize() == bytes);
    CHECK(parsed->model == answer.model);
    CHECK(parsed->usage == answer.usage);
    REQUIRE(parsed->choices.size() == answer.choices.size());
    for (size_t i = 0; i < answer.choices.size(); ++i) {
      CHECK(parsed->choices[i].text == answer.choices[i].text);
      CHECK(parsed->choices[i].finish_reason == answer.choices[i].finish_reason);
      CHECK(parsed->choices[i].stop_sequence == answer.choices[i].stop_sequence);
    }
    CHECK_FALSE(KeptAnswer::Parse(bytes + "x").ok());
    CHECK_FALSE(KeptAnswer::Parse(bytes.substr(0, random.Below(bytes.size()))).ok());
    for (int changes = 0; changes < 20; ++changes) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
      const auto other = KeptAnswer::Parse(bytes);
      if (other.ok()) CHECK(other->Serialize() == bytes);
    }
  }
}

TEST_CASE("what is kept takes few bytes beside its text") {
  for (const Written& written : testing::KeptFixtures()) {
    const KeptOutcome outcome = RunKeeping(written.Body(), written.origin);
    size_t text = 0;
    for (const KeptChoice& choice : outcome.kept.choices) text += choice.text.size();
    CHECK(outcome.kept.Serialize().size() - text <= 48);
  }
}

}  // namespace
}  // namespace weir::dialects
