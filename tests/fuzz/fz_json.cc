// Any bytes as JSON, strict and relaxed, with and without repeated keys.
//
// Oracle: RapidJSON, as tests/base/json_oracle.h sets it up. Both read the same values from the
// same places, or both refuse for the same reason at the same place.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/base/json_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!weir::json::testing::DifferenceInAnyMode(text).empty()) std::abort();
  return 0;
}
