// Answers found by meaning that are not given at once: a verifier is asked, or they are tried.

#include <string>

#include "engine/answers_alike.h"
#include "engine/verifier_call.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

std::string Policy(const std::string& cache) {
  const std::string red = auth::HashKey("weir virtual key", "vk-red");
  return R"({"weir": 1,
    "consumers": {"red": {"keys": [")" +
         red + R"("]}},
    "credentials": {"j": {"header": "api-key", "value": "judge-secret"}},
    "backends": {"a": {"url": "http://a.test", "dialect": "openai"},
                 "judge": {"url": "http://judge.test/base", "dialect": "openai",
                           "credential": "j"}},
    "pools": {"p": {"members": [{"backend": "a"}]}},
    "caches": {"faq": {"embedding": "lexical", "min_similarity": 0.6, "partition": "shared", )" +
         cache + R"(}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                "cache": "faq"}]})";
}

std::unique_ptr<Engine> EngineOf(const std::string& cache) {
  auto engine = Engine::Create(ParsePolicy(Policy(cache)), {});
  INFO(engine.status().ToString());
  REQUIRE(engine.ok());
  return *std::move(engine);
}

std::unique_ptr<Transaction> Ask(Engine& engine, const std::string& text) {
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  REQUIRE(txn->RequestHeader("authorization", "Bearer vk-red").ok());
  REQUIRE(txn->RequestBody(R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + text +
                           R"("}]})")
              .ok());
  REQUIRE(txn->RequestEnd().ok());
  return txn;
}

std::string Answer(const std::string& text) {
  return R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o",
             "choices":[{"index":0,"message":{"role":"assistant","content":")" +
         text +
         R"("},"finish_reason":"stop"}],
             "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}})";
}

