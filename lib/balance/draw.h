// Weighted draws in constant time, by Walker's alias method as Vose builds it.
//
// Drawing takes no lock, so that it may be done while waiting for one. A table that is being filled
// anew meanwhile may give any of its members: whoever draws looks afterwards whether that one is
// still to be had.

#ifndef WEIR_LIB_BALANCE_DRAW_H_
#define WEIR_LIB_BALANCE_DRAW_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "balance/rendezvous.h"

namespace weir::balance {

// `a` if `first`, else `b`, with no branch: for what falls like a coin.
inline uint32_t Select(bool first, uint32_t a, uint32_t b) {
  return b ^ ((a ^ b) & (0 - uint32_t{first}));
}

class AliasTable {
 public:
  explicit AliasTable(uint32_t capacity)
      : cells_(std::make_unique<std::atomic<uint64_t>[]>(size_t{capacity} + 1)) {}

  // From now on draws members[i] by weights[i]. One thread at a time.
  void Fill(const std::vector<uint32_t>& members, const std::vector<uint32_t>& weights) {
    const uint64_t size = members.size();
    uint64_t total = 0;
    for (const uint32_t weight : weights) total += weight;
    // Each cell holds `total` of a stuff of which a member has weight * size.
    std::vector<uint64_t> left(size);
    std::vector<uint32_t> small;
    std::vector<uint32_t> large;
    for (uint32_t i = 0; i < size; ++i) {
      left[i] = weights[i] * size;
      (left[i] < total ? small : large).push_back(i);
    }
    for (const uint32_t i : large) Set(i, UINT32_MAX, members[i], members[i]);
    while (!small.empty() && !large.empty()) {
      const uint32_t poor = small.back();
      const uint32_t rich = large.back();
      small.pop_back();
      Set(poor, static_cast<uint32_t>((left[poor] << 32) / total), members[poor], members[rich]);
      left[rich] -= total - left[poor];
      if (left[rich] >= total) continue;
      large.pop_back();
      small.push_back(rich);
      Set(rich, UINT32_MAX, members[rich], members[rich]);
    }
    if (size > 0) cells_[size].store(cells_[0].load(std::memory_order_relaxed), kRelaxed);
    size_.store(size, kRelaxed);
  }

  // `random`: 32 random bits.
  uint32_t Draw(uint64_t random) const {
    const uint64_t scaled = random * size_.load(kRelaxed);
    const uint64_t cell = cells_[scaled >> 32].load(kRelaxed);
    return Select((scaled & UINT32_MAX) < cell >> 32, Own(cell), Other(cell));
  }

  // Another than `one` where there are two.
  uint32_t DrawOther(uint64_t random, uint32_t one) const {
    const uint64_t scaled = random * size_.load(kRelaxed);
    const uint64_t cell = cells_[scaled >> 32].load(kRelaxed);
    const uint32_t next = Own(cells_[(scaled >> 32) + 1].load(kRelaxed));
    const uint32_t drawn = Select((scaled & UINT32_MAX) < cell >> 32, Own(cell), Other(cell));
    return Select(drawn == one, Select(Own(cell) == one, next, Own(cell)), drawn);
  }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  // A cell: how much of it is its own member's, of 2^32; that member; who has the rest.
  static uint32_t Own(uint64_t cell) { return static_cast<uint32_t>(cell >> 16 & 0xFFFF); }
  static uint32_t Other(uint64_t cell) { return static_cast<uint32_t>(cell & 0xFFFF); }
  void Set(uint32_t i, uint32_t share, uint32_t own, uint32_t other) {
    cells_[i].store(uint64_t{share} << 32 | uint64_t{own} << 16 | other, kRelaxed);
  }

  std::unique_ptr<std::atomic<uint64_t>[]> cells_;  // and the first once more
  std::atomic<uint64_t> size_{0};
};

// Random numbers for any thread. Two threads at once may be given the same one, which does no harm
// to draws.
class Draws {
 public:
  void Start(uint64_t seed) {
    state_.store(seed, std::memory_order_relaxed);
    Next();
  }
  // 64 bits. What comes next is made ready while this one is used.
  uint64_t Next() {
    const uint64_t next = next_.load(std::memory_order_relaxed);
    const uint64_t state = state_.load(std::memory_order_relaxed) + 0x9E3779B97F4A7C15u;
    state_.store(state, std::memory_order_relaxed);
    next_.store(Mix(state), std::memory_order_relaxed);
    return next;
  }

 private:
  std::atomic<uint64_t> state_{0}, next_{0};
};

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_DRAW_H_
