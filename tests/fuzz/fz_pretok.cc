// Pre-tokenizing: windows, with every way of classifying bytes, and the scalar pre-tokenizer
// against the regular expressions.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokens/oracle.h"
#include "tokens/byte_masks.h"
#include "tokens/piece_window.h"
#include "tokens/pretokenizer.h"

namespace {

using weir::tokens::kWindowBytes;
using weir::tokens::MasksFunction;
using weir::tokens::Pattern;
using weir::tokens::Pretokenizer;

void Require(bool holds) {
  if (!holds) std::abort();
}

template <Pattern kPattern>
std::vector<size_t> Scalar(std::string_view text) {
  std::vector<size_t> ends;
  size_t at = 0;
  for (Pretokenizer<kPattern> pieces(text); pieces.Next();) {
    ends.push_back(at += pieces.piece().size());
  }
  return ends;
}

template <Pattern kPattern>
std::vector<size_t> ByWindows(MasksFunction masks_of, std::string_view text) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < text.size();) {
    char bytes[kWindowBytes + 8] = {};
    const size_t left = text.size() - at, size = std::min(kWindowBytes, left);
    std::memcpy(bytes, text.data() + at, std::min(sizeof bytes, left));
    const weir::tokens::PieceWindow<kPattern> window(masks_of, bytes, size, size == left);
    if (window.consumed() == 0) {
      Pretokenizer<kPattern> piece(text.substr(at));
      Require(piece.Next());
      ends.push_back(at += piece.piece().size());
      continue;
    }
    for (uint64_t rest = window.starts() & ~uint64_t{1}; rest != 0; rest &= rest - 1) {
      ends.push_back(at + static_cast<size_t>(std::countr_zero(rest)));
    }
    ends.push_back(at += window.consumed());
  }
  return ends;
}

template <Pattern kPattern>
void Check(const std::string& encoding, std::string_view text) {
  const std::vector<size_t> ends = Scalar<kPattern>(text);
  if constexpr (weir::tokens::kHasWindow<kPattern>) {
    const auto variants = weir::tokens::AllMasksVariants();
    for (const MasksFunction masks_of : {variants.table, variants.avx2, variants.avx512}) {
      if (masks_of != nullptr) Require(ByWindows<kPattern>(masks_of, text) == ends);
    }
  }
  const auto pieces = weir::testing::NaivePieces(encoding, weir::testing::DecodeLossy(text));
  Require(pieces.size() == ends.size());
  size_t begin = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    std::string lossy;
    weir::tokens::AppendLossy(&lossy, text.substr(begin, ends[i] - begin));
    Require(lossy == weir::testing::EncodeUtf8(pieces[i]));
    begin = ends[i];
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMaxBytes = 1000;  // the expressions backtrack
  const std::string_view text(reinterpret_cast<const char*>(data), std::min(size, kMaxBytes));
  Check<Pattern::kO200k>("o200k_base", text);
  Check<Pattern::kCl100k>("cl100k_base", text);
  Check<Pattern::kR50k>("r50k_base", text);
  return 0;
}
