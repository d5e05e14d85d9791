// DigestTable: right answers, and the same work for every question.

#include "auth/digest_table.h"

#include <map>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"

namespace weir::auth {
namespace {

Digest256 RandomDigest(Random* random) {
  Digest256 digest;
  for (unsigned char& byte : digest) byte = static_cast<unsigned char>(random->Next());
  return digest;
}

TEST_CASE("digests are found as in a map, near misses are not") {
  for (const size_t size : {0, 1, 2, 3, 10, 100, 1'000, 20'000}) {
    Random random(size + 1);
    std::vector<DigestTable::Entry> entries;
    std::map<Digest256, uint32_t> twin;
    for (size_t i = 0; i < size; ++i) {
      entries.push_back({RandomDigest(&random), static_cast<uint32_t>(i % 7)});
      twin[entries.back().digest] = entries.back().value;
    }
    const DigestTable table(entries);
    INFO("size " << size);
    for (const auto& entry : entries) REQUIRE(table.Find(entry.digest) == entry.value);
    for (int round = 0; round < 2'000; ++round) {
      Digest256 digest =
          size == 0 || round % 2 == 0 ? RandomDigest(&random) : entries[random.Below(size)].digest;
      // Half of them differ from a known digest in one bit.
      if (round % 2 == 1)
        digest[random.Below(32)] ^= static_cast<unsigned char>(1 << random.Below(8));
      const auto it = twin.find(digest);
      REQUIRE(table.Find(digest) == (it == twin.end() ? -1 : int64_t{it->second}));
    }
    CHECK(table.Find(Digest256{}) == -1);
  }
}

TEST_CASE("few probes for digests of a keyed hash") {
  Random random(3);
  std::vector<DigestTable::Entry> entries;
  for (uint32_t i = 0; i < 10'000; ++i) entries.push_back({RandomDigest(&random), i});
  CHECK(DigestTable(entries).probes() <= 8);
}

TEST_CASE("digests that all share a bucket are still told apart") {
  Random random(5);
  std::vector<DigestTable::Entry> entries;
  for (uint32_t i = 0; i < 64; ++i) {
    Digest256 digest = RandomDigest(&random);
    for (int byte = 0; byte < 8; ++byte) digest[static_cast<size_t>(byte)] = 0xFF;
    entries.push_back({digest, i});
  }
  const DigestTable table(entries);
  CHECK(table.probes() == 64);
  for (const auto& entry : entries) CHECK(table.Find(entry.digest) == entry.value);
  CHECK(table.Find(RandomDigest(&random)) == -1);
}

}  // namespace
}  // namespace weir::auth
