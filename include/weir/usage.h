// weir/usage.h: what providers' answers and streams mean, and the tokens that they state.
//
// One canonical Usage for every dialect, one reader for whole answers and one for streams. (The
// requests are weir/dialects.h's.)
//
//   auto kind = weir::dialects::KindOf(content_type);         // JSON, SSE, AWS event stream, other
//   auto reader = weir::dialects::StreamReader::Create(Dialect::kAnthropic, Operation::kChat,
//   kind); reader->Feed(bytes_from_provider, &bytes_to_client);      // as often as bytes come for
//   (auto& delta : reader->TakeDeltas()) { /* count delta.text */ } reader->End(&bytes_to_client);
//   reader->usage().completion;                               // nullopt: not stated, count locally
//
// Whether an answer is a stream is for its status and content-type to say, not for the request: a
// body of another kind fed to a stream reader passes through and states nothing.
//
// Answers are already paid for, so they are read leniently: what can be understood is, the rest is
// passed over, nothing fails. Bytes are hostile all the same: nesting is bounded by 64, an event by
// kMaxEventBytes (a larger one is relayed, passed by unread, and counted as unreadable), numbers by
// kMaxTokens. A stream may be cut at any byte: what is told does not depend on the cuts.
//
// Threads: a reader belongs to one thread; the functions share nothing. Cost: linear, one pass. A
// stream whose events differ only in their text is read without parsing them: the event before,
// which was parsed, serves as a template (see lib/dialects/answer_template.h for why that is the
// same). At rest a reader holds under 1 KiB, the template included; within an event at most a few
// times kMaxEventBytes; and the deltas that nobody took.
//
// Sources: the API references of OpenAI (chat completions, completions, embeddings, responses),
// Azure OpenAI, Anthropic (messages), Google (generateContent), AWS (converse, invoke-model and
// their event-stream encoding); the WHATWG HTML standard, server-sent events; RFC 8259; and what
// recorded answers of those and of compatible servers really hold.

#ifndef WEIR_USAGE_H_
#define WEIR_USAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base.h"

namespace weir::dialects {

struct KeptAnswer;             // weir/replay.h
enum class NotKept : uint8_t;  // the same

inline constexpr size_t kMaxEventBytes = size_t{1} << 20;
inline constexpr size_t kMaxBodyBytes = size_t{32} << 20;  // of a whole answer that is read
inline constexpr uint64_t kMaxTokens = uint64_t{1} << 40;  // no honest count is larger

// Whose wire format. Servers that are compatible with OpenAI's (vLLM, Ollama, Groq, Mistral,
// DeepSeek) speak kOpenAi.
enum class Dialect : uint8_t { kOpenAi, kAzureOpenAi, kAnthropic, kGemini, kBedrock };

// What is asked. kChat is chat completions, and Anthropic's messages, Gemini's generateContent and
// Bedrock's converse and invoke-model.
enum class Operation : uint8_t { kChat, kResponses, kCompletions, kEmbeddings };

// "openai", "azure-openai", "anthropic", "gemini", "bedrock"; nullopt when unknown.
std::optional<Dialect> DialectFromName(std::string_view name);
std::string_view DialectName(Dialect dialect);
std::string_view OperationName(Operation operation);  // "chat", "responses", …

// How sure a number of tokens is.
enum class Provenance : uint8_t { kExact, kProvider, kEstimated, kUpperBound };
std::string_view ProvenanceName(Provenance provenance);  // "exact", "provider", …

// What kind of body a content type announces. Parameters and case do not matter.
enum class BodyKind : uint8_t {
  kJson,         // application/json, …+json
  kSse,          // text/event-stream
  kEventStream,  // application/vnd.amazon.eventstream
  kOther,
};
BodyKind KindOf(std::string_view content_type);

// ---- Usage ----

// Tokens as the provider stated them, brought to one convention; absent is unknown, never 0.
//
// Providers disagree on what is inside what: Anthropic and Bedrock state cached tokens beside the
// input, Gemini thoughts beside the candidates and tool use beside the prompt, OpenAI all of them
// inside. Here a part is always inside its whole:
//   cached + cache_write <= prompt;  audio_prompt <= prompt;
//   reasoning, audio_completion, accepted and rejected predictions: each <= completion;
//   every number <= kMaxTokens.
//
// A number that is negative, fractional, quoted or above kMaxTokens is dropped, and with it what
// would be its sum; a part above its whole is clamped to it; both set `anomaly`. A part whose whole
// is unknown is dropped: it says nothing.
struct Usage {
  std::optional<uint64_t> prompt{};               // all that the model read
  std::optional<uint64_t> completion{};           // all that it wrote, thoughts included
  std::optional<uint64_t> cached{};               // of the prompt, read from a cache
  std::optional<uint64_t> cache_write{};          // of the prompt, written to a cache
  std::optional<uint64_t> reasoning{};            // of the completion, thoughts
  std::optional<uint64_t> audio_prompt{};         // of the prompt
  std::optional<uint64_t> audio_completion{};     // of the completion
  std::optional<uint64_t> accepted_prediction{};  // of the completion
  std::optional<uint64_t> rejected_prediction{};  // of the completion
  std::optional<uint64_t> reported_total{};       // for the record; never book it
  bool anomaly = false;                           // something was stated that cannot be
  // The provider stated thoughts beside the completion though its dialect has them inside; told by
  // its total. They have been added.
  bool reasoning_was_beside = false;

