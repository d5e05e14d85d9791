// A day of bursty tenants before three provisioned backends and two that are paid by use, on a
// virtual clock: how much of what is paid for anyway is used, and what clients see.
//
// `engine_test "[.day]"` prints a line for each ten minutes and way of routing, which
// bench/day_plot.py draws.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;
constexpr int kProvisioned = 3;
constexpr int kBackends = 5;
constexpr int64_t kRefusalMs = 30;
constexpr int64_t kHeadMs = 400;
constexpr int64_t kSliceMs = 600 * 1000;

// A provider's quota as it is: a bucket of tokens. It knows what a request will cost.
struct Provider {
  double per_ms = 0;
  double size = 0;
  double level = 0;
  int64_t at_ms = 0;
  std::vector<std::pair<int64_t, int64_t>> outages;

  bool IsUp(int64_t ms) const {
    return std::none_of(outages.begin(), outages.end(), [ms](const auto& outage) {
      return ms >= outage.first && ms < outage.second;
    });
  }
  void Refill(int64_t ms) {
    level = std::min(size, level + per_ms * static_cast<double>(ms - at_ms));
    at_ms = ms;
  }
  bool HasRoom(int64_t ms, double cost) {
    Refill(ms);
    return IsUp(ms) && level >= cost;
  }
  int64_t RetryMs(double cost) const {
    return static_cast<int64_t>(std::ceil((cost - level) / per_ms));
  }
};

std::array<Provider, kBackends> Providers() {
  std::array<Provider, kBackends> providers;
  for (int i = 0; i < kBackends; ++i) {
    Provider& provider = providers[static_cast<size_t>(i)];
    provider.per_ms = i < kProvisioned ? 1.0 : 2.0;  // 60,000 and 120,000 tokens a minute
    provider.size = provider.per_ms * 20000;
    provider.level = provider.size;
  }
  providers[0].outages = {{8 * 3600000, 8 * 3600000 + 900000}};
  providers[1].outages = {{13 * 3600000, 13 * 3600000 + 1800000}};
  providers[3].outages = {{13 * 3600000 + 600000, 13 * 3600000 + 900000}};
  return providers;
}

struct Arrival {
  int64_t ms;
  double cost;
};

// Eight tenants, each asking in bursts; the day has a night and two peaks.
std::vector<Arrival> Trace() {
  Random random(2026);
  const auto uniform = [&] { return static_cast<double>(random.Below(1 << 20) + 1) / (1 << 20); };
  std::vector<Arrival> trace;
  for (int tenant = 0; tenant < 8; ++tenant) {
    bool is_bursting = false;
    int64_t turns_at = 0;
    for (double ms = 0; ms < static_cast<double>(kDayMs);) {
      const auto now = static_cast<int64_t>(ms);
      if (now >= turns_at) {
        is_bursting = !is_bursting;
        const double mean_ms = is_bursting ? 20000 : 60000;
        turns_at = now + static_cast<int64_t>(-std::log(uniform()) * mean_ms);
      }
      const double hour = ms / 3600000;
      const double load = 0.25 + std::exp(-(hour - 10) * (hour - 10) / 8) +
                          std::exp(-(hour - 15.5) * (hour - 15.5) / 6);
      const double per_second = load * (is_bursting ? 0.35 : 0.05);
      ms += -std::log(uniform()) * 1000 / per_second;
      trace.push_back({static_cast<int64_t>(ms), 500 - std::log(uniform()) * 2500});
    }
  }
  std::sort(trace.begin(), trace.end(),
            [](const Arrival& a, const Arrival& b) { return a.ms < b.ms; });
  return trace;
}

struct Tally {
  double provisioned = 0, paid = 0;  // tokens
  int served = 0, refused = 0;
  int refused_with_room = 0;  // though a backend had room for it
  int64_t waited_ms = 0;
  std::map<int64_t, std::array<double, kBackends>> slices;

  void Serve(int backend, int64_t ms, double cost) {
    ++served;
    (backend < kProvisioned ? provisioned : paid) += cost;
    slices[ms / kSliceMs][static_cast<size_t>(backend)] += cost;
  }
};

