// A report as one page: charts as pictures in the page itself, the table behind each, no script,
// and nothing fetched from anywhere.

#include <algorithm>
#include <functional>

#include "console.h"
#include "report.h"

namespace weir::cli {
namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>LLM usage</title>
<style>
:root{color-scheme:light dark;--page:#fff;--card:#f5f6f8;--ink:#1b1f24;--soft:#59626d;
--line:#d4d8de;--one:#2459c9;--two:#b45309}
@media (prefers-color-scheme:dark){:root{--page:#14171b;--card:#1e2329;--ink:#e9ecf0;--soft:#a3adb8;
--line:#3a424c;--one:#7aa7ff;--two:#f2b35e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1.5rem;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:0 0 .5rem}
p{margin:.25rem 0 1rem;color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem;margin:1rem 0}
@media (max-width:44rem){.tiles{grid-template-columns:1fr 1fr}}
.tile,section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem}
.tile b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft)}
section{margin:1rem 0;overflow-x:auto}
svg{display:block;width:100%;min-width:34rem;height:auto}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .soft{fill:var(--soft)}
.one{fill:var(--one)}.two{fill:var(--two)}.rule{stroke:var(--line)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:.15em;margin:0 .35em 0 .9em}
details{margin-top:.75rem}summary{cursor:pointer;color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin-top:.5rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:600}
@media print{body{max-width:none;padding:0;font-size:11px}section,.tile{break-inside:avoid}
details::details-content{content-visibility:visible;block-size:auto}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
</style></head><body>
)";

constexpr size_t kMostBars = 12;   // of a chart of names; what comes behind is one bar
constexpr size_t kMostDays = 366;  // of a chart of days; the last so many

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += static_cast<unsigned char>(c) < ' ' || c == '\x7F' ? '?' : c;
    }
  }
  return out.empty() ? "(none)" : out;
}

std::string Short(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  size_t cut = most - 1;
  while (cut > 0 && (text[cut] & '\xC0') == '\x80') --cut;
  return text.substr(0, cut) + "\xE2\x80\xA6";
}

struct Bar {
  std::string name;
  uint64_t one = 0, two = 0;
  bool is_unknown = false;
};

using Spell = std::function<std::string(uint64_t)>;

std::string Number(double value) {
  std::string text = std::to_string(value);
  return text.substr(0, text.find('.') + 2);
}

std::string Rect(double x, double y, double width, double height, std::string_view kind,
                 const std::string& title) {
  return Concat({"<rect class=\"", kind, "\" x=\"", Number(x), "\" y=\"", Number(y), "\" width=\"",
                 Number(width), "\" height=\"", Number(height), "\"><title>", Escaped(title),
                 "</title></rect>"});
}

std::string Label(double x, double y, std::string_view anchor, std::string_view kind,
                  const std::string& text) {
  return Concat({"<text class=\"", kind, "\" x=\"", Number(x), "\" y=\"", Number(y),
                 "\" text-anchor=\"", anchor, "\">", Escaped(text), "</text>"});
}

uint64_t Most(const std::vector<Bar>& bars) {
  uint64_t most = 1;
  for (const Bar& bar : bars) most = std::max(most, bar.one + bar.two);
  return most;
}

// Days along the page, each a column of two parts.
std::string Columns(std::vector<Bar> bars, const Spell& spell, const std::string& what) {
  constexpr double kWidth = 900, kHeight = 220, kLeft = 80, kBase = 190, kTop = 12;
  if (bars.size() > kMostDays) bars.erase(bars.begin(), bars.end() - kMostDays);
  const uint64_t most = Most(bars);
  std::string out =
      Concat({"<svg viewBox=\"0 0 900 220\" role=\"img\" aria-label=\"", what, "\">"});
  for (const double part : {0.0, 0.5, 1.0}) {
    const double y = kBase - part * (kBase - kTop);
    out += Concat({"<line class=\"rule\" x1=\"", Number(kLeft), "\" x2=\"", Number(kWidth),
                   "\" y1=\"", Number(y), "\" y2=\"", Number(y), "\"/>"});
    out += Label(kLeft - 8, y + 4, "end", "soft",
                 spell(static_cast<uint64_t>(part * static_cast<double>(most))));
  }
  const double step = (kWidth - kLeft) / static_cast<double>(std::max<size_t>(bars.size(), 1));
  const double width = std::min(step * 0.8, 60.0);
  const size_t every = std::max<size_t>(1, (bars.size() + 7) / 8);
  for (size_t i = 0; i < bars.size(); ++i) {
    const double x = kLeft + (static_cast<double>(i) + 0.5) * step;
    const double scale = (kBase - kTop) / static_cast<double>(most);
    const double one = static_cast<double>(bars[i].one) * scale;
    const double two = static_cast<double>(bars[i].two) * scale;
    std::string title = Concat({bars[i].name, ": ", spell(bars[i].one)});
    if (bars[i].two != 0) title += " + " + spell(bars[i].two);
    out += Rect(x - width / 2, kBase - one, width, one, "one", title);
    if (two > 0) out += Rect(x - width / 2, kBase - one - two, width, two, "two", title);
    if (i % every == 0) out += Label(x, kHeight - 10, "middle", "soft", bars[i].name);
  }
  return out + "</svg>";
}

