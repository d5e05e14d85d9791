// The boundary's own cost: the same work through weir.h in the shared library and through the C++
// API in this program, in one run.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

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
