#include "auth/digest_table.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace weir::auth {
namespace {

std::string_view Bytes(const Digest256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

DigestTable::DigestTable(std::vector<Entry> entries) {
  size_t buckets = 1;
  while (buckets < entries.size() * 4) buckets *= 2;
  starts_.assign(buckets, 0);

  std::vector<uint32_t> sizes(buckets, 0);
  for (const Entry& entry : entries) ++sizes[Bucket(entry.digest)];
  probes_ = *std::max_element(sizes.begin(), sizes.end());
  for (size_t i = 1; i < buckets; ++i) starts_[i] = starts_[i - 1] + sizes[i - 1];

  std::sort(entries.begin(), entries.end(), [this](const Entry& a, const Entry& b) {
    return std::pair(Bucket(a.digest), a.value) < std::pair(Bucket(b.digest), b.value);
  });
  slots_.reserve(entries.size() + probes_);
  for (const Entry& entry : entries) slots_.push_back({entry.digest, entry.value + 1});
  slots_.resize(entries.size() + probes_);
}

size_t DigestTable::Bucket(const Digest256& digest) const {
  // Digests are the output of a keyed hash: any of their bits will do.
  uint64_t word = 0;
  for (size_t i = 0; i < sizeof(word); ++i) word = word << 8 | digest[i];
  return word & (starts_.size() - 1);
}

int64_t DigestTable::Find(const Digest256& digest) const {
  const Slot* slot = slots_.data() + starts_[Bucket(digest)];
  uint32_t found = 0;
  for (size_t i = 0; i < probes_; ++i) {
    const auto equal =
        static_cast<uint32_t>(ConstantTimeEqual(Bytes(slot[i].digest), Bytes(digest)));
    found |= (0 - equal) & slot[i].value_plus_one;
  }
  return static_cast<int64_t>(found) - 1;
}

}  // namespace weir::auth
