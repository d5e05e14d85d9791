// The lexical embedder.

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "meaning/facts.h"
#include "weir/meaning.h"

namespace weir::meaning {
namespace {

constexpr float kWordWeight = 1.0f, kPairWeight = 0.5f, kGroupWeight = 0.35f;
constexpr float kFunctionWordWeight = 0.15f;
constexpr uint64_t kPairSalt = 0x5bd1e9955bd1e995u, kGroupSalt = 0xc2b2ae3d27d4eb4fu;
constexpr size_t kMaxGroupWordBytes = 48;  // of a word, whose letter groups are taken

class Hashing {
 public:
  explicit Hashing(absl::Span<float> vector) : vector_(vector) {}

  void Add(uint64_t hash, float weight) {
    hash *= 0x9fb21c651e98df25u;
    hash ^= hash >> 32;
    const size_t place = static_cast<size_t>((hash & 0xFFFFFFFF) * vector_.size() >> 32);
    vector_[place] += (hash >> 63) != 0 ? weight : -weight;
  }

 private:
  absl::Span<float> vector_;
};

// Groups of three to five bytes of "<word>", weighed so that together they count as one.
void AddGroups(std::string_view word, float weight, Hashing* hashing) {
  std::array<char, kMaxGroupWordBytes + 2> marked;
  const size_t n = std::min(word.size(), kMaxGroupWordBytes);
  marked[0] = '<';
  std::copy_n(word.data(), n, marked.data() + 1);
  marked[n + 1] = '>';
  const std::string_view text(marked.data(), n + 2);
  const auto groups = static_cast<float>(3 * text.size());
  const float each = weight / std::sqrt(groups);
  for (size_t size = 3; size <= 5; ++size) {
    for (size_t at = 0; at + size <= text.size(); ++at) {
      hashing->Add(WordHash(text.substr(at, size)) ^ kGroupSalt, each * 1.7f);
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
  std::fill(vector.begin(), vector.end(), 0.0f);
  Hashing hashing(vector);
  uint64_t before = 0;
  for (const Lexeme& x : scan.lexemes) {
    if (x.kind == Lexeme::kSymbol) continue;
    const bool word = x.kind == Lexeme::kWord;
    const bool function_word = word && IsFunctionWord(x.hash);
    const uint64_t name = KnownName(x);
    const uint64_t hash = name != 0 ? name : x.stem;
    const float weight = function_word ? kFunctionWordWeight : kWordWeight;
    hashing.Add(hash, weight);
    if (before != 0) hashing.Add((before * 3 ^ hash) + kPairSalt, weight * kPairWeight);
    if (!function_word) AddGroups(scan.Folded(x), kGroupWeight * weight, &hashing);
    before = hash;
  }
  // The square root, so that what is said ten times does not drown the rest.
  double norm = 0;
  for (float& v : vector) {
    v = v < 0 ? -std::sqrt(-v) : std::sqrt(v);
    norm += static_cast<double>(v) * static_cast<double>(v);
  }
  if (norm == 0) return false;
  const auto scale = static_cast<float>(1 / std::sqrt(norm));
  for (float& v : vector) v *= scale;
  return true;
}

}  // namespace weir::meaning
