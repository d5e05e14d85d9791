#include "metering/image_size.h"

#include "base/text.h"

namespace weir::metering {
namespace {

int Sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

bool Matches(const Base64Bytes& file, size_t at, std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (file.At(at + i) != static_cast<unsigned char>(bytes[i])) return false;
  }
  return true;
}

// Unsigned numbers; nullopt where the file ends.
std::optional<uint32_t> BigEndian(const Base64Bytes& file, size_t at, size_t bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    const int byte = file.At(at + i);
    if (byte < 0) return std::nullopt;
    value = value << 8 | static_cast<uint32_t>(byte);
  }
  return value;
}

std::optional<uint32_t> LittleEndian(const Base64Bytes& file, size_t at, size_t bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    const int byte = file.At(at + i);
    if (byte < 0) return std::nullopt;
    value |= static_cast<uint32_t>(byte) << (8 * i);
  }
  return value;
}

std::optional<ImageSize> Size(std::optional<uint32_t> width, std::optional<uint32_t> height) {
  if (!width || !height || *width == 0 || *height == 0) return std::nullopt;
  return ImageSize{*width, *height};
}

// ITU T.81, annex B: segments that begin with 0xFF and a marker, until one that starts a frame.
std::optional<ImageSize> JpegSize(const Base64Bytes& file) {
  constexpr int kMaxSegments = 256;  // real files have ten or so before the frame
  size_t at = 2;
  for (int segment = 0; segment < kMaxSegments; ++segment) {
    if (file.At(at) != 0xFF) return std::nullopt;
    const int marker = file.At(at + 1);
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const bool frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return Size(BigEndian(file, at + 7, 2), BigEndian(file, at + 5, 2));
    const std::optional<uint32_t> length = BigEndian(file, at + 2, 2);
    if (!length || *length < 2) return std::nullopt;
    at += 2 + *length;
  }
  return std::nullopt;
}

// RFC 6386 (VP8), the lossless bitstream (VP8L) and the extended header (VP8X) of WebP.
std::optional<ImageSize> WebpSize(const Base64Bytes& file) {
  constexpr size_t kChunk = 12, kData = 20;
  if (Matches(file, kChunk, "VP8 ")) {
    if (!Matches(file, kData + 3, "\x9D\x01\x2A")) return std::nullopt;
    auto width = LittleEndian(file, kData + 6, 2), height = LittleEndian(file, kData + 8, 2);
    if (!width || !height) return std::nullopt;
    return Size(*width & 0x3FFF, *height & 0x3FFF);
  }
  if (Matches(file, kChunk, "VP8L")) {
    const std::optional<uint32_t> bits = LittleEndian(file, kData + 1, 4);
    if (file.At(kData) != 0x2F || !bits) return std::nullopt;
    return ImageSize{(*bits & 0x3FFF) + 1, (*bits >> 14 & 0x3FFF) + 1};
  }
  if (Matches(file, kChunk, "VP8X")) {
    const auto width = LittleEndian(file, kData + 4, 3), height = LittleEndian(file, kData + 7, 3);
    if (!width || !height) return std::nullopt;
    return ImageSize{*width + 1, *height + 1};
  }
  return std::nullopt;
}

}  // namespace

Base64Bytes::Base64Bytes(std::string_view text) : text_(text) {
  while (!text_.empty() && text_.back() == '=') text_.remove_suffix(1);
  size_ = text_.size() / 4 * 3 + (text_.size() % 4 * 3) / 4;
}

int Base64Bytes::At(size_t index) const {
  if (index >= size_) return -1;
  const size_t digit = index / 3 * 4 + index % 3;  // the first of the two digits that it is in
  const int high = Sextet(text_[digit]), low = Sextet(text_[digit + 1]);
  if (high < 0 || low < 0) return -1;
  const unsigned bits = static_cast<unsigned>(high) << 6 | static_cast<unsigned>(low);
  return static_cast<int>(bits >> (4 - index % 3 * 2) & 0xFF);
}

std::optional<Base64Bytes> DataUrlBytes(std::string_view url) {
  constexpr std::string_view kScheme = "data:", kBase64 = ";base64";
  constexpr size_t kMaxHead = 256;
  const size_t comma = url.substr(0, kMaxHead).find(',');
  if (comma == std::string_view::npos || comma < kScheme.size() + kBase64.size()) {
    return std::nullopt;
  }
  if (!EqualsIgnoreCase(url.substr(0, kScheme.size()), kScheme) ||
      !EqualsIgnoreCase(url.substr(comma - kBase64.size(), kBase64.size()), kBase64)) {
    return std::nullopt;
  }
  return Base64Bytes(url.substr(comma + 1));
}

std::optional<ImageSize> ReadImageSize(const Base64Bytes& file) {
  if (Matches(file, 0, "\x89PNG\r\n\x1A\n") && Matches(file, 12, "IHDR")) {
    return Size(BigEndian(file, 16, 4), BigEndian(file, 20, 4));
  }
  if (Matches(file, 0, "GIF87a") || Matches(file, 0, "GIF89a")) {
    return Size(LittleEndian(file, 6, 2), LittleEndian(file, 8, 2));
  }
  if (Matches(file, 0, "\xFF\xD8\xFF")) return JpegSize(file);
  if (Matches(file, 0, "RIFF") && Matches(file, 8, "WEBP")) return WebpSize(file);
  return std::nullopt;
}

}  // namespace weir::metering
