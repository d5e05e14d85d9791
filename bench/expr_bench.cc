// Evaluating the common forms of keys and conditions.
//
// The neighbour is the same rule written by hand in C++ over the same request, returning a
// std::string as such code does.

#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/expr.h"

namespace weir::expr {
namespace {

struct Request {
  std::string team = "team-research-west";
  std::string model = "large-model-2026-01";
  std::vector<std::pair<std::string, std::string>> headers = {
      {"host", "gateway"}, {"content-type", "application/json"}, {"x-app", "notebook-service"}};
  int64_t prompt = 1200;

  const std::string* Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return &value;
    }
    return nullptr;
  }
};

enum NameIndex : uint32_t { kConsumer, kModel, kHeaders, kUsage };

std::vector<Name> Schema() {
  using Kind = Name::Kind;
  return {{"consumer", Kind::kFixedMap, Type::kString, {"id", "team"}},
          {"model", Kind::kScalar, Type::kString},
          {"request.headers", Kind::kOpenMap, Type::kString},
          {"usage", Kind::kFixedMap, Type::kInt, {"prompt", "completion"}}};
}

class RequestEnvironment final : public Environment {
 public:
  explicit RequestEnvironment(const Request& request) : request_(request) {}
  Value Lookup(uint32_t name, std::string_view member) const override {
    switch (name) {
      case kConsumer:
        return member == "team" ? Value::String(request_.team) : Value::Null();
      case kModel:
        return Value::String(request_.model);
      case kUsage:
        return member == "prompt" ? Value::Int(request_.prompt) : Value::Null();
      default: {
        const std::string* header = request_.Header(member);
        return header == nullptr ? Value::Null() : Value::String(*header);
      }
    }
  }

 private:
  const Request& request_;
};

void Evaluate(benchmark::State& state, std::string_view source) {
  const Request request;
  const RequestEnvironment environment(request);
  const auto program = Program::Compile(source, Schema());
  if (!program.ok()) return state.SkipWithError("does not compile");
  std::string scratch;
  for (auto _ : state) {
    auto text = (*program)->EvalString(environment, &scratch);
    benchmark::DoNotOptimize(text);
  }
}

template <typename Rule>
void ByHand(benchmark::State& state, Rule rule) {
  Request request;
  for (auto _ : state) {
    benchmark::DoNotOptimize(request);
    std::string text = rule(request);
    benchmark::DoNotOptimize(text);
  }
}

constexpr std::string_view kMember = "consumer.team";
constexpr std::string_view kConcat = "consumer.team + '/' + model";
constexpr std::string_view kConditional =
    "usage.prompt > 1000 && request.headers['x-app'] != null ? request.headers['x-app'] : model";

void BM_Member(benchmark::State& state) { Evaluate(state, kMember); }
BENCHMARK(BM_Member);
void BM_NeighbourByHandMember(benchmark::State& state) {
  ByHand(state, [](const Request& request) { return request.team; });
}
BENCHMARK(BM_NeighbourByHandMember);

void BM_ConcatThree(benchmark::State& state) { Evaluate(state, kConcat); }
BENCHMARK(BM_ConcatThree);
void BM_NeighbourByHandConcatThree(benchmark::State& state) {
  ByHand(state, [](const Request& request) { return request.team + '/' + request.model; });
}
BENCHMARK(BM_NeighbourByHandConcatThree);

void BM_ConditionalOverHeader(benchmark::State& state) { Evaluate(state, kConditional); }
BENCHMARK(BM_ConditionalOverHeader);
void BM_NeighbourByHandConditionalOverHeader(benchmark::State& state) {
  ByHand(state, [](const Request& request) {
    const std::string* app = request.Header("x-app");
    return request.prompt > 1000 && app != nullptr ? *app : request.model;
  });
}
BENCHMARK(BM_NeighbourByHandConditionalOverHeader);

void BM_Compile(benchmark::State& state) {
  const std::vector<Name> schema = Schema();
  for (auto _ : state) benchmark::DoNotOptimize(Program::Compile(kConditional, schema));
}
BENCHMARK(BM_Compile);

}  // namespace
}  // namespace weir::expr
