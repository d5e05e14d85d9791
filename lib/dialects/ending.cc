#include "dialects/ending.h"

#include <algorithm>

#include "base/text.h"

namespace weir::dialects {

using json::Type;
using json::Value;

namespace {

constexpr size_t kMaxRememberedBytes = 256;
constexpr size_t kMaxOpenBlocks = 64;

struct Part {
  std::string_view name;
  std::optional<uint64_t> tokens;
};

// {"name":{…}}: the parts that are known; nothing if none is.
void WriteParts(json::Writer* writer, std::string_view name, std::initializer_list<Part> parts) {
  const auto known = [](const Part& part) { return part.tokens.has_value(); };
  if (std::none_of(parts.begin(), parts.end(), known)) return;
  writer->Key(name).BeginObject();
  for (const Part& part : parts) {
    if (part.tokens) writer->Key(part.name).Uint(*part.tokens);
  }
  writer->EndObject();
}

}  // namespace

std::unique_ptr<Ending> MakeEnding(Dialect dialect, Operation operation, BodyKind kind) {
  if (operation == Operation::kEmbeddings) return nullptr;
  switch (dialect) {
    case Dialect::kAnthropic:
      return kind == BodyKind::kSse ? MakeMessagesEnding() : nullptr;
    case Dialect::kGemini:
      return kind == BodyKind::kSse || kind == BodyKind::kJson ? MakeGeminiEnding() : nullptr;
    case Dialect::kBedrock:
      return kind == BodyKind::kEventStream ? MakeBedrockEnding() : nullptr;
    default:
      break;
  }
  if (kind != BodyKind::kSse) return nullptr;
  return operation == Operation::kResponses ? MakeResponsesEnding() : MakeChatEnding(operation);
}

std::string Remembered(Value text) {
  if (!text.Is(Type::kString)) return {};
  return std::string(text.text().substr(0, Utf8Prefix(text.text(), kMaxRememberedBytes)));
}

bool OpenBlocks::Open(uint32_t index) {
  const bool open = std::find(indexes_.begin(), indexes_.end(), index) != indexes_.end();
  if (open || indexes_.size() == kMaxOpenBlocks) return false;
  indexes_.push_back(index);
  return true;
}

bool OpenBlocks::Close(uint32_t index) {
  const auto found = std::find(indexes_.begin(), indexes_.end(), index);
  if (found == indexes_.end()) return false;
  indexes_.erase(found);
  return true;
}

uint64_t InputBesideCaches(const Usage& usage) {
  const uint64_t prompt = usage.prompt.value_or(0);
  const uint64_t caches = usage.cached.value_or(0) + usage.cache_write.value_or(0);
  return prompt - std::min(prompt, caches);
}

void WriteOpenAiUsage(json::Writer* writer, const Usage& usage, bool responses) {
  const uint64_t prompt = usage.prompt.value_or(0);
  const uint64_t completion = usage.completion.value_or(0);
  const std::string_view in = responses ? "input_tokens" : "prompt_tokens";
  const std::string_view out = responses ? "output_tokens" : "completion_tokens";
  // Clients of responses require the details.
  const auto required = [&](const std::optional<uint64_t>& part) {
    return part || !responses ? part : std::optional<uint64_t>(0);
  };
  writer->BeginObject();
  writer->Key(in).Uint(prompt);
  WriteParts(writer, responses ? "input_tokens_details" : "prompt_tokens_details",
             {{"cached_tokens", required(usage.cached)},
              {"cache_write_tokens", usage.cache_write},
              {"audio_tokens", usage.audio_prompt}});
  writer->Key(out).Uint(completion);
  WriteParts(writer, responses ? "output_tokens_details" : "completion_tokens_details",
             {{"reasoning_tokens", required(usage.reasoning)},
              {"audio_tokens", usage.audio_completion},
              {"accepted_prediction_tokens", usage.accepted_prediction},
              {"rejected_prediction_tokens", usage.rejected_prediction}});
  writer->Key("total_tokens").Uint(prompt + completion);
  writer->EndObject();
}

}  // namespace weir::dialects
