// Any bytes as a ledger's file.
//
// Oracle: what is read of a line makes a line that reads as the same again, of one line feed; a
// sound line behind any bytes is read, once, whether they ended in a line feed or were torn; spans
// and log records of it are JSON, as many as there are lines to tell of.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "tests/fuzz/answer_fuzz.h"
#include "weir/ledger.h"

namespace weir::fuzz {
namespace {

using ledger::Exchange;
using ledger::OtlpKind;

constexpr uint64_t kMark = 0x6d61726b6d61726b;
constexpr std::string_view kSound =
    R"({"weir":1,"id":"6d61726b6d61726b6d61726b6d61726b","time":"2026-11-23T07:42:27.123456Z",)"
    R"("status":200,"latency":{"total_us":1}})"
    "\n";

std::string LineOf(const Exchange& exchange) {
  std::array<char, ledger::kMaxLineBytes> line;
  return {line.data(), ledger::FormatLine(exchange, absl::MakeSpan(line))};
}

void CheckOne(const Exchange& exchange) {
  const std::string line = LineOf(exchange);
  Require(line.find('\n') == line.size() - 1);
  ledger::LineReader reader;
  Exchange again;
  Require(reader.Read(line, &again));
  Require(LineOf(again) == line);
  if (exchange.cost && exchange.cost->price && exchange.usage) {
    Require(ledger::CostOf(*exchange.cost->price, *exchange.usage) ==
            ledger::CostOf(*again.cost->price, *again.usage));
  }
}

void CheckBehind(std::string text) {
  text += kSound;
  size_t marked = 0;
  bool is_last = false;
  ledger::ReadCounts counts;
  ledger::ReadLines(
      text,
      [&](const Exchange& exchange) {
        is_last = exchange.id_hi == kMark && exchange.id_lo == kMark;
        marked += is_last ? 1 : 0;
      },
      &counts);
  Require(marked >= 1);
  Require(is_last);
}

void CheckOtlp(std::string_view text, uint64_t lines) {
  for (const OtlpKind kind : {OtlpKind::kSpans, OtlpKind::kLogRecords}) {
    ledger::ReadCounts counts;
    const std::string made = ledger::OtlpJson(kind, text, {}, &counts);
    Require(counts.lines == lines);
    if (kind == OtlpKind::kLogRecords) Require(made.empty() == (lines == 0));
    if (made.empty()) continue;
    json::Document document;
    json::ParseError error;
    Require(document.Parse(made, {}, &error));
  }
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::fuzz;
  const std::string text(reinterpret_cast<const char*>(data), size);
  weir::ledger::ReadCounts counts;
  uint64_t told = 0;
  weir::ledger::ReadLines(
      text,
      [&told](const weir::ledger::Exchange& exchange) {
        ++told;
        CheckOne(exchange);
      },
      &counts);
  Require(told == counts.lines);
  CheckBehind(text + "\n");
  CheckBehind(text);
  CheckOtlp(text, counts.lines);
  return 0;
}
