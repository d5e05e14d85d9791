#include "metering/image_size.h"

#include <random>
#include <string>

#include "base/text.h"
#include "metering/prompt_family.h"
#include "tests/support/catch.h"

namespace weir::metering {
namespace {

std::string Base64(const std::string& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

std::string Big(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}
std::string Little(uint32_t value, int bytes) {
  const std::string big = Big(value, bytes);
  return {big.rbegin(), big.rend()};
}

std::string Png(uint32_t width, uint32_t height) {
  return Concat({"\x89PNG\r\n\x1A\n", Big(13, 4), "IHDR", Big(width, 4), Big(height, 4), "rest"});
}
std::string Gif(uint32_t width, uint32_t height) {
  return Concat({"GIF89a", Little(width, 2), Little(height, 2)});
}
std::string Segment(std::string_view marker, const std::string& content) {
  return Concat({"\xFF", marker, Big(static_cast<uint32_t>(content.size()) + 2, 2), content});
}
std::string Jpeg(uint32_t width, uint32_t height) {
  const std::string frame = Concat({"\x08", Big(height, 2), Big(width, 2), "\x03"});
  return Concat({"\xFF\xD8", Segment("\xE0", "JFIF"), Segment("\xE1", std::string(60000, 'x')),
                 Segment("\xC4", "tables"), "\xFF", Segment("\xC2", frame)});
}
std::string Webp(std::string_view kind, const std::string& data) {
  return Concat({"RIFF", Little(100, 4), "WEBP", kind, Little(80, 4), data});
}

void CheckSize(const std::string& file, uint32_t width, uint32_t height) {
  const std::string text = Base64(file);
  const auto size = ReadImageSize(Base64Bytes(text));
  REQUIRE(size);
  CHECK(size->width == width);
  CHECK(size->height == height);
}

TEST_CASE("base64 is read byte by byte as it is read whole") {
  std::mt19937 random(7);
  for (size_t size = 0; size < 60; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = Base64(bytes);
    const Base64Bytes read(text);
    REQUIRE(read.size() == size);
    for (size_t i = 0; i < size; ++i) CHECK(read.At(i) == static_cast<unsigned char>(bytes[i]));
    CHECK(read.At(size) == -1);
  }
  CHECK(Base64Bytes("AA*A").At(0) == 0);
  CHECK(Base64Bytes("AA*A").At(1) == -1);
  CHECK(Base64Bytes("A").At(0) == -1);
}

TEST_CASE("the four formats state their size") {
  CheckSize(Png(2560, 1669), 2560, 1669);
  CheckSize(Png(0x01020304, 5), 0x01020304, 5);
  CheckSize(Gif(640, 481), 640, 481);
  CheckSize(Jpeg(4032, 3024), 4032, 3024);
  CheckSize(Webp("VP8 ", Concat({std::string(3, '\0'), "\x9D\x01\x2A", Little(0x4000 | 550, 2),
                                 Little(368, 2)})),
            550, 368);
  CheckSize(Webp("VP8L", Concat({"\x2F", Little(399 | 300 << 14, 4)})), 400, 301);
  CheckSize(Webp("VP8X", Concat({std::string(4, '\0'), Little(4999, 3), Little(69999, 3)})), 5000,
            70000);
}

TEST_CASE("what is cut off, empty or something else has no size") {
  for (const std::string& file :
       {Png(7, 8), Gif(7, 8), Jpeg(7, 8), Webp("VP8X", std::string(10, 'a'))}) {
    const std::string whole = Base64(file);
    for (size_t cut = 0; cut < whole.size() && cut < 100; ++cut) {
      const auto size = ReadImageSize(Base64Bytes(std::string_view(whole).substr(0, cut)));
      if (size) CHECK((size->width > 0 && size->height > 0));
    }
  }
  CHECK_FALSE(ReadImageSize(Base64Bytes(Base64(Png(0, 8)))));
  CHECK_FALSE(
      ReadImageSize(Base64Bytes(Base64("BM and more bytes of a bitmap, which is no such"))));
  CHECK_FALSE(ReadImageSize(Base64Bytes("")));
  // Segments of no length, and no frame among very many.
  CHECK_FALSE(ReadImageSize(Base64Bytes(
      Base64(Concat({"\xFF\xD8", Segment("\xE0", ""), "\xFF\xE0", std::string(2, '\0')})))));
  std::string endless = "\xFF\xD8";
  for (int i = 0; i < 2000; ++i) endless += Segment("\xE0", "");
  CHECK_FALSE(ReadImageSize(Base64Bytes(Base64(endless))));
}

TEST_CASE("random bytes are never too much") {
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string file = round % 2 == 0 ? Jpeg(9, 9).substr(0, 200) : Png(9, 9);
    for (int i = 0; i < 8; ++i) file[random() % file.size()] = static_cast<char>(random());
    const auto size = ReadImageSize(Base64Bytes(Base64(file)));
    if (size) CHECK((size->width > 0 && size->height > 0));
  }
}

TEST_CASE("data URLs") {
  REQUIRE(DataUrlBytes("data:image/png;base64,AAAA"));
  CHECK(DataUrlBytes("data:image/png;base64,AAAA")->size() == 3);
  CHECK(DataUrlBytes("DATA:image/png;charset=x;BASE64,AAAA"));
  CHECK_FALSE(DataUrlBytes("data:image/png,AAAA"));
  CHECK_FALSE(DataUrlBytes("https://example.com/a;base64,b"));
  CHECK_FALSE(DataUrlBytes("data:"));
  CHECK_FALSE(DataUrlBytes(""));
}

uint64_t Tokens(const char* model, uint32_t width, uint32_t height, bool low = false) {
  return ImageTokens(FamilyOf(model, "").image, ImageSize{width, height}, low);
}

// The examples of OpenAI's guide, and sizes that were billed.
TEST_CASE("images cost what is published and billed") {
  CHECK(Tokens("gpt-4o", 1024, 1024) == 765);
  CHECK(Tokens("gpt-4o", 2048, 4096) == 1105);
  CHECK(Tokens("gpt-4o", 4096, 8192, true) == 85);
  CHECK(Tokens("gpt-4o", 2560, 1669) == 1105);
  CHECK(Tokens("gpt-4o-2024-08-06", 128, 64) == 255);
  CHECK(Tokens("gpt-4o-mini", 128, 64) == 8500);
  CHECK(Tokens("gpt-4o-mini", 128, 64, true) == 2833);
  CHECK(Tokens("o3-2025-04-16", 128, 64) == 225);
  CHECK(Tokens("gpt-5", 1024, 1024) == 630);
  CHECK(Tokens("gpt-4.1-mini", 1024, 1024) == 1659);  // 1024 patches
  CHECK(Tokens("gpt-4.1-mini", 1800, 2400) == 2353);  // 1452 patches, scaled down
  CHECK(Tokens("gpt-5-nano", 239, 178) == 72);
  CHECK(Tokens("gpt-5-nano", 128, 128) == 24);
  CHECK(Tokens("gpt-5-mini", 1600, 1600) == 1826);  // 1521 patches
  CHECK(Tokens("gpt-5.4", 1600, 1600) == 3000);
  CHECK(Tokens("o4-mini", 128, 64) == 14);
  CHECK(Tokens("claude-sonnet-4-5", 1000, 1000) == 1334);
  CHECK(Tokens("gemini-2.5-pro", 300, 300) == 258);
}

TEST_CASE("an image of any size costs no more than one of unknown size") {
  std::mt19937 random(5);
  for (const char* model : {"gpt-4o", "gpt-4o-mini", "gpt-4.1-mini", "gpt-5", "gpt-5-nano",
                            "gpt-5.4", "o3", "claude-opus-4", "gemini-2.5-pro", "grok-4", "else"}) {
    const ImageRule rule = FamilyOf(model, "").image;
    const uint64_t most = ImageTokens(rule, std::nullopt, false);
    for (int round = 0; round < 5000; ++round) {
      const uint32_t width = 1 + random() % (1u << (1 + random() % 31));
      const uint32_t height = 1 + random() % (1u << (1 + random() % 31));
      const uint64_t tokens = ImageTokens(rule, ImageSize{width, height}, false);
      INFO(model << " " << width << " x " << height << ": " << tokens);
      REQUIRE(tokens <= most);
      REQUIRE(tokens > 0);
    }
  }
}

}  // namespace
}  // namespace weir::metering
