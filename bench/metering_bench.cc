// Metering streams as they pass, beside RapidJSON building a document of each event (split by
// memchr; which relays nothing, counts nothing and knows one dialect).

#include <benchmark/benchmark.h>
#if defined(__SSE2__)
#define RAPIDJSON_SSE2 1
#endif
#include <rapidjson/document.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "weir/stream_meter.h"

namespace weir::metering {
namespace {

using dialects::Dialect;
using dialects::Operation;

constexpr std::string_view kWords[] = {
    " the",    " meter",   " reads", " what",       " the",  " model", " writes", ",",      " and",
    " counts", " nothing", " twice", ".",           " It",   " is",    " all",    " there", "\\n",
    " was",    " to",      " know",  " \\\"so\\\"", " they", " say",   ":"};
constexpr size_t kTexts = 2000;

std::string_view Word(size_t i) { return kWords[i * 7 % std::size(kWords)]; }

// About 330 bytes an event, as OpenAI sends them now: with obfuscation of varying length.
std::string OpenAiStream() {
  std::string body;
  for (size_t i = 0; i < kTexts; ++i) {
    body += Concat(
        {R"(data: {"id":"chatcmpl-A1b2C3d4E5f6G7h8I9j0","object":"chat.completion.chunk",)"
         R"("created":1700000000,"model":"gpt-4o-2024-08-06","service_tier":"default",)"
         R"("system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":")",
         Word(i), R"("},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":")",
         std::string(i % 13, 'x'), "\"}\n\n"});
  }
  return body +
         "data: {\"id\":\"chatcmpl-A1b2C3d4E5f6G7h8I9j0\",\"choices\":[],\"usage\":"
         "{\"prompt_tokens\":20,\"completion_tokens\":2000,\"total_tokens\":2020}}\n\n"
         "data: [DONE]\n\n";
}

std::string ResponsesStream() {
  std::string body;
  for (size_t i = 0; i < kTexts; ++i) {
    body += Concat(
        {"event: response.output_text.delta\ndata: "
         R"({"type":"response.output_text.delta","sequence_number":)",
         std::to_string(i),
         R"(,"item_id":"msg_00b9cc7a23d047270068faa0f63798819f83c5348ca838d252",)"
         R"("output_index":0,"content_index":0,"delta":")",
         Word(i), R"(","logprobs":[],"obfuscation":")", std::string(i % 13, 'x'), "\"}\n\n"});
  }
  return body;
}

std::string AnthropicStream() {
  std::string body;
  for (size_t i = 0; i < kTexts; ++i) {
    body +=
        Concat({"event: content_block_delta\ndata: "
                R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta",)"
                R"("text":")",
                Word(i), Word(i + 1), Word(i + 2), "\"}", std::string(i % 17, ' '), "}\n\n"});
  }
  return body;
}

// Every chunk states usage, so that none is read by its likeness.
std::string GeminiStream() {
  std::string body;
  for (size_t i = 0; i < kTexts / 20; ++i) {
    std::string text;
    for (size_t word = 0; word < 40; ++word) text += Word(i + word);
    body += Concat({R"(data: {"candidates": [{"content": {"parts": [{"text": ")", text,
                    R"("}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 34,)"
                    R"("candidatesTokenCount": )",
                    std::to_string(i * 40),
                    R"(,"totalTokenCount": 821,"promptTokensDetails": [{"modality": "TEXT",)"
                    R"("tokenCount": 34}]},"modelVersion": "gemini-2.5-pro"})",
                    "\r\n\r\n"});
  }
  return body;
}

struct Workload {
  Dialect dialect;
  Operation operation;
  std::string body;
};

const Workload& WorkloadOf(int64_t which) {
  static const std::vector<Workload> workloads = {
      {Dialect::kOpenAi, Operation::kChat, OpenAiStream()},
      {Dialect::kOpenAi, Operation::kResponses, ResponsesStream()},
      {Dialect::kAnthropic, Operation::kChat, AnthropicStream()},
      {Dialect::kGemini, Operation::kChat, GeminiStream()}};
  return workloads[static_cast<size_t>(which)];
}

