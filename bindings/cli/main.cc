// weir: the library's small questions from a shell.

#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache.h"
#include "check.h"
#include "console.h"
#include "count.h"
#include "explain.h"
#include "report.h"
#include "state.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp = R"(Usage: weir COMMAND [ARGUMENT]...

  weir check FILE...           every fault of policy documents, as FILE:LINE:COLUMN: FIELD: MESSAGE,
                               and warnings of what silently does nothing; exit status 1 when there
                               is any fault; weir check --help tells all
  weir explain POLICY --request FILE
                               what a policy would do with a request, step by step;
                               weir explain --help tells all
  weir count [TEXT|FILE|-]...  the tokens of texts, files, standard input, whole requests
                               (--request FILE) or the lines of a data set (--jsonl);
                               weir count --help tells all
  weir encodings [MODEL]...    the built-in encodings, and which model uses which
  weir hash-key [--pepper TEXT]
                               the stored form ("sha256:...") of a virtual key, read from the first
                               line of standard input; TEXT is the policy's "pepper"
  weir report FILE...          what ledgers come to: tokens, cost, refusals and times by consumer,
                               team, model, day, as a table, CSV, JSON, a page with charts or a
                               SQLite data base; weir report --help tells all
  weir state FILE              what the state file of a gateway holds: the counters nearest to their
                               amount, reservations outstanding, slots; weir state --help tells all
  weir cache FILE              what the caches in a state file hold: entries, hits, misses and why,
                               never a prompt; weir cache --help tells all
  weir version | --version     the release of the library
  weir help | --help           this text
)";

constexpr std::string_view kHashKeyHelp = R"(Usage: weir hash-key [--pepper TEXT] <FILE

The stored form ("sha256:...") of a virtual key, for the "keys" of a policy's consumers. The key is
the first line of standard input, so that no list of processes shows it.

  --pepper TEXT  the policy's "pepper"; without it the one of policies that have none
  --help         this text
)";

int HashKey(const std::vector<std::string>& words) {
  CommandLine line;
  if (!line.Parse("hash-key", {{"--pepper", true}, {"--help"}}, words)) return kUsage;
  if (line.Has("--help")) {
    std::cout << kHashKeyHelp;
    return kDone;
  }
  const std::string pepper = line.Value("--pepper").value_or("weir virtual key");
  std::string key;
  if (!std::getline(std::cin, key) || key.empty()) {
    Complain({"hash-key: the first line of standard input is the key"});
    return kUsage;
  }
  Error error;
  std::string hash;
  const weir_status status = Fetch(&hash, [&](char* buffer, size_t capacity, size_t* needed) {
    return weir_key_hash(pepper.data(), pepper.size(), key.data(), key.size(), buffer, capacity,
                         needed, &error);
  });
  if (status != WEIR_OK) {
    Complain({error.message});
    return kFaulty;
  }
  std::cout << hash << "\n";
  return kDone;
}

int Run(const std::string& command, const std::vector<std::string>& words) {
  if (command == "cache") return Cache(words);
  if (command == "check") return Check(words);
  if (command == "explain") return Explain(words);
  if (command == "count") return Count(words);
  if (command == "encodings") return Encodings(words);
  if (command == "hash-key") return HashKey(words);
  if (command == "report") return ReportLedgers(words);
  if (command == "state") return State(words);
  if (command == "version" || command == "--version") {
    std::cout << "weir " << weir_version() << "\n";
    return kDone;
  }
  const bool asked = command == "help" || command == "--help" || command == "-h";
  (asked ? std::cout : std::cerr) << kHelp;
  return asked ? kDone : kUsage;
}

}  // namespace
}  // namespace weir::cli

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const std::string command = argc > 1 ? argv[1] : "";
  return weir::cli::Run(command, {argv + (argc > 1 ? 2 : 1), argv + argc});
}
