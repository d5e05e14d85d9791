// weir: the library's small questions from a shell.

#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "console.h"
#include "count.h"
#include "state.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHelp = R"(Usage: weir COMMAND [ARGUMENT]...

  weir check FILE...           every fault of policy documents, as FILE:LINE:COLUMN: FIELD: MESSAGE;
                               exit status 1 when there is any
  weir count [TEXT|FILE|-]...  the tokens of texts, files, standard input, whole requests
                               (--request FILE) or the lines of a data set (--jsonl);
                               weir count --help tells all
  weir encodings [MODEL]...    the built-in encodings, and which model uses which
  weir hash-key [--pepper TEXT]
                               the stored form ("sha256:...") of a virtual key, read from the first
                               line of standard input; TEXT is the policy's "pepper"
  weir state FILE              what the state file of a gateway holds: the counters nearest to their
                               amount, reservations outstanding, slots; weir state --help tells all
  weir version | --version     the release of the library
  weir help | --help           this text
)";

// Puts "FILE:" before each "LINE:COLUMN: …".
bool CheckFile(const std::string& path) {
  const std::optional<std::string> text = ReadWhole(path);
  if (!text) return false;
  Error error;
  std::string faults;
  const weir_status status = Fetch(&faults, [&](char* buffer, size_t capacity, size_t* needed) {
    return weir_policy_check(text->data(), text->size(), buffer, capacity, needed, &error);
  });
  if (status != WEIR_OK) {
    Complain({path, ": ", error.message});
    return false;
  }
  std::string_view rest = faults;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::cout << path << ":" << rest.substr(0, end) << "\n";
    rest.remove_prefix(end + 1);
  }
  return faults.empty();
}

int Check(const std::vector<std::string>& files) {
  if (files.empty()) {
    Complain({"check: no file is named"});
    return kUsage;
  }
  bool sound = true;
  for (const std::string& file : files) sound = CheckFile(file) && sound;
  return sound ? kDone : kFaulty;
}

int HashKey(const std::vector<std::string>& words) {
  CommandLine line;
  if (!line.Parse("hash-key", {{"--pepper", true}}, words)) return kUsage;
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
  if (command == "check") return Check(words);
  if (command == "count") return Count(words);
  if (command == "encodings") return Encodings(words);
  if (command == "hash-key") return HashKey(words);
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
