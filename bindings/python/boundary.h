/* boundary.h: what the Python module does on the C side: several calls of weir.h in one crossing of
 * the boundary. What they decided comes back as one number and, if there is more to say, as one run
 * of bytes, so that Python copies once instead of calling for each view.
 * The module's declarations are made from this header, as from weir.h. */

#ifndef WEIR_BINDINGS_PYTHON_BOUNDARY_H_
#define WEIR_BINDINGS_PYTHON_BOUNDARY_H_

#include <weir.h>

/* Bytes that grow. */
typedef struct weir_python_bytes {
  char* bytes;
  size_t size;
  size_t capacity;
} weir_python_bytes;

/* Where a record begins. Behind it: the url, the target, and three lines for each header edit: the
 * operation's digit, the name in lower case, the value. A header is one line: an edit to something
 * else becomes a removal, so that no text can put headers of its own into a message. */
typedef struct weir_python_record {
  int64_t deadline_mono_ns;
  int64_t wake_mono_ns;
  uint64_t call_id;
  uint32_t attempt;
  uint8_t parallel;
  uint8_t unused[3];
  uint32_t url_size;
  uint32_t target_size;
} weir_python_record;

/* A transaction and its last action, until the next call about it. */
typedef struct weir_python_exchange {
  weir_txn* txn;
  const char* body; /* what weir_txn_body gives */
  size_t body_size;
  weir_python_bytes record; /* a weir_python_record, and what is behind it */
  weir_python_bytes answer; /* bytes to relay, of weir_python_response */
  weir_action action;
  weir_error error;
} weir_python_exchange;

/* Null: `error` says why. */
weir_python_exchange* weir_python_open(weir_engine* engine, weir_error* error);
void weir_python_close(weir_python_exchange* x);

/* All that follow feed, decide and give what was decided:
 *   below 0      minus the weir_status of the call that failed; x->error says why
 *   else         the action's kind, and these, or-ed; the status to relay or to reply from bit 8 up
 * `now` may be null: the system's clocks. `pairs` are headers: a line for each name and for each
 * value, not fewer than twice pair_count; more are INVALID_ARGUMENT. */
enum {
  WEIR_PYTHON_KIND = 15,
  WEIR_PYTHON_INPUT = 16,  /* relay the bytes just fed */
  WEIR_PYTHON_BODY = 32,   /* there is a body */
  WEIR_PYTHON_RECORD = 64, /* there is a record */
  WEIR_PYTHON_STATUS = 256 /* times the status */
};

int32_t weir_python_next(weir_python_exchange* x, const weir_now* now);

/* The request's head. */
int32_t weir_python_request_head(weir_python_exchange* x, const char* method, size_t method_size,
                                 const char* target, size_t target_size, const char* client,
                                 size_t client_size, const char* pairs, size_t pairs_size,
                                 size_t pair_count, const weir_now* now);

/* The rest of its body, and its end. */
int32_t weir_python_request_end(weir_python_exchange* x, const char* body, size_t body_size,
                                const weir_now* now);

/* A whole request; where its head decides already, the body is left unread. */
int32_t weir_python_request(weir_python_exchange* x, const char* method, size_t method_size,
                            const char* target, size_t target_size, const char* client,
                            size_t client_size, const char* pairs, size_t pairs_size,
                            size_t pair_count, const char* body, size_t body_size,
                            const weir_now* now);

int32_t weir_python_response_head(weir_python_exchange* x, int32_t status, const char* pairs,
                                  size_t pairs_size, size_t pair_count, const weir_now* now);
int32_t weir_python_response_body(weir_python_exchange* x, const char* bytes, size_t bytes_size,
                                  const weir_now* now);
int32_t weir_python_response_end(weir_python_exchange* x, const weir_now* now);

/* A whole answer. Of one that is to be relayed: all its header edits, status and bytes. */
int32_t weir_python_response(weir_python_exchange* x, int32_t status, const char* pairs,
                             size_t pairs_size, size_t pair_count, const char* body,
                             size_t body_size, const weir_now* now);

int32_t weir_python_response_failed(weir_python_exchange* x, int32_t failure, const weir_now* now);

/* The tokens of a text; UINT64_MAX: `error` says why not. */
uint64_t weir_python_count(const weir_tokenizer* tokenizer, const char* text, size_t text_size,
                           weir_error* error);

/* The system's clocks. */
void weir_python_now(weir_now* now);

/* Nothing: what the boundary itself costs. */
uint32_t weir_python_nothing(void);

#endif /* WEIR_BINDINGS_PYTHON_BOUNDARY_H_ */
