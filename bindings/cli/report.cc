#include "report.h"

#include <weir.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "console.h"
#include "input.h"
#include "options.h"

namespace weir::cli {
namespace {

constexpr size_t kReadBytes = size_t{4} << 20;

constexpr std::string_view kHelp = R"(Usage: weir report [OPTION]... FILE...

What ledgers come to: who used how much, and what it cost. FILE may be "-" for standard input, and
any number of files of any size, rotated ones too, are read as one ledger.

  --by KEY[,KEY]   what to group by (consumer unless given): consumer, team, app, model, served,
                   backend, route, operation, outcome, status, month, day, hour, or any dimension
                   of the policy's meters; team and app are the consumer where there is none
  --since TIME     exchanges from then on: 2026-11, 2026-11-23, 2026-11-23T07:42
  --until TIME     exchanges before then
  --csv            comma-separated values, times in milliseconds, money in micro-USD
  --json           one JSON object
  --html           one page with charts, that needs nothing else
  --sqlite FILE    put the exchanges into this SQLite data base, each id once, for SQL
  --unique         count each id once, though it stands in several files (takes memory)
  --recompute      work each cost out again from its own line's usage and prices; exit status 1
                   when one differs
  --help           this text

COST sums what is known; exchanges whose model has no known price are in UNKNOWN, at no amount.
SAVED is what answers from a cache would have cost. Times are quantiles of all but refused
exchanges, right within 3 %.

Exit status: 0, 1 when a file cannot be read or a cost differs, 2 when the command line is wrong.
)";

struct Wanted {
  std::string since, until;
  bool unique = false, recompute = false;
  ExchangeTable* table = nullptr;
};

// Takes lines to the report.
class LineTaker {
 public:
  LineTaker(const Wanted& wanted, Report* report) : wanted_(wanted), report_(report) {}

  // What lacks its end costs itself alone: the next line begins where it can be told to.
  bool Take(std::string_view line) {
    if (line.empty()) return true;
    if (TakeOne(line)) return is_sound_;
    while (!line.empty()) {
      const size_t next = FindLedgerLine(line, 1);
      const std::string_view piece = line.substr(0, next);
      if (!TakeOne(piece)) {
        compact_ = Compacted(piece);
        if (compact_.empty() || !TakeOne(compact_)) ++report_->poison;
      }
      line.remove_prefix(next == std::string_view::npos ? line.size() : next);
    }
    return is_sound_;
  }

 private:
  bool TakeOne(std::string_view line) {
    if (!ReadRecord(line, &record_)) return false;
    if (!wanted_.since.empty() && record_.time < wanted_.since) return true;
    if (!wanted_.until.empty() && record_.time >= wanted_.until) return true;
    if (wanted_.unique && !seen_.insert(std::string(record_.id)).second) {
      ++report_->repeated;
      return true;
    }
    if (wanted_.recompute) Recompute(line);
    report_->Add(record_);
    if (wanted_.table != nullptr && !wanted_.table->Add(record_)) is_sound_ = false;
    return true;
  }

  void Recompute(std::string_view line) {
    int32_t verdict = 0;
    uint64_t micro_usd = 0;
    const weir_status status =
        weir_ledger_recompute(line.data(), line.size(), &verdict, &micro_usd, nullptr);
    if (status == WEIR_OK && verdict != WEIR_LEDGER_COST_DIFFERS) return;
    ++report_->disagreeing;
    if (report_->disagreeing > 10) return;
    Complain({"report: ", record_.id, ": the cost ought to be ", std::to_string(micro_usd),
              " micro-USD"});
  }

