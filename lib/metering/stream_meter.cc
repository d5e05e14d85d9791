#include "weir/stream_meter.h"

#include <algorithm>
#include <utility>

#include "base/saturating.h"
#include "metering/answer_frame.h"
#include "metering/content_coding.h"
#include "metering/prompt_family.h"
#include "metering/stream_counts.h"
#include "weir/recycling.h"
#include "weir/replay.h"

namespace weir::metering {
namespace {

using dialects::Provenance;
using dialects::StreamReader;

// Of a body that cannot be read: text compresses to less than two bytes a token only when it is
// wrapped in the frames of a stream, which compress to nearly nothing.
constexpr uint64_t kUnreadBytesPerToken = 2;
// Of an event that cannot be read: it is text and what frames it.
constexpr uint64_t kUnreadableBytesPerToken = 4;

AnswerFrame FrameOf(const StreamMeterOptions& options) {
  if (options.model.empty() || options.tokenizer == nullptr) return {};
  return AnswerFrameOf(FamilyOf(options.model, options.tokenizer->name()), options.model,
                       options.dialect, options.operation, options.declares_functions);
}

class Meter final : public StreamMeter, public Recycled {
 public:
  explicit Meter(const StreamMeterOptions& options)
      : writes_(options.operation != dialects::Operation::kEmbeddings),
        exact_(options.tokenizer != nullptr && options.tokenizer_is_exact),
        counts_(options.tokenizer, FrameOf(options)) {
    if (!ContentDecoder::IsIdentity(options.content_encoding)) {
      ContentDecoder::Bounds bounds;
      bounds.max_bytes = options.max_decoded_bytes;
      bounds.max_ratio = options.max_decoded_ratio;
      decoder_ = ContentDecoder::Create(options.content_encoding, bounds);
      if (decoder_ == nullptr) {
        unread_ = Unread::kUnknownEncoding;
        return;
      }
    }
    reader_ = StreamReader::Create(options.dialect, options.operation,
                                   dialects::KindOf(options.content_type));
    reader_->set_text_sink(&counts_);
    reader_->set_max_bytes(options.max_event_bytes, options.max_body_bytes);
    reader_->set_strip_usage(options.strip_usage && decoder_ == nullptr);
    reader_->set_hold_events(options.hold_events && decoder_ == nullptr);
    if (options.keep_bytes != 0) reader_->set_keep(options.keep_bytes);
  }

  void Feed(std::string_view bytes, std::string* relay) override {
    if (decoder_ == nullptr && reader_ != nullptr) return reader_->Feed(bytes, relay);
    if (relay != nullptr) relay->append(bytes);
    if (unread_ == Unread::kNothing) {
      const auto read = [this](std::string_view decoded) { reader_->Feed(decoded, nullptr); };
      switch (decoder_->Feed(bytes, read)) {
        case ContentDecoder::State::kGood:
          return;
        case ContentDecoder::State::kCorrupt:
          unread_ = Unread::kCorruptEncoding;
          break;
        case ContentDecoder::State::kTooLarge:
          unread_ = Unread::kTooLarge;
          break;
      }
    }
    unread_bytes_ = SaturatingAdd<uint64_t>(unread_bytes_, bytes.size());
  }

  size_t FeedEvent(std::string_view bytes, std::string* relay) override {
    if (decoder_ == nullptr && reader_ != nullptr) return reader_->FeedEvent(bytes, relay);
    Feed(bytes, relay);
    return bytes.size();
  }

  void End(std::string* relay) override {
    if (reader_ != nullptr) reader_->End(decoder_ == nullptr ? relay : nullptr);
  }

  Metered Read() const override {
    Metered metered;
    metered.unread = unread_;
    metered.counted = counts_.Total();
    metered.text_bytes = counts_.text_bytes();
    if (reader_ != nullptr) {
      metered.usage = reader_->usage();
      metered.complete = reader_->saw_done() || reader_->saw_finish();
      metered.error = reader_->saw_error();
    }
    metered.anomaly = metered.usage.anomaly;
    const bool whole = counts_.IsExact() && unread_ == Unread::kNothing && metered.complete &&
                       reader_->unreadable_events() == 0;
    const bool cut_short = reader_ == nullptr || IsCutShort(reader_->finish_reason());
    metered.completion =
        SaturatingAdd(counts_.Billed(metered.counted, cut_short), EstimateUnread());
    metered.provenance = exact_ && whole ? Provenance::kExact : Provenance::kEstimated;
    Believe(&metered);
    return metered;
  }

  uint64_t text_bytes() const override { return counts_.text_bytes(); }

  Unread unread() const override { return unread_; }

  dialects::NotKept TakeKept(dialects::KeptAnswer* kept) override {
    if (reader_ == nullptr || unread_ != Unread::kNothing) return dialects::NotKept::kUnreadable;
    return reader_->TakeKept(kept);
  }

  const StreamReader* reader() const override { return reader_.get(); }

 private:
  uint64_t EstimateUnread() const {
    if (!writes_) return 0;
    const uint64_t unreadable = reader_ != nullptr ? reader_->unreadable_bytes() : 0;
    return CeilDiv(unread_bytes_, kUnreadBytesPerToken) +
           CeilDiv(unreadable, kUnreadableBytesPerToken);
  }

  // Takes the provider's word, unless what passed says that it cannot be.
  void Believe(Metered* metered) const {
    const std::optional<uint64_t>& stated = metered->usage.completion;
    if (!stated) return;
    const uint64_t counted = metered->counted;
    const bool absurd = *stated < counted / 2 || (*stated == 0 && counted != 0);
    metered->anomaly = metered->anomaly || absurd || (exact_ && *stated < counted);
    if (absurd) return;
    metered->completion = *stated;
    metered->provenance = Provenance::kProvider;
  }

  const bool writes_;  // embeddings are no text
  const bool exact_;
  Unread unread_ = Unread::kNothing;
  uint64_t unread_bytes_ = 0;
  StreamCounts counts_;
  std::unique_ptr<ContentDecoder> decoder_;
  std::unique_ptr<StreamReader> reader_;
};

}  // namespace

std::string_view UnreadName(Unread unread) {
  switch (unread) {
    case Unread::kNothing:
      return "";
    case Unread::kUnknownEncoding:
      return "unknown_encoding";
    case Unread::kCorruptEncoding:
      return "corrupt_encoding";
    case Unread::kTooLarge:
      return "too_large";
  }
  return "";
}

std::unique_ptr<StreamMeter> StreamMeter::Create(const StreamMeterOptions& options) {
  return std::make_unique<Meter>(options);
}

}  // namespace weir::metering
