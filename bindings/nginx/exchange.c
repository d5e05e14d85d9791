/* One client request: feeds weir what happens and performs what weir answers. All of it is in the
 * content phase, so that whatever another module refuses (allow, auth_request, limit_conn) has
 * taken nothing from any limit. */

#include <time.h>

#include "weir_http.h"

#define READ_BYTES 65536

static void perform(weir_http_exchange* x);

weir_now weir_http_now(void) {
  struct timespec mono, unix_time;
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &unix_time);
  const weir_now now = {mono.tv_sec * (int64_t)1000000000 + mono.tv_nsec,
                        unix_time.tv_sec * (int64_t)1000000000 + unix_time.tv_nsec};
  return now;
}

ngx_int_t weir_http_check(weir_http_exchange* x, weir_status status, const weir_error* error) {
  if (status == WEIR_OK) return NGX_OK;
  ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0, "weir: status %d: %s", (int)status,
                error->message);
  return NGX_ERROR;
}

static int64_t mono_ns(void) {
  struct timespec mono;
  clock_gettime(CLOCK_MONOTONIC, &mono);
  return mono.tv_sec * (int64_t)1000000000 + mono.tv_nsec;
}

void weir_http_feed(weir_http_exchange* x) { x->feeding_since_ns = mono_ns(); }

ngx_int_t weir_http_next(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  const weir_now now = weir_http_now();
  ngx_memzero(&x->action, sizeof(x->action));
  x->action.size = sizeof(x->action);
  const weir_status status = weir_txn_next(x->txn, &now, &x->action, &error);
  const int64_t since_ns = x->feeding_since_ns != 0 ? x->feeding_since_ns : now.mono_ns;
  x->feeding_since_ns = 0;
  weir_txn_add_overhead(x->txn, mono_ns() - since_ns, NULL);
  return weir_http_check(x, status, &error);
}

/* ---- Feeding the request ---- */

static ngx_int_t feed_head(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  weir_http_feed(x);
  ngx_http_request_t* r = x->request;
  ngx_str_t* client = &r->connection->addr_text;
  weir_status status = weir_txn_request_head(x->txn, (char*)r->method_name.data, r->method_name.len,
                                             (char*)r->unparsed_uri.data, r->unparsed_uri.len,
                                             (char*)client->data, client->len, &error);
  for (ngx_list_part_t* part = &r->headers_in.headers.part; part != NULL; part = part->next) {
    ngx_table_elt_t* headers = part->elts;
    for (ngx_uint_t i = 0; i < part->nelts && status == WEIR_OK; ++i) {
      status = weir_txn_request_header(x->txn, (char*)headers[i].key.data, headers[i].key.len,
                                       (char*)headers[i].value.data, headers[i].value.len, &error);
    }
  }
  return weir_http_check(x, status, &error);
}

static ngx_int_t feed_attributes(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  if (x->location->attributes == NULL) return NGX_OK;
  weir_http_attribute* attributes = x->location->attributes->elts;
  for (ngx_uint_t i = 0; i < x->location->attributes->nelts; ++i) {
    ngx_str_t* name = &attributes[i].name;
    ngx_str_t value;
    if (ngx_http_complex_value(x->request, &attributes[i].value, &value) != NGX_OK) {
      return NGX_ERROR;
    }
    if (value.len == 0) continue; /* absent, as an expression sees it */
    weir_status status = weir_txn_attribute(x->txn, (char*)name->data, name->len, (char*)value.data,
                                            value.len, &error);
    if (weir_http_check(x, status, &error) != NGX_OK) return NGX_ERROR;
  }
  return NGX_OK;
}

