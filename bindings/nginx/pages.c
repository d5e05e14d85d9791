/* weir_metrics: the metrics as Prometheus reads them. weir_status: backends and pools as JSON. */

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

static ngx_int_t send_text(ngx_http_request_t* r, read_call call) {
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
  ngx_int_t rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) return rc;
  ngx_str_t text = ngx_null_string;
  const char* type = NULL;
  ngx_buf_t* buf = ngx_calloc_buf(r->pool);
  if (buf == NULL || read_text(r, call, &type, &text) != NGX_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  r->headers_out.status = NGX_HTTP_OK;
  r->headers_out.content_length_n = text.len;
  r->headers_out.content_type.data = (u_char*)type;
  r->headers_out.content_type.len = r->headers_out.content_type_len = ngx_strlen(type);
  rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  buf->pos = text.data;
  buf->last = text.data + text.len;
  buf->memory = text.len != 0;
  buf->last_buf = r == r->main;
  buf->last_in_chain = 1;
  ngx_chain_t out = {buf, NULL};
  return ngx_http_output_filter(r, &out);
}

static ngx_int_t metrics(ngx_http_request_t* r) { return send_text(r, read_metrics); }

static ngx_int_t status(ngx_http_request_t* r) { return send_text(r, read_status); }

char* weir_http_page(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  static const ngx_str_t kMetrics = ngx_string("weir_metrics");
  weir_http_location* location = conf;
  weir_http_shared* shared = ngx_http_conf_get_module_main_conf(cf, ngx_http_weir_module);
  ngx_http_core_loc_conf_t* core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  location->is_page = shared->used = 1;
  const ngx_uint_t is_metrics = command->name.len == kMetrics.len;
  core->handler = is_metrics ? metrics : status;
  return NGX_CONF_OK;
}
