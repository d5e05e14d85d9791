/* weir.h: the C interface of weir, a policy engine for LLM gateways.
 *
 * A gateway asks weir, for every LLM call: who is this, may it pass, which backend gets it, and
 * what did it cost? weir opens no socket, reads no clock, starts no thread: the host feeds what it
 * saw and performs what weir answers.
 *
 *   weir_txn_new
 *   weir_txn_request_head, _request_header …   then weir_txn_next: CONTINUE or REPLY
 *   weir_txn_request_body …, _request_end      then weir_txn_next: FORWARD, REPLY, WAIT or CALL
 *   weir_txn_response_head, _response_header … then weir_txn_next: CONTINUE, FORWARD or REPLY
 *   weir_txn_response_body …, _response_end    then weir_txn_next: CONTINUE, FINISH or DONE
 *   weir_txn_free                              at any time: settles whatever is still open
 *
 * Counting stands alone too, without policy or engine: texts (weir_tokenizer_count), texts that
 * come in pieces (weir_token_counter), whole requests (weir_count_request) and answers as they pass
 * (weir_stream_meter). And so do limits: weir_limiter is a keyed limiter for anything.
 *
 * Conventions, for every function here:
 * - A weir_status says that the call itself went wrong. What policy wants, a refusal included, is
 *   an action and never a status. Numbers are the canonical ones of Abseil and gRPC.
 * - Outputs come last and are written only when the status is WEIR_OK.
 * - `error` may be null. When it is not, set error->size = sizeof(weir_error) first.
 * - Text is pointer + length, any bytes, never NUL-terminated; a null pointer with length 0 is the
 *   empty text. weir keeps no pointer of the caller's after a call returns.
 * - Views that weir gives stay readable until the next non-const call on the same handle.
 * - Text too large for the caller's buffer: OUT_OF_RANGE, `needed` says how much, and nothing is
 *   written.
 * - _new and _parse give a handle, _free takes it; _free of null does nothing.
 * - A null handle or null output is INVALID_ARGUMENT. Nothing throws, aborts, prints or signals.
 * - A const handle may be used by many threads at once; a non-const one by one thread at a time,
 *   except that weir_engine, weir_state and weir_limiter are safe from any thread at any time.
 * - Structs begin with `size` (set it to sizeof); they only ever grow at the end. A shorter struct
 *   of an older caller means defaults for the rest; a longer one whose unknown tail is not zero
 *   is UNIMPLEMENTED. In an array of structs the first one's `size`, a multiple of 8, is that of
 *   all: it tells where the next begins.
 */

#ifndef WEIR_H_
#define WEIR_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

/* ---- Version ---- */

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

/* The release of the library in use, "0.1.0", NUL-terminated and static. Threads: any. */
WEIR_API const char* weir_version(void);

/* major * 1000000 + minor * 1000 + patch of the library in use. Threads: any. */
WEIR_API uint32_t weir_version_number(void);

/* ---- Status and error ---- */

typedef int32_t weir_status;
enum {
  WEIR_OK = 0,
  WEIR_INVALID_ARGUMENT = 3,
  WEIR_NOT_FOUND = 5,
  WEIR_PERMISSION_DENIED = 7,   /* the system does not let this process at a file */
  WEIR_RESOURCE_EXHAUSTED = 8,  /* out of memory, or a named bound was reached */
  WEIR_FAILED_PRECONDITION = 9, /* the call does not belong here in the order of calls */
  WEIR_OUT_OF_RANGE = 11,       /* the caller's buffer is too small */
  WEIR_UNIMPLEMENTED = 12,
  WEIR_INTERNAL = 13
};

#define WEIR_ERROR_MESSAGE_BYTES 1000

/* What went wrong, in a record that the caller owns. */
typedef struct weir_error {
  uint32_t size;   /* in: sizeof(weir_error) */
  int32_t code;    /* a weir_status */
  uint64_t offset; /* policies, request bodies: byte offset of the first error; else 0 */
  uint32_t line;   /* the same as line and column, from 1; else 0 */
  uint32_t column;
  char message[WEIR_ERROR_MESSAGE_BYTES]; /* NUL-terminated UTF-8, cut at a character */
} weir_error;

/* The host's two clocks at one instant, in nanoseconds. mono_ns: CLOCK_MONOTONIC or like it, for
 * windows and deadlines; unix_ns: since 1970-01-01 UTC. A step backward counts as no time passed.
 */
typedef struct weir_now {
  int64_t mono_ns;
  int64_t unix_ns;
} weir_now;

typedef struct weir_policy weir_policy;
typedef struct weir_engine weir_engine;
typedef struct weir_txn weir_txn;
typedef struct weir_tokenizer weir_tokenizer;
typedef struct weir_token_counter weir_token_counter;
typedef struct weir_stream_meter weir_stream_meter;
typedef struct weir_state weir_state;
typedef struct weir_limiter weir_limiter;
typedef struct weir_reservation weir_reservation;

/* ---- Policy: a parsed, validated document; immutable once an engine has it ---- */

/* Parses and validates a policy document. When: at start and at each reload.
 * On INVALID_ARGUMENT the error names the first fault (offset, line, column) and its message lists
 * as many faults as fit; weir_policy_check gives all of them.
 * Lifetime: free *policy with weir_policy_free; engines keep their own reference.
 * Threads: any. */
WEIR_API weir_status weir_policy_parse(const char* text, size_t text_size, weir_policy** policy,
                                       weir_error* error);

/* Writes every fault of a document into `buffer`, one per line
 * ("3:14: limits.per-team.per: …\n"); *needed is the full length, 0 when the document is sound.
 * Threads: any. */
WEIR_API weir_status weir_policy_check(const char* text, size_t text_size, char* buffer,
                                       size_t capacity, size_t* needed, weir_error* error);

/* Secrets that the document names but does not hold ({"env": "EAST_KEY"}, {"file": "/run/key"}):
 * the host resolves them before it makes an engine. */
