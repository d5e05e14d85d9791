// Streams: what each framing makes of the bytes, and what is told of the events.

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/text.h"
#include "dialects/answer.h"
#include "dialects/answer_template.h"
#include "dialects/ending.h"
#include "dialects/event_stream.h"
#include "dialects/json_elements.h"
#include "dialects/keep.h"
#include "dialects/sse.h"
#include "weir/recycling.h"

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

// The bytes of an event whose end has not come. It is relayed when its end has shown what it is, or
// when it is too large to hold: an event is left out only if all of it could be held, however the
// body was cut.
class HeldEvent {
 public:
  void Pass(std::string_view bytes, bool ends, bool leave_out, size_t max_bytes,
            std::string* relay) {
    const size_t held_bytes = held_ == nullptr ? 0 : held_->size();
    if (!passing_ && held_bytes + bytes.size() > max_bytes) {
      if (held_ != nullptr) Append(*held_, relay);
      held_.reset();
      passing_ = true;
    }
    if (passing_) {
      Append(bytes, relay);
    } else if (!ends) {
      if (held_ == nullptr) held_ = std::make_unique<std::string>();
      held_->append(bytes);
      return;
    } else if (!leave_out) {
      if (held_ != nullptr) Append(*held_, relay);
      Append(bytes, relay);
    }
    if (ends) {
      left_out_ = leave_out && !passing_;
      Drop();
    }
  }
  // The body ended: what is held goes on unless it is left out.
  void Flush(bool leave_out, std::string* relay) {
    if (held_ != nullptr && !leave_out) Append(*held_, relay);
    Drop();
  }

  bool passing() const { return passing_; }    // the event is too large to hold
  bool left_out() const { return left_out_; }  // the last event was

 private:
  void Drop() {
    held_.reset();
    passing_ = false;
  }

  bool passing_ = false;
  bool left_out_ = false;
  std::unique_ptr<std::string> held_;
};

// Who writes a stream, and how it is framed.
struct Origin {
  Dialect dialect;
  Operation operation;
  BodyKind kind;
};

// What all framings share: events in, and what is told of them.
class ReaderBase : public StreamReader, public Recycled {
 public:
  explicit ReaderBase(const Origin& origin)
      : origin_(origin),
        reader_(ReaderOf(origin.dialect, origin.operation)),
        answer_(reader_.convention) {
    SetSink(&deltas_);
  }

  void Feed(std::string_view bytes, std::string* relay) override {
    if (!holds()) {
      Append(bytes, relay);
      relay = nullptr;
    }
    while (!bytes.empty()) bytes.remove_prefix(FeedEvent(bytes, relay));
  }

