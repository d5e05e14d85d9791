#define _POSIX_C_SOURCE 200809L

#include "boundary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static weir_now system_now(void) {
  const weir_now now = {read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_REALTIME)};
  return now;
}

static weir_status fail(weir_error* error, weir_status status, const char* message) {
  error->code = status;
  error->offset = 0;
  error->line = error->column = 0;
  snprintf(error->message, sizeof(error->message), "%s", message);
  return status;
}

static weir_status no_memory(weir_error* error) {
  return fail(error, WEIR_RESOURCE_EXHAUSTED, "no memory at the boundary to Python");
}

weir_python_exchange* weir_python_open(weir_engine* engine, weir_error* error) {
  weir_python_exchange* x = malloc(sizeof(*x));
  if (x == NULL) {
    no_memory(error);
    return NULL;
  }
  memset(x, 0, offsetof(weir_python_exchange, error));
  x->error.size = sizeof(x->error);
  if (weir_txn_new(engine, &x->txn, error) == WEIR_OK) return x;
  free(x);
  return NULL;
}

void weir_python_close(weir_python_exchange* x) {
  if (x == NULL) return;
  weir_txn_free(x->txn);
  free(x->record.bytes);
  free(x->answer.bytes);
  free(x);
}

/* ---- What was decided ---- */

static weir_status append(weir_python_exchange* x, weir_python_bytes* to, const void* bytes,
                          size_t size) {
  if (to->capacity - to->size < size) {
    const size_t capacity = 2 * (to->size + size) + 256;
    char* grown = realloc(to->bytes, capacity);
    if (grown == NULL) return no_memory(&x->error);
    to->bytes = grown;
    to->capacity = capacity;
  }
  if (size != 0) memcpy(to->bytes + to->size, bytes, size);
  to->size += size;
  return WEIR_OK;
}

/* Where to, and until when. */
static weir_status begin_record(weir_python_exchange* x) {
  const weir_action* action = &x->action;
  const char *url = NULL, *target = NULL;
  size_t url_size = 0, target_size = 0;
  weir_status status = weir_txn_url(x->txn, &url, &url_size);
  if (status == WEIR_OK) status = weir_txn_target(x->txn, &target, &target_size);
  const weir_python_record record = {.deadline_mono_ns = action->deadline_mono_ns,
                                     .wake_mono_ns = action->wake_mono_ns,
                                     .call_id = action->call_id,
                                     .attempt = action->attempt,
                                     .parallel = action->parallel != 0,
                                     .url_size = (uint32_t)url_size,
                                     .target_size = (uint32_t)target_size};
  if (status == WEIR_OK) status = append(x, &x->record, &record, sizeof(record));
  if (status == WEIR_OK) status = append(x, &x->record, url, url_size);
  return status == WEIR_OK ? append(x, &x->record, target, target_size) : status;
}

static weir_status append_line(weir_python_exchange* x, const char* text, size_t size) {
  const weir_status status = append(x, &x->record, text, size);
  return status == WEIR_OK ? append(x, &x->record, "\n", 1) : status;
}

static int is_line(const char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (text[i] == '\n' || text[i] == '\r' || text[i] == '\0') return 0;
  }
  return 1;
}

static void lower(char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] - 'A' + 'a');
  }
}

static weir_status append_edit(weir_python_exchange* x, uint32_t index) {
  int32_t operation = 0;
  const char *name = NULL, *value = NULL;
  size_t name_size = 0, value_size = 0;
  weir_status status =
      weir_txn_header(x->txn, index, &operation, &name, &name_size, &value, &value_size);
  if (status != WEIR_OK || !is_line(name, name_size)) return status;
  if (!is_line(value, value_size)) {
    operation = WEIR_HEADER_REMOVE;
    value_size = 0;
  }
  const char digit = (char)('0' + operation);
  status = append_line(x, &digit, 1);
  if (status == WEIR_OK) status = append_line(x, name, name_size);
  if (status != WEIR_OK) return status;
  lower(x->record.bytes + x->record.size - name_size - 1, name_size);
  return append_line(x, value, value_size);
}

