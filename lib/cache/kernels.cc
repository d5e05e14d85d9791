#include "cache/kernels.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "base/cpu.h"

namespace weir::cache {
namespace {

// Written by others meanwhile, by design: see the header.
#define WEIR_CACHE_RACY __attribute__((no_sanitize("thread")))

// Inlined where the processor is known to count bits by itself, and where it is not.
__attribute__((always_inline)) inline Limits DistanceBody(const Block& block, uint32_t row,
                                                          const uint64_t* sketch) {
  Limits off = {0, 0};
  for (uint32_t w = 0; w < kSketchWords; ++w) {
    const uint64_t word = Get(block.sketch_word(row, w)) ^ sketch[w];
    off.all += static_cast<uint32_t>(__builtin_popcountll(word));
    if (w + 1 == kFirstWords) off.first = off.all;
  }
  return off;
}

Limits DistancePortable(const Block& block, uint32_t row, const uint64_t* sketch) {
  return DistanceBody(block, row, sketch);
}

void ScanPortable(const Block* const* blocks, uint32_t count, const uint64_t* sketch, Limits limits,
                  uint32_t* near) {
  for (uint32_t b = 0; b < count; ++b) {
    uint32_t bits = 0;
    for (uint32_t row = 0; row < kBlockRows; ++row) {
      const Limits off = DistanceBody(*blocks[b], row, sketch);
      bits |= uint32_t{off.first <= limits.first && off.all <= limits.all} << row;
    }
    near[b] = bits;
  }
}

WEIR_CACHE_RACY int32_t DotPortable(const int16_t* query, const int8_t* row, uint32_t stride) {
  int32_t sum = 0;
  for (uint32_t i = 0; i < stride; ++i) sum += int32_t{query[i]} * row[i];
  return sum;
}

void ScorePortable(const CellGroup& group, const int16_t* bearing, int32_t* scores) {
  for (uint32_t c = 0; c < kGroupCells; ++c) scores[c] = 0;
  for (uint32_t pair = 0; pair < kBearings / 2; ++pair) {
    const int32_t first = bearing[2 * pair];
    const int32_t second = bearing[2 * pair + 1];
    for (uint32_t c = 0; c < kGroupCells; ++c) {
      const uint16_t both = Get(group.codes[pair][c]);
      scores[c] +=
          first * static_cast<int8_t>(both & 0xFF) + second * static_cast<int8_t>(both >> 8);
    }
  }
}

constexpr Kernels kPortable = {ScanPortable, DistancePortable, DotPortable, ScorePortable};

#if defined(__x86_64__)

__attribute__((target("popcnt"))) Limits DistancePopcnt(const Block& block, uint32_t row,
                                                        const uint64_t* sketch) {
  return DistanceBody(block, row, sketch);
}

// The bits of each of four words, counted by halves of bytes in a table, as by Muła, Kurz and
// Lemire, "Faster population counts using AVX2 instructions".
__attribute__((target("avx2"))) inline __m256i CountBits256(__m256i words) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2,
                                         1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(0x0F);
  const __m256i lower = _mm256_and_si256(words, low);
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(words, 4), low);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, lower), _mm256_shuffle_epi8(table, upper));
}

// The bits in which four rows are off in one word, in each of its bytes.
WEIR_CACHE_RACY __attribute__((target("avx2"))) inline __m256i BitsOff256(const Word* words,
                                                                          uint64_t sketch) {
  const __m256i rows = _mm256_load_si256(reinterpret_cast<const __m256i*>(words));
  return CountBits256(_mm256_xor_si256(rows, _mm256_set1_epi64x(static_cast<int64_t>(sketch))));
}

// Which of four rows are off by no more than `most`.
__attribute__((target("avx2"))) inline uint32_t WithinMask256(__m256i bytes, __m256i most) {
  const __m256i far = _mm256_cmpgt_epi64(_mm256_sad_epu8(bytes, _mm256_setzero_si256()), most);
  return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(far)) ^ 0xF);
}

