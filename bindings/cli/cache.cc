#include "cache.h"

#include <weir.h>

#include <algorithm>
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

constexpr uint64_t kDefaultTop = 10;

constexpr std::string_view kHelp = R"(Usage: weir cache [--top N] [--json] FILE

What the caches in a state file hold and have done, which the workers of a gateway share: entries
and partitions, room, hits, misses by reason, how similar the nearest entries were, and the
partitions with the most entries. No prompt, key or answer is shown. The file is only read; nobody
who works on it is held up.

  --top N   show N partitions of each cache (10 unless given; 0 for none)
  --json    answer in JSON
  --help    this text

A cache NAME of a policy is called answers:NAME. A partition is shown by the beginning of its hash,
as its name is not kept; --json has the whole hash. Counts go back to when the cache was made.
NEAREST is of the look-ups by vector: how similar the nearest entry was that each of them compared,
whether it was near enough or not.

Exit status: 0, 1 when the file cannot be read or is none of weir's, 2 when the command line is
wrong.
)";

std::vector<uint64_t> NumbersOf(std::string_view array) {
  std::vector<JsonMember> members;
  JsonFault fault;
  std::vector<uint64_t> numbers;
  if (!ScanJson(array, '[', &members, &fault)) return numbers;
  for (const JsonMember& member : members) {
    numbers.push_back(ParseNumber(member.In(array)).value_or(0));
  }
  return numbers;
}

void WriteMisses(std::string_view misses) {
  std::vector<JsonMember> members;
  JsonFault fault;
  if (!ScanJson(misses, '{', &members, &fault)) return;
  std::string line;
  for (const JsonMember& member : members) {
    const uint64_t count = ParseNumber(member.In(misses)).value_or(0);
    if (count == 0) continue;
    line += Concat({line.empty() ? "" : ", ", member.key, " ", Grouped(count)});
  }
  if (!line.empty()) std::cout << "  misses     " << line << "\n";
}

// "0.95": what bin number `bin` begins with.
std::string BeginOf(size_t bin) {
  const size_t hundredths = 49 + bin;
  return Concat({"0.", std::to_string(hundredths / 10), std::to_string(hundredths % 10)});
}

// The bins of the last five hundredths one by one, those before in fives.
void WriteHistogram(const std::vector<uint64_t>& bins) {
  constexpr size_t kFirstFine = 46;
  constexpr uint64_t kWidth = 40;
  struct Bar {
    std::string from;
    uint64_t count = 0;
  };
  std::vector<Bar> bars;
  uint64_t most = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    const bool opens = i == 0 || i >= kFirstFine || i % 5 == 1;
    if (opens) bars.push_back({i == 0 ? "below 0.50" : "from  " + BeginOf(i)});
    bars.back().count += bins[i];
    most = std::max(most, bars.back().count);
  }
  if (most == 0) return;
  const size_t digits = Grouped(most).size();
  std::string_view label = "  nearest    ";
  for (const Bar& bar : bars) {
    if (bar.count == 0) continue;
    const std::string count = Grouped(bar.count);
    const uint64_t length = (bar.count / most) * kWidth + bar.count % most * kWidth / most;
    std::cout << label << bar.from << "  " << std::string(digits - count.size(), ' ') << count
              << "  " << std::string(std::max<uint64_t>(1, length), '#') << "\n";
    label = "             ";
  }
}

