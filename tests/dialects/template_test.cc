// Events that are read by their likeness to the one before are read as a parser reads them: the
// same stream, with and without what keeps the template from being used.

#include "dialects/answer_template.h"

#include "tests/dialects/answer_fixtures.h"
#include "tests/dialects/fixtures.h"
#include "tests/dialects/template_twin.h"
#include "tests/support/catch.h"

namespace weir::dialects {
namespace {

using testing::TwoReaders;

struct Shape {
  testing::Origin origin;
  std::string name, before, after;  // of the text
};

std::vector<Shape> Shapes() {
  const std::string head =
      R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":[)";
  return {
      {{},
       "",
       head + R"({"index":0,"delta":{"content":")",
       R"("},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"xyz"})"},
      {{}, "", head + R"({"index":0,"delta":{"reasoning_content":"x","reasoning":")", R"("}}]})"},
      {{}, "", head + R"({"index":0,"delta":{"content":"a","content":")", R"("}}]})"},
      {{},
       "",
       head + R"({"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":")",
       R"("}}]},"finish_reason":null}]})"},
      {{}, "", head + R"({"index":0,"delta":{"content":")", R"("}},{"index":1,"delta":{}}]})"},
      {{Dialect::kOpenAi, Operation::kCompletions, BodyKind::kSse},
       "",
       R"({"id":"c","choices":[{"text":")",
       R"(","index":0,"logprobs":null}],"usage":null})"},
      {testing::kResponsesSse, "response.output_text.delta",
       R"({"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1",)"
       R"("output_index":0,"content_index":0,"delta":")",
       R"(","logprobs":[],"obfuscation":"abc"})"},
      {testing::kAnthropicSse, "content_block_delta",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":")",
       R"("}     })"},
      {testing::kAnthropicSse, "",
       R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
       R"("partial_json":")",
       R"("} })"},
      {testing::kGeminiSse, "", R"({"candidates":[{"index":0,"content":{"parts":[{"text":")",
       R"("}]}}],"modelVersion":"g","responseId":"r"})"},
      {testing::kBedrockFrames, "contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":")",
       R"("},"p":"abc"})"},
  };
}

const std::string kTexts[] = {
    "a", " word", "", "\xC3\xA9", "\xE6\x97\xA5\xE6\x9C\xAC", "\xF0\x9F\x98\x80", R"(\n)",
    R"(\"q\" \\ \/ \b\f\r\t)", R"(\u00e9\u0041\u0000\uFFFF)", R"(\ud83d\ude00)", R"(\uD83D\uDE00x)",
    // Not for a parser either, or not for every one.
    R"(\ud83d)", R"(\ude00)", R"(\ud83dx)", R"(\ud83d\u0041)", R"(\u12)", R"(\x)", R"(\)", "\x01",
    "\xFF", "\xC3", "\xED\xA0\x80", "a\nb", "\x7F", R"(ab"cd)", std::string(3000, 'x'),
    std::string(1021, 'x') + R"(\u00e9)", std::string(1020, 'x') + R"(\ud83d\ude00)" + "yy",
    std::string("\0", 1)};

TEST_CASE("every text in every shape of event") {
  for (const Shape& shape : Shapes()) {
    TwoReaders readers(shape.origin);
    INFO(shape.before);
    CHECK_FALSE(readers.Take(shape.name, shape.before + "first" + shape.after));
    CHECK(readers.Take(shape.name, shape.before + "second" + shape.after));
    for (const std::string& text : kTexts) {
      INFO(text);
      readers.Take(shape.name, shape.before + text + shape.after);
      REQUIRE(readers.agreed());
    }
    CHECK_FALSE(readers.Take("other", shape.before + "x" + shape.after));
  }
}

