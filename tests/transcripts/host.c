/* What every host does with weir, without a network: feed events, perform actions. */

#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void host_fault(host* h, const char* format, ...) {
  if (h->fault[0] != '\0') return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(h->fault, sizeof(h->fault), format, arguments);
  va_end(arguments);
}

/* A status that no sound transcript meets. */
static int failed(host* h, weir_status status, const char* call, const weir_error* error) {
  if (status == WEIR_OK) return 0;
  host_fault(h, "%s: status %d: %s", call, (int)status, error->message);
  return 1;
}

#define NEW_ERROR                   \
  weir_error error;                 \
  memset(&error, 0, sizeof(error)); \
  error.size = sizeof(error)

/* 2026-01-01T00:00:00Z at 0 ms; the monotonic clock began some time before. */
weir_now host_now(const host* h) {
  const weir_now now = {(h->at_ms + 1000000) * 1000000, (1767225600000 + h->at_ms) * 1000000};
  return now;
}

static void give_secrets(host* h, weir_policy* policy) {
  for (uint32_t i = 0; i < h->api->policy_secret_count(policy); ++i) {
    int32_t kind = 0;
    const char* name = NULL;
    size_t size = 0;
    if (h->api->policy_secret(policy, i, &kind, &name, &size) != WEIR_OK) {
      host_fault(h, "secret %u cannot be read", i);
      return;
    }
    char key[256];
    snprintf(key, sizeof(key), "%.*s", (int)size, name);
    const char* value = json_string_value(json_object_get(h->secrets, key));
    if (value != NULL) h->api->policy_set_secret(policy, i, value, strlen(value));
  }
}

void host_policy(host* h, const json_t* document) {
  NEW_ERROR;
  weir_policy* policy = NULL;
  char* dump = json_dumps(document, JSON_INDENT(1));
  if (!failed(h, h->api->policy_parse(dump, strlen(dump), &policy, &error), "policy_parse",
              &error)) {
    give_secrets(h, policy);
    if (h->engine != NULL) {
      failed(h, h->api->engine_reload(h->engine, policy, &error), "engine_reload", &error);
    } else {
      weir_engine_options options = {.size = sizeof(options), .seed = 1};
      failed(h, h->api->engine_new(policy, &options, &h->engine, &error), "engine_new", &error);
    }
    h->api->policy_free(policy);
  }
  free(dump);
}

exchange* host_find(host* h, const char* name) {
  for (size_t i = h->exchange_count; i-- > 0;) {
    if (strcmp(h->exchanges[i].name, name) == 0) return &h->exchanges[i];
  }
  return NULL;
}

exchange* host_begin(host* h, const char* name) {
  NEW_ERROR;
  if (h->exchange_count == MAX_EXCHANGES) {
    host_fault(h, "more than %d transactions", MAX_EXCHANGES);
    return NULL;
  }
  exchange* x = &h->exchanges[h->exchange_count++];
  memset(x, 0, sizeof(*x));
  x->name = malloc(strlen(name) + 1);
  if (x->name == NULL) abort();
  memcpy(x->name, name, strlen(name) + 1);
  failed(h, h->api->txn_new(h->engine, &x->txn, &error), "txn_new", &error);
  return x;
}

/* The last action's header edits, carried out on `list`. */
static void edit(host* h, const exchange* x, headers* list) {
  for (uint32_t i = 0; i < x->action.header_count; ++i) {
    int32_t operation = 0;
    const char *name = NULL, *value = NULL;
    size_t name_size = 0, value_size = 0;
    if (h->api->header(x->txn, i, &operation, &name, &name_size, &value, &value_size) != WEIR_OK) {
      host_fault(h, "header %u of %u cannot be read", i, x->action.header_count);
      return;
    }
    if (operation != WEIR_HEADER_ADD) headers_remove(list, name, name_size);
    if (operation != WEIR_HEADER_REMOVE) headers_add(list, name, name_size, value, value_size);
  }
}

typedef weir_status (*view_call)(const weir_txn*, const char**, size_t*);

static void append_view(host* h, const exchange* x, view_call call, text* to) {
  const char* view = NULL;
  size_t size = 0;
  if (call(x->txn, &view, &size) != WEIR_OK) host_fault(h, "a view cannot be read");
  text_append(to, view, size);
}

