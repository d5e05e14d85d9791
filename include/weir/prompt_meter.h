// weir/prompt_meter.h: how many tokens of prompt a whole request is, before it is sent.
//
// A tokenizer counts text. What a provider bills is more than the text: every message has a frame,
// tools and schemas are written out for the model in a form of the provider's own, an image is so
// many tiles, and the answer is primed. This counts all of that, so that a limit can refuse before
// money is spent.
//
//   const auto* t = weir::tokens::Find(weir::tokens::EncodingForModel("gpt-4o"));
//   auto prompt = weir::metering::CountPrompt(Dialect::kOpenAi, Operation::kChat, "gpt-4o", *t,
//                                             /*model_known=*/true, body, {});
//   prompt->count;       // 57
//   prompt->provenance;  // kExact: what will be billed
//
// How sure a count is (PromptCount::provenance is that of its weakest part):
// - kExact: text, names, roles and priming of OpenAI's models; their functions, tool calls, tool
//   results and JSON schemas; images whose size can be read from a data URL; completions and
//   embeddings.
// - kUpperBound: images at an address or by file id (the documented maximum of the model), audio
//   and files that are in the request (by their size).
// - kEstimated: whatever cannot be seen in the request (a conversation or a prompt template kept by
//   the provider, tools that the provider runs itself, encrypted reasoning, files by id), forms of
//   request of which no more than two bills were seen (function_call and role "function" in the
//   history, calls that GPT-5 knows by their ids or of GPT-5.4 and later, functions that are loaded
//   later, tools that take text), and every model whose tokenizer is not public. The estimates were
//   fitted to billed requests. The median error is 3.7 % for Anthropic's models (194 requests, 131
//   of which were fitted to), 1.3 % for Grok (17), 3.2 % for OpenAI's own (86, most of them
//   with thoughts or tools of the provider; one in four is off by more than 29 %).
//
// Measured against requests with what was billed for them (tests/metering/bill_test.cc prints it
// class by class, for the rows that rules may be fitted to and for those held out), of the counts
// that say that they are exact, of those held out behind the stroke:
//                         chat completions      responses
//   plain                 102 of 105 / 32 of 33  43 of 51 / 11 of 13
//   with functions         49 of 51  / 16 of 16  42 of 47 / 18 of 20
//   calls in the history   30 of 30  / 11 of 11  16 of 18 / 7 of 7
//   JSON schemas            9 of 9   / 4 of 4     5 of 5  / 2 of 2
//   images                    -                   2 of 2  / 1 of 1
// and all 14 completions and 28 embeddings. The rules were found on all of these, so what was held
// out tries their constants only. What is missed: responses of gpt-4o in the spring of 2025, billed
// 18 tokens more and 216 with functions (11 requests; nothing in a request tells); bills that
// cannot be right, such as 20 tokens for a function of 60 (4); a text that its recorder changed,
// and one of 3,000 tokens billed 19 fewer, perhaps for the same reason; one old Azure deployment; a
// call that the model had made through a wrapper, which only the provider remembers; and one
// request that was billed one token less than its twin.
//
// A request is hostile: whatever is not understood is counted as its JSON text and called an
// estimate, nothing is recursive, what is written for the model is at most a few times the request
// (schemas that refer to themselves are cut there), and only the first bytes of an image are looked
// at. Threads: functions share nothing. Cost: one pass over the body to parse it, and counting the
// text; memory a few times the body, which the version that takes a parsed request does not need.
//
// Sources: OpenAI's guides to function calling, structured outputs, images and vision, and
// reasoning (https://platform.openai.com/docs/guides), its description of the harmony format
// (https://cookbook.openai.com/articles/openai-harmony), and billed requests. What stands where is
// told in lib/metering/prompt_family.cc.

#ifndef WEIR_PROMPT_METER_H_
#define WEIR_PROMPT_METER_H_

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "weir/tokens.h"
#include "weir/usage.h"

namespace weir::json {
class Value;
}

namespace weir::metering {

// A piece of a prompt and what it adds.
struct PromptPart {
  enum class Kind : uint8_t {
    kFraming,   // what primes the answer, a forced tool, what the provider adds by itself
    kMessage,   // a message's frame, role and text
    kName,      // a message's name
    kTools,     // the definitions of tools
    kToolCall,  // a call in the history
    kToolResult,
    kSchema,  // of the answer that is asked for
    kImage,
    kAudio,
    kFile,
    kInput,  // of completions and embeddings
    kReasoning,
    kOther,  // counted as its JSON
  };
  Kind kind = Kind::kOther;
  std::string path;  // in the request: "messages[2].content[1]"; empty when it is the whole
  uint64_t count = 0;
  dialects::Provenance provenance = dialects::Provenance::kExact;
};
std::string_view PromptPartKindName(PromptPart::Kind kind);  // "framing", "message", …

struct PromptCount {
  uint64_t count = 0;
  // Of the weakest part: an estimate is weaker than an upper bound, which is weaker than exact.
  dialects::Provenance provenance = dialects::Provenance::kExact;
  std::vector<PromptPart> parts{};  // when asked for, in the order of the request
};

struct PromptOptions {
  bool with_parts = false;
  // Counting stops as soon as the count is above this; then it is some number above it, and what
  // was not reached is in neither the provenance nor the parts.
  uint64_t limit = std::numeric_limits<uint64_t>::max();
};

// The prompt of a request body. `tokenizer` is the model's, or, when `model_known` is false, one to
// estimate with; `model` names the family, in any spelling that tokens::EncodingForModel knows.
// INVALID_ARGUMENT when the body is not one JSON object, nests deeper than 64 or repeats a key.
// Fields that have a wrong type count as if they were absent: judging them is the provider's work.
absl::StatusOr<PromptCount> CountPrompt(dialects::Dialect dialect, dialects::Operation operation,
                                        std::string_view model, const tokens::Tokenizer& tokenizer,
                                        bool model_known, std::string_view body,
                                        const PromptOptions& options);

// The same of a body that is parsed already, for the rest of the library.
PromptCount CountPromptOf(dialects::Dialect dialect, dialects::Operation operation,
                          std::string_view model, const tokens::Tokenizer& tokenizer,
                          bool model_known, const json::Value& request,
                          const PromptOptions& options);

}  // namespace weir::metering

#endif  // WEIR_PROMPT_METER_H_
