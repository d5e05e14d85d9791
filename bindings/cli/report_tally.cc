#include "report_tally.h"

#include <algorithm>
#include <utility>

#include "console.h"
#include "json.h"

namespace weir::cli {
namespace {

constexpr char kBetween = '\n';  // is in no text of a line

std::string_view DimensionOf(const LedgerRecord& record, std::string_view name) {
  for (const LedgerRecord::Dimension& dimension : record.dimensions) {
    if (dimension.name == name) return dimension.value;
  }
  return name == "team" || name == "app" ? record.consumer : std::string_view();
}

void AppendValue(const LedgerRecord& record, std::string_view key, std::string* out) {
  if (key == "consumer") {
    *out += record.consumer;
  } else if (key == "model") {
    *out += record.model;
  } else if (key == "backend") {
    *out += record.backend;
  } else if (key == "day") {
    *out += record.time.substr(0, 10);
  } else if (key == "hour") {
    *out += record.time.substr(0, 13);
  } else if (key == "month") {
    *out += record.time.substr(0, 7);
  } else if (key == "route") {
    *out += record.route;
  } else if (key == "operation") {
    *out += record.operation;
  } else if (key == "served") {
    *out += record.served;
  } else if (key == "outcome") {
    *out += record.outcome;
  } else if (key == "status") {
    *out += std::to_string(record.status);
  } else {
    *out += DimensionOf(record, key);
  }
}

void AddSaturating(uint64_t* sum, uint64_t value) {
  if (__builtin_add_overflow(*sum, value, sum)) *sum = UINT64_MAX;
}

}  // namespace

void Times::Add(uint64_t us) {
  if (parts_.empty()) parts_.resize(kParts * kPowers);
  size_t index = us;
  if (us >= kParts) {
    const auto power = static_cast<size_t>(63 - __builtin_clzll(us));
    index = (power - 3) * kParts + (us >> (power - 4)) % kParts;
  }
  ++parts_[std::min(index, parts_.size() - 1)];
  ++count_;
}

uint64_t Times::Quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<uint64_t>(q * static_cast<double>(count_ - 1)) + 1;
  uint64_t passed = 0;
  size_t index = 0;
  while (index + 1 < parts_.size() && (passed += parts_[index]) < rank) ++index;
  if (index < kParts) return index;
  const size_t power = index / kParts + 3;
  const uint64_t width = uint64_t{1} << (power - 4);
  return (uint64_t{1} << power) + index % kParts * width + width / 2;
}

void Sums::Add(const LedgerRecord& record) {
  ++exchanges;
  if (record.outcome == "refused") {
    ++refused;
  } else if (record.status >= 500 ||
             (record.outcome != "ok" && record.outcome != "cut" && record.outcome != "abandoned")) {
    ++failed;
  }
  AddSaturating(&prompt, record.prompt.value_or(0));
  AddSaturating(&completion, record.completion.value_or(0));
  AddSaturating(&cached, record.cached.value_or(0));
  AddSaturating(&reasoning, record.reasoning.value_or(0));
  AddSaturating(&micro_usd, record.micro_usd.value_or(0));
  unknown_costs += record.has_cost && !record.micro_usd ? 1 : 0;
  unknown_usages += record.has_cost && (!record.prompt || !record.completion) ? 1 : 0;
  cache_hits += record.cache_result == "hit" ? 1 : 0;
  AddSaturating(&saved_tokens, record.saved_prompt);
  AddSaturating(&saved_tokens, record.saved_completion);
  AddSaturating(&saved_micro_usd, record.saved_micro_usd);
  if (record.outcome != "refused") total.Add(record.total_us);
  if (record.first_byte_us) first_byte.Add(*record.first_byte_us);
}

void Tally::Add(const LedgerRecord& record) {
  scratch_.clear();
  for (const std::string& key : keys_) {
    if (&key != &keys_.front()) scratch_ += kBetween;
    AppendValue(record, key, &scratch_);
  }
  // Lines of one group often follow each other.
  if (last_ != nullptr && scratch_ == last_key_) return last_->Add(record);
  auto found = groups_.find(scratch_);
  if (found == groups_.end()) {
    if (groups_.size() >= kMaxGroups) {
      overflowed_ = true;
      scratch_ = "(other)" + std::string(keys_.size() - 1, kBetween);
    }
    found = groups_.try_emplace(scratch_).first;
    if (found->second == nullptr) found->second = std::make_unique<Sums>();
  }
  last_ = found->second.get();
  last_key_ = found->first;
  last_->Add(record);
}

std::vector<std::pair<std::vector<std::string>, const Sums*>> Tally::Rows() const {
  std::vector<std::pair<std::vector<std::string>, const Sums*>> rows;
  for (const auto& [joined, sums] : groups_) {
    std::vector<std::string> values;
    std::string_view rest = joined;
    for (size_t i = 0; i < keys_.size(); ++i) {
      const size_t end = rest.find(kBetween);
      values.push_back(Unescaped(rest.substr(0, end)));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    rows.emplace_back(std::move(values), sums.get());
  }
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return rows;
}

void Report::Add(const LedgerRecord& record) {
  ++lines;
  if (first.empty() || record.time < first) first = record.time;
  if (record.time > last) last = record.time;
  all.Add(record);
  for (Tally& tally : tallies) tally.Add(record);
  for (const LedgerRecord::Utilization& told : record.utilizations) {
    auto found = loads.find(told.backend);
    if (found == loads.end()) found = loads.try_emplace(std::string(told.backend)).first;
    BackendLoad& load = found->second;
    ++load.told;
    AddSaturating(&load.sum, told.percent);
    load.most = std::max(load.most, told.percent);
    load.full += told.percent >= 100 ? 1 : 0;
  }
  if (record.outcome != "refused") return;
  const std::string_view limit = record.refusing_limit;
  auto found = refusals.find(limit);
  if (found == refusals.end()) found = refusals.try_emplace(std::string(limit)).first;
  ++found->second;
}

std::string Unescaped(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return std::string(text);
  return JsonText(Concat({"\"", text, "\""}));
}

}  // namespace weir::cli
