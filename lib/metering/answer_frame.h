// What a model writes round the texts of an answer and is billed for: the marks between its parts.

#ifndef WEIR_LIB_METERING_ANSWER_FRAME_H_
#define WEIR_LIB_METERING_ANSWER_FRAME_H_

#include <cstdint>
#include <string_view>

#include "metering/prompt_family.h"
#include "weir/usage.h"

namespace weir::metering {

// Tokens for each choice of an answer. A choice writes a text, or calls.
struct AnswerFrame {
  uint8_t text = 0;  // of a choice that writes text
  uint8_t call = 0;  // of a call, beside "." and its name, and its arguments
  // Of the one call that calls made at once are wrapped into; 0 when each stands by itself.
  uint8_t wrapper = 0;
  uint8_t end = 0;  // of a choice that came to its own end
  // Nothing else is written, and this was seen in bills: no thoughts that are not shown.
  bool texts_exact = true, calls_exact = false;
};

// The frames of a model's answers. `tools`: the request declares functions; `model` tells the early
// models of a family, as prompt_family.h's FamilyOf.
//
// Found in bills. With functions a model of OpenAI's says first whether it writes to the user or
// calls. A call is that, " to=functions", and what parts it from its arguments. Responses and Azure
// bill the token that ends the turn; chat completions did so for a while, until the middle of 2025,
// and no more.
AnswerFrame AnswerFrameOf(const Family& family, std::string_view model, dialects::Dialect dialect,
                          dialects::Operation operation, bool tools);

// Whether an answer that finished for this reason, in any provider's words, did not come to its own
// end.
bool IsCutShort(std::string_view finish_reason);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_ANSWER_FRAME_H_
