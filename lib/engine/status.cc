#include "engine/status.h"

#include <algorithm>
#include <string>
#include <vector>

namespace weir::engine {
namespace {

// Of two, the one that lets less through.
breaker::State Worse(breaker::State a, breaker::State b) {
  const auto rank = [](breaker::State state) {
    return state == breaker::State::kOpen ? 2 : state == breaker::State::kHalfOpen ? 1 : 0;
  };
  return rank(a) >= rank(b) ? a : b;
}

// What a circuit is of, behind its backend's name; nullopt when it is another backend's.
std::optional<std::string_view> ModelOf(std::string_view key, std::string_view backend) {
  if (key.substr(0, backend.size()) != backend) return std::nullopt;
  key.remove_prefix(backend.size());
  if (key.empty()) return key;
  return key[0] == '/' ? std::optional(key.substr(1)) : std::nullopt;
}

uint64_t Milliseconds(int64_t ns) { return ns <= 0 ? 0 : static_cast<uint64_t>(ns / kMillisecond); }

void WriteCircuit(const breaker::Snapshot& circuit, std::string_view model, Now now,
                  json::Writer* writer) {
  writer->BeginObject();
  if (!model.empty()) writer->Key("model").String(model);
  writer->Key("breaker").String(breaker::StateName(circuit.state));
  if (circuit.since_mono_ns != 0) {
    writer->Key("for_ms").Uint(Milliseconds(now.mono_ns - circuit.since_mono_ns));
  }
  if (circuit.trip.number != 0) {
    writer->Key("trips").Uint(circuit.trip.number).Key("rule").String(circuit.trip.rule);
    if (circuit.trip.failure == breaker::Failure::kNone) {
      writer->Key("status").Int(circuit.trip.status);
    } else {
      writer->Key("failure").String(breaker::FailureName(circuit.trip.failure));
    }
  }
  if (circuit.state != breaker::State::kClosed) {
    writer->Key("open_for_ms").Uint(Milliseconds(circuit.trip.open_until_mono_ns - now.mono_ns));
  }
  writer->EndObject();
}

std::string_view UnitName(policy::Unit unit) {
  switch (unit) {
    case policy::Unit::kTokens:
      return "tokens";
    case policy::Unit::kPromptTokens:
      return "prompt_tokens";
    case policy::Unit::kCompletionTokens:
      return "completion_tokens";
    case policy::Unit::kRequests:
      return "requests";
    case policy::Unit::kUsd:
      return "micro_usd";
    case policy::Unit::kConcurrency:
      return "concurrency";
    case policy::Unit::kCost:
      return "cost";
  }
  return "";
}

}  // namespace

std::string_view ReasonName(balance::Availability why) {
  switch (why) {
    case balance::Availability::kUsable:
      return "usable";
    case balance::Availability::kTripped:
      return "tripped";
    case balance::Availability::kOutOfCapacity:
      return "out_of_capacity";
    case balance::Availability::kRefused:
      return "refused";
    case balance::Availability::kThrottled:
      return "throttled";
  }
  return "";
}

void WriteBackends(const Generation& generation, Now now, json::Writer* writer) {
  const std::vector<breaker::Snapshot> circuits = generation.breaker->List(now);
  writer->Key("backends").BeginArray();
  for (const policy::Backend& backend : generation.plan().backends) {
    breaker::State worst = breaker::State::kClosed;
    int64_t open_until_ns = 0;
    for (const breaker::Snapshot& circuit : circuits) {
      if (!ModelOf(circuit.key, backend.name)) continue;
      worst = Worse(worst, circuit.state);
      if (circuit.state == breaker::State::kClosed) continue;
      open_until_ns = std::max(open_until_ns, circuit.trip.open_until_mono_ns);
    }
    writer->BeginObject().Key("backend").String(backend.name);
    writer->Key("breaker").String(breaker::StateName(worst));
    if (worst != breaker::State::kClosed) {
      writer->Key("open_for_ms").Uint(Milliseconds(open_until_ns - now.mono_ns));
    }
    writer->Key("circuits").BeginArray();
    for (const breaker::Snapshot& circuit : circuits) {
      if (const auto model = ModelOf(circuit.key, backend.name)) {
        WriteCircuit(circuit, *model, now, writer);
      }
    }
    writer->EndArray().EndObject();
  }
  writer->EndArray();
}

void WritePools(const Generation& generation, Now now, json::Writer* writer) {
  writer->Key("pools").BeginArray();
  for (size_t i = 0; i < generation.pools.size(); ++i) {
    writer->BeginObject().Key("pool").String(generation.plan().pools[i].name);
    writer->Key("members").BeginArray();
    for (const balance::MemberState& member : generation.pools[i]->Snapshot(now)) {
      writer->BeginObject().Key("backend").String(member.name);
      writer->Key("priority").Uint(member.priority).Key("weight").Uint(member.weight);
      writer->Key("state").String(member.held ? "held_down" : ReasonName(member.why));
      if (!member.usable && member.until_mono_ns != balance::kNever) {
        writer->Key("for_ms").Uint(Milliseconds(member.until_mono_ns - now.mono_ns));
      }
      writer->Key("in_flight").Uint(member.in_flight).Key("picks").Uint(member.picks);
      if (member.ttft_ns >= 0) {
        writer->Key("first_token_ms").Uint(Milliseconds(member.ttft_ns));
      }
      writer->EndObject();
    }
    writer->EndArray().EndObject();
  }
  writer->EndArray();
}

void WriteLimits(const policy::Plan& plan, json::Writer* writer) {
  writer->Key("limits").BeginArray();
  for (const policy::Limit& limit : plan.limits) {
    const limits::Rule& rule = plan.rules[limit.rule];
    writer->BeginObject().Key("limit").String(limit.name);
    writer->Key("unit").String(UnitName(limit.unit));
    if (limit.amount == nullptr) writer->Key("amount").Uint(rule.amount);
    if (rule.window_ns > 0) writer->Key("window_ms").Uint(Milliseconds(rule.window_ns));
    if (limit.shadow) writer->Key("shadow").Bool(true);
    writer->EndObject();
  }
  writer->EndArray();
}

void WriteCaches(const Generation& generation, json::Writer* writer) {
  writer->Key("caches").BeginArray();
  for (const std::unique_ptr<AnswerCache>& answers : generation.caches) {
    const cache::Stats stats = answers->GetStats();
    writer->BeginObject().Key("cache").String(answers->rules().name);
    writer->Key("entries").Uint(stats.entries).Key("partitions").Uint(stats.partitions);
    writer->Key("exact_hits").Uint(stats.exact_hits);
    writer->Key("semantic_hits").Uint(stats.semantic_hits);
    writer->Key("misses").BeginObject();
    for (int i = 0; i < cache::kMissReasons; ++i) {
      const uint64_t misses = stats.misses[static_cast<size_t>(i)];
      if (misses != 0) writer->Key(cache::MissName(static_cast<cache::Miss>(i))).Uint(misses);
    }
    writer->EndObject().EndObject();
  }
  writer->EndArray();
}

}  // namespace weir::engine
