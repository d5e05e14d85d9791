// Streams: what each framing makes of the bytes, and what is told of the events.

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/text.h"
#include "dialects/answer.h"
#include "dialects/answer_template.h"
#include "dialects/event_stream.h"
#include "dialects/json_elements.h"
#include "dialects/sse.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// How far back a piece looks for a delta of its own kind to join: bounds the work of one event.
constexpr size_t kJoinWindow = 32;

void Append(std::string_view bytes, std::string* relay) {
  if (relay != nullptr) relay->append(bytes);
}

// The deltas that nobody took yet.
class DeltaList final : public TextSink {
 public:
  void Text(const TextPiece& piece) override {
    const size_t oldest = deltas_.size() - std::min(deltas_.size(), kJoinWindow);
    for (size_t i = deltas_.size(); i-- > oldest;) {
      StreamReader::Delta& delta = deltas_[i];
      if (delta.choice == piece.choice && delta.kind == piece.kind && delta.part == piece.part) {
        delta.text.append(piece.text);
        return;
      }
    }
    deltas_.push_back({piece.choice, piece.kind, piece.part, std::string(piece.text)});
  }

  std::vector<StreamReader::Delta> Take() { return std::exchange(deltas_, {}); }

 private:
  std::vector<StreamReader::Delta> deltas_;
};

// What all framings share: events in, and what is told of them.
class ReaderBase : public StreamReader {
 public:
  explicit ReaderBase(const AnswerReader& reader)
      : reader_(reader), answer_(reader.convention), deltas_(std::make_unique<DeltaList>()) {
    answer_.set_sink(deltas_.get());
  }

  void set_strip_usage(bool /*strip*/) override {}
  void set_text_sink(TextSink* sink) override {
    answer_.set_sink(sink);
    deltas_.reset();
  }
  Usage usage() const override { return answer_.usage(); }
  std::string_view model() const override { return answer_.model(); }
  bool saw_done() const override { return answer_.done(); }
  bool saw_finish() const override { return answer_.finished(); }
  std::string_view finish_reason() const override { return answer_.finish_reason(); }
  bool saw_error() const override { return answer_.failed(); }
  const AnswerError* error() const override { return answer_.error(); }
  uint64_t events() const override { return events_; }
  uint64_t unreadable_events() const override { return unreadable_events_; }
  uint64_t unreadable_bytes() const override { return unreadable_bytes_; }
  std::vector<Delta> TakeDeltas() override {
    return deltas_ == nullptr ? std::vector<Delta>() : deltas_->Take();
  }

 protected:
  // So many bytes have come of the event under way.
  void CountBytes(size_t bytes) { event_bytes_ += bytes; }
  void CountEvent() { ++events_; }
  void CountUnreadable() {
    ++unreadable_events_;
    unreadable_bytes_ += event_bytes_;
  }
  void EndEvent() { event_bytes_ = 0; }
  void CountLostBytes() { unreadable_bytes_ += std::exchange(event_bytes_, 0); }

  // Reads an event. True when it only carries a usage.
  bool TakeJson(std::string_view name, std::string_view data) {
    if (template_.Read(name, data, &answer_)) return false;
    // Not kept: while a stream waits, it holds no memory for this.
    json::Document document;
    json::ParseError error;
    if (!document.Parse(data, kLenient, &error) || !document.root().Is(Type::kObject)) {
      CountUnreadable();
      return false;
    }
    Answer::Event told;
    answer_.set_event(&told);
    reader_.event(name, document.root(), &answer_);
    answer_.set_event(nullptr);
    template_.Learn(name, document, told);
    return told.usage_only;
  }

  const AnswerReader& reader_;
  Answer answer_;

 private:
  AnswerTemplate template_;
  std::unique_ptr<DeltaList> deltas_;  // null: text goes elsewhere
  uint64_t events_ = 0;
  uint64_t event_bytes_ = 0;
  uint64_t unreadable_events_ = 0;
  uint64_t unreadable_bytes_ = 0;
};

class SseStreamReader final : public ReaderBase {
 public:
  using ReaderBase::ReaderBase;

  void set_strip_usage(bool strip) override { strip_ = strip && reader_.usage_only_events; }
  void set_max_bytes(size_t event, size_t /*body*/) override { sse_.set_max_event_bytes(event); }

