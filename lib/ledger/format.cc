// A line is put together in a buffer that has room for the longest one, so nothing is measured or
// checked on the way: what bounds a line are the bounds of its texts and lists.

#include <algorithm>
#include <charconv>
#include <cstring>

#include "ledger/escape.h"
#include "ledger/instant.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

constexpr size_t kTextRoom = kMaxTextBytes + 2;
constexpr size_t kMemberRoom = 40;  // a key, a number, a comma
static_assert(2048 + 14 * kTextRoom + 40 * kMemberRoom +
                      kMaxAttempts * (2 * kTextRoom + 6 * kMemberRoom) +
                      kMaxLimits * (kTextRoom + 9 * kMemberRoom) +
                      kMaxDimensions * (2 * kTextRoom + 8) <=
                  kMaxLineBytes,
              "the longest line does not fit");

class LineWriter {
 public:
  explicit LineWriter(char* out) : out_(out) {}

  char* end() const { return out_; }

  template <size_t kSize>
  void Put(const char (&literal)[kSize]) {
    std::memcpy(out_, literal, kSize - 1);
    out_ += kSize - 1;
  }
  void PutRaw(std::string_view bytes) {
    std::memcpy(out_, bytes.data(), bytes.size());
    out_ += bytes.size();
  }
  void PutText(std::string_view text) { out_ = ledger::PutText(out_, text); }
  template <typename Integer>
  void PutNumber(Integer value) {
    constexpr ptrdiff_t kMostDigits = 20;
    out_ = std::to_chars(out_, out_ + kMostDigits, value).ptr;
  }
  void PutId(uint64_t id) {
    constexpr char kDigits[] = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) *out_++ = kDigits[id >> shift & 15];
  }
  void PutInstant(int64_t unix_ns) {
    ledger::PutInstant(unix_ns, out_);
    out_ += kInstantBytes;
  }

  // Members end in a comma; the bracket that closes them takes the place of the last one.
  template <size_t kSize>
  void Text(const char (&key)[kSize], std::string_view text) {
    if (text.empty()) return;
    Put(key);
    PutText(text);
    Put(",");
  }
  template <size_t kSize, typename Integer>
  void Number(const char (&key)[kSize], Integer value) {
    Put(key);
    PutNumber(value);
    Put(",");
  }
  template <size_t kSize, typename Integer>
  void Number(const char (&key)[kSize], const std::optional<Integer>& value) {
    if (value) Number(key, *value);
  }
  template <size_t kSize>
  void Bool(const char (&key)[kSize], bool value) {
    Put(key);
    if (value) {
      Put("true,");
    } else {
      Put("false,");
    }
  }
  void Close(char bracket) {
    if (out_[-1] == ',') --out_;
    *out_++ = bracket;
    *out_++ = ',';
  }

 private:
  char* out_;
};

void WriteTrace(const Trace& trace, LineWriter* line) {
  line->Put(R"("trace":{"id":")");
  line->PutId(trace.id_hi);
  line->PutId(trace.id_lo);
  line->Put(R"(","parent":")");
  line->PutId(trace.parent);
  line->Put(R"(",)");
  line->Bool(R"("sampled":)", trace.sampled);
  line->Close('}');
}

void WriteUsage(const Usage& usage, LineWriter* line) {
  line->Put(R"("usage":{)");
  line->Number(R"("prompt":)", usage.prompt);
  line->Number(R"("completion":)", usage.completion);
  line->Number(R"("cached":)", usage.cached);
  line->Number(R"("cache_write":)", usage.cache_write);
  line->Number(R"("reasoning":)", usage.reasoning);
  line->Number(R"("audio_prompt":)", usage.audio_prompt);
  line->Number(R"("audio_completion":)", usage.audio_completion);
  line->Text(R"("prompt_provenance":)", usage.prompt_provenance);
  line->Text(R"("completion_provenance":)", usage.completion_provenance);
  line->Close('}');
}

void WriteCost(const Cost& cost, LineWriter* line) {
  line->Put(R"("cost":{)");
  if (cost.micro_usd) {
    line->Number(R"("micro_usd":)", *cost.micro_usd);
  } else {
    line->Put(R"("micro_usd":null,)");
  }
  if (cost.price) {
    line->Put(R"("price":{)");
    line->Text(R"("model":)", cost.price_model);
    line->Text(R"("source":)", cost.price_source);
    line->Number(R"("input":)", cost.price->input);
    line->Number(R"("cached_input":)", cost.price->cached_input);
    line->Number(R"("cache_write":)", cost.price->cache_write);
    line->Number(R"("output":)", cost.price->output);
    line->Close('}');
  }
  line->Close('}');
}

