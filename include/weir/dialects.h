// weir/dialects.h: what providers' requests, answers and streams mean.
//
// One model of request, usage and stream; one reader per dialect. So far: OpenAI chat completions,
// under the paths of OpenAI and of Azure OpenAI, and as compatible servers speak it.
//
//   auto request = weir::dialects::ReadChatRequest(body);
//   if (!request.ok()) { /* 400 with ErrorBody(); the field is in the payload "weir/param" */ }
//   std::string sent = weir::dialects::RewriteChatRequest(body, *request, "gpt-4o-mini", true);
//
//   auto reader = weir::dialects::ChatStreamReader::Create();
//   reader->set_strip_usage(!request->include_usage);
//   reader->Feed(bytes_from_provider, &bytes_to_client);  // as often as bytes come
//   for (auto& delta : reader->TakeDeltas()) { /* count delta.text */ }
//   reader->End(&bytes_to_client);
//   reader->usage().completion;  // nullopt: not stated, count locally
//
// Bytes are hostile. Requests, which clients write, are read strictly: one spelling of each field,
// or 400. Answers, which are already paid for, are read leniently: what can be understood is, the
// rest is passed over. Bodies are bounded by the caller, nesting by 64; numbers out of range are
// refused in requests and, in usage, flagged and dropped, never booked; a stream may be cut at any
// byte and an event larger than kMaxEventBytes is passed by unread (and said so).
//
// Whether an answer is a stream is for its status and content-type to say, not for the request: a
// body of another kind fed to the stream reader passes through and states nothing.
//
// Threads: readers belong to one thread; the functions share nothing. Cost: linear, one pass; while
// a body is read, up to 50 times its size is held if it is all tiny values, 3 times if it is text.
// A warm stream reader allocates only for the text that it hands out; it holds at most a few times
// kMaxEventBytes, and the deltas that nobody took.
//
// Sources: OpenAI's API reference for chat completions; the WHATWG HTML standard, server-sent
// events; RFC 8259.

#ifndef WEIR_DIALECTS_H_
#define WEIR_DIALECTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weir/base.h"

namespace weir::dialects {

inline constexpr size_t kMaxEventBytes = size_t{1} << 20;
inline constexpr uint64_t kMaxTokens = uint64_t{1} << 40;  // no honest count is larger

enum class Dialect : uint8_t { kOpenAi, kAzureOpenAi };

// "openai", "azure-openai"; nullopt when unknown.
std::optional<Dialect> DialectFromName(std::string_view name);
std::string_view DialectName(Dialect dialect);

// How sure a number of tokens is.
enum class Provenance : uint8_t { kExact, kProvider, kEstimated, kUpperBound };
std::string_view ProvenanceName(Provenance provenance);  // "exact", "provider", …

// ---- Requests ----

// One message that the model reads. What comes with it (roles, priming) is the counter's business.
struct Message {
  std::string role;
  std::string name;                // empty when absent
  std::vector<std::string> texts;  // the content, or its text and refusal parts, decoded
};

struct ChatRequest {
  std::string model;  // empty when the body names none (Azure: it is in the path)
  bool stream = false;
  bool include_usage = false;                 // stream_options.include_usage
  std::optional<uint64_t> max_output_tokens;  // max_completion_tokens, else max_tokens
  uint64_t n = 1;
  std::vector<Message> messages;
  uint32_t image_parts = 0;  // image_url; counted apart: no text
  uint32_t other_parts = 0;  // audio, files, unknown part types
  // What the count of messages does not explain, as its JSON in the body, one value a line: tools,
  // functions, tool_choice, function_call, response_format, and of earlier messages their
  // tool_calls, function_call, refusal and reasoning_content.
  std::string extra_text;