WEIR_CACHE_RACY __attribute__((target("avx2"))) void ScanAvx2(const Block* const* blocks,
                                                              uint32_t count,
                                                              const uint64_t* sketch, Limits limits,
                                                              uint32_t* near) {
  const __m256i most_first = _mm256_set1_epi64x(limits.first);
  const __m256i most = _mm256_set1_epi64x(limits.all);
  for (uint32_t b = 0; b < count; ++b) {
    uint32_t bits = 0;
    for (uint32_t half = 0; half < 2 * kGroups; ++half) {
      const uint32_t at = half * kLanes / 2;
      __m256i sum = BitsOff256(&blocks[b]->sketch_word(at, 0), sketch[0]);
      sum = _mm256_add_epi8(sum, BitsOff256(&blocks[b]->sketch_word(at, 1), sketch[1]));
      const uint32_t near_first = WithinMask256(sum, most_first);
      if (near_first == 0) continue;
      // No sum of a byte goes over 4 * 8.
      for (uint32_t w = kFirstWords; w < kSketchWords; ++w) {
        sum = _mm256_add_epi8(sum, BitsOff256(&blocks[b]->sketch_word(at, w), sketch[w]));
      }
      bits |= (near_first & WithinMask256(sum, most)) << at;
    }
    near[b] = bits;
  }
}

WEIR_CACHE_RACY __attribute__((target("avx2"))) int32_t DotAvx2(const int16_t* query,
                                                                const int8_t* row,
                                                                uint32_t stride) {
  __m256i sum = _mm256_setzero_si256();
  for (uint32_t i = 0; i < stride; i += 16) {
    const __m256i wide =
        _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(row + i)));
    const __m256i wanted = _mm256_load_si256(reinterpret_cast<const __m256i*>(query + i));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(wide, wanted));
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
  return _mm_cvtsi128_si32(four);
}

// Two components, as the vector instructions take them.
inline int PairAt(const int16_t* bearing, uint32_t pair) {
  int both;
  std::memcpy(&both, bearing + 2 * pair, sizeof(both));
  return both;
}

WEIR_CACHE_RACY __attribute__((target("avx2"))) void ScoreAvx2(const CellGroup& group,
                                                               const int16_t* bearing,
                                                               int32_t* scores) {
  __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (uint32_t pair = 0; pair < kBearings / 2; ++pair) {
    const __m256i wanted = _mm256_set1_epi32(PairAt(bearing, pair));
    const auto* const codes = reinterpret_cast<const __m128i*>(group.codes[pair]);
    for (uint32_t half = 0; half < 2; ++half) {
      const __m256i wide = _mm256_cvtepi8_epi16(_mm_load_si128(codes + half));
      sums[half] = _mm256_add_epi32(sums[half], _mm256_madd_epi16(wide, wanted));
    }
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(scores), sums[0]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(scores + 8), sums[1]);
}

constexpr Kernels kAvx2 = {ScanAvx2, DistancePopcnt, DotAvx2, ScoreAvx2};

#define WEIR_AVX512 __attribute__((target("avx512f,avx512bw,avx512vpopcntdq")))

// How many bits each of eight rows is off in one word.
WEIR_CACHE_RACY WEIR_AVX512 inline __m512i BitsOff512(const Word* words, __m512i wanted) {
  return _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_load_si512(words), wanted));
}

WEIR_CACHE_RACY WEIR_AVX512 void ScanAvx512(const Block* const* blocks, uint32_t count,
                                            const uint64_t* sketch, Limits limits, uint32_t* near) {
  static_assert(kSketchWords == 4 && kFirstWords == 2 && kLanes == 8 && kGroups == 4);
  const __m512i wanted[] = {_mm512_set1_epi64(static_cast<int64_t>(sketch[0])),
                            _mm512_set1_epi64(static_cast<int64_t>(sketch[1])),
                            _mm512_set1_epi64(static_cast<int64_t>(sketch[2])),
                            _mm512_set1_epi64(static_cast<int64_t>(sketch[3]))};
  const __m512i most_first = _mm512_set1_epi64(limits.first);
  const __m512i most = _mm512_set1_epi64(limits.all);
  for (uint32_t b = 0; b < count; ++b) {
    const auto& words = blocks[b]->sketch;
    __m512i first[kGroups];
    uint32_t near_first = 0;
    for (uint32_t group = 0; group < kGroups; ++group) {
      first[group] = _mm512_add_epi64(BitsOff512(words[0][group], wanted[0]),
                                      BitsOff512(words[1][group], wanted[1]));
      near_first |= uint32_t{_mm512_cmple_epu64_mask(first[group], most_first)} << kLanes * group;
    }
    near[b] = 0;
    if (__builtin_expect(near_first == 0, 1)) continue;
    uint32_t bits = 0;
    for (uint32_t group = 0; group < kGroups; ++group) {
      if ((near_first >> kLanes * group & 0xFF) == 0) continue;
      const __m512i c2 = BitsOff512(words[2][group], wanted[2]);
      const __m512i c3 = BitsOff512(words[3][group], wanted[3]);
      const __m512i sum = _mm512_add_epi64(first[group], _mm512_add_epi64(c2, c3));
      bits |= uint32_t{_mm512_cmple_epu64_mask(sum, most)} << kLanes * group;
    }
    near[b] = bits & near_first;
  }
}