  void set_strip_usage(bool /*strip*/) override {}
  void set_text_sink(TextSink* sink) override { SetSink(sink); }
  void set_hold_events(bool hold) override {
    hold_ = hold;
    ending_ = hold ? MakeEnding(origin_.dialect, origin_.operation, origin_.kind) : nullptr;
    SetSink(sink_);
  }
  void set_keep(size_t max_bytes) override {
    keeper_ = MakeKeeper(origin_.dialect, origin_.operation, origin_.kind, max_bytes);
    SetSink(sink_);
  }
  NotKept TakeKept(KeptAnswer* kept) override {
    return keeper_ == nullptr ? NotKept::kDialect : keeper_->Take(answer_, kept);
  }
  bool can_finish_early() const override { return ending_ != nullptr && !held_.passing(); }
  std::string FinishEarly(const Usage& usage, bool include_usage) const override {
    return can_finish_early() ? ending_->Write(answer_, usage, include_usage) : std::string();
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
  std::vector<Delta> TakeDeltas() override { return deltas_.Take(); }

 protected:
  // So many bytes have come of the event under way.
  void CountBytes(size_t bytes) { event_bytes_ += bytes; }
  void CountEvent() { ++events_; }
  void CountUnreadable() {
    ++unreadable_events_;
    unreadable_bytes_ += event_bytes_;
    DoNotKeep(NotKept::kUnreadable);
  }
  void EndEvent() { event_bytes_ = 0; }
  void CountLostBytes() {
    unreadable_bytes_ += std::exchange(event_bytes_, 0);
    DoNotKeep(NotKept::kUnreadable);
  }
  void DoNotKeep(NotKept reason) {
    if (keeper_ != nullptr) keeper_->Refuse(reason);
  }
  void TakeDone() {
    answer_.Done();
    if (keeper_ != nullptr) keeper_->SeeDone();
  }
  // All of the body was read.
  void EndBody() {
    if (keeper_ != nullptr) keeper_->SeeBodyEnd();
  }

  // Reads an event. True when it only carries a usage.
  bool TakeJson(std::string_view name, std::string_view data) {
    if (template_.Read(name, data, &answer_)) {
      if (ending_ != nullptr) ending_->SeeAlike();
      return false;
    }
    // Not kept: while a stream waits, it holds no memory for this.
    json::Document document;
    json::ParseError error;
    if (!document.Parse(data, kLenient, &error) || !document.root().Is(Type::kObject)) {
      CountUnreadable();
      return false;
    }
    Answer::Event told;
    answer_.set_event(&told);
    if (ending_ != nullptr && ending_->See(name, document.root())) told.more = true;
    if (keeper_ != nullptr && keeper_->SeeEvent(name, document.root())) told.more = true;
    reader_.event(name, document.root(), &answer_);
    answer_.set_event(nullptr);
    if (keeper_ != nullptr) keeper_->SeeEnd();
    template_.Learn(name, document, told);
    return told.usage_only;
  }

  // Reads a whole answer.
  void TakeAnswer(Value body) {
    Answer::Event told;
    answer_.set_event(&told);
    if (keeper_ != nullptr) keeper_->SeeBody(body);
    reader_.body(body, &answer_);
    answer_.Done();
    answer_.set_event(nullptr);
    if (keeper_ != nullptr) keeper_->SeeEnd();
  }

  // Events are relayed whole.
  bool holds() const { return hold_ || strip_; }

  const Origin origin_;
  bool strip_ = false;
  const AnswerReader& reader_;
  Answer answer_;
  HeldEvent held_;

 private:
  void SetSink(TextSink* sink) {
    sink_ = sink;
    TextTap* const taps[] = {ending_.get(), keeper_.get()};
    for (TextTap* tap : taps) {
      if (tap == nullptr) continue;
      tap->set_next(sink);
      sink = tap;
    }
    answer_.set_sink(sink);
  }

  bool hold_ = false;
  TextSink* sink_ = nullptr;
  std::unique_ptr<Ending> ending_;  // null: events are not held, or the stream has none
  std::unique_ptr<Keeper> keeper_;  // null: nothing is to be kept, or can be
  AnswerTemplate template_;
  DeltaList deltas_;  // empty when text goes elsewhere
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

  size_t FeedEvent(std::string_view bytes, std::string* relay) override {
    const SseReader::Progress progress = sse_.Read(bytes);
    const bool block_end = progress.stop == SseReader::Stop::kBlockEnd;
    CountBytes(progress.consumed);
    const bool usage_only = block_end && TakeEvent();
    if (block_end) {
      sse_.Release();
      EndEvent();
    }
    if (relay == nullptr && !holds()) return progress.consumed;
    const std::string_view taken = bytes.substr(0, progress.consumed);
    if (!holds()) {
      Append(taken, relay);
    } else if (progress.stop == SseReader::Stop::kLineFeed) {
      if (!held_.left_out()) Append(taken, relay);
    } else {
      held_.Pass(taken, block_end, strip_ && usage_only, sse_.max_event_bytes(), relay);
    }
    return progress.consumed;
  }

  void End(std::string* relay) override {
    sse_.End();
    const bool usage_only = TakeEvent();
    EndBody();
    held_.Flush(strip_ && usage_only, relay);
  }

  std::string FinishEarly(const Usage& usage, bool include_usage) const override {
    std::string end = ReaderBase::FinishEarly(usage, include_usage);
    if (end.empty()) return end;
    if (origin_.dialect == Dialect::kGemini) end = Concat({"data: ", end, "\r\n\r\n"});
    // The line end that was relayed is to be whole, for readers that are not careful.
    return sse_.awaits_line_feed() ? Concat({"\n", end}) : end;
  }

 private:
  // Reads the block that ended. True when it only carries a usage.
  bool TakeEvent() {
    const SseReader::Event event = sse_.event();
    if (!event.present) return false;
    CountEvent();
    if (event.type == "error") {
      answer_.SeeErrorEvent();
      DoNotKeep(NotKept::kError);
    }
    if (event.oversize) {
      CountUnreadable();
      return false;
    }
    if (TrimSpace(event.data) == "[DONE]") {
      TakeDone();
      return false;
    }
    return TakeJson(event.type, event.data);
  }

  SseReader sse_{kMaxEventBytes};
};

class FrameStreamReader final : public ReaderBase {
 public:
  using ReaderBase::ReaderBase;

  void set_max_bytes(size_t event, size_t /*body*/) override {
    max_frame_bytes_ = event;
    frames_.set_max_frame_bytes(event);
  }

  size_t FeedEvent(std::string_view bytes, std::string* relay) override {
    const EventStreamReader::Progress progress = frames_.Read(bytes);
    CountBytes(progress.consumed);
    if (progress.frame_end) {
      TakeFrame();
      EndEvent();
    } else if (frames_.lost()) {
      CountLostBytes();
    }
    const std::string_view taken = bytes.substr(0, progress.consumed);
    if (holds()) {
      const bool ends = progress.frame_end || frames_.lost();
      held_.Pass(taken, ends, /*leave_out=*/false, max_frame_bytes_, relay);
    } else {
      Append(taken, relay);
    }
    return progress.consumed;
  }

  void End(std::string* relay) override {
    frames_.End();
    TakeFrame();
    EndBody();
    held_.Flush(/*leave_out=*/false, relay);
  }

