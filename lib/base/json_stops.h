// Where the bytes of a JSON string stop being plain text: at a quote, a backslash or a control
// character.
//
// The stops of 4 KiB at a time are marked by vectors, a bit a byte; the next one is then found in
// a word or two, however long or short the string. Nothing is allocated.

#ifndef WEIR_LIB_BASE_JSON_STOPS_H_
#define WEIR_LIB_BASE_JSON_STOPS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::json {

// Marks the stops of `blocks` blocks of 64 bytes, in a word each, the first byte in the lowest bit.
using MarkStopsFunction = void (*)(const char* text, size_t blocks, uint64_t* stops);

// What there is to choose from, for the tests; null where this machine cannot run it.
struct MarkStopsVariants {
  MarkStopsFunction portable, avx2, avx512;
};
MarkStopsVariants AllMarkStopsVariants();

class Stops {
 public:
  explicit Stops(std::string_view text);

  // The first stop at or after `at`, which is in the text or its end. The end is a stop too. Any
  // order will do; going back by more than 4 KiB marks anew.
  size_t Next(size_t at) {
    if (at - begin_ >= marked_) Mark(at);
    size_t block = (at - begin_) / kBlock;
    uint64_t stops = stops_[block] & ~uint64_t{0} << at % kBlock;
    while (stops == 0) {
      if (++block * kBlock == marked_) {
        Mark(begin_ + marked_);
        block = 0;
      }
      stops = stops_[block];
    }
    return begin_ + block * kBlock + static_cast<size_t>(std::countr_zero(stops));
  }

 private:
  static constexpr size_t kBlock = 64;

  // Marks the blocks from that of `at` on. The last one of all is filled up with control
  // characters, of which there is at least one.
  void Mark(size_t at);

  std::string_view text_;
  MarkStopsFunction mark_;
  size_t begin_ = 0, marked_ = 0;  // where what is marked begins, and its bytes: whole blocks
  std::array<uint64_t, 64> stops_;
};

}  // namespace weir::json

#endif  // WEIR_LIB_BASE_JSON_STOPS_H_
