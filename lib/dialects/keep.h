// Keeping the content of an answer while it is read, and judging whether it may be stored
// (weir/replay.h).
//
// One Keeper for each shape of answer, in keep_<dialect>.cc. Like an Ending it sees every event
// that is parsed, before its text is told, and all text; events alike (answer_template.h) are told
// only as text. So whatever changes what a text may mean must not become a template: SeeEvent says
// which events do.

#ifndef WEIR_LIB_DIALECTS_KEEP_H_
#define WEIR_LIB_DIALECTS_KEEP_H_

#include <bitset>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "dialects/answer.h"
#include "dialects/keep_shape.h"
#include "dialects/text_tap.h"
#include "weir/replay.h"

namespace weir::dialects {

class Keeper : public TextTap {
 public:
  explicit Keeper(size_t max_bytes) : max_bytes_(max_bytes) {}

  // An event that was parsed, an object, before its text is told. True when it opened or closed
  // something.
  bool SeeEvent(std::string_view name, json::Value event);
  // A whole answer, before its text is told.
  void SeeBody(json::Value body);
  // The text of the event, or body, was told.
  void SeeEnd();
  // [DONE]
  void SeeDone() { ended_ = true; }
  // It will not be kept; the first reason counts. Lets go of the text.
  void Refuse(NotKept reason);
  // All of the body was seen.
  void SeeBodyEnd() { body_ended_ = true; }
  // After that: moves the answer out.
  NotKept Take(const Answer& answer, KeptAnswer* kept);

 protected:
  virtual NotKept JudgeEvent(std::string_view name, json::Value event) = 0;
  virtual NotKept JudgeBody(json::Value body) = 0;
  // The dialect's streams end with an event that says so.
  virtual bool has_last_event() const { return true; }
  // Whether content of this part may come now.
  virtual bool MayWrite(uint32_t /*part*/) const { return true; }

  // A choice of the event under way, and its reason to finish if it has one. `normal` are the
  // reasons of answers that are kept.
  NotKept SeeChoice(uint32_t choice, json::Value reason,
                    std::initializer_list<std::string_view> normal);
  void End() { ended_ = true; }
  void Turn() { turned_ = true; }
  // The text of the first choice so far.
  std::string_view text() const;
  // The sequence that ended the first choice, if `text` is one.
  NotKept SetStopSequence(json::Value text);

 private:
  struct Choice {
    KeptChoice kept;
    bool closed = false;  // it finished before the event under way
  };

  void SeeText(const TextPiece& piece) final;
  NotKept Keep(const TextPiece& piece);
  Choice* At(uint32_t choice);

  const size_t max_bytes_;
  size_t bytes_ = 0;
  NotKept reason_ = NotKept::kNothing;
  bool ended_ = false;  // the dialect's last event came
  bool body_ended_ = false;
  bool turned_ = false;  // the event under way opened or closed something
  bool finishes_ = false;
  std::bitset<kMaxKeptChoices> in_event_;
  std::vector<Choice> choices_;
};

// Null when nothing of it is kept.
std::unique_ptr<Keeper> MakeKeeper(Dialect dialect, Operation operation, BodyKind kind,
                                   size_t max_bytes);

std::unique_ptr<Keeper> MakeChatKeeper(Operation operation, size_t max_bytes);
std::unique_ptr<Keeper> MakeResponsesKeeper(size_t max_bytes);
std::unique_ptr<Keeper> MakeMessagesKeeper(size_t max_bytes);
std::unique_ptr<Keeper> MakeGeminiKeeper(size_t max_bytes);
std::unique_ptr<Keeper> MakeConverseKeeper(size_t max_bytes);

// The one block of a message that is kept, in a stream.
class OneBlock {
 public:
  // False for a second one.
  bool Open(uint32_t index) {
    if (state_ != State::kBefore) return false;
    state_ = State::kOpen;
    index_ = index;
    return true;
  }
  bool Close(uint32_t index) {
    if (!IsOpen(index)) return false;
    state_ = State::kClosed;
    return true;
  }
  bool IsOpen(uint32_t index) const { return state_ == State::kOpen && index == index_; }
  bool is_before() const { return state_ == State::kBefore; }
  bool is_closed() const { return state_ == State::kClosed; }

 private:
  enum class State : uint8_t { kBefore, kOpen, kClosed };
  State state_ = State::kBefore;
  uint32_t index_ = 0;
};

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_KEEP_H_
