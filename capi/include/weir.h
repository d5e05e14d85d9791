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
 * (weir_stream_meter).
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
 *   except that weir_engine is safe from any thread at any time.
 * - Structs begin with `size` (set it to sizeof); they only ever grow at the end. A shorter struct
 *   of an older caller means defaults for the rest; a longer one whose unknown tail is not zero
 *   is UNIMPLEMENTED.
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
} weir_engine_options;

/* Makes an engine. `options` may be null. FAILED_PRECONDITION names a secret that has no value.
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

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_H_ */