// Who knows every level sends each request to the fullest provisioned bucket that has room for it.
Tally Oracle(const std::vector<Arrival>& trace) {
  Tally tally;
  auto providers = Providers();
  for (const Arrival& arrival : trace) {
    int best = -1;
    for (int i = 0; i < kBackends; ++i) {
      Provider& provider = providers[static_cast<size_t>(i)];
      if (!provider.HasRoom(arrival.ms, arrival.cost)) continue;
      const bool better = best < 0 || (i < kProvisioned) > (best < kProvisioned) ||
                          ((i < kProvisioned) == (best < kProvisioned) &&
                           provider.level > providers[static_cast<size_t>(best)].level);
      if (better) best = i;
    }
    if (best < 0) {
      ++tally.refused;
      continue;
    }
    providers[static_cast<size_t>(best)].level -= arrival.cost;
    tally.Serve(best, arrival.ms, arrival.cost);
  }
  return tally;
}

std::string DayPolicy(const std::string& pool, const std::string& breaker, bool tiers) {
  std::string backends;
  std::string members;
  for (int i = 0; i < kBackends; ++i) {
    const std::string name = std::to_string(i);
    const std::string comma = i == 0 ? "" : ", ";
    backends += comma + "\"" + name + R"(": {"url": "http://)" + name +
                R"(.test", "dialect": "openai", "model": "gpt-4o", "timeout": "1h",
                   "circuit_breaker": [)" +
                breaker + "]}";
    members += comma + R"({"backend": ")" + name + R"(", "priority": )" +
               (tiers && i >= kProvisioned ? "2}" : "1}");
  }
  return R"({"weir": 1, "backends": {)" + backends + R"(}, "pools": {"p": {"members": [)" +
         members + "]" + pool + R"(}}, "routes": [{"name": "r", "pool": "p", "auth": "none",
         "match": {"path": "/v1/chat/completions"}}]})";
}

// The trace through an engine.
class Day {
 public:
  explicit Day(const std::string& policy) : engine_(EngineOf(policy)), providers_(Providers()) {}

  Tally Run(const std::vector<Arrival>& trace) {
    for (const Arrival& arrival : trace) {
      while (!events_.empty() && events_.top().ms <= arrival.ms) Step();
      Begin(arrival);
    }
    while (!events_.empty()) Step();
    return tally_;
  }

 private:
  struct Exchange {
    std::unique_ptr<Transaction> txn;
    Arrival arrival;
  };
  struct Event {
    int64_t ms;
    uint64_t order;
    std::function<void()> act;
    bool operator<(const Event& other) const {
      return std::tie(ms, order) > std::tie(other.ms, other.order);
    }
  };

  void At(int64_t ms, std::function<void()> act) { events_.push({ms, ++order_, std::move(act)}); }
  void Step() {
    const Event event = events_.top();
    events_.pop();
    now_ms_ = event.ms;
    event.act();
  }

  void Begin(const Arrival& arrival) {
    now_ms_ = arrival.ms;
    auto exchange = std::make_shared<Exchange>();
    exchange->txn = Ask(*engine_, "");
    exchange->arrival = arrival;
    Obey(exchange, Decide(*exchange->txn, testing::At(now_ms_)));
  }

  void Obey(const std::shared_ptr<Exchange>& exchange, const Action& action) {
    if (action.kind == ActionKind::kForward) {
      Send(exchange, exchange->txn->url()[7] - '0');
    } else if (action.kind == ActionKind::kWait) {
      const int64_t wake = (action.deadline_mono_ns - kStart + kMillisecond - 1) / kMillisecond;
      At(wake, [this, exchange] { Obey(exchange, Decide(*exchange->txn, testing::At(now_ms_))); });
    } else {
      Refuse(exchange->arrival.cost);
    }
  }

  void Refuse(double cost) {
    ++tally_.refused;
    const bool had_room =
        std::any_of(providers_.begin(), providers_.end(),
                    [&](Provider& provider) { return provider.HasRoom(now_ms_, cost); });
    if (had_room) ++tally_.refused_with_room;
  }

  void Send(const std::shared_ptr<Exchange>& exchange, int backend) {
    Provider& provider = providers_[static_cast<size_t>(backend)];
    const double cost = exchange->arrival.cost;
    if (!provider.IsUp(now_ms_)) return AnswerWith(exchange, 503, 0);
    if (!provider.HasRoom(now_ms_, cost)) return AnswerWith(exchange, 429, provider.RetryMs(cost));
    provider.level -= cost;
    tally_.Serve(backend, now_ms_, cost);
    tally_.waited_ms += now_ms_ - exchange->arrival.ms;
    At(now_ms_ + kHeadMs, [this, exchange] {
      Answer(*exchange->txn, 200);
      Decide(*exchange->txn, testing::At(now_ms_));
    });
    At(now_ms_ + kHeadMs + static_cast<int64_t>(cost), [this, exchange] {
      REQUIRE(exchange->txn->ResponseBody(JsonAnswer(10, 20)).ok());
      REQUIRE(exchange->txn->ResponseEnd().ok());
      Decide(*exchange->txn, testing::At(now_ms_));
    });
  }

