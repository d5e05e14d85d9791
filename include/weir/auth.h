// weir/auth.h: who is calling: virtual keys.
//
// A policy stores a keyed hash of each key, never the key: HMAC-SHA-256 with the policy's pepper.
// Look-up goes by that digest and reads and compares the same number of entries whatever matches,
// so time tells nothing about a stored digest, and an unknown key costs what a known one costs. A
// stored hash presented as a key is not a key. There is no fallback identity: the answer is an
// identity or a reason for denial, nothing in between, and a failure inside is a denial.
//
//   auto ring = auth::KeyRing::Create(pepper, consumers);   // at start or reload
//   Identity who = (*ring)->Identify(headers);
//   if (who.consumer == nullptr) deny(who.denial);
//
// What a credential may be. 1 to 512 bytes of visible ASCII (0x21 to 0x7E), in `Authorization:
// Bearer <key>` (scheme in any case, any blanks or tabs around the key), `api-key`, `x-api-key` or
// `x-goog-api-key` (blanks around are dropped). A request may repeat its key in several of them;
// one that is empty, too long, of other bytes, of another scheme (Basic, or no scheme), or unlike
// another makes the whole request malformed: guessing which one was meant is how identities get
// mixed up. All of that is decided before anything is hashed or looked up. Bytes are never treated
// as text with an end: a NUL is an odd byte, not a terminator.
//
// Keys must be long and random (128 bits or more): the hash is fast, and protects a leaked policy
// only as far as nobody can try all keys or has the pepper.
//
// Threads: a KeyRing is immutable after Create; any thread, any time. Cost: one HMAC (about 0.3 µs)
// and a handful of 32-byte comparisons, for ten keys as for ten thousand. Memory: about 50 bytes a
// key besides the consumers themselves. Limits: 2^32 - 2 consumers.

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

  // The value of the attribute `name` (the first, when several have it); empty when none has.
  std::string_view Attribute(std::string_view name) const;

  // May this consumer ask for `model`? True when `models` is empty or one of its globs matches
  // (`*` any run, `?` any byte; the whole name, case matters).
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

struct Credential {
  std::string_view value;  // into the headers; empty unless denial is kNone
  Denial denial = Denial::kMissing;
};

// The credential that a request carries, by the rules above. Header names in any case; headers that
// are no credential headers are passed over.
Credential FindCredential(absl::Span<const Header> headers);

// True for the four headers that carry a caller's credential, in any case. They must never pass on
// to a backend.
bool IsCredentialHeader(std::string_view name);

// The stored form of `key`, for policies: "sha256:<hex of HMAC-SHA-256(pepper, key)>" (RFC 2104,
// FIPS 180-4). Empty when the cryptographic library fails.
std::string HashKey(std::string_view pepper, std::string_view key);

class KeyRing {
 public:
  // Takes copies of both; the pepper is wiped when the ring is destroyed. Hex digits may be of
  // either case, and a consumer may list a hash twice.
  // INVALID_ARGUMENT: a hash of another form (the message names the consumer and does not repeat
  // the text), or one hash held by two consumers (the message names both).
  static absl::StatusOr<std::unique_ptr<KeyRing>> Create(std::string_view pepper,
                                                         std::vector<Consumer> consumers);
  virtual ~KeyRing() = default;

  // In the order given to Create; they live as long as the ring.
  virtual absl::Span<const Consumer> consumers() const = 0;

  // Who sent a request with these headers. The consumer lives as long as the ring.
  virtual Identity Identify(absl::Span<const Header> headers) const = 0;
};

}  // namespace weir::auth

#endif  // WEIR_AUTH_H_
