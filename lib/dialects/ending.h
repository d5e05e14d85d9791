// How a stream is ended before its model has: what is seen of the events on the way, and the
// dialect's last events as if the model had reached its maximum of tokens.
//
// One Ending for each shape of stream, in ending_<dialect>.cc. It sees every event that is parsed;
// events that are like the one before but for their text (answer_template.h) it only hears of. So
// an event that opens or closes something must not become a template: See says which do.

#ifndef WEIR_LIB_DIALECTS_ENDING_H_
#define WEIR_LIB_DIALECTS_ENDING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "dialects/answer.h"
#include "dialects/text_tap.h"
#include "weir/usage.h"

namespace weir::dialects {

class Ending : public TextTap {
 public:
  // An event that was parsed, before its text is told. True when it opened or closed something.
  virtual bool See(std::string_view name, json::Value event) = 0;
  // An event like one before but for its text.
  virtual void SeeAlike() {}
  // The last events, framed; of Gemini the last chunk alone. Empty when nothing is left to say.
  virtual std::string Write(const Answer& answer, const Usage& usage, bool include_usage) const = 0;
};

// Null when the dialect has no stream of that kind.
std::unique_ptr<Ending> MakeEnding(Dialect dialect, Operation operation, BodyKind kind);

std::unique_ptr<Ending> MakeChatEnding(Operation operation);  // and completions
std::unique_ptr<Ending> MakeResponsesEnding();
std::unique_ptr<Ending> MakeMessagesEnding();
std::unique_ptr<Ending> MakeGeminiEnding();
std::unique_ptr<Ending> MakeBedrockEnding();

// ---- What they share ----

// An id, or another short string of the provider's, to be said again.
std::string Remembered(json::Value text);

// The blocks of a message that are open: mostly one, of a hostile stream not more than a bound.
class OpenBlocks {
 public:
  bool Open(uint32_t index);  // false: it was open, or there is no room
  bool Close(uint32_t index);
  const std::vector<uint32_t>& indexes() const { return indexes_; }

 private:
  std::vector<uint32_t> indexes_;
};

// Anthropic's events. An empty stop sequence is none.
std::string MessageStartJson(std::string_view id, std::string_view model, const Usage& usage);
std::string BlockStopJson(uint32_t index);
std::string MessageDeltaJson(std::string_view reason, std::string_view stop_sequence,
                             const Usage& usage);
// The members of a message's `usage` that state what it read.
void WriteAnthropicInput(json::Writer* writer, const Usage& usage);

// Anthropic's messages, also as Bedrock passes them on.
class MessageState {
 public:
  bool See(std::string_view name, json::Value event);
  // Calls write(type, json) for each of the events that are left. `metrics` is put into the last
  // one: Bedrock's.
  template <typename WriteEvent>
  void Write(const Answer& answer, const Usage& usage, std::string_view metrics,
             WriteEvent write) const {
    if (!started_) write("message_start", MessageStartJson("", answer.model(), usage));
    for (uint32_t index : blocks_.indexes()) write("content_block_stop", BlockStopJson(index));
    if (!answer.finished()) write("message_delta", MessageDeltaJson("max_tokens", "", usage));
    if (!answer.done()) write("message_stop", Stop(metrics));
  }

 private:
  static std::string Stop(std::string_view metrics);

  bool started_ = false;
  OpenBlocks blocks_;
};

// What the input is where caches are stated beside it.
uint64_t InputBesideCaches(const Usage& usage);

// A `usage` in OpenAI's words; chat's or responses'.
void WriteOpenAiUsage(json::Writer* writer, const Usage& usage, bool responses);

// Gemini's `usageMetadata`, of which `tools` of the prompt's tokens were of tool use.
void WriteGeminiUsage(json::Writer* writer, const Usage& usage, uint64_t tools);

// Bedrock's `usage`.
void WriteBedrockUsage(json::Writer* writer, const Usage& usage);
// A frame of Bedrock's with an event.
void AppendEventFrame(std::string_view name, std::string_view json, std::string* out);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_ENDING_H_
