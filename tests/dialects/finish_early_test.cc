// Streams that are ended before their model has: at every event of every recorded stream, what was
// relayed and what FinishEarly says are together a whole answer, with the text that was relayed.

#include <algorithm>
#include <set>

#include "dialects/event_stream.h"
#include "tests/dialects/fixtures.h"
#include "tests/dialects/recording.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::Origin;
using testing::Outcome;
using testing::Recording;
using testing::Recordings;

constexpr Usage kSpent = {.prompt = 100200, .completion = 50100, .cached = 200, .reasoning = 100};

std::unique_ptr<StreamReader> HoldingReader(const Origin& origin) {
  auto reader = StreamReader::Create(origin.dialect, origin.operation, origin.kind);
  reader->set_hold_events(true);
  return reader;
}

// Where the events of a body end, and where it begins.
std::vector<size_t> Boundaries(std::string_view body, const Origin& origin) {
  auto reader = HoldingReader(origin);
  std::vector<size_t> boundaries = {0};
  std::string relay;
  while (!body.empty()) {
    const size_t taken = reader->FeedEvent(body, &relay);
    REQUIRE(taken > 0);
    body.remove_prefix(taken);
    if (relay.size() != boundaries.back()) boundaries.push_back(relay.size());
  }
  return boundaries;
}

// The body up to a boundary, and its end there. Half an event more has come, and must not be seen.
struct Cut {
  std::string prefix, end;
  std::string whole() const { return prefix + end; }
};
Cut CutAt(std::string_view body, size_t boundary, size_t next, const Origin& origin,
          bool include_usage = true) {
  Cut cut;
  auto reader = HoldingReader(origin);
  reader->Feed(body.substr(0, boundary), &cut.prefix);
  cut.end = reader->FinishEarly(kSpent, include_usage);
  std::string more;
  reader->Feed(body.substr(boundary, (next - boundary) / 2), &more);
  CHECK(more.empty());
  if (reader->events() != 0) CHECK(reader->FinishEarly(kSpent, include_usage) == cut.end);
  return cut;
}

// Calls check(cut, before) at the boundaries of a body; of a long one, at some.
template <typename Check>
void ForEachCut(std::string_view body, const Origin& origin, Check check) {
  const std::vector<size_t> boundaries = Boundaries(body, origin);
  const size_t most = testing::kSlow ? 12 : 80;
  const size_t step = 1 + boundaries.size() / most;
  for (size_t i = 0; i < boundaries.size(); ++i) {
    if (i % step != 0 && i > 6 && i + 10 < boundaries.size()) continue;
    INFO("boundary " << boundaries[i]);
    const size_t next = i + 1 < boundaries.size() ? boundaries[i + 1] : boundaries[i];
    const Cut cut = CutAt(body, boundaries[i], next, origin);
    CHECK(cut.prefix == body.substr(0, boundaries[i]));
    check(cut, testing::Run(cut.prefix, {}, false, origin));
  }
}

bool IsStream(const Recording& recording) {
  return (recording.origin.kind == BodyKind::kSse ||
          recording.origin.kind == BodyKind::kEventStream) &&
         recording.origin.operation != Operation::kEmbeddings;
}

TEST_CASE("a recorded stream that is ended at any event is a whole answer") {
  for (const Recording& recording : Recordings()) {
    if (!IsStream(recording)) continue;
    INFO(recording.file);
    const Origin& origin = recording.origin;
    const bool cohere = recording.file.find("cohere") != std::string::npos;
    ForEachCut(recording.bytes, origin, [&](const Cut& cut, const Outcome& before) {
      // Invoke's first chunk tells the family of the model.
      if (cohere && cut.prefix.empty()) return;
      if (cut.end.empty()) {
        CHECK((before.done || before.finish));
        return;
      }
      const Outcome after = testing::Run(cut.whole(), {}, false, origin);
      if (origin.dialect != Dialect::kGemini && !cohere) CHECK(after.done);
      CHECK(after.finish);
      CHECK(after.unreadable == before.unreadable);
      CHECK(after.error == before.error);
      CHECK(after.deltas == before.deltas);
      CHECK(after.kinds == before.kinds);
      CHECK(after.model == before.model);
      CHECK(IsSane(after.usage));
      if (!before.finish) {
        const bool other = origin.dialect == Dialect::kGemini || cohere;
        const bool responses = origin.operation == Operation::kResponses;
        const bool openai =
            origin.dialect == Dialect::kOpenAi || origin.dialect == Dialect::kAzureOpenAi;
        CHECK(after.reason == (other       ? "MAX_TOKENS"
                               : responses ? "max_output_tokens"
                               : openai    ? "length"
                                           : "max_tokens"));
      }
    });
  }
}

