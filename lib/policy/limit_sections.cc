// The section limits: what a limit's fields mean, and which of them contradict each other.

#include <utility>

#include "base/text.h"
#include "policy/compiler.h"

namespace weir::policy {
namespace {

constexpr int64_t kLongestWindow = 366 * kDay;
constexpr std::string_view kCalendarPeriods[] = {"hour",    "day",  "week",    "month",
                                                 "quarter", "year", "lifetime"};

bool IsCalendarPeriod(std::string_view text) {
  for (std::string_view period : kCalendarPeriods) {
    if (period == text) return true;
  }
  return false;
}

}  // namespace

void Compiler::ReadLimit(std::string_view name, const Place& place) {
  constexpr std::string_view kUnits[] = {"tokens",   "prompt_tokens", "completion_tokens",
                                         "requests", "usd",           "concurrency"};
  constexpr std::string_view kAlgorithms[] = {"sliding_window", "token_bucket", "fixed_window"};
  constexpr std::string_view kMissing[] = {"shared", "deny", "skip"};
  Limit limit;
  limit.name = std::string(name);
  limits::Rule rule;
  rule.name = limit.name;
  size_t algorithm = 0;
  size_t unit = 0;
  size_t missing = 0;
  const auto not_yet = [this](const Place& at) { reader_.NotYet(at); };
  reader_.Object(
      place,
      {{"key", [&](const Place& at) { limit.key = ReadExpression(at); }, true},
       {"unit",
        [&](const Place& at) {
          reader_.Word(at, kUnits, &unit);
          if (unit > 3) reader_.NotYet(at);
        }},
       {"cost", not_yet},
       {"amount",
        [&](const Place& at) {
          if (at.value.Is(json::Type::kString)) return reader_.NotYet(at);  // an expression
          reader_.Integer(at, 1, limits::kMaxAmount, &rule.amount);
        },
        true},
       {"per",
        [&](const Place& at) {
          if (IsCalendarPeriod(at.value.text())) return reader_.NotYet(at);
          reader_.Duration(at, kSecond, kLongestWindow, &rule.window_ns);
        },
        true},
       {"time_zone", not_yet},
       {"algorithm",
        [&](const Place& at) {
          reader_.Word(at, kAlgorithms, &algorithm);
          if (algorithm > 1) reader_.NotYet(at);
        }},
       {"burst", [&](const Place& at) { reader_.Integer(at, 1, limits::kMaxAmount, &rule.burst); }},
       {"reserve", [&](const Place& at) { ReadReserve(at, &limit); }},
       {"on_exceeded", [&](const Place& at) { ReadOnExceeded(at, &limit); }},
       {"on_missing_key", [&](const Place& at) { reader_.Word(at, kMissing, &missing); }},
       {"shadow", [&](const Place& at) { reader_.Bool(at, &limit.shadow); }},
       {"share", not_yet}});
  rule.algorithm =
      algorithm == 1 ? limits::Algorithm::kTokenBucket : limits::Algorithm::kSlidingWindow;
  limit.unit = static_cast<Unit>(unit <= 3 ? unit : 0);
  limit.on_missing_key = static_cast<MissingKey>(missing);
  CheckLimit(place, limit, rule);
  limit.rule = static_cast<uint32_t>(plan_.rules.size());
  plan_.rules.push_back(std::move(rule));
  plan_.limits.push_back(std::move(limit));
}

void Compiler::CheckLimit(const Place& place, const Limit& limit, const limits::Rule& rule) {
  if (rule.burst != 0 && rule.algorithm != limits::Algorithm::kTokenBucket) {
    reader_.Complain(place.Member(place.value["burst"]), "only a token_bucket has a burst");
  }
  if (limit.unit == Unit::kRequests && place.value["reserve"]) {
    reader_.Complain(place.Member(place.value["reserve"]),
                     "a limit of requests reserves exactly one request");
  }
}

void Compiler::ReadReserve(const Place& place, Limit* limit) {
  constexpr std::string_view kPrompt[] = {"exact", "none"};
  constexpr std::string_view kOutput[] = {"none", "max_tokens", "learned"};
  reader_.Object(place, {{"prompt",
                          [&](const Place& at) {
                            size_t index = 0;
                            reader_.Word(at, kPrompt, &index);
                            limit->reserve_prompt = index == 0;
                          }},
                         {"output", [&](const Place& at) {
                            if (at.value.Is(json::Type::kNumber)) {
                              limit->reserve_output = OutputReserve::kFixed;
                              return reader_.Integer(at, 1, dialects::kMaxTokens,
                                                     &limit->reserve_output_tokens);
                            }
                            size_t index = 2;
                            reader_.Word(at, kOutput, &index);
                            limit->reserve_output = static_cast<OutputReserve>(index);
                          }}});
}

void Compiler::ReadOnExceeded(const Place& place, Limit* limit) {
  constexpr std::string_view kActions[] = {"reject", "wait", "clamp", "cut"};
  uint64_t status = 429;
  size_t action = 0;
  int64_t max_wait_ns = 10 * kSecond;
  reader_.Object(
      place, {{"status", [&](const Place& at) { reader_.Integer(at, 400, 599, &status); }},
              {"message", [&](const Place& at) { reader_.String(at, &limit->message); }},
              {"action",
               [&](const Place& at) {
                 if (at.value.Is(json::Type::kObject)) return reader_.NotYet(at);  // downgrade
                 reader_.Word(at, kActions, &action);
                 if (action > 1) reader_.NotYet(at);
               }},
              {"max_wait",
               [&](const Place& at) { reader_.Duration(at, kMillisecond, kHour, &max_wait_ns); }}});
  if (place.value["max_wait"] && action != 1) {
    reader_.Complain(place.Member(place.value["max_wait"]), "only the action \"wait\" waits");
  }
  limit->status = static_cast<int>(status);
  limit->max_wait_ns = action == 1 ? max_wait_ns : 0;
}

}  // namespace weir::policy
