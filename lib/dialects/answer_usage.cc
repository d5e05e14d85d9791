#include "dialects/answer_usage.h"

#include <algorithm>
#include <string_view>

#include "absl/types/span.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;
using Count = std::optional<uint64_t>;

struct Field {
  std::string_view key;
  Number Numbers::*number;
};

constexpr Field kPromptDetails[] = {
    {"cached_tokens", &Numbers::cache_read},
    {"cache_write_tokens", &Numbers::cache_write},
    {"cache_creation_tokens", &Numbers::cache_write},
    {"audio_tokens", &Numbers::audio_input},
};
constexpr Field kCompletionDetails[] = {
    {"reasoning_tokens", &Numbers::reasoning},
    {"audio_tokens", &Numbers::audio_output},
    {"accepted_prediction_tokens", &Numbers::accepted},
    {"rejected_prediction_tokens", &Numbers::rejected},
};
constexpr Field kAnthropicDetails[] = {{"thinking_tokens", &Numbers::reasoning}};
constexpr Field kAnthropic[] = {
    {"input_tokens", &Numbers::input},
    {"output_tokens", &Numbers::output},
    {"cache_read_input_tokens", &Numbers::cache_read},
    {"cache_creation_input_tokens", &Numbers::cache_write},
};
constexpr Field kGemini[] = {
    {"promptTokenCount", &Numbers::input},       {"candidatesTokenCount", &Numbers::output},
    {"totalTokenCount", &Numbers::total},        {"cachedContentTokenCount", &Numbers::cache_read},
    {"thoughtsTokenCount", &Numbers::reasoning}, {"toolUsePromptTokenCount", &Numbers::tool_prompt},
};
// Converse, and the metrics of an invocation.
constexpr Field kBedrock[] = {
    {"inputTokens", &Numbers::input},
    {"inputTokenCount", &Numbers::input},
    {"outputTokens", &Numbers::output},
    {"outputTokenCount", &Numbers::output},
    {"totalTokens", &Numbers::total},
    {"cacheReadInputTokens", &Numbers::cache_read},
    {"cacheReadInputTokenCount", &Numbers::cache_read},
    {"cacheWriteInputTokens", &Numbers::cache_write},
    {"cacheWriteInputTokenCount", &Numbers::cache_write},
    {"prompt_token_count", &Numbers::input},  // Llama
    {"generation_token_count", &Numbers::output},
    {"inputTextTokenCount", &Numbers::input},  // Titan
    {"totalOutputTextTokenCount", &Numbers::output},
};
// What compatible servers state at the top of `usage`, where they have no details.
constexpr Field kLooseCacheCounts[] = {
    {"prompt_cache_hit_tokens", &Numbers::cache_read},  // DeepSeek
    {"cached_tokens", &Numbers::cache_read},
    {"cache_read_input_tokens", &Numbers::cache_read},
    {"cache_creation_input_tokens", &Numbers::cache_write},
};

bool States(Value value) { return value && !value.Is(Type::kNull); }

// The members of `object` that `fields` names. False when it should have been an object and is
// something else.
bool ReadFields(Value object, absl::Span<const Field> fields, Numbers* numbers) {
  if (!States(object)) return true;
  if (!object.Is(Type::kObject)) return false;
  for (Value member : object.members()) {
    for (const Field& field : fields) {
      if (member.key() == field.key && States(member)) (numbers->*field.number).Read(member);
    }
  }
  return true;
}

void ReadDetails(Value object, absl::Span<const Field> fields, Numbers* numbers) {
  for (const Field& field : fields) (numbers->*field.number).Clear();
  if (!ReadFields(object, fields, numbers)) numbers->junk = true;
}

// The sum, when every addend that is stated is good; an unknown one adds nothing.
Count Sum(const Number& whole, std::initializer_list<const Number*> beside, bool* anomaly) {
  if (!whole.good()) return std::nullopt;
  uint64_t sum = whole.value();
  for (const Number* number : beside) {
    if (number->bad()) return std::nullopt;  // and flagged where all bad ones are
    if (number->good()) sum += number->value();
  }
  if (sum <= kMaxTokens) return sum;
  *anomaly = true;
  return std::nullopt;
}

// `part` inside `room`, which is what is left of its whole.
Count Part(const Number& part, const Count& room, bool* anomaly) {
  if (!part.good() || !room) return std::nullopt;
  if (part.value() <= *room) return part.value();
  *anomaly = true;
  return room;
}

bool TotalSaysBeside(const Numbers& numbers) {
  const bool stated = numbers.input.good() && numbers.output.good() && numbers.total.good() &&
                      numbers.reasoning.good() && numbers.reasoning.value() != 0;
  return stated && numbers.total.value() ==
                       numbers.input.value() + numbers.output.value() + numbers.reasoning.value();
}

}  // namespace

void Number::Read(Value value) {
  if (!States(value)) {
    value_ = kAbsent;
    return;
  }
  const std::optional<uint64_t> stated = value.Uint();
  value_ = stated && *stated <= kMaxTokens ? *stated : kBad;
}

