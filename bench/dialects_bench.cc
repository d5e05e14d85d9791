// Reading requests, answers and streams of OpenAI's dialect, beside RapidJSON building its own
// document of the same bytes (which finds no field, checks no type, refuses no repeated key).

#include <benchmark/benchmark.h>
#if defined(__SSE2__)
#define RAPIDJSON_SSE2 1
#endif
#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

// A conversation of about `size` bytes: turns of some 600 bytes and a tool.
std::string RequestBody(size_t size) {
  std::string body =
      R"({"model":"gpt-4o","stream":true,"temperature":0.7,"max_tokens":800,"tools":[{"type":)"
      R"("function","function":{"name":"look_up","parameters":{"type":"object","properties":)"
      R"({"query":{"type":"string"}}}}}],"messages":[{"role":"system","content":"Be brief."})";
  std::string turn;
  while (turn.size() < 560) turn += "A sentence that somebody wrote, with a \\\"quote\\\".\\n";
  while (body.size() + turn.size() + 40 < size) {
    body.append(R"(,{"role":"user","content":")").append(turn).append("\"}");
  }
  const size_t missing = size - std::min(size, body.size() + 40);
  return body + R"(,{"role":"user","content":")" + std::string(missing, 'x') + "\"}]}";
}

std::vector<std::string> StreamEvents() {
  std::vector<std::string> events;
  for (int i = 0; i < 400; ++i) {
    events.push_back(Concat(
        {R"(data: {"id":"chatcmpl-A1b2C3d4E5f6G7h8I9j0","object":"chat.completion.chunk",)"
         R"("created":1700000000,"model":"gpt-4o-2024-08-06","service_tier":"default",)"
         R"("system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" word)",
         std::to_string(i), R"("},"logprobs":null,"finish_reason":null}],"usage":null})", "\n\n"}));
  }
  events.push_back(
      "data: {\"id\":\"chatcmpl-A1b2C3d4E5f6G7h8I9j0\",\"object\":\"chat.completion.chunk\","
      "\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":400,"
      "\"total_tokens\":420}}\n\n");
  events.push_back("data: [DONE]\n\n");
  return events;
}

size_t TotalBytes(const std::vector<std::string>& events) {
  size_t total = 0;
  for (const std::string& event : events) total += event.size();
  return total;
}

void ReadRequest(benchmark::State& state) {
  const std::string body = RequestBody(static_cast<size_t>(state.range(0)) * 1024);
  const auto read = [&] { return ReadRequest(Dialect::kOpenAi, Operation::kChat, "", body); };
  if (!read().ok()) state.SkipWithError("not read");
  for (auto _ : state) benchmark::DoNotOptimize(read());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}
BENCHMARK(ReadRequest)->Name("request/weir_read/KiB")->Arg(2)->Arg(20)->Arg(200);

void ParseRequest(benchmark::State& state) {
  const std::string body = RequestBody(static_cast<size_t>(state.range(0)) * 1024);
  for (auto _ : state) {
    rapidjson::Document document;
    document.Parse(body.data(), body.size());
    benchmark::DoNotOptimize(document.IsObject());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}
BENCHMARK(ParseRequest)->Name("request/rapidjson_dom_only/KiB")->Arg(2)->Arg(20)->Arg(200);

void ParseRequestValidating(benchmark::State& state) {
  const std::string body = RequestBody(static_cast<size_t>(state.range(0)) * 1024);
  for (auto _ : state) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(
        body.data(), body.size());
    benchmark::DoNotOptimize(document.IsObject());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}
BENCHMARK(ParseRequestValidating)
    ->Name("request/rapidjson_dom_utf8_iterative/KiB")
    ->Arg(2)
    ->Arg(20)
    ->Arg(200);

void RewriteRequest(benchmark::State& state) {
  const std::string body = RequestBody(static_cast<size_t>(state.range(0)) * 1024);
  const auto request = ReadRequest(Dialect::kOpenAi, Operation::kChat, "", body);
  const Edits edits = {.model = "gpt-4o-mini", .want_usage = true, .max_output_tokens = 700};
  for (auto _ : state) {
    benchmark::DoNotOptimize(dialects::RewriteRequest(body, *request, edits));
  }
}
BENCHMARK(RewriteRequest)->Name("request/weir_rewrite/KiB")->Arg(2)->Arg(20)->Arg(200);

void ReadStream(benchmark::State& state) {
  const std::vector<std::string> events = StreamEvents();
  const bool strip = state.range(0) != 0;
  std::string relay;
  for (auto _ : state) {
    auto reader = StreamReader::Create(Dialect::kOpenAi, Operation::kChat);
    reader->set_strip_usage(strip);
    for (const std::string& event : events) {
      relay.clear();
      reader->Feed(event, &relay);
      benchmark::DoNotOptimize(reader->TakeDeltas());
    }
    reader->End(&relay);
    if (reader->usage().completion != 400) state.SkipWithError("usage not read");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events.size()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * TotalBytes(events)));
}
BENCHMARK(ReadStream)->Name("stream/weir_one_event_a_feed/strip")->Arg(0)->Arg(1);

// The bare minimum for well-behaved bytes: one event a chunk, cut at "data: ", a DOM of each.
void ParseStream(benchmark::State& state) {
  const std::vector<std::string> events = StreamEvents();
  std::string relay;
  for (auto _ : state) {
    uint64_t completion = 0;
    for (const std::string& event : events) {
      relay.assign(event);
      const std::string_view data = std::string_view(event).substr(6, event.size() - 8);
      if (data == "[DONE]") continue;
      rapidjson::Document document;
      document.Parse(data.data(), data.size());
      const auto usage = document.FindMember("usage");
      if (usage->value.IsObject()) completion = usage->value["completion_tokens"].GetUint64();
      const auto& choices = document["choices"];
      if (choices.Empty()) continue;
      benchmark::DoNotOptimize(std::string(choices[0]["delta"]["content"].GetString()));
    }
    if (completion != 400) state.SkipWithError("usage not read");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events.size()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * TotalBytes(events)));
}
BENCHMARK(ParseStream)->Name("stream/rapidjson_dom_naive_split");

}  // namespace
}  // namespace weir::dialects
