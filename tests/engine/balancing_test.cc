// Which member a request goes to: strategies, sessions, and what backends say of themselves.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

// Backends a to d in one tier.
std::string PolicyWith(const std::string& pool, const std::string& backend = "",
                       const std::string& path = "/v1/chat/completions") {
  std::string backends;
  std::string members;
  for (const std::string name : {"a", "b", "c", "d"}) {
    const std::string comma = backends.empty() ? "" : ", ";
    backends += comma + "\"" + name + R"(": {"url": "http://)" + name +
                R"(.test", "dialect": "openai")" + backend + "}";
    members += comma + R"({"backend": ")" + name + "\"}";
  }
  return R"({"weir": 1, "backends": {)" + backends + R"(}, "pools": {"p": {"members": [)" +
         members + "]" + pool + R"(}}, "routes": [{"name": "r", "pool": "p", "auth": "none",
         "match": {"path": ")" +
         path + "\"}}]}";
}

constexpr char kBreaker[] = R"(, "circuit_breaker": [{"on": {"status": ["429"], "count": 1},
                                                      "trip": "30s"}])";

std::string Chat(const std::string& system, const std::string& user, int turns = 0) {
  std::string body = R"({"model":"gpt-4o","messages":[{"role":"system","content":")" + system +
                     R"("},{"role":"user","content":")" + user + "\"}";
  for (int i = 0; i < turns; ++i) {
    body += R"(,{"role":"assistant","content":"yes"},{"role":"user","content":"more"})";
  }
  return body + "]}";
}

// Where a request went that is answered at once; `add` is one more header of it.
std::string Where(Engine& engine, Now now, const std::string& body = Body(),
                  const std::string& name = "", const std::string& value = "",
                  std::string* cookie = nullptr) {
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  if (!name.empty()) REQUIRE(txn->RequestHeader(name, value).ok());
  REQUIRE(txn->RequestBody(body).ok());
  REQUIRE(txn->RequestEnd().ok());
  REQUIRE(Decide(*txn, now).kind == ActionKind::kForward);
  const std::string url(txn->url());
  Answer(*txn, 200);
  Decide(*txn, now);
  if (cookie != nullptr) {
    const HeaderEdit* edit = FindEdit(*txn, "set-cookie");
    if (edit != nullptr) CHECK(edit->operation == HeaderEdit::Operation::kAdd);
    cookie->clear();
    if (edit != nullptr) *cookie = edit->value;
  }
  REQUIRE(txn->ResponseBody(JsonAnswer(10, 5)).ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, now);
  return url;
}

TEST_CASE("a conversation keeps to the backend that has its prompt in its cache") {
  auto engine = EngineOf(PolicyWith(R"(, "strategy": "hash")"));
  std::map<std::string, std::set<std::string>> of_user;
  std::set<std::string> all;
  for (int turn = 0; turn < 5; ++turn) {
    for (int user = 0; user < 40; ++user) {
      const std::string name = "I am user " + std::to_string(user);
      const std::string url = Where(*engine, At(turn), Chat("Be brief.", name, turn));
      of_user[name].insert(url);
      all.insert(url);
    }
  }
  for (const auto& [user, urls] : of_user) CHECK(urls.size() == 1);
  CHECK(all.size() == 4);
}

TEST_CASE("a hash pool goes by any expression") {
  auto engine = EngineOf(
      PolicyWith(R"(, "strategy": "hash", "hash_key": "body.metadata.user", "load_bound": 200)"));
  const auto body = [](const std::string& user, const std::string& text) {
    return R"({"model":"gpt-4o","metadata":{"user":")" + user +
           R"("},"messages":[{"role":"user","content":")" + text + "\"}]}";
  };
  std::set<std::string> urls;
  for (int i = 0; i < 30; ++i) urls.insert(Where(*engine, At(i), body("kim", std::to_string(i))));
  CHECK(urls.size() == 1);
  // Without the key, anywhere.
  for (int i = 0; i < 30; ++i) urls.insert(Where(*engine, At(i)));
  CHECK(urls.size() == 4);
}

