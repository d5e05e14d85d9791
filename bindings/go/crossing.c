#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include "crossing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW \
  { mono_ns, unix_ns }

/* The next packed text. */
static weir_go_text unpack(const char** packed) {
  uint32_t size;
  memcpy(&size, *packed, sizeof(size));
  const weir_go_text text = {*packed + sizeof(size), size};
  *packed += sizeof(size) + size;
  return text;
}

/* ---- Transactions ---- */

typedef weir_status (*pair_call)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);

static weir_status feed_pairs(weir_go_txn* t, pair_call call, size_t count, const char** packed) {
  weir_status status = WEIR_OK;
  for (size_t i = 0; i < count && status == WEIR_OK; ++i) {
    const weir_go_text name = unpack(packed);
    const weir_go_text value = unpack(packed);
    status = call(t->txn, name.bytes, name.size, value.bytes, value.size, &t->error);
  }
  return status;
}

static weir_status take_edits(weir_go_txn* t) {
  const size_t count = t->action.header_count;
  if (count > t->edit_capacity) {
    weir_go_edit* const grown = realloc(t->edits, count * sizeof(*grown));
    if (grown == NULL) return WEIR_RESOURCE_EXHAUSTED;
    t->edits = grown;
    t->edit_capacity = count;
  }
  for (size_t i = 0; i < count; ++i) {
    weir_go_edit* const edit = &t->edits[i];
    int32_t operation = 0;
    const weir_status status =
        weir_txn_header(t->txn, (uint32_t)i, &operation, &edit->name.bytes, &edit->name.size,
                        &edit->value.bytes, &edit->value.size);
    if (status != WEIR_OK) return status;
    edit->operation = operation;
  }
  return WEIR_OK;
}

weir_status weir_go_next(weir_go_txn* t, WEIR_GO_NOW) {
  const weir_now now = NOW;
  t->action.size = sizeof(t->action);
  weir_status status = weir_txn_next(t->txn, &now, &t->action, &t->error);
  if (status != WEIR_OK) return status;
  t->error.message[0] = '\0'; /* what is below gives a status only */
  status = weir_txn_url(t->txn, &t->url.bytes, &t->url.size);
  if (status == WEIR_OK) status = weir_txn_target(t->txn, &t->target.bytes, &t->target.size);
  if (status == WEIR_OK) status = weir_txn_body(t->txn, &t->body.bytes, &t->body.size);
  if (status == WEIR_OK) status = take_edits(t);
  return status;
}

weir_go_txn* weir_go_begin(weir_engine* engine, const char* packed, size_t header_count,
                           size_t attribute_count, WEIR_GO_NOW) {
  weir_go_txn* const t = calloc(1, sizeof(*t));
  if (t == NULL) return NULL;
  t->error.size = sizeof(t->error);
  t->status = weir_txn_new(engine, &t->txn, &t->error);
  if (t->status != WEIR_OK) return t;
  const weir_go_text method = unpack(&packed);
  const weir_go_text target = unpack(&packed);
  const weir_go_text client = unpack(&packed);
  t->status = weir_txn_request_head(t->txn, method.bytes, method.size, target.bytes, target.size,
                                    client.bytes, client.size, &t->error);
  if (t->status == WEIR_OK) {
    t->status = feed_pairs(t, weir_txn_request_header, header_count, &packed);
  }
  if (t->status == WEIR_OK) {
    t->status = feed_pairs(t, weir_txn_attribute, attribute_count, &packed);
  }
  if (t->status == WEIR_OK) t->status = weir_go_next(t, mono_ns, unix_ns);
  return t;
}

