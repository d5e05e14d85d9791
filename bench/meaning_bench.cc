// Guards and the lexical embedder.
//
// The neighbours: of a comparison, the plainest check there is, the two texts' numbers picked out
// and compared when asked; of an embedding, hashing the words of the text into the vector alone.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "weir/meaning.h"

namespace weir::meaning {
namespace {

constexpr std::string_view kQuestion =
    "How do I transfer 1,500 dollars from my savings account to Anna Meier before 5 March 2024?";
constexpr std::string_view kParaphrase =
    "What is the way to transfer $1500 from my savings to Anna Meier before March 5, 2024?";

std::string Prompt(size_t bytes) {
  static constexpr std::string_view kSentences[] = {
      "The service reads its settings from config.yaml and listens on port 8080. ",
      "Since last Tuesday requests that take longer than 30 seconds are cancelled. ",
      "We do not want to raise the limit, because the backend cannot be scaled before 1 May. ",
      "Ask Maria Schmidt in Hamburg whether `retry_after` is sent without a reason. "};
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) text += kSentences[i % 4];
  text.resize(bytes);
  return text;
}

std::vector<std::string> NumbersOf(std::string_view text) {
  std::vector<std::string> numbers;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    if (end > i) numbers.emplace_back(text.substr(i, end - i));
    i = end + 1;
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void BM_CompareQuestion(benchmark::State& state) {
  const Features a = Features::Of(kQuestion), b = Features::Of(kParaphrase);
  for (auto _ : state) benchmark::DoNotOptimize(Compare(a, b));
  state.counters["bytes"] = static_cast<double>(a.Serialize().size());
}
BENCHMARK(BM_CompareQuestion);

void BM_ParseAndCompareQuestion(benchmark::State& state) {
  const Features a = Features::Of(kQuestion);
  const std::string stored = Features::Of(kParaphrase).Serialize();
  for (auto _ : state) benchmark::DoNotOptimize(Compare(a, *FeaturesView::Parse(stored)));
}
BENCHMARK(BM_ParseAndCompareQuestion);

void BM_CompareQuestion_NumbersOnlyWhenAsked(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(NumbersOf(kQuestion) == NumbersOf(kParaphrase));
}
BENCHMARK(BM_CompareQuestion_NumbersOnlyWhenAsked);

void BM_ComparePrompt(benchmark::State& state) {
  const Features a = Features::Of(Prompt(static_cast<size_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(Compare(a, a));
  state.counters["bytes"] = static_cast<double>(a.Serialize().size());
}
BENCHMARK(BM_ComparePrompt)->Arg(1024)->Arg(65536);

void BM_FeaturesOf(benchmark::State& state) {
  const std::string text = Prompt(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Features::Of(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FeaturesOf)->Arg(90)->Arg(1024)->Arg(16384)->Arg(65536);

void BM_Embed(benchmark::State& state) {
  const std::string text = Prompt(static_cast<size_t>(state.range(0)));
  std::vector<float> vector(LexicalEmbedder::kDefaultDimension);
  for (auto _ : state) {
    benchmark::DoNotOptimize(LexicalEmbedder().Embed(text, absl::MakeSpan(vector)));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Embed)->Arg(90)->Arg(1024)->Arg(65536);

void BM_Embed_WordsOnly(benchmark::State& state) {
  const std::string text = Prompt(static_cast<size_t>(state.range(0)));
  std::vector<float> vector(LexicalEmbedder::kDefaultDimension);
  for (auto _ : state) {
    std::fill(vector.begin(), vector.end(), 0.0f);
    for (size_t i = 0; i < text.size();) {
      const size_t end = std::min(text.find(' ', i), text.size());
      vector[std::hash<std::string_view>()({text.data() + i, end - i}) % vector.size()] += 1;
      i = end + 1;
    }
    float norm = 0;
    for (const float v : vector) norm += v * v;
    for (float& v : vector) v /= std::sqrt(norm);
    benchmark::DoNotOptimize(vector.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Embed_WordsOnly)->Arg(90)->Arg(1024)->Arg(65536);

}  // namespace
}  // namespace weir::meaning