TEST_CASE("a session's cookie leads back to its backend, and tells nothing about it") {
  auto engine =
      EngineOf(PolicyWith(R"(, "session_affinity": {"key": "cookie:weir-session"})", kBreaker));
  std::string cookie;
  const std::string url = Where(*engine, At(0), Body(), "", "", &cookie);
  const std::string value = cookie.substr(0, cookie.find(';'));
  REQUIRE(value.substr(0, 13) == "weir-session=");
  CHECK(value.size() == 13 + 16);
  CHECK(cookie.find("HttpOnly") != std::string::npos);
  for (int i = 0; i < 10; ++i) {
    CHECK(Where(*engine, At(i), Body(), "cookie", "a=b; " + value + "; c", &cookie) == url);
    CHECK(cookie.empty());  // it has it
  }
  // What is no cookie of ours is as none.
  for (const char* bad :
       {"weir-session=", "weir-session=zz", "weir-session=0123456789abcdef", ";=;"}) {
    Where(*engine, At(1), Body(), "cookie", bad, &cookie);
    CHECK_FALSE(cookie.empty());
  }
}

TEST_CASE("a session by an expression is remembered for its time") {
  auto engine = EngineOf(
      PolicyWith(R"(, "session_affinity": {"key": "request.headers['x-thread']", "ttl": "60s"})"));
  std::map<std::string, std::string> first;
  for (int i = 0; i < 8; ++i) {
    const std::string thread = std::to_string(i);
    first[thread] = Where(*engine, At(0), Body(), "x-thread", thread);
  }
  for (const auto& [thread, url] : first) {
    CHECK(Where(*engine, At(59000), Body(), "x-thread", thread) == url);
    CHECK(Where(*engine, At(110000), Body(), "x-thread", thread) == url);
  }
  Where(*engine, At(200000));  // the turns go on by one
  int moved = 0;
  for (const auto& [thread, url] : first) {
    if (Where(*engine, At(200000), Body(), "x-thread", thread) != url) ++moved;
  }
  CHECK(moved > 0);
}

TEST_CASE("what refers to an earlier answer goes to the backend that gave it") {
  auto engine = EngineOf(
      PolicyWith(R"(, "session_affinity": {"key": "body.previous_response_id", "learn_ids": true})",
                 "", "/v1/responses"));
  const auto ask = [&](const std::string& previous, const std::string& id, bool stream) {
    const std::string body =
        R"({"model":"gpt-4o","input":"x")" + std::string(stream ? R"(,"stream":true)" : "") +
        (previous.empty() ? "" : R"(,"previous_response_id":")" + previous + "\"") + "}";
    auto txn = Ask(*engine, "", body, "/v1/responses");
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    std::string url(txn->url());
    Answer(*txn, 200, stream ? "text/event-stream" : "application/json");
    Decide(*txn, At(0));
    const std::string answer = stream ? "event: response.created\ndata: "
                                        "{\"type\":\"response.created\",\"response\":{\"id\" : \"" +
                                            id + "\",\"status\":\"in_progress\"}}\n\n"
                                      : R"({"id": ")" + id + R"(", "output": [{"id": "msg_1"}]})";
    for (char c : answer) {
      REQUIRE(txn->ResponseBody(std::string_view(&c, 1)).ok());
      Decide(*txn, At(0));
    }
    return url;
  };
  for (int i = 0; i < 12; ++i) {
    const std::string id = "resp_" + std::to_string(i);
    const std::string url = ask("", id, i % 2 == 0);
    ask("", "resp_x", false);
    CHECK(ask(id, id + "b", false) == url);
    CHECK(ask(id + "b", id + "c", true) == url);
  }
}

