// Running a pattern. pattern_compiler.cc makes it.

#include "tokens/loaded/pattern.h"

#include <algorithm>

namespace weir::tokens {

bool PatternMatcher::Next(size_t* begin, size_t* end) {
  while (position_ < text_.size()) {
    if (MatchAt(position_, end)) {
      *begin = position_;
      position_ = *end;
      return true;
    }
    position_ += At(position_).bytes;
  }
  return false;
}

bool PatternMatcher::MatchAt(size_t start, size_t* end) {
  if (start >= base_ + failed_.size()) {
    base_ = start;
    failed_.clear();
  }
  retreats_.clear();
  uint16_t node = pattern_.start_;
  size_t position = start;
  while (node != Pattern::kAccept) {
    const PatternNode& n = pattern_.nodes_[node];
    bool ok = true;
    switch (n.kind) {
      case PatternNode::Kind::kAtom:
        ok = EnterAtom(node, &position);
        if (ok) node = n.next;
        break;
      case PatternNode::Kind::kSplit: {
        const PatternChoice& choice = pattern_.choices_[n.choice];
        uint64_t open = choice.at_end;
        if (position < text_.size()) {
          const auto byte = static_cast<unsigned char>(text_[position]);
          open = byte < 0x80 ? choice.by_ascii[byte] : choice.by_other;
        }
        ok = EnterSplit(node, position, open, &node);
        break;
      }
      case PatternNode::Kind::kJoin:
        ok = n.slot < 0 || !Failed(n.slot, position);
        if (ok && n.slot >= 0) {
          retreats_.push_back({Retreat::Kind::kFailed, node, position, position, 0});
        }
        if (ok) node = n.next;
        break;
      default:
        ok = Holds(n, position);
        if (ok) node = n.next;
    }
    if (!ok && !Back(&node, &position)) return false;
  }
  *end = position;
  return true;
}

bool PatternMatcher::Holds(const PatternNode& node, size_t position) const {
  const bool at_end = position >= text_.size();
  switch (node.kind) {
    case PatternNode::Kind::kAhead:
      return !at_end && pattern_.sets_[node.set].Has(At(position).value);
    case PatternNode::Kind::kNotAhead:
      return at_end || !pattern_.sets_[node.set].Has(At(position).value);
    case PatternNode::Kind::kEndOfLine:
      return at_end || text_[position] == '\n';
    default:
      return at_end;
  }
}

bool PatternMatcher::EnterSplit(uint16_t index, size_t position, uint64_t choices, uint16_t* node) {
  if (choices == 0) return false;
  const PatternChoice& choice = pattern_.choices_[pattern_.nodes_[index].choice];
  *node = choice.targets[static_cast<size_t>(__builtin_ctzll(choices))];
  choices &= choices - 1;
  if (choices != 0) {
    retreats_.push_back({Retreat::Kind::kChoice, index, position, position, choices});
  }
  return true;
}

// An unlimited atom is its `min` characters, then a run that is entered at `low`. "Failed" is said
// of entering the run; so of a position that has failed, all that could follow has failed too, and
// the run need not go on to there.
bool PatternMatcher::EnterAtom(uint16_t index, size_t* position) {
  const PatternNode& n = pattern_.nodes_[index];
  const CharSet& set = pattern_.sets_[n.set];
  const bool unlimited = n.max == Pattern::kUnlimited;
  if (n.slot >= 0 && !unlimited) {
    if (Failed(n.slot, *position)) return false;
    retreats_.push_back({Retreat::Kind::kFailed, index, *position, *position, 0});
  }
  size_t at = *position;
  uint32_t count = 0;
  for (; count < n.min; ++count) {
    if (at >= text_.size()) return false;
    const CodePoint c = At(at);
    if (!set.Has(c.value)) return false;
    at += c.bytes;
  }
  const size_t low = at;
  const bool remembers = n.slot >= 0 && unlimited;
  if (remembers && Failed(n.slot, low)) return false;
  bool failed = false;
  for (; count < n.max && at < text_.size(); ++count) {
    const CodePoint c = At(at);
    if (!set.Has(c.value)) break;
    if (remembers && Failed(n.slot, at + c.bytes)) {
      failed = true;
      break;
    }
    at += c.bytes;
  }
  if (n.possessive) {
    if (remembers) {
      retreats_.push_back({Retreat::Kind::kFailedRun, index, at, low, 0});
      if (failed) return false;
    }
  } else if (n.gives_back && (remembers || at > low)) {
    retreats_.push_back({Retreat::Kind::kGiveBack, index, at, low, 0});
  }
  *position = at;
  return true;
}

bool PatternMatcher::Back(uint16_t* node, size_t* position) {
  while (!retreats_.empty()) {
    Retreat& retreat = retreats_.back();
    const PatternNode& n = pattern_.nodes_[retreat.node];
    switch (retreat.kind) {
      case Retreat::Kind::kChoice: {
        const Retreat copy = retreat;
        retreats_.pop_back();
        *position = copy.position;
        return EnterSplit(copy.node, copy.position, copy.choices, node);
      }
      case Retreat::Kind::kGiveBack: {
        if (n.slot >= 0 && n.max == Pattern::kUnlimited) SetFailed(n.slot, retreat.position);
        if (retreat.position <= retreat.low) break;
        do --retreat.position;
        while (IsContinuationByte(text_[retreat.position]));
        *position = retreat.position;
        *node = n.next;
        return true;
      }
      case Retreat::Kind::kFailed:
        SetFailed(n.slot, retreat.position);
        break;
      case Retreat::Kind::kFailedRun:
        for (size_t i = retreat.low; i <= retreat.position; ++i) SetFailed(n.slot, i);
        break;
    }
    retreats_.pop_back();
  }
  return false;
}

void PatternMatcher::SetFailed(int8_t slot, size_t position) {
  const size_t i = position - base_;
  if (i >= failed_.size()) failed_.resize(i + 1, 0);
  failed_[i] = static_cast<uint16_t>(failed_[i] | 1u << slot);
}

}  // namespace weir::tokens
