#include "tokens/long_piece.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weir::tokens {
namespace {

// Where a piece ends is known when so many bytes follow: a contraction and a character more.
constexpr size_t kLookAheadBytes = 8;
// Not taken: the characters that a rule may look at again, or give back.
constexpr size_t kHeldBytes = 2 * kLookAheadBytes;

constexpr ClassSet kBlanks = Set(kSpace, kNewline);
constexpr ClassSet kCapitals = Set(kUpper, kLetter, kMark);

Char CharOf(std::string_view text, size_t at) {
  return CharAt(text.data() + at, text.data() + text.size());
}

// Of the character that ends before `at`.
CharClass ClassBefore(std::string_view text, size_t at) {
  size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && IsContinuation(static_cast<unsigned char>(text[begin]))) {
    --begin;
  }
  return CharOf(text.substr(0, at), begin).char_class;
}

// The last place at or before `at` that is not within a character.
size_t CharacterBegin(std::string_view text, size_t at) {
  size_t begin = at;
  while (begin > 0 && at - begin < 4 && IsContinuation(static_cast<unsigned char>(text[begin]))) {
    --begin;
  }
  return at - begin < 4 ? begin : at;
}

size_t Skip(std::string_view text, size_t at, ClassSet set) {
  while (at < text.size()) {
    const Char c = CharOf(text, at);
    if (!In(set, c.char_class)) break;
    at += c.bytes;
  }
  return at;
}

template <Pattern kPattern>
size_t FirstPieceEnd(std::string_view text) {
  Pretokenizer<kPattern> pieces(text);
  return pieces.Next() ? pieces.piece().size() : 0;
}

}  // namespace

void PartsMerger::Clear() {
  pending_.clear();
  kept_.clear();
  total_ = 0;
}

void PartsMerger::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t room = kSectionBytes - std::min(kSectionBytes - 1, pending_.size());
    pending_.append(bytes.substr(0, room));
    bytes.remove_prefix(std::min(room, bytes.size()));
    if (pending_.size() >= kSectionBytes) MergeSection(/*is_last=*/false);
  }
}

size_t PartsMerger::Total() const {
  if (pending_.empty()) return total_;
  PartsMerger ended = *this;
  ended.MergeSection(/*is_last=*/true);
  return ended.total_;
}

void PartsMerger::MergeSection(bool is_last) {
  constexpr size_t kGivenUp = 6;
  LongPieceMerger merger;
  std::vector<uint32_t> ids;
  for (;;) {
    ids.clear();
    MergePiece(*table_, pending_, &merger, &ids);
    if (kept_.empty() || GoTogether(kept_.back(), ids.front())) break;
    pending_.insert(0, table_->TokenBytes(kept_.back()));
    kept_.pop_back();
    --total_;
  }
  const size_t taken = is_last ? ids.size() : ids.size() - std::min(kGivenUp, ids.size() - 1);
  total_ += taken;
  pending_.clear();
  for (size_t i = taken; i < ids.size(); ++i) pending_.append(table_->TokenBytes(ids[i]));
  kept_.insert(kept_.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(taken));
  if (kept_.size() > kKeptTokens) kept_.erase(kept_.begin(), kept_.end() - kKeptTokens);
}

bool PartsMerger::GoTogether(uint32_t left, uint32_t right) const {
  std::string both(table_->TokenBytes(left));
  both.append(table_->TokenBytes(right));
  LongPieceMerger merger;
  std::vector<uint32_t> ids;
  MergePiece(*table_, both, &merger, &ids);
  return ids.size() == 2 && ids[0] == left && ids[1] == right;
}

template <Pattern kPattern>
typename LongPiece<kPattern>::Part LongPiece<kPattern>::Read(std::string_view text) const {
  Part part;
  part.bytes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Char c = CharOf(text, at);
    if (c.ill_formed) {
      part.bytes.append("\xEF\xBF\xBD");
    } else {
      part.bytes.append(text.substr(at, c.bytes));
    }
    (at == 0 ? part.first : part.rest) |= Set(c.char_class);
    if (IsTurn(c.char_class)) part.turn = part.bytes.size();
    at += c.bytes;
  }
  return part;
}

// A piece tells by its characters which rule made it. The first may be a word's leading one.
template <Pattern kPattern>
typename LongPiece<kPattern>::Kind LongPiece<kPattern>::KindOf(const Part& part) {
  const auto has = [&part](ClassSet set) { return ((part.first | part.rest) & set) != 0; };
  if (has(kLetters)) return Kind::kWord;
  if (has(Set(kNumber))) return Kind::kNumber;
  if ((part.rest & Set(kOther)) != 0) return Kind::kPunctuation;
  if (has(Set(kMark))) {
    return kPattern == Pattern::kO200k ? Kind::kWord : Kind::kPunctuation;
  }
  return part.first == Set(kOther) ? Kind::kPunctuation : Kind::kBlank;
}

// Whether the piece may turn out to have ended before its last character.
template <Pattern kPattern>
bool LongPiece<kPattern>::HasTurns() const {
  if (kind_ == Kind::kBlank) return kPattern != Pattern::kR50k;
  return kind_ == Kind::kWord && kPattern == Pattern::kO200k && !is_late_;
}

template <Pattern kPattern>
bool LongPiece<kPattern>::IsTurn(CharClass char_class) const {
  return kind_ == Kind::kBlank ? char_class == kNewline : In(Set(kLetter, kMark), char_class);
}

