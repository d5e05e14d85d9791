#include "tokens/utf8_class.h"

namespace weir::tokens {
namespace {}  // namespace

void AppendLossy(std::string* out, std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const bool ascii = static_cast<unsigned char>(*p) < 0x80;
    const Char c = ascii ? Char{kOther, 1, false} : DecodeMultiByte(p, end);
    if (c.ill_formed) {
      out->append("\xEF\xBF\xBD");
    } else {
      out->append(p, c.bytes);
    }
    p += c.bytes;
  }
}

}  // namespace weir::tokens
