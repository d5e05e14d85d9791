// What answers come to: the texts, and what frames them and the calls.

#include <cstdint>
#include <string>
#include <vector>

#include "metering/answer_frame.h"
#include "metering/prompt_family.h"
#include "metering/stream_counts.h"
#include "tests/metering/bill_rows.h"
#include "tests/support/catch.h"
#include "weir/stream_meter.h"
#include "weir/tokens.h"

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;
using dialects::TextKind;
using testing::BillRow;
using testing::BillTable;
using testing::ForBillRows;

// Writes the answer of a row into `counts`, as its choices and calls came.
struct Answer {
  StreamCounts* counts;
  bool text = false, calls = false, cut_short = false, known = true;

  void Write(uint32_t choice, TextKind kind, uint32_t part, const json::Value& value) {
    if (!value.Is(json::Type::kString) || value.text().empty()) return;
    const bool is_call = kind == TextKind::kToolName || kind == TextKind::kToolArguments;
    (is_call ? calls : text) = true;
    counts->Text({choice, kind, part, value.text()});
  }

  void Call(uint32_t choice, uint32_t part, const json::Value& call) {
    Write(choice, TextKind::kToolName, part, call["name"]);
    Write(choice, TextKind::kToolArguments, part, call["arguments"]);
  }

  void ReadChoices(const json::Value& choices) {
    uint32_t number = 0;
    for (const json::Value choice : choices.members()) {
      Write(number, TextKind::kContent, 0, choice["content"]);
      Write(number, TextKind::kRefusal, 0, choice["refusal"]);
      uint32_t part = 0;
      for (const json::Value call : choice["tool_calls"].members()) {
        Call(number, part++, call["function"] ? call["function"] : call);
      }
      if (choice["function_call"]) Call(number, part, choice["function_call"]);
      cut_short = cut_short || IsCutShort(choice["finish"].text());
      known = known && !choice["audio"];
      ++number;
    }
  }

  void ReadItems(const json::Value& items) {
    uint32_t part = 0;
    for (const json::Value item : items.members()) {
      const std::string_view type = item["type"].text();
      if (type == "message") Write(0, TextKind::kContent, part, item["text"]);
      if (type == "function_call") Call(0, part, item);
      known = known && (type == "message" || type == "function_call" || type == "reasoning");
      ++part;
    }
  }
};

uint64_t StatedBy(const json::Value& usage, const char* chat, const char* responses) {
  return usage[chat].Uint().value_or(0) + usage[responses].Uint().value_or(0);
}

struct Billed {
  int64_t missing = 0;      // what was billed beyond Billed()
  int64_t beside_text = 0;  // beyond Total()
  bool text = false, calls = false, exact = false;
  int64_t choices = 0;
};

template <typename Each>
bool ForAnswers(const std::string& file, Operation operation, const Each& each) {
  return ForBillRows(file, [&](const BillRow& row) {
    if (row.tokenizer == nullptr) return;
    const json::Value usage = row.root["usage"], request = row.root["request"];
    const uint64_t stated = StatedBy(usage, "completion_tokens", "output_tokens");
    const uint64_t reasoning =
        StatedBy(usage["completion_tokens_details"], "reasoning_tokens", "") +
        StatedBy(usage["output_tokens_details"], "reasoning_tokens", "");
    if (stated == 0 || reasoning > 0) return;
    const bool azure = row.root["provider"].text() == "azure";
    const bool tools = request["tools"].size() + request["functions"].size() > 0;
    StreamCounts counts(
        row.tokenizer,
        AnswerFrameOf(FamilyOf(row.model, row.tokenizer->name()), row.model,
                      azure ? Dialect::kAzureOpenAi : Dialect::kOpenAi, operation, tools));
    Answer answer{&counts};
    const json::Value completion = row.root["completion"];
    operation == Operation::kResponses ? answer.ReadItems(completion)
                                       : answer.ReadChoices(completion);
    // A call that was required by name was begun in the prompt.
    const json::Value choice = request["tool_choice"];
    if (!answer.known || (!answer.text && !answer.calls) || choice.Is(json::Type::kObject)) return;
    Billed billed;
    billed.missing = static_cast<int64_t>(stated) -
                     static_cast<int64_t>(counts.Billed(counts.Total(), answer.cut_short));
    billed.beside_text = static_cast<int64_t>(stated) - static_cast<int64_t>(counts.Total());
    billed.text = answer.text;
    billed.calls = answer.calls;
    billed.exact = counts.IsExact();
    billed.choices = static_cast<int64_t>(completion.size());
    each(row, billed);
  });
}

