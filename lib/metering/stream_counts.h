// Counters for the texts that a stream writes at the same time, one for each choice, kind and part.

#ifndef WEIR_LIB_METERING_STREAM_COUNTS_H_
#define WEIR_LIB_METERING_STREAM_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "metering/answer_frame.h"
#include "metering/call_counts.h"
#include "weir/recycling.h"
#include "weir/tokens.h"
#include "weir/usage.h"

namespace weir::metering {

class StreamCounts final : public dialects::TextSink {
 public:
  // Without a tokenizer tokens are estimated from bytes.
  explicit StreamCounts(const tokens::Tokenizer* tokenizer, const AnswerFrame& frame = {})
      : tokenizer_(tokenizer), frame_(frame) {}

  void Text(const dialects::TextPiece& piece) override;

  uint64_t Total() const;

  // What is billed for it: the texts, and what frames them and the calls. `cut_short`: the answer
  // did not come to its own end. Without a tokenizer it is `total`, which is Total.
  uint64_t Billed(uint64_t total, bool cut_short) const;
  // Whether Billed is what will be billed, given that the tokenizer is the model's own.
  bool IsExact() const;

  uint64_t text_bytes() const { return text_bytes_; }

 private:
  // More texts at a time are counted all the same: the one that was longest silent is closed.
  static constexpr size_t kMaxTexts = 16;

  struct Open {
    uint32_t choice, part;
    dialects::TextKind kind;
    tokens::Counter counter;
  };
  // The calls of a choice.
  struct Calls {
    uint32_t choice;
    CallCounts counts;
  };
  void Close(Open* open);
  void Note(const dialects::TextPiece& piece);
  bool KnowsAll() const;

  const tokens::Tokenizer* tokenizer_;
  AnswerFrame frame_;
  bool seams_ = false;         // a text was counted in parts, each seam may cost a token
  bool thinks_ = false;        // there are thoughts
  bool more_choices_ = false;  // than these bits, one for each choice:
  uint16_t writing_ = 0;       // it writes text
  uint16_t calling_ = 0;       // it calls functions
  RecycledVector<Open> open_;  // the one that wrote last is at the end
  uint64_t closed_ = 0;        // tokens of the texts that are closed
  uint64_t text_bytes_ = 0;
  // Made when there is a call and it is known what frames it, so that the many streams that wait
  // for text stay small.
  struct Called {
    std::vector<Calls> choices;
    uint64_t closed = 0;  // tokens of closed_ that are names and arguments
  };
  std::unique_ptr<Called> called_;
};

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_STREAM_COUNTS_H_
