#include <algorithm>
#include <bitset>

#include "base/text.h"
#include "dialects/openai_answer.h"
#include "dialects/sse.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// OpenAI gives at most 128 choices; the end of further ones is not watched, their text is counted.
constexpr size_t kMaxChoices = 128;

// How far back a piece looks for a delta of its own kind to join: bounds the work of one event.
constexpr size_t kJoinWindow = 32;

// After an event larger than this the document's memory is given back.
constexpr size_t kRetainBytes = size_t{64} << 10;

class OpenAiStreamReader final : public ChatStreamReader {
 public:
  void Feed(std::string_view bytes, std::string* relay) override {
    if (!strip_) relay->append(bytes);
    while (!bytes.empty()) {
      const SseReader::Progress progress = sse_.Read(bytes);
      const bool block_end = progress.stop == SseReader::Stop::kBlockEnd;
      const bool usage_only = block_end && TakeEvent();
      if (strip_) Pass(bytes.substr(0, progress.consumed), progress.stop, usage_only, relay);
      bytes.remove_prefix(progress.consumed);
    }
  }

  void End(std::string* relay) override {
    sse_.End();
    const bool usage_only = TakeEvent();
    if (strip_ && !usage_only) relay->append(held_);
    held_.clear();
    passing_ = false;
  }

  void set_strip_usage(bool strip) override { strip_ = strip; }
  const Usage& usage() const override { return usage_; }
  std::string_view model() const override { return model_; }
  bool saw_done() const override { return saw_done_; }
  bool saw_finish() const override { return choices_seen_.any() && choices_open_.none(); }
  bool saw_error() const override { return saw_error_; }
  uint64_t events() const override { return events_; }
  uint64_t unreadable_events() const override { return unreadable_events_; }

  std::vector<Delta> TakeDeltas() override {
    kinds_.clear();
    std::vector<Delta> taken;
    taken.swap(deltas_);
    return taken;
  }

 private:
  struct Kind {
    TextKind kind;
    uint32_t tool;
  };

  // Relays the bytes of a block when its end has shown what it is, or when it is too large to hold:
  // an event is left out only if all of it could be held, however the body was cut.
  void Pass(std::string_view bytes, SseReader::Stop stop, bool usage_only, std::string* relay) {
    if (stop == SseReader::Stop::kLineFeed) {
      if (!left_out_) relay->append(bytes);
      return;
    }
    if (!passing_ && held_.size() + bytes.size() > kMaxEventBytes) {
      relay->append(held_);
      std::string().swap(held_);
      passing_ = true;
    }
    if (passing_) {
      relay->append(bytes);
    } else if (stop == SseReader::Stop::kInside) {
      held_.append(bytes);
      return;
    } else if (!usage_only) {
      relay->append(held_);
      relay->append(bytes);
    }
    if (stop == SseReader::Stop::kBlockEnd) {
      left_out_ = usage_only && !passing_;
      held_.clear();
      passing_ = false;
    }
  }

  // Reads the block that ended. True when it only carries a usage.
  bool TakeEvent() {
    const SseReader::Event& event = sse_.event();
    if (!event.present) return false;
    ++events_;
    if (event.type == "error") saw_error_ = true;
    if (event.oversize) {
      ++unreadable_events_;
      return false;
    }
    if (TrimSpace(event.data) == "[DONE]") {
      saw_done_ = true;
      return false;
    }
    json::ParseError error;
    const bool parsed =
        document_.Parse(event.data, kLenient, &error) && document_.root().Is(Type::kObject);
    if (!parsed) ++unreadable_events_;
    const bool usage_only = parsed && TakeChunk(document_.root()) && event.type != "error";
    if (event.data.size() > kRetainBytes) {
      const json::Document large = std::move(document_);  // freed here
    }
    return usage_only;
  }

  bool TakeChunk(Value chunk) {
    Value choices;
    Value usage;
    bool error = false;
    for (Value member : chunk.members()) {
      const std::string_view key = member.key();
      if (key == "choices") {
        choices = member;
      } else if (key == "usage") {
        usage = member;
      } else if (key == "error") {
        error = IsError(member);
      } else if (key == "model") {
        if (model_.empty() && member.Is(Type::kString)) model_ = member.text();
      }
    }
    TakeUsage(usage);
    saw_error_ = saw_error_ || error;
    if (choices.Is(Type::kArray)) {
      uint32_t position = 0;
      for (Value choice : choices.members()) TakeChoice(choice, position++);
    }
    const bool no_choices = choices.Is(Type::kArray) && choices.size() == 0;
    return no_choices && usage.Is(Type::kObject) && !error;
  }

  // The last stated counts; one that states nothing leaves the one before. A flag stays.
  void TakeUsage(Value value) {
    Usage stated = ReadUsage(value);
    stated.anomaly = stated.anomaly || usage_.anomaly;
    if (StatesTokens(stated)) {
      usage_ = stated;
    } else {
      usage_.anomaly = stated.anomaly;
    }
  }

  void TakeChoice(Value choice, uint32_t position) {
    if (!choice.Is(Type::kObject)) return;
    const std::optional<uint64_t> stated = choice["index"].Uint();
    const uint32_t index =
        stated && *stated <= UINT32_MAX ? static_cast<uint32_t>(*stated) : position;
    if (index < kMaxChoices) {
      const Value finish = choice["finish_reason"];
      if (!choices_seen_[index]) choices_open_.set(index);
      choices_seen_.set(index);
      if (finish.Is(Type::kString) && !finish.text().empty()) choices_open_.reset(index);
    }
    ForEachPiece(choice["delta"], [&](const Piece& piece) { AddDelta(index, piece); });
  }

  void AddDelta(uint32_t choice, const Piece& piece) {
    const size_t oldest = deltas_.size() - std::min(deltas_.size(), kJoinWindow);
    for (size_t i = deltas_.size(); i-- > oldest;) {
      if (deltas_[i].choice == choice && kinds_[i].kind == piece.kind &&
          kinds_[i].tool == piece.tool) {
        deltas_[i].text.append(piece.text);
        return;
      }
    }
    deltas_.push_back({choice, std::string(piece.text)});
    kinds_.push_back({piece.kind, piece.tool});
  }

  SseReader sse_{kMaxEventBytes};
  json::Document document_;

  bool strip_ = false;
  std::string held_;       // the bytes of a block whose end has not come
  bool passing_ = false;   // that block is too large to hold
  bool left_out_ = false;  // the last block was

  Usage usage_;
  std::string model_;
  bool saw_done_ = false;
  bool saw_error_ = false;
  uint64_t events_ = 0;
  uint64_t unreadable_events_ = 0;
  std::bitset<kMaxChoices> choices_seen_;
  std::bitset<kMaxChoices> choices_open_;
  std::vector<Delta> deltas_;
  std::vector<Kind> kinds_;  // of deltas_, one for one
};

}  // namespace

std::unique_ptr<ChatStreamReader> ChatStreamReader::Create() {
  return std::make_unique<OpenAiStreamReader>();
}

}  // namespace weir::dialects