void CheckAnswers(const std::string& file, Operation operation,
                  const std::map<std::string, double>& floors) {
  BillTable table;
  int texts = 0, near = 0;
  const bool there = ForAnswers(file, operation, [&](const BillRow& row, const Billed& billed) {
    if (billed.exact) {
      table.Add(billed.calls ? "answers with calls" : "answers of text", row, billed.missing);
    } else if (!(billed.calls && billed.text)) {
      table.Add(billed.calls ? "estimated calls" : "estimated texts", row, billed.missing);
    }
    if (!billed.exact || billed.calls) return;
    ++texts;
    // What begins and what ends a turn are the only tokens that are no text.
    near += billed.beside_text >= 0 && billed.beside_text <= 2 * billed.choices ? 1 : 0;
  });
  if (!there) return;
  table.Check(file, floors);
  std::cout << "billed, " << file << ", answers of text: " << near << " of " << texts
            << " are the text and at most a beginning and an end\n";
  INFO(near << " of " << texts);
  CHECK(near >= 0.98 * texts);
}

TEST_CASE("answers of chats cost what was billed") {
  // For a while the token that ends an answer was billed; nothing in the request or the answer
  // tells.
  CheckAnswers("chat", Operation::kChat, {{"answers of text", 0.8}, {"answers with calls", 0.75}});
}

TEST_CASE("answers of responses cost what was billed") {
  CheckAnswers("responses", Operation::kResponses,
               {{"answers of text", 0.95}, {"answers with calls", 0.85}});
}

TEST_CASE("answers of completions cost what was billed") {
  CheckAnswers("completions", Operation::kCompletions, {{"answers of text", 0.98}});
}

constexpr std::string_view kModel = "gpt-4o";

AnswerFrame FrameOf(std::string_view model, Operation operation, bool tools,
                    Dialect dialect = Dialect::kOpenAi) {
  return AnswerFrameOf(FamilyOf(model, "o200k_base"), model, dialect, operation, tools);
}

uint64_t N(const std::string& text) { return tokens::Find("o200k_base")->Count(text); }

