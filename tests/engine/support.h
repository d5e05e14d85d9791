// A small policy and the moves that every test of the engine makes.

#ifndef WEIR_TESTS_ENGINE_SUPPORT_H_
#define WEIR_TESTS_ENGINE_SUPPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "weir/auth.h"
#include "weir/engine.h"
#include "weir/policy.h"

namespace weir::engine::testing {

inline constexpr int64_t kStart = 1000 * kSecond;
inline Now At(int64_t ms) {
  return {kStart + ms * kMillisecond, 1700000000 * kSecond + ms * kMillisecond};
}

struct Setup {
  std::string limit = R"("key": "consumer.id", "unit": "tokens", "amount": 1000, "per": "60s",
                         "reserve": {"output": 100})";
  std::string breaker = R"([{"on": {"status": ["429", "5xx"], "failures": ["connect", "reset"],
                         "count": 1, "interval": "10s"}, "trip": "30s"}])";
  std::string more_limits;  // `, "name": {…}`
  std::string route_limits = R"(["tokens"])";
  int attempts = 2;
};

inline std::string PolicyText(const Setup& setup) {
  const std::string red = auth::HashKey("weir virtual key", "vk-red");
  const std::string blue = auth::HashKey("weir virtual key", "vk-blue");
  return R"({"weir": 1,
    "consumers": {"red": {"keys": [")" +
         red + R"("], "attributes": {"team": "warm"}},
                  "blue": {"keys": [")" +
         blue + R"("], "models": ["gpt-4o*"]}},
    "credentials": {"a": {"header": "authorization", "value": "Bearer backend-secret-a"}},
    "backends": {"a": {"url": "http://a.test", "dialect": "openai", "credential": "a",
                       "circuit_breaker": )" +
         setup.breaker + R"(},
                 "b": {"url": "http://b.test/base", "dialect": "azure-openai",
                       "api_version": "2024-10-21", "circuit_breaker": )" +
         setup.breaker + R"(,
                       "capacity": {"tokens_per_minute": 100000}}},
    "pools": {"p": {"members": [{"backend": "a", "priority": 1}, {"backend": "b", "priority": 2}],
              "retry": {"attempts": )" +
         std::to_string(setup.attempts) +
         R"(, "on": ["429", "5xx", "connect", "timeout", "reset"]}}},
    "limits": {"tokens": {)" +
         setup.limit + "}" + setup.more_limits + R"(},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                "limits": )" +
         setup.route_limits + R"(},
               {"name": "azure", "match": {"path": "/openai/deployments/{model}/chat/completions"},
                "pool": "p", "limits": )" +
         setup.route_limits + R"(},
               {"name": "open", "match": {"method": "GET", "path": "/v1/models"}, "pool": "p",
                "auth": "none"}]})";
}

inline std::shared_ptr<policy::Policy> ParsePolicy(const std::string& text) {
  std::vector<policy::Fault> faults;
  auto policy = policy::Policy::Parse(text, &faults);
  for (const policy::Fault& fault : faults) UNSCOPED_INFO(policy::FaultText(fault));
  REQUIRE(policy != nullptr);
  return policy;
}

inline std::unique_ptr<Engine> MakeEngine(const Setup& setup = {}) {
  auto engine = Engine::Create(ParsePolicy(PolicyText(setup)), {});
  REQUIRE(engine.ok());
  return *std::move(engine);
}

inline std::unique_ptr<Engine> EngineOf(const std::string& text) {
  auto engine = Engine::Create(ParsePolicy(text), {});
  REQUIRE(engine.ok());
  return *std::move(engine);
}

// "Hello, world" under gpt-4o: 3 + (3 + 1 + 3) = 10 prompt tokens.
inline constexpr uint64_t kPrompt = 10;
inline std::string Body(bool stream = false) {
  return std::string(R"({"model":"gpt-4o",)") + (stream ? R"("stream":true,)" : "") +
         R"("messages":[{"role":"user","content":"Hello, world"}]})";
}

inline std::unique_ptr<Transaction> Ask(Engine& engine, const std::string& key,
                                        const std::string& body = Body(),
                                        const std::string& target = "/v1/chat/completions") {
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", target, "10.0.0.7").ok());
  REQUIRE(txn->RequestHeader("Authorization", "Bearer " + key).ok());
  REQUIRE(txn->RequestBody(body).ok());
  REQUIRE(txn->RequestEnd().ok());
  return txn;
}

inline Action Decide(Transaction& txn, Now now) {
  const auto action = txn.Next(now);
  INFO(action.status().ToString());
  REQUIRE(action.ok());
  return *action;
}

inline void Answer(Transaction& txn, int status, const std::string& type = "application/json") {
  REQUIRE(txn.ResponseHead(status).ok());
  REQUIRE(txn.ResponseHeader("content-type", type).ok());
}

// The answer that a backend refuses the request with.
inline Action Fail(Transaction& txn, Now now, int status, const std::string& retry_after = "") {
  REQUIRE(txn.ResponseHead(status).ok());
  if (!retry_after.empty()) REQUIRE(txn.ResponseHeader("retry-after", retry_after).ok());
  return Decide(txn, now);
}

inline std::string JsonAnswer(uint64_t prompt, uint64_t completion) {
  return R"({"choices":[{"index":0,"message":{"role":"assistant","content":"Hi there"}}],"usage":{)"
         R"("prompt_tokens":)" +
         std::to_string(prompt) + R"(,"completion_tokens":)" + std::to_string(completion) +
         R"(,"total_tokens":)" + std::to_string(prompt + completion) + "}}";
}

inline const HeaderEdit* FindEdit(const Transaction& txn, std::string_view name) {
  for (const HeaderEdit& edit : txn.headers()) {
    if (edit.name == name) return &edit;
  }
  return nullptr;
}

// What is left of red's limit, found by asking for a request and giving it up again.
inline uint64_t Remaining(Engine& engine, const std::string& key, Now now) {
  auto txn = Ask(engine, key);
  const Action action = Decide(*txn, now);
  REQUIRE(action.kind == ActionKind::kForward);
  REQUIRE(txn->ResponseFailed(Failure::kConnect).ok());
  const std::string explained = txn->Explain();
  const size_t at = explained.find("\"before\":");
  REQUIRE(at != std::string::npos);
  return 1000 - std::stoull(explained.substr(at + 9));
}

}  // namespace weir::engine::testing

#endif  // WEIR_TESTS_ENGINE_SUPPORT_H_
