#include "tokens/byte_masks.h"

#include <array>

#include "base/cpu.h"
#include "tokens/utf8_class.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir::tokens {
namespace {

// A bit for each mask that the class of a byte is enough for; bit 7 is free for "not ASCII".
enum ClassBit : uint8_t {
  kUpperBit = 1,
  kLowerBit = 2,
  kNumberBit = 4,
  kSpaceBit = 8,
  kNewlineBit = 16
};

constexpr std::array<uint8_t, 128> MakeClassBits() {
  std::array<uint8_t, 128> bits = {};
  for (size_t byte = 0; byte < bits.size(); ++byte) {
    switch (kByteClass[byte]) {
      case kUpper:
        bits[byte] = kUpperBit;
        break;
      case kLower:
        bits[byte] = kLowerBit;
        break;
      case kNumber:
        bits[byte] = kNumberBit;
        break;
      case kSpace:
        bits[byte] = kSpaceBit;
        break;
      case kNewline:
        bits[byte] = kNewlineBit;
        break;
      default:
        break;
    }
  }
  return bits;
}
alignas(64) constexpr std::array<uint8_t, 128> kClassBits = MakeClassBits();

void MasksByTable(const char* bytes, ByteMasks* masks) {
  *masks = {};
  for (size_t i = 0; i < kWindowBytes; ++i) {
    const unsigned char byte = static_cast<unsigned char>(bytes[i]);
    const uint64_t bits = byte < 0x80 ? kClassBits[byte] : 0;
    masks->upper |= (bits & 1) << i;
    masks->lower |= (bits >> 1 & 1) << i;
    masks->number |= (bits >> 2 & 1) << i;
    masks->space |= (bits >> 3 & 1) << i;
    masks->newline |= (bits >> 4 & 1) << i;
    masks->multi_byte |= static_cast<uint64_t>(byte >> 7) << i;
    masks->lead |= static_cast<uint64_t>(byte >= 0xC0) << i;
    masks->lead3 |= static_cast<uint64_t>(byte >= 0xE0) << i;
    masks->lead4 |= static_cast<uint64_t>(byte >= 0xF0) << i;
    masks->blank |= static_cast<uint64_t>(byte == ' ') << i;
    masks->apostrophe |= static_cast<uint64_t>(byte == '\'') << i;
    masks->slash |= static_cast<uint64_t>(byte == '/') << i;
  }
}

#if defined(__x86_64__)

__attribute__((target("avx512bw,avx512vbmi"))) void MasksByAvx512(const char* bytes,
                                                                  ByteMasks* masks) {
  const __m512i text = _mm512_loadu_si512(bytes);
  const __m512i low = _mm512_load_si512(kClassBits.data());
  const __m512i high = _mm512_load_si512(kClassBits.data() + 64);
  // Bytes above ASCII index the table by their low 7 bits: taken out again below.
  const __mmask64 ascii = ~_mm512_movepi8_mask(text);
  const __m512i bits = _mm512_maskz_permutex2var_epi8(ascii, low, text, high);
  masks->upper = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kUpperBit));
  masks->lower = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kLowerBit));
  masks->number = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kNumberBit));
  masks->space = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kSpaceBit));
  masks->newline = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(kNewlineBit));
  masks->multi_byte = ~ascii;
  masks->lead = _mm512_cmpge_epu8_mask(text, _mm512_set1_epi8(static_cast<char>(0xC0)));
  masks->lead3 = _mm512_cmpge_epu8_mask(text, _mm512_set1_epi8(static_cast<char>(0xE0)));
  masks->lead4 = _mm512_cmpge_epu8_mask(text, _mm512_set1_epi8(static_cast<char>(0xF0)));
  masks->blank = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8(' '));
  masks->apostrophe = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('\''));
  masks->slash = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('/'));
}

struct Half {
  uint32_t upper, lower, number, space, newline, multi_byte, lead, lead3, lead4, blank, apostrophe,
      slash;
};

// Bytes x with first <= x < first + count; signed compares suffice below 0x80.
__attribute__((target("avx2"))) inline __m256i Within(__m256i text, char first, char count) {
  const __m256i moved = _mm256_sub_epi8(text, _mm256_set1_epi8(first));
  const __m256i least = _mm256_min_epu8(moved, _mm256_set1_epi8(static_cast<char>(count - 1)));
  return _mm256_cmpeq_epi8(least, moved);
}

__attribute__((target("avx2"))) inline uint32_t BitsOf(__m256i mask) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(mask));
}

__attribute__((target("avx2"))) inline Half MasksOfHalf(const char* bytes) {
  const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const auto is = [text](char byte) __attribute__((target("avx2"))) {
    return _mm256_cmpeq_epi8(text, _mm256_set1_epi8(byte));
  };
  const __m256i newline = _mm256_or_si256(is('\n'), is('\r'));
  const __m256i blank = is(' ');
  const __m256i space = _mm256_or_si256(_mm256_andnot_si256(newline, Within(text, '\t', 5)), blank);
  return {BitsOf(Within(text, 'A', 26)),
          BitsOf(Within(text, 'a', 26)),
          BitsOf(Within(text, '0', 10)),
          BitsOf(space),
          BitsOf(newline),
          BitsOf(text),
          BitsOf(Within(text, static_cast<char>(0xC0), 64)),
          BitsOf(Within(text, static_cast<char>(0xE0), 32)),
          BitsOf(Within(text, static_cast<char>(0xF0), 16)),
          BitsOf(blank),
          BitsOf(is('\'')),
          BitsOf(is('/'))};
}

__attribute__((target("avx2"))) void MasksByAvx2(const char* bytes, ByteMasks* masks) {
  const Half low = MasksOfHalf(bytes), high = MasksOfHalf(bytes + 32);
  const auto join = [](uint32_t a, uint32_t b) { return uint64_t{b} << 32 | a; };
  masks->upper = join(low.upper, high.upper);
  masks->lower = join(low.lower, high.lower);
  masks->number = join(low.number, high.number);
  masks->space = join(low.space, high.space);
  masks->newline = join(low.newline, high.newline);
  masks->multi_byte = join(low.multi_byte, high.multi_byte);
  masks->lead = join(low.lead, high.lead);
  masks->lead3 = join(low.lead3, high.lead3);
  masks->lead4 = join(low.lead4, high.lead4);
  masks->blank = join(low.blank, high.blank);
  masks->apostrophe = join(low.apostrophe, high.apostrophe);
  masks->slash = join(low.slash, high.slash);
}

#endif

MasksFunction Fastest() {
  const MasksVariants variants = AllMasksVariants();
  if (variants.avx512 != nullptr) return variants.avx512;
  return variants.avx2 != nullptr ? variants.avx2 : variants.table;
}

}  // namespace

MasksVariants AllMasksVariants() {
#if defined(__x86_64__)
  return {MasksByTable, CpuHasAvx2() ? MasksByAvx2 : nullptr,
          CpuHasAvx512() ? MasksByAvx512 : nullptr};
#else
  return {MasksByTable, nullptr, nullptr};
#endif
}

MasksFunction FastestMasks() {
  static const MasksFunction fastest = Fastest();
  return fastest;
}

}  // namespace weir::tokens