void Report(benchmark::State& state, const Workload& workload) {
  size_t events = 0;
  for (size_t at = 0; (at = workload.body.find("data:", at)) != std::string::npos; ++at) ++events;
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * workload.body.size()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * events));
}

class Ignore final : public dialects::TextSink {
 public:
  void Text(const dialects::TextPiece& piece) override { benchmark::DoNotOptimize(piece.text); }
};

constexpr size_t kNetworkRead = 16384;

// Usage and texts, without counting.
void ReadStream(benchmark::State& state) {
  const Workload& workload = WorkloadOf(state.range(0));
  Ignore ignore;
  for (auto _ : state) {
    auto reader = dialects::StreamReader::Create(workload.dialect, workload.operation,
                                                 dialects::BodyKind::kSse);
    reader->set_text_sink(&ignore);
    std::string_view rest = workload.body;
    while (!rest.empty()) {
      const std::string_view piece = rest.substr(0, kNetworkRead);
      reader->Feed(piece, nullptr);
      rest.remove_prefix(piece.size());
    }
    reader->End(nullptr);
    if (reader->unreadable_events() != 0) state.SkipWithError("not read");
  }
  Report(state, workload);
}
BENCHMARK(ReadStream)->Name("sse/weir_read/chat_responses_anthropic_gemini")->DenseRange(0, 3);

// And all of it counted.
void MeterStream(benchmark::State& state) {
  const Workload& workload = WorkloadOf(state.range(0));
  StreamMeterOptions options;
  options.dialect = workload.dialect;
  options.operation = workload.operation;
  options.tokenizer = tokens::Find("o200k_base");
  for (auto _ : state) {
    auto meter = StreamMeter::Create(options);
    std::string_view rest = workload.body;
    while (!rest.empty()) {
      const std::string_view piece = rest.substr(0, kNetworkRead);
      meter->Feed(piece, nullptr);
      rest.remove_prefix(piece.size());
    }
    meter->End(nullptr);
    if (meter->Read().counted == 0) state.SkipWithError("not counted");
  }
  Report(state, workload);
}
BENCHMARK(MeterStream)->Name("sse/weir_meter/chat_responses_anthropic_gemini")->DenseRange(0, 3);

void ParseEvents(benchmark::State& state) {
  const Workload& workload = WorkloadOf(state.range(0));
  for (auto _ : state) {
    const char* at = workload.body.data();
    const char* const end = at + workload.body.size();
    while (at < end) {
      const auto* line_end =
          static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
      if (line_end == nullptr) line_end = end;
      constexpr std::string_view kData = "data: ";
      const std::string_view line(at, static_cast<size_t>(line_end - at));
      if (line.substr(0, kData.size()) == kData && line != "data: [DONE]") {
        rapidjson::Document document;
        document.Parse(line.data() + kData.size(), line.size() - kData.size());
        if (document.HasParseError()) state.SkipWithError("not parsed");
        benchmark::DoNotOptimize(document.IsObject());
      }
      at = line_end + 1;
    }
  }
  Report(state, workload);
}
BENCHMARK(ParseEvents)
    ->Name("sse/rapidjson_dom_per_event/chat_responses_anthropic_gemini")
    ->DenseRange(0, 3);

// What a server holds for each stream that waits: see also tests/metering.
void OpenStreams(benchmark::State& state) {
  const std::string_view body = WorkloadOf(0).body;
  const std::string_view event = body.substr(0, body.find("\n\n") + 2);
  StreamMeterOptions options;
  options.tokenizer = tokens::Find("o200k_base");
  for (auto _ : state) {
    auto meter = StreamMeter::Create(options);
    meter->Feed(event, nullptr);
    benchmark::DoNotOptimize(meter);
  }
}
BENCHMARK(OpenStreams)->Name("stream/weir_open_first_event_close");

}  // namespace
}  // namespace weir::metering
