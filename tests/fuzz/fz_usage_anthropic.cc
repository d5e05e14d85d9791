// Any bytes as an answer of Anthropic's messages. Input: the framing and
// operation (1 byte), cuts (1 byte), the body.
//
// Oracle: what is told does not depend on the cuts; the bytes are relayed; the canonical usage
// holds its relations; an event read by its likeness to the one before tells what a parser reads.

#include "tests/fuzz/answer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return weir::fuzz::FuzzAnswer(weir::dialects::Dialect::kAnthropic, data, size);
}
