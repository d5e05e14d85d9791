// Whatever became of requests and backends, nobody is left out for longer than was said: soon after
// the last trouble every backend is asked again, nothing is under way, and no room is taken.
// WEIR_LONG=1 asks for a hundred times as many worlds.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

constexpr uint64_t kConcurrency = 60;
constexpr int64_t kLongestRestMs = 5000;  // no trip, and no retry-after, is longer
constexpr int64_t kSoonMs = 500;          // for a request that has all backends to itself

// A policy with a trouble's every ingredient, drawn at random.
class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    const size_t backends = 2 + random_.Below(3);
    for (size_t i = 0; i < backends; ++i) {
      names_.emplace_back(1, static_cast<char>('a' + i));
      priorities_.push_back(OneOf(std::array{"1", "1", "1", "2"}));
    }
    strategy_ =
        OneOf(std::array{"weighted", "round_robin", "least_busy", "least_latency", "p2c", "hash"});
    const bool has_cache = random_.Below(2) == 0;
    text_ = R"({"weir": 1, "consumers": {"red": {"keys": [")" +
            auth::HashKey("weir virtual key", "vk-red") + R"("]}}, "backends": {)" + Backends() +
            R"(}, "pools": {"p": {"members": [)" + Members() + "]" + PoolOptions() +
            R"(}}, "limits": {"at_once": {"key": "consumer.id", "unit": "concurrency",
            "amount": )" +
            std::to_string(kConcurrency) + R"(}, "paced": {"key": "request.headers['x-pace']",
            "unit": "requests", "amount": 60, "per": "1s", "algorithm": "token_bucket", "burst": 3,
            "on_missing_key": "skip", "on_exceeded": {"action": "wait", "max_wait": "1s",
            "max_waiting": 10}}}, "caches": {"c": {"embedding":
            {"backend": "embed", "model": "m", "dimensions": 8, "deadline": "100ms"},
            "min_similarity": 0.9, "ttl": "1s", "partition": "shared"}},
            "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                        "limits": ["at_once", "paced"])" +
            (has_cache ? R"(, "cache": "c"}]})" : "}]}");
    if (has_cache) asks_.insert("embed");
    const std::string top = *std::min_element(priorities_.begin(), priorities_.end());
    // The others may have reasons for not asking somebody who is well.
    if (strategy_ == "least_latency" || strategy_ == "hash") return;
    for (size_t i = 0; i < backends; ++i) {
      if (priorities_[i] == top) asks_.insert(names_[i]);
    }
  }
  const std::string& text() const { return text_; }
  const std::vector<std::string>& names() const { return names_; }
  // Who is asked sooner or later, when everybody is well.
  const std::set<std::string>& asks() const { return asks_; }

 private:
  template <size_t kSize>
  const char* OneOf(const std::array<const char*, kSize>& choices) {
    return choices[random_.Below(kSize)];
  }

  std::string Breaker() {
    return std::string(R"("circuit_breaker": [{"on": {"status": ["429", "5xx"],
        "failures": ["connect", "reset", "timeout"], "count": )") +
           OneOf(std::array{"1", "2"}) + R"(, "interval": "10s"}, "trip": )" +
           OneOf(std::array{R"("1s")", R"("300ms")", R"("5s")"}) + R"(,
        "probes": )" +
           OneOf(std::array{"1", "1", "3"}) + R"(, "successes": )" + OneOf(std::array{"1", "2"}) +
           "}]";
  }

  std::string Backends() {
    std::string text =
        R"("embed": {"url": "http://embed.test", "dialect": "openai", )" + Breaker() + "}";
    for (const std::string& name : names_) {
      text += ", \"" + name + R"(": {"url": "http://)" + name + R"(.test", "dialect": "openai", )" +
              OneOf(std::array{"", R"("model": "gpt-4o", )",
                               R"("capacity": {"tokens_per_minute": 10000000}, )"}) +
              Breaker() + "}";
    }
    return text;
  }

  std::string Members() {
    std::string text;
    for (size_t i = 0; i < names_.size(); ++i) {
      text += (text.empty() ? "" : ", ") + (R"({"backend": ")" + names_[i]) + R"(", "priority": )" +
              priorities_[i] + "}";
    }
    return text;
  }

  std::string PoolOptions() {
    std::string text = R"(, "fail_back_after": "0s", "strategy": ")" + strategy_;
    text += R"(", "retry": {"attempts": )";
    text += OneOf(std::array{"1", "2", "4"});
    text += R"(, "attempts_per_backend": )";
    text += OneOf(std::array{"1", "2"});
    text += R"(, "on": ["429", "5xx", "connect", "timeout", "reset"]})";
    text += OneOf(std::array{"", R"(, "hedge": {"after": "30ms"})"});
    text += OneOf(std::array{"", R"(, "all_down": {"action": "last_resort"})",
                             R"(, "all_down": {"action": "wait", "max_wait": "2s"})"});
    return text;
  }

  Random random_;
  std::vector<std::string> names_, priorities_;
  std::string strategy_;
  std::set<std::string> asks_;
  std::string text_;
};