  void AnswerWith(const std::shared_ptr<Exchange>& exchange, int status, int64_t retry_ms) {
    At(now_ms_ + kRefusalMs, [this, exchange, status, retry_ms] {
      Transaction& txn = *exchange->txn;
      REQUIRE(txn.ResponseHead(status).ok());
      if (retry_ms != 0) {
        REQUIRE(txn.ResponseHeader("retry-after-ms", std::to_string(retry_ms)).ok());
      }
      Obey(exchange, Decide(txn, testing::At(now_ms_)));
    });
  }

  std::unique_ptr<Engine> engine_;
  std::array<Provider, kBackends> providers_;
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  int64_t now_ms_ = 0;
  Tally tally_;
};

constexpr char kFailing[] = R"({"on": {"status": ["5xx"], "count": 3, "interval": "10s"},
                               "trip": "10s"})";

Tally WithWeir(const std::vector<Arrival>& trace) {
  return Day(DayPolicy(
                 R"(, "strategy": "least_busy", "retry": {"attempts": 8, "attempts_per_backend": 2,
                           "on": ["429", "5xx"]},
                          "fail_back_after": "0s",
                          "all_down": {"action": "wait", "max_wait": "60s"})",
                 std::string(R"({"on": {"status": ["429"], "count": 1}, "trip": "10s"}, )") +
                     kFailing,
                 true))
      .Run(trace);
}

Tally WithRoundRobin(const std::vector<Arrival>& trace) {
  return Day(DayPolicy(R"(, "strategy": "round_robin")", "", false)).Run(trace);
}

// As Azure documents its pools: a tier is left when all of it is tripped, and nothing is retried.
Tally WithTripThenSpill(const std::vector<Arrival>& trace) {
  return Day(DayPolicy(R"(, "fail_back_after": "0s")",
                       R"({"on": {"status": ["429", "5xx"], "count": 1, "interval": "5m"},
                           "trip": "1m", "accept_retry_after": true})",
                       true))
      .Run(trace);
}

TEST_CASE("through a day, what is provisioned is used as far as anybody could") {
  const std::vector<Arrival> trace = Trace();
  const Tally oracle = Oracle(trace);
  const Tally weir = WithWeir(trace);
  INFO("oracle " << oracle.provisioned << " weir " << weir.provisioned << " refused "
                 << weir.refused << " of " << trace.size());
  CHECK(weir.provisioned >= 0.98 * oracle.provisioned);
  CHECK(weir.refused_with_room == 0);
  CHECK(weir.refused <= oracle.refused);
  const Tally round_robin = WithRoundRobin(trace);
  const Tally tripped = WithTripThenSpill(trace);
  CHECK(round_robin.refused_with_room > 0);
  CHECK(tripped.refused_with_room > 0);
  CHECK(weir.provisioned > round_robin.provisioned);
}

TEST_CASE("the day, as a table", "[.day]") {
  const std::vector<Arrival> trace = Trace();
  const std::pair<const char*, Tally> ways[] = {{"oracle", Oracle(trace)},
                                                {"weir", WithWeir(trace)},
                                                {"trip then spill", WithTripThenSpill(trace)},
                                                {"round robin", WithRoundRobin(trace)}};
  const double best = ways[0].second.provisioned;
  for (const auto& [name, tally] : ways) {
    std::printf(
        "# %s: provisioned %.1f %% of the oracle's, paid by use %.1f M tokens, refused %d "
        "(%d with room) of %zu, waited %.1f ms on average\n",
        name, 100 * tally.provisioned / best, tally.paid / 1e6, tally.refused,
        tally.refused_with_room, trace.size(),
        static_cast<double>(tally.waited_ms) / std::max(tally.served, 1));
  }
  for (const auto& [name, tally] : ways) {
    for (const auto& [slice, tokens] : tally.slices) {
      std::printf("%s,%.3f", name, static_cast<double>(slice * kSliceMs) / 3600000);
      for (double each : tokens) std::printf(",%.0f", each);
      std::printf("\n");
    }
  }
}

}  // namespace
}  // namespace weir::engine::testing