  void Feed(std::string_view bytes, std::string* relay) override {
    if (!strip_) Append(bytes, relay);
    while (!bytes.empty()) {
      const SseReader::Progress progress = sse_.Read(bytes);
      const bool block_end = progress.stop == SseReader::Stop::kBlockEnd;
      CountBytes(progress.consumed);
      const bool usage_only = block_end && TakeEvent();
      if (block_end) {
        sse_.Release();
        EndEvent();
      }
      if (strip_) Pass(bytes.substr(0, progress.consumed), progress.stop, usage_only, relay);
      bytes.remove_prefix(progress.consumed);
    }
  }

  void End(std::string* relay) override {
    sse_.End();
    const bool usage_only = TakeEvent();
    if (held_ != nullptr && !usage_only) Append(*held_, relay);
    held_.reset();
    passing_ = false;
  }

 private:
  // Relays the bytes of a block when its end has shown what it is, or when it is too large to hold:
  // an event is left out only if all of it could be held, however the body was cut.
  void Pass(std::string_view bytes, SseReader::Stop stop, bool usage_only, std::string* relay) {
    if (stop == SseReader::Stop::kLineFeed) {
      if (!left_out_) Append(bytes, relay);
      return;
    }
    const size_t held_bytes = held_ == nullptr ? 0 : held_->size();
    if (!passing_ && held_bytes + bytes.size() > sse_.max_event_bytes()) {
      if (held_ != nullptr) Append(*held_, relay);
      held_.reset();
      passing_ = true;
    }
    if (passing_) {
      Append(bytes, relay);
    } else if (stop == SseReader::Stop::kInside) {
      if (held_ == nullptr) held_ = std::make_unique<std::string>();
      held_->append(bytes);
      return;
    } else if (!usage_only) {
      if (held_ != nullptr) Append(*held_, relay);
      Append(bytes, relay);
    }
    if (stop == SseReader::Stop::kBlockEnd) {
      left_out_ = usage_only && !passing_;
      held_.reset();
      passing_ = false;
    }
  }

  // Reads the block that ended. True when it only carries a usage.
  bool TakeEvent() {
    const SseReader::Event event = sse_.event();
    if (!event.present) return false;
    CountEvent();
    if (event.type == "error") answer_.SeeErrorEvent();
    if (event.oversize) {
      CountUnreadable();
      return false;
    }
    if (TrimSpace(event.data) == "[DONE]") {
      answer_.Done();
      return false;
    }
    return TakeJson(event.type, event.data);
  }

  SseReader sse_{kMaxEventBytes};
  bool strip_ = false;
  bool passing_ = false;               // the block is too large to hold
  bool left_out_ = false;              // the last block was
  std::unique_ptr<std::string> held_;  // the bytes of a block whose end has not come
};

class FrameStreamReader final : public ReaderBase {
 public:
  using ReaderBase::ReaderBase;

  void set_max_bytes(size_t event, size_t /*body*/) override { frames_.set_max_frame_bytes(event); }

  void Feed(std::string_view bytes, std::string* relay) override {
    Append(bytes, relay);
    while (!bytes.empty()) {
      const EventStreamReader::Progress progress = frames_.Read(bytes);
      CountBytes(progress.consumed);
      if (progress.frame_end) {
        TakeFrame();
        EndEvent();
      } else if (frames_.lost()) {
        CountLostBytes();
      }
      bytes.remove_prefix(progress.consumed);
    }
  }

  void End(std::string* /*relay*/) override {
    frames_.End();
    TakeFrame();
  }

 private:
  void TakeFrame() {
    const EventStreamReader::Frame& frame = frames_.frame();
    if (!frame.present) return;
    CountEvent();
    if (frame.unreadable) return CountUnreadable();
    if (frame.message_type == "error") {
      answer_.ErrorOf(frame.error_code, frame.error_message);
    } else if (frame.message_type == "exception") {
      json::Document document;
      const bool read = document.Parse(frame.payload) && document.root().Is(Type::kObject);
      const Value message = document.root()["message"];
      answer_.ErrorOf(frame.exception_type, read ? message.text() : std::string_view());
    } else if (frame.event_type == "chunk") {
      TakeChunk(frame.payload);
    } else {
      TakeJson(frame.event_type, frame.payload);
    }
  }