  // prompt + completion, when both are known: the total that may be booked.
  std::optional<uint64_t> total() const {
    if (!prompt || !completion) return std::nullopt;
    return *prompt + *completion;
  }
};

// Whether the relations above hold. True for every Usage that the readers give.
bool IsConsistent(const Usage& usage);

// ---- What the model wrote ----

enum class TextKind : uint8_t { kContent, kRefusal, kReasoning, kToolName, kToolArguments };

// A piece of what the model wrote: content, refusals, thoughts that are shown, the names and
// arguments of tool calls. Pieces with the same choice, kind and part follow each other.
struct TextPiece {
  uint32_t choice = 0;
  TextKind kind = TextKind::kContent;
  uint32_t part = 0;      // which tool call, or content block
  std::string_view text;  // UTF-8, never empty; valid during the call
};

class TextSink {
 public:
  virtual void Text(const TextPiece& piece) = 0;

 protected:
  ~TextSink() = default;
};

// What an error in an answer says, as far as it does; each at most 512 bytes.
struct AnswerError {
  std::string type;  // OpenAI's and Anthropic's type, Gemini's status, Bedrock's exception
  std::string code;
  std::string message;
};

// ---- Whole answers ----

struct Response {
  Usage usage;
  std::string model;               // served; empty when not stated
  std::vector<std::string> texts;  // one entry for each choice, kind and part
  std::string finish_reason;       // of the last choice that has one, in the provider's words
  bool error = false;              // the body is an error object
  AnswerError error_info;          // what it says
};

// Never fails: an unreadable body is a response that states nothing. Of a repeated key the last one
// counts, as it does for clients. With a `sink` the texts go there and Response::texts is empty. A
// body of Gemini that is an array is a stream that came as one: its elements are read in order.
Response ReadResponse(Dialect dialect, Operation operation, std::string_view body,
                      TextSink* sink = nullptr);

// ---- Streams ----

// Reads an answer as it passes. SSE: LF, CR and CRLF line ends, comments, a BOM and multi-line data
// are understood, and an event that the end of the body leaves without its blank line is read. AWS
// event streams: both checksums of a frame are checked; after a frame whose lengths are not to be
// trusted nothing more is read. JSON: Gemini's array of chunks is read as it comes, any other body
// is kept, up to kMaxBodyBytes, and read at its end.
class StreamReader {
 public:
  static std::unique_ptr<StreamReader> Create(Dialect dialect, Operation operation, BodyKind kind);
  // SSE; of Bedrock an event stream.
  static std::unique_ptr<StreamReader> Create(Dialect dialect, Operation operation);
  virtual ~StreamReader() = default;

  // Appends to `relay` the bytes to pass on: the same bytes, at once, except that with strip_usage
  // the events that only carry a usage are left out; then an event is held until its end is seen,
  // and one too large to hold is passed on. `relay` may be null when nobody wants them.
  virtual void Feed(std::string_view bytes, std::string* relay) = 0;
  // The body ended: reads and flushes what was held.
  virtual void End(std::string* relay) = 0;

  // For a client that did not ask for the usage that RewriteRequest asked for: leaves out
  // exactly the events whose `choices` is empty and whose `usage` is an object, from the end of the
  // event before to their blank line. The other chunks keep the "usage":null that
  // include_usage brings: clients take it for absent, and every byte is the provider's. Only for
  // OpenAI's and Azure's chat and completions in SSE; elsewhere it does nothing. Set it before the
  // first Feed.
  virtual void set_strip_usage(bool strip) = 0;
  // Where text goes as it comes, instead of to TakeDeltas. Set it before the first Feed.
  virtual void set_text_sink(TextSink* sink) = 0;
  // Smaller or larger bounds than kMaxEventBytes and kMaxBodyBytes. Set them before the first Feed.
  virtual void set_max_bytes(size_t event, size_t body) = 0;

