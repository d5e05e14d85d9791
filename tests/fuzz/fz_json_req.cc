// Any bytes as a request of any dialect. Input: the kind (1 byte), the body.
//
// Oracle: a body that is no JSON object, or in which any object repeats a key (found here by
// decoded keys in a set), is refused; one that is read comes back byte for byte from a rewrite
// without edits; a refusal is short and UTF-8.

#include <set>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "tests/fuzz/request_kinds.h"

namespace {

using weir::fuzz::Require;

// Walks in document order: what is open is a list, not the stack.
bool RepeatsAKey(weir::json::Value root) {
  std::vector<weir::json::Value> open = {root};
  while (!open.empty()) {
    const weir::json::Value value = open.back();
    open.pop_back();
    std::set<std::string_view> keys;
    for (weir::json::Value member : value.members()) {
      if (value.Is(weir::json::Type::kObject) && !keys.insert(member.key()).second) return true;
      open.push_back(member);
    }
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const weir::fuzz::RequestKind& kind = weir::fuzz::KindOf(data[0]);
  const std::string body(data + 1, data + size);
  const auto request = weir::dialects::ReadRequest(kind.dialect, kind.operation, kind.target, body);

  weir::json::Document document;
  weir::json::ParseError error;
  const bool parsed = document.Parse(body, {.allow_duplicate_keys = true}, &error);
  const bool clean =
      parsed && document.root().Is(weir::json::Type::kObject) && !RepeatsAKey(document.root());
  if (!clean) Require(!request.ok());
  if (!request.ok()) {
    const std::string message(request.status().message());
    Require(!message.empty() && message.size() <= 300);
    Require(weir::FindInvalidUtf8(message) == std::string_view::npos);
    // A clean object is only refused for a field, which is named.
    if (clean) Require(request.status().GetPayload("weir/param").has_value());
    return 0;
  }
  Require(request->n >= 1);
  Require(!request->max_output_tokens || *request->max_output_tokens <= weir::dialects::kMaxTokens);
  Require(weir::dialects::RewriteRequest(body, *request, {}) == body);
  return 0;
}