void Serve(Transaction& txn, const std::string& text, Now now, int status = 200) {
  REQUIRE(txn.ResponseHead(status).ok());
  REQUIRE(txn.ResponseHeader("content-type", "application/json").ok());
  REQUIRE(Decide(txn, now).kind == ActionKind::kContinue);
  REQUIRE(txn.ResponseBody(Answer(text)).ok());
  REQUIRE(txn.ResponseEnd().ok());
  REQUIRE(Decide(txn, now).kind == ActionKind::kDone);
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr char kFirst[] = "How do I reset my password?";
constexpr char kSecond[] = "How can I reset my password?";
constexpr char kJudge[] = R"("verifier": {"backend": "judge", "model": "small"})";

void Learn(Engine& engine, Now now) {
  auto txn = Ask(engine, kFirst);
  REQUIRE(Decide(*txn, now).kind == ActionKind::kForward);
  Serve(*txn, "Click.", now);
}

TEST_CASE("a verifier is asked before an answer found by meaning is given") {
  const auto engine = EngineOf(kJudge);
  Learn(*engine, At(0));
  auto txn = Ask(*engine, kSecond);
  const Action call = Decide(*txn, At(10));
  REQUIRE(call.kind == ActionKind::kCall);
  CHECK(call.deadline_mono_ns == At(1010).mono_ns);
  CHECK(txn->url() == "http://judge.test");
  CHECK(txn->target() == "/base/v1/chat/completions");
  const std::string body(txn->body());
  CHECK(Has(body, R"("model":"small")"));
  CHECK(Has(body, "How do I reset my password?"));
  CHECK(Has(body, "How can I reset my password?"));
  CHECK_FALSE(Has(body, "Click."));
  bool has_credential = false;
  for (const HeaderEdit& edit : txn->headers()) {
    if (edit.name == "api-key") has_credential = edit.value == "judge-secret";
  }
  CHECK(has_credential);
  CHECK_FALSE(txn->CallVector(call.call_id, {}).ok());
  CHECK(Decide(*txn, At(20)).kind == ActionKind::kWait);
  REQUIRE(txn->CallResult(call.call_id, 200, Answer("Yes.")).ok());
  CHECK_FALSE(txn->CallResult(call.call_id, 200, Answer("no")).ok());
  REQUIRE(Decide(*txn, At(30)).kind == ActionKind::kReply);
  CHECK(Has(std::string(txn->body()), "Click."));
  CHECK(Has(txn->Explain(), R"("verifier":"yes")"));
  CHECK(Has(engine->StatusJson(At(30)),
            R"("exact_hits":0,"semantic_hits":1,"misses":{"empty_partition":1})"));
  // The very same request needs none.
  CHECK(Decide(*Ask(*engine, kFirst), At(40)).kind == ActionKind::kReply);
}

TEST_CASE("whatever a verifier says but yes is a miss") {
  struct Case {
    int status;
    std::string body;
    const char* told;
  };
  const Case cases[] = {{200, Answer("No"), "no"},
                        {200, Answer("yes and no"), "no"},
                        {200, Answer(""), "no"},
                        {200, R"({"choices":[]})", "unreadable"},
                        {200, R"({"choices":[{"message":{"content":["yes"]}}]})", "unreadable"},
                        {200, "<html>", "unreadable"},
                        {500, Answer("yes"), "failed"},
                        {0, "", "failed"}};
  for (const Case& one : cases) {
    const auto engine = EngineOf(kJudge);
    Learn(*engine, At(0));
    auto txn = Ask(*engine, kSecond);
    const Action call = Decide(*txn, At(10));
    REQUIRE(call.kind == ActionKind::kCall);
    REQUIRE(txn->CallResult(call.call_id, one.status, one.body).ok());
    CHECK(Decide(*txn, At(20)).kind == ActionKind::kForward);
    INFO(txn->Explain());
    CHECK(Has(txn->Explain(), R"("reason":"verifier")"));
    CHECK(Has(txn->Explain(), std::string(R"("verifier":")") + one.told + '"'));
    // The first miss is that of the request whose answer was kept.
    CHECK(Has(engine->StatusJson(At(20)),
              R"("semantic_hits":0,"misses":{"empty_partition":1,"refused":1})"));
  }
}

TEST_CASE("a verifier that does not answer costs its deadline, and then nothing") {
  const auto engine = EngineOf(kJudge);
  Learn(*engine, At(0));
  for (int i = 0; i < 3; ++i) {
    auto txn = Ask(*engine, kSecond);
    REQUIRE(Decide(*txn, At(i * 1100)).kind == ActionKind::kCall);
    CHECK(Decide(*txn, At(i * 1100 + 999)).kind == ActionKind::kWait);
    CHECK(Decide(*txn, At(i * 1100 + 1000)).kind == ActionKind::kForward);
    CHECK(Has(txn->Explain(), R"("verifier":"timeout")"));
  }
  auto txn = Ask(*engine, kSecond);
  CHECK(Decide(*txn, At(3300)).kind == ActionKind::kForward);
  CHECK(Has(txn->Explain(), R"("verifier":"resting")"));
}

TEST_CASE("texts that a verifier reads cannot end their string") {
  const std::string body = VerifierBody("m", "a\"}] , \"second\":\"b", "c\n\\");
  CHECK(Has(body, R"(\\\"}] , \\\"second\\\":\\\"b)"));
  CHECK(ReadVerdict(Answer(" YES\\n")) == true);
  CHECK(ReadVerdict(Answer("Yes, but")) == false);
}

TEST_CASE("where an error rate is promised, hits are tried before they are given") {
  const auto engine = EngineOf(R"("max_error_rate": 0.05)");
  Learn(*engine, At(0));
  int given = 0;
  for (int i = 0; i < 900; ++i) {
    // Another wording each time, so that the exact key finds nothing.
    auto txn = Ask(*engine, std::string(kSecond) + std::string(static_cast<size_t>(i), ' '));
    const Now now = At(1000 + i);
    const Action action = Decide(*txn, now);
    if (action.kind == ActionKind::kReply) {
      ++given;
      continue;
    }
    REQUIRE(action.kind == ActionKind::kForward);
    CHECK((Has(txn->Explain(), R"("reason":"explored")") ||
           (i > 50 && Has(txn->Explain(), R"("reason":"verified")"))));
    Serve(*txn, "click", now);
    CHECK(Has(txn->Explain(), R"("trial":"right")"));
    if (i < 60) CHECK(given == 0);
  }
  CHECK(given > 200);
}

TEST_CASE("what was tried: right, wrong, or nothing to compare") {
  const auto engine = EngineOf(R"("verify_share": 1)");
  Learn(*engine, At(0));
  auto right = Ask(*engine, kSecond);
  REQUIRE(Decide(*right, At(1)).kind == ActionKind::kForward);
  CHECK(Has(right->Explain(), R"("reason":"verified")"));
  Serve(*right, "**Click**", At(2));
  CHECK(Has(right->Explain(), R"("trial":"right")"));
  CHECK(Has(right->Explain(), R"("kept":"kept")"));
  CHECK(Has(engine->StatusJson(At(2)),
            R"("semantic_hits":0,"misses":{"empty_partition":1,"refused":1})"));
  // It is found by its own key from now on.
  CHECK(Decide(*Ask(*engine, kSecond), At(3)).kind == ActionKind::kReply);

  auto wrong = Ask(*engine, "How could I reset my password?");
  REQUIRE(Decide(*wrong, At(4)).kind == ActionKind::kForward);
  Serve(*wrong, "Tap.", At(5));
  CHECK(Has(wrong->Explain(), R"("trial":"wrong")"));

  auto failed = Ask(*engine, "How should I reset my password?");
  REQUIRE(Decide(*failed, At(6)).kind == ActionKind::kForward);
  Serve(*failed, "Click.", At(7), 400);
  CHECK(Has(failed->Explain(), R"("trial":"lost")"));
  {
    auto left = Ask(*engine, "How would I reset my password?");
    REQUIRE(Decide(*left, At(8)).kind == ActionKind::kForward);
    left->ClientLeft(At(9));
    CHECK(Has(left->Explain(), R"("trial":"lost")"));
  }
  const std::string metrics = engine->MetricsText();
  CHECK(Has(metrics, R"(weir_cache_trials_total{cache="faq",outcome="right"} 1)"));
  CHECK(Has(metrics, R"(weir_cache_trials_total{cache="faq",outcome="wrong"} 1)"));
  CHECK(Has(metrics, R"(weir_cache_trials_total{cache="faq",outcome="lost"} 2)"));
}

bool Alike(const std::string& a, const std::string& b) {
  const auto answer = [](const std::string& text) {
    dialects::KeptAnswer kept;
    kept.choices.push_back({text, "stop", ""});
    return kept;
  };
  CHECK(AnswersAlike(answer(a), answer(b)) == AnswersAlike(answer(b), answer(a)));
  return AnswersAlike(answer(a), answer(b));
}

TEST_CASE("answers that say the same, and answers that do not") {
  CHECK(Alike("Paris.", "**paris**"));
  CHECK(Alike("It is\n42.", "it is 42"));
  CHECK_FALSE(Alike("Paris", "Lyon"));
  CHECK_FALSE(Alike("3.5", "35"));
  CHECK_FALSE(Alike("-5", "5"));
  CHECK_FALSE(Alike("yes", "no"));
  const std::string steps =
      "Open the settings, choose the tab called security, and press the button to reset it. You "
      "will be sent a link that is valid for 30 minutes.";
  CHECK(Alike(steps,
              "Open the settings, choose the security tab, and press the button to reset "
              "it. You will be sent a link which is valid for 30 minutes."));
  CHECK_FALSE(Alike(steps,
                    "Open the settings, choose the tab called security, and press the "
                    "button to reset it. You will be sent a link that is valid for 10 "
                    "minutes."));
  CHECK_FALSE(Alike(steps,
                    "Open the settings, choose the tab called security, and press the "
                    "button to reset it. You will not be sent a link that is valid for 30 "
                    "minutes."));
  CHECK_FALSE(Alike(steps, "Nobody knows: ask somebody at the help desk on the ground floor."));
  dialects::KeptAnswer none, one;
  one.choices.push_back({"a", "stop", ""});
  CHECK_FALSE(AnswersAlike(none, one));
}

}  // namespace
}  // namespace weir::engine::testing
