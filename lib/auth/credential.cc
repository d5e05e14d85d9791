#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "weir/auth.h"

namespace weir::auth {
namespace {

constexpr std::string_view kAuthorization = "authorization";
constexpr std::string_view kBearer = "bearer";
constexpr std::array<std::string_view, 3> kKeyHeaders = {"api-key", "x-api-key", "x-goog-api-key"};

constexpr bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// Visible ASCII, no space: what every issuer's keys are made of. All else is refused before any
// hashing or look-up.
bool IsKeyText(std::string_view value) {
  return !value.empty() && value.size() <= kMaxCredentialBytes &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x21 && c <= 0x7E; });
}

// `value` after "Bearer" and its blanks; nullopt when it is of another scheme.
std::optional<std::string_view> BearerValue(std::string_view value) {
  if (value.size() < kBearer.size()) return std::nullopt;
  if (!EqualsIgnoreCase(value.substr(0, kBearer.size()), kBearer)) return std::nullopt;
  value.remove_prefix(kBearer.size());
  if (value.empty() || !IsBlank(value.front())) return std::nullopt;
  return TrimSpace(value);
}

// The credential in a header, as far as it can be cut out: nullopt when it is not a credential
// header; an empty value when it is one that holds nothing usable.
std::optional<std::string_view> CredentialText(const Header& header) {
  const std::string_view value = TrimSpace(header.value);
  if (EqualsIgnoreCase(header.name, kAuthorization)) return BearerValue(value).value_or("");
  return IsCredentialHeader(header.name) ? std::optional(value) : std::nullopt;
}

}  // namespace

bool IsCredentialHeader(std::string_view name) {
  return EqualsIgnoreCase(name, kAuthorization) ||
         std::any_of(kKeyHeaders.begin(), kKeyHeaders.end(),
                     [&](std::string_view header) { return EqualsIgnoreCase(name, header); });
}

Credential FindCredential(absl::Span<const Header> headers) {
  Credential found;
  for (const Header& header : headers) {
    const std::optional<std::string_view> text = CredentialText(header);
    if (!text.has_value()) continue;
    const bool disagrees = found.denial == Denial::kNone && found.value != *text;
    if (!IsKeyText(*text) || disagrees) return {{}, Denial::kMalformed};
    found = {*text, Denial::kNone};
  }
  return found;
}

}  // namespace weir::auth
