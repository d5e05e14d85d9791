// Any bytes as JSON. Oracle: RapidJSON, event by event; and every value's source reads as that
// value.

#include "tests/base/json_reference.h"
#include "tests/fuzz/request_kinds.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(data, data + size);
  const auto reference = weir::json::testing::ReferenceEvents(text);
  if (!reference) return 0;
  weir::fuzz::Require(weir::json::testing::OurEvents(text) == *reference);
  weir::fuzz::Require(weir::json::testing::PlacesAreRight(text));
  return 0;
}
