// weir_balancer_*: the balancer by itself.

#include "weir/balance.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/json.h"
#include "base/saturating.h"
#include "handles.h"
#include "sized_array.h"

struct weir_balancer {
  std::shared_ptr<weir::state::Segment> segment;  // outlives what is made over it
  std::unique_ptr<weir::balance::Pool> pool;
};

namespace {

using weir::SaturatingMul;
using weir::balance::Ask;
using weir::balance::Availability;
using weir::balance::Member;
using weir::balance::MemberState;
using weir::balance::Pool;
using weir::balance::PoolOptions;
using weir::balance::Strategy;
using weir::capi::At;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadArray;
using weir::capi::ReadSized;
using weir::capi::View;

static_assert(static_cast<int>(Strategy::kWeighted) + 1 == WEIR_BALANCE_WEIGHTED);
static_assert(static_cast<int>(Strategy::kRoundRobin) + 1 == WEIR_BALANCE_ROUND_ROBIN);
static_assert(static_cast<int>(Strategy::kLeastBusy) + 1 == WEIR_BALANCE_LEAST_BUSY);
static_assert(static_cast<int>(Strategy::kLeastLatency) + 1 == WEIR_BALANCE_LEAST_LATENCY);
static_assert(static_cast<int>(Strategy::kP2c) + 1 == WEIR_BALANCE_P2C);
static_assert(static_cast<int>(Strategy::kHash) + 1 == WEIR_BALANCE_HASH);
static_assert(WEIR_NEVER == weir::balance::kNever);

// Enough for the directory and for a pool of any size.
constexpr size_t kPrivateBytes = size_t{1} << 20;

weir_status ReadMember(size_t index, const weir_balance_member& read, Member* member,
                       weir_error* error) {
  if (!IsText(read.name, read.name_size)) return NullArgument(error);
  if (read.name_size == 0) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "member " + std::to_string(index) + " has no name");
  }
  member->name = View(read.name, read.name_size);
  if (read.priority != 0) member->priority = read.priority;
  if (read.weight != 0) member->weight = read.weight;
  return WEIR_OK;
}

weir_status ReadOptions(const weir_balancer_options& read, PoolOptions* options,
                        weir_error* error) {
  if (read.strategy < 0 || read.strategy > WEIR_BALANCE_HASH) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "there is no such strategy");
  }
  if (read.strategy != 0) options->strategy = static_cast<Strategy>(read.strategy - 1);
  options->seed = read.seed;
  options->id_seed = read.id_seed;
  if (read.hold_down_ms == WEIR_NO_HOLD_DOWN) {
    options->hold_down_ns = 0;
  } else if (read.hold_down_ms != 0) {
    options->hold_down_ns = SaturatingMul(read.hold_down_ms, weir::kMillisecond);
  }
  if (read.latency_decay_ms != 0) {
    options->latency_decay_ns = SaturatingMul(read.latency_decay_ms, weir::kMillisecond);
  }
  if (read.load_bound_percent != 0) options->load_bound_percent = read.load_bound_percent;
  if (read.load_floor != 0) options->load_floor = read.load_floor;
  return WEIR_OK;
}

absl::StatusOr<std::shared_ptr<weir::state::Segment>> SegmentFor(const weir_state* state,
                                                                 uint64_t seed) {
  if (state != nullptr) return state->segment;
  auto made = weir::state::Segment::CreatePrivate({kPrivateBytes, seed});
  if (!made.ok()) return made.status();
  return std::shared_ptr<weir::state::Segment>(*std::move(made));
}

// What every call about a member begins with.
weir_status CheckMember(const weir_balancer* balancer, int32_t member, weir_error* error) {
  if (balancer == nullptr) return NullArgument(error);
  if (member >= 0 && static_cast<size_t>(member) < balancer->pool->members().size()) return WEIR_OK;
  return Fail(error, WEIR_INVALID_ARGUMENT, "the balancer has no such member");
}
weir_status CheckMember(const weir_balancer* balancer, int32_t member, const weir_now* now,
                        weir_error* error) {
  return now == nullptr ? NullArgument(error) : CheckMember(balancer, member, error);
}

