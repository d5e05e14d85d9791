// The content codings of HTTP, taken off incrementally and within bounds: gzip, deflate (in zlib's
// frame as the standard has it, or raw as some servers send it), br and zstd, by the system's
// libraries; which of them depends on what weir was built with.
//
// Sources: RFC 9110, section 8.4.1; RFC 1950, 1951, 1952, 7932, 8878.

#ifndef WEIR_LIB_METERING_CONTENT_CODING_H_
#define WEIR_LIB_METERING_CONTENT_CODING_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace weir::metering {

class ContentDecoder {
 public:
  struct Bounds {
    uint64_t max_bytes = uint64_t{1} << 30;  // of what comes out of each coding
    // Of bytes out to bytes in. Only looked at beyond the first free_bytes: a small body may well
    // be all blanks.
    uint64_t max_ratio = 256;
    uint64_t free_bytes = uint64_t{1} << 20;
  };

  enum class State : uint8_t {
    kGood,
    kCorrupt,   // not what the coding says
    kTooLarge,  // beyond a bound
  };

  // For the value of a content-encoding header, of at most two codings; null when one of them is
  // unknown, or weir was built without it.
  static std::unique_ptr<ContentDecoder> Create(std::string_view content_encoding,
                                                const Bounds& bounds);
  // Whether the value names no coding: empty or "identity".
  static bool IsIdentity(std::string_view content_encoding);

  virtual ~ContentDecoder() = default;

  // Calls `sink` with what `bytes` decode to, in pieces of at most 8 KiB. Once the state is not
  // kGood it stays so, and no more is decoded.
  virtual State Feed(std::string_view bytes, absl::FunctionRef<void(std::string_view)> sink) = 0;
};

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_CONTENT_CODING_H_
