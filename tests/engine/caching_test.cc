// The cache of answers, as clients, backends and embedders see it.

#include <string>
#include <vector>

#include "tests/engine/support.h"
#include "tests/support/processes.h"

namespace weir::engine::testing {
namespace {

struct CacheSetup {
  std::string cache = R"("embedding": "lexical", "min_similarity": 0.6,
                         "partition": ["consumer.id"])";
  std::string limit = R"("key": "consumer.id", "unit": "tokens", "amount": 100000, "per": "60s")";
  std::string more_backends = {};
  std::string fallback = {};
};

std::string CachePolicy(const CacheSetup& setup) {
  const std::string red = auth::HashKey("weir virtual key", "vk-red");
  const std::string blue = auth::HashKey("weir virtual key", "vk-blue");
  return R"({"weir": 1,
    "consumers": {"red": {"keys": [")" +
         red + R"("], "attributes": {"team": "warm"}}, "blue": {"keys": [")" + blue + R"("]}},
    "credentials": {"e": {"header": "api-key", "value": "embedder-secret"}},
    "backends": {"a": {"url": "http://a.test", "dialect": "openai"})" +
         setup.more_backends + R"(},
    "pools": {"p": {"members": [{"backend": "a"}])" +
         setup.fallback + R"(}},
    "limits": {"tokens": {)" +
         setup.limit + R"(}},
    "caches": {"faq": {)" +
         setup.cache + R"(}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                "limits": ["tokens"], "cache": "faq"}]})";
}

std::unique_ptr<Engine> CacheEngine(const CacheSetup& setup = {}, const Options& options = {}) {
  auto engine = Engine::Create(ParsePolicy(CachePolicy(setup)), options);
  INFO(engine.status().ToString());
  REQUIRE(engine.ok());
  return *std::move(engine);
}

std::string Asking(const std::string& text, const std::string& more = "") {
  return R"({"model":"gpt-4o")" + more + R"(,"messages":[{"role":"user","content":")" + text +
         R"("}]})";
}

std::string Answering(const std::string& text, const std::string& finish = "stop") {
  return R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06",
             "choices":[{"index":0,"message":{"role":"assistant","content":")" +
         text + R"("},"finish_reason":")" + finish +
         R"("}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}})";
}

std::string HeaderOf(const Transaction& txn, std::string_view name) {
  for (const HeaderEdit& edit : txn.headers()) {
    if (edit.name == name) return std::string(edit.value);
  }
  return {};
}

// The backend answers the request that was forwarded.
void Serve(Transaction& txn, const std::string& body, Now now,
           const std::string& cache_control = "") {
  REQUIRE(txn.ResponseHead(200).ok());
  REQUIRE(txn.ResponseHeader("content-type", "application/json").ok());
  if (!cache_control.empty()) REQUIRE(txn.ResponseHeader("cache-control", cache_control).ok());
  REQUIRE(Decide(txn, now).kind == ActionKind::kContinue);
  REQUIRE(txn.ResponseBody(body).ok());
  REQUIRE(txn.ResponseEnd().ok());
  REQUIRE(Decide(txn, now).kind == ActionKind::kDone);
}

struct Exchange {
  ActionKind kind = ActionKind::kContinue;
  std::string cache, body, explain;
};

