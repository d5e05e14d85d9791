// Reports as tables, comma-separated values and JSON.

#include <algorithm>

#include "console.h"
#include "json.h"
#include "report.h"

namespace weir::cli {
namespace {

constexpr uint64_t kMillion = 1'000'000;
constexpr double kQuantiles[] = {0.5, 0.95, 0.99};

std::string Decimal(uint64_t value, uint64_t unit, int digits) {
  uint64_t scale = 1;
  for (int i = 0; i < digits; ++i) scale *= 10;
  __extension__ typedef unsigned __int128 Wide;
  const auto scaled = static_cast<uint64_t>((static_cast<Wide>(value) * scale + unit / 2) / unit);
  const std::string fraction = std::to_string(scaled % scale);
  const std::string zeros(static_cast<size_t>(digits) - fraction.size(), '0');
  return Concat({WithCommas(scaled / scale), ".", zeros, fraction});
}

// A name for a terminal: what could steer it is a question mark.
std::string Shown(const std::string& name) {
  std::string shown = name.empty() ? std::string("(none)") : name;
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; }, '?');
  return shown;
}

size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

using Row = std::vector<std::string>;

// The first `text_columns` to the left, the numbers to the right.
std::string Aligned(const std::vector<Row>& rows, size_t text_columns) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - Width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < text_columns ? row[i] + padding : padding + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

void AddNumbers(const Sums& sums, Row* row) {
  for (const uint64_t number :
       {sums.exchanges, sums.refused, sums.failed, sums.prompt, sums.completion, sums.cached}) {
    row->push_back(WithCommas(number));
  }
  row->push_back(CostText(sums));
  row->push_back(WithCommas(sums.unknown_costs));
  row->push_back(Dollars(sums.saved_micro_usd));
  row->push_back(TimeText(sums.first_byte.Quantile(0.5)));
  for (const double q : kQuantiles) row->push_back(TimeText(sums.total.Quantile(q)));
}

std::string CsvField(const std::string& text) {
  // A spreadsheet takes a field that begins like this for a formula.
  const bool formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
  std::string quoted = formula ? "\"'" : "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

void WriteSums(const Sums& sums, std::string* out) {
  const auto number = [out](std::string_view name, uint64_t value) {
    *out += Concat({"\"", name, "\":", std::to_string(value), ","});
  };
  number("exchanges", sums.exchanges);
  number("refused", sums.refused);
  number("failed", sums.failed);
  number("prompt", sums.prompt);
  number("completion", sums.completion);
  number("cached", sums.cached);
  number("reasoning", sums.reasoning);
  number("micro_usd", sums.micro_usd);
  number("unknown_costs", sums.unknown_costs);
  number("cache_hits", sums.cache_hits);
  number("saved_tokens", sums.saved_tokens);
  number("saved_micro_usd", sums.saved_micro_usd);
  number("first_byte_us_p50", sums.first_byte.Quantile(0.5));
  number("first_byte_us_p95", sums.first_byte.Quantile(0.95));
  number("total_us_p50", sums.total.Quantile(0.5));
  number("total_us_p95", sums.total.Quantile(0.95));
  number("total_us_p99", sums.total.Quantile(0.99));
  out->pop_back();
}

}  // namespace

