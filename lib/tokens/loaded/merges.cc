#include "tokens/loaded/merges.h"

#include <algorithm>

namespace weir::tokens {
namespace {

// Below this many symbols, looking at all of them for each merge is faster than a heap.
constexpr size_t kFew = 40;
constexpr uint32_t kNone = ~uint32_t{0};

}  // namespace

void Merges::Reserve(size_t merges) {
  size_t slots = 16;
  while (slots < merges * 2) slots *= 2;
  if (slots > slots_.size()) Rehash(slots);
}

void Merges::Rehash(size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  size_ = 0;
  for (const Slot& slot : old) {
    if (slot.merge.id != kNoToken) Add(slot.left, slot.right, slot.merge);
  }
}

void Merges::Add(uint32_t left, uint32_t right, Merge merge) {
  if ((size_ + 1) * 2 > slots_.size()) Rehash(slots_.empty() ? 16 : slots_.size() * 2);
  size_t at = HashOf(left, right) & (slots_.size() - 1);
  while (slots_[at].merge.id != kNoToken &&
         (slots_[at].left != left || slots_[at].right != right)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  if (slots_[at].merge.id == kNoToken) ++size_;
  slots_[at] = {left, right, merge};
}

Merge Merges::Find(uint32_t left, uint32_t right) const {
  if (slots_.empty()) return kNoMerge;
  size_t at = HashOf(left, right) & (slots_.size() - 1);
  while (slots_[at].merge.id != kNoToken) {
    if (slots_[at].left == left && slots_[at].right == right) return slots_[at].merge;
    at = (at + 1) & (slots_.size() - 1);
  }
  return kNoMerge;
}

void Merges::Freeze(const std::vector<uint32_t>& symbols) {
  crossings_.assign(kCrossingBits / 64, 0);
  if (symbols.empty() || !FindEnds(symbols)) {
    crossings_.assign(kCrossingBits / 64, ~uint64_t{0});
  }
}

// The first and last symbol of every token that merging can make. A merge covers the boundary
// between the last symbol of its left part and the first of its right part. False when a token can
// be made of different symbols, or when the merges form a chain that is too long to follow.
bool Merges::FindEnds(const std::vector<uint32_t>& symbols) {
  struct Ends {
    uint32_t first = kNone, last = kNone;
    bool operator==(const Ends& other) const { return first == other.first && last == other.last; }
  };
  uint32_t largest = 0;
  for (const uint32_t symbol : symbols) largest = std::max(largest, symbol);
  std::vector<const Slot*> by_rank;
  by_rank.reserve(size_);
  for (const Slot& slot : slots_) {
    if (slot.merge.id == kNoToken) continue;
    by_rank.push_back(&slot);
    largest = std::max({largest, slot.left, slot.right, slot.merge.id});
  }
  std::sort(by_rank.begin(), by_rank.end(),
            [](const Slot* a, const Slot* b) { return a->merge.rank < b->merge.rank; });
  std::vector<Ends> ends(size_t{largest} + 1);
  for (const uint32_t symbol : symbols) ends[symbol] = {symbol, symbol};
  constexpr int kMaxRounds = 16;
  bool changed = true;
  for (int round = 0; changed; ++round) {
    if (round == kMaxRounds) return false;
    changed = false;
    for (const Slot* slot : by_rank) {
      const Ends left = ends[slot->left], right = ends[slot->right];
      if (left.first == kNone || right.first == kNone) continue;
      Ends& made = ends[slot->merge.id];
      const Ends now = {left.first, right.last};
      if (made == now) continue;
      if (made.first != kNone) return false;
      made = now;
      changed = true;
    }
  }
  for (const Slot* slot : by_rank) {
    const Ends left = ends[slot->left], right = ends[slot->right];
    if (left.first == kNone || right.first == kNone) continue;
    const size_t hash = HashOf(left.last, right.first) >> 43;
    crossings_[hash / 64] |= uint64_t{1} << (hash % 64);
  }
  return true;
}

void Merges::Apply(std::vector<uint32_t>* symbols, MergeScratch* scratch) const {
  if (symbols->size() < 2) return;
  if (symbols->size() <= kFew) {
    ApplyFew(symbols, scratch);
  } else {
    ApplyMany(symbols, scratch);
  }
}

void Merges::ApplyFew(std::vector<uint32_t>* symbols, MergeScratch* scratch) const {
  std::vector<uint32_t>& s = *symbols;
  std::vector<Merge>& merges = scratch->merges;  // merges[i] joins s[i] and s[i + 1]
  merges.resize(s.size() - 1);
  for (size_t i = 0; i + 1 < s.size(); ++i) merges[i] = Find(s[i], s[i + 1]);
  while (!merges.empty()) {
    size_t best = 0;
    for (size_t i = 1; i < merges.size(); ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].id == kNoToken) return;
    s[best] = merges[best].id;
    s.erase(s.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    merges.erase(merges.begin() + static_cast<std::ptrdiff_t>(best));
    if (best < merges.size()) merges[best] = Find(s[best], s[best + 1]);
    if (best > 0) merges[best - 1] = Find(s[best - 1], s[best]);
  }
}

void Merges::ApplyMany(std::vector<uint32_t>* symbols, MergeScratch* scratch) const {
  std::vector<uint32_t>& s = *symbols;
  auto& links = scratch->links;
  auto& heap = scratch->heap;
  const auto later = [](const MergeScratch::Candidate& a, const MergeScratch::Candidate& b) {
    return a.key > b.key;
  };
  const auto size = static_cast<uint32_t>(s.size());
  links.resize(size);
  heap.clear();
  for (uint32_t i = 0; i < size; ++i) {
    links[i] = {i == 0 ? kNone : i - 1, i + 1 == size ? kNone : i + 1};
    if (i + 1 == size) break;
    const Merge merge = Find(s[i], s[i + 1]);
    if (merge.id != kNoToken) heap.push_back({uint64_t{merge.rank} << 32 | i, merge.id});
  }
  std::make_heap(heap.begin(), heap.end(), later);
  const auto consider = [&](uint32_t at) {
    const Merge merge = Find(s[at], s[links[at].next]);
    if (merge.id == kNoToken) return;
    heap.push_back({uint64_t{merge.rank} << 32 | at, merge.id});
    std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    const MergeScratch::Candidate top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), later);
    heap.pop_back();
    const auto at = static_cast<uint32_t>(top.key);
    if (s[at] == kNoToken || links[at].next == kNone) continue;
    const uint32_t right = links[at].next;
    if (Find(s[at], s[right]).id != top.id) continue;  // merged in another way meanwhile
    s[at] = top.id;
    s[right] = kNoToken;
    links[at].next = links[right].next;
    if (links[at].next != kNone) {
      links[links[at].next].previous = at;
      consider(at);
    }
    if (links[at].previous != kNone) consider(links[at].previous);
  }
  s.erase(std::remove(s.begin(), s.end(), kNoToken), s.end());
}

}  // namespace weir::tokens
