// The window's piece beginnings are the pretokenizer's, and all ways to classify bytes agree.

#include "tokens/piece_window.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/tokens/oracle.h"
#include "tokens/byte_masks.h"

namespace weir::tokens {
namespace {

std::vector<MasksFunction> Variants() {
  const MasksVariants all = AllMasksVariants();
  std::vector<MasksFunction> present = {all.table};
  for (const MasksFunction variant : {all.avx2, all.avx512}) {
    if (variant != nullptr) present.push_back(variant);
  }
  return present;
}

struct Cuts {
  std::vector<size_t> ends;
  size_t by_window = 0;
};

template <Pattern kPattern>
Cuts ByWindows(MasksFunction masks_of, const std::string& text) {
  Cuts cuts;
  for (size_t at = 0; at < text.size();) {
    char bytes[kWindowBytes + 8] = {};
    const size_t left = text.size() - at, size = std::min(kWindowBytes, left);
    std::memcpy(bytes, text.data() + at, std::min(sizeof bytes, left));
    const PieceWindow<kPattern> window(masks_of, bytes, size, size == left);
    if (window.consumed() == 0) {
      Pretokenizer<kPattern> piece(std::string_view(text).substr(at));
      piece.Next();
      at += piece.piece().size();
      cuts.ends.push_back(at);
      continue;
    }
    REQUIRE((window.starts() & 1) == 1);
    for (uint64_t rest = window.starts() & ~uint64_t{1}; rest != 0; rest &= rest - 1) {
      cuts.ends.push_back(at + static_cast<size_t>(std::countr_zero(rest)));
      ++cuts.by_window;
    }
    at += window.consumed();
    cuts.ends.push_back(at);
  }
  return cuts;
}

template <Pattern kPattern>
size_t CheckWindows(MasksFunction masks_of, const std::string& text) {
  std::vector<size_t> expected;
  size_t at = 0;
  for (Pretokenizer<kPattern> pieces(text); pieces.Next();) {
    expected.push_back(at += pieces.piece().size());
  }
  const Cuts found = ByWindows<kPattern>(masks_of, text);
  if (found.ends != expected) {
    INFO("pattern " << static_cast<int>(kPattern) << ": " << text);
    REQUIRE(found.ends == expected);
  }
  return found.by_window;
}

constexpr std::string_view kAtoms[] = {"a",
                                       "B",
                                       "c",
                                       "Z",
                                       " ",
                                       " ",
                                       "  ",
                                       "\n",
                                       "\r\n",
                                       "\t",
                                       "'",
                                       "'s",
                                       "'ll",
                                       "'RE",
                                       "/",
                                       "//",
                                       ".",
                                       "(",
                                       "1",
                                       "12",
                                       "1234",
                                       " the",
                                       "Hello",
                                       "x's",
                                       "\n\n",
                                       "   \n",
                                       "\xC3\xA9",
                                       "\xC3\x89",
                                       "\xE4\xB8\xAD",
                                       "\xE6\x96\x87",
                                       "\xEF\xBC\x8C",
                                       "\xE0\xA4\xBE",
                                       "\xE0\xA4\x95",
                                       "\xCC\x81",
                                       "\xC5\xBF",
                                       "'\xC5\xBF",
                                       "\xF0\x9F\x91\x8D",
                                       "\xC2\xA0",
                                       "\xE3\x80\x80",
                                       "\xD9\xA3",
                                       "\xFF",
                                       "\xE4\xB8",
                                       "\xD0\x96",
                                       "\xD0\xB6",
                                       "\xC7\x85",
                                       "\xCA\xB0",
                                       "\xED\xA0\x80",
                                       "\xC0\xAF",
                                       "\xF4\x90\x80\x80",
                                       std::string_view("\0", 1)};

TEST_CASE("windows cut as the pretokenizer does") {
  Random random(11);
  size_t by_window = 0;
  for (int round = 0; round < testing::Rounds(60000); ++round) {
    // Plain text, text with letters of all scripts, and anything.
    const size_t atoms[] = {22, 29, std::size(kAtoms)};
    const size_t known = atoms[random.Below(std::size(atoms))];
    std::string text;
    for (uint64_t n = 1 + random.Below(60); n > 0; --n) text += kAtoms[random.Below(known)];
    for (const MasksFunction masks_of : Variants()) {
      by_window += CheckWindows<Pattern::kO200k>(masks_of, text);
      by_window += CheckWindows<Pattern::kCl100k>(masks_of, text);
    }
  }
  CHECK(by_window > 100000);  // else nothing was tested
}

TEST_CASE("all ways to classify bytes say the same") {
  Random random(12);
  for (int round = 0; round < 3000; ++round) {
    char bytes[kWindowBytes];
    for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
    ByteMasks expected;
    AllMasksVariants().table(bytes, &expected);
    for (const MasksFunction masks_of : Variants()) {
      ByteMasks found;
      masks_of(bytes, &found);
      REQUIRE(std::memcmp(&found, &expected, sizeof found) == 0);
    }
  }
}

}  // namespace
}  // namespace weir::tokens
