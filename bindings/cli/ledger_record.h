// What a report wants to know of a line of a ledger, read in one pass without making a tree of it.

#ifndef WEIR_BINDINGS_CLI_LEDGER_RECORD_H_
#define WEIR_BINDINGS_CLI_LEDGER_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

// Texts are as they stand between their quotes, escapes and all: equal texts are written equally.
struct LedgerRecord {
  struct Utilization {
    std::string_view backend;
    uint64_t percent = 0;
  };
  struct Dimension {
    std::string_view name, value;
  };

  std::string_view id, time, consumer, route, operation, model, served, backend, outcome;
  uint64_t status = 0;
  std::optional<uint64_t> prompt, completion, cached, cache_write, reasoning;
  bool has_cost = false;
  std::optional<uint64_t> micro_usd;  // has_cost without it: unknown
  std::string_view price_model, price_source;
  std::string_view cache_result;
  uint64_t saved_prompt = 0, saved_completion = 0, saved_micro_usd = 0;
  uint64_t total_us = 0, wait_us = 0;
  std::optional<uint64_t> first_byte_us;
  uint64_t attempts = 0;
  std::string_view refusing_limit;  // the first that refused and is no shadow
  std::vector<Utilization> utilizations;
  std::vector<Dimension> dimensions;
};

// Reads a line as weir writes them; members that it does not know are passed over. False for any
// other: it may be one that somebody wrote otherwise (Compacted), or none.
bool ReadRecord(std::string_view line, LedgerRecord* record);

// The object without blanks between its parts; empty when it is no JSON.
std::string Compacted(std::string_view line);

// Where the next line begins inside one that lacks its end; npos when none does.
size_t FindLedgerLine(std::string_view line, size_t from);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_LEDGER_RECORD_H_
