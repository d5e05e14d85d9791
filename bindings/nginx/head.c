/* The head of a backend's answer: parsed, shown to weir, and on CONTINUE given to nginx as weir
 * edits it. */

#include "weir_http.h"

static ngx_int_t parse_status(weir_http_exchange* x, ngx_http_upstream_t* u) {
  if (x->status.end != NULL) return NGX_OK;
  ngx_int_t rc = ngx_http_parse_status_line(x->request, &u->buffer, &x->status);
  if (rc == NGX_AGAIN) return NGX_AGAIN;
  if (rc != NGX_OK) {
    ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                  "weir: the backend's answer is not HTTP/1");
    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
  }
  x->connection_close = x->status.http_version < NGX_HTTP_VERSION_11;
  return NGX_OK;
}

static ngx_int_t copy_field(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  const size_t name_size = r->header_name_end - r->header_name_start;
  const size_t value_size = r->header_end - r->header_start;
  weir_http_field field;
  u_char* at = ngx_pnalloc(r->pool, name_size + value_size + 1);
  if (at == NULL) return NGX_ERROR;
  field.name.data = at;
  field.name.len = name_size;
  field.value.data = ngx_cpymem(at, r->header_name_start, name_size);
  field.value.len = value_size;
  *ngx_cpymem(field.value.data, r->header_start, value_size) = '\0';
  return weir_http_field_add(&x->fields, r->pool, &field.name, &field.value);
}

static ngx_int_t parse_fields(weir_http_exchange* x, ngx_http_upstream_t* u) {
  for (;;) {
    ngx_int_t rc = ngx_http_parse_header_line(x->request, &u->buffer, 1);
    if (rc == NGX_AGAIN) return NGX_AGAIN;
    if (rc == NGX_HTTP_PARSE_HEADER_DONE) return NGX_OK;
    if (rc != NGX_OK) {
      ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                    "weir: the backend sent an invalid header");
      return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }
    if (copy_field(x) != NGX_OK) return NGX_ERROR;
  }
}

static ngx_int_t has_word(const ngx_str_t* value, char* word) {
  return value != NULL && ngx_strlcasestrn(value->data, value->data + value->len, (u_char*)word,
                                           ngx_strlen(word) - 1) != NULL;
}

/* How long the body is: x->length, or until the last chunk, or until the end of the connection. */
static ngx_int_t read_framing(weir_http_exchange* x) {
  ngx_str_t* connection = weir_http_field_find(&x->fields, "connection");
  if (has_word(connection, "close")) x->connection_close = 1;
  if (has_word(connection, "keep-alive")) x->connection_close = 0;
  x->is_chunked = has_word(weir_http_field_find(&x->fields, "transfer-encoding"), "chunked");
  ngx_str_t* length = weir_http_field_find(&x->fields, "content-length");
  x->length = -1;
  if (x->is_chunked || length == NULL) return NGX_OK;
  x->length = ngx_atoof(length->data, length->len);
  if (x->length != NGX_ERROR) return NGX_OK;
  ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                "weir: the backend sent an invalid Content-Length");
  return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}

static ngx_int_t feed(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  weir_http_feed(x);
  weir_status status = weir_txn_response_head(x->txn, (int32_t)x->status.code, &error);
  weir_http_field* fields = x->fields.elts;
  for (ngx_uint_t i = 0; i < x->fields.nelts && status == WEIR_OK; ++i) {
    status = weir_txn_response_header(x->txn, (char*)fields[i].name.data, fields[i].name.len,
                                      (char*)fields[i].value.data, fields[i].value.len, &error);
  }
  return weir_http_check(x, status, &error);
}

static ngx_int_t push_header(ngx_http_request_t* r, weir_http_field* field) {
  ngx_http_upstream_t* u = r->upstream;
  ngx_http_upstream_main_conf_t* upstreams =
      ngx_http_get_module_main_conf(r, ngx_http_upstream_module);
  ngx_table_elt_t* header = ngx_list_push(&u->headers_in.headers);
  if (header == NULL) return NGX_ERROR;
  header->key = field->name;
  header->value = field->value;
  header->lowcase_key = ngx_pnalloc(r->pool, field->name.len + 1);
  if (header->lowcase_key == NULL) return NGX_ERROR;
  header->hash = ngx_hash_strlow(header->lowcase_key, field->name.data, field->name.len);
  ngx_http_upstream_header_t* known = ngx_hash_find(&upstreams->headers_in_hash, header->hash,
                                                    header->lowcase_key, header->key.len);
  return known == NULL ? NGX_OK : known->handler(r, header, known->offset);
}

/* CONTINUE: what nginx is to send on. */
static ngx_int_t give_head(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  weir_http_fields_keep_end_to_end(&x->fields);
  if (weir_http_fields_edit(&x->fields, r->pool, x->txn, x->action.header_count) != NGX_OK) {
    return NGX_ERROR;
  }
  weir_http_field* fields = x->fields.elts;
  for (ngx_uint_t i = 0; i < x->fields.nelts; ++i) {
    if (push_header(r, &fields[i]) != NGX_OK) return NGX_ERROR;
  }
  ngx_http_upstream_headers_in_t* head = &r->upstream->headers_in;
  head->status_n = x->action.status != 0 ? x->action.status : (ngx_int_t)x->status.code;
  r->upstream->state->status = x->status.code;
  return NGX_OK;
}

/* Called with each piece of the head. */
ngx_int_t weir_http_process_head(ngx_http_request_t* r) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  ngx_http_upstream_t* u = r->upstream;
  if (x->fields.elts == NULL &&
      ngx_array_init(&x->fields, r->pool, 16, sizeof(weir_http_field)) != NGX_OK) {
    return NGX_ERROR;
  }
  for (;;) {
    ngx_int_t rc = parse_status(x, u);
    if (rc == NGX_OK) rc = parse_fields(x, u);
    if (rc == NGX_OK) rc = read_framing(x);
    if (rc != NGX_OK) return rc;
    if (x->status.code >= 200) break;
    u->reinit_request(r); /* an interim answer */
  }
  if (feed(x) != NGX_OK || weir_http_next(x) != NGX_OK) return NGX_ERROR;
  if (x->action.kind == WEIR_ACTION_CONTINUE) return give_head(x);
  x->decided = 1;
  x->refused_status = x->status.code;
  return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}