enum { WEIR_SECRET_ENV = 1, WEIR_SECRET_FILE = 2 };

/* How many there are. Threads: any. */
WEIR_API uint32_t weir_policy_secret_count(const weir_policy* policy);

/* What the index-th one is: *kind, and the name of the variable or file as a view into the policy.
 * OUT_OF_RANGE: no such index. Threads: any. */
WEIR_API weir_status weir_policy_secret(const weir_policy* policy, uint32_t index, int32_t* kind,
                                        const char** name, size_t* name_size);

/* Gives its value. FAILED_PRECONDITION once an engine has the policy. Threads: one. */
WEIR_API weir_status weir_policy_set_secret(weir_policy* policy, uint32_t index, const char* value,
                                            size_t value_size);

WEIR_API void weir_policy_free(weir_policy* policy);

/* The stored form of a virtual key, for a policy's consumers: "sha256:…", a keyed hash under the
 * policy's `pepper`. Threads: any. */
WEIR_API weir_status weir_key_hash(const char* pepper, size_t pepper_size, const char* key,
                                   size_t key_size, char* buffer, size_t capacity, size_t* needed,
                                   weir_error* error);

/* ---- Engine: the policy in force and the state it keeps ---- */

typedef struct weir_engine_options {
  uint32_t size;         /* sizeof(weir_engine_options) */
  uint32_t max_counters; /* limit counters kept at once; 0 = 16384 */
  uint64_t state_bytes;  /* memory for all hot state; 0 = enough for max_counters */
  uint64_t seed;         /* from the host's random source; keys hashes and spreads starts */
  /* Where the hot state lives: the path of a file, made on first use, that all workers of a machine
   * share and that outlives them (see weir_state_open); empty: this process's own memory.
   * state_bytes and seed are of a new file then; one that exists keeps its own. */
  const char* state_file;
  size_t state_file_size;
} weir_engine_options;

/* Makes an engine. `options` may be null. FAILED_PRECONDITION names a secret that has no value. Of
 * a state file the errors are those of weir_state_open.
 * Lifetime: free with weir_engine_free; transactions keep what they need of it. Threads: any. */
WEIR_API weir_status weir_engine_new(weir_policy* policy, const weir_engine_options* options,
                                     weir_engine** engine, weir_error* error);

/* Puts another policy in force for transactions that begin from now on; those under way end under
 * the old one. Counters, breaker states and cursors of rules that keep their names are kept. On
 * error the old policy stays, untouched. Threads: any. */
WEIR_API weir_status weir_engine_reload(weir_engine* engine, weir_policy* policy,
                                        weir_error* error);

/* The metrics in Prometheus text format 0.0.4. Threads: any. */
WEIR_API weir_status weir_engine_metrics(weir_engine* engine, char* buffer, size_t capacity,
                                         size_t* needed, weir_error* error);

/* The state of backends (breaker state, since, until) as one JSON object. Threads: any. */
WEIR_API weir_status weir_engine_status(weir_engine* engine, const weir_now* now, char* buffer,
                                        size_t capacity, size_t* needed, weir_error* error);

/* Another amount for the policy's limit of this name, for `key` alone or (null) for every key
 * without one of its own, in all processes that share the state, for `for_ms` from now; 0 ends it.
 * Counts are kept. The amount is in the limit's unit, of a limit in usd in micro-USD; 0 lets
 * nothing pass. `key` is what the limit's key expression gives; where it gives nothing, the empty
 * text. NOT_FOUND: the policy in force has no such limit; FAILED_PRECONDITION: its amount is an
 * expression, which is asked for each request; INVALID_ARGUMENT: the amount is above 2^53;
 * RESOURCE_EXHAUSTED: the table of counters is full. Threads: any. */
WEIR_API weir_status weir_engine_override_limit(weir_engine* engine, const char* limit,
                                                size_t limit_size, const char* key, size_t key_size,
                                                uint64_t amount, int64_t for_ms,
                                                const weir_now* now, weir_error* error);

WEIR_API void weir_engine_free(weir_engine* engine);

/* ---- Transaction: one client request, from its head to the last byte of its answer ---- */

/* What the host is to do next. */
enum {
  WEIR_ACTION_CONTINUE = 1, /* feed more. After a response head: relay status and edited headers.
                               After response bytes: relay what WEIR_RELAY_* says */
  WEIR_ACTION_FORWARD = 2,  /* send the request to this backend (url, target, header edits, body);
                               give up at deadline_mono_ns with WEIR_FAILURE_TIMEOUT */
  WEIR_ACTION_REPLY = 3,    /* answer the client: status, headers, body. Nothing was relayed yet */
  WEIR_ACTION_CALL = 4,   /* perform this side request (url, target, headers, body) and answer with
                             weir_txn_call_result under call_id. No policy of this release leads
                             to one; hosts that handle it are ready for those that do */
  WEIR_ACTION_WAIT = 5,   /* call weir_txn_next again at deadline_mono_ns */
  WEIR_ACTION_FINISH = 6, /* stop the upstream, send the body view to the client, end the answer */
  WEIR_ACTION_DONE = 7    /* the answer is complete; relay what WEIR_RELAY_* says, then free */
};

/* weir_action.relay */
enum {
  WEIR_RELAY_NOTHING = 0,
  WEIR_RELAY_INPUT = 1, /* exactly the bytes just fed, untouched */
  WEIR_RELAY_VIEW = 2   /* the bytes of weir_txn_body, instead of those just fed */
};

typedef struct weir_action {
  uint32_t size;            /* in: sizeof(weir_action) */
  int32_t kind;             /* WEIR_ACTION_… */
  int32_t status;           /* REPLY: the HTTP status; CONTINUE after a head: the status to relay */
  uint32_t relay;           /* WEIR_RELAY_… */
  uint32_t header_count;    /* header edits: see weir_txn_header */
  uint32_t attempt;         /* FORWARD: 1, 2, … */
  uint64_t call_id;         /* CALL */
  int64_t deadline_mono_ns; /* FORWARD, CALL, WAIT: on the clock of weir_now.mono_ns; 0 = none */
} weir_action;