Usage Numbers::Canonical(const Convention& convention) const {
  Usage usage;
  usage.anomaly = junk;
  for (const Number* number : {&input, &output, &total, &cache_read, &cache_write, &tool_prompt,
                               &reasoning, &audio_input, &audio_output, &accepted, &rejected}) {
    usage.anomaly = usage.anomaly || number->bad();
  }
  const Number nothing;
  const bool cache = convention.cache_beside;
  usage.prompt =
      Sum(input, {&tool_prompt, cache ? &cache_read : &nothing, cache ? &cache_write : &nothing},
          &usage.anomaly);
  Number written = output;
  // A thinking model that has said nothing yet: its thoughts are all there is.
  if (convention.reasoning_beside && written.absent() && reasoning.good()) written.Set(0);
  usage.reasoning_was_beside = convention.total_tells && TotalSaysBeside(*this);
  const bool beside = convention.reasoning_beside || usage.reasoning_was_beside;
  usage.completion = Sum(written, {beside ? &reasoning : &nothing}, &usage.anomaly);

  usage.cached = Part(cache_read, usage.prompt, &usage.anomaly);
  Count uncached = usage.prompt;
  if (usage.cached) *uncached -= *usage.cached;
  usage.cache_write = Part(cache_write, uncached, &usage.anomaly);
  usage.audio_prompt = Part(audio_input, usage.prompt, &usage.anomaly);
  usage.reasoning = Part(reasoning, usage.completion, &usage.anomaly);
  usage.audio_completion = Part(audio_output, usage.completion, &usage.anomaly);
  usage.accepted_prediction = Part(accepted, usage.completion, &usage.anomaly);
  usage.rejected_prediction = Part(rejected, usage.completion, &usage.anomaly);
  usage.reported_total = total.get();
  return usage;
}

Numbers ReadOpenAiNumbers(Value usage) {
  Numbers numbers;
  if (!States(usage)) return numbers;
  numbers.junk = !usage.Is(Type::kObject);
  Number input, output;
  for (Value member : usage.members()) {
    const std::string_view key = member.key();
    if (key == "prompt_tokens") {
      numbers.input.Read(member);
    } else if (key == "completion_tokens") {
      numbers.output.Read(member);
    } else if (key == "input_tokens") {
      input.Read(member);
    } else if (key == "output_tokens") {
      output.Read(member);
    } else if (key == "total_tokens") {
      numbers.total.Read(member);
    } else if (key == "prompt_tokens_details" || key == "input_tokens_details") {
      ReadDetails(member, kPromptDetails, &numbers);
    } else if (key == "completion_tokens_details" || key == "output_tokens_details") {
      ReadDetails(member, kCompletionDetails, &numbers);
    }
  }
  if (numbers.input.absent()) numbers.input = input;
  if (numbers.output.absent()) numbers.output = output;
  Numbers loose;
  if (!numbers.junk) ReadFields(usage, kLooseCacheCounts, &loose);
  if (numbers.cache_read.absent()) numbers.cache_read = loose.cache_read;
  if (numbers.cache_write.absent()) numbers.cache_write = loose.cache_write;
  return numbers;
}

void ReadAnthropicNumbers(Value usage, Numbers* numbers) {
  if (!ReadFields(usage, kAnthropic, numbers)) numbers->junk = true;
  if (!ReadFields(usage["output_tokens_details"], kAnthropicDetails, numbers)) {
    numbers->junk = true;
  }
}

// A number that grows as the stream goes on: of a field the largest counts, in whatever order the
// chunks come. One that cannot be drops the field until it is stated again.
void ReadGeminiNumbers(Value usage, Numbers* numbers) {
  Numbers stated;
  if (!ReadFields(usage, kGemini, &stated)) numbers->junk = true;
  for (const Field& field : kGemini) {
    Number& known = numbers->*field.number;
    const Number& now = stated.*field.number;
    if (now.good() && known.good()) {
      known.Set(std::max(known.value(), now.value()));
    } else if (!now.absent()) {
      known = now;
    }
  }
}

void ReadBedrockNumbers(Value usage, Numbers* numbers) {
  if (!ReadFields(usage, kBedrock, numbers)) numbers->junk = true;
}

bool IsConsistent(const Usage& usage) {
  const auto within = [](const Count& part, const Count& whole) {
    return !part || (whole && *part <= *whole);
  };
  for (const Count& count : {usage.prompt, usage.completion, usage.reported_total}) {
    if (count && *count > kMaxTokens) return false;
  }
  const uint64_t from_caches = usage.cached.value_or(0) + usage.cache_write.value_or(0);
  return within(usage.cached, usage.prompt) && within(usage.cache_write, usage.prompt) &&
         (from_caches == 0 || from_caches <= usage.prompt.value_or(0)) &&
         within(usage.audio_prompt, usage.prompt) && within(usage.reasoning, usage.completion) &&
         within(usage.audio_completion, usage.completion) &&
         within(usage.accepted_prediction, usage.completion) &&
         within(usage.rejected_prediction, usage.completion);
}

}  // namespace weir::dialects
