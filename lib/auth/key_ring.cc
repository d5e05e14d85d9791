#include "auth/key_ring.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "auth/digest_table.h"
#include "base/text.h"

namespace weir::auth {
namespace {

constexpr std::string_view kHashPrefix = "sha256:";

bool ParseKeyHash(std::string_view text, Digest256* digest) {
  if (text.substr(0, kHashPrefix.size()) != kHashPrefix) return false;
  text.remove_prefix(kHashPrefix.size());
  std::string bytes;
  if (text.size() != 2 * digest->size() || !HexDecode(text, &bytes)) return false;
  std::memcpy(digest->data(), bytes.data(), digest->size());
  return true;
}

class HmacKeyRing final : public KeyRing {
 public:
  HmacKeyRing(std::string_view pepper, std::vector<Consumer> consumers, DigestTable table,
              HmacFunction hmac)
      : pepper_(pepper), consumers_(std::move(consumers)), table_(std::move(table)), hmac_(hmac) {}

  HmacKeyRing(const HmacKeyRing&) = delete;
  HmacKeyRing& operator=(const HmacKeyRing&) = delete;

  absl::Span<const Consumer> consumers() const override { return consumers_; }

  Identity Identify(absl::Span<const Header> headers) const override {
    const Credential credential = FindCredential(headers);
    if (credential.denial != Denial::kNone) return {nullptr, credential.denial};
    Digest256 digest{};
    // A failure inside the library is a denial: there is no path on which nothing was checked.
    if (!hmac_(pepper_, credential.value, &digest)) return {nullptr, Denial::kUnknown};
    const int64_t index = table_.Find(digest);
    if (index < 0) return {nullptr, Denial::kUnknown};
    return {&consumers_[static_cast<size_t>(index)], Denial::kNone};
  }

 private:
  const HmacSha256Key pepper_;
  const std::vector<Consumer> consumers_;
  const DigestTable table_;
  const HmacFunction hmac_;
};

// The digests of all consumers, each once; the value is the consumer's index.
absl::StatusOr<std::vector<DigestTable::Entry>> CollectDigests(
    const std::vector<Consumer>& consumers) {
  std::vector<DigestTable::Entry> entries;
  for (size_t i = 0; i < consumers.size(); ++i) {
    for (const std::string& hash : consumers[i].key_hashes) {
      DigestTable::Entry entry;
      entry.value = static_cast<uint32_t>(i);
      if (!ParseKeyHash(hash, &entry.digest)) {
        // The text is not repeated: it may be a key that somebody pasted in the wrong place.
        return absl::InvalidArgumentError(
            Concat({"consumer \"", consumers[i].id,
                    "\": a key hash is \"sha256:\" and 64 hexadecimal digits"}));
      }
      entries.push_back(entry);
    }
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.digest, a.value) < std::pair(b.digest, b.value);
  });
  const auto same = [](const auto& a, const auto& b) {
    return a.digest == b.digest && a.value == b.value;
  };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].digest != entries[i - 1].digest) continue;
    return absl::InvalidArgumentError(
        Concat({"consumers \"", consumers[entries[i - 1].value].id, "\" and \"",
                consumers[entries[i].value].id, "\" hold the same key"}));
  }
  return entries;
}

}  // namespace

std::string_view Consumer::Attribute(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  return {};
}

bool Consumer::MayUse(std::string_view model) const {
  return models.empty() || std::any_of(models.begin(), models.end(), [&](const std::string& glob) {
           return GlobMatch(glob, model);
         });
}

std::string HashKey(std::string_view pepper, std::string_view key) {
  Digest256 digest{};
  if (!HmacSha256(pepper, key, &digest)) return {};
  return Concat(
      {kHashPrefix, HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()})});
}

absl::StatusOr<std::unique_ptr<KeyRing>> CreateKeyRing(std::string_view pepper,
                                                       std::vector<Consumer> consumers,
                                                       HmacFunction hmac) {
  auto entries = CollectDigests(consumers);
  if (!entries.ok()) return entries.status();
  return std::make_unique<HmacKeyRing>(pepper, std::move(consumers),
                                       DigestTable(*std::move(entries)), hmac);
}

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Create(std::string_view pepper,
                                                         std::vector<Consumer> consumers) {
  return CreateKeyRing(pepper, std::move(consumers),
                       [](const HmacSha256Key& key, std::string_view text, Digest256* digest) {
                         return key.Sign(text, digest);
                       });
}

}  // namespace weir::auth