/* How an attempt ended without a (complete) answer. */
enum {
  WEIR_FAILURE_CONNECT = 1, /* no connection, or refused */
  WEIR_FAILURE_TIMEOUT = 2, /* the attempt's deadline passed */
  WEIR_FAILURE_RESET = 3    /* the connection broke before the answer was complete */
};

/* Begins a transaction. Threads: any may begin one; then one at a time uses it, and it may move
 * between threads. */
WEIR_API weir_status weir_txn_new(weir_engine* engine, weir_txn** txn, weir_error* error);

/* The request line. `target` is the path with its query, as received ("/v1/chat/completions").
 * `client` is the client's address as text, for expressions; may be empty. */
WEIR_API weir_status weir_txn_request_head(weir_txn* txn, const char* method, size_t method_size,
                                           const char* target, size_t target_size,
                                           const char* client, size_t client_size,
                                           weir_error* error);

/* One request header, after weir_txn_request_head. Repeated names are fed repeatedly. */
WEIR_API weir_status weir_txn_request_header(weir_txn* txn, const char* name, size_t name_size,
                                             const char* value, size_t value_size,
                                             weir_error* error);

/* A free attribute for expressions (attr.<name>), before the first weir_txn_next. */
WEIR_API weir_status weir_txn_attribute(weir_txn* txn, const char* name, size_t name_size,
                                        const char* value, size_t value_size, weir_error* error);

/* A piece of the request body, in order; any cuts. RESOURCE_EXHAUSTED never comes from here: a body
 * over the policy's bound is answered by the next weir_txn_next (413). */
WEIR_API weir_status weir_txn_request_body(weir_txn* txn, const char* bytes, size_t bytes_size,
                                           weir_error* error);

/* The request is complete. */
WEIR_API weir_status weir_txn_request_end(weir_txn* txn, weir_error* error);

/* The backend of the last FORWARD began to answer. If the next action is FORWARD or REPLY and not
 * CONTINUE, the rest of this answer is not wanted: drop it. */
WEIR_API weir_status weir_txn_response_head(weir_txn* txn, int32_t status, weir_error* error);

/* One header of that answer, after weir_txn_response_head. */
WEIR_API weir_status weir_txn_response_header(weir_txn* txn, const char* name, size_t name_size,
                                              const char* value, size_t value_size,
                                              weir_error* error);

/* A piece of the answer's body, as it came. Call weir_txn_next after each piece: the relayed bytes
 * are those of this piece. */
WEIR_API weir_status weir_txn_response_body(weir_txn* txn, const char* bytes, size_t bytes_size,
                                            weir_error* error);

/* The answer is complete, as its framing says. */
WEIR_API weir_status weir_txn_response_end(weir_txn* txn, weir_error* error);

/* The attempt failed, before or in the middle of its answer. */
WEIR_API weir_status weir_txn_response_failed(weir_txn* txn, int32_t failure, weir_error* error);

/* The answer to a CALL: HTTP status (0 = it failed) and body. FAILED_PRECONDITION: no such call is
 * open. */
WEIR_API weir_status weir_txn_call_result(weir_txn* txn, uint64_t call_id, int32_t status,
                                          const char* body, size_t body_size, weir_error* error);

/* The client is gone. What is still open is settled now, as weir_txn_free would: the text counted
 * so far is charged. After it weir_txn_explain tells what; the transaction only waits to be freed.
 */
WEIR_API weir_status weir_txn_client_left(weir_txn* txn, const weir_now* now, weir_error* error);

/* Decides. Every decision is made here, at `now`, and nowhere else. After REPLY, FINISH or DONE the
 * transaction only waits to be freed. FAILED_PRECONDITION: nothing was fed that could be decided
 * upon (for example after FORWARD, before the backend answered). */
WEIR_API weir_status weir_txn_next(weir_txn* txn, const weir_now* now, weir_action* action,
                                   weir_error* error);

/* ---- Views into the last action; valid until the next non-const call on the transaction ---- */

/* FORWARD, CALL: scheme, host and port ("https://east.example.com:443"). Empty otherwise. */
WEIR_API weir_status weir_txn_url(const weir_txn* txn, const char** url, size_t* url_size);

/* FORWARD, CALL: path and query to ask for. Empty otherwise. */
WEIR_API weir_status weir_txn_target(const weir_txn* txn, const char** target, size_t* target_size);

/* FORWARD, CALL: the body to send; REPLY, FINISH: the body for the client; with WEIR_RELAY_VIEW:
 * the bytes to relay. */
WEIR_API weir_status weir_txn_body(const weir_txn* txn, const char** body, size_t* body_size);

enum {
  WEIR_HEADER_SET = 1,   /* replace every header of this name by this one */
  WEIR_HEADER_REMOVE = 2 /* remove every header of this name; the value is empty */
};

/* The index-th header edit: FORWARD edits the client's headers, CONTINUE the backend's, REPLY and
 * CALL list all there are. DONE may have more for the answer's head, for a host that has held it
 * back (x-weir-tokens-consumed). OUT_OF_RANGE: no such index. */
WEIR_API weir_status weir_txn_header(const weir_txn* txn, uint32_t index, int32_t* operation,
                                     const char** name, size_t* name_size, const char** value,
                                     size_t* value_size);

/* What was decided and why, as one JSON object: route, consumer, model, attempts, limits, usage
 * with its provenance, status. No credential and no prompt text is in it. May be asked at any time;
 * after REPLY, FINISH, DONE and weir_txn_client_left it is complete. */
WEIR_API weir_status weir_txn_explain(const weir_txn* txn, char* buffer, size_t capacity,
                                      size_t* needed, weir_error* error);

