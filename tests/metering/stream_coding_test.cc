// Answers in content codings: the same usage and counts as plain, whatever the cuts; bombs, junk
// and unknown names.

#if defined(WEIR_TEST_CODINGS)  // with all of the libraries

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "base/random.h"
#include "metering/content_coding.h"
#include "tests/dialects/fixtures.h"
#include "tests/dialects/support.h"
#include "tests/support/catch.h"
#include "weir/stream_meter.h"

namespace weir::metering {
namespace {

using State = ContentDecoder::State;

std::string Deflate(std::string_view plain, int window_bits, int level = 6) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string coded(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  coded.resize(stream.total_out);
  deflateEnd(&stream);
  return coded;
}

std::string Brotli(std::string_view plain) {
  size_t size = BrotliEncoderMaxCompressedSize(plain.size());
  std::string coded(size, '\0');
  REQUIRE(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, plain.size(),
                                reinterpret_cast<const uint8_t*>(plain.data()), &size,
                                reinterpret_cast<uint8_t*>(coded.data())) == BROTLI_TRUE);
  coded.resize(size);
  return coded;
}

std::string Zstd(std::string_view plain) {
  std::string coded(ZSTD_compressBound(plain.size()), '\0');
  const size_t size = ZSTD_compress(coded.data(), coded.size(), plain.data(), plain.size(), 3);
  REQUIRE(ZSTD_isError(size) == 0);
  coded.resize(size);
  return coded;
}

struct Coded {
  std::string name, bytes;
};

std::vector<Coded> InEveryCoding(std::string_view plain) {
  const std::string gzip = Deflate(plain, 16 + MAX_WBITS);
  const std::string half = std::string(plain.substr(0, plain.size() / 2));
  const std::string rest = std::string(plain.substr(plain.size() / 2));
  return {{"gzip", gzip},
          {"x-gzip", gzip},
          {" GZIP ", gzip},
          {"deflate", Deflate(plain, MAX_WBITS)},
          {"deflate", Deflate(plain, -MAX_WBITS)},
          {"deflate", Deflate(plain, -MAX_WBITS, 0)},  // stored
          {"br", Brotli(plain)},
          {"zstd", Zstd(plain)},
          {"gzip", Deflate(half, 16 + MAX_WBITS) + Deflate(rest, 16 + MAX_WBITS)},  // two members
          {"zstd", Zstd(half) + Zstd(rest)},
          {"gzip, br", Brotli(gzip)},
          {"br,gzip", Deflate(Brotli(plain), 16 + MAX_WBITS)}};
}

struct Decoded {
  State state = State::kGood;
  std::string plain;
};

Decoded Decode(const Coded& coded, const std::vector<size_t>& cuts,
               const ContentDecoder::Bounds& bounds = {}) {
  auto decoder = ContentDecoder::Create(coded.name, bounds);
  REQUIRE(decoder != nullptr);
  Decoded decoded;
  size_t from = 0;
  const auto feed = [&](size_t to) {
    const std::string piece = coded.bytes.substr(from, to - from);
    decoded.state =
        decoder->Feed(piece, [&](std::string_view plain) { decoded.plain.append(plain); });
    from = to;
  };
  for (size_t cut : cuts) feed(cut);
  feed(coded.bytes.size());
  return decoded;
}

std::string Stream() {
  std::string body;
  for (int i = 0; i < 200; ++i) {
    body += dialects::testing::Chunk(
        dialects::testing::Choice(0, "\"content\":\" word" + std::to_string(i) + "\""));
  }
  return body + dialects::testing::Chunk("", dialects::testing::kUsageMember) +
         dialects::testing::kDone;
}

TEST_CASE("every coding gives back what was coded, however it is cut") {
  const std::string plain = Stream();
  for (const Coded& coded : InEveryCoding(plain)) {
    INFO(coded.name);
    CHECK(Decode(coded, {}).plain == plain);
    CHECK(Decode(coded, {}).state == State::kGood);
    std::vector<size_t> every_byte;
    for (size_t i = 1; i < coded.bytes.size(); ++i) every_byte.push_back(i);
    CHECK(Decode(coded, every_byte).plain == plain);
    Random random(9);
    for (int round = 0; round < 100; ++round) {
      CHECK(Decode(coded, {random.Below(coded.bytes.size())}).plain == plain);
    }
  }
}

// A16.
TEST_CASE("encoded answers give the same usage and counts, and are relayed as they came") {
  const std::string plain = Stream();
  const auto meter_of = [](std::string_view encoding) {
    StreamMeterOptions options;
    options.content_encoding = encoding;
    options.tokenizer = tokens::Find("o200k_base");
    options.strip_usage = true;  // not possible in an encoding: relayed as it came
    return StreamMeter::Create(options);
  };
  auto plain_meter = meter_of("identity");
  plain_meter->Feed(plain, nullptr);
  plain_meter->End(nullptr);
  const Metered expected = plain_meter->Read();
  for (const Coded& coded : InEveryCoding(plain)) {
    INFO(coded.name);
    auto meter = meter_of(coded.name);
    std::string relay;
    for (size_t at = 0; at < coded.bytes.size(); at += 100) {
      meter->Feed(coded.bytes.substr(at, 100), &relay);
    }
    meter->End(&relay);
    const Metered metered = meter->Read();
    CHECK(relay == coded.bytes);
    CHECK(metered.completion == expected.completion);
    CHECK(metered.counted == expected.counted);
    CHECK(metered.provenance == expected.provenance);
    CHECK(metered.usage == expected.usage);
    CHECK(metered.complete);
    CHECK(metered.unread == Unread::kNothing);
  }
}

TEST_CASE("an unknown encoding is estimated, said, and never free") {
  for (const char* name :
       {"compress", "aes128gcm", "gzip2", "gzip, compress", "gzip,gzip,gzip", ",", "gzip,"}) {
    INFO(name);
    StreamMeterOptions options;
    options.content_encoding = name;
    auto meter = StreamMeter::Create(options);
    std::string relay;
    meter->Feed(std::string(1001, 'x'), &relay);
    meter->End(&relay);
    CHECK(relay.size() == 1001);
    CHECK(meter->reader() == nullptr);
    const Metered metered = meter->Read();
    CHECK(metered.unread == Unread::kUnknownEncoding);
    CHECK(metered.completion == 501);
    CHECK(metered.provenance == dialects::Provenance::kEstimated);
    CHECK_FALSE(metered.complete);
  }
  CHECK(UnreadName(Unread::kUnknownEncoding) == "unknown_encoding");
}

TEST_CASE("junk in a known encoding is estimated, said, and never free") {
  Random random(31);
  const std::string plain = Stream();
  for (const Coded& coded : InEveryCoding(plain)) {
    INFO(coded.name);
    for (int round = 0; round < 200; ++round) {
      Coded junk = coded;
      for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
        junk.bytes[random.Below(junk.bytes.size())] = static_cast<char>(random.Below(256));
      }
      const Decoded whole = Decode(junk, {});
      std::vector<size_t> every_byte;
      for (size_t i = 1; i < junk.bytes.size(); ++i) every_byte.push_back(i);
      const Decoded cut = Decode(junk, every_byte);
      REQUIRE(cut.state == whole.state);
      StreamMeterOptions options;
      options.content_encoding = coded.name;
      auto meter = StreamMeter::Create(options);
      meter->Feed(junk.bytes, nullptr);
      meter->End(nullptr);
      const Metered metered = meter->Read();
      REQUIRE((metered.unread == Unread::kNothing) == (whole.state == State::kGood));
      REQUIRE((metered.completion > 0 || metered.unread == Unread::kNothing));
    }
    Coded text{coded.name, "{\"choices\":[]}"};
    const State state = Decode(text, {}).state;
    CHECK((state == State::kCorrupt || coded.name == "br" || coded.name == "deflate" ||
           coded.name == "gzip, br"));
  }
}