weir_status weir_go_request_body(weir_go_txn* t, const char* bytes, size_t size, int is_last,
                                 WEIR_GO_NOW) {
  weir_status status = WEIR_OK;
  if (size != 0) status = weir_txn_request_body(t->txn, bytes, size, &t->error);
  if (status == WEIR_OK && is_last) status = weir_txn_request_end(t->txn, &t->error);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_response_head(weir_go_txn* t, int32_t code, const char* packed,
                                  size_t header_count, WEIR_GO_NOW) {
  weir_status status = weir_txn_response_head(t->txn, code, &t->error);
  if (status == WEIR_OK) status = feed_pairs(t, weir_txn_response_header, header_count, &packed);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_response_body(weir_go_txn* t, const char* bytes, size_t size, WEIR_GO_NOW) {
  const weir_status status = weir_txn_response_body(t->txn, bytes, size, &t->error);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_response_end(weir_go_txn* t, WEIR_GO_NOW) {
  const weir_status status = weir_txn_response_end(t->txn, &t->error);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_response_failed(weir_go_txn* t, int32_t failure, WEIR_GO_NOW) {
  const weir_status status = weir_txn_response_failed(t->txn, failure, &t->error);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_call_result(weir_go_txn* t, uint64_t call_id, int32_t code, const char* body,
                                size_t size, WEIR_GO_NOW) {
  const weir_status status = weir_txn_call_result(t->txn, call_id, code, body, size, &t->error);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_call_vector(weir_go_txn* t, uint64_t call_id, const float* vector, size_t count,
                                WEIR_GO_NOW) {
  const weir_status status = weir_txn_call_vector(t->txn, call_id, vector, count, &t->error);
  return status != WEIR_OK ? status : weir_go_next(t, mono_ns, unix_ns);
}

weir_status weir_go_response_from(weir_go_txn* t, uint32_t attempt) {
  return weir_txn_response_from(t->txn, attempt, &t->error);
}

weir_status weir_go_client_left(weir_go_txn* t, WEIR_GO_NOW) {
  const weir_now now = NOW;
  return weir_txn_client_left(t->txn, &now, &t->error);
}

void weir_go_txn_free(weir_go_txn* t) {
  if (t == NULL) return;
  weir_txn_free(t->txn);
  free(t->edits);
  free(t);
}

/* ---- Limiters ---- */

enum { FEW_CHARGES = 16 }; /* more are put together on the heap */

static weir_limit_charge charge_of(const weir_go_charge* given, const char** texts) {
  weir_limit_charge charge = {.size = sizeof(charge),
                              .rule = given->rule,
                              .key = *texts,
                              .key_size = given->key_size,
                              .cost = given->cost,
                              .headroom = given->headroom,
                              .learned = given->learned,
                              .weight = given->weight,
                              .model = *texts + given->key_size,
                              .model_size = given->model_size,
                              .amount = given->amount,
                              .has_amount = given->has_amount};
  *texts += given->key_size + given->model_size;
  return charge;
}

/* Arrays tell their element size by the first one. */
static void size_verdicts(weir_limit_verdict* verdicts, size_t count) {
  if (count != 0) verdicts[0].size = sizeof(verdicts[0]);
}

weir_go_decision weir_go_decide(weir_limiter* limiter, int reserves, const weir_go_charge* given,
                                size_t count, const char* texts, weir_limit_verdict* verdicts,
                                WEIR_GO_NOW, weir_error* error) {
  weir_limit_charge few[FEW_CHARGES];
  weir_limit_charge* charges = few;
  weir_go_decision result = {.decision = {.size = sizeof(result.decision)}};
  const weir_now now = NOW;
  if (count > FEW_CHARGES && (charges = malloc(count * sizeof(*charges))) == NULL) {
    result.status = WEIR_RESOURCE_EXHAUSTED;
    return result;
  }
  for (size_t i = 0; i < count; ++i) charges[i] = charge_of(&given[i], &texts);
  size_verdicts(verdicts, count);
  result.status = reserves ? weir_limiter_reserve(limiter, charges, count, &now, verdicts,
                                                  &result.decision, &result.reservation, error)
                           : weir_limiter_take(limiter, charges, count, &now, verdicts,
                                               &result.decision, error);
  if (charges != few) free(charges);
  return result;
}

weir_go_decision weir_go_top_up(weir_limiter* limiter, weir_reservation* reservation,
                                const uint64_t* more, size_t count, weir_limit_verdict* verdicts,
                                size_t verdict_count, WEIR_GO_NOW, weir_error* error) {
  const weir_now now = NOW;
  weir_go_decision result = {.decision = {.size = sizeof(result.decision)}};
  size_verdicts(verdicts, verdict_count);
  result.status = weir_limiter_top_up(limiter, reservation, more, count, &now, verdicts,
                                      &result.decision, error);
  return result;
}

weir_status weir_go_peek(const weir_limiter* limiter, const weir_go_charge* given,
                         const char* texts, weir_limit_verdict* verdict, WEIR_GO_NOW,
                         weir_error* error) {
  const weir_now now = NOW;
  const weir_limit_charge charge = charge_of(given, &texts);
  size_verdicts(verdict, 1);
  return weir_limiter_peek(limiter, &charge, &now, verdict, error);
}

weir_status weir_go_book(weir_limiter* limiter, const weir_go_charge* given, const char* texts,
                         WEIR_GO_NOW, weir_error* error) {
  const weir_now now = NOW;
  const weir_limit_charge charge = charge_of(given, &texts);
  return weir_limiter_book(limiter, &charge, &now, error);
}

weir_status weir_go_cache_lookup(weir_cache* cache, const weir_cache_query* given,
                                 const char* texts, const float* vector, WEIR_GO_NOW, char* buffer,
                                 size_t capacity, size_t* needed, weir_cache_answer* answer,
                                 weir_error* error) {
  const weir_now now = NOW;
  weir_cache_query query = *given;
  query.partition = texts;
  query.key = texts + query.partition_size;
  query.vector = vector;
  return weir_cache_lookup(cache, &query, &now, buffer, capacity, needed, answer, error);
}

weir_status weir_go_cache_insert(weir_cache* cache, const weir_cache_entry* given,
                                 const char* texts, const float* vector, const char* value,
                                 WEIR_GO_NOW, uint64_t* id, weir_error* error) {
  const weir_now now = NOW;
  weir_cache_entry entry = *given;
  entry.partition = texts;
  entry.key = texts + entry.partition_size;
  entry.vector = vector;
  entry.value = value;
  return weir_cache_insert(cache, &entry, &now, id, error);
}

/* ---- Options whose texts travel beside them ---- */

weir_status weir_go_engine_new(weir_policy* policy, const weir_engine_options* given,
                               const char* state_file, weir_engine** engine, weir_error* error) {
  weir_engine_options options = *given;
  options.state_file = state_file;
  return weir_engine_new(policy, &options, engine, error);
}

weir_status weir_go_export_metrics(weir_engine* engine, const weir_export_options* given,
                                   const char* texts, WEIR_GO_NOW, uint64_t* number, char* buffer,
                                   size_t capacity, size_t* needed, weir_error* error) {
  const weir_now now = NOW;
  weir_export_options options = *given;
  options.service_name = texts;
  options.instrumentation_key = texts + options.service_name_size;
  options.metric_namespace = options.instrumentation_key + options.instrumentation_key_size;
  return weir_engine_export_metrics(engine, &options, &now, number, buffer, capacity, needed,
                                    error);
}

weir_status weir_go_balancer_pick(weir_balancer* balancer, const weir_balance_ask* given,
                                  const char* key, const uint16_t* refused, WEIR_GO_NOW,
                                  int32_t* member, int64_t* returns_at_ns, weir_error* error) {
  const weir_now now = NOW;
  weir_balance_ask ask = *given;
  ask.key = key;
  ask.refused = refused;
  return weir_balancer_pick(balancer, &ask, &now, member, returns_at_ns, error);
}

static weir_request_options with_texts(const weir_request_options* given, const char* texts) {
  weir_request_options options = *given;
  options.target = texts;
  options.model = texts + options.target_size;
  return options;
}

weir_status weir_go_count_request(const weir_request_options* given, const char* texts,
                                  const char* body, size_t body_size, weir_prompt_count* count,
                                  weir_error* error) {
  const weir_request_options options = with_texts(given, texts);
  return weir_count_request(&options, body, body_size, count, error);
}

weir_status weir_go_count_request_json(const weir_request_options* given, const char* texts,
                                       const char* body, size_t body_size, char* buffer,
                                       size_t capacity, size_t* needed, weir_error* error) {
  const weir_request_options options = with_texts(given, texts);
  return weir_count_request_json(&options, body, body_size, buffer, capacity, needed, error);
}

weir_status weir_go_stream_meter_new(const weir_stream_meter_options* given, const char* texts,
                                     weir_stream_meter** meter, weir_error* error) {
  weir_stream_meter_options options = *given;
  options.content_type = texts;
  options.content_encoding = options.content_type + options.content_type_size;
  options.model = options.content_encoding + options.content_encoding_size;
  return weir_stream_meter_new(&options, meter, error);
}

weir_status weir_go_retry_after(const char* packed, WEIR_GO_NOW, int64_t cap_ns,
                                int64_t* retry_after_ns, weir_error* error) {
  const weir_now now = NOW;
  weir_retry_headers headers = {.size = sizeof(headers)};
#define UNPACK(field)                          \
  do {                                         \
    const weir_go_text text = unpack(&packed); \
    headers.field = text.bytes;                \
    headers.field##_size = text.size;          \
  } while (0)
  UNPACK(retry_after);
  UNPACK(retry_after_ms);
  UNPACK(x_ms_retry_after_ms);
  UNPACK(remaining_requests);
  UNPACK(reset_requests);
  UNPACK(remaining_tokens);
  UNPACK(reset_tokens);
  return weir_retry_after(&headers, &now, cap_ns, retry_after_ns, error);
}

int64_t weir_go_monotonic_ns(void) {
  struct timespec t = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