  // There is no telling where an event ends once that is lost.
  bool can_finish_early() const override {
    return ReaderBase::can_finish_early() && !frames_.lost();
  }

 private:
  void TakeFrame() {
    const EventStreamReader::Frame& frame = frames_.frame();
    if (!frame.present) return;
    CountEvent();
    if (frame.unreadable) return CountUnreadable();
    if (frame.message_type == "error" || frame.message_type == "exception") {
      DoNotKeep(NotKept::kError);
    }
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

  size_t max_frame_bytes_ = kMaxEventBytes;
  EventStreamReader frames_{kMaxEventBytes};
};

class JsonStreamReader final : public ReaderBase {
 public:
  using ReaderBase::ReaderBase;

  void set_max_bytes(size_t event, size_t body) override {
    max_element_bytes_ = event;
    elements_.set_max_element_bytes(event);
    max_body_bytes_ = body;
  }

  size_t FeedEvent(std::string_view bytes, std::string* relay) override {
    if (shape_ == Shape::kUnknown) Decide(bytes);
    size_t taken = bytes.size();
    bool ends = shape_ == Shape::kWhole;  // relayed as it comes
    if (shape_ == Shape::kWhole) Keep(bytes);
    if (shape_ == Shape::kArray) {
      const JsonElements::Progress progress = elements_.Read(bytes);
      taken = progress.consumed;
      CountBytes(taken);
      if (progress.element_end) {
        TakeElement();
        EndEvent();
      }
      ends = progress.element_end || elements_.outside();
    }
    if (holds()) {
      held_.Pass(bytes.substr(0, taken), ends, /*leave_out=*/false, max_element_bytes_, relay);
    } else {
      Append(bytes.substr(0, taken), relay);
    }
    return taken;
  }

  void End(std::string* relay) override {
    held_.Flush(/*leave_out=*/false, relay);
    if (shape_ == Shape::kArray && elements_.inside()) {
      CountEvent();
      CountUnreadable();
    }
    if (shape_ == Shape::kArray) {
      if (elements_.strange()) DoNotKeep(NotKept::kUnreadable);
      if (!elements_.outside()) DoNotKeep(NotKept::kIncomplete);
      EndBody();
    }
    if (shape_ != Shape::kWhole) return;
    CountEvent();
    TakeBody();
    EndBody();
    RecycledString().swap(body_);
    shape_ = Shape::kUnknown;
    EndEvent();
  }

  bool can_finish_early() const override {
    return ReaderBase::can_finish_early() && shape_ == Shape::kArray;
  }
  std::string FinishEarly(const Usage& usage, bool include_usage) const override {
    if (!can_finish_early() || elements_.outside()) return {};
    const std::string chunk = ReaderBase::FinishEarly(usage, include_usage);
    std::string_view before = events() == 0 ? "[" : "";
    if (events() != 0 && !chunk.empty()) before = ",\r\n";
    return Concat({before, chunk, "\n]\n"});
  }

 private:
  enum class Shape : uint8_t { kUnknown, kArray, kWhole };

  // By the first byte that is not blank. Blanks before it are no loss to a parser.
  void Decide(std::string_view bytes) {
    const size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return;
    const bool arrays = origin_.dialect == Dialect::kGemini;
    shape_ = arrays && bytes[first] == '[' ? Shape::kArray : Shape::kWhole;
  }

  void Keep(std::string_view bytes) {
    CountBytes(bytes.size());
    too_large_ = too_large_ || body_.size() + bytes.size() > max_body_bytes_;
    if (too_large_) {
      RecycledString().swap(body_);
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
    if (too_large_ || !document.ParseBorrowed(body_, kLenient, &error) ||
        !document.root().Is(Type::kObject)) {
      return CountUnreadable();
    }
    TakeAnswer(document.root());
  }

  bool too_large_ = false;
  Shape shape_ = Shape::kUnknown;
  size_t max_element_bytes_ = kMaxEventBytes;
  size_t max_body_bytes_ = kMaxBodyBytes;
  JsonElements elements_{kMaxEventBytes};
  RecycledString body_;
};

}  // namespace

std::unique_ptr<StreamReader> StreamReader::Create(Dialect dialect, Operation operation,
                                                   BodyKind kind) {
  const Origin origin = {dialect, operation, kind};
  switch (kind) {
    case BodyKind::kSse:
      return std::make_unique<SseStreamReader>(origin);
    case BodyKind::kEventStream:
      return std::make_unique<FrameStreamReader>(origin);
    case BodyKind::kJson:
    case BodyKind::kOther:
      break;
  }
  return std::make_unique<JsonStreamReader>(origin);
}

std::unique_ptr<StreamReader> StreamReader::Create(Dialect dialect, Operation operation) {
  const bool frames = dialect == Dialect::kBedrock;
  return Create(dialect, operation, frames ? BodyKind::kEventStream : BodyKind::kSse);
}

}  // namespace weir::dialects
