// weir/dialects.h: what clients' requests mean, errors in everybody's words, and the paths.
//
// One model of a request; one reader per dialect and operation: OpenAI's chat completions,
// responses, completions and embeddings (under OpenAI's paths, Azure's, and as compatible servers
// speak them), Anthropic's messages, Google's generateContent and embedContent (Gemini API and
// Vertex AI), AWS Bedrock's converse and invoke. Answers and streams are weir/usage.h's.
//
//   auto target = weir::dialects::ParseTarget("/v1beta/models/gemini-2.5-pro:generateContent");
//   auto request = weir::dialects::ReadRequest(target->dialect, target->operation, path, body);
//   if (!request.ok()) { /* 400 with ErrorBody(); the field is in the payload "weir/param" */ }
//   std::string sent = weir::dialects::RewriteRequest(body, *request, {.max_output_tokens = 800});
//
// Bytes are hostile. Requests, which clients write, are read strictly: one spelling of each field,
// or 400. Errors of providers are read leniently: what can be understood is, the rest is passed
// over. Bodies are bounded by the caller, nesting by 64; numbers out of range are refused.
//
// Threads: the functions share nothing. Cost: linear, one pass; while a body is read, up to 50
// times its size is held if it is all tiny values, 3 times if it is text.
//
// Sources: the providers' API references and their official clients; Google's API error model
// (google.rpc.Status, RetryInfo); proto3's JSON mapping; RFC 8259; the WHATWG HTML standard,
// server-sent events.

#ifndef WEIR_DIALECTS_H_
#define WEIR_DIALECTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weir/base.h"
#include "weir/recycling.h"
#include "weir/usage.h"

namespace weir::json {
class Document;
}

namespace weir::dialects {

// Whether requests of one can go to a backend of the other as they are: OpenAI and Azure are one
// family, the others stand alone.
bool SameFamily(Dialect a, Dialect b);

// ---- Requests ----

// A place in a body, as byte offsets.
struct Span {
  size_t begin = 0, end = 0;  // end == 0: absent
};

// What weir wants to know of a request, whatever its dialect.
struct Request {
  Dialect dialect = Dialect::kOpenAi;
  Operation operation = Operation::kChat;
  RecycledString model;        // the target's, else the body's; empty when neither names one
  bool model_in_path = false;  // `model` is the target's
  bool stream = false;         // the body's `stream`; Gemini, Bedrock: the target says it
  bool include_usage = false;  // stream_options.include_usage
  // max_completion_tokens, else max_tokens; max_output_tokens; generationConfig.maxOutputTokens;
  // inferenceConfig.maxTokens; Bedrock's invoke: as the model's family calls it. Of one answer.
  std::optional<uint64_t> max_output_tokens;
  // Answers the model is to write: n, candidateCount, num_generations; of completions, for each of
  // its prompts max(n, best_of).
  uint64_t n = 1;
  RecycledString user;  // user, else safety_identifier; metadata.user_id; empty when not stated

