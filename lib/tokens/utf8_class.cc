#include "tokens/utf8_class.h"

namespace weir::tokens {
void AppendLossy(std::string* out, std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const CodePoint c = DecodeAt(p, end);
    if (c.ill_formed) {
      out->append("\xEF\xBF\xBD");
    } else {
      out->append(p, c.bytes);
    }
    p += c.bytes;
  }
}

}  // namespace weir::tokens
