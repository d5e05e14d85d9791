// weir_breaker_*: the circuit breaker by itself.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/saturating.h"
#include "handles.h"
#include "sized_array.h"
#include "weir/breaker.h"

struct weir_breaker {
  std::shared_ptr<weir::state::Segment> segment;  // outlives what is made over it
  std::unique_ptr<weir::breaker::Breaker> breaker;
  uint32_t rule_sets = 0;
};

namespace {

using weir::SaturatingMul;
using weir::breaker::Breaker;
using weir::breaker::Circuit;
using weir::breaker::Event;
using weir::breaker::Failure;
using weir::breaker::Outcome;
using weir::breaker::Passage;
using weir::breaker::Permit;
using weir::breaker::RetryHeaders;
using weir::breaker::Rule;
using weir::breaker::RuleSet;
using weir::breaker::State;
using weir::capi::At;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadArray;
using weir::capi::ReadSized;
using weir::capi::View;
using weir::capi::WriteSized;

static_assert(static_cast<int>(State::kClosed) == WEIR_BREAKER_CLOSED);
static_assert(static_cast<int>(State::kOpen) == WEIR_BREAKER_OPEN);
static_assert(static_cast<int>(State::kHalfOpen) == WEIR_BREAKER_HALF_OPEN);
static_assert(static_cast<int>(Failure::kNone) == WEIR_OUTCOME_ANSWERED);
static_assert(static_cast<int>(Failure::kConnect) == WEIR_OUTCOME_CONNECT);
static_assert(static_cast<int>(Failure::kTruncated) == WEIR_OUTCOME_TRUNCATED);

// A circuit's slot in a table that is half as large again, and what every segment has.
constexpr uint64_t kBytesPerCircuit = 1100;
constexpr uint64_t kBytesForTheRest = uint64_t{1} << 20;
constexpr uint32_t kAllFailures = WEIR_BREAKER_ON_CONNECT | WEIR_BREAKER_ON_TIMEOUT |
                                  WEIR_BREAKER_ON_RESET | WEIR_BREAKER_ON_STREAM_ERROR;

// Milliseconds where they are given; the default stays where they are 0.
void SetNs(int64_t ms, int64_t* ns) {
  if (ms != 0) *ns = SaturatingMul(ms, weir::kMillisecond);
}
void SetCount(uint32_t given, uint32_t* count) {
  if (given != 0) *count = given;
}

weir_status ReadRule(const weir_breaker_rule& read, Rule* rule, weir_error* error) {
  if (!IsText(read.name, read.name_size)) return NullArgument(error);
  if (read.statuses == nullptr && read.status_count != 0) return NullArgument(error);
  if ((read.failures & ~kAllFailures) != 0) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "a breaker rule names a failure that there is not");
  }
  rule->name = View(read.name, read.name_size);
  for (size_t i = 0; i < read.status_count; ++i) {
    rule->statuses.push_back({read.statuses[i].first, read.statuses[i].last});
  }
  rule->on_connect = (read.failures & WEIR_BREAKER_ON_CONNECT) != 0;
  rule->on_timeout = (read.failures & WEIR_BREAKER_ON_TIMEOUT) != 0;
  rule->on_reset = (read.failures & WEIR_BREAKER_ON_RESET) != 0;
  rule->on_stream_error = (read.failures & WEIR_BREAKER_ON_STREAM_ERROR) != 0;
  SetCount(read.count, &rule->count);
  rule->percentage = read.percentage;
  SetCount(read.min_samples, &rule->min_samples);
  SetCount(read.trip_growth_percent, &rule->trip_growth_percent);
  SetNs(read.interval_ms, &rule->interval_ns);
  SetNs(read.trip_ms, &rule->trip_ns);
  SetNs(read.trip_max_ms, &rule->trip_max_ns);
  rule->accept_retry_after = read.ignore_retry_after == 0;
  return WEIR_OK;
}

weir_status ReadRuleSet(const weir_breaker_rule_set& read, RuleSet* set, weir_error* error) {
  SetCount(read.probes, &set->probes);
  SetCount(read.successes_to_close, &set->successes_to_close);
  SetNs(read.probe_timeout_ms, &set->probe_timeout_ns);
  SetNs(read.retry_after_min_ms, &set->retry_after_min_ns);
  SetNs(read.retry_after_max_ms, &set->retry_after_max_ns);
  SetNs(read.forget_trips_ms, &set->forget_trips_ns);
  return ReadArray(read.rules, read.rule_count, error, [&](size_t, const weir_breaker_rule& rule) {
    return ReadRule(rule, &set->rules.emplace_back(), error);
  });
}

absl::StatusOr<std::shared_ptr<weir::state::Segment>> SegmentFor(const weir_state* state,
                                                                 uint64_t seed,
                                                                 uint32_t max_circuits) {
  if (state != nullptr) return state->segment;
  weir::state::SegmentOptions options;
  options.bytes = max_circuits * kBytesPerCircuit + kBytesForTheRest;
  options.seed = seed;
  auto made = weir::state::Segment::CreatePrivate(options);
  if (!made.ok()) return made.status();
  return std::shared_ptr<weir::state::Segment>(*std::move(made));
}