/* Asks what to do and does it; `input` are the bytes just fed, if any. The kind; 0 on a fault. */
static int32_t next(host* h, exchange* x, const char* input, size_t input_size) {
  NEW_ERROR;
  const weir_now now = host_now(h);
  memset(&x->action, 0, sizeof(x->action));
  x->action.size = sizeof(x->action);
  if (failed(h, h->api->next(x->txn, &now, &x->action, &error), "next", &error)) return 0;
  switch (x->action.kind) {
    case WEIR_ACTION_FORWARD:
    case WEIR_ACTION_CALL:
      text_assign(&x->url, "", 0);
      text_assign(&x->target, "", 0);
      text_assign(&x->backend_body, "", 0);
      append_view(h, x, h->api->url, &x->url);
      append_view(h, x, h->api->target, &x->target);
      append_view(h, x, h->api->body, &x->backend_body);
      headers_free(&x->backend_headers);
      if (x->action.kind == WEIR_ACTION_CALL) {
        x->call_id = x->action.call_id; /* weir's own: nothing of the client's goes with it */
      } else {
        headers_copy(&x->backend_headers, &x->client_headers);
      }
      edit(h, x, &x->backend_headers);
      break;
    case WEIR_ACTION_REPLY:
      x->status = x->action.status;
      x->replied_at_ms = h->at_ms;
      headers_free(&x->answer_headers);
      edit(h, x, &x->answer_headers);
      text_assign(&x->answer, "", 0);
      append_view(h, x, h->api->body, &x->answer);
      break;
    case WEIR_ACTION_FINISH:
      append_view(h, x, h->api->body, &x->answer);
      break;
    case WEIR_ACTION_CONTINUE:
    case WEIR_ACTION_DONE:
      if (x->action.relay == WEIR_RELAY_INPUT) text_append(&x->answer, input, input_size);
      if (x->action.relay == WEIR_RELAY_VIEW) append_view(h, x, h->api->body, &x->answer);
      break;
    default:
      break;
  }
  return x->action.kind;
}

/* A body given as JSON ("body") or text ("body_text"). */
static void body_of(const json_t* message, text* body) {
  const json_t* value = json_object_get(message, "body");
  const char* raw = json_string_value(json_object_get(message, "body_text"));
  text_assign(body, "", 0);
  if (value != NULL) {
    char* dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    text_append(body, dump, strlen(dump));
    free(dump);
  } else if (raw != NULL) {
    text_append(body, raw, strlen(raw));
  }
}

typedef weir_status (*pair_call)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);

/* Feeds an object of names to a value or several; `seen` may be null. */
static void feed_pairs(host* h, exchange* x, const json_t* pairs, pair_call call, headers* seen) {
  NEW_ERROR;
  const char* name;
  json_t* value;
  json_object_foreach((json_t*)pairs, name, value) {
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; ++i) {
      const char* each = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
      if (each == NULL) {
        host_fault(h, "%s: not text", name);
        return;
      }
      failed(h, call(x->txn, name, strlen(name), each, strlen(each), &error), name, &error);
      if (seen != NULL) headers_add(seen, name, strlen(name), each, strlen(each));
    }
  }
}

void host_request(host* h, exchange* x, const json_t* request) {
  NEW_ERROR;
  const char *method = "POST", *target = "/v1/chat/completions", *client = "192.0.2.1";
  json_unpack((json_t*)request, "{s?s, s?s, s?s}", "method", &method, "target", &target, "client",
              &client);
  failed(h,
         h->api->request_head(x->txn, method, strlen(method), target, strlen(target), client,
                              strlen(client), &error),
         "request_head", &error);
  feed_pairs(h, x, json_object_get(request, "headers"), h->api->request_header, &x->client_headers);
  feed_pairs(h, x, json_object_get(request, "attributes"), h->api->attribute, NULL);
  if (next(h, x, NULL, 0) != WEIR_ACTION_CONTINUE) return;

  text body = {NULL, 0};
  body_of(request, &body);
  const size_t piece = h->cut == 0 ? body.size : h->cut;
  for (size_t at = 0; at < body.size; at += piece) {
    const size_t size = body.size - at < piece ? body.size - at : piece;
    failed(h, h->api->request_body(x->txn, body.bytes + at, size, &error), "request_body", &error);
  }
  text_free(&body);
  failed(h, h->api->request_end(x->txn, &error), "request_end", &error);
  next(h, x, NULL, 0);
}

/* Feeds answer bytes, piece by piece; 0 when the answer is over. */
static int feed_answer(host* h, exchange* x, const char* bytes, size_t size) {
  NEW_ERROR;
  const size_t piece = h->cut == 0 ? size : h->cut;
  for (size_t at = 0; at < size; at += piece) {
    const size_t fed = size - at < piece ? size - at : piece;
    if (failed(h, h->api->response_body(x->txn, bytes + at, fed, &error), "response_body",
               &error)) {
      return 0;
    }
    if (next(h, x, bytes + at, fed) != WEIR_ACTION_CONTINUE) return 0;
  }
  return 1;
}

