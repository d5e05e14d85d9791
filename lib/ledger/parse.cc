#include <limits>

#include "base/json.h"
#include "ledger/instant.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

// No text inside a line can look like this: its quotes would be escaped there, and the only other
// members whose values are objects with names of their own have texts for values.
constexpr std::string_view kBeginning = R"({"weir":1,)";

// Reads members into places; one of the wrong kind is remembered.
class Members {
 public:
  explicit Members(json::Value object) : object_(object), sound_(object.Is(json::Type::kObject)) {}

  bool sound() const { return sound_; }
  json::Value Object(std::string_view key) { return Expect(object_[key], json::Type::kObject); }
  json::Value Array(std::string_view key) { return Expect(object_[key], json::Type::kArray); }

  void Text(std::string_view key, std::string_view* text) {
    if (const json::Value value = Expect(object_[key], json::Type::kString)) *text = value.text();
  }
  void Bool(std::string_view key, bool* flag) {
    if (const json::Value value = Expect(object_[key], json::Type::kBool)) *flag = value.boolean();
  }
  template <typename Integer>
  void Number(std::string_view key, std::optional<Integer>* number) {
    const json::Value value = Expect(object_[key], json::Type::kNumber);
    if (!value) return;
    *number = IntegerOf<Integer>(value);
    if (!*number) sound_ = false;
  }
  template <typename Integer>
  void Number(std::string_view key, Integer* number) {
    std::optional<Integer> read;
    Number(key, &read);
    if (read) *number = *read;
  }

 private:
  json::Value Expect(json::Value value, json::Type type) {
    if (!value || value.Is(json::Type::kNull)) return {};
    if (value.Is(type)) return value;
    sound_ = false;
    return {};
  }
  template <typename Integer>
  static std::optional<Integer> IntegerOf(json::Value value) {
    if constexpr (std::numeric_limits<Integer>::is_signed) {
      const std::optional<int64_t> read = value.Int();
      if (!read || *read < std::numeric_limits<Integer>::min() ||
          *read > std::numeric_limits<Integer>::max()) {
        return std::nullopt;
      }
      return static_cast<Integer>(*read);
    } else {
      const std::optional<uint64_t> read = value.Uint();
      if (!read || *read > std::numeric_limits<Integer>::max()) return std::nullopt;
      return static_cast<Integer>(*read);
    }
  }

  const json::Value object_;
  bool sound_;
};