// A bomb: all zeros, of which every coding makes next to nothing.
std::string BombOf(const std::string& name, size_t size) {
  const std::string zeros(size, '\0');
  if (name == "br") return Brotli(zeros);
  if (name == "zstd") return Zstd(zeros);
  return Deflate(zeros, name == "gzip" ? 16 + MAX_WBITS : MAX_WBITS, 9);
}

TEST_CASE("bombs stop at the bound") {
  constexpr size_t kMiB = size_t{1} << 20;
  for (const std::string name : {"gzip", "deflate", "br", "zstd"}) {
    INFO(name);
    std::string bomb = BombOf(name, 64 * kMiB);
    if (name == "zstd" || name == "gzip") {
      // As many times in a row as make a GiB.
      const std::string once = bomb;
      for (int i = 1; i < 16; ++i) bomb += once;
    }
    const Coded coded{name, bomb};
    for (size_t piece : {bomb.size(), size_t{100}}) {
      std::vector<size_t> cuts;
      for (size_t at = piece; at < bomb.size(); at += piece) cuts.push_back(at);
      ContentDecoder::Bounds bounds;
      bounds.max_bytes = 5 * kMiB;
      bounds.max_ratio = uint64_t{1} << 40;
      const Decoded by_bytes = Decode(coded, cuts, bounds);
      CHECK(by_bytes.state == State::kTooLarge);
      CHECK(by_bytes.plain.size() <= 5 * kMiB + 8192);
      const Decoded by_ratio = Decode(coded, cuts);
      CHECK(by_ratio.state == State::kTooLarge);
      CHECK(by_ratio.plain.size() <= kMiB + 256 * bomb.size() + 8192);
    }
  }
}

