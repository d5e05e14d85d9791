// Any request with any edits. Input: the kind (1 byte), which edits (1 byte), the body.
//
// Oracle: what comes out is JSON, and differs from what went in on the edited paths alone: the
// plain twin of tests/dialects/edit_twin.h says which those are. It can be read again, and the same
// edits then change nothing more.

#include <string>

#include "tests/dialects/edit_twin.h"
#include "tests/fuzz/request_kinds.h"

namespace {

using weir::fuzz::Require;

weir::dialects::Edits EditsOf(uint8_t byte) {
  constexpr std::string_view kModels[] = {"", "m", "a \"b\"\n\xC3\xA9", "gpt-4o-mini"};
  weir::dialects::Edits edits;
  edits.model = kModels[byte & 3];
  edits.want_usage = (byte & 4) != 0;
  if ((byte & 8) != 0) edits.max_output_tokens = uint64_t{1} << (byte >> 4);
  return edits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const weir::fuzz::RequestKind& kind = weir::fuzz::KindOf(data[0]);
  const weir::dialects::Edits edits = EditsOf(data[1]);
  const std::string body(data + 2, data + size);
  const auto request = weir::dialects::ReadRequest(kind.dialect, kind.operation, kind.target, body);
  if (!request.ok()) return 0;
  const std::string edited = weir::dialects::RewriteRequest(body, *request, edits);
  Require(weir::dialects::testing::LeavesOf(edited) ==
          weir::dialects::testing::TwinEdit(body, *request, edits));
  const auto again = weir::dialects::ReadRequest(kind.dialect, kind.operation, kind.target, edited);
  Require(again.ok());
  Require(weir::dialects::RewriteRequest(edited, *again, edits) == edited);
  return 0;
}
