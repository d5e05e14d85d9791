// KeyRing: who a key belongs to, and that nothing else belongs to anybody.

#include "auth/key_ring.h"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/auth.h"

namespace weir::auth {
namespace {

constexpr std::string_view kPepper = "pepper";

Consumer MakeConsumer(std::string id, const std::vector<std::string>& keys) {
  Consumer consumer;
  consumer.id = std::move(id);
  for (const std::string& key : keys) consumer.key_hashes.push_back(HashKey(kPepper, key));
  return consumer;
}

Identity IdentifyKey(const KeyRing& ring, std::string_view key) {
  const Header header{"x-api-key", key};
  return ring.Identify({&header, 1});
}

// Every denial carries no consumer, and every consumer no denial.
void CheckDenied(const Identity& identity, Denial denial) {
  CHECK(identity.consumer == nullptr);
  CHECK(identity.denial == denial);
}

TEST_CASE("the stored form is the published HMAC-SHA-256") {
  // RFC 4231, test cases 1 and 2.
  CHECK(HashKey(std::string(20, '\x0b'), "Hi There") ==
        "sha256:b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(HashKey("Jefe", "what do ya want for nothing?") ==
        "sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(HashKey("", "k") != HashKey("p", "k"));
}

TEST_CASE("a key belongs to its consumer and to nobody else") {
  auto ring =
      KeyRing::Create(kPepper, {MakeConsumer("red", {"red-1", "red-2"}),
                                MakeConsumer("blue", {"blue-1"}), MakeConsumer("none", {})});
  REQUIRE(ring.ok());
  REQUIRE((*ring)->consumers().size() == 3);
  CHECK(IdentifyKey(**ring, "red-1").consumer == &(*ring)->consumers()[0]);
  CHECK(IdentifyKey(**ring, "red-2").consumer == &(*ring)->consumers()[0]);
  CHECK(IdentifyKey(**ring, "red-2").denial == Denial::kNone);
  CHECK(IdentifyKey(**ring, "blue-1").consumer->id == "blue");
  CheckDenied(IdentifyKey(**ring, "red-3"), Denial::kUnknown);
  CheckDenied(IdentifyKey(**ring, "RED-1"), Denial::kUnknown);
  CheckDenied(IdentifyKey(**ring, ""), Denial::kMalformed);
  CheckDenied((*ring)->Identify({}), Denial::kMissing);
}

TEST_CASE("an empty ring knows nobody") {
  for (const std::vector<Consumer>& consumers :
       {std::vector<Consumer>{}, std::vector<Consumer>{MakeConsumer("idle", {})}}) {
    auto ring = KeyRing::Create(kPepper, consumers);
    REQUIRE(ring.ok());
    CheckDenied(IdentifyKey(**ring, "anything"), Denial::kUnknown);
  }
}

TEST_CASE("another pepper makes all keys unknown") {
  auto ring = KeyRing::Create("salt", {MakeConsumer("red", {"red-1"})});
  REQUIRE(ring.ok());
  CheckDenied(IdentifyKey(**ring, "red-1"), Denial::kUnknown);
}

TEST_CASE("a failure inside is a denial without an identity") {
  // The digest is written and then the library reports failure: the digest must not be used.
  const HmacFunction failing = [](const HmacSha256Key& key, std::string_view text,
                                  Digest256* digest) {
    key.Sign(text, digest);
    return false;
  };
  auto ring = CreateKeyRing(kPepper, {MakeConsumer("red", {"red-1"})}, failing);
  REQUIRE(ring.ok());
  CheckDenied(IdentifyKey(**ring, "red-1"), Denial::kUnknown);
  CheckDenied(IdentifyKey(**ring, "red-2"), Denial::kUnknown);
}

TEST_CASE("no stored form is a key") {
  auto ring = KeyRing::Create(kPepper, {MakeConsumer("red", {"red-1"})});
  REQUIRE(ring.ok());
  const std::string stored = HashKey(kPepper, "red-1");
  const std::string hex = stored.substr(7);
  std::string raw;
  REQUIRE(HexDecode(hex, &raw));
  CheckDenied(IdentifyKey(**ring, stored), Denial::kUnknown);
  CheckDenied(IdentifyKey(**ring, hex), Denial::kUnknown);
  CHECK(IdentifyKey(**ring, raw).consumer == nullptr);
  CheckDenied(IdentifyKey(**ring, HashKey(kPepper, stored)), Denial::kUnknown);
}

TEST_CASE("a NUL neither ends a key nor joins two identities") {
  using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace)
  auto ring = KeyRing::Create(kPepper, {MakeConsumer("admin", {"admin"})});
  REQUIRE(ring.ok());
  CheckDenied(IdentifyKey(**ring, "admin\0x"sv), Denial::kMalformed);
  CheckDenied(IdentifyKey(**ring, "admin\0"sv), Denial::kMalformed);
  CHECK(HashKey(kPepper, "admin\0x"sv) != HashKey(kPepper, "admin"));
  CHECK(HashKey("pepper\0x"sv, "admin") != HashKey(kPepper, "admin"));

  // In what the policy says, a NUL is a byte like any other.
  Consumer consumer;
  consumer.attributes = {{std::string("team\0x"sv), "blue"}, {"team", "red"}, {"team", "green"}};
  consumer.models = {std::string("gpt\0x"sv)};
  CHECK(consumer.Attribute("team") == "red");
  CHECK(consumer.Attribute("team\0x"sv) == "blue");
  CHECK(consumer.Attribute("tea").empty());
  CHECK_FALSE(consumer.MayUse("gpt"));
}

TEST_CASE("hashes of another form are refused, and the text is not repeated") {
  const std::string good = HashKey(kPepper, "k");
  const std::string secret = "sk-somebody-pasted-a-key";
  for (const std::string& hash :
       {secret, std::string(), std::string("sha256:"), good.substr(7), good + "0",
        good.substr(0, good.size() - 1), Concat({"SHA256:", good.substr(7)}),
        Concat({"md5:", good.substr(7)}), Concat({" ", good}),
        good.substr(0, good.size() - 1) + "g",
        good.substr(0, good.size() - 1) + std::string(1, '\0')}) {
    Consumer consumer;
    consumer.id = "red";
    consumer.key_hashes = {good, hash};
    auto ring = KeyRing::Create(kPepper, {consumer});
    INFO(hash);
    REQUIRE(ring.status().code() == absl::StatusCode::kInvalidArgument);
    const std::string message(ring.status().message());
    CHECK(message.find("red") != std::string::npos);
    CHECK(message.find(secret) == std::string::npos);
  }
}

TEST_CASE("hex digits may be of either case; one key may not have two owners") {
  Consumer upper = MakeConsumer("upper", {"k"});
  for (size_t i = 7; i < upper.key_hashes[0].size(); ++i) {
    char& c = upper.key_hashes[0][i];
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  }
  Consumer both = MakeConsumer("both", {"k", "k"});
  both.key_hashes.push_back(upper.key_hashes[0]);

  auto one = KeyRing::Create(kPepper, {both});
  REQUIRE(one.ok());
  CHECK(IdentifyKey(**one, "k").consumer == &(*one)->consumers()[0]);

  auto two = KeyRing::Create(kPepper, {MakeConsumer("first", {"j"}), both, upper});
  REQUIRE(two.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(two.status().message()) ==
        "consumers \"both\" and \"upper\" hold the same key");
}

TEST_CASE("keys that share prefixes and suffixes never cross") {
  // 400 known keys that all begin and end alike, then 120,000 near misses of them.
  Random random(7);
  const std::string head(20, 'p');
  const std::string tail(20, 's');
  std::vector<Consumer> consumers;
  std::unordered_map<std::string, size_t> owner;
  for (size_t i = 0; i < 400; ++i) {
    const std::string key = head + std::to_string(i) + tail;
    owner[key] = i;
    consumers.push_back(MakeConsumer(Concat({"consumer-", std::to_string(i)}), {key}));
  }
  auto ring = KeyRing::Create(kPepper, consumers);
  REQUIRE(ring.ok());
  const absl::Span<const Consumer> known = (*ring)->consumers();
  for (int round = 0; round < 120'000; ++round) {
    std::string key = head + std::to_string(random.Below(400)) + tail;
    switch (random.Below(6)) {
      case 0:
        key.pop_back();
        break;
      case 1:
        key.push_back('s');
        break;
      case 2:
        key.erase(0, 1);
        break;
      case 3:
        key.insert(key.begin(), 'p');
        break;
      case 4:
        key[random.Below(key.size())] = static_cast<char>('0' + random.Below(10));
        break;
      default:
        break;  // the key itself
    }
    const Identity identity = IdentifyKey(**ring, key);
    const auto it = owner.find(key);
    const Consumer* expected = it == owner.end() ? nullptr : &known[it->second];
    REQUIRE(identity.consumer == expected);
    REQUIRE(identity.denial == (expected == nullptr ? Denial::kUnknown : Denial::kNone));
  }
}

TEST_CASE("models are matched by glob") {
  Consumer consumer;
  CHECK(consumer.MayUse("anything"));
  CHECK(consumer.MayUse(""));
  consumer.models = {"gpt-4o*", "claude-?"};
  CHECK(consumer.MayUse("gpt-4o"));
  CHECK(consumer.MayUse("gpt-4o-mini"));
  CHECK(consumer.MayUse("claude-3"));
  CHECK_FALSE(consumer.MayUse("claude-35"));
  CHECK_FALSE(consumer.MayUse("GPT-4o"));
  CHECK_FALSE(consumer.MayUse("xgpt-4o"));
  CHECK_FALSE(consumer.MayUse("gpt-4"));
  CHECK_FALSE(consumer.MayUse(""));
  consumer.models = {"*"};
  CHECK(consumer.MayUse(""));
}

}  // namespace
}  // namespace weir::auth
