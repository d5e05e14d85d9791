// What an answer has told so far, and the readers that fill it in: one pair for each dialect, for
// whole answers and for the events of streams.

#ifndef WEIR_LIB_DIALECTS_ANSWER_H_
#define WEIR_LIB_DIALECTS_ANSWER_H_

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "dialects/answer_usage.h"
#include "weir/recycling.h"
#include "weir/usage.h"

namespace weir::dialects {

// Providers' bodies are read as clients read them: of a repeated key the last one counts.
inline constexpr json::ParseOptions kLenient = {.relaxed = false, .allow_duplicate_keys = true};

class Answer {
 public:
  explicit Answer(const Convention& convention) : convention_(convention) {}

  // ---- For readers ----

  // A string that the model wrote; anything else and "" are passed over.
  void Text(uint32_t choice, TextKind kind, uint32_t part, json::Value text);
  // The same written as JSON of its own, as the arguments of a tool call: its text in the body,
  // unless it is not an object or an empty one.
  void Object(uint32_t choice, TextKind kind, uint32_t part, json::Value object);
  void Model(json::Value model);  // the first non-empty counts
  // A choice was seen; with a non-empty reason it has finished. `index` is where the body says
  // which choice it is, absent where it does not.
  void Choice(uint32_t choice, json::Value index, json::Value reason);
  void Done();
  // An `error` member. True if it is one: some servers send null or "" with every chunk.
  bool Error(json::Value error);
  void ErrorOf(std::string_view type, std::string_view message);
  // The last that states something counts, whole.
  void ReplaceNumbers(const Numbers& numbers);
  // To be filled in field by field.
  Numbers* MergeNumbers();
  // Fields that Anthropic's message_delta has stated are not for message_start to say any more.
  bool input_restated = false, cache_restated = false;
  // The event carries a usage and nothing else.
  void UsageOnly() { event_->usage_only = true; }

  // ---- For those who call them ----

  // What the event under way came to.
  struct Event {
    uint32_t pieces = 0;   // texts
    TextPiece piece;       // the last of them; its text is the value's
    json::Value text;      // where it stood; absent if not in a string
    uint32_t choices = 0;  // choices seen
    json::Value index;     // where the last one's index stood
    bool more = false;     // something was told but texts and choices
    bool usage_only = false;
  };
  // Where readers note it; to be set while they read.
  void set_event(Event* event) { event_ = event; }
  void set_sink(TextSink* sink) { sink_ = sink; }
  TextSink* sink() const { return sink_; }

  void SeeChoice(uint32_t choice);
  void SeeErrorEvent();  // one that is named so, whatever it holds
  Usage usage() const;
  std::string_view model() const { return model_; }
  bool done() const { return done_; }
  bool finished() const { return choices_seen_.any() && choices_open_.none(); }
  // OpenAI gives at most 128 choices; the end of further ones is not watched, their text is read.
  static constexpr size_t kMaxChoices = 128;
  // Those that were seen and have not finished.
  const std::bitset<kMaxChoices>& choices_open() const { return choices_open_; }
  bool any_choice() const { return choices_seen_.any(); }
  std::string_view finish_reason() const {
    return finish_reason_ == nullptr ? std::string_view() : finish_reason_->text;
  }
  bool failed() const { return failed_; }
  const AnswerError* error() const { return error_.get(); }

 private:
  Numbers* KeptNumbersOf();

  const Convention convention_;
  bool anomaly_ = false;
  bool done_ = false;
  bool failed_ = false;
  TextSink* sink_ = nullptr;
  // Of most streams these come at the end; a stream that waits holds no room for them.
  struct KeptNumbers : Numbers, Recycled {};
  struct KeptText : Recycled {
    RecycledString text;
  };
  std::unique_ptr<KeptNumbers> numbers_;
  std::unique_ptr<KeptText> finish_reason_;
  std::unique_ptr<AnswerError> error_;
  RecycledString model_;
  std::bitset<kMaxChoices> choices_seen_;
  std::bitset<kMaxChoices> choices_open_;
  Event* event_ = nullptr;
};

// How the answers of a dialect and operation are read.
struct AnswerReader {
  // One event of a stream: an object. `name` is what the framing calls it; may be empty.
  void (*event)(std::string_view name, json::Value event, Answer* answer);
  // A whole answer: an object.
  void (*body)(json::Value body, Answer* answer);
  Convention convention;
  bool usage_only_events = false;  // set_strip_usage has something to do
};
const AnswerReader& ReaderOf(Dialect dialect, Operation operation);

// The readers, each in its answer_<dialect>.cc.
extern const AnswerReader kOpenAiChat;  // and completions, embeddings
extern const AnswerReader kOpenAiEmbeddings;
extern const AnswerReader kOpenAiResponses;
extern const AnswerReader kAnthropicMessages;
extern const AnswerReader kGeminiContent;
extern const AnswerReader kBedrockAnswers;

// Anthropic's shapes also come inside Bedrock's.
void ReadAnthropicEvent(std::string_view name, json::Value event, Answer* answer);
void ReadAnthropicBody(json::Value body, Answer* answer);

// An index as the body has it, else `otherwise`.
uint32_t IndexOr(json::Value index, uint32_t otherwise);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_ANSWER_H_