/* Ends the transaction. What is still open is settled now: a client that left in the middle of an
 * answer is charged for the text counted so far. Threads: the one that has it. */
WEIR_API void weir_txn_free(weir_txn* txn);

/* ---- Tokenizers ----
 *
 * Counts and ids are those of the library that defines the tokenizer (tiktoken, Hugging Face's
 * tokenizers, SentencePiece). Texts are any bytes: each maximal part that is not UTF-8 counts as
 * U+FFFD. Text that looks like a special token ("<|endoftext|>") is text, except where it is said.
 */

/* The built-in tokenizer called `name` ("o200k_base", "cl100k_base"), or the one that a model
 * called so uses ("gpt-4o"); NOT_FOUND when unknown, or left out of this build. Static: never
 * freed. Threads: any. */
WEIR_API weir_status weir_tokenizer_find(const char* name, size_t name_size,
                                         const weir_tokenizer** tokenizer, weir_error* error);

/* A tokenizer from the bytes of its file: a tokenizer.json of Hugging Face, a SentencePiece .model
 * or a .tiktoken rank file, told apart by how they begin. `name` is what it is to be called.
 * `pattern` is of rank files, which do not say how to split a text before it is merged: the name of
 * an encoding, or a regular expression as tiktoken has them; empty for the files that OpenAI has
 * published, which are known. INVALID_ARGUMENT: the file is not sound; UNIMPLEMENTED: it asks for
 * something that weir does not do; the error names it. Takes about 30 ms for 100,000 tokens.
 * Lifetime: free with weir_tokenizer_free. Threads: any. */
WEIR_API weir_status weir_tokenizer_load(const char* name, size_t name_size, const char* bytes,
                                         size_t bytes_size, const char* pattern,
                                         size_t pattern_size, weir_tokenizer** tokenizer,
                                         weir_error* error);

/* Frees a loaded tokenizer, after all that was made with it (counters, stream meters). A built-in
 * one stays. */
WEIR_API void weir_tokenizer_free(weir_tokenizer* tokenizer);

/* What it is called, as a view into it. Threads: any. */
WEIR_API weir_status weir_tokenizer_name(const weir_tokenizer* tokenizer, const char** name,
                                         size_t* name_size);

/* The index-th built-in encoding, as a static view. OUT_OF_RANGE: no such index. Threads: any. */
WEIR_API weir_status weir_encoding_name(uint32_t index, const char** name, size_t* name_size);

/* The encoding that a model uses ("gpt-4o-2024-08-06": "o200k_base"), as a static view: OpenAI's
 * models, dated versions, fine-tunes and Azure's spellings included, or that of the model at which
 * a deployment's name hints ("prod-gpt-4o-eu"). NOT_FOUND: it is not known.
 * Threads: any. */
WEIR_API weir_status weir_encoding_for_model(const char* model, size_t model_size,
                                             const char** encoding, size_t* encoding_size,
                                             weir_error* error);

/* The number of tokens of a text. Threads: any. */
WEIR_API weir_status weir_tokenizer_count(const weir_tokenizer* tokenizer, const char* text,
                                          size_t text_size, uint64_t* count, weir_error* error);

/* The number of tokens of a text if that is at most `limit`, else a number above it: then no more
 * was read than it took to know. Threads: any. */
WEIR_API weir_status weir_tokenizer_count_up_to(const weir_tokenizer* tokenizer, const char* text,
                                                size_t text_size, uint64_t limit, uint64_t* count,
                                                weir_error* error);

/* The token ids of a text. OUT_OF_RANGE: *needed says how many there are. Threads: any. */
WEIR_API weir_status weir_tokenizer_encode(const weir_tokenizer* tokenizer, const char* text,
                                           size_t text_size, uint32_t* ids, size_t capacity,
                                           size_t* needed, weir_error* error);

/* The same, but where the text of a special token stands it is that token: only for text that
 * nobody else has written. Threads: any. */
WEIR_API weir_status weir_tokenizer_encode_with_specials(const weir_tokenizer* tokenizer,
                                                         const char* text, size_t text_size,
                                                         uint32_t* ids, size_t capacity,
                                                         size_t* needed, weir_error* error);

/* The bytes that ids stand for, those of special tokens as their text; parts of characters at the
 * ends, if that is what they are. INVALID_ARGUMENT names the first id that there is not.
 * Threads: any. */
WEIR_API weir_status weir_tokenizer_decode(const weir_tokenizer* tokenizer, const uint32_t* ids,
                                           size_t id_count, char* buffer, size_t capacity,
                                           size_t* needed, weir_error* error);

/* How many bytes of a text make its longest beginning of at most `max_tokens` tokens that ends with
 * a whole token and a whole character: for cutting to a budget, or into chunks. Threads: any. */
WEIR_API weir_status weir_tokenizer_split(const weir_tokenizer* tokenizer, const char* text,
                                          size_t text_size, uint64_t max_tokens, size_t* split_size,
                                          weir_error* error);

/* Whether built-in tokenizers remember how many tokens the pieces have that they merged (they do
 * unless told not to: 3.5 MiB an encoding, for all threads). Counts are the same. Threads: any. */
WEIR_API void weir_tokenizer_set_piece_cache(int32_t on);

/* ---- A counter: the tokens of a text that comes in pieces ----
 *
 * Exact for any cuts. It keeps the last word or two of the text; of a loaded tokenizer that cannot
 * tell what is settled, all of it.
 */

/* Lifetime: free with weir_token_counter_free; a loaded tokenizer must outlive it. Threads: one at
 * a time. */
WEIR_API weir_status weir_token_counter_new(const weir_tokenizer* tokenizer,
                                            weir_token_counter** counter, weir_error* error);

/* The text goes on with these bytes. After RESOURCE_EXHAUSTED it is not known how much of them was
 * counted: every further call but _free is FAILED_PRECONDITION. */