void WriteCache(const CacheUse& cache, LineWriter* line) {
  line->Put(R"("cache":{)");
  line->Text(R"("result":)", cache.result);
  line->Number(R"("saved_prompt":)", cache.saved_prompt);
  line->Number(R"("saved_completion":)", cache.saved_completion);
  line->Number(R"("saved_micro_usd":)", cache.saved_micro_usd);
  line->Number(R"("similarity_ppm":)", cache.similarity_ppm);
  line->Number(R"("age_ms":)", cache.age_ms);
  line->Close('}');
}

void WriteAttempt(const Attempt& attempt, LineWriter* line) {
  line->Put("{");
  line->Text(R"("backend":)", attempt.backend);
  line->Number(R"("status":)", attempt.status);
  line->Text(R"("outcome":)", attempt.outcome);
  line->Number(R"("sent_us":)", attempt.sent_us);
  line->Number(R"("took_us":)", attempt.took_us);
  line->Number(R"("utilization":)", attempt.utilization);
  line->Close('}');
}

void WriteLimit(const LimitDecision& decision, LineWriter* line) {
  line->Put("{");
  line->Text(R"("limit":)", decision.limit);
  line->Bool(R"("admitted":)", decision.admitted);
  if (decision.shadow) line->Put(R"("shadow":true,)");
  line->Number(R"("cost":)", decision.cost);
  line->Number(R"("before":)", decision.before);
  line->Number(R"("amount":)", decision.amount);
  line->Number(R"("remaining":)", decision.remaining);
  line->Number(R"("retry_after_ms":)", decision.retry_after_ms);
  line->Close('}');
}

template <typename List, typename Write>
void WriteList(const List& list, size_t most, Write&& write, LineWriter* line) {
  for (size_t i = 0; i < std::min(list.size(), most); ++i) write(list[i], line);
  line->Close(']');
}

}  // namespace

size_t FormatLine(const Exchange& exchange, absl::Span<char> buffer) {
  if (buffer.size() < kMaxLineBytes) return 0;
  LineWriter line(buffer.data());
  line.Put(R"({"weir":1,"id":")");
  line.PutId(exchange.id_hi);
  line.PutId(exchange.id_lo);
  line.Put(R"(","time":")");
  line.PutInstant(exchange.unix_ns);
  line.Put(R"(",)");
  if (exchange.trace) WriteTrace(*exchange.trace, &line);
  line.Text(R"("consumer":)", exchange.consumer);
  line.Text(R"("route":)", exchange.route);
  line.Text(R"("operation":)", exchange.operation);
  if (exchange.stream) line.Put(R"("stream":true,)");
  line.Text(R"("model":)", exchange.model);
  line.Text(R"("served":)", exchange.served);
  line.Text(R"("response_model":)", exchange.response_model);
  line.Text(R"("backend":)", exchange.backend);
  line.Text(R"("provider":)", exchange.provider);
  line.Number(R"("status":)", exchange.status);
  line.Text(R"("outcome":)", exchange.outcome);
  if (exchange.usage) WriteUsage(*exchange.usage, &line);
  if (exchange.cost) WriteCost(*exchange.cost, &line);
  if (!exchange.cache.result.empty()) WriteCache(exchange.cache, &line);
  line.Put(R"("latency":{)");
  line.Number(R"("total_us":)", exchange.latency.total_us);
  if (exchange.latency.wait_us != 0) line.Number(R"("wait_us":)", exchange.latency.wait_us);
  line.Number(R"("first_byte_us":)", exchange.latency.first_byte_us);
  line.Close('}');
  if (!exchange.attempts.empty()) {
    line.Put(R"("attempts":[)");
    WriteList(exchange.attempts, kMaxAttempts, WriteAttempt, &line);
  }
  if (!exchange.limits.empty()) {
    line.Put(R"("limits":[)");
    WriteList(exchange.limits, kMaxLimits, WriteLimit, &line);
  }
  if (!exchange.dimensions.empty()) {
    line.Put(R"("dimensions":{)");
    const auto write = [](const Dimension& dimension, LineWriter* out) {
      out->PutText(dimension.name);
      out->Put(":");
      out->PutText(dimension.value);
      out->Put(",");
    };
    const size_t count = std::min(exchange.dimensions.size(), kMaxDimensions);
    for (size_t i = 0; i < count; ++i) write(exchange.dimensions[i], &line);
    line.Close('}');
  }
  const auto written = static_cast<size_t>(line.end() - buffer.data());
  if (!exchange.explain.empty() &&
      written + kMemberRoom + exchange.explain.size() <= kMaxLineBytes) {
    line.Put(R"("explain":)");
    line.PutRaw(exchange.explain);
    line.Put(",");
  }
  line.Close('}');
  line.end()[-1] = '\n';
  return static_cast<size_t>(line.end() - buffer.data());
}

}  // namespace weir::ledger