void host_more(host* h, exchange* x, const json_t* more) {
  NEW_ERROR;
  const json_t* chunks = json_object_get(more, "chunks");
  for (size_t i = 0; i < json_array_size(chunks); ++i) {
    const char* chunk = json_string_value(json_array_get(chunks, i));
    if (!feed_answer(h, x, chunk, strlen(chunk))) return;
  }
  if (json_is_false(json_object_get(more, "end"))) return;
  failed(h, h->api->response_end(x->txn, &error), "response_end", &error);
  next(h, x, NULL, 0);
}

void host_response(host* h, exchange* x, const json_t* response) {
  NEW_ERROR;
  int status = 200;
  json_unpack((json_t*)response, "{s?i}", "status", &status);
  headers given = {.count = 0};
  failed(h, h->api->response_head(x->txn, status, &error), "response_head", &error);
  feed_pairs(h, x, json_object_get(response, "headers"), h->api->response_header, &given);
  if (next(h, x, NULL, 0) == WEIR_ACTION_CONTINUE) {
    x->status = x->action.status;
    headers_copy(&x->answer_headers, &given);
    edit(h, x, &x->answer_headers);
    text body = {NULL, 0};
    body_of(response, &body);
    if (feed_answer(h, x, body.bytes, body.size)) host_more(h, x, response);
    text_free(&body);
  }
  headers_free(&given);
}

void host_failed(host* h, exchange* x, const char* failure) {
  NEW_ERROR;
  const int32_t kind = strcmp(failure, "connect") == 0   ? WEIR_FAILURE_CONNECT
                       : strcmp(failure, "timeout") == 0 ? WEIR_FAILURE_TIMEOUT
                                                         : WEIR_FAILURE_RESET;
  failed(h, h->api->response_failed(x->txn, kind, &error), "response_failed", &error);
  next(h, x, NULL, 0);
}

void host_call(host* h, exchange* x, const json_t* call) {
  NEW_ERROR;
  int status = 200;
  json_unpack((json_t*)call, "{s?i}", "status", &status);
  text body = {NULL, 0};
  body_of(call, &body);
  failed(h, h->api->call_result(x->txn, x->call_id, status, body.bytes, body.size, &error),
         "call_result", &error);
  text_free(&body);
  next(h, x, NULL, 0);
}

void host_again(host* h, exchange* x) { next(h, x, NULL, 0); }

void host_free(host* h, exchange* x) {
  h->api->txn_free(x->txn);
  x->txn = NULL;
}

/* Text into a buffer that is asked for first. */
#define READ_TEXT(t, call)                                                               \
  do {                                                                                   \
    size_t needed = 0;                                                                   \
    (void)(call(NULL, (size_t)0));                                                       \
    char* buffer = malloc(needed + 1);                                                   \
    if (buffer == NULL) abort();                                                         \
    if (!failed(h, call(buffer, needed), #call, &error)) text_assign(t, buffer, needed); \
    free(buffer);                                                                        \
  } while (0)

void host_metrics(host* h, text* t) {
  NEW_ERROR;
#define METRICS(buffer, size) h->api->engine_metrics(h->engine, buffer, size, &needed, &error)
  READ_TEXT(t, METRICS);
}

void host_status(host* h, text* t) {
  NEW_ERROR;
  const weir_now now = host_now(h);
#define STATUS(buffer, size) h->api->engine_status(h->engine, &now, buffer, size, &needed, &error)
  READ_TEXT(t, STATUS);
}

void host_explain(host* h, const exchange* x, text* t) {
  NEW_ERROR;
#define EXPLAIN(buffer, size) h->api->explain(x->txn, buffer, size, &needed, &error)
  READ_TEXT(t, EXPLAIN);
}

void host_close(host* h) {
  for (size_t i = 0; i < h->exchange_count; ++i) {
    exchange* x = &h->exchanges[i];
    h->api->txn_free(x->txn);
    free(x->name);
    headers_free(&x->client_headers);
    headers_free(&x->backend_headers);
    headers_free(&x->answer_headers);
    text_free(&x->url);
    text_free(&x->target);
    text_free(&x->backend_body);
    text_free(&x->answer);
  }
  h->api->engine_free(h->engine);
}