WEIR_API weir_status weir_token_counter_append(weir_token_counter* counter, const char* text,
                                               size_t text_size, weir_error* error);

/* The tokens of all the text so far. Counts the end of the text again: not for every byte. */
WEIR_API weir_status weir_token_counter_total(const weir_token_counter* counter, uint64_t* count,
                                              weir_error* error);

WEIR_API void weir_token_counter_free(weir_token_counter* counter);

/* ---- Requests ---- */

/* Whose wire format. Compatible servers (vLLM, Ollama, Groq, Mistral, DeepSeek) speak OpenAI's. */
enum {
  WEIR_DIALECT_OPENAI = 1,
  WEIR_DIALECT_AZURE_OPENAI = 2,
  WEIR_DIALECT_ANTHROPIC = 3,
  WEIR_DIALECT_GEMINI = 4,
  WEIR_DIALECT_BEDROCK = 5
};

/* What is asked. CHAT is also Anthropic's messages, Gemini's generateContent, Bedrock's converse.
 */
enum {
  WEIR_OPERATION_CHAT = 1,
  WEIR_OPERATION_RESPONSES = 2,
  WEIR_OPERATION_COMPLETIONS = 3,
  WEIR_OPERATION_EMBEDDINGS = 4
};

/* How sure a number of tokens is. */
enum {
  WEIR_PROVENANCE_EXACT = 1,       /* what will be billed */
  WEIR_PROVENANCE_PROVIDER = 2,    /* what the provider stated */
  WEIR_PROVENANCE_UPPER_BOUND = 3, /* at most this */
  WEIR_PROVENANCE_ESTIMATED = 4
};

typedef struct weir_request_options {
  uint32_t size;      /* sizeof(weir_request_options) */
  int32_t dialect;    /* WEIR_DIALECT_…; 0: as the target says, else by the body's shape */
  int32_t operation;  /* WEIR_OPERATION_…; 0: likewise */
  int32_t is_standin; /* not 0: `tokenizer` is not the model's own; the count is an estimate */
  uint64_t limit;     /* stop as soon as the count is above this; 0 = never */
  const char* target; /* what it was sent to, path and query; may be empty */
  size_t target_size;
  const char* model; /* names the model; empty: as the target says, else the body */
  size_t model_size;
  const weir_tokenizer* tokenizer; /* null: the model's, or a stand-in if that is not known */
} weir_request_options;

typedef struct weir_prompt_count {
  uint32_t size;          /* in: sizeof(weir_prompt_count) */
  int32_t provenance;     /* WEIR_PROVENANCE_…, of the weakest part */
  uint64_t prompt_tokens; /* above the limit: some number above it */
  int32_t dialect;        /* what the body was read as */
  int32_t operation;
  uint32_t is_guess;    /* 1: that was told by the body's shape */
  uint32_t model_known; /* 1: counted with the model's own tokenizer */
} weir_prompt_count;

/* The prompt tokens of a whole request: texts, the frames of messages, tools, schemas, images.
 * `options` may be null. INVALID_ARGUMENT: the body is not one JSON object, nests deeper than 64,
 * repeats a key, or has no shape that is known while nothing says what it is. A model that is not
 * known is no error: the count is an estimate then. Fields of a wrong type count as absent.
 * Threads: any. */
WEIR_API weir_status weir_count_request(const weir_request_options* options, const char* body,
                                        size_t body_size, weir_prompt_count* count,
                                        weir_error* error);

/* The same as one JSON object, with what each part adds:
 *   {"prompt_tokens":12,"provenance":"exact","dialect":"openai","operation":"chat",
 *    "is_guess":true,"model":"gpt-4o","model_known":true,"encoding":"o200k_base",
 *    "parts":[{"kind":"message","path":"messages[0]","tokens":9,"provenance":"exact"},…]}
 * No text of the request is in it. Threads: any. */
WEIR_API weir_status weir_count_request_json(const weir_request_options* options, const char* body,
                                             size_t body_size, char* buffer, size_t capacity,
                                             size_t* needed, weir_error* error);

/* ---- Stream meter: what an answer comes to, told as it passes ----
 *
 * The bytes of an answer's body go in as they come, in any pieces. What the provider states counts;
 * where it states nothing, or what cannot be, the text that passed is counted: content, refusals,
 * thoughts that are shown, tool calls, of all choices. No text is kept.
 */

typedef struct weir_stream_meter_options {
  uint32_t size;       /* sizeof(weir_stream_meter_options) */
  int32_t dialect;     /* WEIR_DIALECT_…; 0 = OPENAI */
  int32_t operation;   /* WEIR_OPERATION_…; 0 = CHAT */
  int32_t strip_usage; /* not 0: leave the events out that only state a usage (see _relay) */
  int32_t is_standin;  /* not 0: `tokenizer` is not the model's own; the count is an estimate */
  uint32_t max_decoded_ratio; /* of bytes decoded to bytes fed, past the first MiB; 0 = 256 */
  uint64_t max_event_bytes;   /* a larger event passes unread; 0 = 1 MiB */
  uint64_t max_body_bytes;    /* of an answer that is no stream; 0 = 32 MiB */
  uint64_t max_decoded_bytes; /* of an encoded answer; 0 = 1 GiB */
  const char* content_type;   /* the answer's header; empty: text/event-stream */
  size_t content_type_size;
  const char* content_encoding; /* "gzip", "deflate", "br", "zstd"; empty: none */
  size_t content_encoding_size;
  const weir_tokenizer* tokenizer; /* null: a token for each three bytes */
  /* What is billed beside the texts depends on these; without a model nothing is added to them. */
  const char* model;
  size_t model_size;
  int32_t declares_functions; /* not 0: the request has tools or functions */
  int32_t reserved;           /* 0 */
} weir_stream_meter_options;