void WriteStats(const JsonObject& cache, const JsonObject& stats) {
  const auto number = [&](std::string_view key) { return Grouped(stats.Number(key)); };
  const auto of_cache = [&](std::string_view key) { return Grouped(cache.Number(key)); };
  std::cout << "  entries    " << number("entries") << " of " << of_cache("max_entries") << ", "
            << of_cache("expired") << " expired";
  if (stats.Number("entries") != 0) {
    std::cout << ", the oldest " << DurationText(cache.Number("oldest_age_ms")) << " old";
  }
  std::cout << "\n  partitions " << number("partitions") << " of " << of_cache("max_partitions")
            << "\n  size       " << SizeText(cache.Number("bytes")) << ", of values "
            << SizeText(stats.Number("value_bytes_used")) << " of "
            << SizeText(stats.Number("value_bytes")) << "\n";
  const uint64_t exact = stats.Number("exact_hits"), semantic = stats.Number("semantic_hits");
  uint64_t missed = 0;
  std::vector<JsonMember> members;
  JsonFault fault;
  const std::string_view misses = stats.Field("misses");
  if (ScanJson(misses, '{', &members, &fault)) {
    for (const JsonMember& member : members) missed += ParseNumber(member.In(misses)).value_or(0);
  }
  const uint64_t all = exact + semantic + missed;
  std::cout << "  look-ups   " << Grouped(all);
  if (all != 0) {
    std::cout << ": " << Grouped(exact) << " by key (" << ShareText(exact, all) << "), "
              << Grouped(semantic) << " by meaning (" << ShareText(semantic, all) << "), "
              << Grouped(missed) << " missed";
  }
  std::cout << "\n";
  WriteMisses(misses);
  std::cout << "  inserts    " << number("inserts") << ", " << number("replaced")
            << " in place of the same key, " << number("refused") << " refused\n"
            << "  gone       " << number("evictions") << " to make room, " << number("expirations")
            << " expired, " << number("removals") << " removed\n";
  WriteHistogram(NumbersOf(stats.Field("similarities")));
}

void WriteCache(const JsonObject& cache) {
  std::cout << ShownName(cache.Text("name")) << "\n";
  JsonObject stats;
  if (!stats.Read(cache.Field("stats"))) {
    std::cout << "  size       " << SizeText(cache.Number("bytes"))
              << "; of another release, or damaged\n";
    return;
  }
  const uint64_t dimensions = cache.Number("dimensions");
  std::cout << "  vectors    "
            << (dimensions == 0 ? std::string("none") : Grouped(dimensions) + " dimensions")
            << "\n";
  WriteStats(cache, stats);
  std::vector<std::vector<std::string>> rows = {{"PARTITION", "ENTRIES", "VALUES"}};
  for (const JsonObject& partition : cache.Objects("top")) {
    rows.push_back({partition.Text("partition_id").substr(0, 16),
                    Grouped(partition.Number("entries")),
                    SizeText(partition.Number("value_bytes"))});
  }
  if (rows.size() > 1) std::cout << "\n" << TableOf(rows, 1, "  ");
}

// False when the report is not what it should be.
bool WriteReport(std::string_view json) {
  JsonObject report;
  if (!report.Read(json)) return false;
  const std::vector<JsonObject> caches = report.Objects("caches");
  if (caches.empty()) std::cout << "there is no cache in this file\n";
  for (size_t i = 0; i < caches.size(); ++i) {
    if (i > 0) std::cout << "\n";
    WriteCache(caches[i]);
  }
  return true;
}

void ComplainOf(const std::string& path, weir_status status, const Error& error) {
  if (status == WEIR_NOT_FOUND) {
    Complain({"cache: ", path, ": there is no such file"});
  } else if (status == WEIR_PERMISSION_DENIED) {
    Complain({"cache: ", path, ": may not be read"});
  } else {
    Complain({"cache: ", error.message});
  }
}

int Refuse(std::initializer_list<std::string_view> parts) {
  Complain({"cache: ", Concat(parts), " (weir cache --help)"});
  return kUsage;
}

}  // namespace

int Cache(const std::vector<std::string>& words) {
  CommandLine line;
  const std::vector<OptionSpec> specs = {{"--top", true}, {"--json", false}, {"--help", false}};
  if (!line.Parse("cache", specs, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  std::optional<uint64_t> top = kDefaultTop;
  if (const auto given = line.Value("--top")) {
    top = ParseNumber(*given);
    if (!top || *top > UINT32_MAX)
      return Refuse({"--top ", *given, ": not a number of partitions"});
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
    return weir_cache_report_json(path.data(), path.size(), static_cast<uint32_t>(*top), &now,
                                  buffer, capacity, needed, &error);
  });
  if (status != WEIR_OK) {
    ComplainOf(path, status, error);
    return kFaulty;
  }
  if (line.Has("--json")) {
    std::cout << json << "\n";
  } else if (!WriteReport(json)) {
    Complain({"cache: ", path, ": the report cannot be read"});
    return kFaulty;
  }
  return FlushOutput() ? kDone : kFaulty;
}

}  // namespace weir::cli
