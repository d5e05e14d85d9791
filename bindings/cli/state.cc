#include "state.h"

#include <weir.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string_view>

#include "console.h"
#include "json.h"
#include "options.h"

namespace weir::cli {
namespace {

constexpr uint64_t kDefaultTop = 20;

constexpr std::string_view kHelp = R"(Usage: weir state [--top N] [--json] FILE

What a state file holds, which the workers of a gateway share: its slots, the counters in which
something is booked, those with reservations outstanding, and the counters nearest to their amount.
The file is only read; nobody who works on it is held up. Run it on the machine that uses the file:
the windows go by its monotonic clock.

  --top N   show N counters (20 unless given; 0 for none)
  --json    answer in JSON
  --help    this text

A key is shown by the beginning of its hash, as keys are not kept; --json has the whole hash. USED
includes what is reserved. RESERVED is what fixed windows, calendar periods and concurrency still
hold for requests under way. RESET IN is how long it takes until the counter is empty if nobody
uses it.

Exit status: 0, 1 when the file cannot be read or is none of weir's, 2 when the command line is
wrong.
)";

// "1,234,567"
std::string Grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

// "16.0 MiB"
std::string Size(uint64_t bytes) {
  constexpr std::string_view kUnits[] = {" KiB", " MiB", " GiB", " TiB"};
  uint64_t tenths = (bytes * 10 + 1023) / 1024;
  size_t unit = 0;
  for (; tenths >= 10240 && unit + 1 < std::size(kUnits); ++unit) tenths = (tenths + 512) / 1024;
  return Concat({std::to_string(tenths / 10), ".", std::to_string(tenths % 10), kUnits[unit]});
}

// "83.4%", rounded down, so that only what is full is 100%.
std::string Share(uint64_t used, uint64_t amount) {
  constexpr uint64_t kMost = UINT64_MAX / 1000;
  if (amount == 0 || used > kMost) return "-";
  const uint64_t tenths = used * 1000 / amount;
  return Concat({std::to_string(tenths / 10), ".", std::to_string(tenths % 10), "%"});
}

// The two largest parts of a time: "3 d 4 h", "12 min 5 s", "250 ms".
std::string Duration(uint64_t ms) {
  struct Unit {
    uint64_t ms;
    std::string_view word;
  };
  constexpr Unit kUnits[] = {{86400000, " d"}, {3600000, " h"}, {60000, " min"}, {1000, " s"}};
  if (ms < 1000) return std::to_string(ms) + " ms";
  for (size_t i = 0; i < std::size(kUnits); ++i) {
    if (ms < kUnits[i].ms) continue;
    std::string text = Concat({std::to_string(ms / kUnits[i].ms), kUnits[i].word});
    if (i + 1 == std::size(kUnits)) return text;
    const uint64_t rest = ms % kUnits[i].ms / kUnits[i + 1].ms;
    return rest == 0 ? text : Concat({text, " ", std::to_string(rest), kUnits[i + 1].word});
  }
  return {};
}

// A name from a file, for a terminal: what could steer it is a question mark.
std::string Shown(const std::string& name) {
  std::string shown = name.empty() ? std::string("(unknown)") : name;
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; }, '?');
  return shown;
}

// How many characters a text has.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

constexpr size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;
constexpr size_t kTextColumns = 3;  // to the left, the numbers to the right

Row RowOf(const JsonObject& counter) {
  const bool never = counter.Field("reset_ms") == "null";
  const uint64_t used = counter.Number("used"), amount = counter.Number("amount");
  return {Shown(counter.Text("rule")),
          counter.Text("key_id").substr(0, 16),
          counter.Text("algorithm"),
          Grouped(used),
          Grouped(amount),
          Share(used, amount),
          Grouped(counter.Number("reserved")),
          never ? "never" : Duration(counter.Number("reset_ms"))};
}

std::string TableOf(const std::vector<Row>& rows) {
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) {
      const std::string padding(widths[i] - Width(row[i]), ' ');
      if (i > 0) out += "  ";
      out += i < kTextColumns ? row[i] + padding : padding + row[i];
    }
    out += "\n";
  }
  return out;
}

// False when the report is not what it should be.
bool WriteReport(std::string_view json) {
  JsonObject report;
  if (!report.Read(json)) return false;
  const auto number = [&](std::string_view key) { return Grouped(report.Number(key)); };
  std::cout << "size       " << Size(report.Number("bytes")) << ", "
            << Size(report.Number("bytes_used")) << " given out\n"
            << "slots      " << number("slots") << ", " << number("slots_used") << " with a key, "
            << number("locked") << " locked at this moment\n"
            << "counters   " << number("counters") << " in use, " << number("leased")
            << " with reservations outstanding\n";
  if (report.Number("slots") == 0) std::cout << "no limiter has used this file yet\n";
  std::vector<Row> rows = {
      {"RULE", "KEY", "ALGORITHM", "USED", "AMOUNT", "SHARE", "RESERVED", "RESET IN"}};
  for (const JsonObject& counter : report.Objects("top")) rows.push_back(RowOf(counter));
  if (rows.size() > 1) std::cout << "\n" << TableOf(rows);
  return true;
}

void ComplainOf(const std::string& path, weir_status status, const Error& error) {
  if (status == WEIR_NOT_FOUND) {
    Complain({"state: ", path, ": there is no such file"});
  } else if (status == WEIR_PERMISSION_DENIED) {
    Complain({"state: ", path, ": may not be read"});
  } else {
    Complain({"state: ", error.message});
  }
}

int Refuse(std::initializer_list<std::string_view> parts) {
  Complain({"state: ", Concat(parts), " (weir state --help)"});
  return kUsage;
}

}  // namespace

int State(const std::vector<std::string>& words) {
  CommandLine line;
  const std::vector<OptionSpec> specs = {{"--top", true}, {"--json", false}, {"--help", false}};
  if (!line.Parse("state", specs, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  std::optional<uint64_t> top = kDefaultTop;
  if (const auto given = line.Value("--top")) {
    top = ParseNumber(*given);
    if (!top || *top > UINT32_MAX) return Refuse({"--top ", *given, ": not a number of counters"});
  }
  std::vector<std::string> paths;
  for (const Argument& argument : line.arguments()) {
    if (argument.option.empty()) paths.push_back(argument.value);
  }
  if (paths.size() != 1 || paths[0].empty()) return Refuse({"one file is to be named"});
  const std::string& path = paths[0];

  Error error;
  std::string json;
  const weir_now now = Now();
  const weir_status status = Fetch(&json, [&](char* buffer, size_t capacity, size_t* needed) {
    return weir_state_report_json(path.data(), path.size(), static_cast<uint32_t>(*top), &now,
                                  buffer, capacity, needed, &error);
  });
  if (status != WEIR_OK) {
    ComplainOf(path, status, error);
    return kFaulty;
  }
  if (line.Has("--json")) {
    std::cout << json << "\n";
  } else if (!WriteReport(json)) {
    Complain({"state: ", path, ": the report cannot be read"});
    return kFaulty;
  }
  return FlushOutput() ? kDone : kFaulty;
}

}  // namespace weir::cli