/* Why (the rest of) a body was not read. */
enum {
  WEIR_UNREAD_NOTHING = 0,
  WEIR_UNREAD_UNKNOWN_ENCODING = 1,
  WEIR_UNREAD_CORRUPT_ENCODING = 2,
  WEIR_UNREAD_TOO_LARGE = 3
};

/* The stated_ numbers are the provider's, brought to one convention, in which a part is always
 * inside its whole; -1: not stated. */
typedef struct weir_usage {
  uint32_t size;              /* in: sizeof(weir_usage) */
  int32_t provenance;         /* WEIR_PROVENANCE_…, of completion_tokens */
  uint64_t completion_tokens; /* what the answer comes to: stated, or counted */
  uint64_t counted_tokens;    /* of the text that was seen, whatever is stated */
  uint64_t text_bytes;        /* its size */
  int64_t stated_prompt;
  int64_t stated_completion;
  int64_t stated_cached;      /* of the prompt, read from a cache */
  int64_t stated_cache_write; /* of the prompt, written to a cache */
  int64_t stated_reasoning;   /* of the completion */
  int64_t stated_audio_prompt;
  int64_t stated_audio_completion;
  int64_t stated_accepted_prediction;
  int64_t stated_rejected_prediction;
  int64_t stated_total; /* for the record; the sum of prompt and completion is what to book */
  uint32_t is_complete; /* 1: the body's own last word came */
  uint32_t is_error;    /* 1: the body tells of an error */
  uint32_t is_anomaly;  /* 1: something was stated that cannot be */
  int32_t unread;       /* WEIR_UNREAD_… */
} weir_usage;

/* `options` may be null. Lifetime: free with weir_stream_meter_free; a loaded tokenizer must
 * outlive it. Threads: one at a time. Memory: under 1 KiB while a stream waits. */
WEIR_API weir_status weir_stream_meter_new(const weir_stream_meter_options* options,
                                           weir_stream_meter** meter, weir_error* error);

/* A piece of the answer's body, as it came. FAILED_PRECONDITION after _end, _client_left or an
 * error. */
WEIR_API weir_status weir_stream_meter_feed(weir_stream_meter* meter, const char* bytes,
                                            size_t bytes_size, weir_error* error);

/* The body is complete, as its framing says. */
WEIR_API weir_status weir_stream_meter_end(weir_stream_meter* meter, weir_error* error);

/* The client, or the provider, is gone in the middle of it: what passed is what is counted. */
WEIR_API weir_status weir_stream_meter_client_left(weir_stream_meter* meter, weir_error* error);

/* With strip_usage: the bytes to pass on for the last _feed or _end, instead of those fed; a view.
 * Without it what was fed is what to pass on, and this is empty. */
WEIR_API weir_status weir_stream_meter_relay(const weir_stream_meter* meter, const char** bytes,
                                             size_t* bytes_size);

/* What the answer comes to so far; at any time, also after an error. Counts what is pending: not
 * for every piece. */
WEIR_API weir_status weir_stream_meter_usage(const weir_stream_meter* meter, weir_usage* usage,
                                             weir_error* error);

WEIR_API void weir_stream_meter_free(weir_stream_meter* meter);

/* ---- State: where counters live ----
 *
 * A block of memory: private to the process, or a file that all processes of a machine map. A file
 * outlives them all, and a reboot. Any process may be killed at any instruction: no lock stays held
 * and no value is torn. A child that forks off shares a file, and has its own copy of private
 * memory. A file must not be cut short while it is mapped; network file systems do not fit.
 */

typedef struct weir_state_options {
  uint32_t size;   /* sizeof(weir_state_options) */
  int32_t replace; /* not 0: a file of another format gives its name to a new one, in place of an
                      error; processes that map the old one keep it */
  uint64_t bytes;  /* of private memory or of a new file; 0 = 16 MiB; at least 512 KiB. A counter
                      takes about 200 */
  uint64_t seed;   /* of the same: from the host's random source; keys the hash of names */
} weir_state_options;

/* Opens the file of this path (UTF-8), or makes it, readable and writable by its owner alone; an
 * empty path is private memory. `options` may be null. FAILED_PRECONDITION: the file is no state
 * file, or one of another format, whose number the error says. RESOURCE_EXHAUSTED: no room on the
 * disk, or no memory. NOT_FOUND (of the folder) and PERMISSION_DENIED as the system says;
 * UNIMPLEMENTED: this system cannot tell which processes are gone.
 * Lifetime: free with weir_state_free; limiters keep what they need of it. Threads: any. */
WEIR_API weir_status weir_state_open(const char* path, size_t path_size,
                                     const weir_state_options* options, weir_state** state,
                                     weir_error* error);

WEIR_API void weir_state_free(weir_state* state);

/* What a state file holds, as one JSON object, for people who look; the file is only read, and
 * nobody is held up, so the figures of one counter may be of two moments:
 *   {"bytes":16777216,"bytes_used":3273600,"slots":24576,"slots_used":3,"counters":2,"leased":1,
 *    "locked":0,"top":[{"rule":"per-team","key_id":"9f…","algorithm":"calendar","amount":1000,
 *                       "used":250,"reserved":50,"reset_ms":86400000}]}
 * slots_used have a key; in `counters` something is booked; `leased` are those of them with
 * reservations outstanding; `locked` are locked at this moment. `top` are the `top` counters
 * nearest to their amount. A key_id is the keyed hash of a key: keys are not kept. `rule` is null
 * where the file does not know its name; `reset_ms`, until the counter is empty, where it never is.
 * slots 0: no limiter was ever made over it. `now`: as of the processes that use the file.
 * NOT_FOUND: there is no file; other errors as of weir_state_open. Threads: any. */
WEIR_API weir_status weir_state_report_json(const char* path, size_t path_size, uint32_t top,
                                            const weir_now* now, char* buffer, size_t capacity,
                                            size_t* needed, weir_error* error);

