// weir/auth.h: who is calling: virtual keys.
//
// A policy stores a keyed hash of each key, never the key: HMAC-SHA-256 with the policy's pepper.
// Look-up goes by that digest and the comparison takes the same time whatever matches. A stored
// hash presented as a key is not a key. There is no fallback identity: the answer is an identity
// or a reason for denial, nothing in between.
//
//   Identity who = ring->Identify(headers);
//   if (who.consumer == nullptr) deny(who.denial);
//
// Threads: immutable after Create. Cost: one HMAC (about 1 µs).

#ifndef WEIR_AUTH_H_
#define WEIR_AUTH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"

namespace weir::auth {

inline constexpr size_t kMaxCredentialBytes = 512;

struct Consumer {
  std::string id;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<std::string> key_hashes;  // "sha256:" + 64 hex digits
  std::vector<std::string> models;      // globs of models it may ask for; empty = all

  // The attribute's value; empty when it has none.
  std::string_view Attribute(std::string_view name) const;
  bool MayUse(std::string_view model) const;
};

struct Header {
  std::string_view name, value;
};

enum class Denial : uint8_t {
  kNone,       // there is an identity
  kMissing,    // no credential header at all
  kMalformed,  // a credential in a form that cannot be a key (empty, too long, odd bytes, other
               // scheme), or two headers that disagree
  kUnknown,    // well-formed, and nobody's
};

struct Identity {
  const Consumer* consumer = nullptr;  // null exactly when denial != kNone
  Denial denial = Denial::kMissing;
};

// The credential that a request carries, from `Authorization: Bearer`, `api-key`, `x-api-key` or
// `x-goog-api-key` (names in any case; all forms that real clients send).
struct Credential {
  std::string_view value;  // into the headers
  Denial denial = Denial::kMissing;
};
Credential FindCredential(absl::Span<const Header> headers);

// True for headers that carry a credential and so never pass on to a backend.
bool IsCredentialHeader(std::string_view name);

// The stored form of `key`, for policies: "sha256:<hex of HMAC-SHA-256(pepper, key)>".
std::string HashKey(std::string_view pepper, std::string_view key);

class KeyRing {
 public:
  // INVALID_ARGUMENT: a hash of another form, or one hash held by two consumers.
  static absl::StatusOr<std::unique_ptr<KeyRing>> Create(std::string_view pepper,
                                                         std::vector<Consumer> consumers);
  virtual ~KeyRing() = default;

  virtual absl::Span<const Consumer> consumers() const = 0;
  virtual Identity Identify(absl::Span<const Header> headers) const = 0;
};

}  // namespace weir::auth

#endif  // WEIR_AUTH_H_
