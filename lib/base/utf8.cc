#include "base/utf8.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "base/cpu.h"
#include "base/text.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir {
namespace {

bool IsUtf8Portable(std::string_view text) {
  return FindInvalidUtf8(text) == std::string_view::npos;
}

#if defined(__x86_64__)

// After Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte" (2020). Every
// mistake shows in two neighbouring bytes, already in three of their four nibbles; it is a product
// of three sets of nibbles and has a bit. A vector look-up for each nibble gives the bits of the
// mistakes that the nibble allows, and those that all three allow are there. One thing takes a look
// further back: whether a third or fourth byte has to continue.
struct Mistake {
  unsigned first_high, first_low, second_high;  // a bit for each nibble
};

constexpr unsigned From(unsigned least, unsigned most) { return (2u << most) - (1u << least); }
constexpr unsigned kAny = From(0x0, 0xF), kContinuation = From(0x8, 0xB);
constexpr unsigned k3Bytes = From(0xE, 0xE), k4Bytes = From(0xF, 0xF);

constexpr Mistake kMistakes[8] = {
    {From(0xC, 0xF), kAny, kAny & ~kContinuation},               // cut off
    {From(0x0, 0x7), kAny, kContinuation},                       // continues ASCII
    {From(0xC, 0xC), From(0x0, 0x1), kContinuation},             // overlong, below U+0080
    {k3Bytes, From(0x0, 0x0), From(0x8, 0x9)},                   // overlong, below U+0800
    {k3Bytes, From(0xD, 0xD), From(0xA, 0xB)},                   // a surrogate
    {k4Bytes, From(0x0, 0x0) | From(0x5, 0xF), From(0x8, 0x8)},  // below U+10000, or no lead
    {k4Bytes, From(0x4, 0xF), From(0x9, 0xB)},                   // above U+10FFFF, or no lead
    {kContinuation, kAny, kContinuation},                        // continues twice: see below
};
constexpr char kContinuesTwice = static_cast<char>(0x80);  // the bit of the last

// Four times over, for the look-up works in each 16 bytes of a vector.
using Table = std::array<uint8_t, 64>;
constexpr Table MakeTable(unsigned Mistake::*nibbles) {
  Table table = {};
  for (size_t i = 0; i < table.size(); ++i) {
    for (size_t bit = 0; bit < std::size(kMistakes); ++bit) {
      if ((kMistakes[bit].*nibbles >> (i & 15) & 1) != 0) {
        table[i] = static_cast<uint8_t>(table[i] | 1u << bit);
      }
    }
  }
  return table;
}
alignas(64) constexpr Table kFirstHigh = MakeTable(&Mistake::first_high);
alignas(64) constexpr Table kFirstLow = MakeTable(&Mistake::first_low);
alignas(64) constexpr Table kSecondHigh = MakeTable(&Mistake::second_high);

// The greatest bytes that a block may end on: a lead above has not enough after it.
constexpr Table MakeLastAllowed() {
  Table bytes = {};
  for (uint8_t& byte : bytes) byte = 0xFF;
  bytes[61] = 0xEF;
  bytes[62] = 0xDF;
  bytes[63] = 0xBF;
  return bytes;
}
alignas(64) constexpr Table kLastAllowed = MakeLastAllowed();

__attribute__((target("avx2"))) inline __m256i Load256(const void* bytes) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(bytes));
}

// Not zero where the block, which stands after `before`, has a mistake.
__attribute__((target("avx2"))) inline __m256i Mistakes256(__m256i before, __m256i block) {
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  const __m256i middle = _mm256_permute2x128_si256(before, block, 0x21);
  const __m256i back1 = _mm256_alignr_epi8(block, middle, 15);
  const __m256i back2 = _mm256_alignr_epi8(block, middle, 14);
  const __m256i back3 = _mm256_alignr_epi8(block, middle, 13);
  const __m256i first_high = _mm256_shuffle_epi8(
      Load256(kFirstHigh.data()), _mm256_and_si256(_mm256_srli_epi16(back1, 4), nibble));
  const __m256i first_low =
      _mm256_shuffle_epi8(Load256(kFirstLow.data()), _mm256_and_si256(back1, nibble));
  const __m256i second_high = _mm256_shuffle_epi8(
      Load256(kSecondHigh.data()), _mm256_and_si256(_mm256_srli_epi16(block, 4), nibble));
  const __m256i found = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
  // The high bit where a third or a fourth byte is due: just there two continuations are right.
  const __m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8(0xE0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8(0xF0 - 0x80));
  const __m256i due =
      _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(kContinuesTwice));
  return _mm256_xor_si256(found, due);
}