template <Pattern kPattern>
std::string LongPiece<kPattern>::StandIn() const {
  if (whole_.empty()) return "";
  switch (kind_) {
    case Kind::kNumber:
      return "1";
    case Kind::kPunctuation:
      return is_late_ ? "!\n" : "!!";
    case Kind::kBlank: {
      const std::string turn = has_turn_ ? "\n" : "";
      return has_turn_ && after_.empty() ? turn : turn + "  ";
    }
    case Kind::kWord: {
      if (!HasTurns()) return "a";
      const std::string turn = has_turn_ ? "\u4E2D" : "";
      return has_turn_ && after_.empty() ? turn : turn + "A";
    }
    case Kind::kUnknown:
      break;
  }
  return "";
}

template <Pattern kPattern>
void LongPiece<kPattern>::Feed(std::string_view text) {
  const Part part = Read(text);
  const std::string_view bytes = part.bytes;
  const ClassSet all = part.first | part.rest;
  if (kind_ == Kind::kWord && (all & Set(kLower)) != 0) is_late_ = true;
  if (kind_ == Kind::kPunctuation && (all & Set(kNewline)) != 0) is_late_ = true;
  if (!HasTurns()) {
    has_turn_ = false;
    whole_.Append(bytes);
    return;
  }
  if (part.turn != 0) {
    whole_.Append(bytes.substr(0, part.turn));
    has_turn_ = true;
    until_turn_ = whole_.Total();
    after_.Clear();
  }
  whole_.Append(bytes.substr(part.turn));
  if (has_turn_) after_.Append(bytes.substr(part.turn));
}

// It is known now that the piece ended at its last turn; what came after it is another one.
template <Pattern kPattern>
void LongPiece<kPattern>::EndAtTurn() {
  settled_ += until_turn_;
  std::swap(whole_, after_);
  after_.Clear();
  has_turn_ = false;
}

// Up to where `view`, whose first piece ends at `end`, must be seen to know that it does.
template <Pattern kPattern>
size_t LongPiece<kPattern>::DecidedAt(std::string_view view, size_t end) const {
  if (kind_ == Kind::kBlank) return Skip(view, end, kBlanks);
  const bool is_late = Skip(view.substr(0, end), 0, ~Set(kLower)) < end;
  return HasTurns() && !is_late ? Skip(view, end, kCapitals) : end;
}

template <Pattern kPattern>
size_t LongPiece<kPattern>::Take(std::string_view text) {
  for (;;) {
    const std::string stand_in = StandIn();
    const std::string view = Concat({stand_in, text});
    const size_t end = FirstPieceEnd<kPattern>(view);
    if (kind_ == Kind::kUnknown) kind_ = KindOf(Read(text.substr(0, end)));
    if (DecidedAt(view, end) + kLookAheadBytes > view.size()) break;
    if (has_turn_ && end <= stand_in.size()) {
      EndAtTurn();
      ended_ = whole_.empty();
      if (ended_) return 0;
      continue;
    }
    const size_t taken = end - stand_in.size();
    Feed(text.substr(0, taken));
    settled_ += whole_.Total();
    whole_.Clear();
    has_turn_ = false;
    ended_ = true;
    return taken;
  }
  // No end is in sight.
  if (text.size() <= kHeldBytes) return 0;
  const size_t taken = CharacterBegin(text, text.size() - kHeldBytes);
  Feed(text.substr(0, taken));
  return taken;
}

template <Pattern kPattern>
size_t LongPiece<kPattern>::Total(std::string_view text) const {
  LongPiece last = *this;
  if (has_turn_ || !whole_.empty()) {
    size_t from_stand_in = last.StandIn().size();
    size_t end = FirstPieceEnd<kPattern>(Concat({last.StandIn(), text}));
    if (last.has_turn_ && end <= from_stand_in) {
      last.EndAtTurn();
      from_stand_in = last.StandIn().size();
      end = FirstPieceEnd<kPattern>(Concat({last.StandIn(), text}));
    }
    if (!last.whole_.empty()) {
      last.Feed(text.substr(0, end - from_stand_in));
      text.remove_prefix(end - from_stand_in);
    }
  }
  return last.settled_ + last.whole_.Total() + tokenizer_.Count(text);
}

template <Pattern kPattern>
size_t FinalPieces(std::string_view text) {
  // What is cut off by itself must be cut the same: a blank that stood alone for what follows it
  // would join those before it.
  constexpr ClassSet kMayJoin = kPattern == Pattern::kR50k ? kBlanks : Set(kSpace);
  Pretokenizer<kPattern> pieces(text);
  size_t final = 0;
  for (size_t end = 0; pieces.Next();) {
    end += pieces.piece().size();
    const CharClass last = ClassBefore(text, end);
    const ClassSet undecided = In(kBlanks, last) ? kBlanks : In(kCapitals, last) ? kCapitals : 0;
    if (Skip(text, end, undecided) + kLookAheadBytes > text.size()) break;
    if (!In(kMayJoin, last)) final = end;
  }
  return final;
}

template class LongPiece<Pattern::kR50k>;
template class LongPiece<Pattern::kCl100k>;
template class LongPiece<Pattern::kO200k>;

template size_t FinalPieces<Pattern::kR50k>(std::string_view);
template size_t FinalPieces<Pattern::kCl100k>(std::string_view);
template size_t FinalPieces<Pattern::kO200k>(std::string_view);

}  // namespace weir::tokens