static int has_place(int32_t kind) {
  return kind == WEIR_ACTION_FORWARD || kind == WEIR_ACTION_CALL || kind == WEIR_ACTION_WAIT;
}

static weir_status decide(weir_python_exchange* x, const weir_now* now) {
  const weir_now at = now == NULL ? system_now() : *now;
  x->action.size = sizeof(x->action);
  weir_status status = weir_txn_next(x->txn, &at, &x->action, &x->error);
  if (status != WEIR_OK) return status;
  const uint32_t edits = x->action.header_count;
  if (x->record.size == 0 && (edits != 0 || has_place(x->action.kind))) status = begin_record(x);
  for (uint32_t i = 0; i < edits && status == WEIR_OK; ++i) status = append_edit(x, i);
  return status == WEIR_OK ? weir_txn_body(x->txn, &x->body, &x->body_size) : status;
}

/* The number that says what was decided. */
static int32_t decided(const weir_python_exchange* x, weir_status status) {
  if (status != WEIR_OK) return -status;
  int32_t what = x->action.kind | x->action.status * WEIR_PYTHON_STATUS;
  if (x->action.relay == WEIR_RELAY_INPUT) {
    what |= WEIR_PYTHON_INPUT;
  } else if (x->body_size != 0) {
    what |= WEIR_PYTHON_BODY;
  }
  return x->record.size == 0 ? what : what | WEIR_PYTHON_RECORD;
}

static int32_t decide_after(weir_python_exchange* x, weir_status fed, const weir_now* now) {
  x->record.size = 0;
  return decided(x, fed == WEIR_OK ? decide(x, now) : fed);
}

int32_t weir_python_next(weir_python_exchange* x, const weir_now* now) {
  return decide_after(x, WEIR_OK, now);
}

/* ---- Requests ---- */

typedef weir_status (*pair_call)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);

/* The size of the line that begins here. */
static size_t line_size(const char* text, const char* end) {
  const char* stop = memchr(text, '\n', (size_t)(end - text));
  return (size_t)((stop == NULL ? end : stop) - text);
}

static weir_status feed_pairs(weir_python_exchange* x, pair_call call, const char* pairs,
                              size_t pairs_size, size_t pair_count) {
  const char* const end = pairs + pairs_size;
  weir_status status = WEIR_OK;
  for (size_t i = 0; i < pair_count && status == WEIR_OK; ++i) {
    const size_t name_size = line_size(pairs, end);
    const char* value = pairs + name_size + 1;
    const size_t value_size = line_size(value, end);
    status = call(x->txn, pairs, name_size, value, value_size, &x->error);
    pairs = value + value_size + (i + 1 < pair_count);
  }
  return status == WEIR_OK && pairs != end
             ? fail(&x->error, WEIR_INVALID_ARGUMENT, "a header is more than one line")
             : status;
}

int32_t weir_python_request_head(weir_python_exchange* x, const char* method, size_t method_size,
                                 const char* target, size_t target_size, const char* client,
                                 size_t client_size, const char* pairs, size_t pairs_size,
                                 size_t pair_count, const weir_now* now) {
  weir_status status = weir_txn_request_head(x->txn, method, method_size, target, target_size,
                                             client, client_size, &x->error);
  if (status == WEIR_OK) {
    status = feed_pairs(x, weir_txn_request_header, pairs, pairs_size, pair_count);
  }
  return decide_after(x, status, now);
}

int32_t weir_python_request_end(weir_python_exchange* x, const char* body, size_t body_size,
                                const weir_now* now) {
  weir_status status = weir_txn_request_body(x->txn, body, body_size, &x->error);
  if (status == WEIR_OK) status = weir_txn_request_end(x->txn, &x->error);
  return decide_after(x, status, now);
}