enum class Health : uint8_t { kWell, kThrottles, kFails, kUnreachable, kResets, kSilent };
constexpr uint64_t kHealths = 6;

// Clients, backends and their troubles on one clock.
class Trouble {
 public:
  explicit Trouble(uint64_t seed)
      : world_(seed), engine_(EngineOf(world_.text())), random_(seed ^ 0x5EED) {}

  // Forty clients at most, each of which may leave at any moment.
  void Rage(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ms_ += static_cast<int64_t>(random_.Below(30));
      if (random_.Below(20) == 0) {
        health_[AnyBackend()] = static_cast<Health>(random_.Below(kHealths));
      }
      if (clients_.size() < 40 && random_.Below(3) != 0) {
        Begin(CommonText());
      } else if (!clients_.empty()) {
        const size_t who = random_.Below(clients_.size());
        if (random_.Below(12) == 0 || Advance(&clients_[who])) Leave(who);
      }
    }
    while (!clients_.empty()) Leave(0);
    health_.clear();
    now_ms_ += kLongestRestMs + 1;
  }

  // Who is asked, when everybody is well. Every other text was never asked before.
  std::set<std::string> Calm(int requests) {
    std::set<std::string> asked;
    for (int i = 0; i < requests; ++i) {
      now_ms_ += 10;
      const int64_t since_ms = now_ms_;
      Begin(i % 2 == 0 ? CommonText() : "Say " + std::to_string(random_.Next()));
      asked.insert(clients_[0].asked.begin(), clients_[0].asked.end());
      for (bool ends = false; !ends;) {
        ends = Advance(&clients_[0]);
        asked.insert(clients_[0].asked.begin(), clients_[0].asked.end());
      }
      CHECK(clients_[0].status == 200);
      CHECK(now_ms_ - since_ms <= kSoonMs);
      Leave(0);
    }
    return asked;
  }

  // How many are let in at once.
  uint64_t CountRoom() {
    while (clients_.size() <= kConcurrency) {
      Begin("Say " + std::to_string(random_.Next()), /*paced=*/false);
      if (clients_.back().status == 429) break;
    }
    const uint64_t room = clients_.size() - 1;
    while (!clients_.empty()) Leave(0);
    return room;
  }

  std::string Status() { return engine_->StatusJson(Time()); }
  const World& world() const { return world_; }

 private:
  struct Client {
    std::unique_ptr<Transaction> txn;
    Action action;
    std::map<uint32_t, std::string> attempts;  // under way
    std::set<std::string> asked;
    int status = 0;
    int answered = 0;  // by a backend
  };

  Now Time() const { return At(now_ms_); }

  std::string AnyBackend() {
    const std::vector<std::string>& names = world_.names();
    const uint64_t drawn = random_.Below(names.size() + 1);
    return drawn == names.size() ? "embed" : names[drawn];
  }

  std::string CommonText() { return std::string("Say ") + "abcdef"[random_.Below(6)]; }

  void Begin(const std::string& text, bool paced = true) {
    Client client;
    client.txn = engine_->Begin();
    REQUIRE(client.txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
    REQUIRE(client.txn->RequestHeader("authorization", "Bearer vk-red").ok());
    if (paced) REQUIRE(client.txn->RequestHeader("x-pace", "common").ok());
    const std::string body =
        R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + text + R"("}]})";
    REQUIRE(client.txn->RequestBody(body).ok());
    REQUIRE(client.txn->RequestEnd().ok());
    clients_.push_back(std::move(client));
    Take(&clients_.back());
  }

  void Leave(size_t who) {
    std::swap(clients_[who], clients_.back());
    clients_.pop_back();
  }

  // Asks what to do. True: nothing more.
  bool Take(Client* client) {
    client->action = Decide(*client->txn, Time());
    const Action& action = client->action;
    if (action.kind == ActionKind::kForward) {
      if (!action.parallel) client->attempts.clear();
      const std::string name = std::string(client->txn->url().substr(7, 1));
      client->attempts[action.attempt] = name;
      client->asked.insert(name);
    }
    if (action.kind == ActionKind::kCall) client->asked.insert("embed");
    if (action.kind == ActionKind::kReply) client->status = action.status;
    if (action.kind == ActionKind::kDone) client->status = client->answered;
    return action.kind == ActionKind::kReply || action.kind == ActionKind::kDone;
  }

  // One thing happens to a client's request. True: it has its answer.
  bool Advance(Client* client) {
    const Action& action = client->action;
    switch (action.kind) {
      case ActionKind::kReply:
      case ActionKind::kDone:
        return true;
      case ActionKind::kCall:
        return AnswerCall(client);
      case ActionKind::kWait:
        if (action.deadline_mono_ns == 0) return AnswerAttempt(client);
        if (!client->attempts.empty() && random_.Below(2) == 0) return AnswerAttempt(client);
        now_ms_ = std::max(now_ms_, (action.deadline_mono_ns - kStart) / kMillisecond + 1);
        return Take(client);
      case ActionKind::kForward:
        if (action.wake_mono_ns != 0 && Time().mono_ns >= action.wake_mono_ns) return Take(client);
        return AnswerAttempt(client);
      default:  // an answer has begun
        REQUIRE(client->txn->ResponseBody(JsonAnswer(kPrompt, 5)).ok());
        REQUIRE(client->txn->ResponseEnd().ok());
        return Take(client);
    }
  }

  bool AnswerCall(Client* client) {
    const Health health = health_["embed"];
    int status = 200;
    if (health == Health::kThrottles) status = 429;
    if (health == Health::kFails) status = 500;
    if (health == Health::kUnreachable || health == Health::kResets) status = 0;
    if (health == Health::kSilent) {
      now_ms_ += 101;
    } else {
      const char* vector = R"({"data":[{"index":0,"embedding":[1,2,3,4,5,6,7,8]}]})";
      // Too late, perhaps: the request goes on without it.
      (void)client->txn->CallResult(client->action.call_id, status, vector);
    }
    return Take(client);
  }

  bool AnswerAttempt(Client* client) {
    auto open = client->attempts.begin();
    std::advance(open, random_.Below(client->attempts.size()));
    const auto [number, name] = *open;
    client->attempts.erase(open);
    REQUIRE(client->txn->ResponseFrom(number).ok());
    switch (health_[name]) {
      case Health::kUnreachable:
        return Break(client, Failure::kConnect);
      case Health::kResets:
        return Break(client, Failure::kReset);
      case Health::kSilent:
        return Break(client, Failure::kTimeout);
      case Health::kThrottles:
        return Answer(client, 429);
      case Health::kFails:
        return Answer(client, 500);
      case Health::kWell:
        break;
    }
    return Answer(client, 200);
  }

  bool Break(Client* client, Failure failure) {
    REQUIRE(client->txn->ResponseFailed(failure).ok());
    return Take(client);
  }

  bool Answer(Client* client, int status) {
    client->answered = status;
    REQUIRE(client->txn->ResponseHead(status).ok());
    REQUIRE(client->txn->ResponseHeader("content-type", "application/json").ok());
    if (status == 429 && random_.Below(2) == 0) {
      REQUIRE(client->txn->ResponseHeader("retry-after", "2").ok());
    }
    return Take(client);
  }

  World world_;
  std::unique_ptr<Engine> engine_;
  Random random_;
  int64_t now_ms_ = 0;
  std::map<std::string, Health> health_;
  std::vector<Client> clients_;
};

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST_CASE("soon after the last trouble every backend is asked again") {
  const uint64_t worlds = std::getenv("WEIR_LONG") != nullptr ? 20'000 : 200;
  for (uint64_t seed = 1; seed <= worlds; ++seed) {
    Trouble trouble(seed);
    INFO("seed " << seed << ": " << trouble.world().text());
    trouble.Rage(600);
    const std::set<std::string> asked = trouble.Calm(60);
    const std::set<std::string>& asks = trouble.world().asks();
    CHECK(std::includes(asked.begin(), asked.end(), asks.begin(), asks.end()));
    const std::string status = trouble.Status();
    INFO(status);
    const size_t backends = trouble.world().names().size();
    CHECK(CountOf(status, R"("state":"usable")") == backends);
    CHECK(CountOf(status, R"("in_flight":0)") == backends);
    CHECK(CountOf(status, R"("breaker":"open")") == 0);
    CHECK(trouble.CountRoom() == kConcurrency);
  }
}

}  // namespace
}  // namespace weir::engine::testing