bool ParseHex(std::string_view digits, uint64_t* value) {
  *value = 0;
  for (const char c : digits) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    *value = *value << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

bool ParseId(std::string_view digits, uint64_t* hi, uint64_t* lo) {
  return digits.size() == 32 && ParseHex(digits.substr(0, 16), hi) &&
         ParseHex(digits.substr(16), lo);
}

bool ReadTrace(json::Value value, Exchange* exchange) {
  if (!value) return true;
  Members members(value);
  std::string_view id, parent;
  Trace trace;
  members.Text("id", &id);
  members.Text("parent", &parent);
  members.Bool("sampled", &trace.sampled);
  exchange->trace = trace;
  return members.sound() && ParseId(id, &exchange->trace->id_hi, &exchange->trace->id_lo) &&
         parent.size() == 16 && ParseHex(parent, &exchange->trace->parent);
}

bool ReadUsage(json::Value value, Exchange* exchange) {
  if (!value) return true;
  Members members(value);
  Usage usage;
  members.Number("prompt", &usage.prompt);
  members.Number("completion", &usage.completion);
  members.Number("cached", &usage.cached);
  members.Number("cache_write", &usage.cache_write);
  members.Number("reasoning", &usage.reasoning);
  members.Number("audio_prompt", &usage.audio_prompt);
  members.Number("audio_completion", &usage.audio_completion);
  members.Text("prompt_provenance", &usage.prompt_provenance);
  members.Text("completion_provenance", &usage.completion_provenance);
  exchange->usage = usage;
  return members.sound();
}

bool ReadCost(json::Value value, Exchange* exchange) {
  if (!value) return true;
  Members members(value);
  Cost cost;
  members.Number("micro_usd", &cost.micro_usd);
  bool sound = true;
  if (const json::Value row = members.Object("price")) {
    Members of_row(row);
    Price price;
    of_row.Text("model", &cost.price_model);
    of_row.Text("source", &cost.price_source);
    of_row.Number("input", &price.input);
    of_row.Number("cached_input", &price.cached_input);
    of_row.Number("cache_write", &price.cache_write);
    of_row.Number("output", &price.output);
    cost.price = price;
    sound = of_row.sound();
  }
  exchange->cost = cost;
  return sound && members.sound();
}

bool ReadCache(json::Value value, Exchange* exchange) {
  if (!value) return true;
  Members members(value);
  CacheUse& cache = exchange->cache;
  members.Text("result", &cache.result);
  members.Number("saved_prompt", &cache.saved_prompt);
  members.Number("saved_completion", &cache.saved_completion);
  members.Number("saved_micro_usd", &cache.saved_micro_usd);
  members.Number("similarity_ppm", &cache.similarity_ppm);
  members.Number("age_ms", &cache.age_ms);
  return members.sound();
}

bool ReadLatency(json::Value value, Exchange* exchange) {
  if (!value) return true;
  Members members(value);
  members.Number("total_us", &exchange->latency.total_us);
  members.Number("wait_us", &exchange->latency.wait_us);
  members.Number("first_byte_us", &exchange->latency.first_byte_us);
  return members.sound();
}

bool ReadAttempts(json::Value value, Exchange* exchange) {
  for (const json::Value element : value.members()) {
    Members members(element);
    Attempt attempt;
    members.Text("backend", &attempt.backend);
    members.Number("status", &attempt.status);
    members.Text("outcome", &attempt.outcome);
    members.Number("sent_us", &attempt.sent_us);
    members.Number("took_us", &attempt.took_us);
    members.Number("utilization", &attempt.utilization);
    if (!members.sound() || exchange->attempts.size() == kMaxAttempts) return false;
    exchange->attempts.push_back(attempt);
  }
  return true;
}

bool ReadLimits(json::Value value, Exchange* exchange) {
  for (const json::Value element : value.members()) {
    Members members(element);
    LimitDecision decision;
    members.Text("limit", &decision.limit);
    members.Bool("admitted", &decision.admitted);
    members.Bool("shadow", &decision.shadow);
    members.Number("cost", &decision.cost);
    members.Number("before", &decision.before);
    members.Number("amount", &decision.amount);
    members.Number("remaining", &decision.remaining);
    members.Number("retry_after_ms", &decision.retry_after_ms);
    if (!members.sound() || exchange->limits.size() == kMaxLimits) return false;
    exchange->limits.push_back(decision);
  }
  return true;
}

bool ReadDimensions(json::Value value, Exchange* exchange) {
  for (const json::Value member : value.members()) {
    if (!member.Is(json::Type::kString) || exchange->dimensions.size() == kMaxDimensions) {
      return false;
    }
    exchange->dimensions.push_back({member.key(), member.text()});
  }
  return true;
}

bool ReadMembers(json::Value root, Exchange* exchange) {
  Members members(root);
  uint64_t version = 0;
  std::string_view id, time;
  members.Number("weir", &version);
  members.Text("id", &id);
  members.Text("time", &time);
  if (version != 1 || !ParseId(id, &exchange->id_hi, &exchange->id_lo) ||
      !ParseInstant(time, &exchange->unix_ns)) {
    return false;
  }
  members.Text("consumer", &exchange->consumer);
  members.Text("route", &exchange->route);
  members.Text("operation", &exchange->operation);
  members.Bool("stream", &exchange->stream);
  members.Text("model", &exchange->model);
  members.Text("served", &exchange->served);
  members.Text("response_model", &exchange->response_model);
  members.Text("backend", &exchange->backend);
  members.Text("provider", &exchange->provider);
  members.Number("status", &exchange->status);
  members.Text("outcome", &exchange->outcome);
  return ReadTrace(members.Object("trace"), exchange) &&
         ReadUsage(members.Object("usage"), exchange) &&
         ReadCost(members.Object("cost"), exchange) &&
         ReadCache(members.Object("cache"), exchange) &&
         ReadLatency(members.Object("latency"), exchange) &&
         ReadAttempts(members.Array("attempts"), exchange) &&
         ReadLimits(members.Array("limits"), exchange) &&
         ReadDimensions(members.Object("dimensions"), exchange) && members.sound();
}

}  // namespace

struct LineReader::Scratch {
  json::Document document;
};

LineReader::LineReader() : scratch_(std::make_unique<Scratch>()) {}
LineReader::~LineReader() = default;

bool LineReader::Read(std::string_view line, Exchange* exchange) {
  *exchange = Exchange();
  json::ParseError error;
  return line.size() <= kMaxLineBytes &&
         scratch_->document.ParseBorrowed(line, {.allow_duplicate_keys = true}, &error) &&
         ReadMembers(scratch_->document.root(), exchange);
}

void ReadLines(std::string_view text, absl::FunctionRef<void(const Exchange&)> take,
               ReadCounts* counts) {
  LineReader reader;
  Exchange exchange;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty()) {
      // As much as may be one line: up to where the next begins.
      const size_t next = line.find(kBeginning, 1);
      if (reader.Read(line.substr(0, next), &exchange)) {
        ++counts->lines;
        take(exchange);
      } else {
        ++counts->poison;
      }
      line.remove_prefix(next == std::string_view::npos ? line.size() : next);
    }
  }
}

}  // namespace weir::ledger