TEST_CASE("a recorded stream that is ended at any event states what was spent") {
  size_t cuts = 0;
  for (const Recording& recording : Recordings()) {
    if (!IsStream(recording)) continue;
    INFO(recording.file);
    const Origin& origin = recording.origin;
    ForEachCut(recording.bytes, origin, [&](const Cut& cut, const Outcome& before) {
      const Usage stated = testing::Run(cut.whole(), {}, false, origin).usage;
      // What was relayed stands, when the end says nothing of it or all was said.
      const bool stands = stated == before.usage && before.usage.completion;
      if (cut.end.empty() || (before.finish && stands)) {
        CHECK(stated == before.usage);
        return;
      }
      ++cuts;
      CHECK(stated.completion == kSpent.completion);
      if (origin.dialect == Dialect::kAnthropic) {
        CHECK(stated.prompt == (before.usage.prompt ? before.usage.prompt : kSpent.prompt));
        return;
      }
      CHECK(stated.prompt == kSpent.prompt);
      CHECK(stated.cached == kSpent.cached);
    });
  }
  if (!Recordings().empty()) CHECK(cuts >= 300);
}

TEST_CASE("events are relayed whole, whatever the cuts, and nothing of them is lost") {
  uint64_t seed = 7;
  for (const Recording& recording : Recordings()) {
    INFO(recording.file);
    const std::vector<size_t> ends = Boundaries(recording.bytes, recording.origin);
    std::set<size_t> known(ends.begin(), ends.end());
    Random random(++seed);
    for (int round = 0; round < 10; ++round) {
      auto reader = HoldingReader(recording.origin);
      std::string relay;
      size_t from = 0;
      size_t strange = 0;
      for (size_t cut : testing::RandomCuts(&random, recording.bytes.size())) {
        const std::string piece = recording.bytes.substr(from, cut - from);
        reader->Feed(piece, &relay);
        from = cut;
        // A whole answer is passed on as it comes.
        const bool inside = recording.origin.kind != BodyKind::kJson &&
                            recording.origin.kind != BodyKind::kOther &&
                            known.count(relay.size()) == 0;
        // Between the CR and the LF of a line end.
        const bool line_end = from != 0 && recording.bytes[from - 1] == '\r';
        strange += inside && !line_end ? 1 : 0;
      }
      CHECK(strange == 0);
      reader->Feed(std::string_view(recording.bytes).substr(from), &relay);
      reader->End(&relay);
      CHECK(relay == recording.bytes);
      const Outcome plain = testing::Run(recording.bytes, {}, false, recording.origin);
      CHECK(reader->usage() == plain.usage);
      CHECK(reader->events() == plain.events);
      std::string text;
      for (const auto& delta : reader->TakeDeltas()) text += delta.text;
      CHECK(text == plain.Text());
    }
  }
}

// ---- What the events say, read without the reader ----

struct Event {
  std::string name;
  json::Document data;
  std::string_view type() const { return data.root()["type"].text(); }
};