// Asks; if it is not known, the backend answers with `answer`.
Exchange Try(Engine& engine, const std::string& key, const std::string& body,
             const std::string& answer, Now now, const std::string& cache_control = "") {
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  REQUIRE(txn->RequestHeader("Authorization", "Bearer " + key).ok());
  if (!cache_control.empty()) REQUIRE(txn->RequestHeader("Cache-Control", cache_control).ok());
  REQUIRE(txn->RequestBody(body).ok());
  REQUIRE(txn->RequestEnd().ok());
  Exchange exchange;
  exchange.kind = Decide(*txn, now).kind;
  if (exchange.kind == ActionKind::kReply) {
    exchange.body = std::string(txn->body());
    exchange.cache = HeaderOf(*txn, "x-weir-cache");
  } else {
    REQUIRE(exchange.kind == ActionKind::kForward);
    Serve(*txn, answer, now);
  }
  exchange.explain = txn->Explain();
  return exchange;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr char kReset[] = "How do I reset my password?";

TEST_CASE("what was answered once is not bought twice") {
  const auto engine = CacheEngine();
  const Exchange first = Try(*engine, "vk-red", Asking(kReset), Answering("Click."), At(0));
  CHECK(first.kind == ActionKind::kForward);
  CHECK(Has(first.explain, R"("kept":"kept")"));

  const Exchange again = Try(*engine, "vk-red", Asking(kReset), "", At(12'000));
  REQUIRE(again.kind == ActionKind::kReply);
  CHECK(again.cache == "hit; age=12");
  CHECK(Has(again.body, R"("content":"Click.")"));
  CHECK(Has(again.body, R"("cached_tokens":10)"));
  CHECK_FALSE(Has(again.body, "chatcmpl-1\""));

  const Exchange streamed =
      Try(*engine, "vk-red", Asking(kReset, R"(,"stream":true)"), "", At(12'000));
  REQUIRE(streamed.kind == ActionKind::kReply);
  CHECK(Has(streamed.body, "data: {"));
  CHECK(Has(streamed.body, "data: [DONE]"));

  const Exchange meant =
      Try(*engine, "vk-red", Asking("How can I reset my password?"), "", At(13'000));
  REQUIRE(meant.kind == ActionKind::kReply);
  CHECK(meant.cache.substr(0, 18) == "hit; similarity=0.");
  CHECK(Has(meant.explain, R"("result":"semantic_hit")"));
}

TEST_CASE("a stream's answer is kept like a whole one") {
  const auto engine = CacheEngine();
  auto txn = Ask(*engine, "vk-red", Asking(kReset, R"(,"stream":true)"));
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  testing::Answer(*txn, 200, "text/event-stream");
  REQUIRE(Decide(*txn, At(1)).kind == ActionKind::kContinue);
  const auto chunk = [](const std::string& delta, const std::string& finish) {
    return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":)"
           R"([{"index":0,"delta":)" +
           delta + R"(,"finish_reason":)" + finish + "}]}";
  };
  for (const std::string& event :
       {chunk(R"({"role":"assistant","content":"Cli"})", "null"),
        chunk(R"({"content":"ck."})", "null"), chunk("{}", R"("stop")"), std::string("[DONE]")}) {
    REQUIRE(txn->ResponseBody("data: " + event + "\n\n").ok());
    REQUIRE(Decide(*txn, At(2)).kind == ActionKind::kContinue);
  }
  REQUIRE(txn->ResponseEnd().ok());
  REQUIRE(Decide(*txn, At(3)).kind == ActionKind::kDone);
  INFO(txn->Explain());
  const Exchange again = Try(*engine, "vk-red", Asking(kReset), "", At(10));
  REQUIRE(again.kind == ActionKind::kReply);
  CHECK(Has(again.body, R"("content":"Click.")"));
}

TEST_CASE("a hit charges nothing, unless it is to") {
  CacheSetup setup;
  setup.limit = R"("key": "consumer.id", "unit": "requests", "amount": 2, "per": "60s")";
  const auto free = CacheEngine(setup);
  for (int i = 0; i < 5; ++i) Try(*free, "vk-red", Asking(kReset), Answering("Click."), At(i));
  CHECK(Try(*free, "vk-red", Asking("Another."), Answering("x"), At(9)).kind ==
        ActionKind::kForward);

  setup.cache += R"(, "charge_hits": true)";
  const auto charged = CacheEngine(setup);
  Try(*charged, "vk-red", Asking(kReset), Answering("Click."), At(0));
  Try(*charged, "vk-red", Asking(kReset), "", At(1));
  auto third = Ask(*charged, "vk-red", Asking(kReset));
  CHECK(Decide(*third, At(2)).status == 429);
}

TEST_CASE("opposites are refused by name, whatever the similarity") {
  const auto engine = CacheEngine();
  Try(*engine, "vk-red", Asking("How do I enable the beta API?"), Answering("On."), At(0));
  const Exchange opposite =
      Try(*engine, "vk-red", Asking("How do I disable the beta API?"), Answering("Off."), At(1));
  CHECK(opposite.kind == ActionKind::kForward);
  CHECK(Has(opposite.explain, R"("reason":"guard","guard":"opposites")"));

  CacheSetup unguarded;
  unguarded.cache += R"(, "guards": "none")";
  const auto careless = CacheEngine(unguarded);
  Try(*careless, "vk-red", Asking("How do I enable the beta API?"), Answering("On."), At(0));
  CHECK(Try(*careless, "vk-red", Asking("How do I disable the beta API?"), "", At(1)).kind ==
        ActionKind::kReply);
}

TEST_CASE("what a guard refuses gives way to the next best, and is no hit") {
  const auto engine = CacheEngine();
  Try(*engine, "vk-red", Asking("How do I enable the beta API?"), Answering("On."), At(0));
  // Of other words, so less near than the opposite is.
  Try(*engine, "vk-red", Asking("Please tell me how I disable the beta API"), Answering("Off."),
      At(1));
  const Exchange second =
      Try(*engine, "vk-red", Asking("How do I disable the beta API?"), "", At(2));
  REQUIRE(second.kind == ActionKind::kReply);
  CHECK(Has(second.body, "Off."));
  CHECK(Has(second.explain, R"("result":"semantic_hit")"));
  CHECK_FALSE(Has(second.explain, "guard"));
}

TEST_CASE("a running engine's answers are purged by entry, partition and model, and all") {
  const auto engine = CacheEngine();
  const auto fill = [&] {
    for (const char* key : {"vk-red", "vk-blue"}) {
      Try(*engine, key, Asking(kReset), Answering("Click."), At(0));
      Try(*engine, key, Asking("Where is the library?"), Answering("There."), At(0));
    }
  };
  const auto hits = [&](const char* key) {
    int found = 0;
    for (const char* text : {kReset, "Where is the library?"}) {
      auto txn = Ask(*engine, key, Asking(text));
      found += Decide(*txn, At(1)).kind == ActionKind::kReply ? 1 : 0;
    }
    return found;
  };
  const auto purge = [&](Purge which, std::string_view what) {
    const auto count = engine->PurgeCache("faq", which, what);
    INFO(count.status().ToString());
    REQUIRE(count.ok());
    return *count;
  };
  fill();
  CHECK(purge(Purge::kPartition, "green") == 0);
  CHECK(purge(Purge::kPartition, "red") == 2);
  CHECK(hits("vk-red") == 0);
  CHECK(hits("vk-blue") == 2);
  fill();
  CHECK(purge(Purge::kModel, "another") == 0);
  CHECK(purge(Purge::kModel, "gpt-4o") == 4);
  CHECK(hits("vk-blue") == 0);
  fill();
  CHECK(purge(Purge::kAll, "") == 4);
  fill();
  const std::string told = Try(*engine, "vk-red", Asking(kReset), "", At(1)).explain;
  const size_t at = told.find(R"("entry":")");
  REQUIRE(at != std::string::npos);
  const std::string entry = told.substr(at + 9, told.find('"', at + 9) - at - 9);
  CHECK(purge(Purge::kEntry, entry) == 1);
  CHECK(purge(Purge::kEntry, entry) == 0);
  CHECK(hits("vk-red") == 1);
  CHECK(hits("vk-blue") == 2);

  const auto code = [&](std::string_view cache, Purge which, std::string_view what) {
    return engine->PurgeCache(cache, which, what).status().code();
  };
  CHECK(code("none", Purge::kAll, "") == absl::StatusCode::kNotFound);
  CHECK(code("faq", Purge::kAll, "red") == absl::StatusCode::kInvalidArgument);
  CHECK(code("faq", Purge::kPartition, "red\nblue") == absl::StatusCode::kInvalidArgument);
  CHECK(code("faq", Purge::kPartition, "") == absl::StatusCode::kInvalidArgument);
  CHECK(code("faq", Purge::kEntry, "x") == absl::StatusCode::kInvalidArgument);
  CHECK(code("faq", static_cast<Purge>(3), "1") == absl::StatusCode::kInvalidArgument);
  CHECK(hits("vk-blue") == 2);
}

TEST_CASE("nobody gets another tenant's answer") {
  const auto engine = CacheEngine();
  Try(*engine, "vk-red", Asking(kReset), Answering("Red's."), At(0));
  CHECK(Try(*engine, "vk-blue", Asking(kReset), Answering("Blue's."), At(1)).kind ==
        ActionKind::kForward);
  CHECK(Has(Try(*engine, "vk-blue", Asking(kReset), "", At(2)).body, "Blue's."));
  CHECK(Has(Try(*engine, "vk-red", Asking(kReset), "", At(2)).body, "Red's."));

  CacheSetup by_team;
  by_team.cache = R"("embedding": "lexical", "min_similarity": 0.6,
                     "partition": ["consumer.team"])";
  const auto teams = CacheEngine(by_team);
  const Exchange nobody = Try(*teams, "vk-blue", Asking(kReset), Answering("x"), At(0));
  CHECK(Has(nobody.explain, R"("result":"bypass","reason":"no_partition")"));
  CHECK(Try(*teams, "vk-blue", Asking(kReset), Answering("x"), At(1)).kind == ActionKind::kForward);
}

TEST_CASE("a request may only tighten") {
  const auto engine = CacheEngine();
  Try(*engine, "vk-red", Asking(kReset), Answering("Old."), At(0));
  CHECK(Try(*engine, "vk-red", Asking(kReset), Answering("x"), At(5'000), "max-age=4").kind ==
        ActionKind::kForward);
  CHECK(Has(Try(*engine, "vk-red", Asking(kReset), "", At(6'000), "max-age=4").body, R"("x")"));
  const Exchange anew =
      Try(*engine, "vk-red", Asking(kReset), Answering("New."), At(7'000), "no-cache");
  CHECK(anew.kind == ActionKind::kForward);
  CHECK(Has(anew.explain, R"("reason":"no_cache")"));
  CHECK_FALSE(Has(anew.explain, "similarity"));  // nothing was compared
  CHECK(Has(Try(*engine, "vk-red", Asking(kReset), "", At(8'000)).body, "New."));
  const Exchange unkept =
      Try(*engine, "vk-red", Asking("Anything new?"), Answering("No."), At(0), "no-store");
  CHECK(Has(unkept.explain, R"("result":"bypass","reason":"no_store")"));
  CHECK(Try(*engine, "vk-red", Asking("Anything new?"), Answering("No."), At(1)).kind ==
        ActionKind::kForward);
}

TEST_CASE("entries end when the policy says, or the answer") {
  CacheSetup setup;
  setup.cache += R"(, "ttl": "60s")";
  const auto engine = CacheEngine(setup);
  Try(*engine, "vk-red", Asking(kReset), Answering("Click."), At(0));
  CHECK(Try(*engine, "vk-red", Asking(kReset), "", At(59'000)).kind == ActionKind::kReply);
  CHECK(Try(*engine, "vk-red", Asking(kReset), Answering("x"), At(61'000)).kind ==
        ActionKind::kForward);

  auto shorter = Ask(*engine, "vk-blue", Asking(kReset));
  REQUIRE(Decide(*shorter, At(0)).kind == ActionKind::kForward);
  Serve(*shorter, Answering("Click."), At(0), "max-age=10");
  CHECK(Try(*engine, "vk-blue", Asking(kReset), "", At(9'000)).kind == ActionKind::kReply);
  auto never = Ask(*engine, "vk-blue", Asking(kReset));
  REQUIRE(Decide(*never, At(11'000)).kind == ActionKind::kForward);
  Serve(*never, Answering("Click."), At(11'000), "private, no-store");
  CHECK(Has(never->Explain(), R"("kept":"no_store")"));
}

TEST_CASE("only what is whole and ended well is kept") {
  const auto engine = CacheEngine();
  for (const char* finish : {"length", "content_filter", "tool_calls"}) {
    Try(*engine, "vk-red", Asking(kReset), Answering("Cl", finish), At(0));
  }
  auto failed = Ask(*engine, "vk-red", Asking(kReset));
  REQUIRE(Decide(*failed, At(1)).kind == ActionKind::kForward);
  REQUIRE(failed->ResponseHead(500).ok());
  REQUIRE(Decide(*failed, At(1)).kind == ActionKind::kContinue);
  REQUIRE(failed->ResponseBody(Answering("Error.")).ok());
  REQUIRE(failed->ResponseEnd().ok());
  REQUIRE(Decide(*failed, At(1)).kind == ActionKind::kDone);
  auto broken = Ask(*engine, "vk-red", Asking(kReset));
  REQUIRE(Decide(*broken, At(2)).kind == ActionKind::kForward);
  testing::Answer(*broken, 200);
  REQUIRE(Decide(*broken, At(2)).kind == ActionKind::kContinue);
  REQUIRE(broken->ResponseBody(Answering("Half.")).ok());
  REQUIRE(broken->ResponseFailed(Failure::kReset).ok());
  REQUIRE(Decide(*broken, At(2)).kind == ActionKind::kFinish);
  CHECK(Try(*engine, "vk-red", Asking(kReset), Answering("x"), At(3)).kind == ActionKind::kForward);
}

TEST_CASE("an answer of the model fallen back to is not the other's") {
  CacheSetup setup;
  setup.more_backends = R"(, "b": {"url": "http://b.test", "dialect": "openai"})";
  setup.fallback = R"(, "retry": {"attempts": 1, "on": ["5xx"]},
                      "fallback": [{"pool": "q", "model": "gpt-4o-mini"}]},
                      "q": {"members": [{"backend": "b"}])";
  const auto engine = CacheEngine(setup);
  auto txn = Ask(*engine, "vk-red", Asking(kReset));
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  REQUIRE(txn->ResponseHead(500).ok());
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  Serve(*txn, Answering("Mini's."), At(0));
  CHECK(Has(txn->Explain(), R"("kept":"other_model")"));
  CHECK(Try(*engine, "vk-red", Asking(kReset), Answering("x"), At(1)).kind == ActionKind::kForward);
}

TEST_CASE("identical requests in flight are bought once") {
  const auto engine = CacheEngine();
  auto leader = Ask(*engine, "vk-red", Asking(kReset));
  REQUIRE(Decide(*leader, At(0)).kind == ActionKind::kForward);
  auto follower = Ask(*engine, "vk-red", Asking(kReset));
  auto streaming = Ask(*engine, "vk-red", Asking(kReset, R"(,"stream":true)"));
  for (Transaction* txn : {follower.get(), streaming.get()}) {
    const Action wait = Decide(*txn, At(1));
    REQUIRE(wait.kind == ActionKind::kWait);
    CHECK(wait.deadline_mono_ns == At(6).mono_ns);
  }
  auto other = Ask(*engine, "vk-blue", Asking(kReset));
  CHECK(Decide(*other, At(1)).kind == ActionKind::kForward);
  CHECK(Decide(*follower, At(6)).kind == ActionKind::kWait);
  Serve(*leader, Answering("Click."), At(1'000));
  CHECK(Decide(*follower, At(1'100)).kind == ActionKind::kReply);
  CHECK(Decide(*streaming, At(1'100)).kind == ActionKind::kReply);
}

TEST_CASE("who follows a leader in vain goes by himself") {
  const auto engine = CacheEngine();
  auto leader = Ask(*engine, "vk-red", Asking(kReset));
  REQUIRE(Decide(*leader, At(0)).kind == ActionKind::kForward);
  std::vector<std::unique_ptr<Transaction>> followers;
  for (int i = 0; i < 3; ++i) {
    followers.push_back(Ask(*engine, "vk-red", Asking(kReset)));
    REQUIRE(Decide(*followers.back(), At(1)).kind == ActionKind::kWait);
  }
  SECTION("the client left") { leader.reset(); }
  SECTION("the answer could not be kept") { Serve(*leader, Answering("Cl", "length"), At(2)); }
  SECTION("it takes too long") {
    CHECK(Decide(*followers[0], At(9'999)).kind == ActionKind::kWait);
    for (auto& follower : followers) {
      CHECK(Decide(*follower, At(10'001)).kind == ActionKind::kForward);
    }
    return;
  }
  for (auto& follower : followers) CHECK(Decide(*follower, At(10)).kind == ActionKind::kForward);
}

CacheSetup ServiceSetup() {
  CacheSetup setup;
  setup.cache = R"("embedding": {"backend": "embed", "model": "small", "dimensions": 8},
                   "max_distance": 0.05, "partition": "shared")";
  setup.more_backends = R"(, "embed": {"url": "http://e.test/base", "dialect": "openai",
                                       "credential": "e"})";
  return setup;
}

constexpr char kVector[] =
    R"({"object":"list","data":[{"index":0,"embedding":[1,0.5,-2e-1,0,0,0,0,1e-50]}]})";

// Up to the forwarding of the request, its CALL answered with `body`.
std::unique_ptr<Transaction> Called(Engine& engine, const std::string& text, int status,
                                    const std::string& body, Now now) {
  auto txn = Ask(engine, "vk-red", Asking(text));
  const Action call = Decide(*txn, now);
  REQUIRE(call.kind == ActionKind::kCall);
  REQUIRE(txn->CallResult(call.call_id, status, body).ok());
  return txn;
}

TEST_CASE("an embeddings service is asked by a CALL") {
  const auto engine = CacheEngine(ServiceSetup());
  auto txn = Ask(*engine, "vk-red", Asking("First words"));
  const Action call = Decide(*txn, At(0));
  REQUIRE(call.kind == ActionKind::kCall);
  CHECK(call.deadline_mono_ns == At(300).mono_ns);
  CHECK(txn->url() == "http://e.test");
  CHECK(txn->target() == "/base/v1/embeddings");
  CHECK(txn->body() == R"({"model":"small","input":"First words","encoding_format":"float"})");
  CHECK(HeaderOf(*txn, "api-key") == "embedder-secret");
  CHECK_FALSE(txn->CallResult(call.call_id + 1, 200, kVector).ok());
  CHECK(Decide(*txn, At(1)).kind == ActionKind::kWait);
  REQUIRE(txn->CallResult(call.call_id, 200, kVector).ok());
  CHECK_FALSE(txn->CallResult(call.call_id, 200, kVector).ok());
  REQUIRE(Decide(*txn, At(20)).kind == ActionKind::kForward);
  Serve(*txn, Answering("Click."), At(30));

  auto meant = Called(*engine, "Quite other words", 200, kVector, At(40));
  const Action reply = Decide(*meant, At(41));
  INFO(meant->Explain());
  CHECK(reply.kind == ActionKind::kReply);
  // The very same needs no vector.
  CHECK(Try(*engine, "vk-red", Asking("First words"), "", At(50)).kind == ActionKind::kReply);
}

TEST_CASE("a dead, slow or wrong embedder costs its deadline, and then nothing") {
  const auto engine = CacheEngine(ServiceSetup());
  struct Case {
    int status;
    const char* body;
    const char* told;
  };
  for (const Case& one :
       {Case{0, "", "failed"}, Case{503, "down", "failed"}, Case{200, "<html>", "unreadable"},
        Case{200, R"({"data":[{"embedding":[1,2]}]})", "wrong_dimension"},
        Case{200, R"({"data":[{"embedding":[1,2,3,4,5,6,7,1e99]}]})", "unreadable"}}) {
    const auto fresh = CacheEngine(ServiceSetup());
    auto txn = Called(*fresh, "Some words", one.status, one.body, At(0));
    CHECK(Decide(*txn, At(1)).kind == ActionKind::kForward);
    INFO(txn->Explain());
    CHECK(Has(txn->Explain(), std::string(R"("embedding":")") + one.told + '"'));
  }
  for (int i = 0; i < 3; ++i) {
    auto slow = Ask(*engine, "vk-red", Asking("Slow " + std::to_string(i)));
    const Action call = Decide(*slow, At(i * 1'000));
    REQUIRE(call.kind == ActionKind::kCall);
    CHECK(Decide(*slow, At(i * 1'000 + 299)).kind == ActionKind::kWait);
    CHECK(Decide(*slow, At(i * 1'000 + 300)).kind == ActionKind::kForward);
    CHECK_FALSE(slow->CallResult(call.call_id, 200, kVector).ok());
    CHECK(Has(slow->Explain(), R"("embedding":"timeout")"));
  }
  auto rested = Ask(*engine, "vk-red", Asking("Not asked"));
  CHECK(Decide(*rested, At(3'000)).kind == ActionKind::kForward);
  CHECK(Has(rested->Explain(), R"("embedding":"resting")"));
  // What came without a vector is found by its key.
  Serve(*rested, Answering("Kept."), At(3'001));
  CHECK(Try(*engine, "vk-red", Asking("Not asked"), "", At(3'100)).kind == ActionKind::kReply);
  // A probe whose client leaves keeps nobody from the embedder.
  for (int i = 0; i < 2; ++i) {
    auto probe = Ask(*engine, "vk-red", Asking("Again"));
    CHECK(Decide(*probe, At(8'000)).kind == ActionKind::kCall);
  }
}

TEST_CASE("a host that embeds by itself gives the vector") {
  CacheSetup setup;
  setup.cache = R"("embedding": {"host": "minilm", "dimensions": 8, "deadline": "50ms"},
                   "min_similarity": 0.9, "partition": "shared")";
  const auto engine = CacheEngine(setup);
  const std::vector<float> vector = {1, 2, 3, 4, 5, 6, 7, 8};
  for (const bool known : {false, true}) {
    auto txn = Ask(*engine, "vk-red", Asking(known ? "Other words" : "First words"));
    const Action call = Decide(*txn, At(0));
    REQUIRE(call.kind == ActionKind::kCall);
    CHECK(txn->url().empty());
    CHECK(txn->target() == "minilm");
    CHECK(txn->body() == (known ? "Other words" : "First words"));
    CHECK(call.deadline_mono_ns == At(50).mono_ns);
    REQUIRE(txn->CallVector(call.call_id, vector).ok());
    REQUIRE(Decide(*txn, At(1)).kind == (known ? ActionKind::kReply : ActionKind::kForward));
    if (!known) Serve(*txn, Answering("Click."), At(2));
  }
}

TEST_CASE("a restart finds the cache warm") {
  const weir::testing::TempPath path;
  Options options;
  options.state_file = path.str();
  {
    const auto engine = CacheEngine({}, options);
    Try(*engine, "vk-red", Asking(kReset), Answering("Click."), At(0));
  }
  const auto engine = CacheEngine({}, options);
  CHECK(Try(*engine, "vk-red", Asking(kReset), "", At(1'000)).kind == ActionKind::kReply);
  CHECK(Try(*engine, "vk-red", Asking("How can I reset my password?"), "", At(1'000)).kind ==
        ActionKind::kReply);
}

}  // namespace
}  // namespace weir::engine::testing
