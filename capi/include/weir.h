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
 * (weir_stream_meter): weir_counting.h. So do limits, a keyed limiter for anything:
 * weir_limiting.h; a circuit breaker for anything: weir_breaking.h; a balancer for anything:
 * weir_balancing.h; and a similarity cache for anything, with what tells whether two texts can mean
 * the same: weir_caching.h. Ledger files, a line for each exchange, are in weir_bookkeeping.h. All
 * are parts of this header, which includes them.
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
 *   except that weir_engine, weir_state, weir_limiter, weir_breaker, weir_balancer, weir_cache and
 *   weir_ledger are safe from any thread at any time.
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

/* Writes what a sound document says that silently does nothing, in the same form: entries that
 * nothing uses, routes that are never reached, fields that others leave no effect. *needed is 0
 * when there is nothing of the kind, and for a document with faults. Threads: any. */
WEIR_API weir_status weir_policy_warnings(const char* text, size_t text_size, char* buffer,
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

/* The metrics in Prometheus text format 0.0.4, of all processes that share the state. Threads: any.
 */
WEIR_API weir_status weir_engine_metrics(weir_engine* engine, char* buffer, size_t capacity,
                                         size_t* needed, weir_error* error);

/* The same in the form that a scraper's Accept header asks for (empty: there is none): OpenMetrics
 * 1.0.0 with exemplars, or Prometheus text. `content_type` is what to answer with, static and
 * NUL-terminated. Threads: any. */
WEIR_API weir_status weir_engine_metrics_as(weir_engine* engine, const char* accept,
                                            size_t accept_size, const char** content_type,
                                            char* buffer, size_t capacity, size_t* needed,
                                            weir_error* error);

/* In what form metrics are sent. */
enum {
  WEIR_EXPORT_OTLP_CUMULATIVE = 1, /* OTLP/HTTP JSON: all since counting began */
  WEIR_EXPORT_OTLP_DELTA = 2,      /* the same, what came since the last batch that arrived */
  WEIR_EXPORT_TRACK = 3            /* Application Insights' track, an envelope a line; deltas */
};

typedef struct weir_export_options {
  uint32_t size;            /* sizeof(weir_export_options) */
  uint32_t format;          /* WEIR_EXPORT_… */
  const char* service_name; /* OTLP: the resource's service.name; empty: none */
  size_t service_name_size;
  const char* instrumentation_key; /* TRACK: iKey */
  size_t instrumentation_key_size;
  const char* metric_namespace; /* TRACK; empty: "API Management" */
  size_t metric_namespace_size;
} weir_export_options;

/* A batch of metrics for the host to send. No bytes: nothing is to be sent. Of deltas, the same
 * bytes come again, in whichever process asks, until weir_engine_acknowledge_metrics says that the
 * batch `number` arrived; so a batch that is lost, or whose sender is killed, is neither lost nor
 * told twice. 0: there is nothing to acknowledge. RESOURCE_EXHAUSTED: the state has no room for
 * what deltas need, 16 MiB a format. Threads: any. */
WEIR_API weir_status weir_engine_export_metrics(weir_engine* engine,
                                                const weir_export_options* options,
                                                const weir_now* now, uint64_t* number, char* buffer,
                                                size_t capacity, size_t* needed, weir_error* error);

/* The batch arrived. FAILED_PRECONDITION: it is not under way, acknowledged already for instance.
 * Threads: any. */
WEIR_API weir_status weir_engine_acknowledge_metrics(weir_engine* engine, uint32_t format,
                                                     uint64_t number, weir_error* error);

/* The state of backends (their circuits: state, since, why, until) and of pools (who is usable, why
 * not, until when, what is under way), the limits that the policy in force sets (unit, amount
 * unless an expression gives it, window), and what each cache holds and has done (entries,
 * partitions, hits, misses by reason; of all processes since it was made), as one JSON object.
 * Threads: any. */
WEIR_API weir_status weir_engine_status(weir_engine* engine, const weir_now* now, char* buffer,
                                        size_t capacity, size_t* needed, weir_error* error);

/* The circuits that tripped, half-opened or were reset after the change numbered `since`, in all
 * processes that share the state, as JSON in the form of weir_breaker_changes_json: for alerts and
 * logs. Threads: any. */
WEIR_API weir_status weir_engine_changes_json(weir_engine* engine, uint64_t since, char* buffer,
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

/* Takes answers out of the policy's cache of this name, in all processes that share the state.
 * `which`: WEIR_PURGE_ALL (`what` is empty), WEIR_PURGE_PARTITION (`what` is what the expressions
 * of the cache's "partition" give, one a line), WEIR_PURGE_MODEL (the model that requests asked
 * for) or WEIR_PURGE_ENTRY (the "entry" that weir_txn_explain tells of a hit). *removed, which may
 * be null: how many; what is kept meanwhile may stay. NOT_FOUND: the policy in force has no such
 * cache; INVALID_ARGUMENT: `what` is not of that kind. Threads: any; transactions go on. */
WEIR_API weir_status weir_engine_purge_cache(weir_engine* engine, const char* cache,
                                             size_t cache_size, int32_t which, const char* what,
                                             size_t what_size, uint64_t* removed,
                                             weir_error* error);

WEIR_API void weir_engine_free(weir_engine* engine);

/* ---- Transaction: one client request, from its head to the last byte of its answer ---- */

/* What the host is to do next. */
enum {
  WEIR_ACTION_CONTINUE = 1, /* feed more. After a response head: relay status and edited headers.
                               After response bytes: relay what WEIR_RELAY_* says */
  WEIR_ACTION_FORWARD = 2,  /* send the request to this backend (url, target, header edits, body);
                               give up at deadline_mono_ns with WEIR_FAILURE_TIMEOUT */
  WEIR_ACTION_REPLY = 3,    /* answer the client: status, headers, body. Nothing was relayed yet */
  WEIR_ACTION_CALL = 4,     /* POST this side request (url, target, headers, body) and answer with
                               weir_txn_call_result under call_id by deadline_mono_ns, or
                               call weir_txn_next then without. One without a url asks the host
                               itself for the vector of a text (body), by the embedder that target
                               names: weir_txn_call_vector. A host that cannot answers with status
                               0, and the request goes on */
  WEIR_ACTION_WAIT = 5,     /* call weir_txn_next again at deadline_mono_ns; 0: an attempt is still
                               under way, feed its answer first */
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
  /* FORWARD: call weir_txn_next again at this time if no answer has begun by then, for another
   * attempt beside this one. 0 = no need. A host that does not is served as if nothing were asked
   * for. */
  int64_t wake_mono_ns;
  uint32_t parallel; /* FORWARD: 1: the attempts under way go on beside this one. Say whose answer
                        is fed with weir_txn_response_from; once one leads to CONTINUE or REPLY,
                        drop the others */
  uint32_t reserved; /* 0 */
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

/* The attempt (weir_action.attempt) that the next calls feed, where several are under way; without
 * it they are about the last one sent. FAILED_PRECONDITION: no such attempt awaits its answer. */
WEIR_API weir_status weir_txn_response_from(weir_txn* txn, uint32_t attempt, weir_error* error);

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
 * open (any more): its deadline passed, and the request went on. */
WEIR_API weir_status weir_txn_call_result(weir_txn* txn, uint64_t call_id, int32_t status,
                                          const char* body, size_t body_size, weir_error* error);

/* The same for a CALL that asks for a vector, by a host that has it: `count` components, as many as
 * the policy's `dimensions`. */
WEIR_API weir_status weir_txn_call_vector(weir_txn* txn, uint64_t call_id, const float* vector,
                                          size_t count, weir_error* error);

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
  WEIR_HEADER_SET = 1,    /* replace every header of this name by this one */
  WEIR_HEADER_REMOVE = 2, /* remove every header of this name; the value is empty */
  WEIR_HEADER_ADD = 3     /* one more header of this name, beside those there are (set-cookie) */
};

/* The index-th header edit: FORWARD edits the client's headers, CONTINUE the backend's, REPLY and
 * CALL list all there are. DONE may have more for the answer's head, for a host that has held it
 * back (x-weir-tokens-consumed). OUT_OF_RANGE: no such index. */
WEIR_API weir_status weir_txn_header(const weir_txn* txn, uint32_t index, int32_t* operation,
                                     const char** name, size_t* name_size, const char** value,
                                     size_t* value_size);

/* Time that weir took in this exchange, measured by the host round its calls: weir reads no clock.
 * What is said of one transaction is added up, and becomes one observation of weir.overhead when it
 * is freed. A negative `ns` is INVALID_ARGUMENT. */
WEIR_API weir_status weir_txn_add_overhead(weir_txn* txn, int64_t ns, weir_error* error);

/* What was decided and why, as one JSON object: route, consumer, model, attempts, backends that
 * took no such request and why, limits, usage with its provenance, status. No credential and no
 * prompt text is in it. May be asked at any time; after REPLY, FINISH, DONE and
 * weir_txn_client_left it is complete. A policy may have it told to clients too, by a header edit
 * ("headers": {"x-weir-explain": true}; up to 4 KiB), and written into the ledger's lines
 * ("ledger": {"explain": true}); both in ASCII. */
WEIR_API weir_status weir_txn_explain(const weir_txn* txn, char* buffer, size_t capacity,
                                      size_t* needed, weir_error* error);

/* Ends the transaction. What is still open is settled now: a client that left in the middle of an
 * answer is charged for the text counted so far. Threads: the one that has it. */
WEIR_API void weir_txn_free(weir_txn* txn);

#ifdef __cplusplus
} /* extern "C" */
#endif

#include "weir_balancing.h"
#include "weir_bookkeeping.h"
#include "weir_breaking.h"
#include "weir_caching.h"
#include "weir_counting.h"
#include "weir_limiting.h"

#endif /* WEIR_H_ */