std::string_view WordOf(Availability why) {
  switch (why) {
    case Availability::kUsable:
    case Availability::kRefused:
      break;
    case Availability::kTripped:
      return "tripped";
    case Availability::kOutOfCapacity:
      return "out_of_capacity";
    case Availability::kThrottled:
      return "throttled";
  }
  return "";
}

// Rounded up.
int64_t Milliseconds(int64_t ns) {
  return ns / weir::kMillisecond + (ns % weir::kMillisecond > 0 ? 1 : 0);
}

void WriteState(const MemberState& member, int64_t now_ns, weir::json::Writer* writer) {
  writer->BeginObject().Key("name").String(member.name);
  writer->Key("priority").Uint(member.priority).Key("weight").Uint(member.weight);
  writer->Key("usable").Bool(member.usable).Key("held").Bool(member.held).Key("why");
  if (member.usable) {
    writer->Null();
  } else {
    writer->String(WordOf(member.why));
  }
  writer->Key("until_ms");
  if (member.usable || member.until_mono_ns == weir::balance::kNever) {
    writer->Null();
  } else {
    writer->Int(Milliseconds(weir::SaturatingSub(member.until_mono_ns, now_ns)));
  }
  writer->Key("in_flight").Uint(member.in_flight).Key("ttft_ms");
  if (member.ttft_ns < 0) {
    writer->Null();
  } else {
    writer->Int(Milliseconds(member.ttft_ns));
  }
  writer->Key("picks").Uint(member.picks).EndObject();
}

}  // namespace

weir_status weir_balancer_new(weir_state* state, const char* name, size_t name_size,
                              const weir_balance_member* members, size_t member_count,
                              const weir_balancer_options* options, weir_balancer** balancer,
                              weir_error* error) {
  if (!IsText(name, name_size) || balancer == nullptr) return NullArgument(error);
  weir_balancer_options read = {};
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    PoolOptions pool_options;
    weir_status status = ReadOptions(read, &pool_options, error);
    if (status != WEIR_OK) return status;
    std::vector<Member> made;
    status = ReadArray(members, member_count, error,
                       [&](size_t index, const weir_balance_member& member) {
                         return ReadMember(index, member, &made.emplace_back(), error);
                       });
    if (status != WEIR_OK) return status;
    auto segment = SegmentFor(state, read.seed);
    if (!segment.ok()) return Fail(error, segment.status());
    auto handle = std::make_unique<weir_balancer>();
    handle->segment = *std::move(segment);
    auto pool =
        Pool::Create(handle->segment.get(), View(name, name_size), std::move(made), pool_options);
    if (!pool.ok()) return Fail(error, pool.status());
    handle->pool = *std::move(pool);
    *balancer = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_balancer_pick(weir_balancer* balancer, const weir_balance_ask* ask,
                               const weir_now* now, int32_t* member, int64_t* returns_at_ns,
                               weir_error* error) {
  if (balancer == nullptr || now == nullptr || member == nullptr) return NullArgument(error);
  weir_balance_ask read = {};
  if (const weir_status status = ReadSized(ask, &read, error); status != WEIR_OK) return status;
  if (!IsText(read.key, read.key_size)) return NullArgument(error);
  if (read.refused == nullptr && read.refused_count != 0) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    Ask made;
    made.now = At(*now);
    if (read.key_size != 0) made.hash = weir::balance::StableHash(View(read.key, read.key_size));
    if (read.has_prefer != 0) made.prefer = read.prefer;
    made.sticky = read.sticky != 0;
    made.start = read.start != 0;
    made.refused = {read.refused, read.refused_count};
    *member = balancer->pool->Pick(made);
    if (returns_at_ns != nullptr) *returns_at_ns = *member < 0 ? balancer->pool->ReturnsAt() : 0;
    return WEIR_OK;
  });
}