  // {"bytes":"<the model's own event in base64>"}
  void TakeChunk(std::string_view payload) {
    json::Document document;
    json::ParseError error;
    std::string inner;
    if (!document.Parse(payload, kLenient, &error) ||
        !absl::Base64Unescape(AbslView(document.root()["bytes"].text()), &inner)) {
      return CountUnreadable();
    }
    TakeJson("", inner);
  }

  EventStreamReader frames_{kMaxEventBytes};
};

class JsonStreamReader final : public ReaderBase {
 public:
  JsonStreamReader(const AnswerReader& reader, bool arrays) : ReaderBase(reader), arrays_(arrays) {}

  void set_max_bytes(size_t event, size_t body) override {
    elements_.set_max_element_bytes(event);
    max_body_bytes_ = body;
  }

  void Feed(std::string_view bytes, std::string* relay) override {
    Append(bytes, relay);
    if (shape_ == Shape::kUnknown) Decide(bytes);
    if (shape_ == Shape::kWhole) return Keep(bytes);
    if (shape_ == Shape::kUnknown) return;
    while (!bytes.empty()) {
      const JsonElements::Progress progress = elements_.Read(bytes);
      CountBytes(progress.consumed);
      if (progress.element_end) {
        TakeElement();
        EndEvent();
      }
      bytes.remove_prefix(progress.consumed);
    }
  }

  void End(std::string* /*relay*/) override {
    if (shape_ == Shape::kArray && elements_.inside()) {
      CountEvent();
      CountUnreadable();
    }
    if (shape_ != Shape::kWhole) return;
    CountEvent();
    TakeBody();
    std::string().swap(body_);
    shape_ = Shape::kUnknown;
    EndEvent();
  }

 private:
  enum class Shape : uint8_t { kUnknown, kArray, kWhole };

  // By the first byte that is not blank. Blanks before it are no loss to a parser.
  void Decide(std::string_view bytes) {
    const size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return;
    shape_ = arrays_ && bytes[first] == '[' ? Shape::kArray : Shape::kWhole;
  }

  void Keep(std::string_view bytes) {
    CountBytes(bytes.size());
    too_large_ = too_large_ || body_.size() + bytes.size() > max_body_bytes_;
    if (too_large_) {
      std::string().swap(body_);
    } else {
      body_.append(bytes);
    }
  }

  void TakeElement() {
    CountEvent();
    if (elements_.element().empty()) return CountUnreadable();
    TakeJson("", elements_.element());
  }

  void TakeBody() {
    json::Document document;
    json::ParseError error;
    if (too_large_ || !document.Parse(body_, kLenient, &error) ||
        !document.root().Is(Type::kObject)) {
      return CountUnreadable();
    }
    Answer::Event told;
    answer_.set_event(&told);
    reader_.body(document.root(), &answer_);
    answer_.Done();
    answer_.set_event(nullptr);
  }

  const bool arrays_;
  bool too_large_ = false;
  Shape shape_ = Shape::kUnknown;
  size_t max_body_bytes_ = kMaxBodyBytes;
  JsonElements elements_{kMaxEventBytes};
  std::string body_;
};

}  // namespace

std::unique_ptr<StreamReader> StreamReader::Create(Dialect dialect, Operation operation,
                                                   BodyKind kind) {
  const AnswerReader& reader = ReaderOf(dialect, operation);
  switch (kind) {
    case BodyKind::kSse:
      return std::make_unique<SseStreamReader>(reader);
    case BodyKind::kEventStream:
      return std::make_unique<FrameStreamReader>(reader);
    case BodyKind::kJson:
    case BodyKind::kOther:
      break;
  }
  return std::make_unique<JsonStreamReader>(reader, dialect == Dialect::kGemini);
}

std::unique_ptr<StreamReader> StreamReader::Create(Dialect dialect, Operation operation) {
  const bool frames = dialect == Dialect::kBedrock;
  return Create(dialect, operation, frames ? BodyKind::kEventStream : BodyKind::kSse);
}

}  // namespace weir::dialects