// A handle of the caller's: whose it is, then the circuit itself.
static_assert(sizeof(Circuit) + sizeof(uint64_t) == sizeof(weir_circuit::opaque));
static_assert(std::is_trivially_copyable_v<Circuit>);

uint64_t OwnerWord(const weir_breaker* breaker) { return reinterpret_cast<uintptr_t>(breaker); }

weir_status ReadCircuit(const weir_breaker* breaker, const weir_circuit* given, Circuit* circuit,
                        weir_error* error) {
  // A part of one is none: what is missing would be read as zeroes.
  if (given->size < sizeof(*given)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "circuit->size is not that of a circuit");
  }
  weir_circuit read;
  if (const weir_status status = ReadSized(given, &read, error); status != WEIR_OK) return status;
  if (read.opaque[0] != OwnerWord(breaker)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "the circuit is not this breaker's");
  }
  std::memcpy(static_cast<void*>(circuit), &read.opaque[1], sizeof(*circuit));
  return WEIR_OK;
}

weir_status CheckRoom(const weir_permit* permit, weir_error* error) {
  if (permit->size >= sizeof(weir_permit)) return WEIR_OK;
  return Fail(error, WEIR_INVALID_ARGUMENT, "permit->size has no room for the permit");
}

weir_permit Translated(const Passage& passage) {
  weir_permit full = {};
  full.allowed = passage.allowed ? 1 : 0;
  full.is_probe = passage.probe ? 1 : 0;
  full.state = static_cast<int32_t>(passage.state);
  full.retry_at_mono_ns = passage.retry_at_mono_ns;
  return full;
}

weir_permit TicketOf(const Permit& permit) {
  weir_permit full = Translated(permit);
  full.opaque[0] = uint64_t{permit.slot} << 32 | permit.rule_set;
  full.opaque[1] = permit.word;
  full.opaque[2] = permit.probe_number;
  full.opaque[3] = permit.key_hi;
  full.opaque[4] = permit.key_lo;
  full.opaque[5] = static_cast<uint64_t>(permit.given_mono_ns);
  return full;
}

Permit PermitOf(const weir_permit& read) {
  Permit permit;
  permit.allowed = read.allowed != 0;
  permit.probe = read.is_probe != 0;
  permit.slot = static_cast<uint32_t>(read.opaque[0] >> 32);
  permit.rule_set = static_cast<uint32_t>(read.opaque[0]);
  permit.word = read.opaque[1];
  permit.probe_number = read.opaque[2];
  permit.key_hi = read.opaque[3];
  permit.key_lo = read.opaque[4];
  permit.given_mono_ns = static_cast<int64_t>(read.opaque[5]);
  return permit;
}

}  // namespace

weir_status weir_breaker_new(weir_state* state, const weir_breaker_rule_set* rule_sets,
                             size_t rule_set_count, const weir_breaker_options* options,
                             weir_breaker** breaker, weir_error* error) {
  if (breaker == nullptr) return NullArgument(error);
  weir_breaker_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    std::vector<RuleSet> sets;
    const weir_status status =
        ReadArray(rule_sets, rule_set_count, error, [&](size_t, const weir_breaker_rule_set& set) {
          return ReadRuleSet(set, &sets.emplace_back(), error);
        });
    if (status != WEIR_OK) return status;
    weir::breaker::BreakerOptions breaker_options;
    SetCount(read.max_circuits, &breaker_options.max_circuits);
    auto segment = SegmentFor(state, read.seed, breaker_options.max_circuits);
    if (!segment.ok()) return Fail(error, segment.status());
    auto handle = std::make_unique<weir_breaker>();
    handle->segment = *std::move(segment);
    handle->rule_sets = static_cast<uint32_t>(sets.size());
    auto created = Breaker::Create(handle->segment.get(), std::move(sets), breaker_options);
    if (!created.ok()) return Fail(error, created.status());
    handle->breaker = *std::move(created);
    *breaker = handle.release();
    return WEIR_OK;
  });
}

void weir_breaker_free(weir_breaker* breaker) { delete breaker; }

weir_status weir_breaker_find(weir_breaker* breaker, uint32_t rule_set, const char* key,
                              size_t key_size, const weir_now* now, weir_circuit* circuit,
                              weir_error* error) {
  if (breaker == nullptr || !IsText(key, key_size) || now == nullptr || circuit == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    if (circuit->size < sizeof(weir_circuit)) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "circuit->size has no room for the circuit");
    }
    if (rule_set >= breaker->rule_sets) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "the breaker has no such rule set");
    }
    const Circuit found = breaker->breaker->Find(View(key, key_size), rule_set, At(*now));
    weir_circuit full = {};
    full.opaque[0] = OwnerWord(breaker);
    std::memcpy(&full.opaque[1], &found, sizeof(found));
    WriteSized(full, circuit);
    return WEIR_OK;
  });
}