std::vector<Event> EventsOf(std::string body) {
  body.erase(std::remove(body.begin(), body.end(), '\r'), body.end());
  std::vector<Event> events;
  while (!body.empty()) {
    const size_t end = std::min(body.find("\n\n"), body.size());
    const std::string block = body.substr(0, end);
    body.erase(0, end + 2);
    const size_t data = block.find("data: ");
    if (data == std::string::npos) continue;
    Event& event = events.emplace_back();
    if (block.compare(0, 7, "event: ") == 0) event.name = block.substr(7, block.find('\n') - 7);
    REQUIRE((block.substr(data + 6) == "[DONE]" || event.data.Parse(block.substr(data + 6))));
  }
  return events;
}

TEST_CASE("messages that are ended early close each block once, in order") {
  for (const Recording& recording : Recordings()) {
    // Edge cases by authors who left events out.
    if (recording.origin.dialect != Dialect::kAnthropic || !IsStream(recording) ||
        recording.file.find("edge/") == 0 || recording.Has("ERROR")) {
      continue;
    }
    INFO(recording.file);
    ForEachCut(recording.bytes, recording.origin, [&](const Cut& cut, const Outcome&) {
      std::vector<Event> events = EventsOf(cut.whole());
      std::set<std::string> open;
      std::vector<std::string> last;
      for (const Event& event : events) {
        CHECK(event.name == event.type());
        const std::string index(event.data.root()["index"].text());
        if (event.name == "content_block_start") CHECK(open.insert(index).second);
        if (event.name == "content_block_delta") CHECK(open.count(index) == 1);
        if (event.name == "content_block_stop") CHECK(open.erase(index) == 1);
        if (event.name != "ping") last.push_back(event.name);
      }
      CHECK(open.empty());
      REQUIRE(last.size() >= 3);
      CHECK(last[0] == "message_start");
      CHECK(last[last.size() - 2] == "message_delta");
      CHECK(last[last.size() - 1] == "message_stop");
      CHECK(std::count(last.begin(), last.end(), "message_stop") == 1);
    });
  }
}

// The texts of an item of the output, or of what its deltas made of it.
std::string ItemText(json::Value item) {
  std::string text;
  for (std::string_view list : {"summary", "content"}) {
    for (json::Value part : item[list].members()) {
      text += part["text"].text();
      text += part["refusal"].text();
    }
  }
  for (std::string_view key : {"arguments", "input", "code"}) text += item[key].text();
  return text;
}

TEST_CASE("responses that are ended early restate what their deltas said, and number on") {
  for (const Recording& recording : Recordings()) {
    if (recording.origin.operation != Operation::kResponses || !IsStream(recording)) continue;
    INFO(recording.file);
    ForEachCut(recording.bytes, recording.origin, [&](const Cut& cut, const Outcome& before) {
      if (before.done) {
        CHECK(cut.end.empty());
        return;
      }
      const std::vector<Event> events = EventsOf(cut.whole());
      std::map<std::string, std::string> texts;  // by output_index
      std::set<std::string> open, parts;
      uint64_t number = 0;
      size_t done = 0;
      for (const Event& event : events) {
        const json::Value root = event.data.root();
        CHECK(event.name == event.type());
        // The oldest recording has no numbers.
        if (events.front().data.root()["sequence_number"]) {
          CHECK(root["sequence_number"].Uint() == number++);
        }
        const std::string index(root["output_index"].text());
        const std::string_view name = event.name;
        if (root["delta"]) texts[index] += root["delta"].text();
        if (name == "response.output_item.added") CHECK(open.insert(index).second);
        if (name == "response.content_part.added") CHECK(parts.insert(index).second);
        if (name == "response.content_part.done") {
          CHECK(parts.erase(index) == 1);
          CHECK(root["part"]["text"].text() == texts[index]);
        }
        if (name == "response.output_text.done") CHECK(root["text"].text() == texts[index]);
        if (testing::EndsWith(name, "arguments.done")) {
          CHECK(root["arguments"].text() == texts[index]);
        }
        if (name == "response.output_item.done") {
          ++done;
          CHECK(open.erase(index) == 1);
          if (texts.count(index) != 0) CHECK(ItemText(root["item"]) == texts[index]);
        }
      }
      CHECK(open.empty());
      CHECK(parts.empty());
      const json::Value response = events.back().data.root()["response"];
      CHECK(events.back().name == "response.incomplete");
      CHECK(response["status"].text() == "incomplete");
      CHECK(response["incomplete_details"]["reason"].text() == "max_output_tokens");
      CHECK(response["output"].size() == done);
      CHECK(response["id"].text() == events.front().data.root()["response"]["id"].text());
      // Read as an answer of its own it has the text that was relayed.
      const Response whole =
          ReadResponse(recording.origin.dialect, Operation::kResponses, response.source());
      std::string text, told;
      for (const auto& [index, piece] : texts) told += piece;
      for (json::Value item : response["output"].members()) text += ItemText(item);
      for (const auto& [index, piece] : texts) CHECK(text.find(piece) != std::string::npos);
      CHECK(whole.usage.completion == kSpent.completion);
    });
  }
}

