// Any bytes as an encoded body. Input: the coding (1 byte), cuts (1 byte), the body.
//
// Oracle: what comes out, and how it ends, does not depend on the cuts, and stays within the bounds
// in bytes and in ratio. A whole body that a bound ends is the exception: where exactly it stops
// depends on how the last piece was cut.

#include "metering/content_coding.h"

#include "tests/fuzz/answer_fuzz.h"

namespace {

using weir::fuzz::Require;
using weir::metering::ContentDecoder;

constexpr std::string_view kCodings[] = {"gzip", "deflate", "br", "zstd", "gzip, br", "br, zstd"};
constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

struct Decoded {
  ContentDecoder::State state = ContentDecoder::State::kGood;
  std::string plain;
};

Decoded Decode(std::string_view coding, std::string_view body, const std::vector<size_t>& cuts) {
  ContentDecoder::Bounds bounds;
  bounds.max_bytes = kMaxBytes;
  bounds.free_bytes = uint64_t{64} << 10;
  auto decoder = ContentDecoder::Create(coding, bounds);
  Decoded decoded;
  if (decoder == nullptr) return decoded;
  size_t from = 0;
  const auto feed = [&](size_t to) {
    const std::string piece(body.substr(from, to - from));
    decoded.state = decoder->Feed(piece, [&](std::string_view plain) {
      Require(!plain.empty() && plain.size() <= 8192);
      decoded.plain.append(plain);
    });
    from = to;
  };
  for (size_t cut : cuts) feed(cut);
  feed(body.size());
  Require(decoded.plain.size() <= kMaxBytes + 8192);
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view coding = kCodings[data[0] % std::size(kCodings)];
  const std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  const Decoded whole = Decode(coding, body, {});
  const std::vector<size_t> some = weir::fuzz::CutsOf(data[1], body.size());
  for (const auto& cuts : {some, weir::dialects::testing::EveryByte(body.size())}) {
    const Decoded cut = Decode(coding, body, cuts);
    if (whole.state == ContentDecoder::State::kTooLarge ||
        cut.state == ContentDecoder::State::kTooLarge) {
      continue;
    }
    Require(cut.state == whole.state);
    if (whole.state == ContentDecoder::State::kGood) Require(cut.plain == whole.plain);
  }
  return 0;
}
