// Any bytes as two texts, and as a text's features. Input: which (1 byte), then the bytes; two
// texts have a zero byte between them.
//
// Oracle: features that a text gives are taken back as they are; a text agrees with itself; two are
// compared alike in both directions, under all guards and under each alone; what differs is said in
// pieces of the features; a guard that is off refuses nothing; vectors have length 1.

#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "weir/meaning.h"

namespace weir::fuzz {
namespace {

using meaning::Compare;
using meaning::Features;
using meaning::FeaturesView;
using meaning::GuardSet;
using meaning::Verdict;

void Require(bool holds) {
  if (!holds) std::abort();
}

bool IsWithin(std::string_view piece, FeaturesView features) {
  if (piece.data() == nullptr) return true;
  const std::string_view all = features.bytes();
  return piece.data() >= all.data() && piece.data() + piece.size() <= all.data() + all.size();
}

void CheckPair(FeaturesView a, FeaturesView b) {
  bool is_refused_by_one = false;
  for (int i = -1; i < meaning::kGuards; ++i) {
    const GuardSet guards = i < 0 ? meaning::kAllGuards : GuardSet{1} << i;
    const Verdict forth = Compare(a, b, guards), back = Compare(b, a, guards);
    Require(forth.allowed == back.allowed);
    if (forth.allowed) continue;
    Require((meaning::Only(forth.guard) & guards) != 0);
    Require(IsWithin(forth.asked, a) && IsWithin(forth.stored, b));
    is_refused_by_one = is_refused_by_one || i >= 0;
  }
  Require(Compare(a, b, 0).allowed);
  // Negations and opposites are weighed together, so that together they may let more pass.
  if (!is_refused_by_one)
    Require(Compare(a, b, meaning::kAllGuards & ~meaning::Only(meaning::Guard::kNegation)).allowed);
}

void CheckText(std::string_view text) {
  const Features features = Features::Of(text);
  Require(features.Serialize().size() <= meaning::kMaxFeatureBytes);
  const auto again = Features::Parse(features.Serialize());
  Require(again.ok() && again->Serialize() == features.Serialize());
  Require(Compare(features, features, meaning::kAllGuards).allowed);
  std::vector<float> vector(128);
  if (!meaning::LexicalEmbedder().Embed(text, absl::MakeSpan(vector))) return;
  double sum = 0;
  for (const float x : vector) sum += double{x} * double{x};
  Require(std::fabs(sum - 1) < 1e-3);
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::meaning::Features;
  using weir::meaning::FeaturesView;
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 1) == 0) {
    const auto view = FeaturesView::Parse(bytes);
    if (!view.ok()) return 0;
    const Features other = Features::Of("Do not pay Bob 10 dollars before Friday, `x`");
    weir::fuzz::CheckPair(*view, other);
    weir::fuzz::CheckPair(*view, *view);
    return 0;
  }
  const size_t zero = bytes.find('\0');
  const std::string_view a = bytes.substr(0, zero);
  const std::string_view b = zero == bytes.npos ? std::string_view() : bytes.substr(zero + 1);
  weir::fuzz::CheckText(a);
  weir::fuzz::CheckText(b);
  const Features of_a = Features::Of(a), of_b = Features::Of(b);
  weir::fuzz::CheckPair(of_a, of_b);
  return 0;
}