  // Where edits go.
  RecycledString body_model;    // what the body says, decoded; Rewrite compares with it
  Span model_value;             // a JSON string with its quotes, or null
  Span stream_options_value;    // the whole value, an object or null
  Span include_usage_value;     // true, false or null inside it
  Span max_output_value;        // the number (or null) that max_output_tokens was read from …
  Span older_max_output_value;  // … and max_tokens beside max_completion_tokens
  Span config_value;            // generationConfig or inferenceConfig, an object or null
  bool snake_case = false;      // Gemini: the body says generation_config
  bool invoke = false;          // Bedrock: invoke, whose fields are the model family's own
  size_t object_open = 0;       // offset of the body's '{'
};

// Reads the body of one request; `target` is what it was sent to (path and query; empty: unknown).
//
// INVALID_ARGUMENT with a message fit for the client (at most 300 bytes) when
// - the body is not one JSON object of UTF-8, nests deeper than 64, or repeats a key anywhere, in
//   whatever spelling: one reader's first value is another's last (Gemini's two spellings of one
//   field, maxOutputTokens and max_output_tokens, are such a repetition);
// - what the model is to read is missing: messages, input (embeddings), contents, content or
//   requests; or a message's role;
// - a field that is read here has a wrong type (null counts as absent, except where the field is
//   needed);
// - a count is not an integer from 1 to kMaxTokens, written as one (completions and messages may
//   ask for 0 tokens; Gemini also takes digits in quotes, as its JSON mapping says);
// - there is no such operation in the dialect.
// The payload "weir/param" names the field as the provider does: "messages[2].content" in OpenAI's
// and Gemini's words, "messages.2.content" in Anthropic's and Bedrock's. Everything else is the
// provider's to judge.
absl::StatusOr<Request> ReadRequest(Dialect dialect, Operation operation, std::string_view target,
                                    std::string_view body);

struct Edits {
  // The model to ask for; empty: as it is. Gemini's and Bedrock's is in the path (see Target), and
  // their bodies stay as they are.
  std::string_view model{};
  // The stream is to state its usage: OpenAI's chat and completions, when the request streams. The
  // others state it without being asked.
  bool want_usage = false;
  // What one answer may have at most. Where the body says nothing the field is added:
  // max_completion_tokens (chat), max_output_tokens (responses), max_tokens,
  // generationConfig.maxOutputTokens, inferenceConfig.maxTokens. Not added where there is no such
  // field, or (Bedrock's invoke) no common name for it.
  std::optional<uint64_t> max_output_tokens{};
};

// The body to send. Bytes that no edit concerns are as they were. `request` is what ReadRequest
// made of this `body`; with another one the body comes back as it is. O(body), one allocation.
std::string RewriteRequest(std::string_view body, const Request& request, const Edits& edits);

// The same, for the rest of the library: `body` itself when there is nothing to edit, else a view
// of `rewritten`.
std::string_view RewriteRequest(std::string_view body, const Request& request, const Edits& edits,
                                RecycledString* rewritten);

// ---- Errors ----

// weir's own words.
struct ErrorWords {
  int status = 500;  // HTTP's; says the error's type where the dialect derives it
  std::string_view message{};
  std::string_view type{};   // OpenAI's dialects; empty: derived from the status
  std::string_view param{};  // the field at fault, empty: none
  std::string_view code{};   // empty: none
  std::optional<int64_t> retry_after_ns{};
};

// An error as the dialect writes it. Bytes that are not UTF-8 become U+FFFD.
//   OpenAI, Azure  {"error":{"message":…,"type":…,"param":…,"code":…}}, empty ones null
//   Anthropic      {"type":"error","error":{"type":"rate_limit_error","message":…}}
//   Gemini         {"error":{"code":429,"message":…,"status":"RESOURCE_EXHAUSTED"}}, and details:
//                  BadRequest names the param, RetryInfo the wait
//   Bedrock        {"message":…}; its type goes into the header kBedrockErrorHeader
std::string ErrorBody(Dialect dialect, const ErrorWords& words);
inline constexpr std::string_view kBedrockErrorHeader = "x-amzn-errortype";

// The name that the dialect gives to errors of an HTTP status: "invalid_request_error",
// "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException".
std::string_view ErrorType(Dialect dialect, int status);

// What ends a stream with an error: one SSE event (Bedrock: one frame of its binary event stream).
// The clients that were tried notice it, except Google's: it reads the next event as if nothing
// had been, so only a connection that is cut tells it. `sequence_number` is of the responses
// stream: how many events came before.
std::string ErrorEvent(Dialect dialect, Operation operation, const ErrorWords& words,
                       uint64_t sequence_number);

// What a provider's error body says; what it does not say is empty.
struct ProviderError {
  std::string message;
  std::string type;   // OpenAI's and Anthropic's type, Gemini's status, Bedrock's exception
  std::string code;   // a number as its digits
  std::string param;  // the first field that Gemini complains of
  std::optional<int64_t> retry_after_ns;  // Gemini's RetryInfo
};
// Never fails: a body that says nothing that is understood (a proxy's HTML page) says nothing.
// Compatible servers' shapes are read as well: an error that is only a text, `detail`, a bare
// object with a message, a list with one error.
ProviderError ReadError(Dialect dialect, std::string_view body);

// ---- Paths ----

// What a target asks for.
struct ParsedTarget {
  Dialect dialect = Dialect::kOpenAi;  // whose path it is; kAzureOpenAi under /openai/
  Operation operation = Operation::kChat;
  std::string model;    // percent-decoded; empty: the body names it
  bool stream = false;  // Gemini, Bedrock: the path says so
  bool invoke = false;  // Bedrock: invoke, not converse
  // Places in the target: where the dialect's own path begins, and the model's bytes.
  size_t own_begin = 0;
  Span model_span;
};

// Reads a target (a path, with or without a query) by its end; what stands before the dialect's own
// path is the gateway's business. nullopt: none of the operations that weir counts, or a model
// that is not decodable. The patterns, where V is a version such as v1, v1beta, v1beta1:
//   …/chat/completions, V/completions, V/embeddings, V/responses   (V may be left out)
//   /openai/deployments/{model}/{chat/completions, completions, embeddings}
//   /openai/V/{…}, /openai/responses
//   /v1/messages
//   V/[projects/P/locations/L/][publishers/G/]{models, tunedModels, endpoints}/{model}:
//       {generateContent, streamGenerateContent, embedContent, batchEmbedContents}
//   /model/{model}/{converse, converse-stream, invoke, invoke-with-response-stream}
std::optional<ParsedTarget> ParseTarget(std::string_view target);

// ReadRequest, for the rest of the library, of a target that was parsed; `parsed` is then the body,
// while that stays as it is and until `parsed` is used again.
absl::StatusOr<Request> ReadRequest(Dialect dialect, Operation operation,
                                    const std::optional<ParsedTarget>& asked, std::string_view body,
                                    json::Document* parsed);

// The target to ask a backend for an operation, below its base URL's path; empty when the dialect
// has no such operation. Whatever the model is called, it stays one segment of the path.
//   OpenAI     "/v1/chat/completions"
//   Azure      "/openai/deployments/<model>/chat/completions?api-version=<version>" (without a
//              version no query); "/openai/responses?…"; of the version "v1" "/openai/v1/…"
//   Anthropic  "/v1/messages"
//   Gemini     "/<version, v1beta>/models/<model>:streamGenerateContent?alt=sse"; a model with
//              slashes is a resource name, each of whose parts is a segment
//   Bedrock    "/model/<model>/converse-stream"; embeddings by invoke
std::string Target(Dialect dialect, Operation operation, std::string_view model,
                   std::string_view api_version, bool stream);

// Target's where it is the same for every model and version: OpenAI's and Anthropic's. Else empty.
std::string_view FixedTarget(Dialect dialect, Operation operation);

// Whether such a target names the model (else the body does).
bool ModelInPath(Dialect dialect, Operation operation, std::string_view api_version);

// The client's own target, from where the dialect's path begins, for a backend of that dialect:
// `model` put in its place unless it is empty, and parameters that are credentials (key,
// access_token) left out. Everything else is as the client wrote it.
std::string RewriteTarget(std::string_view target, const ParsedTarget& parsed,
                          std::string_view model);

}  // namespace weir::dialects

#endif  // WEIR_DIALECTS_H_