TEST_CASE("a bomb within a bomb stops at the bound, in the outer or the inner") {
  const std::string inner = BombOf("br", size_t{64} << 20);
  const Coded nested{"br, gzip", Deflate(inner, 16 + MAX_WBITS)};
  CHECK(Decode(nested, {}).state == State::kTooLarge);
  CHECK(Decode(nested, {}).plain.size() < size_t{2} << 20);
  const Coded outer{"gzip, br", Brotli(std::string(size_t{64} << 20, '\0'))};
  CHECK(Decode(outer, {}).state != State::kGood);
  CHECK(Decode(outer, {}).plain.empty());
}

TEST_CASE("a body that was decoded up to a bound is charged for the rest, too") {
  const std::string plain = Stream();
  StreamMeterOptions options;
  options.content_encoding = "gzip";
  options.max_decoded_bytes = plain.size() / 2;
  auto meter = StreamMeter::Create(options);
  meter->Feed(Deflate(plain, 16 + MAX_WBITS), nullptr);
  meter->End(nullptr);
  const Metered metered = meter->Read();
  CHECK(metered.unread == Unread::kTooLarge);
  CHECK(metered.completion > metered.counted);
  CHECK(metered.counted > 0);
}

TEST_CASE("what follows a coded body is no part of it") {
  for (const Coded& coded :
       {Coded{"gzip", Deflate("abc", 16 + MAX_WBITS)}, Coded{"deflate", Deflate("abc", MAX_WBITS)},
        Coded{"br", Brotli("abc")}}) {
    const Coded more{coded.name, coded.bytes + std::string(10, '\0') + coded.bytes};
    for (size_t cut = 0; cut <= more.bytes.size(); ++cut) {
      CHECK(Decode(more, {cut}).plain == "abc");
      CHECK(Decode(more, {cut}).state == State::kGood);
    }
  }
}

}  // namespace
}  // namespace weir::metering

#endif  // WEIR_TEST_CODINGS