TEST_CASE("frames of answers") {
  const AnswerFrame plain = FrameOf(kModel, Operation::kChat, false);
  CHECK((plain.text == 0 && plain.end == 0 && plain.texts_exact && plain.calls_exact));
  CHECK(FrameOf(kModel, Operation::kChat, true).text == 1);
  CHECK(FrameOf(kModel, Operation::kResponses, false).end == 1);
  CHECK(FrameOf(kModel, Operation::kChat, false, Dialect::kAzureOpenAi).end == 1);
  CHECK(FrameOf("gpt-3.5-turbo-instruct", Operation::kCompletions, false).end == 0);
  // The early models call one function at a time.
  for (const char* model : {"gpt-4", "gpt-4-0613", "gpt-4-32k", "gpt-3.5-turbo-0613"}) {
    INFO(model);
    CHECK(FrameOf(model, Operation::kChat, true).wrapper == 0);
  }
  for (const char* model : {"gpt-4-turbo", "gpt-4-1106-preview", "gpt-3.5-turbo", "gpt-35-turbo"}) {
    INFO(model);
    CHECK(FrameOf(model, Operation::kChat, true).wrapper > 0);
  }
  // Thoughts that are not shown are billed as well; of other makers' models nothing is known.
  for (const char* model : {"gpt-5", "gpt-5.6-sol", "o3", "o4-mini", "claude-sonnet-5", "llama"}) {
    INFO(model);
    CHECK_FALSE(FrameOf(model, Operation::kChat, false).texts_exact);
  }
  for (const char* reason : {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"}) {
    CHECK(IsCutShort(reason));
  }
  for (const char* reason : {"stop", "tool_calls", "end_turn", "completed", "STOP"}) {
    CHECK_FALSE(IsCutShort(reason));
  }
}

// Feeds an answer's arguments in pieces of `size`.
void WriteCall(StreamCounts* counts, uint32_t choice, uint32_t part, std::string_view name,
               std::string_view arguments, size_t size) {
  counts->Text({choice, TextKind::kToolName, part, name});
  for (size_t at = 0; at < arguments.size(); at += size) {
    counts->Text({choice, TextKind::kToolArguments, part, arguments.substr(at, size)});
  }
}

TEST_CASE("one call, several calls, calls in a wrapper") {
  const std::string a = R"({"city": "New York City", "note": "a \"b: c\" \\"})", b = R"({})";
  const std::string compact = R"({"city":"New York City","note":"a \"b: c\" \\"})";
  const std::string open = R"({"tool_uses":[{"recipient_name":"functions.)";
  const std::string middle = R"(","parameters":)";
  for (size_t size = 1; size <= a.size(); ++size) {
    INFO(size);
    const AnswerFrame frame = FrameOf(kModel, Operation::kChat, true);
    StreamCounts one(tokens::Find("o200k_base"), frame);
    WriteCall(&one, 0, 0, "get_weather", compact, size);
    CHECK(one.Billed(one.Total(), false) == 7 + N(".get_weather") + N(compact));
    CHECK(one.Billed(one.Total(), true) == one.Billed(one.Total(), false));
    CHECK(one.IsExact());

    // Blanks behind colons: the model called a wrapper.
    StreamCounts blanks(tokens::Find("o200k_base"), frame);
    WriteCall(&blanks, 0, 0, "get_weather", a, size);
    CHECK(blanks.Billed(blanks.Total(), false) ==
          10 + N(open + "get_weather" + middle + compact + "}]}"));

    StreamCounts two(tokens::Find("o200k_base"), FrameOf(kModel, Operation::kResponses, true));
    WriteCall(&two, 0, 1, "get_weather", a, size);
    WriteCall(&two, 0, 2, "now", b, size);
    CHECK(two.Billed(two.Total(), false) ==
          11 + N(open + "get_weather" + middle + compact + R"(},{"recipient_name":"functions.now)" +
                 middle + "{}}]}"));
    CHECK(two.Billed(two.Total(), true) + 1 == two.Billed(two.Total(), false));

    // Each choice for itself.
    StreamCounts choices(tokens::Find("o200k_base"), frame);
    WriteCall(&choices, 0, 0, "now", b, size);
    WriteCall(&choices, 1, 0, "now", b, size);
    CHECK(choices.Billed(choices.Total(), false) == 2 * (7 + N(".now") + N(b)));
    CHECK(choices.IsExact());
  }
}

TEST_CASE("the early models' calls stand by themselves") {
  const tokens::Tokenizer* tokenizer = tokens::Find("cl100k_base");
  StreamCounts counts(tokenizer, AnswerFrameOf(FamilyOf("gpt-4-0613", "cl100k_base"), "gpt-4-0613",
                                               Dialect::kOpenAi, Operation::kChat, true));
  WriteCall(&counts, 0, 0, "f", "{\n  \"a\": 1\n}", 3);
  WriteCall(&counts, 0, 1, "g", "{}", 1);
  CHECK(counts.Billed(counts.Total(), false) ==
        8 + tokenizer->Count(".f") + tokenizer->Count(".g") + tokenizer->Count("{\n  \"a\": 1\n}") +
            tokenizer->Count("{}"));
}

