/* crossing.h: several calls of weir.h in one crossing from Go to C, and structs whose texts Go may
 * not point at.
 *
 * A cgo call costs some tens of nanoseconds whatever it does, and a struct in Go's memory may hold
 * no pointer into Go's memory. So what belongs together goes over at once; texts travel beside the
 * structs, or packed: each as its size (uint32_t, of this machine) and its bytes. */

#ifndef WEIR_BINDINGS_GO_CROSSING_H_
#define WEIR_BINDINGS_GO_CROSSING_H_

#include <weir.h>

/* ---- Transactions ---- */

typedef struct weir_go_text {
  const char* bytes;
  size_t size;
} weir_go_text;

typedef struct weir_go_edit {
  weir_go_text name, value;
  int64_t operation; /* WEIR_HEADER_… */
} weir_go_edit;

/* A transaction and the last action with all its views; lives in C's memory. */
typedef struct weir_go_txn {
  weir_txn* txn;
  weir_status status; /* of weir_go_begin */
  weir_action action;
  weir_go_text url, target, body;
  weir_go_edit* edits; /* action.header_count of them */
  size_t edit_capacity;
  weir_error error; /* of the last call that failed */
} weir_go_txn;

/* The clocks are read by Go, and passed by value: a pointer would put them on its heap. */
#define WEIR_GO_NOW int64_t mono_ns, int64_t unix_ns

/* Begins a transaction, feeds method, target and client, headers and attributes (packed, names and
 * values in turn) and decides; `status` is that of the first call that failed. Null: no memory.
 * Whoever gets one frees it. */
weir_go_txn* weir_go_begin(weir_engine* engine, const char* packed, size_t header_count,
                           size_t attribute_count, WEIR_GO_NOW);

/* Each feeds and decides. The status is that of the first call that failed. */
weir_status weir_go_next(weir_go_txn* t, WEIR_GO_NOW);
weir_status weir_go_request_body(weir_go_txn* t, const char* bytes, size_t size, int is_last,
                                 WEIR_GO_NOW);
weir_status weir_go_response_head(weir_go_txn* t, int32_t status, const char* packed,
                                  size_t header_count, WEIR_GO_NOW);
weir_status weir_go_response_body(weir_go_txn* t, const char* bytes, size_t size, WEIR_GO_NOW);
weir_status weir_go_response_end(weir_go_txn* t, WEIR_GO_NOW);
weir_status weir_go_response_failed(weir_go_txn* t, int32_t failure, WEIR_GO_NOW);
weir_status weir_go_call_result(weir_go_txn* t, uint64_t call_id, int32_t status, const char* body,
                                size_t size, WEIR_GO_NOW);
weir_status weir_go_call_vector(weir_go_txn* t, uint64_t call_id, const float* vector, size_t count,
                                WEIR_GO_NOW);

/* The rest of weir_txn_. */
weir_status weir_go_response_from(weir_go_txn* t, uint32_t attempt);
weir_status weir_go_client_left(weir_go_txn* t, WEIR_GO_NOW);
void weir_go_txn_free(weir_go_txn* t);

/* ---- Limiters ---- */

/* A weir_limit_charge without its texts, which follow one another in `texts`: key, model. */
typedef struct weir_go_charge {
  uint32_t rule;
  uint32_t weight;
  uint64_t cost, headroom, amount;
  size_t key_size, model_size;
  int32_t learned, has_amount;
} weir_go_charge;

typedef struct weir_go_decision {
  weir_status status;
  weir_limit_decision decision;
  weir_reservation* reservation; /* null: take, or nothing was booked */
} weir_go_decision;

/* With `reserves` weir_limiter_reserve, else weir_limiter_take. */
weir_go_decision weir_go_decide(weir_limiter* limiter, int reserves, const weir_go_charge* charges,
                                size_t count, const char* texts, weir_limit_verdict* verdicts,
                                WEIR_GO_NOW, weir_error* error);
weir_go_decision weir_go_top_up(weir_limiter* limiter, weir_reservation* reservation,
                                const uint64_t* more, size_t count, weir_limit_verdict* verdicts,
                                size_t verdict_count, WEIR_GO_NOW, weir_error* error);
weir_status weir_go_peek(const weir_limiter* limiter, const weir_go_charge* charge,
                         const char* texts, weir_limit_verdict* verdict, WEIR_GO_NOW,
                         weir_error* error);
weir_status weir_go_book(weir_limiter* limiter, const weir_go_charge* charge, const char* texts,
                         WEIR_GO_NOW, weir_error* error);

/* ---- Caches: `texts` are partition and key, one after the other ---- */

weir_status weir_go_cache_lookup(weir_cache* cache, const weir_cache_query* query,
                                 const char* texts, const float* vector, WEIR_GO_NOW, char* buffer,
                                 size_t capacity, size_t* needed, weir_cache_answer* answer,
                                 weir_error* error);
weir_status weir_go_cache_insert(weir_cache* cache, const weir_cache_entry* entry,
                                 const char* texts, const float* vector, const char* value,
                                 WEIR_GO_NOW, uint64_t* id, weir_error* error);

/* ---- Options whose texts travel beside them ---- */

weir_status weir_go_engine_new(weir_policy* policy, const weir_engine_options* options,
                               const char* state_file, weir_engine** engine, weir_error* error);
/* `texts`: service name, instrumentation key, metric namespace. */
weir_status weir_go_export_metrics(weir_engine* engine, const weir_export_options* options,
                                   const char* texts, WEIR_GO_NOW, uint64_t* number, char* buffer,
                                   size_t capacity, size_t* needed, weir_error* error);
weir_status weir_go_balancer_pick(weir_balancer* balancer, const weir_balance_ask* ask,
                                  const char* key, const uint16_t* refused, WEIR_GO_NOW,
                                  int32_t* member, int64_t* returns_at_ns, weir_error* error);
/* `texts` are the target and the model, one after the other. */
weir_status weir_go_count_request(const weir_request_options* options, const char* texts,
                                  const char* body, size_t body_size, weir_prompt_count* count,
                                  weir_error* error);
weir_status weir_go_count_request_json(const weir_request_options* options, const char* texts,
                                       const char* body, size_t body_size, char* buffer,
                                       size_t capacity, size_t* needed, weir_error* error);
/* `texts`: content type, content encoding and model. */
weir_status weir_go_stream_meter_new(const weir_stream_meter_options* options, const char* texts,
                                     weir_stream_meter** meter, weir_error* error);
/* `packed`: the texts of weir_retry_headers, in its order. */
weir_status weir_go_retry_after(const char* packed, WEIR_GO_NOW, int64_t cap_ns,
                                int64_t* retry_after_ns, weir_error* error);

/* CLOCK_MONOTONIC, which processes that share a state must agree upon. */
int64_t weir_go_monotonic_ns(void);

#endif /* WEIR_BINDINGS_GO_CROSSING_H_ */
