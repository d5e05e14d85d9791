// The pre-tokenizers' rules on 64 bytes at once: where pieces begin, as a bit mask.
//
// A window starts where a piece does, so nothing before it matters. What the rules say is then
// computed for all its bytes together, with a few dozen word operations: a run of a class is a run
// of ones, "directly after" is a shift, "as many as there are" is an addition that carries through
// a run. Beginnings near the window's end may depend on what follows it and are left out: the
// next window starts at the last one that is certain. What is rare (digits that are not ASCII,
// marks without a letter, bytes that are not UTF-8) cuts the window short before it; the piece that
// holds it is then for the Pretokenizer, whose rules these are and which every window is tested
// against.
//
// The idea of finding token boundaries with bit-parallel addition is that of parallel bit streams
// (Cameron, Herdy, Lin: "High performance XML parsing using parallel bit stream technology", 2008).

#ifndef WEIR_LIB_TOKENS_PIECE_WINDOW_H_
#define WEIR_LIB_TOKENS_PIECE_WINDOW_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "tokens/byte_masks.h"
#include "tokens/pretokenizer.h"
#include "tokens/utf8_class.h"

namespace weir::tokens {

// The bits below `n`, n <= 64.
constexpr uint64_t BitsBelow(size_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

// `from`, and all that can be reached from it through ones of `through`, and the bit after those.
constexpr uint64_t Reach(uint64_t from, uint64_t through) {
  return (((from & through) + through) ^ through) | from;
}

// The rules of the old encodings are not worth it.
template <Pattern kPattern>
inline constexpr bool kHasWindow = kPattern != Pattern::kR50k;

template <Pattern kPattern>
class PieceWindow {
 public:
  // Looks at the `size` <= 64 bytes at `text`, of which 64 can be read; those after `size` are
  // zero. A piece begins at the first. `last` says that the text ends after them.
  PieceWindow(MasksFunction masks_of, const char* text, size_t size, bool last)
      : text_(text), known_(size) {
    masks_of(text, &masks_);
    const uint64_t inside = BitsBelow(size);
    upper_ = masks_.upper & inside;
    lower_ = masks_.lower & inside;
    space_ = masks_.space & inside;
    newline_ = masks_.newline & inside;
    number_ = masks_.number & inside;
    other_ = ~(upper_ | lower_ | space_ | newline_ | number_ | masks_.multi_byte) & inside;
    const uint64_t multi_byte = masks_.multi_byte & inside;
    if (multi_byte == 0) {
      starts_ = Starts<false>();
    } else {
      ReadMultiByte(multi_byte);
      starts_ = Starts<true>();
    }
    if (!last || known_ < size) {
      KeepCertain();
    } else {
      consumed_ = size;
    }
  }

  // Bit i: a piece begins at byte i. Bit 0 is set unless consumed() is 0.
  uint64_t starts() const { return starts_; }
  // Where the last of those pieces ends; the next one begins there. 0: not even the first piece is
  // certain.
  size_t consumed() const { return consumed_; }

 private:
  // How far behind the last known byte a beginning must be to be certain: a contraction takes three
  // bytes, and what comes after it is told by a fourth.
  static constexpr size_t kLookAhead = 4;

  // Adds the characters that are not ASCII to the masks, up to the first that is left to the
  // Pretokenizer.
  void ReadMultiByte(uint64_t multi_byte) {
    // The four bits of each character's class, at its first byte.
    uint64_t bit0 = 0, bit1 = 0, bit2 = 0, bit3 = 0;
    const uint64_t leads = multi_byte & masks_.lead;
    for (uint64_t rest = leads; rest != 0; rest &= rest - 1) {
      const size_t at = static_cast<size_t>(std::countr_zero(rest));
      const uint64_t char_class = MultiByteClass(text_ + at);
      bit0 |= (char_class & 1) << at;
      bit1 |= (char_class >> 1 & 1) << at;
      bit2 |= (char_class >> 2 & 1) << at;
      bit3 |= char_class >> 3 << at;
    }
    const auto of_class = [=](CharClass c) {
      return leads & ((c & 1) != 0 ? bit0 : ~bit0) & ((c & 2) != 0 ? bit1 : ~bit1) &
             ((c & 4) != 0 ? bit2 : ~bit2) & ((c & 8) != 0 ? bit3 : ~bit3);
    };
    // A byte that goes on with no character stands for itself.
    continuation_ = multi_byte & ~leads;
    const uint64_t stray =
        continuation_ & ~(leads << 1 | (leads & masks_.lead3) << 2 | (leads & masks_.lead4) << 3);
    uint64_t left_out = of_class(kNumber) | of_class(kEnd) | stray;

    upper_ |= Filled(of_class(kUpper));
    lower_ |= Filled(of_class(kLower));
    both_ |= Filled(of_class(kLetter));
    other_ |= Filled(of_class(kOther));
    space_ |= Filled(of_class(kSpace));
    const uint64_t marks = Filled(of_class(kMark));
    if constexpr (kPattern == Pattern::kO200k) {
      // After a letter a mark goes on with the word as a letter without case does.
      const uint64_t in_word = Reach((upper_ | lower_ | both_) << 1 & marks, marks) & marks;
      both_ |= in_word;
      left_out |= marks & ~in_word;
    } else {
      other_ |= marks;
    }
    if (left_out != 0) Cut(static_cast<size_t>(std::countr_zero(left_out)));
  }

  // Each of `leads` with the bytes that belong to it.
  uint64_t Filled(uint64_t leads) const {
    return leads | (Reach(leads << 1, continuation_) & continuation_);
  }

  // Forgets what lies at `at` and after it.
  void Cut(size_t at) {
    known_ = at;
    const uint64_t inside = BitsBelow(at);
    for (uint64_t* mask :
         {&upper_, &lower_, &both_, &other_, &space_, &newline_, &number_, &continuation_}) {
      *mask &= inside;
    }
  }

  // The first byte of the character after each of `leads`.
  template <bool kMultiByte>
  uint64_t Next(uint64_t leads) const {
    if constexpr (!kMultiByte) return leads << 1;
    return ((leads << 1) + continuation_) & ~continuation_;
  }

  // The first byte of each character of which `lasts` are the last bytes; of up to three bytes.
  template <bool kMultiByte>
  uint64_t First(uint64_t lasts) const {
    if constexpr (!kMultiByte) return lasts;
    const uint64_t before = (lasts & continuation_) >> 1;
    return ((lasts | before) & ~continuation_) | (before & continuation_) >> 1;
  }

  template <bool kMultiByte>
  uint64_t Starts() {
    const uint64_t letters = upper_ | lower_ | both_;
    if constexpr (kPattern == Pattern::kO200k && kMultiByte) {
      // [upper]* may have to give letters back to [lower]+: too rare to do here.
      const uint64_t unclear = upper_ & both_ << 1;
      if (unclear != 0) known_ = static_cast<size_t>(std::countr_zero(unclear));
    }
    // Newlines (and slashes) that belong to the punctuation before them.
    const uint64_t tail_bytes =
        kPattern == Pattern::kO200k ? newline_ | (masks_.slash & other_) : newline_;
    const uint64_t tails = Reach(other_ << 1 & newline_, tail_bytes) & tail_bytes;
    const uint64_t other = other_ & ~tails;
    const uint64_t white = (space_ | newline_) & ~tails;

    uint64_t after_newline = newline_ << 1 & space_;
    if (after_newline != 0) after_newline = WithoutTrailing(after_newline);
    // The last blank of a run, which is left to what follows.
    const uint64_t last_space =
        First<kMultiByte>(space_ & ~((space_ | newline_) >> 1) & BitsBelow(known_) >> 1);
    const uint64_t other_runs = other & ~(other << 1);
    const uint64_t joined = other_runs & (last_space & masks_.blank) << 1;
    const uint64_t prefixed = Next<kMultiByte>(last_space | (other_runs & ~joined)) & letters;
    const uint64_t words = letters & ~(letters << 1) & ~prefixed;

    uint64_t starts = (white & ~(white << 1)) | after_newline | last_space |
                      (other_runs & ~joined) | words | NumberStarts();
    if constexpr (kPattern == Pattern::kO200k) {
      starts |= upper_ & lower_ << 1;
      const uint64_t quotes = masks_.apostrophe & letters << 1 & letters >> 1;
      if (quotes != 0) starts = WithSuffixes(starts, quotes, letters);
    } else {
      const uint64_t quotes = masks_.apostrophe & other_runs & ~joined & letters >> 1;
      if (quotes != 0) starts = WithContractions(starts, quotes, letters);
    }
    return starts;
  }

  // Blanks after a newline begin a piece unless another newline ends their run.
  uint64_t WithoutTrailing(uint64_t after_newline) const {
    const uint64_t ends = Reach(after_newline, space_) & ~space_;
    if ((ends & newline_) == 0) [[likely]]
      return after_newline;
    for (uint64_t rest = after_newline; rest != 0; rest &= rest - 1) {
      const size_t at = static_cast<size_t>(std::countr_zero(rest));
      const size_t end = at + static_cast<size_t>(std::countr_one(space_ >> at));
      if (end < 64 && (newline_ >> end & 1) != 0) after_newline &= ~(uint64_t{1} << at);
    }
    return after_newline;
  }

  // Every third number of a run.
  uint64_t NumberStarts() const {
    uint64_t found = number_ & ~(number_ << 1);
    const uint64_t fourths = number_ & number_ << 1 & number_ << 2 & number_ << 3;
    uint64_t starts = found;
    while ((found = found << 3 & fourths) != 0) starts |= found;
    return starts;
  }

  // o200k: a contraction is the end of its word.
  uint64_t WithSuffixes(uint64_t starts, uint64_t quotes, uint64_t letters) const {
    size_t end = 0;
    for (; quotes != 0; quotes &= quotes - 1) {
      const size_t at = static_cast<size_t>(std::countr_zero(quotes));
      const size_t bytes = at == end ? 0 : ContractionBytes(text_ + at, text_ + known_);
      if (bytes == 0) continue;
      end = at + bytes;
      starts &= ~(BitsBelow(bytes) << at);
      if (end < 64) starts |= letters & uint64_t{1} << end;
    }
    return starts;
  }

  // cl100k: a contraction is a piece.
  uint64_t WithContractions(uint64_t starts, uint64_t quotes, uint64_t letters) const {
    for (; quotes != 0; quotes &= quotes - 1) {
      const size_t at = static_cast<size_t>(std::countr_zero(quotes));
      const size_t bytes = ContractionBytes(text_ + at, text_ + known_);
      if (bytes != 0 && at + bytes < 64) starts |= letters & uint64_t{1} << (at + bytes);
    }
    return starts;
  }

  void KeepCertain() {
    const uint64_t white = space_ | newline_;
    const uint64_t solid = ~white & BitsBelow(known_);
    const size_t white_begin = static_cast<size_t>(64 - std::countl_zero(solid));
    const size_t certain = known_ < kLookAhead ? 0 : known_ - kLookAhead;
    starts_ &= BitsBelow((white_begin < certain ? white_begin : certain) + 1);
    consumed_ = starts_ == 0 ? 0 : static_cast<size_t>(63 - std::countl_zero(starts_));
    starts_ &= BitsBelow(consumed_);
  }

  const char* const text_;
  size_t known_;  // bytes that the masks are right about
  size_t consumed_ = 0;
  ByteMasks masks_;
  // All bytes of a character have the bit of its class.
  uint64_t upper_, lower_, both_ = 0, space_, newline_, number_, other_;
  uint64_t continuation_ = 0;
  uint64_t starts_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_PIECE_WINDOW_H_