// A provider's own cut, and ours at the same place.
TEST_CASE("responses that are ended early end with the events that a provider's cut has") {
  for (const Recording& recording : Recordings()) {
    if (recording.file.find("response_stream_incomplete") == std::string::npos) continue;
    const size_t at = recording.bytes.find("event: response.output_text.done");
    REQUIRE(at != std::string::npos);
    const std::vector<Event> theirs = EventsOf(recording.bytes);
    const std::vector<Event> ours =
        EventsOf(CutAt(recording.bytes, at, at, recording.origin).whole());
    REQUIRE(ours.size() == theirs.size());
    for (size_t i = 0; i < ours.size(); ++i) {
      INFO(ours[i].name);
      CHECK(ours[i].name == theirs[i].name);
      const json::Value mine = ours[i].data.root();
      for (json::Value member : theirs[i].data.root().members()) {
        if (member.key() == "response") continue;
        CHECK(mine[member.key()]);
        if (!member.size()) CHECK(mine[member.key()].text() == member.text());
      }
      CHECK(ItemText(mine["item"]) == ItemText(theirs[i].data.root()["item"]));
      CHECK(mine["item"]["status"].text() == theirs[i].data.root()["item"]["status"].text());
    }
  }
}

// The chunks of a stream as Gemini sends them without alt=sse.
std::string AsArray(const std::string& sse) {
  std::string array;
  for (const Event& event : EventsOf(sse)) {
    array += array.empty() ? "[" : "\r\n,\r\n";
    array += event.data.source();
  }
  return array + "\n]\n";
}

TEST_CASE("Gemini's arrays that are ended early are whole arrays") {
  const Origin origin = {Dialect::kGemini, Operation::kChat, BodyKind::kJson};
  for (const Recording& recording : Recordings()) {
    if (recording.origin.dialect != Dialect::kGemini || !IsStream(recording)) continue;
    INFO(recording.file);
    const std::string array = AsArray(recording.bytes);
    size_t cuts = 0;
    ForEachCut(array, origin, [&](const Cut& cut, const Outcome& before) {
      // Nothing has come: whether an array will is not known.
      if (cut.prefix.empty()) {
        CHECK(cut.end.empty());
        return;
      }
      ++cuts;
      json::Document document;
      REQUIRE(document.Parse(cut.whole()));
      const Outcome after = testing::Run(cut.whole(), {}, false, origin);
      CHECK(after.finish);
      CHECK(after.deltas == before.deltas);
      if (!before.finish) CHECK(after.usage.completion == kSpent.completion);
    });
    CHECK(cuts > 2);
    auto reader = HoldingReader(origin);
    std::string relay;
    reader->Feed("[", &relay);
    CHECK(relay.empty());
    json::Document document;
    CHECK(document.Parse(reader->FinishEarly(kSpent, true)));
    CHECK(document.root().size() == 1);
  }
}

// ---- Byte for byte ----

