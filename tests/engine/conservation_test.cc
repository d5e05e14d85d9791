// Nothing is lost and nothing is told twice: what the providers billed, what the ledger's lines
// say, what the metrics count and what the limit was charged are one sum, exchange by exchange,
// through random faults. WEIR_LONG=1 asks for a million exchanges.

#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/random.h"
#include "tests/engine/support.h"
#include "weir/ledger.h"

namespace weir::engine::testing {
namespace {

// One account: tokens by how they are known, and what they cost.
struct Account {
  std::map<std::string, uint64_t> input, output;  // by provenance
  uint64_t micro_usd = 0;
  uint64_t exchanges = 0;

  uint64_t Tokens() const {
    uint64_t sum = 0;
    for (const auto* side : {&input, &output}) {
      for (const auto& [provenance, tokens] : *side) sum += tokens;
    }
    return sum;
  }
};

struct Row {
  std::string labels;
  std::string value;
};

// The series of a family in Prometheus' text.
std::vector<Row> RowsOf(const std::string& text, const std::string& family) {
  std::vector<Row> rows;
  for (size_t at = 0; (at = text.find("\n" + family + "{", at)) != std::string::npos; ++at) {
    const size_t end = text.find('\n', at + 1);
    const size_t space = text.rfind(' ', end);
    rows.push_back({text.substr(at + 1, space - at - 1), text.substr(space + 1, end - space - 1)});
  }
  return rows;
}

std::string LabelOf(const Row& row, const std::string& name) {
  const std::string begin = name + "=\"";
  const size_t at = row.labels.find(begin) + begin.size();
  return row.labels.substr(at, row.labels.find('"', at) - at);
}

// "12.000034" → 12000034.
uint64_t Millionths(const std::string& decimal) {
  const size_t dot = std::min(decimal.find('.'), decimal.size());
  std::string fraction = dot == decimal.size() ? "" : decimal.substr(dot + 1);
  fraction.resize(6, '0');
  return std::stoull(decimal.substr(0, dot)) * 1'000'000 + std::stoull(fraction);
}

Account OfMetrics(const std::string& text) {
  Account account;
  for (const Row& row : RowsOf(text, "weir_tokens_total")) {
    const std::string category = LabelOf(row, "category");
    if (category != "input" && category != "output") continue;
    auto& side = category == "input" ? account.input : account.output;
    if (row.value != "0") side[LabelOf(row, "provenance")] += std::stoull(row.value);
  }
  for (const Row& row : RowsOf(text, "weir_cost_usd_total")) {
    account.micro_usd += Millionths(row.value);
  }
  for (const Row& row : RowsOf(text, "weir_requests_total")) {
    account.exchanges += std::stoull(row.value);
  }
  return account;
}

class Ledger {
 public:
  void Take(Transaction& txn) {
    std::array<char, ledger::kMaxLineBytes> line;
    const auto size = txn.LedgerLine(absl::MakeSpan(line));
    REQUIRE(size.ok());
    ledger::ReadCounts counts;
    ledger::ReadLines(
        {line.data(), *size}, [this](const ledger::Exchange& exchange) { Add(exchange); }, &counts);
    REQUIRE(counts.lines == 1);
    REQUIRE(counts.poison == 0);
  }
  const Account& account() const { return account_; }
  size_t ids() const { return ids_.size(); }

 private:
  void Add(const ledger::Exchange& exchange) {
    ids_.insert({exchange.id_hi, exchange.id_lo});
    ++account_.exchanges;
    if (exchange.cost) account_.micro_usd += exchange.cost->micro_usd.value_or(0);
    if (!exchange.usage) return;
    const ledger::Usage& usage = *exchange.usage;
    const uint64_t prompt = usage.prompt.value_or(0), completion = usage.completion.value_or(0);
    if (prompt != 0) account_.input[std::string(usage.prompt_provenance)] += prompt;
    if (completion != 0) account_.output[std::string(usage.completion_provenance)] += completion;
  }

  Account account_;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> ids_;
};

// A provider that fails as they do, and remembers what it billed.
class Provider {
 public:
  explicit Provider(uint64_t seed) : random_(seed) {}

  // From the action that sent the request to the end of the exchange.
  void Serve(Transaction& txn, Action action, bool stream, Now now) {
    while (action.kind == ActionKind::kForward) action = Try(txn, stream, now);
  }
  uint64_t billed_prompt() const { return prompt_; }
  uint64_t billed_completion() const { return completion_; }
  bool Flip() { return random_.Below(2) == 0; }

