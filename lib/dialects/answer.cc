#include "dialects/answer.h"

#include <utility>

#include "base/text.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr size_t kMaxNameBytes = 256;
constexpr size_t kMaxErrorBytes = 512;

std::string Bounded(std::string_view text, size_t limit) {
  return std::string(text.substr(0, Utf8Prefix(text, limit)));
}

std::string ErrorText(Value value) {
  const bool plain = value.Is(Type::kString) || value.Is(Type::kNumber);
  return plain ? Bounded(value.text(), kMaxErrorBytes) : std::string();
}

}  // namespace

void Answer::Text(uint32_t choice, TextKind kind, uint32_t part, Value text) {
  if (!text.Is(Type::kString) || text.text().empty()) return;
  ++event_->pieces;
  event_->piece = {choice, kind, part, text.text()};
  event_->text = text;
  sink_->Text(event_->piece);
}

void Answer::Object(uint32_t choice, TextKind kind, uint32_t part, Value object) {
  if (!object.Is(Type::kObject) || object.size() == 0) return;
  ++event_->pieces;
  event_->text = {};
  sink_->Text({choice, kind, part, object.source()});
}

void Answer::Model(Value model) {
  if (!model_.empty() || !model.Is(Type::kString) || model.text().empty()) return;
  model_ = model.text().substr(0, Utf8Prefix(model.text(), kMaxNameBytes));
}

void Answer::SeeChoice(uint32_t choice) {
  if (choice >= kMaxChoices || choices_seen_[choice]) return;
  choices_seen_.set(choice);
  choices_open_.set(choice);
}

void Answer::Choice(uint32_t choice, Value index, Value reason) {
  ++event_->choices;
  event_->index = index;
  SeeChoice(choice);
  // Gemini's libraries may write the reason as the number of its enumerator.
  const bool finished = (reason.Is(Type::kString) && !reason.text().empty()) ||
                        (reason.Is(Type::kNumber) && reason.text() != "0");
  if (!finished) return;
  event_->more = true;
  if (finish_reason_ == nullptr) finish_reason_ = std::make_unique<KeptText>();
  finish_reason_->text = reason.text().substr(0, Utf8Prefix(reason.text(), kMaxNameBytes));
  if (choice < kMaxChoices) choices_open_.reset(choice);
}

void Answer::Done() {
  if (event_ != nullptr) event_->more = true;
  done_ = true;
}

void Answer::SeeErrorEvent() {
  if (event_ != nullptr) event_->more = true;
  failed_ = true;
}

bool Answer::Error(Value error) {
  if (error.Is(Type::kString) && !error.text().empty()) {
    ErrorOf("", error.text());
    return true;
  }
  if (!error.Is(Type::kObject)) return false;
  SeeErrorEvent();
  if (error_ != nullptr) return true;
  error_ = std::make_unique<AnswerError>();
  error_->type = ErrorText(error["type"] ? error["type"] : error["status"]);
  error_->code = ErrorText(error["code"]);
  error_->message = ErrorText(error["message"]);
  return true;
}

void Answer::ErrorOf(std::string_view type, std::string_view message) {
  SeeErrorEvent();
  if (error_ != nullptr) return;
  error_ = std::make_unique<AnswerError>();
  error_->type = Bounded(type, kMaxErrorBytes);
  error_->message = Bounded(message, kMaxErrorBytes);
}

void Answer::ReplaceNumbers(const Numbers& numbers) {
  event_->more = true;
  anomaly_ = anomaly_ || numbers.Canonical(convention_).anomaly;
  if (numbers.StatesTokens()) *KeptNumbersOf() = numbers;
}

Numbers* Answer::MergeNumbers() {
  event_->more = true;
  // What was wrong and is stated anew leaves its flag.
  anomaly_ = usage().anomaly;
  return KeptNumbersOf();
}

Numbers* Answer::KeptNumbersOf() {
  if (numbers_ == nullptr) numbers_ = std::make_unique<KeptNumbers>();
  return numbers_.get();
}

Usage Answer::usage() const {
  Usage usage;
  if (numbers_ != nullptr) usage = numbers_->Canonical(convention_);
  usage.anomaly = usage.anomaly || anomaly_;
  return usage;
}

uint32_t IndexOr(Value index, uint32_t otherwise) {
  const std::optional<uint64_t> stated = index.Uint();
  return stated && *stated <= UINT32_MAX ? static_cast<uint32_t>(*stated) : otherwise;
}

const AnswerReader& ReaderOf(Dialect dialect, Operation operation) {
  switch (dialect) {
    case Dialect::kAnthropic:
      return kAnthropicMessages;
    case Dialect::kGemini:
      return kGeminiContent;
    case Dialect::kBedrock:
      return kBedrockAnswers;
    case Dialect::kOpenAi:
    case Dialect::kAzureOpenAi:
      break;
  }
  if (operation == Operation::kResponses) return kOpenAiResponses;
  return operation == Operation::kEmbeddings ? kOpenAiEmbeddings : kOpenAiChat;
}

BodyKind KindOf(std::string_view content_type) {
  const std::string_view type = TrimSpace(content_type.substr(0, content_type.find(';')));
  if (EqualsIgnoreCase(type, "text/event-stream")) return BodyKind::kSse;
  if (EqualsIgnoreCase(type, "application/vnd.amazon.eventstream")) return BodyKind::kEventStream;
  constexpr std::string_view kSuffix = "+json";
  const bool json = EqualsIgnoreCase(type, "application/json") ||
                    (type.size() > kSuffix.size() &&
                     EqualsIgnoreCase(type.substr(type.size() - kSuffix.size()), kSuffix));
  return json ? BodyKind::kJson : BodyKind::kOther;
}

}  // namespace weir::dialects
