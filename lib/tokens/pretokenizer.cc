#include "tokens/pretokenizer.h"

namespace weir::tokens {
namespace {

bool EndsPiece(CharClass before, Char next, char next_byte) {
  if (next.ill_formed) return false;
  if (next.char_class == kSpace) return before != kSpace && before != kNewline;
  if (!In(Set(kUpper, kLower, kLetter, kNumber), before)) return false;
  // An apostrophe can be a contraction's, and a mark goes on with a word.
  return next.char_class == kNewline || (next.char_class == kOther && next_byte != '\'');
}

}  // namespace

size_t StablePieces(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* next = end;  // where the character after `p` begins
  for (const char* p = end; p > begin;) {
    --p;
    if (IsContinuation(static_cast<unsigned char>(*p)) && p > begin && next - p < 4) continue;
    const Char before = CharAt(p, end);
    // A character that is not all here, or no character: nothing is sure about it.
    const bool whole = !before.ill_formed && p + before.bytes == next;
    if (whole && next < end && EndsPiece(before.char_class, CharAt(next, end), *next)) {
      return static_cast<size_t>(next - begin);
    }
    next = p;
  }
  return 0;
}

}  // namespace weir::tokens
