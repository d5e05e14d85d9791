// What this needs of OpenSSL's older interface has no successor that does without memory.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>
#include <type_traits>

namespace weir {
namespace {

constexpr uint64_t Rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

uint64_t LoadLittleEndian(const char* bytes, size_t count) {
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i) {
    word |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return word;
}

class SipState {
 public:
  explicit SipState(uint64_t seed) {
    // The 128-bit key is the seed and a fixed second half: the seed is what an attacker lacks.
    const uint64_t k0 = seed;
    const uint64_t k1 = seed ^ 0x9E3779B97F4A7C15u;
    v_[0] = k0 ^ 0x736F6D6570736575u;
    v_[1] = k1 ^ 0x646F72616E646F6Du ^ 0xEE;  // 0xEE: 128-bit result
    v_[2] = k0 ^ 0x6C7967656E657261u;
    v_[3] = k1 ^ 0x7465646279746573u;
  }

  void Append(std::string_view text) {
    length_ += text.size();
    while (filled_ != 0 && !text.empty()) {
      AppendByte(text[0]);
      text.remove_prefix(1);
    }
    while (text.size() >= 8) {
      Compress(LoadLittleEndian(text.data(), 8));
      text.remove_prefix(8);
    }
    for (char c : text) AppendByte(c);
  }

  Hash128 Finish() {
    Compress(pending_ | (length_ << 56));
    v_[2] ^= 0xEE;
    for (int i = 0; i < 4; ++i) Round();
    Hash128 hash;
    hash.lo = v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
    v_[1] ^= 0xDD;
    for (int i = 0; i < 4; ++i) Round();
    hash.hi = v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
    return hash;
  }

 private:
  void AppendByte(char c) {
    pending_ |= static_cast<uint64_t>(static_cast<unsigned char>(c)) << (8 * filled_);
    if (++filled_ == 8) {
      Compress(pending_);
      pending_ = 0;
      filled_ = 0;
    }
  }

  void Compress(uint64_t word) {
    v_[3] ^= word;
    Round();
    Round();
    v_[0] ^= word;
  }

  void Round() {
    v_[0] += v_[1];
    v_[1] = Rotate(v_[1], 13) ^ v_[0];
    v_[0] = Rotate(v_[0], 32);
    v_[2] += v_[3];
    v_[3] = Rotate(v_[3], 16) ^ v_[2];
    v_[0] += v_[3];
    v_[3] = Rotate(v_[3], 21) ^ v_[0];
    v_[2] += v_[1];
    v_[1] = Rotate(v_[1], 17) ^ v_[2];
    v_[2] = Rotate(v_[2], 32);
  }

  uint64_t v_[4];
  uint64_t pending_ = 0;
  uint64_t length_ = 0;
  int filled_ = 0;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Hash128 SipHash(uint64_t seed, std::string_view text) {
  SipState state(seed);
  state.Append(text);
  return state.Finish();
}

Hash128 SipHash(uint64_t seed, std::string_view first, std::string_view second) {
  // The length of the first part goes in front, so that ("ab","c") is not ("a","bc").
  char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(first.size() >> (8 * i));
  SipState state(seed);
  state.Append({length, sizeof(length)});
  state.Append(first);
  state.Append(second);
  return state.Finish();
}

// A state of SHA-256 is a plain struct, copied for each text; OpenSSL's newer interface asks for
// memory for each, which takes several times as long as the hash.
static_assert(sizeof(SHA256_CTX) == 28 * sizeof(uint32_t));
static_assert(std::is_trivially_copyable_v<SHA256_CTX>);

HmacSha256Key::HmacSha256Key(std::string_view key) {
  unsigned char block[SHA256_CBLOCK] = {};
  Digest256 digest{};
  if (key.size() > sizeof(block)) {
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
    key = {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }
  if (!key.empty()) std::memcpy(block, key.data(), key.size());
  sound_ = true;
  const auto begin = [&](unsigned char pad, State* state) {
    unsigned char padded[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof(block); ++i) padded[i] = block[i] ^ pad;
    SHA256_CTX context;
    sound_ = sound_ && SHA256_Init(&context) == 1 &&
             SHA256_Update(&context, padded, sizeof(padded)) == 1;
    std::memcpy(state->data(), &context, sizeof(context));
    OPENSSL_cleanse(padded, sizeof(padded));
    OPENSSL_cleanse(&context, sizeof(context));
  };
  begin(0x36, &inner_);
  begin(0x5C, &outer_);
  OPENSSL_cleanse(block, sizeof(block));
  OPENSSL_cleanse(digest.data(), digest.size());
}

HmacSha256Key::~HmacSha256Key() {
  OPENSSL_cleanse(inner_.data(), sizeof(inner_));
  OPENSSL_cleanse(outer_.data(), sizeof(outer_));
}

bool HmacSha256Key::Sign(std::string_view text, Digest256* digest) const {
  if (!sound_) return false;
  const auto end = [digest](const State& state, const void* bytes, size_t size) {
    SHA256_CTX context;
    std::memcpy(&context, state.data(), sizeof(context));
    const bool ended =
        SHA256_Update(&context, bytes, size) == 1 && SHA256_Final(digest->data(), &context) == 1;
    OPENSSL_cleanse(&context, sizeof(context));
    return ended;
  };
  return end(inner_, text.data(), text.size()) && end(outer_, digest->data(), digest->size());
}

bool HmacSha256(std::string_view key, std::string_view text, Digest256* digest) {
  return HmacSha256Key(key).Sign(text, digest);
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string HexEncode(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

bool HexDecode(std::string_view hex, std::string* bytes) {
  bytes->clear();
  if (hex.size() % 2 != 0) return false;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes->push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

}  // namespace weir