weir_status weir_balancer_unused(weir_balancer* balancer, int32_t member, weir_error* error) {
  const weir_status status = CheckMember(balancer, member, error);
  if (status != WEIR_OK) return status;
  return Guard(error, [&] {
    balancer->pool->Unused(member);
    return WEIR_OK;
  });
}

weir_status weir_balancer_started(weir_balancer* balancer, int32_t member, const weir_now* now,
                                  weir_error* error) {
  const weir_status status = CheckMember(balancer, member, now, error);
  if (status != WEIR_OK) return status;
  return Guard(error, [&] {
    balancer->pool->Started(member, At(*now));
    return WEIR_OK;
  });
}

weir_status weir_balancer_first_token(weir_balancer* balancer, int32_t member, int64_t ttft_ns,
                                      const weir_now* now, weir_error* error) {
  const weir_status status = CheckMember(balancer, member, now, error);
  if (status != WEIR_OK) return status;
  if (ttft_ns < 0) return Fail(error, WEIR_INVALID_ARGUMENT, "ttft_ns is negative");
  return Guard(error, [&] {
    balancer->pool->FirstToken(member, ttft_ns, At(*now));
    return WEIR_OK;
  });
}

weir_status weir_balancer_finished(weir_balancer* balancer, int32_t member, int32_t failed,
                                   const weir_now* now, weir_error* error) {
  const weir_status status = CheckMember(balancer, member, now, error);
  if (status != WEIR_OK) return status;
  return Guard(error, [&] {
    balancer->pool->Finished(member, -1, failed == 0, At(*now));
    return WEIR_OK;
  });
}

weir_status weir_balancer_rest(weir_balancer* balancer, int32_t member, int64_t until_ns,
                               int32_t why, const weir_now* now, weir_error* error) {
  constexpr Availability kReasons[] = {Availability::kTripped, Availability::kOutOfCapacity,
                                       Availability::kThrottled};
  const weir_status status = CheckMember(balancer, member, now, error);
  if (status != WEIR_OK) return status;
  if (why < WEIR_REST_TRIPPED || why > WEIR_REST_THROTTLED) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "there is no such reason to rest");
  }
  return Guard(error, [&] {
    balancer->pool->Rest(member, until_ns, kReasons[why - WEIR_REST_TRIPPED], At(*now));
    return WEIR_OK;
  });
}

weir_status weir_balancer_wake(weir_balancer* balancer, int32_t member, const weir_now* now,
                               weir_error* error) {
  const weir_status status = CheckMember(balancer, member, now, error);
  if (status != WEIR_OK) return status;
  return Guard(error, [&] {
    balancer->pool->Wake(member, At(*now));
    return WEIR_OK;
  });
}

weir_status weir_balancer_member_id(const weir_balancer* balancer, int32_t member, uint64_t* id,
                                    weir_error* error) {
  if (id == nullptr) return NullArgument(error);
  const weir_status status = CheckMember(balancer, member, error);
  if (status != WEIR_OK) return status;
  return Guard(error, [&] {
    *id = balancer->pool->MemberId(member);
    return WEIR_OK;
  });
}

weir_status weir_balancer_find_member(const weir_balancer* balancer, uint64_t id, int32_t* member,
                                      weir_error* error) {
  if (balancer == nullptr || member == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    const int found = balancer->pool->FindMember(id);
    if (found < 0) return Fail(error, WEIR_NOT_FOUND, "no member has this id");
    *member = found;
    return WEIR_OK;
  });
}

weir_status weir_balancer_report_json(weir_balancer* balancer, const weir_now* now, char* buffer,
                                      size_t capacity, size_t* needed, weir_error* error) {
  if (balancer == nullptr || now == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::string json;
    weir::json::Writer writer(&json);
    writer.BeginArray();
    for (const MemberState& member : balancer->pool->Snapshot(At(*now))) {
      WriteState(member, now->mono_ns, &writer);
    }
    writer.EndArray();
    return CopyOut(json, buffer, capacity, needed, error);
  });
}

void weir_balancer_free(weir_balancer* balancer) { delete balancer; }