TEST_CASE("what cannot be known of an answer is no exact count") {
  const tokens::Tokenizer* tokenizer = tokens::Find("o200k_base");
  const AnswerFrame frame = FrameOf(kModel, Operation::kChat, true);
  SECTION("thoughts") {
    StreamCounts counts(tokenizer, frame);
    counts.Text({0, TextKind::kReasoning, 0, "hm"});
    counts.Text({0, TextKind::kContent, 0, "yes"});
    CHECK_FALSE(counts.IsExact());
    CHECK(counts.Billed(counts.Total(), false) == N("hm") + N("yes") + 1);
  }
  SECTION("a text and a call") {
    StreamCounts counts(tokenizer, frame);
    counts.Text({0, TextKind::kContent, 0, "yes"});
    CHECK(counts.IsExact());
    WriteCall(&counts, 0, 0, "f", "{}", 2);
    CHECK_FALSE(counts.IsExact());
    CHECK(counts.Billed(counts.Total(), false) == N("yes") + 1 + 7 + N(".f") + N("{}"));
  }
  SECTION("more choices than are told apart") {
    StreamCounts counts(tokenizer, frame);
    for (uint32_t choice = 0; choice < 40; ++choice) {
      counts.Text({choice, TextKind::kContent, 0, "yes"});
    }
    CHECK_FALSE(counts.IsExact());
    CHECK(counts.Billed(counts.Total(), false) == counts.Total());
  }
  SECTION("endless arguments") {
    StreamCounts counts(tokenizer, frame);
    const std::string text(1000, ' ');
    for (int i = 0; i < 1000; ++i) WriteCall(&counts, 0, 0, "", text, 1000);
    CHECK_FALSE(counts.IsExact());
    CHECK(counts.Billed(counts.Total(), false) == counts.Total());
  }
  SECTION("no frame is known") {
    StreamCounts counts(tokenizer);
    counts.Text({0, TextKind::kContent, 0, "yes"});
    CHECK(counts.IsExact());
    WriteCall(&counts, 0, 0, "f", "{}", 2);
    CHECK_FALSE(counts.IsExact());
    CHECK(counts.Billed(counts.Total(), false) == counts.Total());
  }
  SECTION("no tokenizer") {
    StreamCounts counts(nullptr, frame);
    counts.Text({0, TextKind::kContent, 0, "yes it is"});
    CHECK(counts.Billed(counts.Total(), false) == counts.Total());
    CHECK_FALSE(counts.IsExact());
  }
}

TEST_CASE("a meter that is told the model counts what frames the answer") {
  const auto metered = [](std::string_view model, bool functions, std::string_view finish) {
    StreamMeterOptions options;
    options.operation = Operation::kResponses;
    options.tokenizer = tokens::Find("o200k_base");
    options.model = model;
    options.declares_functions = functions;
    const auto meter = StreamMeter::Create(options);
    std::string stream =
        "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,"
        "\"delta\":\"Hello, world\"}\n\n";
    if (!finish.empty()) {
      stream.append("data: {\"type\":\"response.").append(finish);
      stream.append("\",\"response\":{\"status\":\"").append(finish);
      stream.append("\",\"output\":[]}}\n\n");
    }
    meter->Feed(stream, nullptr);
    meter->End(nullptr);
    return meter->Read();
  };
  const uint64_t text = N("Hello, world");
  CHECK(metered("gpt-4o", true, "completed").completion == text + 2);
  CHECK(metered("gpt-4o", false, "completed").completion == text + 1);
  CHECK(metered("gpt-4o", false, "completed").provenance == dialects::Provenance::kExact);
  CHECK(metered("gpt-4o", false, "completed").counted == text);
  CHECK(metered("gpt-4o", false, "incomplete").completion == text);
  CHECK(metered("gpt-4o", false, "").completion == text);
  CHECK(metered("gpt-4o", false, "").provenance == dialects::Provenance::kEstimated);
  CHECK(metered("gpt-5", false, "completed").completion == text + 4);
  CHECK(metered("gpt-5", false, "completed").provenance == dialects::Provenance::kEstimated);
  CHECK(metered("", true, "completed").completion == text);
  CHECK(metered("", true, "completed").provenance == dialects::Provenance::kExact);
}

}  // namespace
}  // namespace weir::metering
