/* weir_metrics: the metrics as Prometheus reads them. weir_status: backends and pools as JSON.
 * weir_events: both and the board, for the live page. */

#include "weir_http.h"

#define TRIES 4 /* the text may grow between two calls */

/* Writes a text for `r` into a buffer, and says of what type it is. */
typedef weir_status (*read_call)(ngx_http_request_t* r, weir_engine* engine, const char** type,
                                 char* buffer, size_t capacity, size_t* needed, weir_error* error);

static weir_status read_status(ngx_http_request_t* r, weir_engine* engine, const char** type,
                               char* buffer, size_t capacity, size_t* needed, weir_error* error) {
  const weir_now now = weir_http_now();
  (void)r;
  *type = "application/json";
  return weir_engine_status(engine, &now, buffer, capacity, needed, error);
}

static ngx_str_t accept_of(ngx_http_request_t* r) {
  static const ngx_str_t kAccept = ngx_string("accept");
  const ngx_str_t none = ngx_null_string;
  for (ngx_list_part_t* part = &r->headers_in.headers.part; part != NULL; part = part->next) {
    ngx_table_elt_t* fields = part->elts;
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      if (fields[i].key.len == kAccept.len &&
          ngx_strncasecmp(fields[i].key.data, kAccept.data, kAccept.len) == 0) {
        return fields[i].value;
      }
    }
  }
  return none;
}

/* What all workers counted: they share it by `weir_state`. */
static weir_status read_metrics(ngx_http_request_t* r, weir_engine* engine, const char** type,
                                char* buffer, size_t capacity, size_t* needed, weir_error* error) {
  const ngx_str_t accept = accept_of(r);
  return weir_engine_metrics_as(engine, (const char*)accept.data, accept.len, type, buffer,
                                capacity, needed, error);
}

static weir_status read_prometheus(ngx_http_request_t* r, weir_engine* engine, const char** type,
                                   char* buffer, size_t capacity, size_t* needed,
                                   weir_error* error) {
  (void)r;
  *type = "text/plain";
  return weir_engine_metrics(engine, buffer, capacity, needed, error);
}

static weir_status read_changes(ngx_http_request_t* r, weir_engine* engine, const char** type,
                                char* buffer, size_t capacity, size_t* needed, weir_error* error) {
  (void)r;
  *type = "application/json";
  return weir_engine_changes_json(engine, 0, buffer, capacity, needed, error);
}

static ngx_int_t read_text(ngx_http_request_t* r, read_call call, const char** type,
                           ngx_str_t* text) {
  WEIR_HTTP_NEW_ERROR(error);
  weir_http_shared* shared = ngx_http_get_module_main_conf(r, ngx_http_weir_module);
  size_t needed = 0;
  weir_status status = call(r, shared->engine, type, NULL, 0, &needed, &error);
  for (ngx_uint_t i = 0; i < TRIES && status == WEIR_OUT_OF_RANGE; ++i) {
    const size_t capacity = needed + needed / 8 + 1;
    text->data = ngx_pnalloc(r->pool, capacity);
    if (text->data == NULL) return NGX_ERROR;
    status = call(r, shared->engine, type, (char*)text->data, capacity, &needed, &error);
    text->len = needed;
  }
  if (status == WEIR_OK) return NGX_OK;
  ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "weir: %s", error.message);
  return NGX_ERROR;
}

/* NGX_OK: the request may be answered. */
static ngx_int_t take_request(ngx_http_request_t* r) {
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
  return ngx_http_discard_request_body(r);
}

static ngx_int_t send_bytes(ngx_http_request_t* r, const char* type, ngx_str_t text) {
  ngx_buf_t* buf = ngx_calloc_buf(r->pool);
  if (buf == NULL) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  r->headers_out.status = NGX_HTTP_OK;
  r->headers_out.content_length_n = text.len;
  r->headers_out.content_type.data = (u_char*)type;
  r->headers_out.content_type.len = r->headers_out.content_type_len = ngx_strlen(type);
  const ngx_int_t rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  buf->pos = text.data;
  buf->last = text.data + text.len;
  buf->memory = text.len != 0;
  buf->last_buf = r == r->main;
  buf->last_in_chain = 1;
  ngx_chain_t out = {buf, NULL};
  return ngx_http_output_filter(r, &out);
}

static ngx_int_t send_text(ngx_http_request_t* r, read_call call) {
  const ngx_int_t rc = take_request(r);
  if (rc != NGX_OK) return rc;
  ngx_str_t text = ngx_null_string;
  const char* type = NULL;
  if (read_text(r, call, &type, &text) != NGX_OK) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  return send_bytes(r, type, text);
}

/* One server-sent event, and the end: the browser asks again after a second, as `retry` tells it,
 * of whichever worker. */
static ngx_int_t events(ngx_http_request_t* r) {
  ngx_int_t rc = take_request(r);
  if (rc != NGX_OK) return rc;
  weir_http_shared* shared = ngx_http_get_module_main_conf(r, ngx_http_weir_module);
  ngx_str_t status = ngx_null_string, changes = ngx_null_string, metrics = ngx_null_string;
  ngx_str_t board = ngx_null_string;
  const char* type = NULL;
  if (read_text(r, read_status, &type, &status) != NGX_OK ||
      read_text(r, read_changes, &type, &changes) != NGX_OK ||
      read_text(r, read_prometheus, &type, &metrics) != NGX_OK ||
      weir_http_board_write(r, shared, &board) != NGX_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  static const char kForm[] =
      "retry: 1000\ndata: {\"time_ms\":%uL,\"status\":%V,\"changes\":%V,%V,\"metrics\":\"";
  static const char kEnd[] = "\"}\n\n";
  const size_t escapes = ngx_escape_json(NULL, metrics.data, metrics.len);
  const size_t capacity = sizeof(kForm) + NGX_INT64_LEN + status.len + changes.len + board.len +
                          metrics.len + escapes + sizeof(kEnd);
  ngx_str_t event = {0, ngx_pnalloc(r->pool, capacity)};
  if (event.data == NULL) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  const weir_now now = weir_http_now();
  u_char* end = ngx_snprintf(event.data, capacity, kForm, (uint64_t)(now.unix_ns / 1000000),
                             &status, &changes, &board);
  end = (u_char*)ngx_escape_json(end, metrics.data, metrics.len);
  end = ngx_cpymem(end, kEnd, sizeof(kEnd) - 1);
  event.len = end - event.data;
  return send_bytes(r, "text/event-stream", event);
}

static ngx_int_t metrics(ngx_http_request_t* r) { return send_text(r, read_metrics); }

static ngx_int_t status(ngx_http_request_t* r) { return send_text(r, read_status); }

char* weir_http_page(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  weir_http_location* location = conf;
  weir_http_shared* shared = ngx_http_conf_get_module_main_conf(cf, ngx_http_weir_module);
  ngx_http_core_loc_conf_t* core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  location->is_page = shared->used = 1;
  const char* name = (const char*)command->name.data;
  const ngx_uint_t is_events = ngx_strcmp(name, "weir_events") == 0;
  if (is_events && weir_http_board_add(cf, shared) != NGX_OK) return NGX_CONF_ERROR;
  core->handler = is_events ? events : ngx_strcmp(name, "weir_metrics") == 0 ? metrics : status;
  return NGX_CONF_OK;
}