  // Where edits go, as byte offsets into the body.
  struct Span {
    size_t begin = 0, end = 0;  // end == 0: absent
  };
  Span model_value;           // the model's JSON string with its quotes, or null
  Span stream_options_value;  // the whole value, an object or null
  Span include_usage_value;   // true, false or null inside it
  size_t object_open = 0;     // offset of the body's '{'
};

// INVALID_ARGUMENT with a message fit for the client (at most 300 bytes) when
// - the body is not one JSON object of UTF-8, nests deeper than 64, or repeats a key anywhere, in
//   whatever spelling: one reader's first value is another's last;
// - `messages`, or a message's `role`, is missing;
// - a field that is read here has a wrong type (null counts as absent, except for messages, roles
//   and texts);
// - n, max_tokens or max_completion_tokens is not an integer from 1 to kMaxTokens, written as one.
// In the last three cases the payload "weir/param" names the field as OpenAI does:
// "messages[2].content". Everything else is the provider's to judge.
absl::StatusOr<ChatRequest> ReadChatRequest(std::string_view body);

// The body to send: `model` replaced (or added) when it is not empty and another one;
// stream_options.include_usage set when `want_usage` and the request streams. Every other byte is
// as it was. `request` is what ReadChatRequest made of this `body`. O(body), one allocation.
std::string RewriteChatRequest(std::string_view body, const ChatRequest& request,
                               std::string_view model, bool want_usage);

// ---- Answers ----

// Tokens as the provider stated them; absent is unknown, never 0.
//
// A number that is negative, fractional, quoted or above kMaxTokens is dropped; a part above its
// whole is clamped to it (some providers report cached or reasoning tokens beside the whole); both
// set `anomaly`. A part whose whole is unknown is dropped: it says nothing.
struct Usage {
  std::optional<uint64_t> prompt{};          // prompt_tokens, all of them
  std::optional<uint64_t> completion{};      // completion_tokens, all of them
  std::optional<uint64_t> cached{};          // inside prompt
  std::optional<uint64_t> reasoning{};       // inside completion
  std::optional<uint64_t> reported_total{};  // for the record; never book it
  bool anomaly = false;                      // something was stated that cannot be
};

struct ChatResponse {
  Usage usage;
  std::string model;               // served; empty when not stated
  std::vector<std::string> texts;  // what the model wrote: content, refusals, thoughts that are
                                   // shown, tool names and arguments: one entry for each kind of
                                   // each choice, and for each tool call
  bool error = false;              // the body is an error object
};
// Never fails: an unreadable body is a response that states nothing. Of a repeated key the last one
// counts, as it does for clients.
ChatResponse ReadChatResponse(std::string_view body);

// Reads an OpenAI SSE body as it passes. Feed any cuts: what is told does not depend on them. LF,
// CR and CRLF line ends, comments, a BOM, and multi-line data are understood, and an event that the
// end of the body leaves without its blank line is read.
class ChatStreamReader {
 public:
  static std::unique_ptr<ChatStreamReader> Create();
  virtual ~ChatStreamReader() = default;

  // Appends to `relay` the bytes to pass on: the same bytes, except that with strip_usage the
  // events that only carry a usage are left out. Without strip_usage relay gets every byte at once;
  // with it, an event is held until its end is seen, and one too large to hold is passed on.
  virtual void Feed(std::string_view bytes, std::string* relay) = 0;
  // The body ended: flushes what was held (an event without its final blank line is still read).
  virtual void End(std::string* relay) = 0;

  // For a client that did not ask for the usage that RewriteChatRequest asked for: leaves out
  // exactly the events whose `choices` is empty and whose `usage` is an object, from the end of the
  // event before to their blank line. The other chunks keep the "usage":null that
  // include_usage brings: clients take it for absent, and every byte is the provider's. Set it
  // before the first Feed.
  virtual void set_strip_usage(bool strip) = 0;
  // The last that stated something; never summed. An anomaly once seen stays flagged.
  virtual const Usage& usage() const = 0;
  virtual std::string_view model() const = 0;  // the first non-empty stated
  virtual bool saw_done() const = 0;           // data: [DONE]
  // Every choice seen had its finish_reason. Some proxies finish only the first of several: take
  // saw_done() or this for a complete answer.
  virtual bool saw_finish() const = 0;
  virtual bool saw_error() const = 0;              // an error object, or an event named error
  virtual uint64_t events() const = 0;             // with data, [DONE] among them
  virtual uint64_t unreadable_events() const = 0;  // not a JSON object, or over kMaxEventBytes

  // Text the model wrote since the last call, moved out so that it can be counted as it comes: one
  // entry per choice and kind (content, refusal, thoughts, each tool call's name and arguments), in
  // the order in which they began; pieces that lie many others apart may make two entries. Call it
  // after each Feed: what is not taken is kept.
  struct Delta {
    uint32_t choice = 0;
    std::string text;
  };
  virtual std::vector<Delta> TakeDeltas() = 0;
};

// ---- weir's own words, in the client's dialect ----

// {"error":{"message":…,"type":…,"param":…,"code":…}}; empty param or code are null. Bytes that are
// not UTF-8 become U+FFFD.
std::string ErrorBody(Dialect dialect, std::string_view message, std::string_view type,
                      std::string_view param, std::string_view code);
// An SSE frame that ends a stream with an error that real clients notice: data: {"error":…}\n\n
std::string ErrorEvent(Dialect dialect, std::string_view message, std::string_view type,
                       std::string_view code);

// ---- Paths ----

// The target to ask a backend of `dialect` for a chat completion, below its base URL's path:
// "/v1/chat/completions", or "/openai/deployments/<model, percent-encoded>/chat/completions
// ?api-version=<version>". Without a version the query is left out. Whatever the model is called,
// it stays one segment of the path.
std::string ChatTarget(Dialect dialect, std::string_view model, std::string_view api_version);

}  // namespace weir::dialects

#endif  // WEIR_DIALECTS_H_
