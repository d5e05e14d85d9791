// Instants as texts: UTC, to the microsecond, always 27 bytes, so that they sort as they are.

#ifndef WEIR_LIB_LEDGER_INSTANT_H_
#define WEIR_LIB_LEDGER_INSTANT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::ledger {

inline constexpr size_t kInstantBytes = 27;  // "2026-11-23T07:42:27.123456Z"

// Rounded down; before 1970 is 1970.
void PutInstant(int64_t unix_ns, char* out);

// False for anything that PutInstant does not write.
bool ParseInstant(std::string_view text, int64_t* unix_ns);

}  // namespace weir::ledger

#endif  // WEIR_LIB_LEDGER_INSTANT_H_