/* ---- Limiter: limits that hold, for any thread and process, without engine and policy ----
 *
 * A limiter is a set of named rules over counters, one for each key. A request takes, or reserves
 * and later settles, against any number of (rule, key) pairs at once: all or nothing.
 *
 *   weir_limiter_new
 *   weir_limiter_reserve   before the work: what it will cost, as far as that is known
 *   weir_limiter_top_up    while it goes on, if it outgrows that
 *   weir_limiter_settle    what it really was; or weir_limiter_release: it never was
 *   weir_reservation_free
 *
 * A refusal is no status: the call is WEIR_OK, weir_limit_decision.admitted is 0 and nothing has
 * changed. A counter belongs to a rule's name, algorithm and window and to its key: another process
 * or a later limiter with such a rule goes on counting, with another amount too.
 *
 * What holds: a sliding window never admits more than its amount in any true window (at full demand
 * at least ten elevenths of it); a token bucket refills exactly, fractions carried; fixed windows
 * and calendar periods count each on its own; what a concurrency rule admits is never more than its
 * amount at once. retry_after_ns, waited for, admits the same request if nobody else took the room.
 */

/* weir_limit_rule.algorithm */
enum {
  WEIR_LIMIT_SLIDING_WINDOW = 1,
  WEIR_LIMIT_TOKEN_BUCKET = 2,
  WEIR_LIMIT_FIXED_WINDOW = 3,
  WEIR_LIMIT_CALENDAR = 4,
  WEIR_LIMIT_CONCURRENCY = 5
};

/* weir_limit_rule.period */
enum {
  WEIR_PERIOD_HOUR = 1,
  WEIR_PERIOD_DAY = 2,
  WEIR_PERIOD_WEEK = 3,
  WEIR_PERIOD_MONTH = 4,
  WEIR_PERIOD_QUARTER = 5,
  WEIR_PERIOD_YEAR = 6,
  WEIR_PERIOD_LIFETIME = 7
};

#define WEIR_LEASE_PERIOD (-1)

typedef struct weir_limit_rule {
  uint32_t size;     /* sizeof(weir_limit_rule) */
  int32_t algorithm; /* WEIR_LIMIT_…; 0 = SLIDING_WINDOW */
  const char* name;  /* 1 to 128 bytes; names the counters */
  size_t name_size;
  uint64_t amount;       /* 1 to 2^53 per window, in any unit: tokens, requests, micro-USD */
  int64_t window_ms;     /* 1 s to 366 days; 0 for calendar and concurrency */
  uint64_t burst;        /* token bucket: its size; 0 = amount */
  int32_t period;        /* calendar: WEIR_PERIOD_…; 0 = MONTH */
  int32_t week_start;    /* calendar: 1 = Monday … 7 = Sunday; 0 = 1 */
  const char* time_zone; /* calendar: an IANA name; empty = UTC */
  size_t time_zone_size;
  int64_t lease_ms;       /* fixed window, calendar, concurrency: how long a reservation counts that
                             nobody ends or tops up, as its process was killed; 1 s to 1 day; 0 = 10
                             minutes; WEIR_LEASE_PERIOD (not for concurrency) = until the period
                             ends */
  int64_t anchor_unix_ms; /* fixed window, with is_anchored: when some window begins */
  int32_t is_anchored;    /* 0: a window begins with the first booking of an idle counter */
  int32_t share;          /* not 0, sliding window: all keys share one amount fairly, by weight */
  uint64_t share_floor;   /* what a key gets of it at least */
} weir_limit_rule;

typedef struct weir_limiter_options {
  uint32_t size;         /* sizeof(weir_limiter_options) */
  uint32_t max_counters; /* counters in use at once; 0 = 16384. The first limiter over a state fixes
                            it; the slot of an idle counter is used again */
  uint64_t seed;         /* without a state: as in weir_state_options */
  int32_t full_admits;   /* the answer to a new key when every counter is in use: 0 = refused */
  int32_t reserved;      /* 0 */
} weir_limiter_options;

/* Makes a limiter over `state`; null: over private memory of its own, enough for max_counters.
 * `options` may be null. INVALID_ARGUMENT names the rule and the field that is out of range.
 * RESOURCE_EXHAUSTED: the state is too small for so many counters.
 * Lifetime: free with weir_limiter_free, after its reservations; it keeps its state alive.
 * Threads: any. */
WEIR_API weir_status weir_limiter_new(weir_state* state, const weir_limit_rule* rules,
                                      size_t rule_count, const weir_limiter_options* options,
                                      weir_limiter** limiter, weir_error* error);

/* The name, as a view into the limiter, of the index-th rule whose counters started anew, because
 * the state knew the name with another algorithm, window, time zone or anchor. OUT_OF_RANGE: no
 * such index. Threads: any. */
WEIR_API weir_status weir_limiter_restarted(const weir_limiter* limiter, uint32_t index,
                                            const char** name, size_t* name_size);

/* What one rule is asked for. */
typedef struct weir_limit_charge {
  uint32_t size;   /* sizeof(weir_limit_charge) */
  uint32_t rule;   /* index into the rules */
  const char* key; /* of the counter; any bytes */
  size_t key_size;
  uint64_t cost;     /* must fit; 0 fits unless the counter is in debt */
  uint64_t headroom; /* wanted on top, as much as is left: never a reason to refuse */
  int32_t learned;   /* not 0: take the headroom from what this counter's outputs have been (their
                        running 90th percentile; 256 before the first) */
  uint32_t weight;   /* of this key's share, 1 to 1000000; 0 = 1 */
  const char* model; /* learned: apart for each model of this key; empty: one for all */
  size_t model_size;
  uint64_t amount;    /* with has_amount: for this request, in place of the rule's; 0 lets nothing
                         pass */
  int32_t has_amount; /* 0: the rule's */
  int32_t reserved;   /* 0 */
} weir_limit_charge;

#define WEIR_NEVER INT64_MAX

