// Ledger files of tests: a folder of their own, and what is in it.

#ifndef WEIR_TESTS_LEDGER_LEDGERS_H_
#define WEIR_TESTS_LEDGER_LEDGERS_H_

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include "tests/support/catch.h"
#include "tests/support/processes.h"
#include "weir/ledger.h"

namespace weir::testing {

inline Now TimeNow() {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  return {duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

// The line of a writer's number; some are several pages long.
inline std::string LineOf(uint64_t writer, uint64_t number) {
  ledger::Exchange exchange;
  exchange.id_hi = writer;
  exchange.id_lo = number;
  const std::string text(150, static_cast<char>('a' + number % 26));
  exchange.consumer = text;
  if (number % 7 == 0) {
    for (int i = 0; i < 16; ++i) exchange.dimensions.push_back({"d", text});
    for (int i = 0; i < 16; ++i) exchange.attempts.push_back({text, 200, text, 1, 1, {}});
  }
  static thread_local std::array<char, ledger::kMaxLineBytes> buffer;
  return {buffer.data(), ledger::FormatLine(exchange, absl::MakeSpan(buffer))};
}

class LedgerFolder {
 public:
  LedgerFolder() { std::filesystem::create_directories(path_.str()); }
  ~LedgerFolder() { std::filesystem::remove_all(path_.str()); }
  LedgerFolder(const LedgerFolder&) = delete;
  LedgerFolder& operator=(const LedgerFolder&) = delete;

  std::string file() const { return path_.str() + "/ledger.jsonl"; }

  size_t Files() const {
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_.str())) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }

  // How often each writer's number is there, in all files.
  using Found = std::map<std::pair<uint64_t, uint64_t>, int>;
  Found Read(ledger::ReadCounts* counts) const {
    Found found;
    for (const auto& entry : std::filesystem::directory_iterator(path_.str())) {
      std::ifstream in(entry.path(), std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      ledger::ReadLines(
          text.str(),
          [&found](const ledger::Exchange& exchange) {
            ++found[{exchange.id_hi, exchange.id_lo}];
          },
          counts);
    }
    return found;
  }

 private:
  TempPath path_;
};

}  // namespace weir::testing

#endif  // WEIR_TESTS_LEDGER_LEDGERS_H_