WEIR_CACHE_RACY WEIR_AVX512 int32_t DotAvx512(const int16_t* query, const int8_t* row,
                                              uint32_t stride) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  for (uint32_t i = 0; i < stride; i += 64) {
    const __m512i wide0 =
        _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(row + i)));
    const __m512i wide1 =
        _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(row + i + 32)));
    even = _mm512_add_epi32(even, _mm512_madd_epi16(wide0, _mm512_load_si512(query + i)));
    odd = _mm512_add_epi32(odd, _mm512_madd_epi16(wide1, _mm512_load_si512(query + i + 32)));
  }
  alignas(64) int32_t sums[16];
  _mm512_store_si512(sums, _mm512_add_epi32(even, odd));
  int32_t sum = 0;
  for (const int32_t part : sums) sum += part;
  return sum;
}

WEIR_CACHE_RACY WEIR_AVX512 void ScoreAvx512(const CellGroup& group, const int16_t* bearing,
                                             int32_t* scores) {
  constexpr uint32_t kSums = 4;  // side by side
  static_assert(kGroupCells == 16 && kBearings / 2 % kSums == 0);
  __m512i sums[kSums] = {};
  for (uint32_t pair = 0; pair < kBearings / 2; pair += kSums) {
    for (uint32_t s = 0; s < kSums; ++s) {
      const __m512i wide = _mm512_cvtepi8_epi16(
          _mm256_load_si256(reinterpret_cast<const __m256i*>(group.codes[pair + s])));
      const __m512i wanted = _mm512_set1_epi32(PairAt(bearing, pair + s));
      sums[s] = _mm512_add_epi32(sums[s], _mm512_madd_epi16(wide, wanted));
    }
  }
  _mm512_storeu_si512(scores, _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]),
                                               _mm512_add_epi32(sums[2], sums[3])));
}

constexpr Kernels kAvx512 = {ScanAvx512, DistancePopcnt, DotAvx512, ScoreAvx512};

KernelVariants Choose() {
  const bool counts_bits = CpuHasAvx512() && __builtin_cpu_supports("avx512vpopcntdq") != 0;
  return {&kPortable, CpuHasAvx2() ? &kAvx2 : nullptr, counts_bits ? &kAvx512 : nullptr, nullptr};
}

#elif defined(__aarch64__)

// The bits in which two rows are off in one word, in each of its bytes.
WEIR_CACHE_RACY inline uint8x16_t BitsOffNeon(const Word* words, uint64_t sketch) {
  const uint64x2_t rows = vld1q_u64(reinterpret_cast<const uint64_t*>(words));
  return vcntq_u8(vreinterpretq_u8_u64(veorq_u64(rows, vdupq_n_u64(sketch))));
}

// Which of two rows are off by no more than `most`.
inline uint32_t WithinMaskNeon(uint8x16_t bytes, uint64x2_t most) {
  const uint64x2_t within = vcleq_u64(vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(bytes))), most);
  return static_cast<uint32_t>((vgetq_lane_u64(within, 0) & 1) | (vgetq_lane_u64(within, 1) & 2));
}

