// What is kept of an answer, as bytes.
//
// version (1); model; usage: which of its members are there (a bit for each, 10 numbers and 2
// flags), and the numbers; how many choices; of each: reason, stop sequence, text. Numbers are in
// base 128, low digits first, the high bit says that more follow, as short as can be; strings are
// their length and their bytes. One answer has one form.

#include <array>

#include "base/text.h"
#include "weir/replay.h"

namespace weir::dialects {
namespace {

constexpr char kVersion = 1;
constexpr size_t kMaxTextBytes = kMaxBodyBytes;

constexpr std::array<std::optional<uint64_t> Usage::*, 10> kCounts = {
    &Usage::prompt,           &Usage::completion,          &Usage::cached,
    &Usage::cache_write,      &Usage::reasoning,           &Usage::audio_prompt,
    &Usage::audio_completion, &Usage::accepted_prediction, &Usage::rejected_prediction,
    &Usage::reported_total,
};
constexpr uint64_t kAnomaly = uint64_t{1} << kCounts.size();
constexpr uint64_t kBeside = kAnomaly << 1;

void PutNumber(uint64_t number, std::string* out) {
  for (; number >= 0x80; number >>= 7) out->push_back(static_cast<char>(0x80 | (number & 0x7F)));
  out->push_back(static_cast<char>(number));
}

void PutString(std::string_view text, std::string* out) {
  PutNumber(text.size(), out);
  out->append(text);
}

// Takes what is written from the front of the bytes; once something is wrong, nothing more.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_(bytes) {}

  uint64_t Number(uint64_t most) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 63 && !bytes_.empty(); shift += 7) {
      const auto digit = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      number |= uint64_t{digit & 0x7Fu} << shift;
      if ((digit & 0x80) != 0) continue;
      const bool shortest = digit != 0 || shift == 0;
      return shortest && number <= most ? number : Fail();
    }
    return Fail();
  }

  std::string String(size_t most) {
    const uint64_t size = Number(most);
    if (size > bytes_.size() || FindInvalidUtf8(bytes_.substr(0, size)) != std::string_view::npos) {
      Fail();
      return {};
    }
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  uint64_t Fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace

std::string KeptAnswer::Serialize() const {
  size_t size = 128 + model.size();
  for (const KeptChoice& choice : choices) {
    size += 16 + choice.text.size() + choice.finish_reason.size() + choice.stop_sequence.size();
  }
  std::string out;
  out.reserve(size);
  out.push_back(kVersion);
  PutString(model, &out);
  uint64_t present = (usage.anomaly ? kAnomaly : 0) | (usage.reasoning_was_beside ? kBeside : 0);
  for (size_t i = 0; i < kCounts.size(); ++i) {
    if (usage.*kCounts[i]) present |= uint64_t{1} << i;
  }
  PutNumber(present, &out);
  for (const auto count : kCounts) {
    if (usage.*count) PutNumber(*(usage.*count), &out);
  }
  PutNumber(choices.size(), &out);
  for (const KeptChoice& choice : choices) {
    PutString(choice.finish_reason, &out);
    PutString(choice.stop_sequence, &out);
    PutString(choice.text, &out);
  }
  return out;
}

absl::StatusOr<KeptAnswer> KeptAnswer::Parse(std::string_view bytes) {
  const absl::Status broken = absl::InvalidArgumentError("not a kept answer of this version");
  if (bytes.empty() || bytes.front() != kVersion) return broken;
  Taker taker(bytes.substr(1));
  KeptAnswer answer;
  answer.model = taker.String(kMaxKeptWordBytes);
  const uint64_t present = taker.Number(2 * kBeside - 1);
  answer.usage.anomaly = (present & kAnomaly) != 0;
  answer.usage.reasoning_was_beside = (present & kBeside) != 0;
  for (size_t i = 0; i < kCounts.size(); ++i) {
    if ((present >> i & 1) != 0) answer.usage.*kCounts[i] = taker.Number(kMaxTokens);
  }
  const uint64_t choices = taker.Number(kMaxKeptChoices);
  for (uint64_t i = 0; i < choices && taker.ok(); ++i) {
    KeptChoice& choice = answer.choices.emplace_back();
    choice.finish_reason = taker.String(kMaxKeptWordBytes);
    choice.stop_sequence = taker.String(kMaxKeptWordBytes);
    choice.text = taker.String(kMaxTextBytes);
    if (choice.finish_reason.empty() || choice.text.empty()) return broken;
  }
  if (!taker.ok() || !taker.at_end() || choices == 0 || !IsConsistent(answer.usage)) return broken;
  return answer;
}

std::string_view NotKeptName(NotKept reason) {
  switch (reason) {
    case NotKept::kNothing:
      return "nothing";
    case NotKept::kIncomplete:
      return "incomplete";
    case NotKept::kError:
      return "error";
    case NotKept::kFinishReason:
      return "finish_reason";
    case NotKept::kToolCall:
      return "tool_call";
    case NotKept::kRefusal:
      return "refusal";
    case NotKept::kReasoning:
      return "reasoning";
    case NotKept::kUnknownContent:
      return "unknown_content";
    case NotKept::kUnreadable:
      return "unreadable";
    case NotKept::kEmpty:
      return "empty";
    case NotKept::kTooLarge:
      return "too_large";
    case NotKept::kDialect:
      return "dialect";
  }
  return "unknown";
}

}  // namespace weir::dialects
