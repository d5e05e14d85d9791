// Hashes: a keyed 128-bit one for names that an attacker may choose, and OpenSSL's for secrets.

#ifndef WEIR_LIB_BASE_HASH_H_
#define WEIR_LIB_BASE_HASH_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

struct Hash128 {
  uint64_t hi = 0, lo = 0;
  friend bool operator==(const Hash128& a, const Hash128& b) {
    return a.hi == b.hi && a.lo == b.lo;
  }
};

// SipHash-2-4 with a 128-bit result (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
// The same in every process and build, so that it can name things in a shared segment.
Hash128 SipHash(uint64_t seed, std::string_view text);
// Of two parts; no other pair of parts has the same input.
Hash128 SipHash(uint64_t seed, std::string_view first, std::string_view second);

using Digest256 = std::array<unsigned char, 32>;
// HMAC-SHA-256 (RFC 2104) under one key, by OpenSSL's SHA-256: what the key alone decides is worked
// out once, so that signing a short text costs two blocks and no memory. Threads: any.
class HmacSha256Key {
 public:
  explicit HmacSha256Key(std::string_view key);
  ~HmacSha256Key();  // wipes it
  HmacSha256Key(const HmacSha256Key&) = delete;
  HmacSha256Key& operator=(const HmacSha256Key&) = delete;

  // False when the library failed, and then there is no digest.
  bool Sign(std::string_view text, Digest256* digest) const;

 private:
  using State = std::array<uint32_t, 28>;  // a SHA256_CTX
  State inner_, outer_;
  bool sound_;
};
// The same for one text.
bool HmacSha256(std::string_view key, std::string_view text, Digest256* digest);
// Takes the same time wherever the two differ. Sizes must be equal and are not secret.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

std::string HexEncode(std::string_view bytes);
bool HexDecode(std::string_view hex, std::string* bytes);

}  // namespace weir

#endif  // WEIR_LIB_BASE_HASH_H_
