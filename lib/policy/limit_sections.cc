// The section limits: what a limit's fields mean, and which of them contradict each other.

#include <utility>

#include "absl/time/time.h"
#include "base/text.h"
#include "policy/compiler.h"
#include "weir/queue.h"

namespace weir::policy {
namespace {

constexpr int64_t kLongestWindow = 366 * kDay;
// In the order of limits::Period.
constexpr std::string_view kPeriods[] = {"hour",    "day",  "week",    "month",
                                         "quarter", "year", "lifetime"};
// In the order of limits::Algorithm, as far as it can be chosen.
constexpr std::string_view kAlgorithms[] = {"sliding_window", "token_bucket", "fixed_window"};
// In the order of Unit.
constexpr std::string_view kUnits[] = {"tokens",   "prompt_tokens", "completion_tokens",
                                       "requests", "usd",           "concurrency"};
// In the order of OnExceeded.
constexpr std::string_view kActions[] = {"reject", "wait", "clamp", "cut"};

bool WritesTokens(Unit unit) {
  return unit == Unit::kTokens || unit == Unit::kCompletionTokens || unit == Unit::kUsd;
}

}  // namespace

struct Compiler::LimitDraft {
  Limit limit;
  limits::Rule rule;
  bool is_calendar = false;
  bool has_algorithm = false;
  bool has_status = false;
};

void Compiler::ReadLimit(std::string_view name, const Place& place) {
  constexpr std::string_view kMissing[] = {"shared", "deny", "skip"};
  LimitDraft draft;
  Limit& limit = draft.limit;
  limits::Rule& rule = draft.rule;
  limit.name = rule.name = std::string(name);
  size_t missing = 0;
  const auto later = [](const Place&) {};  // read by ReadLimitKind, on which the others depend
  if (place.value.Is(json::Type::kObject)) ReadLimitKind(place, &draft);
  reader_.Object(
      place,
      {{"key", [&](const Place& at) { limit.key = ReadExpression(at); }, true},
       {"unit", later},
       {"cost", later},
       {"algorithm", later},
       {"amount", [&](const Place& at) { ReadAmount(at, &draft); }, true},
       {"per", [&](const Place& at) { ReadPer(at, &draft); }, limit.unit != Unit::kConcurrency},
       {"time_zone", [&](const Place& at) { ReadTimeZone(at, &rule); }},
       {"week_start",
        [&](const Place& at) {
          constexpr std::string_view kDays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                                "friday", "saturday", "sunday"};
          size_t day = 0;
          reader_.Word(at, kDays, &day);
          rule.week_start = static_cast<int>(day) + 1;
        }},
       {"burst", [&](const Place& at) { reader_.Integer(at, 1, limits::kMaxAmount, &rule.burst); }},
       {"reserve", [&](const Place& at) { ReadReserve(at, &limit); }},
       {"on_exceeded", [&](const Place& at) { ReadOnExceeded(at, &draft); }},
       {"on_missing_key", [&](const Place& at) { reader_.Word(at, kMissing, &missing); }},
       {"shadow", [&](const Place& at) { reader_.Bool(at, &limit.shadow); }},
       {"share", [&](const Place& at) { ReadShare(at, &draft); }}});
  limit.on_missing_key = static_cast<MissingKey>(missing);
  // The money or the tokens of a whole period do not come back by trying again.
  if (draft.is_calendar && !draft.has_status) limit.status = 403;
  CheckLimit(place, draft);
  limit.rule = static_cast<uint32_t>(plan_.rules.size());
  plan_.rules.push_back(std::move(rule));
  plan_.limits.push_back(std::move(limit));
}

// The unit and the algorithm, which say how the other fields are to be read.
void Compiler::ReadLimitKind(const Place& place, LimitDraft* draft) {
  if (const json::Value given = place.value["unit"]) {
    size_t unit = 0;
    reader_.Word(place.Member(given), kUnits, &unit);
    draft->limit.unit = static_cast<Unit>(unit);
  }
  if (const json::Value given = place.value["cost"]) {
    draft->limit.cost = ReadExpression(place.Member(given), UsageNames());
    draft->limit.unit = Unit::kCost;
    if (place.value["unit"]) {
      reader_.Complain(place.Member(given), "a limit has a unit or a cost, not both");
    }
  }
  if (const json::Value given = place.value["algorithm"]) {
    size_t algorithm = 0;
    reader_.Word(place.Member(given), kAlgorithms, &algorithm);
    draft->rule.algorithm = static_cast<limits::Algorithm>(algorithm);
    draft->has_algorithm = true;
  }
  if (draft->limit.unit == Unit::kConcurrency) {
    draft->rule.algorithm = limits::Algorithm::kConcurrency;
  }
}

// A number, of dollars for the unit usd, or an expression whose value is one.
void Compiler::ReadAmount(const Place& place, LimitDraft* draft) {
  if (place.value.Is(json::Type::kString)) {
    draft->limit.amount = ReadExpression(place);
    draft->rule.amount = limits::kMaxAmount;
  } else if (draft->limit.unit == Unit::kUsd) {
    std::optional<uint64_t> micro_usd;
    reader_.Dollars(place, limits::kMaxAmount / 1'000'000, &micro_usd);
    draft->rule.amount = micro_usd.value_or(1);
    if (draft->rule.amount == 0) reader_.Complain(place, "expected more than 0 dollars");
  } else {
    reader_.Integer(place, 1, limits::kMaxAmount, &draft->rule.amount);
  }
}

