// Real requests with what was billed for them: how often the count is what was billed, by class.
//
// A class is what can be seen in the request. Left out are rows that state no prompt tokens, and,
// of OpenAI's models, those whose count says of itself that it is no exact one.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "metering/prompt_family.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "weir/prompt_meter.h"

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;
using dialects::Provenance;
using Kind = PromptPart::Kind;

struct Row {
  std::string_view model;
  uint64_t billed = 0;
  PromptCount prompt;
  std::string what;  // the class
  bool public_tokenizer = false;
};

uint64_t BilledOf(const json::Value& usage) {
  uint64_t billed = 0;
  for (const char* field : {"prompt_tokens", "input_tokens", "cache_creation_input_tokens",
                            "cache_read_input_tokens"}) {
    billed += usage[field].Uint().value_or(0);
  }
  return billed;
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

// Calls `each` with every row of a file that states what was billed; false when there is no file.
template <typename Each>
bool ForRows(const std::string& file, Dialect dialect, Operation operation, const Each& each) {
  const auto lines = ::weir::testing::SharedData("usage/" + file + ".jsonl");
  if (!lines) return false;
  std::istringstream stream(*lines);
  std::string line;
  while (std::getline(stream, line)) {
    json::Document document;
    REQUIRE(document.Parse(line));
    const json::Value root = document.root(), request = root["request"];
    Row row;
    row.model = request["model"].text();
    const std::string_view served = root["model_resp"].text();
    // Deployments and proxies are called what they like.
    const bool told = !tokens::EncodingForModel(row.model).empty();
    const bool other = !served.empty() && tokens::EncodingForModel(served).empty();
    if (!told || other) row.model = served;
    row.billed = BilledOf(root["usage"]);
    const tokens::Tokenizer* tokenizer = tokens::Find(tokens::EncodingForModel(row.model));
    row.public_tokenizer = tokenizer != nullptr;
    if (tokenizer == nullptr) tokenizer = tokens::Find("o200k_base");
    PromptOptions options;
    options.with_parts = true;
    const auto prompt = CountPrompt(dialect, operation, row.model, *tokenizer, row.public_tokenizer,
                                    request.source(), options);
    INFO(root["id"].text());
    REQUIRE(prompt.ok());
    row.prompt = *prompt;
    row.what = ClassOf(request, *prompt);
    if (row.billed > 0) each(row);
  }
  return true;
}

struct Tally {
  int rows = 0, equal = 0;
};

void Report(const std::string& file, const std::map<std::string, Tally>& tallies,
            const std::map<std::string, double>& floors) {
  for (const auto& [what, tally] : tallies) {
    std::cout << "billed prompts, " << file << ", " << what << ": " << tally.equal << " of "
              << tally.rows << " exact\n";
    const auto floor = floors.find(what);
    INFO(file << " " << what << ": " << tally.equal << " of " << tally.rows);
    if (floor != floors.end()) CHECK(tally.equal >= floor->second * tally.rows);
  }
}

void CheckBills(const std::string& file, Operation operation,
                const std::map<std::string, double>& floors) {
  std::map<std::string, Tally> tallies;
  const bool there = ForRows(file, Dialect::kOpenAi, operation, [&](const Row& row) {
    if (!row.public_tokenizer || row.prompt.provenance != Provenance::kExact) {
      // An upper bound is one.
      if (row.prompt.provenance == Provenance::kUpperBound) CHECK(row.billed <= row.prompt.count);
      return;
    }
    Tally& tally = tallies[row.what];
    ++tally.rows;
    tally.equal += row.prompt.count == row.billed ? 1 : 0;
  });
  if (there) Report(file, tallies, floors);
}

TEST_CASE("chats cost what was billed") {
  // Some bills cannot be right: 20 tokens for a function's definition of 60.
  CheckBills("chat", Operation::kChat,
             {{"plain", 0.97}, {"tools", 0.95}, {"tool history", 0.98}, {"schemas", 0.98}});
}

TEST_CASE("responses cost what was billed") {
  // Some responses of gpt-4o, early ones it seems, were billed 18 tokens more, 216 with functions.
  CheckBills("responses", Operation::kResponses,
             {{"plain", 0.78},
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
  const auto error = [](const Row& row) {
    CHECK(row.prompt.provenance == Provenance::kEstimated);
    const double billed = static_cast<double>(row.billed);
    return std::abs(static_cast<double>(row.prompt.count) - billed) / billed;
  };
  if (!ForRows("anthropic", Dialect::kAnthropic, Operation::kChat,
               [&](const Row& row) { claude.push_back(error(row)); })) {
    return;
  }
  ForRows("chat", Dialect::kOpenAi, Operation::kChat, [&](const Row& row) {
    if (FamilyOf(row.model, "").rendering == Rendering::kGrok) grok.push_back(error(row));
  });
  std::cout << "estimated prompts, median error: claude " << Median(claude) * 100 << " %, grok "
            << Median(grok) * 100 << " %\n";
  CHECK(Median(claude) <= 0.05);
  CHECK(Median(grok) <= 0.05);
}

}  // namespace
}  // namespace weir::metering
