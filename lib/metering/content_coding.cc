#include "metering/content_coding.h"

#include <array>
#include <utility>

#include "base/saturating.h"
#include "base/text.h"

#if WEIR_WITH_ZLIB
#include <zlib.h>
#endif
#if WEIR_WITH_BROTLI
#include <brotli/decode.h>
#endif
#if WEIR_WITH_ZSTD
#include <zstd.h>
#endif

namespace weir::metering {
namespace {

constexpr size_t kPieceBytes = 8192;

// One coding's library. A step takes input and gives output, as much as there is room for.
class Codec {
 public:
  struct Step {
    size_t taken = 0, given = 0;
    bool good = true;
    bool ended = false;  // the coded body is over: what follows is not part of it
  };

  virtual ~Codec() = default;
  virtual Step Decode(std::string_view in, char* out, size_t out_bytes) = 0;
};

#if WEIR_WITH_ZLIB
class ZlibCodec final : public Codec {
 public:
  explicit ZlibCodec(bool gzip) : gzip_(gzip) {}
  ~ZlibCodec() override {
    if (open_) inflateEnd(&stream_);
  }
  ZlibCodec(const ZlibCodec&) = delete;
  ZlibCodec& operator=(const ZlibCodec&) = delete;

  Step Decode(std::string_view in, char* out, size_t out_bytes) override {
    if (in.empty() && (member_ended_ || !open_)) return {};
    if (member_ended_) {  // gzip may be several members, one after the other
      over_ = over_ || !gzip_ || static_cast<uint8_t>(in[0]) != kGzipMagic;
      if (over_) return {in.size(), 0, true, true};
      if (inflateReset(&stream_) != Z_OK) return {0, 0, false, false};
      member_ended_ = false;
    }
    if (!open_ && !Open(static_cast<uint8_t>(in[0]))) return {0, 0, false, false};
    // zlib wants a pointer to bytes that it does not change.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    in = in.substr(0, kMostAtOnce);
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(out_bytes);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    member_ended_ = result == Z_STREAM_END;
    Step step;
    step.taken = in.size() - stream_.avail_in;
    step.given = out_bytes - stream_.avail_out;
    // Z_BUF_ERROR says that no progress was possible: there is nothing to tell yet.
    step.good = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
    return step;
  }

 private:
  static constexpr uint8_t kGzipMagic = 0x1F;
  static constexpr size_t kMostAtOnce = size_t{1} << 30;  // zlib counts in 32 bits

  // zlib's frame begins with a byte whose low half is 8 and whose high half is at most 7; a raw
  // deflate body cannot: its first block would be stored, of a length that does not fit.
  bool Open(uint8_t first) {
    const bool framed = (first & 0x0F) == Z_DEFLATED && first >> 4 <= 7;
    const int window_bits = gzip_ ? 16 + MAX_WBITS : framed ? MAX_WBITS : -MAX_WBITS;
    open_ = inflateInit2(&stream_, window_bits) == Z_OK;
    return open_;
  }

  const bool gzip_;
  bool open_ = false;
  bool member_ended_ = false;
  bool over_ = false;  // what comes now is no member
  z_stream stream_{};
};
#endif

#if WEIR_WITH_BROTLI
class BrotliCodec final : public Codec {
 public:
  Step Decode(std::string_view in, char* out, size_t out_bytes) override {
    if (ended_) return {in.size(), 0, true, true};
    if (!state_) return {0, 0, false, false};
    size_t in_left = in.size();
    size_t out_left = out_bytes;
    auto next_in = reinterpret_cast<const uint8_t*>(in.data());
    auto next_out = reinterpret_cast<uint8_t*>(out);
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(
        state_.get(), &in_left, &next_in, &out_left, &next_out, nullptr);
    ended_ = result == BROTLI_DECODER_RESULT_SUCCESS;
    Step step;
    step.taken = in.size() - in_left;
    step.given = out_bytes - out_left;
    step.good = result != BROTLI_DECODER_RESULT_ERROR;
    return step;
  }

 private:
  struct Destroy {
    void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
  };
  std::unique_ptr<BrotliDecoderState, Destroy> state_{
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)};
  bool ended_ = false;
};
#endif

#if WEIR_WITH_ZSTD
class ZstdCodec final : public Codec {
 public:
  ZstdCodec() {
    // RFC 8878: what a decoder must have for HTTP, and need not exceed: 8 MiB.
    constexpr int kMaxWindowLog = 23;
    if (context_) ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }

