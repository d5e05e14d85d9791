// 64 bytes of text at once: which of them are what, one bit a byte.

#ifndef WEIR_LIB_TOKENS_BYTE_MASKS_H_
#define WEIR_LIB_TOKENS_BYTE_MASKS_H_

#include <cstddef>
#include <cstdint>

namespace weir::tokens {

inline constexpr size_t kWindowBytes = 64;

// Bit i is byte i. A byte of ASCII is in one of the first five, or in none: then it is punctuation
// or a control character. The last three single out bytes that the rules name.
struct ByteMasks {
  uint64_t upper, lower, number, space, newline;
  uint64_t multi_byte;  // not ASCII
  uint64_t lead;        // begins a character of two bytes or more …
  uint64_t lead3;       // … of three or more
  uint64_t lead4;       // … of four
  uint64_t blank;       // ' '
  uint64_t apostrophe;
  uint64_t slash;
};

// Sets the masks of bytes[0 … 63]. By AVX-512, AVX2 or a table, as the processor has it; all say
// the same.
using MasksFunction = void (*)(const char* bytes, ByteMasks* masks);
MasksFunction FastestMasks();

// Each by itself, for tests; null where the processor has it not.
struct MasksVariants {
  MasksFunction table, avx2, avx512;
};
MasksVariants AllMasksVariants();

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_BYTE_MASKS_H_
