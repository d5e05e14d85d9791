// Real requests with what was billed for them: how often the count is what was billed, by class.
//
// A class is what can be seen in the request. Left out are rows that state no prompt tokens, and,
// of OpenAI's models, those whose count says of itself that it is no exact one.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tests/metering/bill_rows.h"
#include "tests/support/catch.h"
#include "weir/prompt_meter.h"

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;
using dialects::Provenance;
using testing::BillRow;
using testing::BillTable;
using testing::ForBillRows;
using Kind = PromptPart::Kind;

uint64_t BilledOf(const json::Value& usage) {
  uint64_t billed = 0;
  for (const char* field : {"prompt_tokens", "input_tokens", "cache_creation_input_tokens",
                            "cache_read_input_tokens"}) {
    billed += usage[field].Uint().value_or(0);
  }
  return billed;
}

// What was asked of another operation, which has a prompt of its own: to shorten a conversation.
bool IsCompaction(const BillRow& row) {
  if (row.root["request"]["context_management"]) return false;
  for (const json::Value item : row.root["completion"].members()) {
    if (item["type"].text() == "compaction") return true;
  }
  return false;
}

std::string ClassOf(const json::Value& request, const PromptCount& prompt) {
  bool image = false, schema = false, history = false;
  for (const PromptPart& part : prompt.parts) {
    image = image || part.kind == Kind::kImage;
    schema = schema || part.kind == Kind::kSchema;
    history = history || part.kind == Kind::kToolCall || part.kind == Kind::kToolResult;
  }
  if (image) return "images";
  if (schema) return "schemas";
  if (history) return "tool history";
  return request["tools"].size() + request["functions"].size() > 0 ? "tools" : "plain";
}

struct Billed {
  uint64_t billed = 0;
  PromptCount prompt;
};

// Calls `each` with every row that states what was billed, and what weir says.
template <typename Each>
bool ForBilled(const std::string& file, Dialect dialect, Operation operation, const Each& each) {
  return ForBillRows(file, [&](const BillRow& row) {
    Billed billed;
    billed.billed = BilledOf(row.root["usage"]);
    const tokens::Tokenizer* tokenizer =
        row.tokenizer != nullptr ? row.tokenizer : tokens::Find("o200k_base");
    PromptOptions options;
    options.with_parts = true;
    const auto prompt =
        CountPrompt(dialect, operation, row.model, *tokenizer, row.tokenizer != nullptr,
                    row.root["request"].source(), options);
    REQUIRE(prompt.ok());
    billed.prompt = *prompt;
    if (billed.billed > 0) each(row, billed);
  });
}

void CheckBills(const std::string& file, Operation operation,
                const std::map<std::string, double>& floors) {
  BillTable table;
  const bool there =
      ForBilled(file, Dialect::kOpenAi, operation, [&](const BillRow& row, const Billed& count) {
        if (row.tokenizer == nullptr || count.prompt.provenance != Provenance::kExact) {
          // An upper bound is one.
          if (count.prompt.provenance == Provenance::kUpperBound) {
            CHECK(count.billed <= count.prompt.count);
          }
          return;
        }
        if (IsCompaction(row)) return;
        table.Add(ClassOf(row.root["request"], count.prompt), row,
                  static_cast<int64_t>(count.billed) - static_cast<int64_t>(count.prompt.count));
      });
  if (there) table.Check(file, floors);
}

TEST_CASE("chats cost what was billed") {
  // Some bills cannot be right: 20 tokens for a function's definition of 60.
  CheckBills("chat", Operation::kChat,
             {{"plain", 0.97}, {"tools", 0.95}, {"tool history", 0.98}, {"schemas", 0.98}});
}

TEST_CASE("responses cost what was billed") {
  // Responses of gpt-4o before the summer of 2025 were billed 18 tokens more, 216 with functions;
  // nothing in a request tells.
  CheckBills("responses", Operation::kResponses,
             {{"plain", 0.82},
              {"tools", 0.88},
              {"tool history", 0.8},
              {"schemas", 0.98},
              {"images", 0.98}});
}

TEST_CASE("completions and embeddings cost what was billed") {
  CheckBills("completions", Operation::kCompletions, {{"plain", 0.98}});
  CheckBills("embeddings", Operation::kEmbeddings, {{"plain", 0.98}});
}

double Median(std::vector<double> values) {
  REQUIRE(!values.empty());
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

TEST_CASE("estimates are near what was billed") {
  std::vector<double> claude, grok;
  const auto error = [](const Billed& count) {
    CHECK(count.prompt.provenance == Provenance::kEstimated);
    const double billed = static_cast<double>(count.billed);
    return std::abs(static_cast<double>(count.prompt.count) - billed) / billed;
  };
  if (!ForBilled("anthropic", Dialect::kAnthropic, Operation::kChat,
                 [&](const BillRow&, const Billed& count) { claude.push_back(error(count)); })) {
    return;
  }
  ForBilled("chat", Dialect::kOpenAi, Operation::kChat,
            [&](const BillRow& row, const Billed& count) {
              if (FamilyOf(row.model, "").rendering == Rendering::kGrok) {
                grok.push_back(error(count));
              }
            });
  std::cout << "estimated prompts, median error: claude " << Median(claude) * 100 << " %, grok "
            << Median(grok) * 100 << " %\n";
  CHECK(Median(claude) <= 0.05);
  CHECK(Median(grok) <= 0.05);
}

// What cannot be seen in a request (thoughts, searches, what is kept by the provider) is guessed.
TEST_CASE("estimates of OpenAI's own prompts are near what was billed") {
  std::vector<double> errors;
  const auto note = [&](const BillRow& row, const Billed& count) {
    if (row.tokenizer == nullptr || count.prompt.provenance != Provenance::kEstimated) return;
    if (IsCompaction(row)) return;
    const double billed = static_cast<double>(count.billed);
    errors.push_back(std::abs(static_cast<double>(count.prompt.count) - billed) / billed);
  };
  const bool there = ForBilled("chat", Dialect::kOpenAi, Operation::kChat, note);
  if (!there) return;
  ForBilled("responses", Dialect::kOpenAi, Operation::kResponses, note);
  std::cout << "estimated prompts, median error: of " << errors.size() << " of OpenAI's models "
            << Median(errors) * 100 << " %\n";
  CHECK(Median(errors) <= 0.05);
}

}  // namespace
}  // namespace weir::metering
