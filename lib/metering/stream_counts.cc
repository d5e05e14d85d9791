#include "metering/stream_counts.h"

#include <algorithm>

#include "base/saturating.h"

namespace weir::metering {
namespace {

using dialects::TextKind;
using dialects::TextPiece;

// Rather too many than too few: English has four bytes to a token, Chinese three.
constexpr uint64_t kBytesPerToken = 3;

// A counter keeps the word that it is in, however long, and with a tokenizer that cannot tell where
// one ends, all of the text. So that an endless text takes no endless memory, it is counted in
// parts: large ones, if only an absurd text comes to it.
constexpr uint64_t kPartBytes = uint64_t{1} << 20;
constexpr uint64_t kSmallPartBytes = uint64_t{64} << 10;

}  // namespace

// Ends its text, or this part of it.
void StreamCounts::Close(Open* open) {
  closed_ += open->counter.Total();
  open->counter = tokens::Counter(*tokenizer_);
  open->bytes = 0;
  seams_ = true;
}

bool StreamCounts::KeepsAllText() const {
  return tokenizer_->StableBytes("one word, and another one, and so on and on, and no end") == 0;
}

void StreamCounts::Text(const TextPiece& piece) {
  text_bytes_ += piece.text.size();
  only_content_ = only_content_ && piece.kind == TextKind::kContent;
  if (tokenizer_ == nullptr) return;
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
      open_.push_back({piece.choice, piece.part, 0, piece.kind, tokens::Counter(*tokenizer_)});
    }
  }
  Open& now = open_.back();
  now.counter.Append(piece.text);
  now.bytes += static_cast<uint32_t>(std::min<uint64_t>(piece.text.size(), kPartBytes));
  if (now.bytes >= kPartBytes || (now.bytes >= kSmallPartBytes && KeepsAllText())) Close(&now);
}

uint64_t StreamCounts::Total() const {
  if (tokenizer_ == nullptr) return CeilDiv(text_bytes_, kBytesPerToken);
  uint64_t total = closed_;
  for (const Open& open : open_) total += open.counter.Total();
  return total;
}

}  // namespace weir::metering
