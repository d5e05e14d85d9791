// Small texts, kept one behind the other: one block for many, and each stays where it is until all
// are given up.

#ifndef WEIR_LIB_BASE_TEXT_ARENA_H_
#define WEIR_LIB_BASE_TEXT_ARENA_H_

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "weir/recycling.h"

namespace weir {

class TextArena {
 public:
  TextArena() = default;
  ~TextArena() { Clear(); }
  TextArena(TextArena&& other) noexcept : last_(std::exchange(other.last_, nullptr)) {}
  TextArena& operator=(TextArena&& other) noexcept {
    std::swap(last_, other.last_);
    return *this;
  }
  TextArena(const TextArena&) = delete;
  TextArena& operator=(const TextArena&) = delete;

  // Room for a text of so many bytes.
  char* Room(size_t bytes) {
    if (last_ == nullptr || last_->capacity - last_->used < bytes) Grow(bytes);
    char* room = reinterpret_cast<char*>(last_ + 1) + last_->used;
    last_->used += bytes;
    return room;
  }

  std::string_view Keep(std::string_view text) {
    if (text.empty()) return {};
    return {static_cast<char*>(std::memcpy(Room(text.size()), text.data(), text.size())),
            text.size()};
  }

  void Clear() { GiveUp(std::exchange(last_, nullptr)); }

  // Gives the texts up, but keeps one block for those that come.
  void Reuse() {
    if (last_ == nullptr) return;
    GiveUp(std::exchange(last_->before, nullptr));
    last_->used = 0;
  }

 private:
  struct Block {
    Block* before;
    size_t capacity;
    size_t used;
    // the texts
  };
  static constexpr size_t kFirstBytes = 512;
  static constexpr size_t kMostBytes = 4096;

  static void GiveUp(Block* last) {
    while (last != nullptr) {
      Block* before = last->before;
      recycling::Give(last, sizeof(Block) + last->capacity);
      last = before;
    }
  }

  void Grow(size_t bytes) {
    const size_t usual = last_ == nullptr
                             ? kFirstBytes
                             : std::min(2 * (sizeof(Block) + last_->capacity), kMostBytes);
    const size_t size = std::max(usual, sizeof(Block) + bytes);
    last_ = ::new (recycling::Take(size)) Block{last_, size - sizeof(Block), 0};
  }

  Block* last_ = nullptr;
};

}  // namespace weir

#endif  // WEIR_LIB_BASE_TEXT_ARENA_H_