void Compiler::ReadPer(const Place& place, LimitDraft* draft) {
  limits::Rule& rule = draft->rule;
  for (size_t i = 0; i < std::size(kPeriods); ++i) {
    if (!place.value.Is(json::Type::kString) || place.value.text() != kPeriods[i]) continue;
    draft->is_calendar = true;
    rule.algorithm = limits::Algorithm::kCalendar;
    rule.period = static_cast<limits::Period>(i);
    return;
  }
  reader_.Duration(place, kSecond, kLongestWindow, &rule.window_ns);
}

void Compiler::ReadTimeZone(const Place& place, limits::Rule* rule) {
  reader_.String(place, &rule->time_zone);
  if (!place.value.Is(json::Type::kString)) return;
  absl::TimeZone zone;
  if (rule->time_zone.empty() || !absl::LoadTimeZone(rule->time_zone, &zone)) {
    reader_.Complain(place, Concat({"there is no time zone \"", rule->time_zone,
                                    "\" on this machine; expected an IANA name such as "
                                    "\"Europe/Berlin\" (its data is the package tzdata)"}));
  }
}

void Compiler::ReadShare(const Place& place, LimitDraft* draft) {
  draft->rule.share = true;
  reader_.Object(place,
                 {{"weights", [&](const Place& at) { draft->limit.weight = ReadExpression(at); }},
                  {"floor", [&](const Place& at) {
                     reader_.Integer(at, 1, limits::kMaxAmount, &draft->rule.share_floor);
                   }}});
}

void Compiler::CheckLimit(const Place& place, const LimitDraft& draft) {
  const Limit& limit = draft.limit;
  const limits::Rule& rule = draft.rule;
  const auto refuse = [&](std::string_view field, bool is_wrong, std::string why) {
    if (is_wrong && place.value[field]) {
      reader_.Complain(place.Member(place.value[field]), std::move(why));
    }
  };
  const bool is_window = rule.algorithm == limits::Algorithm::kSlidingWindow;
  const bool is_concurrency = limit.unit == Unit::kConcurrency;
  refuse("burst", rule.algorithm != limits::Algorithm::kTokenBucket,
         "only a token_bucket has a burst");
  refuse("per", is_concurrency, "what is under way at once has no period");
  refuse("algorithm", is_concurrency, "what is under way at once is counted without an algorithm");
  refuse("algorithm", draft.is_calendar && place.value["algorithm"].text() != kAlgorithms[2],
         "calendar periods are fixed windows");
  refuse("time_zone", !draft.is_calendar, "only calendar periods have a time zone");
  refuse("week_start", !draft.is_calendar || rule.period != limits::Period::kWeek,
         "only the period \"week\" has a first day");
  refuse("reserve", limit.unit == Unit::kRequests || is_concurrency,
         Concat({"a limit of ", is_concurrency ? "what is under way" : "requests",
                 " reserves exactly one"}));
  refuse("share", !is_window || is_concurrency, "only a sliding_window can be shared");
  refuse("share", limit.amount != nullptr, "what is shared is one amount, not an expression");
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

void Compiler::ReadOnExceeded(const Place& place, LimitDraft* draft) {
  Limit& limit = draft->limit;
  uint64_t status = 429;
  uint64_t max_waiting = 100;
  limit.max_wait_ns = 10 * kSecond;
  const auto read_action = [&](const Place& at) {
    if (at.value.Is(json::Type::kObject)) {
      limit.on_exceeded = OnExceeded::kDowngrade;
      return reader_.Object(
          at, {{"downgrade",
                [&](const Place& model) { reader_.String(model, &limit.downgrade_model); }, true}});
    }
    size_t action = 0;
    reader_.Word(at, kActions, &action);
    limit.on_exceeded = static_cast<OnExceeded>(action);
    const bool about_output =
        limit.on_exceeded == OnExceeded::kClamp || limit.on_exceeded == OnExceeded::kCut;
    if (about_output && !WritesTokens(limit.unit)) {
      reader_.Complain(at, "only a limit of tokens, completion_tokens or usd can be held by it");
    }
  };
  reader_.Object(
      place,
      {{"status",
        [&](const Place& at) {
          reader_.Integer(at, 400, 599, &status);
          draft->has_status = true;
        }},
       {"message", [&](const Place& at) { reader_.String(at, &limit.message); }},
       {"action", read_action},
       {"max_wait",
        [&](const Place& at) { reader_.Duration(at, kMillisecond, kHour, &limit.max_wait_ns); }},
       {"max_waiting",
        [&](const Place& at) { reader_.Integer(at, 1, queue::kMaxWaiting, &max_waiting); }}});
  limit.max_waiting = static_cast<uint32_t>(max_waiting);
  if (limit.on_exceeded != OnExceeded::kWait) {
    for (const char* name : {"max_wait", "max_waiting"}) {
      if (!place.value[name]) continue;
      reader_.Complain(place.Member(place.value[name]), "only the action \"wait\" waits");
    }
    limit.max_wait_ns = 0;
  }
  limit.status = static_cast<int>(status);
}

}  // namespace weir::policy
