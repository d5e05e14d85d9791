// Exchanges as a table of a SQLite data base.

#ifdef WEIR_WITH_SQLITE
#include <sqlite3.h>
#endif

#include "console.h"
#include "report.h"

namespace weir::cli {

#ifdef WEIR_WITH_SQLITE
namespace {

constexpr char kTables[] =
    "CREATE TABLE IF NOT EXISTS exchanges (id TEXT PRIMARY KEY, time TEXT NOT NULL, consumer TEXT,"
    " route TEXT, operation TEXT, model TEXT, served TEXT, backend TEXT, status INTEGER,"
    " outcome TEXT, prompt INTEGER, completion INTEGER, cached INTEGER, cache_write INTEGER,"
    " reasoning INTEGER, micro_usd INTEGER, price_model TEXT, price_source TEXT, cache TEXT,"
    " saved_micro_usd INTEGER, total_us INTEGER, wait_us INTEGER, first_byte_us INTEGER,"
    " attempts INTEGER, refused_by TEXT) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS dimensions (id TEXT, name TEXT, value TEXT,"
    " PRIMARY KEY (id, name)) WITHOUT ROWID;"
    "BEGIN;";
constexpr char kInsert[] =
    "INSERT OR IGNORE INTO exchanges VALUES"
    " (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr char kInsertDimension[] = "INSERT OR IGNORE INTO dimensions VALUES (?,?,?)";

// Values of one row, in order.
class Binder {
 public:
  explicit Binder(sqlite3_stmt* statement) : statement_(statement) {}

  void Text(std::string_view text) {
    const std::string plain = Unescaped(text);
    if (text.empty()) {
      sqlite3_bind_null(statement_, ++column_);
    } else {
      sqlite3_bind_text(statement_, ++column_, plain.data(), static_cast<int>(plain.size()),
                        SQLITE_TRANSIENT);
    }
  }
  void Number(std::optional<uint64_t> number) {
    if (number) {
      sqlite3_bind_int64(statement_, ++column_, static_cast<sqlite3_int64>(*number));
    } else {
      sqlite3_bind_null(statement_, ++column_);
    }
  }
  bool Insert() {
    const bool done = sqlite3_step(statement_) == SQLITE_DONE;
    sqlite3_reset(statement_);
    return done;
  }

 private:
  sqlite3_stmt* const statement_;
  int column_ = 0;
};

class SqliteTable final : public ExchangeTable {
 public:
  ~SqliteTable() override {
    sqlite3_finalize(insert_);
    sqlite3_finalize(insert_dimension_);
    sqlite3_close(base_);
  }

  bool Start(const std::string& path) {
    return sqlite3_open(path.c_str(), &base_) == SQLITE_OK &&
           sqlite3_exec(base_, kTables, nullptr, nullptr, nullptr) == SQLITE_OK &&
           sqlite3_prepare_v2(base_, kInsert, -1, &insert_, nullptr) == SQLITE_OK &&
           sqlite3_prepare_v2(base_, kInsertDimension, -1, &insert_dimension_, nullptr) ==
               SQLITE_OK;
  }

  bool Add(const LedgerRecord& record) override {
    Binder row(insert_);
    for (const std::string_view text :
         {record.id, record.time, record.consumer, record.route, record.operation, record.model,
          record.served, record.backend}) {
      row.Text(text);
    }
    row.Number(record.status);
    row.Text(record.outcome);
    for (const auto& number : {record.prompt, record.completion, record.cached, record.cache_write,
                               record.reasoning, record.micro_usd}) {
      row.Number(number);
    }
    row.Text(record.price_model);
    row.Text(record.price_source);
    row.Text(record.cache_result);
    row.Number(record.saved_micro_usd);
    row.Number(record.total_us);
    row.Number(record.wait_us);
    row.Number(record.first_byte_us);
    row.Number(record.attempts);
    row.Text(record.refusing_limit);
    bool taken = row.Insert();
    for (const LedgerRecord::Dimension& dimension : record.dimensions) {
      Binder of_it(insert_dimension_);
      of_it.Text(record.id);
      of_it.Text(dimension.name);
      of_it.Text(dimension.value);
      taken = of_it.Insert() && taken;
    }
    return taken || Complaint();
  }

  bool Finish() override {
    return sqlite3_exec(base_, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK || Complaint();
  }

  bool Complaint() const {
    Complain({"report: SQLite: ", sqlite3_errmsg(base_)});
    return false;
  }

 private:
  sqlite3* base_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* insert_dimension_ = nullptr;
};

}  // namespace

std::unique_ptr<ExchangeTable> ExchangeTable::Open(const std::string& path) {
  auto table = std::make_unique<SqliteTable>();
  if (table->Start(path) || table->Complaint()) return table;
  return nullptr;
}
#else
std::unique_ptr<ExchangeTable> ExchangeTable::Open(const std::string&) {
  Complain({"report: --sqlite: this program was built without SQLite"});
  return nullptr;
}
#endif

}  // namespace weir::cli
