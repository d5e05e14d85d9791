#include "check.h"

#include <weir.h>

#include <iostream>
#include <optional>
#include <string_view>

#include "console.h"
#include "json.h"
#include "options.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp = R"(Usage: weir check [--strict] [--quiet] [--json] FILE...

Every fault of policy documents, as FILE:LINE:COLUMN: FIELD: MESSAGE, and of those without a fault
what they say that silently does nothing: entries that nothing uses, routes that are never reached,
fields that others leave no effect. Such a line has "warning: " before the field. "-" is standard
input.

  --strict  warnings are faults
  --quiet   no warnings
  --json    a JSON array of objects: file, line, column, severity ("error", "warning"), message
  --help    this text

Exit status: 0, 1 when there is any fault or a file cannot be read, 2 when the command line is
wrong.
)";

using Ask = weir_status (*)(const char*, size_t, char*, size_t, size_t*, weir_error*);

struct Job {
  bool json = false;
  bool strict = false;
  bool quiet = false;
};

// What was found, written as it is found.
class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  // "LINE:COLUMN: …"
  void Add(const std::string& file, std::string_view severity, std::string_view finding) {
    const size_t colon = finding.find(':');
    const size_t space = finding.find(' ');
    if (!json_ || colon == finding.npos || space == finding.npos || space < colon + 2) {
      const std::string_view place = finding.substr(0, space == finding.npos ? 0 : space + 1);
      std::cout << file << ":" << place << (severity == "warning" ? "warning: " : "")
                << finding.substr(place.size()) << "\n";
      return;
    }
    std::string object = Concat({empty_ ? "[" : ",\n ", "{\"file\":"});
    AppendJsonString(&object, file);
    object += Concat({",\"line\":", finding.substr(0, colon),
                      ",\"column\":", finding.substr(colon + 1, space - colon - 2),
                      ",\"severity\":\"", severity, "\",\"message\":"});
    AppendJsonString(&object, finding.substr(space + 1));
    std::cout << object << "}";
    empty_ = false;
  }

  void End() {
    if (json_) std::cout << (empty_ ? "[]\n" : "]\n");
  }

 private:
  bool json_;
  bool empty_ = true;
};

// How many lines `ask` finds in a document; nullopt, and a complaint, when it cannot be asked.
std::optional<size_t> Find(const std::string& path, const std::string& text, Ask ask,
                           std::string_view severity, Report* report) {
  Error error;
  std::string found;
  const weir_status status = Fetch(&found, [&](char* buffer, size_t capacity, size_t* needed) {
    return ask(text.data(), text.size(), buffer, capacity, needed, &error);
  });
  if (status != WEIR_OK) {
    Complain({path, ": ", error.message});
    return std::nullopt;
  }
  size_t lines = 0;
  for (std::string_view rest = found; !rest.empty(); ++lines) {
    const size_t end = rest.find('\n');
    report->Add(path, severity, rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return lines;
}

bool CheckFile(const std::string& path, const Job& job, Report* report) {
  const std::optional<std::string> text = ReadWhole(path);
  if (!text) return false;
  const auto faults = Find(path, *text, weir_policy_check, "error", report);
  if (faults != 0u) return false;
  if (job.quiet) return true;
  const auto warnings = Find(path, *text, weir_policy_warnings, "warning", report);
  return warnings == 0u || (warnings && !job.strict);
}

}  // namespace

int Check(const std::vector<std::string>& words) {
  CommandLine line;
  const std::vector<OptionSpec> specs = {{"--strict"}, {"--quiet"}, {"--json"}, {"--help"}};
  if (!line.Parse("check", specs, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHelp;
    return kDone;
  }
  const Job job = {line.Has("--json"), line.Has("--strict"), line.Has("--quiet")};
  Report report(job.json);
  bool sound = true, named = false;
  for (const Argument& argument : line.arguments()) {
    if (!argument.option.empty()) continue;
    named = true;
    sound = CheckFile(argument.value, job, &report) && sound;
  }
  if (!named) {
    Complain({"check: no file is named (weir check --help)"});
    return kUsage;
  }
  report.End();
  return FlushOutput() && sound ? kDone : kFaulty;
}

}  // namespace weir::cli