/* A part of the body that nginx has put into a temporary file. */
static ngx_int_t feed_file(weir_http_exchange* x, ngx_buf_t* buf) {
  WEIR_HTTP_NEW_ERROR(error);
  u_char* bytes = ngx_alloc(READ_BYTES, x->request->connection->log);
  if (bytes == NULL) return NGX_ERROR;
  ngx_int_t rc = NGX_OK;
  for (off_t at = buf->file_pos; at < buf->file_last && rc == NGX_OK;) {
    const size_t size = (size_t)ngx_min(buf->file_last - at, READ_BYTES);
    ssize_t got = ngx_read_file(buf->file, bytes, size, at);
    rc = got <= 0
             ? NGX_ERROR
             : weir_http_check(x, weir_txn_request_body(x->txn, (char*)bytes, got, &error), &error);
    at += got;
  }
  ngx_free(bytes);
  return rc;
}

static ngx_int_t feed_body(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  weir_http_feed(x);
  ngx_http_request_body_t* body = x->request->request_body;
  for (ngx_chain_t* link = body == NULL ? NULL : body->bufs; link != NULL; link = link->next) {
    ngx_buf_t* buf = link->buf;
    x->has_body = 1;
    if (buf->in_file) {
      if (feed_file(x, buf) != NGX_OK) return NGX_ERROR;
      continue;
    }
    weir_status status =
        weir_txn_request_body(x->txn, (char*)buf->pos, buf->last - buf->pos, &error);
    if (weir_http_check(x, status, &error) != NGX_OK) return NGX_ERROR;
  }
  return weir_http_check(x, weir_txn_request_end(x->txn, &error), &error);
}

/* ---- Answering ---- */

static ngx_int_t add_answer_header(ngx_http_request_t* r, weir_http_field* field) {
  if (weir_http_field_is(field, "content-length")) return NGX_OK;
  if (weir_http_field_is(field, "content-type")) {
    r->headers_out.content_type = field->value;
    r->headers_out.content_type_len = field->value.len;
    return NGX_OK;
  }
  ngx_table_elt_t* header = ngx_list_push(&r->headers_out.headers);
  if (header == NULL) return NGX_ERROR;
  header->hash = 1;
  header->key = field->name;
  header->value = field->value;
  return NGX_OK;
}

/* What an error answer calls its error; for $weir_reason. */
static void note_reason(weir_http_exchange* x, const ngx_str_t* body) {
  static const char* const kPaths[][3] = {
      {"error", "code", NULL}, {"error", "type", NULL}, {"error", "status", NULL}};
  for (size_t i = 0; i < sizeof(kPaths) / sizeof(kPaths[0]) && x->reason.len == 0; ++i) {
    weir_http_json_find(body, kPaths[i], &x->reason);
  }
}

