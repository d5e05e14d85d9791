// What the reader of JSON looks at whole texts with: each way of doing it beside the plain one.

#include "base/json_stops.h"
#include "base/random.h"
#include "base/utf8.h"
#include "tests/base/json_oracle.h"
#include "tests/support/catch.h"

namespace weir {
namespace {

std::vector<IsUtf8Function> Utf8Functions() {
  const IsUtf8Variants all = AllIsUtf8Variants();
  std::vector<IsUtf8Function> functions = {all.portable};
  if (all.avx2 != nullptr) functions.push_back(all.avx2);
  if (all.avx512 != nullptr) functions.push_back(all.avx512);
  return functions;
}

bool NaiveIsUtf8(std::string_view text) {
  return json::testing::NaiveFindInvalidUtf8(text) == std::string_view::npos;
}

TEST_CASE("UTF-8: every sequence of three bytes that is not ASCII alone") {
  char bytes[3];
  const std::string_view text(bytes, 3);
  int wrong = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      // Two are enough where the first is ASCII.
      const int step = a < 0x80 ? 64 : 1;
      for (int c = 0; c < 256; c += step) {
        bytes[0] = static_cast<char>(a);
        bytes[1] = static_cast<char>(b);
        bytes[2] = static_cast<char>(c);
        const bool valid = NaiveIsUtf8(text);
        for (IsUtf8Function function : Utf8Functions()) wrong += function(text) != valid;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("UTF-8: pieces and parts of pieces, wherever they stand") {
  constexpr std::string_view kPieces[] = {
      "a",
      "\x7F",
      "\xC2\x80",
      "\xDF\xBF",
      "\xE0\xA0\x80",
      "\xED\x9F\xBF",
      "\xEE\x80\x80",
      "\xEF\xBF\xBF",
      "\xF0\x90\x80\x80",
      "\xF4\x8F\xBF\xBF",
      "a longer run of ASCII, so that whole blocks have nothing else in them, or almost nothing",
      "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x81\xAE\xE3\x83\x86\xE3\x82\xAD\xE3\x82\xB9\xE3\x83"
      "\x88",
      "\xCE\x95\xCE\xBB\xCE\xBB\xCE\xB7\xCE\xBD\xCE\xB9\xCE\xBA\xCE\xAC"};
  constexpr std::string_view kBad[] = {"\x80",
                                       "\xC0\x80",
                                       "\xC1\xBF",
                                       "\xE0\x9F\xBF",
                                       "\xED\xA0\x80",
                                       "\xED\xBF\xBF",
                                       "\xF0\x8F\xBF\xBF",
                                       "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80",
                                       "\xFF",
                                       "\xFE",
                                       "\xC2",
                                       "\xE1\x80",
                                       "\xF1\x80\x80",
                                       "\xF8\x88\x80\x80\x80"};
  Random random(61);
  int wrong = 0, valid = 0;
  constexpr int kRounds = 200000;
  for (int round = 0; round < kRounds; ++round) {
    std::string text;
    for (uint64_t pieces = random.Below(30); pieces > 0; --pieces) {
      text += kPieces[random.Below(std::size(kPieces))];
      if (random.Below(40) == 0) text += kBad[random.Below(std::size(kBad))];
    }
    if (random.Below(4) == 0) text.resize(random.Below(text.size() + 1));
    const std::vector<char> exact(text.begin(), text.end());  // a byte read too much is seen
    const bool is_valid = NaiveIsUtf8(text);
    valid += is_valid;
    for (IsUtf8Function function : Utf8Functions()) {
      wrong += function({exact.data(), exact.size()}) != is_valid;
    }
  }
  CHECK(wrong == 0);
  CHECK(valid > kRounds / 5);
  CHECK(valid < kRounds * 4 / 5);
}

bool IsStop(char byte) {
  return byte == '"' || byte == '\\' || static_cast<unsigned char>(byte) < 0x20;
}

TEST_CASE("stops: every byte, in every place, every way") {
  const json::MarkStopsVariants all = json::AllMarkStopsVariants();
  Random random(62);
  std::string text;
  for (int byte = 0; byte < 256; ++byte) text.append(3, static_cast<char>(byte));
  for (int i = 0; i < 20000; ++i) text.push_back(static_cast<char>(random.Next()));
  text.resize(text.size() / 64 * 64);
  const size_t blocks = text.size() / 64;
  for (json::MarkStopsFunction mark : {all.portable, all.avx2, all.avx512}) {
    if (mark == nullptr) continue;
    std::vector<uint64_t> stops(blocks);
    mark(text.data(), blocks, stops.data());
    int wrong = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      wrong += (stops[i / 64] >> i % 64 & 1) != static_cast<uint64_t>(IsStop(text[i]));
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("stops: the next one, in texts of every length") {
  Random random(63);
  int wrong = 0;
  for (size_t size = 0; size < 9000; size += size < 200 ? 1 : 1 + random.Below(400)) {
    std::string text(size, 'x');
    for (uint64_t stops = random.Below(2) * random.Below(size / 40 + 2); stops > 0; --stops) {
      if (size != 0) text[random.Below(size)] = "\"\\\n"[random.Below(3)];
    }
    const std::vector<char> exact(text.begin(), text.end());
    json::Stops stops({exact.data(), exact.size()});
    for (size_t at = 0; at <= size; at += 1 + random.Below(random.Below(20) == 0 ? 5000 : 40)) {
      size_t next = at;
      while (next < size && !IsStop(text[next])) ++next;
      wrong += stops.Next(at) != next;
      if (random.Below(2) == 0) at = next;
    }
  }
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace weir
