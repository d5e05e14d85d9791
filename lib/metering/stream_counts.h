// Counters for the texts that a stream writes at the same time, one for each choice, kind and part.

#ifndef WEIR_LIB_METERING_STREAM_COUNTS_H_
#define WEIR_LIB_METERING_STREAM_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weir/tokens.h"
#include "weir/usage.h"

namespace weir::metering {

class StreamCounts final : public dialects::TextSink {
 public:
  // Without a tokenizer tokens are estimated from bytes.
  explicit StreamCounts(const tokens::Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  void Text(const dialects::TextPiece& piece) override;

  uint64_t Total() const;
  uint64_t text_bytes() const { return text_bytes_; }
  // Whether nothing but plain content was written.
  bool only_content() const { return only_content_; }
  // Whether a text was counted in parts, each seam of which may cost a token.
  bool seams() const { return seams_; }

 private:
  // More texts at a time are counted all the same: the one that was longest silent is closed.
  static constexpr size_t kMaxTexts = 16;

  struct Open {
    uint32_t choice, part;
    uint32_t bytes;
    dialects::TextKind kind;
    tokens::Counter counter;
  };
  void Close(Open* open);
  bool KeepsAllText() const;

  const tokens::Tokenizer* tokenizer_;
  std::vector<Open> open_;  // the one that wrote last is at the end
  uint64_t closed_ = 0;     // tokens of the texts that are closed
  uint64_t text_bytes_ = 0;
  bool only_content_ = true;
  bool seams_ = false;
};

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_STREAM_COUNTS_H_
