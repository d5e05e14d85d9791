// The whole transaction: identify, read, count, limit, pick, rewrite, settle, meter.
//
// Workloads: a chat of 1 KiB (and 16 KiB) of English prose under gpt-4o, one limit of tokens and
// one of requests, two backends; answered with JSON, or with a stream of 50 events. Neighbours in
// the same run: counting the same prompt alone, and what any gateway pays at least, a RapidJSON DOM
// of the same body.

#include <benchmark/benchmark.h>
#include <rapidjson/document.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/allocations.h"
#include "weir/auth.h"
#include "weir/engine.h"
#include "weir/tokens.h"

namespace weir::engine {
namespace {

std::string Prose(size_t bytes) {
  const std::string sentence =
      "The gate lets through what the stream below can carry, and keeps back the rest until the "
      "level falls again; who waits is told how long. ";
  std::string text;
  while (text.size() < bytes) text += sentence;
  text.resize(bytes);
  return text;
}

std::string Body(size_t prompt_bytes, bool stream) {
  return std::string(R"({"model":"gpt-4o","temperature":0.2,)") +
         (stream ? R"("stream":true,)" : "") +
         R"("messages":[{"role":"system","content":"Answer briefly."},{"role":"user","content":")" +
         Prose(prompt_bytes) + R"("}]})";
}

std::unique_ptr<Engine> MakeEngine() {
  const std::string hash = auth::HashKey("weir virtual key", "vk-bench");
  const std::string text = R"({"weir": 1,
    "consumers": {"bench": {"keys": [")" +
                           hash + R"("], "attributes": {"team": "warm"}}},
    "backends": {"a": {"url": "http://a.test", "dialect": "openai",
        "circuit_breaker": [{"on": {"status": ["429"], "count": 1}, "trip": "30s"}]},
      "b": {"url": "http://b.test", "dialect": "openai"}},
    "pools": {"p": {"members": [{"backend": "a", "weight": 3}, {"backend": "b"}]}},
    "limits": {"tokens": {"key": "consumer.id", "amount": 9000000000000000, "per": "60s"},
               "requests": {"key": "consumer.team", "unit": "requests", "amount": 9000000000000000,
                            "per": "60s"}},
    "meters": {"m": {"dimensions": {"team": "consumer.team"}}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                "limits": ["tokens", "requests"], "meter": "m"}]})";
  std::vector<policy::Fault> faults;
  auto policy = policy::Policy::Parse(text, &faults);
  if (policy == nullptr) std::abort();
  return *Engine::Create(policy, {});
}

void Must(bool condition) {
  if (!condition) std::abort();
}

void Request(Transaction& txn, const std::string& body, Now now) {
  Must(txn.RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  Must(txn.RequestHeader("authorization", "Bearer vk-bench").ok());
  Must(txn.RequestHeader("content-type", "application/json").ok());
  Must(txn.RequestHeader("user-agent", "OpenAI/JS 6.49.0").ok());
  Must(txn.RequestBody(body).ok() && txn.RequestEnd().ok());
  Must(txn.Next(now)->kind == ActionKind::kForward);
}

void Transact(benchmark::State& state, bool stream) {
  auto engine = MakeEngine();
  const std::string body = Body(static_cast<size_t>(state.range(0)), stream);
  const std::string answer =
      R"({"id":"x","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":)"
      R"("All is well."},"finish_reason":"stop"}],"usage":{"prompt_tokens":250,)"
      R"("completion_tokens":5,"total_tokens":255}})";
  const std::string event =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" well\"}}]}\n\n";
  const std::string last =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":250,\"completion_tokens\":50}}\n\n"
      "data: [DONE]\n\n";
  Now now{kSecond, kSecond};
  const uint64_t before = testing::AllocationsOfThisThread();
  for (auto _ : state) {
    now.mono_ns += kMicrosecond;
    auto txn = engine->Begin();
    Request(*txn, body, now);
    Must(txn->ResponseHead(200).ok());
    Must(txn->ResponseHeader("content-type", stream ? "text/event-stream" : "application/json")
             .ok());
    Must(txn->Next(now).ok());
    for (int i = 0; stream && i < 50; ++i) {
      Must(txn->ResponseBody(event).ok());
      Must(txn->Next(now).ok());
    }
    Must(txn->ResponseBody(stream ? last : answer).ok() && txn->ResponseEnd().ok());
    Must(txn->Next(now)->kind == ActionKind::kDone);
  }
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(testing::AllocationsOfThisThread() - before),
                         benchmark::Counter::kAvgIterations);
}

void BM_Transaction_Json(benchmark::State& state) { Transact(state, false); }
void BM_Transaction_Stream50(benchmark::State& state) { Transact(state, true); }
BENCHMARK(BM_Transaction_Json)->Arg(1024)->Arg(16384);
BENCHMARK(BM_Transaction_Stream50)->Arg(1024);

