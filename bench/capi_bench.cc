// The boundary's own cost: the same work through weir.h in the shared library and through the C++
// API in this program, in one run; and a whole transaction as a host in C has it. The bindings'
// programs (go, lua, python) time the like.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "tests/support/allocations.h"
#include "weir.h"
#include "weir/tokens.h"

namespace {

const std::string& Text() {
  static const std::string* const kText =
      new std::string("The gate lets through what the stream below can carry.");
  return *kText;
}

void BM_Boundary_VersionNumber(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(weir_version_number());
}
BENCHMARK(BM_Boundary_VersionNumber);

// A view: a null check and two stores across the library boundary.
void BM_Boundary_View(benchmark::State& state) {
  const std::string policy_text = R"({"weir": 1, "backends": {"a": {"url": "http://a.test",
    "dialect": "openai"}}, "pools": {"p": {"members": [{"backend": "a"}]}},
    "routes": [{"name": "r", "match": {"path": "/x"}, "pool": "p", "auth": "none"}]})";
  weir_policy* policy = nullptr;
  weir_engine* engine = nullptr;
  weir_txn* txn = nullptr;
  if (weir_policy_parse(policy_text.data(), policy_text.size(), &policy, nullptr) != WEIR_OK ||
      weir_engine_new(policy, nullptr, &engine, nullptr) != WEIR_OK ||
      weir_txn_new(engine, &txn, nullptr) != WEIR_OK) {
    std::abort();
  }
  const char* body = nullptr;
  size_t size = 0;
  for (auto _ : state) benchmark::DoNotOptimize(weir_txn_body(txn, &body, &size));
  weir_txn_free(txn);
  weir_engine_free(engine);
  weir_policy_free(policy);
}
BENCHMARK(BM_Boundary_View);

// Count, three limits, a pool of two, settle: a chat of 1 KiB answered with JSON.
constexpr char kPolicy[] = R"({"weir": 1,
  "backends": {"east": {"url": "http://east.test", "dialect": "openai"},
               "west": {"url": "http://west.test", "dialect": "openai"}},
  "pools": {"chat": {"members": [{"backend": "east"}, {"backend": "west"}]}},
  "limits": {
    "tokens": {"key": "client.ip", "unit": "tokens", "amount": 1000000000000, "per": "1m"},
    "requests": {"key": "client.ip", "unit": "requests", "amount": 1000000000000, "per": "1m"},
    "month": {"key": "client.ip", "unit": "tokens", "amount": 1000000000000000, "per": "month"}},
  "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
              "auth": "none", "limits": ["tokens", "requests", "month"]}]})";
constexpr char kAnswer[] =
    R"({"id":"c1","object":"chat.completion","created":1767225600,"model":"gpt-4o","choices":[)"
    R"({"index":0,"message":{"role":"assistant","content":"The gate lets through what the stream )"
    R"(below can carry."},"finish_reason":"stop"}],"usage":{"prompt_tokens":210,)"
    R"("completion_tokens":11,"total_tokens":221}})";

class Host {
 public:
  Host() {
    weir_policy* policy = nullptr;
    Must(weir_policy_parse(kPolicy, sizeof(kPolicy) - 1, &policy, nullptr));
    Must(weir_engine_new(policy, nullptr, &engine_, nullptr));
    weir_policy_free(policy);
    std::string prompt;
    while (prompt.size() < 1024) prompt += Text() + " ";
    prompt.resize(1024);
    body_ = R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + prompt + R"("}]})";
  }
  ~Host() { weir_engine_free(engine_); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void Transact() {
    now_.mono_ns += 1000;
    Must(weir_txn_new(engine_, &txn_, nullptr));
    Must(weir_txn_request_head(txn_, "POST", 4, "/v1/chat/completions", 20, "192.0.2.1", 9,
                               nullptr));
    Must(weir_txn_request_header(txn_, "content-type", 12, "application/json", 16, nullptr));
    Must(weir_txn_request_body(txn_, body_.data(), body_.size(), nullptr));
    Must(weir_txn_request_end(txn_, nullptr));
    Next(WEIR_ACTION_FORWARD);
    Must(weir_txn_response_head(txn_, 200, nullptr));
    Must(weir_txn_response_header(txn_, "content-type", 12, "application/json", 16, nullptr));
    Next(WEIR_ACTION_CONTINUE);
    Must(weir_txn_response_body(txn_, kAnswer, sizeof(kAnswer) - 1, nullptr));
    Must(weir_txn_response_end(txn_, nullptr));
    Next(WEIR_ACTION_DONE);
    weir_txn_free(txn_);
  }

 private:
  static void Must(weir_status status) {
    if (status != WEIR_OK) std::abort();
  }
  // What a host reads of an action is read.
  void Next(int32_t wanted) {
    weir_action action = {};
    action.size = sizeof(action);
    Must(weir_txn_next(txn_, &now_, &action, nullptr));
    if (action.kind != wanted) std::abort();
    const char *name = nullptr, *value = nullptr;
    size_t name_size = 0, value_size = 0;
    int32_t operation = 0;
    for (uint32_t i = 0; i < action.header_count; ++i) {
      Must(weir_txn_header(txn_, i, &operation, &name, &name_size, &value, &value_size));
    }
    if (wanted != WEIR_ACTION_FORWARD) return;
    Must(weir_txn_url(txn_, &name, &name_size));
    Must(weir_txn_target(txn_, &name, &name_size));
    Must(weir_txn_body(txn_, &name, &name_size));
  }

  weir_engine* engine_ = nullptr;
  weir_txn* txn_ = nullptr;
  weir_now now_ = {1'000'000'000, 1'767'225'600'000'000'000};
  std::string body_;
};

void BM_Transaction_ThroughC(benchmark::State& state) {
  Host host;
  const uint64_t before = weir::testing::AllocationsOfThisThread();
  for (auto _ : state) host.Transact();
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(weir::testing::AllocationsOfThisThread() - before),
                         benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Transaction_ThroughC);

void BM_Count_ThroughC(benchmark::State& state) {
  const weir_tokenizer* tokenizer = nullptr;
  if (weir_tokenizer_find("o200k_base", 10, &tokenizer, nullptr) != WEIR_OK) std::abort();
  uint64_t count = 0;
  for (auto _ : state) {
    weir_tokenizer_count(tokenizer, Text().data(), Text().size(), &count, nullptr);
    benchmark::DoNotOptimize(count);
  }
}
BENCHMARK(BM_Count_ThroughC);

void BM_Count_ThroughCpp(benchmark::State& state) {
  const weir::tokens::Tokenizer* tokenizer = weir::tokens::Find("o200k_base");
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->Count(Text()));
}
BENCHMARK(BM_Count_ThroughCpp);

}  // namespace
