// Counts the calls of one choice of an answer, as the model wrote them.

#ifndef WEIR_LIB_METERING_CALL_COUNTS_H_
#define WEIR_LIB_METERING_CALL_COUNTS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "metering/answer_frame.h"
#include "weir/tokens.h"
#include "weir/usage.h"

namespace weir::metering {

// Calls that a model makes at once it writes as one call of a wrapper, which the provider takes
// apart:
//   {"tool_uses":[{"recipient_name":"functions.<name>","parameters":<arguments>},…]}
// The arguments come out of it with a blank behind each colon and comma, which the model did not
// write; that tells a wrapper with one call in it. So both readings are counted.
class CallCounts {
 public:
  explicit CallCounts(const tokens::Tokenizer& tokenizer)
      : name_(tokenizer), arguments_(tokenizer), wrapped_(tokenizer), tokenizer_(&tokenizer) {}

  // Names and arguments, in the order in which they are written.
  void Append(const dialects::TextPiece& piece);

  uint64_t calls() const { return calls_; }
  // False when there was too much to count; then nothing is kept.
  bool whole() const { return bytes_ <= kMaxBytes; }
  uint64_t Billed(const AnswerFrame& frame) const;

 private:
  // With a tokenizer from a file a counter keeps all of its text.
  static constexpr uint64_t kMaxBytes = uint64_t{256} << 10;

  void Begin(uint32_t part);
  void AppendCompact(std::string_view text);
  void AppendWrapped(std::string_view text);

  uint64_t calls_ = 0;
  uint64_t bytes_ = 0;
  uint64_t before_ = 0;  // tokens of the calls before the last, each by itself
  uint32_t part_ = 0;    // which call is the last
  bool in_arguments_ = false, quoted_ = false, escaped_ = false;
  bool blanks_ = false;               // between the arguments' own tokens
  tokens::Counter name_, arguments_;  // of the last call
  tokens::Counter wrapped_;
  std::string tail_;  // of what is wrapped: what follows its last word, whose tokens go on
  const tokens::Tokenizer* tokenizer_;
};

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_CALL_COUNTS_H_