void BM_Admission_Only(benchmark::State& state) {
  auto engine = MakeEngine();
  const std::string body = Body(static_cast<size_t>(state.range(0)), false);
  Now now{kSecond, kSecond};
  for (auto _ : state) {
    now.mono_ns += kMicrosecond;
    auto txn = engine->Begin();
    Request(*txn, body, now);
  }
}
BENCHMARK(BM_Admission_Only)->Arg(1024);

constexpr int kKnown = 1000;

std::unique_ptr<Engine> CachingEngine() {
  std::vector<policy::Fault> faults;
  auto policy = policy::Policy::Parse(R"({"weir": 1,
    "backends": {"a": {"url": "http://a.test", "dialect": "openai"}},
    "pools": {"p": {"members": [{"backend": "a"}]}},
    "caches": {"faq": {"embedding": "lexical", "min_similarity": 0.6, "partition": ["route"]}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                "auth": "none", "cache": "faq"}]})",
                                      &faults);
  if (policy == nullptr) std::abort();
  return *Engine::Create(policy, {});
}

// One of kKnown questions of 60 bytes; things are named so that no two are near each other.
std::string Question(int number, const char* begin, const char* end) {
  std::string things;
  for (uint32_t bits = static_cast<uint32_t>(number) * 2654435761U, i = 0; i < 8; ++i, bits >>= 4) {
    things += "bdfgklmnprstvzhj"[bits & 15];
    things += "aeiou"[(bits + i) % 5];
    if (i % 3 == 2) things += ' ';
  }
  return std::string(R"({"model":"gpt-4o","messages":[{"role":"user","content":")") + begin +
         " polish the " + things + end + R"("}]})";
}

std::unique_ptr<Transaction> Asked(Engine& engine, const std::string& body) {
  auto txn = engine.Begin();
  Must(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  Must(txn->RequestHeader("content-type", "application/json").ok());
  Must(txn->RequestBody(body).ok() && txn->RequestEnd().ok());
  return txn;
}

void Fill(Engine& engine, Now now) {
  const std::string answer =
      R"({"id":"x","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":)"
      R"("All is well."},"finish_reason":"stop"}],"usage":{"prompt_tokens":25,)"
      R"("completion_tokens":5,"total_tokens":30}})";
  for (int i = 0; i < kKnown; ++i) {
    auto txn = Asked(engine, Question(i, "How do I", "?"));
    Must(txn->Next(now)->kind == ActionKind::kForward && txn->ResponseHead(200).ok());
    Must(txn->ResponseHeader("content-type", "application/json").ok() && txn->Next(now).ok());
    Must(txn->ResponseBody(answer).ok() && txn->ResponseEnd().ok());
    Must(txn->Next(now)->kind == ActionKind::kDone);
  }
}

// From the request's head to the reply that a host sends.
void AskKnown(benchmark::State& state, const char* begin, const char* end) {
  auto engine = CachingEngine();
  Now now{kSecond, kSecond};
  Fill(*engine, now);
  std::vector<std::string> bodies;
  for (int i = 0; i < kKnown; ++i) bodies.push_back(Question(i, begin, end));
  size_t asked = 0, known = 0;
  for (auto _ : state) {
    now.mono_ns += kMicrosecond;
    auto txn = Asked(*engine, bodies[asked++ % kKnown]);
    known += txn->Next(now)->kind == ActionKind::kReply ? 1 : 0;
    benchmark::DoNotOptimize(txn->body());
  }
  state.counters["hit_share"] = static_cast<double>(known) / static_cast<double>(asked);
}

void BM_CacheHit_Exact(benchmark::State& state) { AskKnown(state, "How do I", "?"); }
void BM_CacheHit_Semantic(benchmark::State& state) { AskKnown(state, "How can I", ""); }
void BM_CacheMiss(benchmark::State& state) { AskKnown(state, "Why should anybody not", " twice?"); }
BENCHMARK(BM_CacheHit_Exact);
BENCHMARK(BM_CacheHit_Semantic);
BENCHMARK(BM_CacheMiss);

void BM_Neighbour_CountPromptAlone(benchmark::State& state) {
  const tokens::Tokenizer* tokenizer = tokens::Find("o200k_base");
  const std::string text = Prose(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->Count(text));
}
BENCHMARK(BM_Neighbour_CountPromptAlone)->Arg(1024)->Arg(16384);

void BM_Neighbour_RapidJsonDom(benchmark::State& state) {
  const std::string body = Body(static_cast<size_t>(state.range(0)), false);
  for (auto _ : state) {
    rapidjson::Document document;
    document.Parse(body.data(), body.size());
    benchmark::DoNotOptimize(document.HasParseError());
  }
}
BENCHMARK(BM_Neighbour_RapidJsonDom)->Arg(1024)->Arg(16384);

}  // namespace
}  // namespace weir::engine