/* What one rule answered. Also of the rules that did not refuse. */
typedef struct weir_limit_verdict {
  uint32_t size; /* in: sizeof(weir_limit_verdict) */
  uint32_t rule;
  uint32_t admitted;      /* 1: this rule alone would admit */
  uint32_t unused;        /* 0 */
  uint64_t used_before;   /* booked in the window before this request; of a share: by this key */
  uint64_t reserved;      /* booked for this request; 0 when the decision was a refusal */
  uint64_t amount;        /* the rule's; of a bucket its size, of a share this key's share */
  uint64_t remaining;     /* after the decision */
  int64_t retry_after_ns; /* 0 when admitted; WEIR_NEVER when the cost can never fit */
  int64_t reset_ns;       /* until the counter is empty if nobody takes more; or WEIR_NEVER */
} weir_limit_verdict;

typedef struct weir_limit_decision {
  uint32_t size;          /* in: sizeof(weir_limit_decision) */
  uint32_t admitted;      /* 1: booked, all of it; 0: nothing has changed */
  int32_t binding;        /* index of the charge whose rule refuses longest; -1 = none */
  uint32_t table_full;    /* 1: no counter for a new key; answered as full_admits says */
  int64_t retry_after_ns; /* the longest of those that refuse; WEIR_NEVER: waiting does not help */
} weir_limit_decision;

/* Decides all charges at once and books them if all are admitted. `verdicts` is an array of
 * charge_count elements whose first has its size set, in the order of the charges, or null.
 * *reservation is what is booked, null when that is nothing: the decision is a refusal, or there
 * were no charges. Two charges must not name one counter, or one rule with a share: the second is
 * refused with WEIR_NEVER.
 * INVALID_ARGUMENT: no such rule, or a weight out of range.
 * Lifetime: free with weir_reservation_free, before the limiter. Threads: any; a reservation
 * belongs to one at a time. */
WEIR_API weir_status weir_limiter_reserve(weir_limiter* limiter, const weir_limit_charge* charges,
                                          size_t charge_count, const weir_now* now,
                                          weir_limit_verdict* verdicts,
                                          weir_limit_decision* decision,
                                          weir_reservation** reservation, weir_error* error);

/* The same for what costs exactly `cost`: nothing is left to settle. A place of a concurrency rule
 * that is taken so is free after its lease. Threads: any. */
WEIR_API weir_status weir_limiter_take(weir_limiter* limiter, const weir_limit_charge* charges,
                                       size_t charge_count, const weir_now* now,
                                       weir_limit_verdict* verdicts, weir_limit_decision* decision,
                                       weir_error* error);

/* Books more on top, all or nothing, and renews the leases: for work that outgrows what was
 * reserved. `more` has an amount for each charge in the order of _reserve; a charge without one is
 * only renewed. `verdicts`, or null, has one element for each charge of the reservation.
 * FAILED_PRECONDITION: the reservation has ended. */
WEIR_API weir_status weir_limiter_top_up(weir_limiter* limiter, weir_reservation* reservation,
                                         const uint64_t* more, size_t more_count,
                                         const weir_now* now, weir_limit_verdict* verdicts,
                                         weir_limit_decision* decision, weir_error* error);

/* What was really used, of one charge. */
typedef struct weir_limit_actual {
  uint32_t size;     /* sizeof(weir_limit_actual) */
  int32_t unlearned; /* not 0: the work failed or broke off, so `learned` is to learn nothing */
  uint64_t cost;     /* the whole real cost, with what was reserved for it */
  uint64_t headroom_used; /* the output part of it, which `learned` learns from */
} weir_limit_actual;

/* Ends a reservation: corrects the bookings to what was used. Less is given back; more is booked,
 * over the amount too: a debt that the next ones wait for. `actuals` has one element for each
 * charge in the order of _reserve; a charge without one stays as it was reserved. Of one that has
 * ended already nothing changes. INVALID_ARGUMENT: it is another limiter's. */
WEIR_API weir_status weir_limiter_settle(weir_limiter* limiter, weir_reservation* reservation,
                                         const weir_limit_actual* actuals, size_t actual_count,
                                         const weir_now* now, weir_error* error);

/* Ends a reservation as if it had never been: everything is given back. Of one that has ended
 * already nothing changes. INVALID_ARGUMENT: it is another limiter's. */
WEIR_API weir_status weir_limiter_release(weir_limiter* limiter, weir_reservation* reservation,
                                          const weir_now* now, weir_error* error);

/* Releases what has not ended, at the last `now` that the reservation was given. */
WEIR_API void weir_reservation_free(weir_reservation* reservation);

/* The counter of a charge as it stands, and what it would answer; nothing changes.
 * INVALID_ARGUMENT: no such rule. Threads: any. */
WEIR_API weir_status weir_limiter_peek(const weir_limiter* limiter, const weir_limit_charge* charge,
                                       const weir_now* now, weir_limit_verdict* verdict,
                                       weir_error* error);

/* Books `cost` without asking: for costs that are known only afterwards. When every counter is in
 * use, nothing is booked for a new key. INVALID_ARGUMENT: no such rule. Threads: any. */
WEIR_API weir_status weir_limiter_book(weir_limiter* limiter, const weir_limit_charge* charge,
                                       const weir_now* now, weir_error* error);

/* Another amount for a rule, for `key` alone or (null) for every key without one of its own, in all
 * processes, for `for_ms` from now; 0 ends it. Counts are kept; 0 lets nothing pass. A charge with
 * an amount of its own is not affected. INVALID_ARGUMENT: no such rule, or an amount above 2^53;
 * RESOURCE_EXHAUSTED: every counter is in use. Threads: any. */
WEIR_API weir_status weir_limiter_override(weir_limiter* limiter, uint32_t rule, const char* key,
                                           size_t key_size, uint64_t amount, int64_t for_ms,
                                           const weir_now* now, weir_error* error);

WEIR_API void weir_limiter_free(weir_limiter* limiter);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_H_ */
