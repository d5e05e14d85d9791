// One exchange's line: put together, appended with one write, and read back. Beside each what
// people write otherwise: RapidJSON's writer, and a bare write() of a line of that size.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "ledger/instant.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

Exchange Ordinary() {
  Exchange made;
  made.id_hi = 0x0123456789abcdef;
  made.id_lo = 0xfedcba9876543210;
  made.unix_ns = 1795419747123456789;
  made.consumer = "team-red";
  made.route = "chat";
  made.operation = "chat";
  made.stream = true;
  made.model = "gpt-4o";
  made.served = "gpt-4o-2024-08-06";
  made.backend = "payg-west";
  made.status = 200;
  made.outcome = "ok";
  made.usage = Usage{1200, 340, 1024, {}, 0, {}, {}, "provider", "provider"};
  const Price price = {2'500'000, 1'250'000, {}, 10'000'000};
  made.cost = Cost{CostOf(price, *made.usage), "gpt-4o", "policy", price};
  made.latency = {2'345'678, 0, 456'789};
  made.attempts.push_back({"ptu-east", 429, "status", 120, 50'300, 100});
  made.attempts.push_back({"payg-west", 200, "ok", 50'600, 2'295'000, {}});
  made.limits.push_back({"per-consumer", true, false, 1540, 20'000, 50'000, 28'460, {}});
  made.limits.push_back({"team-month", true, false, 7912, 20'000'000, 500'000'000, 1, {}});
  for (const char* name : {"team", "app", "tier", "region"}) {
    made.dimensions.push_back({name, "some value"});
  }
  return made;
}

void CountLines(benchmark::State& state, size_t line_bytes) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(line_bytes));
  state.counters["line_bytes"] = static_cast<double>(line_bytes);
}

void Format(benchmark::State& state) {
  const Exchange exchange = Ordinary();
  std::array<char, kMaxLineBytes> line;
  size_t size = 0;
  for (auto _ : state) {
    size = FormatLine(exchange, absl::MakeSpan(line));
    benchmark::DoNotOptimize(line.data());
    benchmark::ClobberMemory();
  }
  CountLines(state, size);
}
BENCHMARK(Format)->Name("format/weir");

// The same line by RapidJSON's writer.
class Neighbour {
 public:
  std::string_view Line(const Exchange& exchange) {
    buffer_.Clear();
    writer_.Reset(buffer_);
    writer_.StartObject();
    Number("weir", uint64_t{1});
    char id[32];
    for (int i = 0; i < 16; ++i) {
      constexpr char kDigits[] = "0123456789abcdef";
      id[i] = kDigits[exchange.id_hi >> (60 - 4 * i) & 15];
      id[16 + i] = kDigits[exchange.id_lo >> (60 - 4 * i) & 15];
    }
    Text("id", {id, 32});
    char instant[kInstantBytes];
    PutInstant(exchange.unix_ns, instant);
    Text("time", {instant, kInstantBytes});
    Text("consumer", exchange.consumer);
    Text("route", exchange.route);
    Text("operation", exchange.operation);
    Bool("stream", exchange.stream);
    Text("model", exchange.model);
    Text("served", exchange.served);
    Text("backend", exchange.backend);
    Number("status", exchange.status);
    Text("outcome", exchange.outcome);
    Money(exchange);
    Lists(exchange);
    writer_.EndObject();
    buffer_.Put('\n');
    return {buffer_.GetString(), buffer_.GetSize()};
  }

 private:
  void Key(std::string_view key) {
    writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  }
  void Text(std::string_view key, std::string_view text) {
    Key(key);
    writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  void Bool(std::string_view key, bool value) {
    Key(key);
    writer_.Bool(value);
  }
  void Number(std::string_view key, uint64_t value) {
    Key(key);
    writer_.Uint64(value);
  }
  void Number(std::string_view key, int64_t value) {
    Key(key);
    writer_.Int64(value);
  }
  void Number(std::string_view key, int value) { Number(key, static_cast<int64_t>(value)); }
  void Money(const Exchange& exchange) {
    Key("usage");
    writer_.StartObject();
    Number("prompt", *exchange.usage->prompt);
    Number("completion", *exchange.usage->completion);
    Number("cached", *exchange.usage->cached);
    Number("reasoning", *exchange.usage->reasoning);
    Text("prompt_provenance", exchange.usage->prompt_provenance);
    Text("completion_provenance", exchange.usage->completion_provenance);
    writer_.EndObject();
    Key("cost");
    writer_.StartObject();
    Number("micro_usd", *exchange.cost->micro_usd);
    Key("price");
    writer_.StartObject();
    Text("model", exchange.cost->price_model);
    Text("source", exchange.cost->price_source);
    Number("input", *exchange.cost->price->input);
    Number("cached_input", *exchange.cost->price->cached_input);
    Number("output", *exchange.cost->price->output);
    writer_.EndObject();
    writer_.EndObject();
    Key("latency");
    writer_.StartObject();
    Number("total_us", exchange.latency.total_us);
    Number("first_byte_us", *exchange.latency.first_byte_us);
    writer_.EndObject();
  }
  void Lists(const Exchange& exchange) {
    Key("attempts");
    writer_.StartArray();
    for (const Attempt& attempt : exchange.attempts) {
      writer_.StartObject();
      Text("backend", attempt.backend);
      Number("status", attempt.status);
      Text("outcome", attempt.outcome);
      Number("sent_us", attempt.sent_us);
      Number("took_us", attempt.took_us);
      if (attempt.utilization) Number("utilization", uint64_t{*attempt.utilization});
      writer_.EndObject();
    }
    writer_.EndArray();
    Key("limits");
    writer_.StartArray();
    for (const LimitDecision& decision : exchange.limits) {
      writer_.StartObject();
      Text("limit", decision.limit);
      Bool("admitted", decision.admitted);
      Number("cost", decision.cost);
      Number("before", decision.before);
      Number("amount", decision.amount);
      Number("remaining", decision.remaining);
      writer_.EndObject();
    }
    writer_.EndArray();
    Key("dimensions");
    writer_.StartObject();
    for (const Dimension& dimension : exchange.dimensions) Text(dimension.name, dimension.value);
    writer_.EndObject();
  }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

void FormatRapidJson(benchmark::State& state) {
  const Exchange exchange = Ordinary();
  Neighbour neighbour;
  std::array<char, kMaxLineBytes> line;
  const size_t size = FormatLine(exchange, absl::MakeSpan(line));
  if (neighbour.Line(exchange) != std::string_view(line.data(), size)) {
    state.SkipWithError("the two do not write the same line");
  }
  for (auto _ : state) {
    const std::string_view written = neighbour.Line(exchange);
    benchmark::DoNotOptimize(written.data());
    benchmark::ClobberMemory();
  }
  CountLines(state, size);
}
BENCHMARK(FormatRapidJson)->Name("format/RapidJSON");

class TempFile {
 public:
  explicit TempFile(bool in_memory)
      : path_((in_memory ? std::string("/dev/shm")
                         : std::filesystem::temp_directory_path().string()) +
              "/weir-bench-" + std::to_string(getpid())) {}
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }
  // Benchmarks run as often as they like; a disk has an end.
  void Empty() const { std::filesystem::resize_file(path_, 0); }

 private:
  const std::string path_;
};

constexpr uint64_t kLinesOfFile = 100'000;

void Append(benchmark::State& state) {
  const TempFile place(state.range(0) != 0);
  const Exchange exchange = Ordinary();
  Now now = {1, 1795419747123456789};
  auto file = File::Open(place.path(), {}, now);
  if (!file.ok()) return state.SkipWithError("no file");
  std::array<char, kMaxLineBytes> line;
  size_t size = 0;
  uint64_t lines = 0;
  for (auto _ : state) {
    size = FormatLine(exchange, absl::MakeSpan(line));
    now.mono_ns += 1000;
    if (*(*file)->Append({line.data(), size}, now) != Appended::kWritten) {
      state.SkipWithError("not written");
      break;
    }
    if (++lines % kLinesOfFile == 0) place.Empty();
  }
  CountLines(state, size);
}
BENCHMARK(Append)->Name("format_and_append/weir/in_memory")->Arg(1);
BENCHMARK(Append)->Name("format_and_append/weir/on_disk")->Arg(0);

void BareWrite(benchmark::State& state) {
  const TempFile place(state.range(0) != 0);
  std::array<char, kMaxLineBytes> line;
  const size_t size = FormatLine(Ordinary(), absl::MakeSpan(line));
  const int descriptor = open(place.path().c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
  uint64_t lines = 0;
  for (auto _ : state) {
    if (write(descriptor, line.data(), size) != static_cast<ssize_t>(size)) {
      state.SkipWithError("not written");
      break;
    }
    if (++lines % kLinesOfFile == 0) place.Empty();
  }
  close(descriptor);
  CountLines(state, size);
}
BENCHMARK(BareWrite)->Name("append/bare_write/in_memory")->Arg(1);
BENCHMARK(BareWrite)->Name("append/bare_write/on_disk")->Arg(0);

void ReadBack(benchmark::State& state) {
  std::array<char, kMaxLineBytes> line;
  const size_t size = FormatLine(Ordinary(), absl::MakeSpan(line));
  LineReader reader;
  Exchange exchange;
  for (auto _ : state) benchmark::DoNotOptimize(reader.Read({line.data(), size}, &exchange));
  CountLines(state, size);
}
BENCHMARK(ReadBack)->Name("read/weir");

void Recompute(benchmark::State& state) {
  const Exchange exchange = Ordinary();
  for (auto _ : state) benchmark::DoNotOptimize(CostOf(*exchange.cost->price, *exchange.usage));
}
BENCHMARK(Recompute)->Name("cost/weir");

void FindModel(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(FindPublicModel("gpt-4o-2024-08-06", 1000));
}
BENCHMARK(FindModel)->Name("find_public_model/weir");

}  // namespace
}  // namespace weir::ledger
