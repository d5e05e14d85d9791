// weir/dialects.h: what providers' requests, answers and streams mean.
//
// One model of request, usage and stream; one reader per dialect. So far: OpenAI chat completions,
// under the paths of OpenAI and of Azure OpenAI.
//
// Bytes are hostile: bodies are bounded by the caller, nesting by 64; numbers out of range are
// refused in requests and, in usage, flagged and dropped, never booked; a stream may be cut at any
// byte and an event larger than kMaxEventBytes is passed by unread (and said so).
//
// Threads: readers belong to one thread. Cost: linear, one pass.

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

// One text that the model reads; `overhead` tokens come with it (roles, priming are the engine's
// business: it knows the tokenizer).
struct Message {
  std::string role;
  std::string name;                // empty when absent
  std::vector<std::string> texts;  // the content's text parts
};

struct ChatRequest {
  std::string model;  // empty when the body names none (Azure: it is in the path)
  bool stream = false;
  bool include_usage = false;                // stream_options.include_usage
  std::optional<uint64_t> max_output_tokens;  // max_completion_tokens, else max_tokens
  uint64_t n = 1;
  std::vector<Message> messages;
  uint32_t image_parts = 0;    // counted apart: no text
  uint32_t other_parts = 0;    // audio, files, unknown part types
  std::string extra_text;      // tools, functions, response_format, tool calls as their JSON: what the
                               // count of messages does not explain
  // Where edits go, as byte offsets into the body.
  struct Span {
    size_t begin = 0, end = 0;  // end == 0: absent
  };
  Span model_value;           // the model's JSON string, quotes included
  Span stream_options_value;  // the whole value, when it is an object
  Span include_usage_value;   // true / false inside it
  size_t object_open = 0;     // offset of the body's '{'
};

// INVALID_ARGUMENT with a message fit for the client and `param` (payload URL "weir/param") when
// the body is not a JSON object, repeats a key, nests too deep, or a field has a wrong type or an
// absurd value (n, max_tokens of 0, negative, fractional, > kMaxTokens).
absl::StatusOr<ChatRequest> ReadChatRequest(std::string_view body);

// The body to send: `model` replaced (or added) when not empty; stream_options.include_usage set
// when `want_usage` and the request streams. Every other byte as it was.
std::string RewriteChatRequest(std::string_view body, const ChatRequest& request,
                               std::string_view model, bool want_usage);

// ---- Answers ----

// As the provider stated it; absent is unknown, never 0. Categories are inside prompt / completion.
struct Usage {
  std::optional<uint64_t> prompt, completion;
  std::optional<uint64_t> cached, reasoning;
  std::optional<uint64_t> reported_total;
  bool anomaly = false;  // something was stated that cannot be (negative, fractional, part > whole)
};

struct ChatResponse {
  Usage usage;
  std::string model;               // served; empty when not stated
  std::vector<std::string> texts;  // what the model wrote: content, refusals, tool names and
                                   // arguments, one entry per choice and kind
  bool error = false;              // the body is an error object
};
// Never fails: an unreadable body is a response that states nothing.
ChatResponse ReadChatResponse(std::string_view body);

// Reads an OpenAI SSE body as it passes. Feed any cuts; LF, CR and CRLF line ends, comments,
// a BOM, and multi-line data are understood.
class ChatStreamReader {
 public:
  static std::unique_ptr<ChatStreamReader> Create();
  virtual ~ChatStreamReader() = default;

  // What the next bytes mean. `relay` receives the bytes to pass on: the same bytes, except that
  // the events that only carry a usage which the client did not ask for are left out when
  // `strip_usage` was set (exactly those bytes). Without strip_usage relay gets every byte at once;
  // with it, an event is held until its end is seen.
  virtual void Feed(std::string_view bytes, std::string* relay) = 0;
  // The body ended: flushes what was held (an event without its final blank line is still read).
  virtual void End(std::string* relay) = 0;

  virtual void set_strip_usage(bool strip) = 0;
  virtual const Usage& usage() const = 0;       // the last stated; never summed
  virtual std::string_view model() const = 0;   // the first non-empty stated
  virtual bool saw_done() const = 0;            // data: [DONE]
  virtual bool saw_finish() const = 0;          // every choice seen had its finish_reason
  virtual bool saw_error() const = 0;           // an error object inside the stream
  virtual uint64_t events() const = 0;
  virtual uint64_t unreadable_events() const = 0;  // not JSON, or larger than kMaxEventBytes

  // Text the model wrote since the last call, per choice and kind (content, tool name, arguments),
  // moved out so that it can be counted as it comes.
  struct Delta {
    uint32_t choice = 0;
    std::string text;
  };
  virtual std::vector<Delta> TakeDeltas() = 0;
};

// ---- weir's own words, in the client's dialect ----

// {"error":{"message":…,"type":…,"param":…,"code":…}}; empty param or code are null.
std::string ErrorBody(Dialect dialect, std::string_view message, std::string_view type,
                      std::string_view param, std::string_view code);
// An SSE frame that ends a stream with an error that real clients notice: data: {"error":…}\n\n
std::string ErrorEvent(Dialect dialect, std::string_view message, std::string_view type,
                       std::string_view code);

// ---- Paths ----

// The target to ask a backend of `dialect` for a chat completion, below its base URL's path:
// "/v1/chat/completions", or "/openai/deployments/<model, percent-encoded>/chat/completions
// ?api-version=<version>".
std::string ChatTarget(Dialect dialect, std::string_view model, std::string_view api_version);

}  // namespace weir::dialects

#endif  // WEIR_DIALECTS_H_