// Names below each other, the largest first.
std::string Rows(std::vector<Bar> bars, const Spell& spell, const std::string& what,
                 uint64_t least_scale = 1) {
  constexpr double kLeft = 220, kRight = 790, kStep = 26;
  std::stable_sort(bars.begin(), bars.end(),
                   [](const Bar& a, const Bar& b) { return a.one > b.one; });
  if (bars.size() > kMostBars) {
    Bar rest = {Concat({std::to_string(bars.size() - kMostBars + 1), " others"})};
    for (size_t i = kMostBars - 1; i < bars.size(); ++i) rest.one += bars[i].one;
    bars.resize(kMostBars - 1);
    bars.push_back(std::move(rest));
  }
  const uint64_t most = std::max(Most(bars), least_scale);
  const std::string height = Number(static_cast<double>(bars.size()) * kStep + 4);
  std::string out =
      Concat({"<svg viewBox=\"0 0 900 ", height, "\" role=\"img\" aria-label=\"", what, "\">"});
  for (size_t i = 0; i < bars.size(); ++i) {
    const double y = static_cast<double>(i) * kStep + 4;
    const double length =
        static_cast<double>(bars[i].one) / static_cast<double>(most) * (kRight - kLeft);
    out += Label(kLeft - 10, y + 15, "end", "", Short(bars[i].name, 30));
    const std::string value = bars[i].is_unknown ? "unknown" : spell(bars[i].one);
    out += Rect(kLeft, y, std::max(length, 1.0), kStep - 6, "one",
                Concat({bars[i].name, ": ", value}));
    out += Label(kLeft + std::max(length, 1.0) + 8, y + 15, "start", "soft", value);
  }
  return out + "</svg>";
}

std::string Cell(std::string_view tag, std::string_view text) {
  return Concat({"<", tag, ">", text, "</", tag, ">"});
}

std::string TableOf(const Tally& tally) {
  std::string out = "<details><summary>The numbers</summary><div class=\"wide\"><table><thead><tr>";
  std::string name;
  for (const std::string& key : tally.keys()) name += (name.empty() ? "" : ", ") + key;
  for (const std::string& head :
       {Escaped(name), std::string("Exchanges"), std::string("Refused"), std::string("Failed"),
        std::string("Prompt"), std::string("Completion"), std::string("Cached"),
        std::string("Cost"), std::string("Unknown"), std::string("Saved"), std::string("p50"),
        std::string("p95"), std::string("p99")}) {
    out += Cell("th", head);
  }
  out += "</tr></thead><tbody>";
  for (const auto& [values, sums] : tally.Rows()) {
    std::string joined;
    for (const std::string& value : values) joined += (joined.empty() ? "" : ", ") + Escaped(value);
    out += "<tr>" + Cell("td", joined);
    for (const uint64_t number : {sums->exchanges, sums->refused, sums->failed, sums->prompt,
                                  sums->completion, sums->cached}) {
      out += Cell("td", WithCommas(number));
    }
    out += Cell("td", CostText(*sums)) + Cell("td", WithCommas(sums->unknown_costs)) +
           Cell("td", Dollars(sums->saved_micro_usd));
    for (const double q : {0.5, 0.95, 0.99}) out += Cell("td", TimeText(sums->total.Quantile(q)));
    out += "</tr>";
  }
  return out + "</tbody></table></div></details>";
}

std::string Tile(const std::string& value, std::string_view what) {
  return Concat({"<div class=\"tile\"><b>", value, "</b><span>", what, "</span></div>"});
}

std::string Section(std::string_view title, const std::string& chart, const std::string& table) {
  return Concat({"<section><h2>", title, "</h2>", chart, table, "</section>\n"});
}

std::vector<Bar> BarsOf(const Tally& tally, const std::function<Bar(const Sums& sums)>& values) {
  std::vector<Bar> bars;
  for (const auto& [names, sums] : tally.Rows()) {
    Bar bar = values(*sums);
    for (const std::string& name : names) bar.name += (bar.name.empty() ? "" : ", ") + name;
    if (bar.name.empty()) bar.name = "(none)";
    // Of refused exchanges alone there is nothing to draw.
    if (bar.one != 0 || bar.two != 0 || bar.is_unknown) bars.push_back(std::move(bar));
  }
  return bars;
}

