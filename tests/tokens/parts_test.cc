// Pieces that are merged part by part, because no token joins the characters where they are cut.

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/tokens/oracle.h"
#include "tokens/bpe.h"
#include "tokens/embedded_tables.h"

namespace weir::tokens {
namespace {

struct Encoding {
  const char* name;
  const unsigned char* table;
};
const Encoding kEncodings[] = {{"r50k_base", weir_tokens_r50k_base},
                               {"p50k_base", weir_tokens_p50k_base},
                               {"cl100k_base", weir_tokens_cl100k_base},
                               {"o200k_base", weir_tokens_o200k_base}};

size_t BytesOfLead(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// The token with the characters made whole of which it has a part at either end; empty when its
// bytes do not occur in UTF-8.
std::string MadeWhole(std::string token, Random* random) {
  const auto tail = [random] { return static_cast<char>(0x80 + random->Below(64)); };
  size_t stray = 0;
  while (stray < token.size() && IsContinuation(static_cast<unsigned char>(token[stray]))) ++stray;
  if (stray == 1) token.insert(0, 1, static_cast<char>(0xC2 + random->Below(0x1E)));
  if (stray == 2) token.insert(0, 1, static_cast<char>(0xE1 + random->Below(0x0C)));
  if (stray == 3) token.insert(0, 1, static_cast<char>(0xF1 + random->Below(3)));
  if (stray == 1 && random->Below(2) == 0) {
    token.replace(0, 1, {static_cast<char>(0xE1 + random->Below(0x0C)), tail()});
  }
  size_t last = token.size();
  while (last > 0 && IsContinuation(static_cast<unsigned char>(token[last - 1]))) --last;
  if (last > 0) {
    const size_t bytes = BytesOfLead(static_cast<unsigned char>(token[last - 1]));
    while (token.size() < last - 1 + bytes) token += tail();
  }
  for (size_t at = 0; at < token.size();) {
    const CodePoint c = DecodeAt(token.data() + at, token.data() + token.size());
    if (c.ill_formed) return {};
    at += c.bytes;
  }
  return token;
}

TEST_CASE("merging part by part matches the definition") {
  for (const Encoding& encoding : kEncodings) {
    const RankTable table(encoding.table);
    Random random(11);
    std::vector<std::string> tokens;
    for (uint32_t id = 0; id < table.token_count(); ++id) {
      const std::string_view bytes = table.TokenBytes(id);
      const bool ascii = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0; });
      if (!ascii) tokens.emplace_back(bytes);
    }
    size_t parts = 0;
    LongPieceMerger merger;
    for (int round = 0; round < testing::Rounds(40000); ++round) {
      std::string piece;
      for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
        piece += MadeWhole(tokens[random.Below(tokens.size())], &random);
      }
      if (piece.empty()) continue;
      const std::string padded = piece + std::string(4, '\0');
      std::vector<uint32_t> found;
      std::string covered;
      ForEachPart(table, padded.data(), piece.size(), [&](const char* bytes, size_t size) {
        MergePiece(table, {bytes, size}, &merger, &found);
        covered.append(bytes, size);
        ++parts;
      });
      INFO(encoding.name << " " << piece);
      REQUIRE(covered == piece);
      REQUIRE(found == testing::NaiveMerge(testing::RanksOf(encoding.name), piece));
    }
    CHECK(parts > static_cast<size_t>(testing::Rounds(40000)) * 3 / 2);
  }
}

TEST_CASE("each token is one part") {
  for (const Encoding& encoding : kEncodings) {
    const RankTable table(encoding.table);
    Random random(12);
    size_t cut = 0;
    for (uint32_t id = 0; id < table.token_count(); ++id) {
      const std::string token(table.TokenBytes(id));
      const std::string whole = MadeWhole(token, &random);
      if (whole.empty()) continue;
      const std::string padded = whole + std::string(4, '\0');
      ForEachPart(table, padded.data(), whole.size(),
                  [&](const char* /*bytes*/, size_t size) { cut += size != whole.size(); });
    }
    CHECK(cut == 0);
  }
}

}  // namespace
}  // namespace weir::tokens
