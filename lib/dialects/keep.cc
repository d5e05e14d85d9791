#include "dialects/keep.h"

#include <algorithm>
#include <utility>

namespace weir::dialects {

using json::Type;
using json::Value;

namespace {

NotKept ReasonOf(TextKind kind) {
  switch (kind) {
    case TextKind::kContent:
      return NotKept::kNothing;
    case TextKind::kRefusal:
      return NotKept::kRefusal;
    case TextKind::kReasoning:
      return NotKept::kReasoning;
    case TextKind::kToolName:
    case TextKind::kToolArguments:
      break;
  }
  return NotKept::kToolCall;
}

}  // namespace

bool Keeper::SeeEvent(std::string_view name, Value event) {
  if (reason_ != NotKept::kNothing) return false;
  if (ended_) {
    Refuse(NotKept::kUnknownContent);
    return false;
  }
  turned_ = false;
  in_event_.reset();
  Refuse(JudgeEvent(name, event));
  return turned_;
}

void Keeper::SeeBody(Value body) {
  if (reason_ == NotKept::kNothing) Refuse(JudgeBody(body));
}

void Keeper::SeeEnd() {
  if (!finishes_) return;
  finishes_ = false;
  for (Choice& choice : choices_) choice.closed = !choice.kept.finish_reason.empty();
}

void Keeper::Refuse(NotKept reason) {
  if (reason == NotKept::kNothing || reason_ != NotKept::kNothing) return;
  reason_ = reason;
  std::vector<Choice>().swap(choices_);
  finishes_ = false;
}

NotKept Keeper::Take(const Answer& answer, KeptAnswer* kept) {
  if (!body_ended_) return reason_ == NotKept::kNothing ? NotKept::kIncomplete : reason_;
  if (answer.failed()) Refuse(NotKept::kError);
  const auto finished = [](const Choice& choice) { return choice.closed; };
  const auto silent = [](const Choice& choice) { return choice.kept.text.empty(); };
  const bool ended = ended_ || !has_last_event();
  if (!ended || choices_.empty() || !std::all_of(choices_.begin(), choices_.end(), finished)) {
    Refuse(NotKept::kIncomplete);
  }
  if (std::any_of(choices_.begin(), choices_.end(), silent)) Refuse(NotKept::kEmpty);
  if (reason_ != NotKept::kNothing) return reason_;
  kept->model = answer.model();
  kept->usage = answer.usage();
  kept->choices.clear();
  kept->choices.reserve(choices_.size());
  for (Choice& choice : choices_) kept->choices.push_back(std::move(choice.kept));
  Refuse(NotKept::kIncomplete);  // it was taken
  return NotKept::kNothing;
}

NotKept Keeper::SeeChoice(uint32_t choice, Value reason,
                          std::initializer_list<std::string_view> normal) {
  Choice* at = At(choice);
  if (at == nullptr) return NotKept::kTooLarge;
  if (in_event_[choice]) return NotKept::kUnknownContent;
  in_event_.set(choice);
  if (IsEmpty(reason)) return NotKept::kNothing;
  const std::string_view word = reason.text();
  const bool known =
      reason.Is(Type::kString) && std::find(normal.begin(), normal.end(), word) != normal.end();
  if (!known) return dialects::ReasonOf(word, NotKept::kFinishReason);
  std::string& stated = at->kept.finish_reason;
  if (!stated.empty() && stated != word) return NotKept::kUnknownContent;
  stated = word;
  finishes_ = true;
  return NotKept::kNothing;
}

std::string_view Keeper::text() const {
  return choices_.empty() ? std::string_view() : choices_.front().kept.text;
}

NotKept Keeper::SetStopSequence(Value text) {
  if (!text.Is(Type::kString)) return NotKept::kNothing;
  if (text.text().size() > kMaxKeptWordBytes) return NotKept::kTooLarge;
  if (Choice* choice = At(0)) choice->kept.stop_sequence = text.text();
  return NotKept::kNothing;
}

void Keeper::SeeText(const TextPiece& piece) {
  if (reason_ == NotKept::kNothing) Refuse(Keep(piece));
}

NotKept Keeper::Keep(const TextPiece& piece) {
  const NotKept other = ReasonOf(piece.kind);
  if (other != NotKept::kNothing) return other;
  Choice* choice = At(piece.choice);
  if (choice == nullptr) return NotKept::kTooLarge;
  if (choice->closed || !MayWrite(piece.part)) return NotKept::kUnknownContent;
  if (piece.text.size() > max_bytes_ - bytes_) return NotKept::kTooLarge;
  bytes_ += piece.text.size();
  choice->kept.text.append(piece.text);
  return NotKept::kNothing;
}

// Those before it have begun as well; they will have to finish.
Keeper::Choice* Keeper::At(uint32_t choice) {
  if (choice >= kMaxKeptChoices) return nullptr;
  if (choice >= choices_.size()) choices_.resize(choice + 1);
  return &choices_[choice];
}

std::unique_ptr<Keeper> MakeKeeper(Dialect dialect, Operation operation, BodyKind kind,
                                   size_t max_bytes) {
  if (operation == Operation::kEmbeddings) return nullptr;
  const bool json = kind == BodyKind::kJson;
  if (dialect == Dialect::kBedrock) {
    const bool known = json || kind == BodyKind::kEventStream;
    return known ? MakeConverseKeeper(max_bytes) : nullptr;
  }
  if (!json && kind != BodyKind::kSse) return nullptr;
  if (dialect == Dialect::kAnthropic) return MakeMessagesKeeper(max_bytes);
  if (dialect == Dialect::kGemini) return MakeGeminiKeeper(max_bytes);
  return operation == Operation::kResponses ? MakeResponsesKeeper(max_bytes)
                                            : MakeChatKeeper(operation, max_bytes);
}

}  // namespace weir::dialects
