// weir report: what ledgers come to.

#ifndef WEIR_BINDINGS_CLI_REPORT_H_
#define WEIR_BINDINGS_CLI_REPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "report_tally.h"

namespace weir::cli {

int ReportLedgers(const std::vector<std::string>& words);

// "$12.345678", of less than a cent with all its digits, else with two.
std::string Dollars(uint64_t micro_usd);
// The dollars that are known; "unknown" where none is and some ought to be.
std::string CostText(const Sums& sums);
// "1,234,567"
std::string WithCommas(uint64_t number);
// "850 ms", "1.2 s"
std::string TimeText(uint64_t us);

std::string TableText(const Report& report);
std::string CsvText(const Report& report);
std::string ReportJson(const Report& report);
std::string PageText(const Report& report);

// A data base that exchanges are put into, each id once. Null, and a complaint, where it cannot be
// opened or this program was built without SQLite.
class ExchangeTable {
 public:
  static std::unique_ptr<ExchangeTable> Open(const std::string& path);
  virtual ~ExchangeTable() = default;
  virtual bool Add(const LedgerRecord& record) = 0;
  virtual bool Finish() = 0;  // false, and a complaint, when something was not taken
};

}  // namespace weir::cli

#endif  // WEIR_BINDINGS_CLI_REPORT_H_
