// The section pools: which backends take turns, in which order, and what is tried when one fails.

#include <utility>

#include "base/text.h"
#include "policy/compiler.h"

namespace weir::policy {
namespace {

constexpr std::string_view kFailures[] = {"connect", "timeout", "reset"};
constexpr size_t kMaxFallbacks = 8;

}  // namespace

void Compiler::ReadPool(std::string_view name, const Place& place) {
  constexpr std::string_view kStrategies[] = {"weighted",      "round_robin", "least_busy",
                                              "least_latency", "p2c",         "hash"};
  Pool pool;
  pool.name = std::string(name);
  size_t strategy = 0;
  uint64_t load_bound = pool.options.load_bound_percent;
  const auto read_members = [&](const Place& at) {
    reader_.Array(at, [&](const Place& member) { ReadMember(member, &pool); });
    if (at.value.size() == 0 || at.value.size() > balance::kMaxMembers) {
      reader_.Complain(
          at, Concat({"a pool has 1 to ", std::to_string(balance::kMaxMembers), " members"}));
    }
  };
  // Of pools that may stand further below.
  const auto keep_fallbacks = [&](const Place& at) {
    fallbacks_.push_back({static_cast<uint32_t>(plan_.pools.size()), at});
  };
  reader_.Object(
      place,
      {{"strategy", [&](const Place& at) { reader_.Word(at, kStrategies, &strategy); }},
       {"members", read_members, true},
       {"hash_key",
        [&](const Place& at) {
          if (at.value.text() != "prompt_prefix") pool.hash_key = ReadExpression(at);
        }},
       {"load_bound", [&](const Place& at) { reader_.Integer(at, 101, 10000, &load_bound); }},
       {"fail_back_after",
        [&](const Place& at) { reader_.Duration(at, 0, kDay, &pool.options.hold_down_ns); }},
       {"session_affinity", [&](const Place& at) { ReadAffinity(at, &pool.affinity); }},
       {"retry", [&](const Place& at) { ReadRetry(at, &pool.retry); }},
       {"hedge", [&](const Place& at) { ReadHedge(at, &pool.hedge); }},
       {"fallback", keep_fallbacks},
       {"all_down", [&](const Place& at) { ReadAllDown(at, &pool); }}});
  pool.strategy = static_cast<balance::Strategy>(strategy);
  pool.options.load_bound_percent = static_cast<uint32_t>(load_bound);
  for (const char* word : {"hash_key", "load_bound"}) {
    if (!place.value[word] || pool.strategy == balance::Strategy::kHash) continue;
    reader_.Complain(place.Member(place.value[word]), "only the strategy \"hash\" has it");
  }
  plan_.pools.push_back(std::move(pool));
}

// "key": "cookie:NAME", or an expression.
void Compiler::ReadAffinity(const Place& place, SessionAffinity* affinity) {
  constexpr std::string_view kCookie = "cookie:";
  const auto read_key = [&](const Place& at) {
    const std::string_view text = at.value.Is(json::Type::kString) ? at.value.text() : "";
    if (text.substr(0, kCookie.size()) != kCookie) {
      affinity->key = ReadExpression(at);
      return;
    }
    affinity->cookie = std::string(text.substr(kCookie.size()));
    if (!IsHeaderName(affinity->cookie)) {
      reader_.Complain(at, Concat({"\"", affinity->cookie, "\" cannot be a cookie's name"}));
    }
  };
  reader_.Object(place,
                 {{"key", read_key, true},
                  {"learn_ids", [&](const Place& at) { reader_.Bool(at, &affinity->learns_ids); }},
                  {"ttl", [&](const Place& at) {
                     reader_.Duration(at, kSecond, 30 * kDay, &affinity->ttl_ns);
                   }}});
  if (affinity->cookie.empty()) return;
  for (const char* word : {"ttl", "learn_ids"}) {
    if (!place.value[word]) continue;
    reader_.Complain(place.Member(place.value[word]), "a cookie needs it not");
  }
}

void Compiler::ReadMember(const Place& place, Pool* pool) {
  balance::Member member;
  uint64_t priority = 1;
  uint64_t weight = 1;
  std::optional<uint32_t> backend;
  reader_.Object(
      place,
      {{"backend",
        [&](const Place& at) { backend = Reference(at, "backend", NamesOf(plan_.backends)); },
        true},
       {"priority", [&](const Place& at) { reader_.Integer(at, 1, 1000, &priority); }},
       {"weight", [&](const Place& at) { reader_.Integer(at, 1, 1000, &weight); }}});
  if (!backend) return;
  member.name = plan_.backends[*backend].name;
  for (const balance::Member& other : pool->members) {
    if (other.name == member.name) {
      return reader_.Complain(place, Concat({"\"", member.name, "\" is in this pool already"}));
    }
  }
  member.priority = static_cast<uint32_t>(priority);
  member.weight = static_cast<uint32_t>(weight);
  pool->members.push_back(std::move(member));
  pool->backends.push_back(*backend);
}

void Compiler::ReadRetry(const Place& place, Retry* retry) {
  uint64_t attempts = 2;
  uint64_t each = 1;
  const auto read_on = [&](const Place& word) {
    bool* const flags[] = {&retry->on_connect, &retry->on_timeout, &retry->on_reset};
    for (size_t i = 0; i < std::size(flags); ++i) {
      if (word.value.text() != kFailures[i]) continue;
      *flags[i] = true;
      return;
    }
    ReadStatus(word, &retry->statuses);
  };
  reader_.Object(
      place,
      {{"attempts", [&](const Place& at) { reader_.Integer(at, 1, 16, &attempts); }, true},
       {"attempts_per_backend", [&](const Place& at) { reader_.Integer(at, 1, 16, &each); }},
       {"on", [&](const Place& at) { reader_.Array(at, read_on); }, true},
       {"deadline",
        [&](const Place& at) { reader_.Duration(at, kMillisecond, kDay, &retry->deadline_ns); }},
       {"if_failed_within", [&](const Place& at) {
          reader_.Duration(at, kMillisecond, kDay, &retry->if_failed_within_ns);
        }}});
  retry->attempts = static_cast<uint32_t>(attempts);
  retry->attempts_per_backend = static_cast<uint32_t>(each);
}

// "after": a duration, or a percentile of the pool's own answers.
void Compiler::ReadHedge(const Place& place, Hedge* hedge) {
  constexpr std::pair<std::string_view, uint32_t> kPercentiles[] = {
      {"p50", 1}, {"p75", 3}, {"p90", 9}, {"p95", 19}, {"p99", 99}};
  const auto read_after = [&](const Place& at) {
    for (const auto& [word, below] : kPercentiles) {
      if (at.value.text() != word) continue;
      hedge->below = below;
      return;
    }
    if (at.value.Is(json::Type::kString) && at.value.text().substr(0, 1) == "p") {
      return reader_.Complain(at, "expected a duration, or p50, p75, p90, p95 or p99");
    }
    reader_.Duration(at, kMillisecond, kHour, &hedge->after_ns);
  };
  reader_.Object(place, {{"after", read_after, true}});
}

void Compiler::ReadAllDown(const Place& place, Pool* pool) {
  constexpr std::string_view kActions[] = {"refuse", "wait", "last_resort"};
  size_t action = 0;
  reader_.Object(place,
                 {{"action", [&](const Place& at) { reader_.Word(at, kActions, &action); }, true},
                  {"max_wait", [&](const Place& at) {
                     reader_.Duration(at, kMillisecond, kHour, &pool->max_wait_ns);
                   }}});
  pool->all_down = static_cast<AllDown>(action);
  if (place.value["max_wait"] && pool->all_down != AllDown::kWait) {
    reader_.Complain(place.Member(place.value["max_wait"]), "only the action \"wait\" waits");
  }
}

// Once all pools are known.
void Compiler::ReadFallbacks() {
  for (const auto& [index, place] : fallbacks_) {
    Pool& pool = plan_.pools[index];
    reader_.Array(place, [&, index = index](const Place& entry) {
      Fallback fallback;
      std::optional<uint32_t> to;
      reader_.Object(
          entry,
          {{"pool", [&](const Place& at) { to = Reference(at, "pool", NamesOf(plan_.pools)); },
            true},
           {"model", [&](const Place& at) { reader_.String(at, &fallback.model); }}});
      if (!to) return;
      fallback.pool = *to;
      if (*to == index && fallback.model.empty()) {
        return reader_.Complain(entry, "a pool can fall back to itself only with another model");
      }
      pool.fallbacks.push_back(std::move(fallback));
    });
    if (pool.fallbacks.size() > kMaxFallbacks) {
      reader_.Complain(place, "a pool has at most 8 fallbacks");
    }
  }
}

}  // namespace weir::policy
