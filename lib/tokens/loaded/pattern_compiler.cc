// Pattern::Compile: what the parser read becomes a graph, from its end to its beginning.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/text.h"
#include "tokens/loaded/pattern_parser.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxNodes = 4096;
constexpr int kMaxSlots = 16;  // the bits of PatternMatcher::failed_

}  // namespace

class PatternCompiler {
 public:
  explicit PatternCompiler(Pattern* pattern) : pattern_(pattern) {}

  absl::Status Compile(std::string_view source, RegexFlavour flavour) {
    PatternParser parser(source, flavour);
    if (absl::Status status = parser.Parse(); !status.ok()) return status;
    pattern_->sets_ = std::move(parser.sets);
    std::vector<uint16_t> targets;
    for (const auto& alternative : parser.alternatives) {
      if (CanBeEmpty(alternative)) {
        return absl::InvalidArgumentError(Concat({"the pattern can match nothing: ", source}));
      }
      uint16_t next = Pattern::kAccept;
      for (size_t i = alternative.size(); i-- > 0;) next = AddItem(alternative[i], next, i == 0);
      targets.push_back(next);
    }
    pattern_->start_ = targets.size() == 1 ? targets[0] : AddSplit(std::move(targets));
    if (pattern_->nodes_.size() > kMaxNodes || slots_ > kMaxSlots) {
      return absl::UnimplementedError(Concat({"the pattern is too intricate: ", source}));
    }
    return absl::OkStatus();
  }

 private:
  static bool CanBeEmpty(const PatternAtom& atom) {
    return atom.kind != PatternNode::Kind::kAtom || atom.min == 0;
  }
  static bool CanBeEmpty(const std::vector<PatternAtom>& atoms) {
    return std::all_of(atoms.begin(), atoms.end(),
                       [](const PatternAtom& atom) { return CanBeEmpty(atom); });
  }
  static bool CanBeEmpty(const std::vector<PatternItem>& items) {
    return std::all_of(items.begin(), items.end(), [](const PatternItem& item) {
      if (item.group.empty()) return CanBeEmpty(item.atom);
      return item.optional || std::any_of(item.group.begin(), item.group.end(),
                                          [](const auto& atoms) { return CanBeEmpty(atoms); });
    });
  }

  // Whether what begins at `node` matches whatever comes.
  bool NeverFails(uint16_t node) const {
    while (node != Pattern::kAccept) {
      const PatternNode& n = pattern_->nodes_[node];
      const bool atom = n.kind == PatternNode::Kind::kAtom && n.min == 0;
      if (!atom && n.kind != PatternNode::Kind::kJoin) return false;
      node = n.next;
    }
    return true;
  }

  uint16_t Add(const PatternNode& node) {
    if (pattern_->nodes_.size() <= kMaxNodes) pattern_->nodes_.push_back(node);
    return static_cast<uint16_t>(pattern_->nodes_.size() - 1);
  }

  // `first`: at the beginning of an alternative of the whole, where it is entered once in a search.
  uint16_t AddAtom(const PatternAtom& atom, uint16_t next, bool first) {
    PatternNode node;
    node.kind = atom.kind;
    node.set = atom.set;
    node.min = atom.min;
    node.max = atom.max;
    node.next = next;
    const bool varies = atom.min != atom.max && !NeverFails(next);
    node.possessive = atom.possessive;
    node.gives_back = varies && !atom.possessive;
    if (varies && (atom.max == Pattern::kUnlimited || !first)) node.slot = TakeSlot();
    return Add(node);
  }

  uint16_t AddItem(const PatternItem& item, uint16_t next, bool first) {
    if (item.group.empty()) return AddAtom(item.atom, next, first);
    PatternNode join;
    join.kind = PatternNode::Kind::kJoin;
    join.next = next;
    if (!NeverFails(next)) join.slot = TakeSlot();
    const uint16_t joined = Add(join);
    std::vector<uint16_t> targets;
    for (const auto& atoms : item.group) {
      uint16_t node = joined;
      for (size_t i = atoms.size(); i-- > 0;) node = AddAtom(atoms[i], node, first && i == 0);
      targets.push_back(node);
    }
    if (item.optional) targets.push_back(joined);
    return AddSplit(std::move(targets));
  }

  uint16_t AddSplit(std::vector<uint16_t> targets) {
    PatternChoice choice;
    for (size_t i = 0; i < targets.size(); ++i) AddFirst(targets[i], uint64_t{1} << i, &choice);
    choice.targets = std::move(targets);
    PatternNode node;
    node.kind = PatternNode::Kind::kSplit;
    node.choice = static_cast<uint16_t>(pattern_->choices_.size());
    pattern_->choices_.push_back(std::move(choice));
    return Add(node);
  }

  // Adds `bit` for each character with which what begins at `node` may begin.
  void AddFirst(uint16_t node, uint64_t bit, PatternChoice* choice) const {
    while (node != Pattern::kAccept) {
      const PatternNode& n = pattern_->nodes_[node];
      if (n.kind == PatternNode::Kind::kAtom) {
        const CharSet& set = pattern_->sets_[n.set];
        for (unsigned char c = 0; c < 0x80; ++c) {
          if (set.HasAscii(c)) choice->by_ascii[c] |= bit;
        }
        if (set.MayHaveOther()) choice->by_other |= bit;
        if (n.min != 0) return;
      } else if (n.kind == PatternNode::Kind::kSplit) {
        const PatternChoice& inner = pattern_->choices_[n.choice];
        for (size_t c = 0; c < inner.by_ascii.size(); ++c) {
          if (inner.by_ascii[c] != 0) choice->by_ascii[c] |= bit;
        }
        if (inner.by_other != 0) choice->by_other |= bit;
        if (inner.at_end != 0) choice->at_end |= bit;
        return;
      } else if (n.kind != PatternNode::Kind::kJoin) {
        break;  // a look-ahead: anything
      }
      node = n.next;
    }
    for (uint64_t& open : choice->by_ascii) open |= bit;
    choice->by_other |= bit;
    choice->at_end |= bit;
  }

  int8_t TakeSlot() { return static_cast<int8_t>(std::min(slots_++, kMaxSlots)); }

  Pattern* pattern_;
  int slots_ = 0;
};

absl::StatusOr<Pattern> Pattern::Compile(std::string_view source, RegexFlavour flavour) {
  Pattern pattern;
  if (absl::Status status = PatternCompiler(&pattern).Compile(source, flavour); !status.ok()) {
    return status;
  }
  return pattern;
}

}  // namespace weir::tokens