int32_t weir_python_request(weir_python_exchange* x, const char* method, size_t method_size,
                            const char* target, size_t target_size, const char* client,
                            size_t client_size, const char* pairs, size_t pairs_size,
                            size_t pair_count, const char* body, size_t body_size,
                            const weir_now* now) {
  const weir_now at = now == NULL ? system_now() : *now;
  const int32_t what = weir_python_request_head(x, method, method_size, target, target_size, client,
                                                client_size, pairs, pairs_size, pair_count, &at);
  if (what < 0 || x->action.kind != WEIR_ACTION_CONTINUE) return what;
  return weir_python_request_end(x, body, body_size, &at);
}

/* ---- Answers ---- */

static weir_status feed_head(weir_python_exchange* x, int32_t status, const char* pairs,
                             size_t pairs_size, size_t pair_count) {
  const weir_status fed = weir_txn_response_head(x->txn, status, &x->error);
  if (fed != WEIR_OK) return fed;
  return feed_pairs(x, weir_txn_response_header, pairs, pairs_size, pair_count);
}

int32_t weir_python_response_head(weir_python_exchange* x, int32_t status, const char* pairs,
                                  size_t pairs_size, size_t pair_count, const weir_now* now) {
  return decide_after(x, feed_head(x, status, pairs, pairs_size, pair_count), now);
}

int32_t weir_python_response_body(weir_python_exchange* x, const char* bytes, size_t bytes_size,
                                  const weir_now* now) {
  return decide_after(x, weir_txn_response_body(x->txn, bytes, bytes_size, &x->error), now);
}

int32_t weir_python_response_end(weir_python_exchange* x, const weir_now* now) {
  return decide_after(x, weir_txn_response_end(x->txn, &x->error), now);
}

/* Adds what the last action says is to be relayed. */
static weir_status keep_relayed(weir_python_exchange* x, const char* fed, size_t fed_size) {
  if (x->action.relay == WEIR_RELAY_INPUT) return append(x, &x->answer, fed, fed_size);
  return append(x, &x->answer, x->body, x->body_size);
}

/* Body and end of an answer whose head is to be relayed. */
static weir_status feed_rest(weir_python_exchange* x, const char* body, size_t body_size,
                             const weir_now* now) {
  x->answer.size = 0;
  weir_status status = WEIR_OK;
  if (body_size != 0) {
    status = weir_txn_response_body(x->txn, body, body_size, &x->error);
    if (status == WEIR_OK) status = decide(x, now);
    if (status == WEIR_OK) status = keep_relayed(x, body, body_size);
  }
  if (status != WEIR_OK || x->action.kind != WEIR_ACTION_CONTINUE) return status;
  status = weir_txn_response_end(x->txn, &x->error);
  if (status == WEIR_OK) status = decide(x, now);
  return status == WEIR_OK ? keep_relayed(x, NULL, 0) : status;
}

int32_t weir_python_response(weir_python_exchange* x, int32_t status, const char* pairs,
                             size_t pairs_size, size_t pair_count, const char* body,
                             size_t body_size, const weir_now* now) {
  const weir_now at = now == NULL ? system_now() : *now;
  const int32_t what = weir_python_response_head(x, status, pairs, pairs_size, pair_count, &at);
  if (what < 0 || x->action.kind != WEIR_ACTION_CONTINUE) return what;
  const int32_t relayed_status = x->action.status;
  const weir_status fed = feed_rest(x, body, body_size, &at);
  x->action.status = relayed_status;
  x->action.relay = WEIR_RELAY_VIEW;
  x->body = x->answer.bytes;
  x->body_size = x->answer.size;
  return decided(x, fed);
}

int32_t weir_python_response_failed(weir_python_exchange* x, int32_t failure, const weir_now* now) {
  return decide_after(x, weir_txn_response_failed(x->txn, failure, &x->error), now);
}

/* ---- Alone ---- */

uint64_t weir_python_count(const weir_tokenizer* tokenizer, const char* text, size_t text_size,
                           weir_error* error) {
  uint64_t count = 0;
  const weir_status status = weir_tokenizer_count(tokenizer, text, text_size, &count, error);
  return status == WEIR_OK ? count : UINT64_MAX;
}

void weir_python_now(weir_now* now) { *now = system_now(); }

uint32_t weir_python_nothing(void) { return 0; }