std::string Loads(const Report& report) {
  if (report.loads.empty()) return "";
  std::vector<Bar> bars;
  std::string table =
      "<details><summary>The numbers</summary><div class=\"wide\"><table><thead><tr>"
      "<th>Backend</th><th>Mean</th><th>Most</th><th>At 100 %</th><th>Answers</th></tr></thead>"
      "<tbody>";
  for (const auto& [backend, load] : report.loads) {
    const std::string name = Unescaped(backend);
    bars.push_back({name, load.sum / load.told, 0, false});
    table += "<tr>" + Cell("td", Escaped(name)) +
             Cell("td", std::to_string(load.sum / load.told) + " %") +
             Cell("td", std::to_string(load.most) + " %") + Cell("td", WithCommas(load.full)) +
             Cell("td", WithCommas(load.told)) + "</tr>";
  }
  const Spell percent = [](uint64_t value) { return std::to_string(value) + " %"; };
  return Section("Utilization, as backends told it",
                 Rows(std::move(bars), percent, "Mean utilization by backend", 100),
                 table + "</tbody></table></div></details>");
}

std::string Refusals(const Report& report) {
  if (report.refusals.empty()) return "";
  std::vector<Bar> bars;
  std::string table =
      "<details><summary>The numbers</summary><div class=\"wide\"><table><thead><tr>"
      "<th>Limit</th><th>Exchanges</th></tr></thead><tbody>";
  for (const auto& [limit, count] : report.refusals) {
    const std::string name = limit.empty() ? "no limit: key, route, model" : Unescaped(limit);
    bars.push_back({name, count, 0, false});
    table += "<tr>" + Cell("td", Escaped(name)) + Cell("td", WithCommas(count)) + "</tr>";
  }
  return Section("Refused, by limit", Rows(std::move(bars), WithCommas, "Refusals by limit"),
                 table + "</tbody></table></div></details>");
}

}  // namespace

std::string PageText(const Report& report) {
  const Sums& all = report.all;
  std::string out(kHead);
  out += Concat({"<h1>LLM usage</h1><p>", Escaped(report.first.substr(0, 16)), " to ",
                 Escaped(report.last.substr(0, 16)), " UTC</p><div class=\"tiles\">"});
  out += Tile(CostText(all), "cost") + Tile(WithCommas(all.exchanges), "exchanges") +
         Tile(WithCommas(all.prompt), "prompt tokens") +
         Tile(WithCommas(all.completion), "completion tokens") +
         Tile(WithCommas(all.refused), "refused") +
         Tile(Dollars(all.saved_micro_usd), "saved by the cache") +
         Tile(TimeText(all.total.Quantile(0.5)), "median time") +
         Tile(TimeText(all.total.Quantile(0.95)), "95 % are faster than");
  out += "</div>";
  if (all.unknown_costs != 0) {
    out += Concat({"<p>The cost of ", WithCommas(all.unknown_costs),
                   " exchanges is not in these sums: their models have no known price.</p>"});
  }
  const auto cost = [](const Sums& sums) {
    return Bar{"", sums.micro_usd, 0, sums.micro_usd == 0 && sums.unknown_costs != 0};
  };
  const auto tokens = [](const Sums& sums) { return Bar{"", sums.prompt, sums.completion, false}; };
  const Tally& days = report.tallies[1];
  out += Section("Cost by day", Columns(BarsOf(days, cost), Dollars, "Cost by day"), TableOf(days));
  out += Section("Tokens by day",
                 "<p><i class=\"key\" style=\"background:var(--one)\"></i>prompt"
                 "<i class=\"key\" style=\"background:var(--two)\"></i>completion</p>" +
                     Columns(BarsOf(days, tokens), WithCommas, "Tokens by day"),
                 TableOf(days));
  const std::pair<const char*, size_t> parts[] = {
      {"Cost by team", 2}, {"Cost by model", 3}, {"Cost by backend", 4}};
  for (const auto& [title, index] : parts) {
    const Tally& tally = report.tallies[index];
    out += Section(title, Rows(BarsOf(tally, cost), Dollars, title), TableOf(tally));
  }
  std::string asked;
  for (const std::string& key : report.tallies[0].keys())
    asked += (asked.empty() ? "" : ", ") + key;
  out += Section("Cost by " + Escaped(asked),
                 Rows(BarsOf(report.tallies[0], cost), Dollars, "Cost as asked for"),
                 TableOf(report.tallies[0]));
  return out + Refusals(report) + Loads(report) + "</body></html>\n";
}

}  // namespace weir::cli