  // ---- Ending a stream early ----
  //
  // For a limit that is used up in the middle of an answer: the client is to see a whole answer
  // that was cut at its maximum of tokens, in its dialect's own words.
  //
  //   reader->set_hold_events(true);
  //   while (!bytes.empty()) {
  //     bytes.remove_prefix(reader->FeedEvent(bytes, &to_client));
  //     if (spent && reader->can_finish_early()) {
  //       to_client += reader->FinishEarly(usage, client_asked_for_usage);
  //       break;  // and nothing more is fed
  //     }
  //   }

  // Relays whole events only, and keeps what FinishEarly has to know. An event is held until its
  // end has come; one larger than the bound is passed on as it comes. Set it before the first Feed.
  //
  // What is kept is a few ids and what is open: some 200 bytes. Responses streams are the
  // exception: their last events restate what was written, so its text and the items that are done
  // are kept, 1 MiB at most; items beyond that are left out of what FinishEarly says.
  virtual void set_hold_events(bool hold) = 0;
  // Feed, but only up to the end of the first event that ends: returns how many of `bytes` were
  // taken; at least one, if there are any.
  virtual size_t FeedEvent(std::string_view bytes, std::string* relay) = 0;
  // FinishEarly can say something now: events are held, this is a stream of a dialect in its own
  // framing (a whole answer in JSON is not), and what was relayed ends where an event ends.
  virtual bool can_finish_early() const = 0;
  // What ends the stream here as if the model had reached its maximum of tokens, to be sent after
  // all that was relayed: closes what is open, states the finish reason and `usage`, then the
  // dialect's terminal event. What was relayed already is not said again; empty when nothing is
  // left to say, or can_finish_early() is false. A stream of which nothing was relayed yet is begun
  // first. `usage` should state prompt and completion: clients require them, so an unknown one is
  // written as 0.
  //
  //   OpenAI, Azure  a chunk per choice that has not finished, finish_reason "length"; with
  //                  `include_usage` (which the other dialects do not look at: they always state
  //                  it) the chunk without choices; [DONE]
  //   responses      the .done events of what is open, response.incomplete (max_output_tokens)
  //   Anthropic      content_block_stop, message_delta (max_tokens), message_stop
  //   Gemini         a chunk with MAX_TOKENS; of an array, its closing bracket
  //   Bedrock        contentBlockStop, messageStop (max_tokens), metadata; of invoke the last
  //                  chunks of the model's family
  virtual std::string FinishEarly(const Usage& usage, bool include_usage) const = 0;

  // ---- Keeping the answer ----

  // Keeps the content of the answer, up to so many bytes of text, and judges whether it may be
  // stored: weir/replay.h says which may. What is relayed and told is the same. Set it before the
  // first Feed; costs nothing when it is not set.
  virtual void set_keep(size_t max_bytes) = 0;
  // After End: moves the answer out, once, or says why there is none to store; then `kept` is as it
  // was. Before End NotKept::kIncomplete, or what is known to be against it already.
  virtual NotKept TakeKept(KeptAnswer* kept) = 0;

  // ---- What was told ----

  // What is stated so far; never summed. OpenAI: the last that stated something. Anthropic: what
  // message_delta restates replaces what message_start said, field by field, and the completion is
  // unknown until a message_delta states it (the first event's is only a guess). Gemini: of each
  // field the largest. Repeated events change nothing. An anomaly once seen stays flagged.
  virtual Usage usage() const = 0;
  virtual std::string_view model() const = 0;  // the first non-empty stated
  // The dialect's terminal event: data: [DONE], message_stop, response.completed and the like,
  // messageStop. (Gemini has none.)
  virtual bool saw_done() const = 0;
  // Every choice seen had its finish reason. Some proxies finish only the first of several: take
  // saw_done() or this for a complete answer.
  virtual bool saw_finish() const = 0;
  virtual std::string_view finish_reason() const = 0;  // of the last choice that finished
  virtual bool saw_error() const = 0;  // an error object, an event named error, an exception frame
  virtual const AnswerError* error() const = 0;  // what the first one said; null: none
  virtual uint64_t events() const = 0;           // with data, [DONE] among them
  // Not a JSON object, a checksum that is wrong, or larger than the bound.
  virtual uint64_t unreadable_events() const = 0;
  // Their sizes as they came, framing and all: what was written there is not in the texts.
  virtual uint64_t unreadable_bytes() const = 0;

  // Text since the last call, moved out so that it can be counted as it comes: one entry per
  // choice, kind and part, in the order in which they began; pieces that lie many others apart may
  // make two entries. Call it after each Feed: what is not taken is kept. Empty with a sink.
  struct Delta {
    uint32_t choice = 0;
    TextKind kind = TextKind::kContent;
    uint32_t part = 0;
    std::string text;
  };
  virtual std::vector<Delta> TakeDeltas() = 0;
};

}  // namespace weir::dialects

#endif  // WEIR_USAGE_H_