std::string End(const Origin& origin, std::string_view body, bool include_usage,
                const Usage& usage = {.prompt = 10, .completion = 3}) {
  auto reader = HoldingReader(origin);
  reader->Feed(body, nullptr);
  return reader->FinishEarly(usage, include_usage);
}

TEST_CASE("the end of chat and completions, byte for byte") {
  const Origin chat;
  const std::string two = testing::Chunk(testing::Choice(0, "\"content\":\"a\"")) +
                          testing::Chunk(testing::Choice(2, "\"content\":\"b\""));
  const std::string end = End(chat, two, true);
  const size_t first = end.find("\"choices\"");
  const std::string head = end.substr(0, first);
  CHECK(end == head +
                   "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
                   "\"finish_reason\":\"length\"}]}\n\n" +
                   head +
                   "\"choices\":[{\"index\":2,\"delta\":{},\"logprobs\":null,"
                   "\"finish_reason\":\"length\"}]}\n\n" +
                   head +
                   "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":3,"
                   "\"total_tokens\":13}}\n\ndata: [DONE]\n\n");
  CHECK(End(chat, two, false) == end.substr(0, end.rfind(head)) + "data: [DONE]\n\n");
  CHECK(End(chat, two + "data: [DONE]\n\n", true).empty());
  CHECK(End(chat, "", false) ==
        "data: {\"id\":\"\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"\","
        "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
        "\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n");
  const Origin completions = {Dialect::kOpenAi, Operation::kCompletions, BodyKind::kSse};
  CHECK(End(completions,
            "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":5,\"choices\":"
            "[{\"text\":\"a\",\"index\":0,\"finish_reason\":null}],\"model\":\"m\"}\r\n\r",
            false) ==
        "\ndata: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\","
        "\"choices\":[{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}]}"
        "\n\ndata: [DONE]\n\n");
}

TEST_CASE("the end of messages and of Gemini's streams, byte for byte") {
  const Origin messages = {Dialect::kAnthropic, Operation::kChat, BodyKind::kSse};
  const std::string begun =
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\"}}\n\n"
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":4,"
      "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
  const std::string last =
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
      "\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":3}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  const std::string stop =
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":4}\n\n";
  CHECK(End(messages, begun, true) == stop + last);
  CHECK(End(messages, begun + stop, true) == last);
  // A block that begins with text, is closed, and begins in the same words again is open again.
  std::string texts = begun;
  texts.insert(texts.size() - 5, "").replace(texts.find("text\":\"\""), 8, "text\":\"x\"");
  const std::string start = texts.substr(texts.find("event: content_block_start"));
  CHECK(End(messages, texts + stop + start, true) == stop + last);

  const Origin gemini = {Dialect::kGemini, Operation::kChat, BodyKind::kSse};
  CHECK(End(gemini,
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],"
            "\"modelVersion\":\"m\",\"responseId\":\"r\"}\r\n\r\n",
            true, {.prompt = 10, .completion = 5, .cached = 1, .reasoning = 2}) ==
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
        "\"finishReason\":\"MAX_TOKENS\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":10,"
        "\"candidatesTokenCount\":3,\"thoughtsTokenCount\":2,\"cachedContentTokenCount\":1,"
        "\"totalTokenCount\":15},\"modelVersion\":\"m\",\"responseId\":\"r\"}\r\n\r\n");
}