  const Wanted& wanted_;
  Report* const report_;
  LedgerRecord record_;
  std::string compact_;
  std::unordered_set<std::string> seen_;
  bool is_sound_ = true;
};

bool ReadLedger(const std::string& path, LineTaker* taker) {
  std::optional<Input> input = Input::Open(path);
  if (!input) return false;
  std::vector<char> buffer(kReadBytes);
  size_t filled = 0;
  for (;;) {
    if (filled == buffer.size()) buffer.resize(2 * buffer.size());  // one line is as long as that
    const std::optional<size_t> read = input->Read(buffer.data() + filled, buffer.size() - filled);
    if (!read) return false;
    filled += *read;
    std::string_view rest(buffer.data(), filled);
    for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (!taker->Take(rest.substr(0, end))) return false;
      rest.remove_prefix(end + 1);
    }
    if (*read == 0) return taker->Take(rest);
    if (rest.size() > kMaxWholeBytes) {
      Complain({"report: ", path, ": no ledger, a line has more than 256 MiB"});
      return false;
    }
    std::memmove(buffer.data(), rest.data(), rest.size());
    filled = rest.size();
  }
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

// The beginning of a time as a ledger has it.
bool IsTime(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000000Z";
  if (text.size() < 4 || text.size() > kShape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return false;
  }
  return true;
}

int Refuse(std::initializer_list<std::string_view> parts) {
  Complain({"report: ", Concat(parts), " (weir report --help)"});
  return kUsage;
}

std::string Rendered(const CommandLine& line, const Report& report) {
  if (line.Has("--html")) return PageText(report);
  if (line.Has("--json")) return ReportJson(report);
  if (line.Has("--csv")) return CsvText(report);
  return TableText(report);
}

int Run(const CommandLine& line, const std::vector<std::string>& paths, Wanted wanted,
        Report* report) {
  std::unique_ptr<ExchangeTable> table;
  if (const auto path = line.Value("--sqlite")) {
    table = ExchangeTable::Open(*path);
    if (table == nullptr) return kFaulty;
    wanted.table = table.get();
  }
  LineTaker taker(wanted, report);
  for (const std::string& path : paths) {
    if (!ReadLedger(path, &taker)) return kFaulty;
  }
  if (table != nullptr && !table->Finish()) return kFaulty;
  if (table == nullptr || line.Has("--html") || line.Has("--json") || line.Has("--csv")) {
    std::cout << Rendered(line, *report);
  }
  if (report->poison != 0) {
    Complain({"report: ", std::to_string(report->poison),
              report->poison == 1 ? " line was none of a ledger, and passed over"
                                  : " lines were none of a ledger, and passed over"});
  }
  if (!FlushOutput()) return kFaulty;
  if (report->disagreeing == 0) return kDone;
  Complain({"report: ", std::to_string(report->disagreeing), " costs differ"});
  return kFaulty;
}

}  // namespace

int ReportLedgers(const std::vector<std::string>& words) {
  CommandLine line;
  const std::vector<OptionSpec> specs = {
      {"--by", true}, {"--since", true},  {"--until", true}, {"--csv"},       {"--json"},
      {"--html"},     {"--sqlite", true}, {"--unique"},      {"--recompute"}, {"--help"}};
  if (!line.Parse("report", specs, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  Wanted wanted;
  wanted.since = line.Value("--since").value_or("");
  wanted.until = line.Value("--until").value_or("");
  for (const std::string& time : {wanted.since, wanted.until}) {
    if (!time.empty() && !IsTime(time)) return Refuse({time, ": not a time like 2026-11-23T07:42"});
  }
  wanted.unique = line.Has("--unique");
  wanted.recompute = line.Has("--recompute");
  const std::vector<std::string> keys = Split(line.Value("--by").value_or("consumer"));
  for (const std::string& key : keys) {
    if (key.empty()) return Refuse({"--by: a name is missing"});
  }
  std::vector<std::string> paths;
  for (const Argument& argument : line.arguments()) {
    if (argument.option.empty()) paths.push_back(argument.value);
  }
  if (paths.empty()) return Refuse({"no file is named"});
  Report report;
  report.tallies.emplace_back(keys);
  if (line.Has("--html")) {
    for (const char* key : {"day", "team", "model", "backend"}) {
      report.tallies.emplace_back(std::vector<std::string>{key});
    }
  }
  return Run(line, paths, wanted, &report);
}

}  // namespace weir::cli