 private:
  Action Try(Transaction& txn, bool stream, Now now) {
    constexpr int kRefusals[] = {429, 503, 400, 500, 529};
    const uint64_t drawn = random_.Below(16);
    if (drawn < std::size(kRefusals)) return Refuse(txn, kRefusals[drawn], now);
    switch (drawn) {
      case 5:
        return Break(txn, Failure::kConnect, now);
      case 6:
        return Break(txn, Failure::kTimeout, now);
      case 7:
        txn.ClientLeft(now);
        return {.kind = ActionKind::kDone};
      default:
        return stream ? Stream(txn, drawn, now) : Whole(txn, drawn, now);
    }
  }

  Action Refuse(Transaction& txn, int status, Now now) {
    Action action = Fail(txn, now, status);
    if (action.kind != ActionKind::kContinue) return action;
    REQUIRE(txn.ResponseEnd().ok());
    return Decide(txn, now);
  }

  static Action Break(Transaction& txn, Failure failure, Now now) {
    REQUIRE(txn.ResponseFailed(failure).ok());
    return Decide(txn, now);
  }

  std::string Usage() {
    const uint64_t prompt = 1 + random_.Below(2000), completion = 1 + random_.Below(2000);
    prompt_ += prompt;
    completion_ += completion;
    return R"("usage":{"prompt_tokens":)" + std::to_string(prompt) + R"(,"completion_tokens":)" +
           std::to_string(completion) + R"(,"total_tokens":)" +
           std::to_string(prompt + completion) + "}";
  }

  Action Whole(Transaction& txn, uint64_t drawn, Now now) {
    Answer(txn, 200);
    Decide(txn, now);
    const std::string text =
        R"({"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"}}])";
    REQUIRE(txn.ResponseBody(drawn == 8 ? text + "}" : text + "," + Usage() + "}").ok());
    REQUIRE(txn.ResponseEnd().ok());
    return Decide(txn, now);
  }

  Action Stream(Transaction& txn, uint64_t drawn, Now now) {
    Answer(txn, 200, "text/event-stream");
    Decide(txn, now);
    REQUIRE(txn.ResponseBody("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}"
                             "\n\n")
                .ok());
    Decide(txn, now);
    if (drawn == 8) return Break(txn, Failure::kReset, now);
    if (drawn == 9) {
      txn.ClientLeft(now);
      return {.kind = ActionKind::kDone};
    }
    if (drawn != 10) {
      REQUIRE(txn.ResponseBody("data: {\"choices\":[]," + Usage() + "}\n\n").ok());
      Decide(txn, now);
    }
    REQUIRE(txn.ResponseBody("data: [DONE]\n\n").ok());
    Decide(txn, now);
    REQUIRE(txn.ResponseEnd().ok());
    return Decide(txn, now);
  }

  Random random_;
  uint64_t prompt_ = 0, completion_ = 0;
};

TEST_CASE("bills, lines, metrics and the limit's counter are one sum") {
  Setup setup;
  setup.limit = R"("key": "'all'", "unit": "tokens", "amount": 1000000000000, "per": "lifetime",
                   "reserve": {"output": 100})";
  setup.breaker = "[]";
  std::string text = PolicyText(setup);
  text.insert(1, R"("models": {"gpt-4o": {"price": {"input": 2.5, "output": 10}}},)");
  auto engine = EngineOf(text);
  Provider provider(7);
  Ledger ledger;
  const uint64_t exchanges = std::getenv("WEIR_LONG") != nullptr ? 1'000'000 : 20'000;
  for (uint64_t i = 0; i < exchanges; ++i) {
    const Now now = At(static_cast<int64_t>(i));
    const bool stream = provider.Flip();
    auto txn = Ask(*engine, i % 10 == 0 ? "vk-nobody" : "vk-red", Body(stream));
    provider.Serve(*txn, Decide(*txn, now), stream, now);
    ledger.Take(*txn);
  }
  const Account& lines = ledger.account();
  CHECK(lines.exchanges == exchanges);
  CHECK(ledger.ids() == exchanges);
  CHECK(provider.billed_prompt() > 500 * exchanges / 4);
  CHECK(lines.input.at("provider") == provider.billed_prompt());
  CHECK(lines.output.at("provider") == provider.billed_completion());
  const Account metrics = OfMetrics(engine->MetricsText());
  CHECK(metrics.input == lines.input);
  CHECK(metrics.output == lines.output);
  CHECK(metrics.micro_usd == lines.micro_usd);
  CHECK(metrics.exchanges == lines.exchanges);
  // Where the provider told nothing weir counted, and said so.
  CHECK(lines.input.at("exact") > 0);
  CHECK(lines.output.size() > 1);

  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(static_cast<int64_t>(exchanges)));
  txn->ClientLeft(At(static_cast<int64_t>(exchanges)));
  const std::string explained = txn->Explain();
  const size_t before = explained.find("\"before\":");
  REQUIRE(before != std::string::npos);
  CHECK(std::stoull(explained.substr(before + 9)) == lines.Tokens());
}

}  // namespace
}  // namespace weir::engine::testing
