// The lexical embedder.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "meaning/facts.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

// Weights are whole numbers and so are their sums; the only rounding is in one division and one
// square root for each place, which IEEE 754 fixes. So vectors are equal in every build.
constexpr int32_t kWordWeight = 1000, kPairWeight = 500, kFunctionWordWeight = 150;
constexpr int32_t kFunctionPairWeight = 75;
constexpr double kGroupsWeight = 595;
constexpr uint64_t kPairSalt = 0x5bd1e9955bd1e995u, kGroupSalt = 0xc2b2ae3d27d4eb4fu;
constexpr size_t kMaxGroupWordBytes = 48;  // of a word, whose letter groups are taken

class Hashing {
 public:
  explicit Hashing(size_t dimension) : dimension_(dimension) {}

  void Add(uint64_t hash, int32_t weight) {
    hash *= 0x9fb21c651e98df25u;
    hash ^= hash >> 32;
    const size_t place = static_cast<size_t>((hash & 0xFFFFFFFF) * dimension_ >> 32);
    sums_[place] += (hash >> 63) != 0 ? weight : -weight;
  }

  // Square-rooted, so that what is said ten times does not drown the rest; of length 1. False when
  // there is nothing.
  bool Write(absl::Span<float> vector) const {
    int64_t norm = 0;
    for (size_t i = 0; i < dimension_; ++i) norm += std::abs(sums_[i]);
    if (norm == 0) return false;
    for (size_t i = 0; i < dimension_; ++i) {
      const double share = static_cast<double>(std::abs(sums_[i])) / static_cast<double>(norm);
      const auto v = static_cast<float>(std::sqrt(share));
      vector[i] = sums_[i] < 0 ? -v : v;
    }
    return true;
  }

 private:
  size_t dimension_;
  std::array<int32_t, LexicalEmbedder::kMaxDimension> sums_ = {};
};

// Groups of three to five bytes of "<word>", weighed by the word's length, so that a long word does
// not count many times.
void AddGroups(std::string_view word, Hashing* hashing) {
  std::array<char, kMaxGroupWordBytes + 2> marked;
  const size_t n = std::min(word.size(), kMaxGroupWordBytes);
  marked[0] = '<';
  std::copy_n(word.data(), n, marked.data() + 1);
  marked[n + 1] = '>';
  const std::string_view text(marked.data(), n + 2);
  const auto groups = static_cast<double>(3 * text.size());
  const auto weight = static_cast<int32_t>(kGroupsWeight / std::sqrt(groups));
  for (size_t size = 3; size <= 5; ++size) {
    for (size_t at = 0; at + size <= text.size(); ++at) {
      hashing->Add(WordHash(text.substr(at, size)) ^ kGroupSalt, weight);
    }
  }
}

}  // namespace

bool LexicalEmbedder::Embed(std::string_view text, absl::Span<float> vector) const {
  if (vector.size() < kMinDimension || vector.size() > kMaxDimension) return false;
  const Scan scan = ScanText(text.substr(0, Utf8Prefix(text, kMaxTextBytes)));
  if (std::all_of(scan.lexemes.begin(), scan.lexemes.end(),
                  [](const Lexeme& x) { return x.kind == Lexeme::kSymbol; })) {
    return false;
  }
  Hashing hashing(vector.size());
  uint64_t before = 0;
  for (const Lexeme& x : scan.lexemes) {
    if (x.kind == Lexeme::kSymbol) continue;
    const bool function_word = x.kind == Lexeme::kWord && IsFunctionWord(x.hash);
    const uint64_t name = KnownName(x);
    const uint64_t hash = name != 0 ? name : x.stem;
    hashing.Add(hash, function_word ? kFunctionWordWeight : kWordWeight);
    if (before != 0) {
      hashing.Add((before * 3 ^ hash) + kPairSalt,
                  function_word ? kFunctionPairWeight : kPairWeight);
    }
    if (!function_word) AddGroups(scan.Folded(x), &hashing);
    before = hash;
  }
  return hashing.Write(vector);
}

}  // namespace weir::meaning