TEST_CASE("a model's circuit is its own, unless the backend has one model") {
  const std::string mini = R"({"model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}]})";
  for (const bool one_model : {false, true}) {
    auto engine =
        EngineOf(R"({"weir": 1, "backends": {"a": {"url": "http://a.test", "dialect": "openai")" +
                 std::string(one_model ? R"(, "model": "gpt-4o")" : "") + kBreaker +
                 R"(}}, "pools": {"p": {"members": [{"backend": "a"}]}}, "routes": [{"name": "r",
            "pool": "p", "auth": "none", "match": {"path": "/v1/chat/completions"}}]})");
    auto txn = Ask(*engine, "");
    Decide(*txn, At(0));
    Fail(*txn, At(0), 429, "5");
    CHECK(Decide(*Ask(*engine, ""), At(1)).status == 503);
    CHECK((Decide(*Ask(*engine, "", mini), At(1)).kind == ActionKind::kForward) == !one_model);
    CHECK(engine->StatusJson(At(1)).find("\"breaker\":\"open\"") != std::string::npos);
    CHECK(engine->ChangesJson(0).find("\"event\":\"tripped\"") != std::string::npos);
    CHECK(engine->ChangesJson(1) == R"({"last":1,"lost":0,"changes":[]})");
    // Names that clients make up share a circuit: no table is filled by them.
    for (int i = 0; i < 3000; ++i) {
      const std::string made_up = R"({"model":"made-up-)" + std::to_string(i) +
                                  R"(","messages":[{"role":"user","content":"x"}]})";
      Decide(*Ask(*engine, "", made_up), At(2));
    }
    CHECK(Decide(*Ask(*engine, ""), At(4999)).status == 503);
    CHECK(Decide(*Ask(*engine, ""), At(5000)).kind == ActionKind::kForward);
  }
}

TEST_CASE("a backend that says it has no more rests until it has") {
  const std::string used = R"(, "capacity": {"utilization_max": 95})";
  struct Row {
    std::vector<std::pair<std::string, std::string>> headers;
    int64_t rest_ms;
  };
  const Row rows[] = {
      {{{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "7s"}}, 7000},
      {{{"x-ratelimit-remaining-requests", "3"}, {"x-ratelimit-reset-requests", "7s"}}, 0},
      {{{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "1m0s"}}, 60000},
      // 10 tokens of 1,000 come back in a hundredth of the time.
      {{{"x-ratelimit-remaining-tokens", "0"},
        {"x-ratelimit-limit-tokens", "1000"},
        {"x-ratelimit-reset-tokens", "1m0s"}},
       600},
      {{{"x-ratelimit-remaining-tokens", "10"}, {"x-ratelimit-reset-tokens", "1m0s"}}, 0},
      {{{"azure-openai-deployment-utilization", "94.9%"}}, 0},
      {{{"azure-openai-deployment-utilization", "95.0%"}}, 1000},
      {{{"azure-openai-deployment-utilization", "lots"}}, 0},
      {{{"x-ratelimit-remaining-tokens", "-1"}, {"x-ratelimit-reset-tokens", "6m0s"}}, 0},
  };
  for (const Row& row : rows) {
    auto engine = EngineOf(PolicyWith("", used));
    auto txn = Ask(*engine, "");
    Decide(*txn, At(0));
    const std::string url(txn->url());
    Answer(*txn, 200);
    for (const auto& [name, value] : row.headers) REQUIRE(txn->ResponseHeader(name, value).ok());
    Decide(*txn, At(0));
    INFO(row.headers.front().first << ' ' << row.headers.front().second);
    std::set<std::string> before;
    std::set<std::string> after;
    for (int i = 0; i < 8; ++i)
      before.insert(Where(*engine, At(std::max<int64_t>(row.rest_ms, 1) - 1)));
    for (int i = 0; i < 8; ++i) after.insert(Where(*engine, At(row.rest_ms)));
    CHECK(before.count(url) == (row.rest_ms == 0 ? 1 : 0));
    CHECK(after.count(url) == 1);
  }
}

TEST_CASE("each strategy that a policy names is carried out") {
  for (const std::string strategy :
       {"weighted", "round_robin", "least_busy", "least_latency", "p2c"}) {
    auto engine = EngineOf(PolicyWith(R"(, "strategy": ")" + strategy + "\""));
    // Held open, the requests spread.
    std::vector<std::unique_ptr<Transaction>> open;
    std::map<std::string, int> count;
    for (int i = 0; i < 40; ++i) {
      open.push_back(Ask(*engine, ""));
      REQUIRE(Decide(*open.back(), At(i)).kind == ActionKind::kForward);
      ++count[std::string(open.back()->url())];
    }
    INFO(strategy);
    CHECK(count.size() == 4);
    for (const auto& [url, n] : count) CHECK(n >= 4);
    CHECK(engine->StatusJson(At(50)).find("\"in_flight\":0") == std::string::npos);
    open.clear();
    CHECK(engine->StatusJson(At(50)).find("\"in_flight\":1") == std::string::npos);
  }
}

}  // namespace
}  // namespace weir::engine::testing
