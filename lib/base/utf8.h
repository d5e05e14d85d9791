// Whether text is UTF-8, by vectors where the machine has them, else eight bytes at a time. Where
// it is not, FindInvalidUtf8 in text.h says.

#ifndef WEIR_LIB_BASE_UTF8_H_
#define WEIR_LIB_BASE_UTF8_H_

#include <string_view>

namespace weir {

// Well-formed throughout: no overlong form, no surrogate, nothing above U+10FFFF, nothing cut off.
bool IsUtf8(std::string_view text);

// What IsUtf8 chooses from, for the tests; null where this machine cannot run it.
using IsUtf8Function = bool (*)(std::string_view text);
struct IsUtf8Variants {
  IsUtf8Function portable, avx2, avx512;
};
IsUtf8Variants AllIsUtf8Variants();

}  // namespace weir

#endif  // WEIR_LIB_BASE_UTF8_H_
