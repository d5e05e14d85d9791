#include "metering/stream_counts.h"

#include <algorithm>
#include <bit>

#include "base/saturating.h"

namespace weir::metering {
namespace {

using dialects::TextKind;
using dialects::TextPiece;

// Rather too many than too few: English has four bytes to a token, Chinese three.
constexpr uint64_t kBytesPerToken = 3;

// A tokenizer that cannot tell where a word ends has its counter keep all of the text. So that an
// endless text takes no endless memory, it is counted in parts then.
constexpr size_t kMostKeptBytes = size_t{64} << 10;

bool IsCall(TextKind kind) {
  return kind == TextKind::kToolName || kind == TextKind::kToolArguments;
}

}  // namespace

// Ends its text, or this part of it.
void StreamCounts::Close(Open* open) {
  const uint64_t tokens = open->counter.Total();
  closed_ += tokens;
  if (IsCall(open->kind) && called_ != nullptr) called_->closed += tokens;
  open->counter = tokens::Counter(*tokenizer_);
  seams_ = true;
}

void StreamCounts::Note(const TextPiece& piece) {
  constexpr uint32_t kBits = 16;
  if (piece.kind == TextKind::kReasoning) {
    thinks_ = true;
    return;
  }
  if (piece.choice >= kBits) {
    more_choices_ = true;
    return;
  }
  const uint16_t bit = static_cast<uint16_t>(1u << piece.choice);
  if (!IsCall(piece.kind)) {
    writing_ |= bit;
    return;
  }
  calling_ |= bit;
  if (frame_.call == 0) return;
  if (called_ == nullptr) called_ = std::make_unique<Called>();
  std::vector<Calls>& choices = called_->choices;
  auto found = std::find_if(choices.begin(), choices.end(),
                            [&](const Calls& calls) { return calls.choice == piece.choice; });
  if (found == choices.end()) {
    choices.push_back({piece.choice, CallCounts(*tokenizer_)});
    found = choices.end() - 1;
  }
  found->counts.Append(piece);
}

void StreamCounts::Text(const TextPiece& piece) {
  text_bytes_ += piece.text.size();
  if (tokenizer_ == nullptr) return;
  Note(piece);
  const auto is_same = [&](const Open& open) {
    return open.choice == piece.choice && open.part == piece.part && open.kind == piece.kind;
  };
  if (open_.empty() || !is_same(open_.back())) {
    const auto found = std::find_if(open_.begin(), open_.end(), is_same);
    if (found != open_.end()) {
      std::rotate(found, found + 1, open_.end());
    } else {
      if (open_.size() == kMaxTexts) {
        Close(&open_.front());
        open_.erase(open_.begin());
      }
      open_.push_back({piece.choice, piece.part, piece.kind, tokens::Counter(*tokenizer_)});
    }
  }
  Open& now = open_.back();
  now.counter.Append(piece.text);
  if (now.counter.kept_bytes() >= kMostKeptBytes) Close(&now);
}

bool StreamCounts::KnowsAll() const {
  if (tokenizer_ == nullptr || more_choices_) return false;
  return called_ == nullptr || std::all_of(called_->choices.begin(), called_->choices.end(),
                                           [](const Calls& calls) { return calls.counts.whole(); });
}

uint64_t StreamCounts::Billed(uint64_t total, bool cut_short) const {
  uint64_t billed = total;
  if (!KnowsAll()) return billed;
  if (called_ != nullptr) {
    // Calls are counted anew, as the model wrote them.
    billed -= called_->closed;
    for (const Open& open : open_) billed -= IsCall(open.kind) ? open.counter.Total() : 0;
    for (const Calls& calls : called_->choices) billed += calls.counts.Billed(frame_);
  }
  const auto choices = [](unsigned bits) { return static_cast<uint64_t>(std::popcount(bits)); };
  billed += choices(writing_) * frame_.text;
  return billed + (cut_short ? 0 : choices(writing_ | calling_) * frame_.end);
}

bool StreamCounts::IsExact() const {
  // Of both text and calls in one choice too few bills were seen.
  const bool mixed = (writing_ & calling_) != 0;
  return frame_.texts_exact && (calling_ == 0 || frame_.calls_exact) && !mixed && !thinks_ &&
         !seams_ && KnowsAll();
}

uint64_t StreamCounts::Total() const {
  if (tokenizer_ == nullptr) return CeilDiv(text_bytes_, kBytesPerToken);
  uint64_t total = closed_;
  for (const Open& open : open_) total += open.counter.Total();
  return total;
}

}  // namespace weir::metering
