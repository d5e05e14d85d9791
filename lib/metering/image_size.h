// The size of an image from the first bytes of its file.

#ifndef WEIR_LIB_METERING_IMAGE_SIZE_H_
#define WEIR_LIB_METERING_IMAGE_SIZE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::metering {

struct ImageSize {
  uint32_t width = 0;
  uint32_t height = 0;
};

// Bytes that are written in base64 (RFC 4648, either alphabet), read where they are wanted: nothing
// is decoded but the bytes asked for.
class Base64Bytes {
 public:
  explicit Base64Bytes(std::string_view text);

  size_t size() const { return size_; }
  // The byte at `index`; -1 past the end, and where there is no base64.
  int At(size_t index) const;

 private:
  std::string_view text_;
  size_t size_ = 0;
};

// The bytes of a data URL ("data:image/png;base64,…"); nullopt for any other address, and when it
// is not base64.
std::optional<Base64Bytes> DataUrlBytes(std::string_view url);

// The width and height that a PNG, JPEG, GIF or WebP file states; nullopt when it is none of these,
// is cut off before them, or states 0. Reads at most a few hundred bytes.
std::optional<ImageSize> ReadImageSize(const Base64Bytes& file);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_IMAGE_SIZE_H_
