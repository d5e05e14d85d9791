#include "base/json_stops.h"

#include <algorithm>
#include <cstring>

#include "base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir::json {
namespace {

constexpr uint64_t Repeated(uint64_t byte) { return byte * 0x0101010101010101u; }

// The high bit of every byte that is zero, and of no other.
uint64_t ZeroBytes(uint64_t word) {
  constexpr uint64_t kLow = Repeated(0x7F);
  return ~(((word & kLow) + kLow) | word | kLow);
}

void MarkStopsPortable(const char* text, size_t blocks, uint64_t* stops) {
  constexpr uint64_t kGather = 0x0102040810204080u;  // eight bits, a byte apart, into the top byte
  for (size_t block = 0; block < blocks; ++block) {
    uint64_t found = 0;
    for (size_t part = 0; part < 8; ++part, text += 8) {
      uint64_t word = 0;  // the first byte lowest on any machine: one load on most
      for (size_t i = 0; i < 8; ++i) {
        word |= uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
      }
      const uint64_t stop = ZeroBytes(word ^ Repeated('"')) | ZeroBytes(word ^ Repeated('\\')) |
                            ZeroBytes(word & Repeated(0xE0));
      found |= ((stop >> 7) * kGather >> 56) << (8 * part);
    }
    stops[block] = found;
  }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) inline uint32_t StopsOfHalf(const char* text) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i last_control = _mm256_set1_epi8(0x1F);
  const __m256i control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, last_control), last_control);
  const __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
  const __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
  return static_cast<uint32_t>(
      _mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, backslash))));
}

__attribute__((target("avx2"))) void MarkStopsByAvx2(const char* text, size_t blocks,
                                                     uint64_t* stops) {
  for (size_t block = 0; block < blocks; ++block, text += 64) {
    stops[block] = uint64_t{StopsOfHalf(text + 32)} << 32 | StopsOfHalf(text);
  }
}

__attribute__((target("avx512bw"))) void MarkStopsByAvx512(const char* text, size_t blocks,
                                                           uint64_t* stops) {
  for (size_t block = 0; block < blocks; ++block, text += 64) {
    const __m512i bytes = _mm512_loadu_si512(text);
    stops[block] = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20)) |
                   _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) |
                   _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
  }
}

#endif

MarkStopsFunction FastestMarkStops() {
  static const MarkStopsFunction fastest = [] {
    const MarkStopsVariants variants = AllMarkStopsVariants();
    if (variants.avx512 != nullptr) return variants.avx512;
    return variants.avx2 != nullptr ? variants.avx2 : variants.portable;
  }();
  return fastest;
}

}  // namespace

MarkStopsVariants AllMarkStopsVariants() {
#if defined(__x86_64__)
  return {MarkStopsPortable, CpuHasAvx2() ? MarkStopsByAvx2 : nullptr,
          CpuHasAvx512() ? MarkStopsByAvx512 : nullptr};
#else
  return {MarkStopsPortable, nullptr, nullptr};
#endif
}

Stops::Stops(std::string_view text) : text_(text), mark_(FastestMarkStops()) {}

void Stops::Mark(size_t at) {
  begin_ = at - at % kBlock;
  const size_t left = text_.size() - begin_;
  const size_t whole = std::min(left / kBlock, stops_.size());
  if (whole != 0) mark_(text_.data() + begin_, whole, stops_.data());
  marked_ = whole * kBlock;
  if (whole == stops_.size()) return;
  char last[kBlock] = {};
  if (left != marked_) std::memcpy(last, text_.data() + begin_ + marked_, left - marked_);
  mark_(last, 1, &stops_[whole]);
  marked_ += kBlock;
}

}  // namespace weir::json
