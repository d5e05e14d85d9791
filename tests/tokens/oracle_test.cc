// Random texts against the naive twin.

#include "tests/tokens/oracle.h"

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tokens/bpe.h"
#include "tokens/embedded_tables.h"
#include "tokens/pretokenizer.h"
#include "tokens/utf8_class.h"
#include "weir/tokens.h"

namespace weir::tokens {
namespace {

using testing::EncodeUtf8;
using testing::NaiveEncode;

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  return hex;
}

template <Pattern kPattern>
std::vector<std::string> Pieces(std::string_view text) {
  std::vector<std::string> pieces;
  for (Pretokenizer<kPattern> p(text); p.Next();) {
    pieces.emplace_back();
    AppendLossy(&pieces.back(), p.piece());
    if (!p.maybe_ill_formed()) REQUIRE(pieces.back() == p.piece());
  }
  return pieces;
}

std::vector<std::string> PiecesOf(const std::string& encoding, std::string_view text) {
  if (encoding == "cl100k_base") return Pieces<Pattern::kCl100k>(text);
  if (encoding == "o200k_base") return Pieces<Pattern::kO200k>(text);
  return Pieces<Pattern::kR50k>(text);
}

const unsigned char* TableOf(const std::string& encoding) {
  if (encoding == "cl100k_base") return weir_tokens_cl100k_base;
  if (encoding == "o200k_base") return weir_tokens_o200k_base;
  return encoding == "p50k_base" ? weir_tokens_p50k_base : weir_tokens_r50k_base;
}

constexpr const char* kEncodings[] = {"r50k_base", "p50k_base", "cl100k_base", "o200k_base"};

// Pieces too, because many wrong cuts happen to give the right ids.
void CheckAgainstTwin(const std::string& text) {
  for (const char* encoding : kEncodings) {
    std::vector<std::string> expected_pieces;
    for (const auto& piece : testing::NaivePieces(encoding, testing::DecodeLossy(text))) {
      expected_pieces.push_back(EncodeUtf8(piece));
    }
    const auto pieces = PiecesOf(encoding, text);
    if (pieces != expected_pieces) {
      INFO(encoding << " " << Hex(text));
      REQUIRE(pieces == expected_pieces);
    }
    const std::vector<uint32_t> expected = NaiveEncode(encoding, text);
    std::vector<uint32_t> found;
    Find(encoding)->Encode(text, &found);
    // Twice, because the second time the pieces are remembered.
    const size_t first = Find(encoding)->Count(text), second = Find(encoding)->Count(text);
    if (found != expected || first != expected.size() || second != first) {
      INFO(encoding << " " << Hex(text));
      REQUIRE(found == expected);
      REQUIRE(first == expected.size());
      REQUIRE(second == first);
    }
  }
}

// One code point of a class drawn first, so that rare classes are as frequent as common ones.
char32_t RandomOfClass(Random* random, int char_class) {
  for (int tries = 0; tries < 20000; ++tries) {
    const auto c = static_cast<char32_t>(random->Below(random->Below(4) == 0 ? 0x20000 : 0x3100));
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    if (!surrogate && ClassOf(c) == char_class) return c;
  }
  return U'x';
}

TEST_CASE("random characters of every class match the twin") {
  Random random(1);
  std::vector<char32_t> pool;
  for (int char_class = kOther; char_class <= kMark; ++char_class) {
    for (int i = 0; i < 60; ++i) pool.push_back(RandomOfClass(&random, char_class));
  }
  for (int round = 0; round < testing::Rounds(20000); ++round) {
    std::u32string text;
    for (uint64_t n = random.Below(24); n > 0; --n) text += pool[random.Below(pool.size())];
    CheckAgainstTwin(EncodeUtf8(text));
  }
}

TEST_CASE("short strings over a small alphabet match the twin") {
  // Two or three characters for each class and each literal that the expressions name.
  const std::u32string alphabet =
      U"aZ\u01C5\u02B0\u4E2D\u0301 "
      U"\t\u00A0\n\r7\u00BD'stSrevmlLd/!\u017F\uFFFD";
  Random random(2);
  for (int round = 0; round < testing::Rounds(100000); ++round) {
    std::u32string text;
    for (uint64_t n = random.Below(12); n > 0; --n) text += alphabet[random.Below(alphabet.size())];
    CheckAgainstTwin(EncodeUtf8(text));
  }
}

TEST_CASE("scripts that merging takes by characters match the twin") {
  const std::u32string scripts[] = {
      U"\u0435\u043E\u0430\u0438\u043D\u0442\u0441\u0440 \u041F,",
      U"\u7684\u4E00\u662F\u4E0D\u4E86\u4EBA\u6211\u5728\u6709\u4ED6\u8FD9\u9F98\uFF0C ",
      U"\u306E\u3059\u308B\u3053\u3068\u3092\u30C6\u30B9\u30C8\u65E5\u672C\u3002",
      U"\u0E01\u0E32\u0E23\u0E19\u0E31\u0E49\u0E48 \u0915\u093E\u0930\u094D\u0939",
      U"\u0627\u0644\u064A\u0645\u0646\u05E9\u05DC\u05D5\u05DD\u05D4 \u060C",
      U"\uD55C\uAD6D\uC5B4\uB294\uC774\uB2E4 \u00E9\u00FC\u00DF\u0161\u0142\u0131"};
  Random random(7);
  for (int round = 0; round < testing::Rounds(12000); ++round) {
    const std::u32string& script = scripts[random.Below(std::size(scripts))];
    std::u32string text;
    for (uint64_t n = random.Below(50); n > 0; --n) text += script[random.Below(script.size())];
    CheckAgainstTwin(EncodeUtf8(text));
  }
}

TEST_CASE("runs match the twin") {
  const std::u32string alphabet = U"aA\u02B0\u0301 \n\t!/0\u4E2D\u00A0'";
  Random random(3);
  for (int round = 0; round < testing::Rounds(8000); ++round) {
    std::u32string text;
    for (uint64_t runs = 1 + random.Below(5); runs > 0; --runs) {
      text.append(1 + random.Below(20), alphabet[random.Below(alphabet.size())]);
    }
    CheckAgainstTwin(EncodeUtf8(text));
  }
}

TEST_CASE("bytes that are not UTF-8 match the twin's lossy text") {
  const std::string_view leads = "\xC0\xC1\xC2\xDF\xE0\xE1\xED\xEF\xF0\xF1\xF4\xF5\xFF";
  const std::string_view follow =
      "\x80\x8F\x90\x9F\xA0\xBF"
      "aA' \n7";
  Random random(4);
  for (int round = 0; round < testing::Rounds(30000); ++round) {
    std::string text;
    for (uint64_t n = random.Below(20); n > 0; --n) {
      text += random.Below(3) == 0 ? leads[random.Below(leads.size())]
                                   : follow[random.Below(follow.size())];
    }
    CheckAgainstTwin(text);
  }
  for (int round = 0; round < testing::Rounds(1000); ++round) {
    std::string text;
    for (uint64_t n = random.Below(40); n > 0; --n) text += static_cast<char>(random.Below(256));
    CheckAgainstTwin(text);
  }
}

std::string RandomPiece(Random* random, size_t bytes) {
  static constexpr std::string_view kAlphabets[] = {
      "ab", "abcdefghijklmnopqrstuvwxyz", " ", "-=*#", "aAbB", "\xE4\xB8\xAD\xE5\x9B\xBD"};
  const std::string_view alphabet = kAlphabets[random->Below(std::size(kAlphabets))];
  std::string piece;
  while (piece.size() < bytes) piece += alphabet[random->Below(alphabet.size())];
  return piece;
}

TEST_CASE("both ways of merging match the definition at every length") {
  Random random(5);
  for (const char* encoding : kEncodings) {
    const RankTable table(TableOf(encoding));
    LongPieceMerger merger;
    for (size_t bytes = 1; bytes <= 2 * kScanParts + 20; ++bytes) {
      for (int round = 0; round < 6; ++round) {
        const std::string piece = RandomPiece(&random, bytes);
        const auto expected = testing::NaiveMerge(testing::RanksOf(encoding), piece);
        std::vector<uint32_t> as_long, as_any;
        CHECK(merger.Merge(table, piece, &as_long) == expected.size());
        CHECK(MergePiece(table, piece, &merger, &as_any) == expected.size());
        INFO(encoding << " " << piece);
        CHECK(as_long == expected);
        CHECK(as_any == expected);
      }
    }
  }
}

TEST_CASE("merging in sections matches the queue on long pieces") {
  Random random(8);
  for (const char* encoding : kEncodings) {
    const RankTable table(TableOf(encoding));
    for (int round = 0; round < 120; ++round) {
      // A short unit again and again, with a fault now and then; or no order at all.
      const std::string unit = RandomPiece(&random, 1 + random.Below(round % 3 == 0 ? 9000 : 40));
      const size_t bytes = 300 + random.Below(9000);
      std::string piece;
      while (piece.size() < bytes) {
        piece += unit;
        if (random.Below(200) == 0) piece += 'x';
      }
      LongPieceMerger queue, fallback;
      std::vector<uint32_t> expected, found;
      queue.Merge(table, piece, &expected);
      const size_t count = MergePiece(table, piece, &fallback, &found);
      INFO(encoding << " " << piece);
      REQUIRE(count == expected.size());
      REQUIRE(found == expected);
    }
  }
}

const uint32_t* FindIn(const RankTable& table, const std::string& piece) {
  const std::string padded = piece + std::string(kKeyReadBytes, '\0');
  if (piece.size() <= kShortBytes) {
    const uint64_t key = ShortKey(padded.data(), piece.size());
    return table.FindShort(key, HashWord(key));
  }
  if (piece.size() <= kMiddleBytes) {
    const MiddleKey key = MiddleKeyOf(padded.data(), piece.size());
    return table.FindMiddle(key, HashMiddle(key));
  }
  return table.FindLong(piece.data(), piece.size(), HashLong(piece.data(), piece.size()));
}

TEST_CASE("the tables hold exactly the ranks") {
  const size_t sizes[] = {50256, 50280, 100256, 199998};
  for (size_t i = 0; i < std::size(kEncodings); ++i) {
    const char* encoding = kEncodings[i];
    const RankTable table(TableOf(encoding));
    const testing::Ranks& ranks = testing::RanksOf(encoding);
    CHECK(ranks.size() == sizes[i]);
    size_t wrong = 0;
    Random random(6);
    for (const auto& [token, rank] : ranks) {
      const uint32_t* id = FindIn(table, token);
      wrong += id == nullptr || *id != rank || Find(encoding)->TokenBytes(rank) != token;
      // A neighbour: one byte changed, and then it is a token only if the ranks say so.
      std::string other = token;
      other[random.Below(other.size())] = static_cast<char>(random.Below(256));
      id = FindIn(table, other);
      const auto it = ranks.find(other);
      wrong += it == ranks.end() ? id != nullptr : id == nullptr || *id != it->second;
    }
    CHECK(wrong == 0);
    CHECK(Find(encoding)->TokenBytes(table.token_count()).empty());
    CHECK(Find(encoding)->TokenBytes(kNoToken).empty());
  }
}

}  // namespace
}  // namespace weir::tokens
