// The real requests of the shared data, with what their provider billed.

#ifndef WEIR_TESTS_METERING_BILL_ROWS_H_
#define WEIR_TESTS_METERING_BILL_ROWS_H_

#include <cstdint>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "base/json.h"
#include "metering/prompt_family.h"
#include "tests/support/catch.h"
#include "tests/support/shared_data.h"
#include "weir/tokens.h"

namespace weir::metering::testing {

struct BillRow {
  json::Value root;  // id, request, usage, completion, …
  std::string_view id, model;
  const tokens::Tokenizer* tokenizer = nullptr;  // null: the model's is not public
  // Whether rules may be fitted to the row; else it is held out to try them on. Rows that were
  // recorded together are on the same side.
  bool fit = true;
};

inline uint64_t Hash(std::string_view text) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash ^ (hash >> 29);
}

// Calls `each` with every row of a file; false when there is no such file.
template <typename Each>
bool ForBillRows(const std::string& file, const Each& each) {
  const auto lines = ::weir::testing::SharedData("usage/" + file + ".jsonl");
  if (!lines) return false;
  std::istringstream stream(*lines);
  std::string line;
  while (std::getline(stream, line)) {
    json::Document document;
    REQUIRE(document.Parse(line));
    BillRow row;
    row.root = document.root();
    row.id = row.root["id"].text();
    row.model = row.root["request"]["model"].text();
    const std::string_view served = row.root["model_resp"].text();
    // Deployments and proxies are called what they like.
    const bool told = !tokens::EncodingForModel(row.model).empty();
    const bool other = !served.empty() && tokens::EncodingForModel(served).empty();
    if (!told || other) row.model = served;
    row.tokenizer = tokens::Find(tokens::EncodingForModel(row.model));
    const std::string_view source = row.root["src"].text();
    constexpr uint64_t kPercent = 100, kFitPercent = 70;
    row.fit = Hash(source.substr(0, source.rfind('#'))) % kPercent < kFitPercent;
    INFO(row.id);
    each(row);
  }
  return true;
}

// How often a count was what was billed, class by class, on both sides of the split. A rule's
// constants are fitted anew for the rows held out: to their counts is added what was most often
// missing on the rows fitted to, in the same class and family.
class BillTable {
 public:
  void Add(const std::string& what, const std::string& family, bool fit, int64_t missing) {
    auto& group = classes_[what][family];
    ++(fit ? group.fit : group.held_out)[missing];
  }

  // The same, of the family that a model is of.
  void Add(const std::string& what, const BillRow& row, int64_t missing) {
    const auto family = FamilyOf(row.model, row.tokenizer->name()).rendering;
    Add(what, std::to_string(static_cast<int>(family)), row.fit, missing);
  }

  // Prints it. `floors`: the least share that must be equal, by class; a class of floors that has
  // no rows fails.
  void Check(const std::string& file, const std::map<std::string, double>& floors) const {
    for (const auto& [what, families] : classes_) {
      int fit = 0, fit_equal = 0, held = 0, held_equal = 0;
      for (const auto& [family, group] : families) {
        const int64_t constant = Most(group.fit);
        INFO(file << " " << what << " " << family << ": a constant is " << constant << " off");
        if (Rows(group.fit) >= 4) CHECK(constant == 0);
        fit += Rows(group.fit);
        fit_equal += At(group.fit, 0);
        held += Rows(group.held_out);
        held_equal += At(group.held_out, constant);
      }
      std::cout << "billed, " << file << ", " << what << ": " << fit_equal << " of " << fit
                << " exact, of those held out " << held_equal << " of " << held << "\n";
    }
    for (const auto& [what, floor] : floors) {
      const auto found = classes_.find(what);
      INFO(file << " " << what);
      REQUIRE(found != classes_.end());
      int rows = 0, equal = 0;
      for (const auto& [family, group] : found->second) {
        rows += Rows(group.fit) + Rows(group.held_out);
        equal += At(group.fit, 0) + At(group.held_out, 0);
      }
      INFO(equal << " of " << rows);
      CHECK(equal >= floor * rows);
    }
  }

 private:
  using Missing = std::map<int64_t, int>;
  struct Group {
    Missing fit, held_out;
  };

  static int At(const Missing& missing, int64_t at) {
    const auto found = missing.find(at);
    return found == missing.end() ? 0 : found->second;
  }
  static int Rows(const Missing& missing) {
    int rows = 0;
    for (const auto& [at, count] : missing) rows += count;
    return rows;
  }
  static int64_t Most(const Missing& missing) {
    int64_t most = 0;
    for (const auto& [at, count] : missing) {
      if (count > At(missing, most)) most = at;
    }
    return most;
  }

  std::map<std::string, std::map<std::string, Group>> classes_;
};

}  // namespace weir::metering::testing

#endif  // WEIR_TESTS_METERING_BILL_ROWS_H_
