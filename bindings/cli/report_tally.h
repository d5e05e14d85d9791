// Sums over the records of ledgers, by whatever they are grouped by.

#ifndef WEIR_BINDINGS_CLI_REPORT_TALLY_H_
#define WEIR_BINDINGS_CLI_REPORT_TALLY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger_record.h"

namespace weir::cli {

// Times in microseconds, each power of two in sixteen parts: quantiles are right within 3 %.
class Times {
 public:
  void Add(uint64_t us);
  uint64_t count() const { return count_; }
  // In microseconds, the middle of the part that it falls into; 0 of none.
  uint64_t Quantile(double q) const;

 private:
  static constexpr size_t kParts = 16, kPowers = 40;
  std::vector<uint32_t> parts_;
  uint64_t count_ = 0;
};

struct Sums {
  uint64_t exchanges = 0, refused = 0, failed = 0;  // failed: 5xx, and answers that broke off
  uint64_t prompt = 0, completion = 0, cached = 0, reasoning = 0;
  uint64_t micro_usd = 0, unknown_costs = 0, unknown_usages = 0;
  uint64_t cache_hits = 0, saved_tokens = 0, saved_micro_usd = 0;
  Times total, first_byte;

  void Add(const LedgerRecord& record);
};

struct BackendLoad {
  uint64_t told = 0, sum = 0, most = 0, full = 0;  // full: told 100 % or more
};

// One way of grouping: "consumer", "route", "operation", "model", "served", "backend", "outcome",
// "status", "hour", "day", "month", else the name of a dimension; "team" and "app" are the consumer
// where there is no such dimension.
class Tally {
 public:
  explicit Tally(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  void Add(const LedgerRecord& record);

  const std::vector<std::string>& keys() const { return keys_; }
  // The groups' values, unescaped, with their sums, in order of the values.
  std::vector<std::pair<std::vector<std::string>, const Sums*>> Rows() const;
  bool overflowed() const { return overflowed_; }

 private:
  static constexpr size_t kMaxGroups = 20'000;  // the rest is one group

  std::vector<std::string> keys_;
  std::unordered_map<std::string, std::unique_ptr<Sums>> groups_;
  std::string scratch_;
  Sums* last_ = nullptr;
  std::string last_key_;
  bool overflowed_ = false;
};

// What the whole report is made of.
struct Report {
  std::vector<Tally> tallies;  // the one that was asked for, then those of the page
  Sums all;
  std::map<std::string, BackendLoad, std::less<>> loads;
  std::map<std::string, uint64_t, std::less<>> refusals;  // by limit
  std::string first, last;                                // times
  uint64_t lines = 0, poison = 0, repeated = 0, disagreeing = 0;

  void Add(const LedgerRecord& record);
};

// A text as it stands in a line, without its escapes.
std::string Unescaped(std::string_view text);

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_REPORT_TALLY_H_