TEST_CASE("what providers change from event to event does not keep the template from being used") {
  TwoReaders chat({});
  const auto chunk = [](const std::string& id, const std::string& created, const std::string& index,
                        const std::string& text, const std::string& pad) {
    return Concat({R"({"id":")", id, R"(","created":)", created, R"(,"choices":[{"index":)", index,
                   R"(,"delta":{"content":")", text, R"("}}],"obfuscation":")", pad, "\"}"});
  };
  CHECK_FALSE(chat.Take("", chunk("a", "1", "0", "x", "p")));
  CHECK(chat.Take("", chunk("bcd", "1700000000", "0", "y", "")));
  CHECK(chat.Take("", chunk("\\u0041", "0", "1", "z", "\xC3\xA9")));
  CHECK(chat.Take("", chunk("", "7", "127", "z", "")));
  CHECK(chat.Take("", chunk("", "7", "999", "z", "")));
  for (const char* number :
       {"01", "-1", "1.5", "1e3", "", "null", "1 ", "\"1\"", "1234567890123456789012"}) {
    CHECK_FALSE(chat.Take("", chunk("a", number, "0", "x", "p")));
    CHECK_FALSE(chat.Take("", chunk("a", "1", number, "x", "p")));
    // Which may have taught another shape.
    chat.Take("", chunk("a", "1", "0", "x", "p"));
    chat.Take("", chunk("a", "1", "0", "x", "p"));
  }
  TwoReaders anthropic(testing::kAnthropicSse);
  const std::string event =
      R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"})";
  CHECK_FALSE(anthropic.Take("", event + "   }"));
  for (const char* end : {"}", " }", "          }", "\t\r\n }"})
    CHECK(anthropic.Take("", event + end));
  for (const char* end : {"", " ", "} ", "}}", ",}", "}x"}) {
    CHECK_FALSE(anthropic.Take("", event + end));
  }
  CHECK(chat.agreed());
  CHECK(anthropic.agreed());
}

TEST_CASE("an event that tells more than its text is no template") {
  const char* events[] = {
      R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})",
      R"({"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}})",
      R"({"choices":[{"index":0,"delta":{"content":"a"}}],"error":{"message":"x"}})",
      R"({"choices":[{"index":0,"delta":{"content":"a","refusal":"b"}}]})",
      R"({"choices":[{"index":0,"delta":{"function_call":{"arguments":{"a":1}}}}]})",
      R"({"choices":[{"index":0,"delta":{"content":""}}]})"};
  for (const char* event : events) {
    TwoReaders readers({});
    INFO(event);
    CHECK_FALSE(readers.Take("", event));
    CHECK_FALSE(readers.Take("", event));
    CHECK(readers.agreed());
  }
}

// Streams of events that are each like the one before, or nearly.
TEST_CASE("mutated events are read as a parser reads them") {
  Random random(77);
  size_t matched = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::vector<Shape> shapes = Shapes();
    const Shape& shape = shapes[random.Below(shapes.size())];
    TwoReaders readers(shape.origin);
    std::string event = shape.before + "text" + shape.after;
    for (int step = 0; step < 12; ++step) {
      if (readers.Take(shape.name, event)) ++matched;
      INFO(event);
      REQUIRE(readers.agreed());
      std::string next = shape.before + kTexts[random.Below(std::size(kTexts))] + shape.after;
      for (uint64_t n = random.Below(3); n > 0; --n) {
        const size_t at = random.Below(next.size());
        switch (random.Below(4)) {
          case 0:
            next[at] = static_cast<char>(random.Below(256));
            break;
          case 1:
            next.insert(at, 1, "0\"{} ,:\\x"[random.Below(9)]);
            break;
          case 2:
            next.erase(at, 1 + random.Below(3));
            break;
          default:
            break;
        }
        if (next.empty()) next = "{}";
      }
      event = next;
    }
  }
  CHECK(matched > 3000);
}

TEST_CASE("every event of the fixtures, in a row and repeated") {
  std::vector<std::pair<testing::Origin, std::string>> bodies;
  for (const auto& fixture : testing::AnswerFixtures()) {
    if (fixture.origin.kind == BodyKind::kSse) bodies.emplace_back(fixture.origin, fixture.body);
  }
  for (const auto& fixture : testing::StreamFixtures())
    bodies.emplace_back(testing::Origin{}, fixture.body);
  for (const auto& [origin, body] : bodies) {
    TwoReaders readers(origin);
    size_t at = 0;
    while ((at = body.find("data: ", at)) != std::string::npos) {
      const size_t end = body.find_first_of("\r\n", at);
      const std::string data = body.substr(at + 6, end - at - 6);
      for (int repeat = 0; repeat < 3; ++repeat) readers.Take("", data);
      at = end;
      REQUIRE(readers.agreed());
    }
  }
}

}  // namespace
}  // namespace weir::dialects