std::string WithCommas(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string Dollars(uint64_t micro_usd) {
  return Concat({"$", Decimal(micro_usd, kMillion, micro_usd != 0 && micro_usd < 10'000 ? 6 : 2)});
}

std::string CostText(const Sums& sums) {
  return sums.micro_usd == 0 && sums.unknown_costs != 0 ? "unknown" : Dollars(sums.micro_usd);
}

std::string TimeText(uint64_t us) {
  if (us == 0) return "-";
  if (us < 1000) return std::to_string(us) + " us";
  if (us < kMillion) return std::to_string((us + 500) / 1000) + " ms";
  return Decimal(us, kMillion, 1) + " s";
}

std::string TableText(const Report& report) {
  const Tally& tally = report.tallies.front();
  const size_t keys = tally.keys().size();
  Row head;
  for (std::string key : tally.keys()) {
    std::transform(key.begin(), key.end(), key.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    head.push_back(std::move(key));
  }
  for (const char* name : {"EXCHANGES", "REFUSED", "FAILED", "PROMPT", "COMPLETION", "CACHED",
                           "COST", "UNKNOWN", "SAVED", "FIRST BYTE", "P50", "P95", "P99"}) {
    head.emplace_back(name);
  }
  std::vector<Row> rows = {std::move(head)};
  for (const auto& [values, sums] : tally.Rows()) {
    Row row;
    for (const std::string& value : values) row.push_back(Shown(value));
    AddNumbers(*sums, &row);
    rows.push_back(std::move(row));
  }
  Row all(keys, "");
  all.front() = "all";
  AddNumbers(report.all, &all);
  rows.push_back(std::move(all));
  std::string out = Aligned(rows, keys);
  if (!report.loads.empty()) {
    rows = {{"BACKEND", "UTILIZATION", "MOST", "AT 100%", "ANSWERS"}};
    for (const auto& [backend, load] : report.loads) {
      rows.push_back({Shown(Unescaped(backend)), Decimal(load.sum, load.told, 1) + "%",
                      std::to_string(load.most) + "%", WithCommas(load.full),
                      WithCommas(load.told)});
    }
    out += "\n" + Aligned(rows, 1);
  }
  if (!report.refusals.empty()) {
    rows = {{"REFUSED BY LIMIT", "EXCHANGES"}};
    for (const auto& [limit, count] : report.refusals) {
      rows.push_back({limit.empty() ? "(no limit: key, route, model)" : Shown(Unescaped(limit)),
                      WithCommas(count)});
    }
    out += "\n" + Aligned(rows, 1);
  }
  return out;
}

std::string CsvText(const Report& report) {
  const Tally& tally = report.tallies.front();
  std::string out;
  for (const std::string& key : tally.keys()) out += CsvField(key) + ",";
  out +=
      "exchanges,refused,failed,prompt,completion,cached,reasoning,micro_usd,unknown_costs,"
      "cache_hits,saved_tokens,saved_micro_usd,first_byte_ms_p50,total_ms_p50,total_ms_p95,"
      "total_ms_p99\n";
  for (const auto& [values, sums] : tally.Rows()) {
    for (const std::string& value : values) out += CsvField(value) + ",";
    for (const uint64_t number :
         {sums->exchanges, sums->refused, sums->failed, sums->prompt, sums->completion,
          sums->cached, sums->reasoning, sums->micro_usd, sums->unknown_costs, sums->cache_hits,
          sums->saved_tokens, sums->saved_micro_usd, sums->first_byte.Quantile(0.5) / 1000}) {
      out += std::to_string(number) + ",";
    }
    for (const double q : kQuantiles) out += std::to_string(sums->total.Quantile(q) / 1000) + ",";
    out.back() = '\n';
  }
  return out;
}

std::string ReportJson(const Report& report) {
  const Tally& tally = report.tallies.front();
  std::string out = "{\"first\":\"" + report.first + "\",\"last\":\"" + report.last + "\",";
  out += "\"lines\":" + std::to_string(report.lines) +
         ",\"poison\":" + std::to_string(report.poison) +
         ",\"repeated\":" + std::to_string(report.repeated);
  out += ",\"all\":{";
  WriteSums(report.all, &out);
  out += "},\"groups\":[";
  for (const auto& [values, sums] : tally.Rows()) {
    out += "{\"by\":{";
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out += ",";
      AppendJsonString(&out, tally.keys()[i]);
      out += ":";
      AppendJsonString(&out, values[i]);
    }
    out += "},";
    WriteSums(*sums, &out);
    out += "},";
  }
  if (out.back() == ',') out.pop_back();
  out += "],\"utilization\":[";
  for (const auto& [backend, load] : report.loads) {
    out += "{\"backend\":\"" + backend + "\",\"answers\":" + std::to_string(load.told) +
           ",\"sum_percent\":" + std::to_string(load.sum) +
           ",\"most_percent\":" + std::to_string(load.most) +
           ",\"full\":" + std::to_string(load.full) + "},";
  }
  if (out.back() == ',') out.pop_back();
  out += "],\"refusals\":{";
  for (const auto& [limit, count] : report.refusals) {
    out += "\"" + limit + "\":" + std::to_string(count) + ",";
  }
  if (out.back() == ',') out.pop_back();
  return out + "}}\n";
}

}  // namespace weir::cli