WEIR_CACHE_RACY void ScanNeon(const Block* const* blocks, uint32_t count, const uint64_t* sketch,
                              Limits limits, uint32_t* near) {
  const uint64x2_t most_first = vdupq_n_u64(limits.first);
  const uint64x2_t most = vdupq_n_u64(limits.all);
  for (uint32_t b = 0; b < count; ++b) {
    uint32_t bits = 0;
    for (uint32_t at = 0; at < kBlockRows; at += 2) {
      uint8x16_t sum = BitsOffNeon(&blocks[b]->sketch_word(at, 0), sketch[0]);
      sum = vaddq_u8(sum, BitsOffNeon(&blocks[b]->sketch_word(at, 1), sketch[1]));
      const uint32_t near_first = WithinMaskNeon(sum, most_first);
      if (near_first == 0) continue;
      // No sum of a byte goes over 4 * 8.
      for (uint32_t w = kFirstWords; w < kSketchWords; ++w) {
        sum = vaddq_u8(sum, BitsOffNeon(&blocks[b]->sketch_word(at, w), sketch[w]));
      }
      bits |= (near_first & WithinMaskNeon(sum, most)) << at;
    }
    near[b] = bits;
  }
}

WEIR_CACHE_RACY int32_t DotNeon(const int16_t* query, const int8_t* row, uint32_t stride) {
  int32x4_t even = vdupq_n_s32(0);
  int32x4_t odd = vdupq_n_s32(0);
  for (uint32_t i = 0; i < stride; i += 16) {
    const int8x16_t bytes = vld1q_s8(row + i);
    const int16x8_t lower = vmovl_s8(vget_low_s8(bytes));
    const int16x8_t upper = vmovl_high_s8(bytes);
    const int16x8_t wanted_lower = vld1q_s16(query + i);
    const int16x8_t wanted_upper = vld1q_s16(query + i + 8);
    even = vmlal_s16(even, vget_low_s16(lower), vget_low_s16(wanted_lower));
    odd = vmlal_high_s16(odd, lower, wanted_lower);
    even = vmlal_s16(even, vget_low_s16(upper), vget_low_s16(wanted_upper));
    odd = vmlal_high_s16(odd, upper, wanted_upper);
  }
  return vaddvq_s32(vaddq_s32(even, odd));
}

WEIR_CACHE_RACY void ScoreNeon(const CellGroup& group, const int16_t* bearing, int32_t* scores) {
  int32x4_t sums[kGroupCells / 4] = {};
  for (uint32_t pair = 0; pair < kBearings / 2; ++pair) {
    int32_t both;
    std::memcpy(&both, bearing + 2 * pair, sizeof(both));
    const int16x4_t wanted = vreinterpret_s16_s32(vdup_n_s32(both));
    const auto* const codes = reinterpret_cast<const int8_t*>(group.codes[pair]);
    for (uint32_t half = 0; half < 2; ++half) {
      const int8x16_t bytes = vld1q_s8(codes + 16 * half);
      const int16x8_t lower = vmovl_s8(vget_low_s8(bytes));
      const int16x8_t upper = vmovl_s8(vget_high_s8(bytes));
      const int32x4_t first = vpaddq_s32(vmull_s16(vget_low_s16(lower), wanted),
                                         vmull_s16(vget_high_s16(lower), wanted));
      const int32x4_t second = vpaddq_s32(vmull_s16(vget_low_s16(upper), wanted),
                                          vmull_s16(vget_high_s16(upper), wanted));
      sums[2 * half] = vaddq_s32(sums[2 * half], first);
      sums[2 * half + 1] = vaddq_s32(sums[2 * half + 1], second);
    }
  }
  for (uint32_t i = 0; i < kGroupCells / 4; ++i) vst1q_s32(scores + 4 * i, sums[i]);
}

constexpr Kernels kNeon = {ScanNeon, DistancePortable, DotNeon, ScoreNeon};

// Every processor of this kind has it.
KernelVariants Choose() { return {&kPortable, nullptr, nullptr, &kNeon}; }

#else

KernelVariants Choose() { return {&kPortable, nullptr, nullptr, nullptr}; }

#endif

}  // namespace

KernelVariants AllKernelVariants() {
  static const KernelVariants variants = Choose();
  return variants;
}

const Kernels& BestKernels() {
  const KernelVariants variants = AllKernelVariants();
  if (variants.avx512 != nullptr) return *variants.avx512;
  if (variants.neon != nullptr) return *variants.neon;
  return variants.avx2 != nullptr ? *variants.avx2 : *variants.portable;
}

}  // namespace weir::cache
