// Texts as a ledger writes them.

#ifndef WEIR_LIB_LEDGER_ESCAPE_H_
#define WEIR_LIB_LEDGER_ESCAPE_H_

#include <string_view>

namespace weir::ledger {

// Writes `text` as a JSON string with its quotes, at most kMaxTextBytes + 2 bytes, and returns the
// end. Up to eight bytes behind it may be overwritten.
char* PutText(char* out, std::string_view text);

}  // namespace weir::ledger

#endif  // WEIR_LIB_LEDGER_ESCAPE_H_
