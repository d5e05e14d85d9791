#include "state.h"

#include <weir.h>

#include <cstdint>
#include <iostream>
#include <optional>
#include <string_view>

#include "console.h"
#include "figures.h"
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

constexpr size_t kTextColumns = 3;

std::vector<std::string> RowOf(const JsonObject& counter) {
  const bool never = counter.Field("reset_ms") == "null";
  const uint64_t used = counter.Number("used"), amount = counter.Number("amount");
  return {ShownName(counter.Text("rule")),
          counter.Text("key_id").substr(0, 16),
          counter.Text("algorithm"),
          Grouped(used),
          Grouped(amount),
          ShareText(used, amount),
          Grouped(counter.Number("reserved")),
          never ? "never" : DurationText(counter.Number("reset_ms"))};
}

// False when the report is not what it should be.
bool WriteReport(std::string_view json) {
  JsonObject report;
  if (!report.Read(json)) return false;
  const auto number = [&](std::string_view key) { return Grouped(report.Number(key)); };
  std::cout << "size       " << SizeText(report.Number("bytes")) << ", "
            << SizeText(report.Number("bytes_used")) << " given out\n"
            << "slots      " << number("slots") << ", " << number("slots_used") << " with a key, "
            << number("locked") << " locked at this moment\n"
            << "counters   " << number("counters") << " in use, " << number("leased")
            << " with reservations outstanding\n";
  if (report.Number("slots") == 0) std::cout << "no limiter has used this file yet\n";
  std::vector<std::vector<std::string>> rows = {
      {"RULE", "KEY", "ALGORITHM", "USED", "AMOUNT", "SHARE", "RESERVED", "RESET IN"}};
  for (const JsonObject& counter : report.Objects("top")) rows.push_back(RowOf(counter));
  if (rows.size() > 1) std::cout << "\n" << TableOf(rows, kTextColumns);
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