/* REPLY */
static ngx_int_t reply(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  x->outcome = WEIR_HTTP_REFUSED;
  const char* view = NULL;
  size_t size = 0;
  ngx_array_t fields;
  if (weir_txn_body(x->txn, &view, &size) != WEIR_OK ||
      ngx_array_init(&fields, r->pool, 8, sizeof(weir_http_field)) != NGX_OK ||
      weir_http_fields_edit(&fields, r->pool, x->txn, x->action.header_count) != NGX_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  weir_http_field* list = fields.elts;
  for (ngx_uint_t i = 0; i < fields.nelts; ++i) {
    if (add_answer_header(r, &list[i]) != NGX_OK) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  ngx_buf_t* buf = ngx_create_temp_buf(r->pool, size + 1);
  if (buf == NULL) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  buf->last = ngx_cpymem(buf->pos, view, size);
  buf->last_buf = r == r->main;
  buf->last_in_chain = 1;
  if (size == 0) buf->memory = buf->temporary = 0;
  ngx_str_t body = {size, buf->pos};
  note_reason(x, &body);
  r->headers_out.status = x->action.status;
  r->headers_out.content_length_n = size;
  ngx_int_t rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  ngx_chain_t out = {buf, NULL};
  return ngx_http_output_filter(r, &out);
}

/* ---- Waiting ---- */

void weir_http_watch_client(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  ngx_event_t* read = r->connection->read;
  r->read_event_handler = ngx_http_test_reading;
  r->write_event_handler = ngx_http_request_empty_handler;
  if (r->stream != NULL) return; /* HTTP/2 tells by itself */
  if (read->ready) {
    ngx_post_event(read, &ngx_posted_events);
  } else if (ngx_handle_read_event(read, 0) != NGX_OK) {
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
  }
}

/* Calls timed() at a time on weir's clock, not before it. */
static void set_timer(weir_http_exchange* x, int64_t mono_ns) {
  const int64_t left = mono_ns - weir_http_now().mono_ns;
  const ngx_msec_t ms = left <= 0 ? 1 : (ngx_msec_t)((left + 999999) / 1000000);
  ngx_add_timer(&x->timer, ngx_min(ms, (ngx_msec_t)NGX_MAX_INT32_VALUE));
}

static void stop_timer(weir_http_exchange* x) {
  if (x->timer.timer_set) ngx_del_timer(&x->timer);
}

static void wait_for(weir_http_exchange* x) {
  set_timer(x, x->action.deadline_mono_ns);
  weir_http_watch_client(x);
}

/* Performs what weir decides now. */
static void decide(weir_http_exchange* x) {
  if (weir_http_next(x) == NGX_OK) {
    perform(x);
  } else {
    ngx_http_finalize_request(x->request, NGX_HTTP_INTERNAL_SERVER_ERROR);
  }
}

/* A call is over, or its deadline has come: weir is told which, by being told nothing. */
static void go_on_after_call(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  stop_timer(x);
  if (weir_http_call_is_over(x) && weir_http_call_feed(x) != NGX_OK) {
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    return;
  }
  weir_http_call_drop(x);
  if (x->outcome != WEIR_HTTP_OPEN) return; /* the client turned out to be gone */
  decide(x);
}

/* CALL; where nobody can be asked the request goes on without. */
static void call(weir_http_exchange* x) {
  if (weir_http_call_start(x) == NGX_OK) {
    if (x->action.deadline_mono_ns != 0) set_timer(x, x->action.deadline_mono_ns);
    weir_http_watch_client(x);
    weir_http_call_watch(x);
  } else if (weir_http_call_feed(x) == NGX_OK) {
    decide(x);
  } else {
    ngx_http_finalize_request(x->request, NGX_HTTP_INTERNAL_SERVER_ERROR);
  }
}

/* A deadline has come: of a wait, of a call, or of the attempt under way. */
static void timed(ngx_event_t* event) {
  weir_http_exchange* x = event->data;
  ngx_http_request_t* r = x->request;
  ngx_connection_t* c = r->connection;
  if (x->call != NULL) {
    go_on_after_call(x);
  } else if (x->action.kind == WEIR_ACTION_WAIT) {
    decide(x);
  } else if (r->upstream != NULL && r->upstream->header_sent) {
    weir_http_relay_failed(x, WEIR_FAILURE_TIMEOUT);
  } else {
    x->failure = WEIR_FAILURE_TIMEOUT;
    weir_http_resume(x);
  }
  ngx_http_run_posted_requests(c);
}

/* ---- Performing ---- */

static void perform(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  switch (x->action.kind) {
    case WEIR_ACTION_FORWARD:
      if (x->action.deadline_mono_ns != 0) set_timer(x, x->action.deadline_mono_ns);
      weir_http_attempt_start(x);
      return;
    case WEIR_ACTION_REPLY:
      ngx_http_finalize_request(r, reply(x));
      return;
    case WEIR_ACTION_WAIT:
      wait_for(x);
      return;
    case WEIR_ACTION_CALL:
      call(x);
      return;
    default:
      ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                    "weir: the policy asks for action %d, which this module does not support",
                    (int)x->action.kind);
      ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
  }
}

void weir_http_resume(weir_http_exchange* x) {
  stop_timer(x);
  weir_http_attempt_drop(x);
  if (!x->decided) {
    WEIR_HTTP_NEW_ERROR(error);
    weir_status status = weir_txn_response_failed(x->txn, x->failure, &error);
    if (weir_http_check(x, status, &error) != NGX_OK || weir_http_next(x) != NGX_OK) {
      ngx_http_finalize_request(x->request, NGX_HTTP_INTERNAL_SERVER_ERROR);
      return;
    }
  }
  perform(x);
}

static void resume(ngx_event_t* event) {
  weir_http_exchange* x = event->data;
  ngx_connection_t* c = x->request->connection;
  if (x->call != NULL) {
    go_on_after_call(x);
  } else {
    weir_http_resume(x);
  }
  ngx_http_run_posted_requests(c);
}

static void take_body(ngx_http_request_t* r) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  if (feed_body(x) == NGX_OK) {
    decide(x);
  } else {
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
  }
}

