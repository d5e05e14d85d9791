#include "tokens/builtin_specials.h"

#include <array>

namespace weir::tokens {
namespace {

constexpr SpecialToken kNamed[] = {
    {"<|startoftext|>", 199998}, {"<|endoftext|>", 199999}, {"<|return|>", 200002},
    {"<|constrain|>", 200003},   {"<|channel|>", 200005},   {"<|start|>", 200006},
    {"<|end|>", 200007},         {"<|message|>", 200008},   {"<|call|>", 200012},
    {"<|endofprompt|>", 200018},
};
constexpr uint32_t kFirstReserved = 200000, kEndReserved = 201088;

constexpr bool IsNamed(uint32_t id) {
  for (const SpecialToken& special : kNamed) {
    if (special.id == id) return true;
  }
  return false;
}

constexpr size_t CountReserved() {
  size_t count = 0;
  for (uint32_t id = kFirstReserved; id < kEndReserved; ++id) count += IsNamed(id) ? 0 : 1;
  return count;
}

// All of them, with the texts of the reserved ones.
class Harmony {
 public:
  constexpr Harmony() {
    size_t at = 0;
    for (const SpecialToken& special : kNamed) specials_[at++] = special;
    for (uint32_t id = kFirstReserved; id < kEndReserved; ++id) {
      if (IsNamed(id)) continue;
      char* text = texts_[at - std::size(kNamed)].data();
      constexpr std::string_view kBefore = "<|reserved_", kAfter = "|>";
      size_t size = 0;
      for (const char c : kBefore) text[size++] = c;
      for (uint32_t place = 100000; place > 0; place /= 10) {
        text[size++] = static_cast<char>('0' + id / place % 10);
      }
      for (const char c : kAfter) text[size++] = c;
      specials_[at++] = {{text, size}, id};
    }
  }
  constexpr absl::Span<const SpecialToken> specials() const { return specials_; }

 private:
  static constexpr size_t kTextBytes = sizeof("<|reserved_200000|>");
  std::array<SpecialToken, std::size(kNamed) + CountReserved()> specials_ = {};
  std::array<std::array<char, kTextBytes>, CountReserved()> texts_ = {};
};

}  // namespace

absl::Span<const SpecialToken> HarmonySpecials() {
  static const Harmony harmony;
  return harmony.specials();
}

}  // namespace weir::tokens