  Step Decode(std::string_view in, char* out, size_t out_bytes) override {
    if (!context_) return {0, 0, false, false};
    ZSTD_inBuffer input = {in.data(), in.size(), 0};
    ZSTD_outBuffer output = {out, out_bytes, 0};
    const size_t result = ZSTD_decompressStream(context_.get(), &output, &input);
    return {input.pos, output.pos, ZSTD_isError(result) == 0, false};
  }

 private:
  struct Destroy {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Destroy> context_{ZSTD_createDCtx()};
};
#endif

std::unique_ptr<Codec> CodecCalled(std::string_view name) {
#if WEIR_WITH_ZLIB
  const bool gzip = EqualsIgnoreCase(name, "gzip") || EqualsIgnoreCase(name, "x-gzip");
  if (gzip || EqualsIgnoreCase(name, "deflate")) return std::make_unique<ZlibCodec>(gzip);
#endif
#if WEIR_WITH_BROTLI
  if (EqualsIgnoreCase(name, "br")) return std::make_unique<BrotliCodec>();
#endif
#if WEIR_WITH_ZSTD
  if (EqualsIgnoreCase(name, "zstd")) return std::make_unique<ZstdCodec>();
#endif
  return nullptr;
}

class Decoder final : public ContentDecoder {
 public:
  // The codec was applied last, `inner` before it; null: it was the only one.
  Decoder(std::unique_ptr<Codec> codec, std::unique_ptr<ContentDecoder> inner, const Bounds& bounds)
      : codec_(std::move(codec)), inner_(std::move(inner)), bounds_(bounds) {}

  State Feed(std::string_view bytes, absl::FunctionRef<void(std::string_view)> sink) override {
    std::array<char, kPieceBytes> piece;
    bytes_in_ += bytes.size();
    bool full = false;  // the last step filled the piece: there may be more without more input
    while (state_ == State::kGood && (!bytes.empty() || full)) {
      const Codec::Step step = codec_->Decode(bytes, piece.data(), piece.size());
      bytes.remove_prefix(step.taken);
      full = step.given == piece.size();
      bytes_out_ += step.given;
      if (step.given != 0) Give({piece.data(), step.given}, sink);
      if (state_ != State::kGood || step.ended) break;
      if (!step.good || (step.taken == 0 && step.given == 0 && !bytes.empty())) {
        state_ = State::kCorrupt;
      } else if (bytes_out_ > bounds_.max_bytes ||
                 (bytes_out_ > bounds_.free_bytes &&
                  bytes_out_ > SaturatingMul(bytes_in_, bounds_.max_ratio))) {
        state_ = State::kTooLarge;
      }
    }
    return state_;
  }

 private:
  void Give(std::string_view piece, absl::FunctionRef<void(std::string_view)> sink) {
    if (inner_ == nullptr) {
      sink(piece);
    } else if (const State inner = inner_->Feed(piece, sink); inner != State::kGood) {
      state_ = inner;
    }
  }

  std::unique_ptr<Codec> codec_;
  std::unique_ptr<ContentDecoder> inner_;
  const Bounds bounds_;
  uint64_t bytes_in_ = 0, bytes_out_ = 0;
  State state_ = State::kGood;
};

}  // namespace

bool ContentDecoder::IsIdentity(std::string_view content_encoding) {
  const std::string_view name = TrimSpace(content_encoding);
  return name.empty() || EqualsIgnoreCase(name, "identity");
}

std::unique_ptr<ContentDecoder> ContentDecoder::Create(std::string_view content_encoding,
                                                       const Bounds& bounds) {
  constexpr int kMaxCodings = 2;
  std::unique_ptr<ContentDecoder> decoder;  // of the codings so far; they were applied in order
  for (int codings = 0; codings < kMaxCodings; ++codings) {
    const size_t comma = content_encoding.find(',');
    std::unique_ptr<Codec> codec = CodecCalled(TrimSpace(content_encoding.substr(0, comma)));
    if (codec == nullptr) return nullptr;
    decoder = std::make_unique<Decoder>(std::move(codec), std::move(decoder), bounds);
    if (comma == std::string_view::npos) return decoder;
    content_encoding.remove_prefix(comma + 1);
  }
  return nullptr;
}

}  // namespace weir::metering
