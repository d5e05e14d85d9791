#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstring>
#include <set>

#include "base/random.h"
#include "tests/support/catch.h"

namespace weir {
namespace {

// OpenSSL's SipHash-2-4-128 under the key that our seed stands for.
Hash128 OpenSslSipHash(uint64_t seed, const std::string& text) {
  unsigned char key[16];
  const uint64_t halves[2] = {seed, seed ^ 0x9E3779B97F4A7C15u};
  std::memcpy(key, halves, 16);
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  size_t size = 16;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
  REQUIRE(EVP_MAC_CTX_set_params(context, params) == 1);
  REQUIRE(EVP_MAC_init(context, key, sizeof(key), nullptr) == 1);
  REQUIRE(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(text.data()),
                         text.size()) == 1);
  unsigned char out[16];
  size_t written = 0;
  REQUIRE(EVP_MAC_final(context, out, &written, sizeof(out)) == 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  Hash128 hash;
  std::memcpy(&hash.lo, out, 8);
  std::memcpy(&hash.hi, out + 8, 8);
  return hash;
}

TEST_CASE("SipHash agrees with OpenSSL's at every length") {
  Random random(1);
  for (size_t length = 0; length < 200; ++length) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text.push_back(static_cast<char>(random.Next()));
    const uint64_t seed = random.Next();
    const Hash128 ours = SipHash(seed, text);
    REQUIRE(ours == OpenSslSipHash(seed, text));
  }
}

TEST_CASE("two parts hash as the pair, not as their concatenation") {
  CHECK_FALSE(SipHash(1, "ab", "c") == SipHash(1, "a", "bc"));
  CHECK_FALSE(SipHash(1, "", "abc") == SipHash(1, "abc", ""));
  CHECK_FALSE(SipHash(1, "a", "b") == SipHash(2, "a", "b"));
  CHECK(SipHash(1, "a", "b") == SipHash(1, "a", "b"));
}

TEST_CASE("HMAC-SHA-256 gives RFC 4231's answers") {
  Digest256 digest;
  REQUIRE(HmacSha256(std::string(20, '\x0b'), "Hi There", &digest));
  CHECK(HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  REQUIRE(HmacSha256("Jefe", "what do ya want for nothing?", &digest));
  CHECK(HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  REQUIRE(HmacSha256(std::string(131, '\xaa'),
                     "Test Using Larger Than Block-Size Key - Hash Key First", &digest));
  CHECK(HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  REQUIRE(HmacSha256(std::string_view(), std::string_view(), &digest));
  CHECK(HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("a key that is made ready signs one text after the other, of any length") {
  const HmacSha256Key key("Jefe");
  for (size_t size = 0; size < 300; ++size) {
    const std::string text(size, 'x');
    Digest256 ready, once;
    REQUIRE(key.Sign(text, &ready));
    REQUIRE(HmacSha256("Jefe", text, &once));
    REQUIRE(ready == once);
  }
}

TEST_CASE("hex and constant-time comparison") {
  std::string bytes;
  CHECK(HexDecode("00fFa0", &bytes));
  CHECK(bytes == std::string("\x00\xff\xa0", 3));
  CHECK_FALSE(HexDecode("0", &bytes));
  CHECK_FALSE(HexDecode("0g", &bytes));
  CHECK(ConstantTimeEqual("abc", "abc"));
  CHECK_FALSE(ConstantTimeEqual("abc", "abd"));
  CHECK_FALSE(ConstantTimeEqual("abc", "ab"));
}

}  // namespace
}  // namespace weir
