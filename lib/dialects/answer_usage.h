// The numbers of a `usage` as a provider states them, and what they come to: Usage.

#ifndef WEIR_LIB_DIALECTS_ANSWER_USAGE_H_
#define WEIR_LIB_DIALECTS_ANSWER_USAGE_H_

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "weir/usage.h"

namespace weir::dialects {

// A stated count: absent (or null), good, or bad: one that cannot be. One word, for a stream that
// waits holds nine of them.
class Number {
 public:
  void Read(json::Value value);
  void Set(uint64_t value) { value_ = value; }
  void Clear() { value_ = kAbsent; }

  bool absent() const { return value_ == kAbsent; }
  bool bad() const { return value_ == kBad; }
  bool good() const { return value_ <= kMaxTokens; }
  uint64_t value() const { return value_; }  // of a good one
  std::optional<uint64_t> get() const {
    return good() ? std::optional<uint64_t>(value_) : std::nullopt;
  }

 private:
  static constexpr uint64_t kAbsent = ~uint64_t{0};
  static constexpr uint64_t kBad = kAbsent - 1;
  uint64_t value_ = kAbsent;
};

// Whether a dialect states parts inside their whole, as Usage does, or beside it.
struct Convention {
  bool cache_beside = false;      // the prompt is input + cache_read + cache_write
  bool reasoning_beside = false;  // the completion is output + reasoning
  bool total_tells = false;       // OpenAI: reasoning beside when only so the total is right
};

struct Numbers {
  Number input, output, total;
  Number cache_read, cache_write, tool_prompt;  // tool_prompt: always beside
  Number reasoning, audio_input, audio_output, accepted, rejected;
  bool junk = false;  // something that should hold numbers was of another type

  bool StatesTokens() const { return input.good() || output.good() || total.good(); }
  Usage Canonical(const Convention& convention) const;
};

// OpenAI's shapes: of chat completions (prompt_tokens …) and of responses (input_tokens …), with
// what compatible servers add. Null and absent state nothing.
Numbers ReadOpenAiNumbers(json::Value usage);
// The members that `usage` has are read into `numbers`, the others stay as they are.
void ReadAnthropicNumbers(json::Value usage, Numbers* numbers);
void ReadGeminiNumbers(json::Value usage, Numbers* numbers);
void ReadBedrockNumbers(json::Value usage, Numbers* numbers);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_ANSWER_USAGE_H_