__attribute__((target("avx2"))) bool IsUtf8ByAvx2(std::string_view text) {
  const __m256i last_allowed = Load256(kLastAllowed.data() + 32);
  __m256i before = _mm256_setzero_si256(), wrong = _mm256_setzero_si256();
  const auto check = [&](__m256i block) __attribute__((target("avx2"))) {
    wrong = _mm256_or_si256(wrong, _mm256_movemask_epi8(block) == 0
                                       ? _mm256_subs_epu8(before, last_allowed)
                                       : Mistakes256(before, block));
    before = block;
  };
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= 64; at += 64, left -= 64) {
    const __m256i low = Load256(at), high = Load256(at + 32);
    if (_mm256_movemask_epi8(_mm256_or_si256(low, high)) == 0) {
      wrong = _mm256_or_si256(wrong, _mm256_subs_epu8(before, last_allowed));
      before = high;
    } else {
      check(low);
      check(high);
    }
  }
  char tail[96] = {};  // with NULs after it, so that a character cut off shows
  if (left != 0) std::memcpy(tail, at, left);
  for (size_t i = 0; i <= left; i += 32) check(Load256(tail + i));
  return _mm256_testz_si256(wrong, wrong) != 0;
}

#define WEIR_AVX512 __attribute__((target("avx512bw,avx512vbmi")))

// The bytes that stand `back` before those of the block.
WEIR_AVX512 inline __m512i Back512(__m512i before, __m512i block, char back) {
  alignas(64) static constexpr Table kPlaces = [] {
    Table places = {};
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<uint8_t>(64 + i);
    return places;
  }();
  const __m512i places = _mm512_sub_epi8(_mm512_load_si512(kPlaces.data()), _mm512_set1_epi8(back));
  return _mm512_permutex2var_epi8(before, places, block);
}

WEIR_AVX512 inline __m512i Mistakes512(__m512i before, __m512i block) {
  const __m512i nibble = _mm512_set1_epi8(0x0F);
  const __m512i back1 = Back512(before, block, 1);
  const __m512i first_high = _mm512_shuffle_epi8(
      _mm512_load_si512(kFirstHigh.data()), _mm512_and_si512(_mm512_srli_epi16(back1, 4), nibble));
  const __m512i first_low =
      _mm512_shuffle_epi8(_mm512_load_si512(kFirstLow.data()), _mm512_and_si512(back1, nibble));
  const __m512i second_high = _mm512_shuffle_epi8(
      _mm512_load_si512(kSecondHigh.data()), _mm512_and_si512(_mm512_srli_epi16(block, 4), nibble));
  const __m512i found = _mm512_and_si512(_mm512_and_si512(first_high, first_low), second_high);
  const __m512i third = _mm512_subs_epu8(Back512(before, block, 2), _mm512_set1_epi8(0xE0 - 0x80));
  const __m512i fourth = _mm512_subs_epu8(Back512(before, block, 3), _mm512_set1_epi8(0xF0 - 0x80));
  const __m512i due =
      _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8(kContinuesTwice));
  return _mm512_xor_si512(found, due);
}

WEIR_AVX512 bool IsUtf8ByAvx512(std::string_view text) {
  const __m512i last_allowed = _mm512_load_si512(kLastAllowed.data());
  __m512i before = _mm512_setzero_si512(), wrong = _mm512_setzero_si512();
  const auto check = [&](__m512i block) WEIR_AVX512 {
    wrong = _mm512_or_si512(wrong, _mm512_movepi8_mask(block) == 0
                                       ? _mm512_subs_epu8(before, last_allowed)
                                       : Mistakes512(before, block));
    before = block;
  };
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= 64; at += 64, left -= 64) check(_mm512_loadu_si512(at));
  // With NULs after it, so that a character cut off shows; what is masked out is not read.
  check(_mm512_maskz_loadu_epi8((uint64_t{1} << left) - 1, at));
  return _mm512_test_epi8_mask(wrong, wrong) == 0;
}

#undef WEIR_AVX512

#endif

}  // namespace

IsUtf8Variants AllIsUtf8Variants() {
#if defined(__x86_64__)
  return {IsUtf8Portable, CpuHasAvx2() ? IsUtf8ByAvx2 : nullptr,
          CpuHasAvx512() ? IsUtf8ByAvx512 : nullptr};
#else
  return {IsUtf8Portable, nullptr, nullptr};
#endif
}

bool IsUtf8(std::string_view text) {
  static const IsUtf8Function fastest = [] {
    const IsUtf8Variants variants = AllIsUtf8Variants();
    if (variants.avx512 != nullptr) return variants.avx512;
    return variants.avx2 != nullptr ? variants.avx2 : variants.portable;
  }();
  return fastest(text);
}

}  // namespace weir