TEST_CASE("the end of Bedrock's streams, frame for frame") {
  const Origin origin = {Dialect::kBedrock, Operation::kChat, BodyKind::kEventStream};
  std::string body;
  const auto event = [&](std::string_view name, std::string_view json) {
    AppendFrame(&body, {{":event-type", name}, {":message-type", "event"}}, json);
  };
  event("messageStart", "{\"role\":\"assistant\"}");
  event("contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"a\"}}");
  event("contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"b\"}}");
  const std::string end =
      End(origin, body, false, {.prompt = 10, .completion = 3, .cached = 2, .cache_write = 1});
  std::vector<std::string> told;
  EventStreamReader frames(kMaxEventBytes);
  for (std::string_view rest = end; !rest.empty();) {
    const auto progress = frames.Read(rest);
    REQUIRE(progress.frame_end);
    CHECK_FALSE(frames.frame().unreadable);
    CHECK(frames.frame().message_type == "event");
    told.push_back(Concat({frames.frame().event_type, " ", frames.frame().payload}));
    rest.remove_prefix(progress.consumed);
  }
  CHECK(told == std::vector<std::string>{
                    "contentBlockStop {\"contentBlockIndex\":1}",
                    "messageStop {\"stopReason\":\"max_tokens\"}",
                    "metadata {\"metrics\":{\"latencyMs\":0},\"usage\":{\"inputTokens\":7,"
                    "\"outputTokens\":3,\"totalTokens\":13,\"cacheReadInputTokens\":2,"
                    "\"cacheWriteInputTokens\":1}}"});
}

TEST_CASE("where a stream cannot be ended early nothing is said") {
  const auto silent = [](const Origin& origin, std::string_view body, bool hold = true) {
    auto reader = StreamReader::Create(origin.dialect, origin.operation, origin.kind);
    reader->set_hold_events(hold);
    reader->set_max_bytes(1000, 1000);
    reader->Feed(body, nullptr);
    CHECK_FALSE(reader->can_finish_early());
    return reader->FinishEarly(kSpent, true).empty();
  };
  CHECK(silent({}, "data: {}\n\n", /*hold=*/false));
  CHECK(silent({Dialect::kOpenAi, Operation::kEmbeddings, BodyKind::kSse}, "data: {}\n\n"));
  CHECK(silent({Dialect::kOpenAi, Operation::kChat, BodyKind::kJson}, "{\"choices\":[]}"));
  CHECK(silent({Dialect::kGemini, Operation::kChat, BodyKind::kJson}, "{\"candidates\":[]}"));
  // An event too large to hold is under way, or the frames are lost.
  CHECK(silent({}, "data: {\"x\":\"" + std::string(2000, 'x')));
  CHECK(
      silent({Dialect::kBedrock, Operation::kChat, BodyKind::kEventStream}, std::string(100, 'x')));
  auto reader = HoldingReader({});
  reader->set_max_bytes(1000, 1000);
  reader->Feed("data: {\"x\":\"" + std::string(2000, 'x') + "\"}\n\n", nullptr);
  CHECK(reader->can_finish_early());
}

// The bound of what is kept of responses: what does not fit is left out, the rest is whole.
TEST_CASE("responses too long to be kept are ended without what was too long") {
  const Origin origin = {Dialect::kOpenAi, Operation::kResponses, BodyKind::kSse};
  const auto event = [](std::string_view type, std::string_view members) {
    return Concat({"event: ", type, "\ndata: {\"type\":\"", type, "\",", members, "}\n\n"});
  };
  auto reader = HoldingReader(origin);
  std::string relay;
  reader->Feed(event("response.created", "\"response\":{\"id\":\"r\",\"model\":\"m\"}"), &relay);
  reader->Feed(event("response.output_item.added",
                     "\"output_index\":0,\"item\":{\"id\":\"i\",\"type\":\"message\"}"),
               &relay);
  const std::string word(1000, 'x');
  const std::string delta =
      event("response.output_text.delta",
            "\"output_index\":0,\"content_index\":0,\"delta\":\"" + word + "\"");
  for (int i = 0; i < 1000; ++i) reader->Feed(delta, &relay);
  const std::string whole = reader->FinishEarly(kSpent, true);
  CHECK(EventsOf(whole).size() == 3);
  CHECK(whole.size() > 3 * 1000 * word.size());
  for (int i = 0; i < 100; ++i) reader->Feed(delta, &relay);
  const std::string end = reader->FinishEarly(kSpent, true);
  CHECK(EventsOf(end).size() == 1);
  CHECK(testing::Run(relay + end, {}, false, origin).finish);
}

}  // namespace
}  // namespace weir::dialects
