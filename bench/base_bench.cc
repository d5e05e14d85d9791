// Reading the JSON of a chat request, beside RapidJSON over the same bytes: its document (which
// takes repeated keys, converts numbers and does not look at UTF-8), and its events in situ, which
// nobody takes, without and with its validation of UTF-8.

#include <benchmark/benchmark.h>
#if defined(__SSE2__)
#define RAPIDJSON_SSE2 1
#endif
#include <rapidjson/document.h>
#include <rapidjson/reader.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/utf8.h"

namespace weir {
namespace {

// Prose that does not repeat: sentences of words by chance, some in quotes, some not ASCII, some at
// the end of a line. A byte in 50 is an escape, one in 10 not ASCII.
std::string Prose(Random* random, size_t size) {
  constexpr std::string_view kWords[] = {"the",
                                         "of",
                                         "request",
                                         "answer",
                                         "which",
                                         "model",
                                         "in",
                                         "a",
                                         "and",
                                         "every",
                                         "limit",
                                         "to",
                                         "is",
                                         "tokens",
                                         "because",
                                         "window",
                                         "caf\xC3\xA9",
                                         "na\xC3\xAFve",
                                         "Z\xC3\xBCrich",
                                         "\xE6\x97\xA5\xE6\x9C\xAC",
                                         "not",
                                         "before",
                                         "I",
                                         "responsibility"};
  std::string text;
  while (text.size() < size) {
    const std::string_view word = kWords[random->Below(std::size(kWords))];
    switch (random->Below(24)) {
      case 0:
        text.append("\\\"").append(word).append("\\\" ");
        break;
      case 1:
        text.append(word).append(".\\n");
        break;
      default:
        text.append(word).push_back(' ');
    }
  }
  return text;
}

// A conversation of about `size` bytes, with parameters and a tool; turns of 40 to 1,200 bytes.
std::string RequestBody(size_t size) {
  Random random(7);
  std::string body =
      R"({"model":"gpt-4o","stream":true,"temperature":0.7,"max_tokens":800,"top_p":1,)"
      R"("user":"u-17","stream_options":{"include_usage":true},)"
      R"("tools":[{"type":"function","function":{"name":"look_up",)"
      R"("description":"Looks a word up.","parameters":{"type":"object","properties":)"
      R"({"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query"]}}}],)"
      R"("messages":[{"role":"system","content":"Be brief."})";
  for (bool user = true; body.size() < size; user = !user) {
    const size_t turn = std::min<size_t>(40 + random.Below(1160), size + 40 - body.size());
    body.append(user ? R"(,{"role":"user","content":")" : R"(,{"role":"assistant","content":")");
    body.append(Prose(&random, turn)).append("\"}");
  }
  return body + "]}";
}

std::string Body(const benchmark::State& state) {
  return RequestBody(static_cast<size_t>(state.range(0)) * 1024);
}

void Done(benchmark::State& state, const std::string& body) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
}

void Parse(benchmark::State& state) {
  const std::string body = Body(state);
  for (auto _ : state) {
    json::Document document;
    if (!document.Parse(body)) state.SkipWithError("not read");
    benchmark::DoNotOptimize(document.root());
  }
  Done(state, body);
}
BENCHMARK(Parse)->Name("json/weir/KiB")->Arg(2)->Arg(20)->Arg(200);

void ParseBorrowed(benchmark::State& state) {
  const std::string body = Body(state);
  json::ParseError error;
  for (auto _ : state) {
    json::Document document;
    if (!document.ParseBorrowed(body, {}, &error)) state.SkipWithError("not read");
    benchmark::DoNotOptimize(document.root());
  }
  Done(state, body);
}
BENCHMARK(ParseBorrowed)->Name("json/weir_borrowed/KiB")->Arg(2)->Arg(20)->Arg(200);

void ParseBorrowedAgain(benchmark::State& state) {
  const std::string body = Body(state);
  json::ParseError error;
  json::Document document;
  for (auto _ : state) {
    if (!document.ParseBorrowed(body, {}, &error)) state.SkipWithError("not read");
    benchmark::DoNotOptimize(document.root());
  }
  Done(state, body);
}
BENCHMARK(ParseBorrowedAgain)
    ->Name("json/weir_borrowed_same_document/KiB")
    ->Arg(2)
    ->Arg(20)
    ->Arg(200);

void RapidDom(benchmark::State& state) {
  const std::string body = Body(state);
  for (auto _ : state) {
    rapidjson::Document document;
    document.Parse(body.data(), body.size());
    if (document.HasParseError()) state.SkipWithError("not read");
    benchmark::DoNotOptimize(document.IsObject());
  }
  Done(state, body);
}
BENCHMARK(RapidDom)->Name("json/rapidjson_dom/KiB")->Arg(2)->Arg(20)->Arg(200);

template <unsigned kFlags>
void RapidInSitu(benchmark::State& state) {
  const std::string body = Body(state);
  std::vector<char> copy;
  for (auto _ : state) {
    copy.assign(body.begin(), body.end());
    copy.resize(body.size() + 16, '\0');
    rapidjson::Reader reader;
    rapidjson::BaseReaderHandler<> handler;
    rapidjson::InsituStringStream stream(copy.data());
    if (reader.Parse<rapidjson::kParseInsituFlag | kFlags>(stream, handler).IsError()) {
      state.SkipWithError("not read");
    }
  }
  Done(state, body);
}
BENCHMARK(RapidInSitu<rapidjson::kParseNumbersAsStringsFlag>)
    ->Name("json/rapidjson_sax_in_situ/KiB")
    ->Arg(2)
    ->Arg(20)
    ->Arg(200);
BENCHMARK(
    RapidInSitu<rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag>)
    ->Name("json/rapidjson_sax_in_situ_utf8/KiB")
    ->Arg(2)
    ->Arg(20)
    ->Arg(200);

void CopyBody(benchmark::State& state) {
  const std::string body = Body(state);
  std::vector<char> copy;
  for (auto _ : state) {
    copy.assign(body.begin(), body.end());
    benchmark::DoNotOptimize(copy.data());
    benchmark::ClobberMemory();
  }
  Done(state, body);
}
BENCHMARK(CopyBody)->Name("json/copy_of_the_body/KiB")->Arg(2)->Arg(20)->Arg(200);

void ValidateUtf8(benchmark::State& state) {
  const std::string body = Body(state);
  for (auto _ : state) benchmark::DoNotOptimize(IsUtf8(body));
  Done(state, body);
}
BENCHMARK(ValidateUtf8)->Name("utf8/weir/KiB")->Arg(2)->Arg(20)->Arg(200);

}  // namespace
}  // namespace weir