weir_status weir_breaker_check(const weir_breaker* breaker, const weir_circuit* circuit,
                               const weir_now* now, weir_permit* permit, weir_error* error) {
  if (breaker == nullptr || circuit == nullptr || now == nullptr || permit == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    Circuit read;
    weir_status status = CheckRoom(permit, error);
    if (status == WEIR_OK) status = ReadCircuit(breaker, circuit, &read, error);
    if (status != WEIR_OK) return status;
    weir_permit answer = Translated(breaker->breaker->Check(read, At(*now)));
    answer.opaque[0] = ~uint64_t{0};  // no rule set: nothing can be reported with it
    WriteSized(answer, permit);
    return WEIR_OK;
  });
}

weir_status weir_breaker_acquire(weir_breaker* breaker, const weir_circuit* circuit,
                                 const weir_now* now, weir_permit* permit, weir_error* error) {
  if (breaker == nullptr || circuit == nullptr || now == nullptr || permit == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    Circuit read;
    weir_status status = CheckRoom(permit, error);
    if (status == WEIR_OK) status = ReadCircuit(breaker, circuit, &read, error);
    if (status != WEIR_OK) return status;
    WriteSized(TicketOf(breaker->breaker->Acquire(read, At(*now))), permit);
    return WEIR_OK;
  });
}

weir_status weir_breaker_record(weir_breaker* breaker, const weir_permit* permit,
                                const weir_outcome* outcome, const weir_now* now,
                                weir_breaker_report* report, weir_error* error) {
  if (breaker == nullptr || permit == nullptr || outcome == nullptr || now == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    weir_permit ticket;
    weir_outcome read;
    weir_status status = ReadSized(permit, &ticket, error);
    if (status == WEIR_OK) status = ReadSized(outcome, &read, error);
    if (status != WEIR_OK) return status;
    if (read.failure < WEIR_OUTCOME_ANSWERED || read.failure > WEIR_OUTCOME_TRUNCATED) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "there is no such failure");
    }
    if (report != nullptr && report->size < sizeof(report->size)) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "report->size is not set");
    }
    Outcome told;
    told.status = read.status;
    told.failure = static_cast<Failure>(read.failure);
    if (read.has_asked != 0) told.retry_after_ns = read.retry_after_ns;
    const auto did = breaker->breaker->Record(PermitOf(ticket), told, At(*now));
    if (report == nullptr) return WEIR_OK;
    weir_breaker_report full = {};
    full.tripped = did.event == Event::kTripped ? 1 : 0;
    full.reset = did.event == Event::kReset ? 1 : 0;
    full.rule = did.rule;
    full.open_until_mono_ns = did.open_until_mono_ns;
    WriteSized(full, report);
    return WEIR_OK;
  });
}

weir_status weir_breaker_cancel(weir_breaker* breaker, const weir_permit* permit,
                                const weir_now* now, weir_error* error) {
  if (breaker == nullptr || permit == nullptr || now == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir_permit ticket;
    const weir_status status = ReadSized(permit, &ticket, error);
    if (status == WEIR_OK) breaker->breaker->Cancel(PermitOf(ticket), At(*now));
    return status;
  });
}

weir_status weir_breaker_snapshot_json(const weir_breaker* breaker, const weir_now* now,
                                       char* buffer, size_t capacity, size_t* needed,
                                       weir_error* error) {
  if (breaker == nullptr || now == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const std::string json = weir::breaker::CircuitsJson(*breaker->breaker, At(*now));
    return CopyOut(json, buffer, capacity, needed, error);
  });
}

weir_status weir_breaker_changes_json(const weir_breaker* breaker, uint64_t since, char* buffer,
                                      size_t capacity, size_t* needed, weir_error* error) {
  if (breaker == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    const std::string json = weir::breaker::ChangesJson(*breaker->breaker, since);
    return CopyOut(json, buffer, capacity, needed, error);
  });
}

weir_status weir_retry_after(const weir_retry_headers* headers, const weir_now* now, int64_t cap_ns,
                             int64_t* retry_after_ns, weir_error* error) {
  if (headers == nullptr || now == nullptr || retry_after_ns == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir_retry_headers read;
    const weir_status status = ReadSized(headers, &read, error);
    if (status != WEIR_OK) return status;
    RetryHeaders values;
    const struct {
      const char* text;
      size_t size;
      std::string_view* value;
    } fields[] = {
        {read.retry_after, read.retry_after_size, &values.retry_after},
        {read.retry_after_ms, read.retry_after_ms_size, &values.retry_after_ms},
        {read.x_ms_retry_after_ms, read.x_ms_retry_after_ms_size, &values.x_ms_retry_after_ms},
        {read.remaining_requests, read.remaining_requests_size, &values.remaining_requests},
        {read.reset_requests, read.reset_requests_size, &values.reset_requests},
        {read.remaining_tokens, read.remaining_tokens_size, &values.remaining_tokens},
        {read.reset_tokens, read.reset_tokens_size, &values.reset_tokens}};
    for (const auto& field : fields) {
      if (!IsText(field.text, field.size)) return NullArgument(error);
      *field.value = View(field.text, field.size);
    }
    *retry_after_ns = ParseRetryAfter(values, At(*now), cap_ns).value_or(-1);
    return WEIR_OK;
  });
}