/* ---- Begin and end ---- */

/* The request is over, however it ended; its variables are still to be read. */
static void end(void* data) {
  weir_http_exchange* x = data;
  stop_timer(x);
  if (x->resume.posted) {
    ngx_delete_posted_event(&x->resume);
  }
  if (x->resolving != NULL) ngx_resolve_name_done(x->resolving);
  x->resolving = NULL;
  WEIR_HTTP_NEW_ERROR(error);
  if (x->outcome == WEIR_HTTP_OPEN) {
    x->outcome = WEIR_HTTP_LEFT;
    const weir_now now = weir_http_now();
    weir_txn_client_left(x->txn, &now, &error);
  }
  weir_http_call_drop(x);
  weir_http_ledger_append(x);
  weir_http_board_note(x);
}

static void free_transaction(void* data) { weir_txn_free(data); }

static weir_http_exchange* begin(ngx_http_request_t* r) {
  weir_http_exchange* x = ngx_pcalloc(r->pool, sizeof(*x));
  ngx_http_cleanup_t* at_end = ngx_http_cleanup_add(r, 0);
  ngx_pool_cleanup_t* at_last = ngx_pool_cleanup_add(r->pool, 0);
  if (x == NULL || at_end == NULL || at_last == NULL) return NULL;
  x->request = r;
  x->location = ngx_http_get_module_loc_conf(r, ngx_http_weir_module);
  x->shared = ngx_http_get_module_main_conf(r, ngx_http_weir_module);
  x->timer.handler = timed;
  x->resume.handler = resume;
  x->timer.data = x->resume.data = x;
  x->timer.log = x->resume.log = r->connection->log;
  WEIR_HTTP_NEW_ERROR(error);
  if (weir_http_check(x, weir_txn_new(x->shared->engine, &x->txn, &error), &error) != NGX_OK) {
    return NULL;
  }
  at_end->handler = end;
  at_end->data = x;
  at_last->handler = free_transaction;
  at_last->data = x->txn;
  ngx_http_set_ctx(r, x, ngx_http_weir_module);
  return x;
}

ngx_int_t weir_http_handler(ngx_http_request_t* r) {
  weir_http_shared* shared = ngx_http_get_module_main_conf(r, ngx_http_weir_module);
  if (weir_http_is_call(r)) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "weir: \"weir_call\" leads to a location with \"weir on\"");
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (!weir_http_ledger_accepts(shared)) return NGX_HTTP_SERVICE_UNAVAILABLE;
  weir_http_exchange* x = begin(r);
  if (x == NULL || feed_head(x) != NGX_OK || feed_attributes(x) != NGX_OK ||
      weir_http_next(x) != NGX_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (x->action.kind == WEIR_ACTION_REPLY) {
    /* The next request on this connection begins behind the body. */
    ngx_int_t rc = ngx_http_discard_request_body(r);
    return rc == NGX_OK ? reply(x) : rc;
  }
  ngx_int_t rc = ngx_http_read_client_request_body(r, take_body);
  return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
