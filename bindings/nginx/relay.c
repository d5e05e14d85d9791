/* The body of a backend's answer: each piece is shown to weir as it comes and relayed as weir says,
 * before the next is read. */

#include "weir_http.h"

static void append(ngx_http_upstream_t* u, ngx_chain_t* link) {
  ngx_chain_t** last = &u->out_bufs;
  while (*last != NULL) last = &(*last)->next;
  link->next = NULL;
  *last = link;
}

static ngx_buf_t* new_buf(weir_http_exchange* x) {
  ngx_http_upstream_t* u = x->request->upstream;
  ngx_chain_t* link = ngx_chain_get_free_buf(x->request->pool, &u->free_bufs);
  if (link == NULL) return NULL;
  append(u, link);
  link->buf->memory = 1;
  link->buf->flush = 1;
  link->buf->tag = u->output.tag;
  return link->buf;
}

/* Bytes that stay where they are until they are sent: those in the upstream's buffer. */
static ngx_int_t relay_input(weir_http_exchange* x, u_char* bytes, size_t size) {
  if (size == 0) return NGX_OK;
  ngx_buf_t* buf = new_buf(x);
  if (buf == NULL) return NGX_ERROR;
  buf->pos = bytes;
  buf->last = bytes + size;
  return NGX_OK;
}

/* Weir's bytes, copied: the view ends with the next call. nginx gives the buffers back once they
 * are sent, with their memory, which is used again. */
static ngx_int_t relay_view(weir_http_exchange* x) {
  const char* view = NULL;
  size_t size = 0;
  if (weir_txn_body(x->txn, &view, &size) != WEIR_OK) return NGX_ERROR;
  if (size == 0) return NGX_OK;
  ngx_buf_t* buf = new_buf(x);
  if (buf == NULL) return NGX_ERROR;
  if (buf->start == NULL || (size_t)(buf->end - buf->start) < size) {
    const size_t capacity = ngx_max(size + size / 2, 512);
    buf->start = ngx_palloc(x->request->pool, capacity);
    if (buf->start == NULL) return NGX_ERROR;
    buf->end = buf->start + capacity;
  }
  buf->pos = buf->start;
  buf->last = ngx_cpymem(buf->pos, view, size);
  return NGX_OK;
}

/* Nothing more is wanted of the backend. */
static void stop(weir_http_exchange* x, weir_http_outcome outcome) {
  x->outcome = outcome;
  x->request->upstream->length = 0;
  if (x->timer.timer_set) ngx_del_timer(&x->timer);
}

/* What the last action says of the piece just fed. */
static ngx_int_t perform(weir_http_exchange* x, u_char* bytes, size_t size) {
  ngx_int_t rc = NGX_OK;
  switch (x->action.kind) {
    case WEIR_ACTION_FINISH:
      rc = relay_view(x);
      stop(x, WEIR_HTTP_ENDED);
      return rc;
    case WEIR_ACTION_CONTINUE:
    case WEIR_ACTION_DONE:
      if (x->action.relay == WEIR_RELAY_INPUT) rc = relay_input(x, bytes, size);
      if (x->action.relay == WEIR_RELAY_VIEW) rc = relay_view(x);
      if (x->action.kind == WEIR_ACTION_DONE) stop(x, WEIR_HTTP_ANSWERED);
      return rc;
    default:
      return NGX_ERROR;
  }
}

static ngx_int_t relay_piece(weir_http_exchange* x, u_char* bytes, size_t size) {
  WEIR_HTTP_NEW_ERROR(error);
  if (x->outcome != WEIR_HTTP_OPEN) return NGX_OK;
  weir_http_feed(x);
  weir_status status = weir_txn_response_body(x->txn, (char*)bytes, size, &error);
  if (weir_http_check(x, status, &error) != NGX_OK || weir_http_next(x) != NGX_OK) {
    return NGX_ERROR;
  }
  return perform(x, bytes, size);
}

ngx_int_t weir_http_relay_end(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  if (x->outcome != WEIR_HTTP_OPEN) return NGX_OK;
  weir_http_feed(x);
  weir_status status = weir_txn_response_end(x->txn, &error);
  if (weir_http_check(x, status, &error) != NGX_OK || weir_http_next(x) != NGX_OK) {
    return NGX_ERROR;
  }
  ngx_int_t rc = perform(x, NULL, 0);
  if (x->outcome == WEIR_HTTP_OPEN) stop(x, WEIR_HTTP_ANSWERED);
  return rc;
}

/* Asks weir how to end an answer that broke off. NGX_DECLINED: it cannot be ended properly. */
static ngx_int_t end_broken(weir_http_exchange* x, int32_t failure) {
  WEIR_HTTP_NEW_ERROR(error);
  ngx_http_upstream_t* u = x->request->upstream;
  ngx_chain_t* before = u->out_bufs;
  while (before != NULL && before->next != NULL) before = before->next;
  weir_status status = weir_txn_response_failed(x->txn, failure, &error);
  if (weir_http_check(x, status, &error) != NGX_OK || weir_http_next(x) != NGX_OK ||
      perform(x, NULL, 0) != NGX_OK) {
    return NGX_ERROR;
  }
  ngx_chain_t* added = before == NULL ? u->out_bufs : before->next;
  stop(x, added == NULL ? WEIR_HTTP_BROKEN : WEIR_HTTP_ENDED);
  if (added == NULL) u->length = 1; /* nginx is to see that something is missing */
  return added == NULL ? NGX_DECLINED : NGX_OK;
}

/* From outside of nginx's reading: what weir ends the answer with is sent, or the answer is cut. */
void weir_http_relay_failed(weir_http_exchange* x, int32_t failure) {
  ngx_http_request_t* r = x->request;
  if (x->outcome != WEIR_HTTP_OPEN) return;
  if (end_broken(x, failure) != NGX_OK) {
    r->upstream->length = 1;
    r->upstream->error = 1;
  }
  r->write_event_handler(r);
}

/* ---- Reading ---- */

/* The end of the connection, which nginx would not show to a filter. When something is still to be
 * relayed, it reads as one more byte, which weir_http_relay knows by x->closing. */
static ssize_t receive(ngx_connection_t* c, u_char* bytes, size_t size) {
  ngx_http_request_t* r = c->data;
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  ssize_t got = x->recv(c, bytes, size);
  if (got > 0 || got == NGX_AGAIN || x->outcome != WEIR_HTTP_OPEN) return got;
  ngx_int_t rc;
  if (got == 0 && r->upstream->length == -1) {
    rc = weir_http_relay_end(x);
  } else {
    rc = end_broken(x, WEIR_FAILURE_RESET);
  }
  if (rc != NGX_OK) return got;
  x->closing = 1;
  return 1;
}

/* nginx's own handler would cut the answer when the backend falls silent for too long. */
static void read_upstream(ngx_http_request_t* r, ngx_http_upstream_t* u) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  if (u->peer.connection->read->timedout) {
    weir_http_relay_failed(x, WEIR_FAILURE_TIMEOUT);
  } else {
    x->read_handler(r, u);
  }
}

static ngx_int_t has_no_body(weir_http_exchange* x) {
  return x->status.code == NGX_HTTP_NO_CONTENT || x->status.code == NGX_HTTP_NOT_MODIFIED ||
         x->request->method == NGX_HTTP_HEAD || (!x->is_chunked && x->length == 0);
}

ngx_int_t weir_http_relay_init(void* data) {
  weir_http_exchange* x = data;
  ngx_http_upstream_t* u = x->request->upstream;
  x->recv = u->peer.connection->recv;
  u->peer.connection->recv = receive;
  x->read_handler = u->read_event_handler;
  u->read_event_handler = read_upstream;
  u->length = x->is_chunked ? 1 : x->length;
  if (!has_no_body(x)) return NGX_OK;
  u->keepalive = !x->connection_close;
  return weir_http_relay_end(x);
}

/* All of the body has come. */
static ngx_int_t complete(weir_http_exchange* x) {
  ngx_http_upstream_t* u = x->request->upstream;
  u->keepalive = !x->connection_close;
  ngx_int_t rc = weir_http_relay_end(x);
  u->length = 0;
  return rc;
}

static ngx_int_t relay_chunks(weir_http_exchange* x, ngx_buf_t* buf) {
  for (;;) {
    ngx_int_t rc = ngx_http_parse_chunked(x->request, buf, &x->chunked);
    if (rc == NGX_AGAIN) return NGX_OK;
    if (rc == NGX_DONE) return complete(x);
    if (rc != NGX_OK) {
      ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                    "weir: the backend sent an invalid chunk");
      rc = end_broken(x, WEIR_FAILURE_RESET);
      return rc == NGX_OK ? NGX_OK : NGX_ERROR;
    }
    const size_t size = (size_t)ngx_min((off_t)(buf->last - buf->pos), x->chunked.size);
    u_char* piece = buf->pos;
    buf->pos += size;
    x->chunked.size -= size;
    if (relay_piece(x, piece, size) != NGX_OK) return NGX_ERROR;
  }
}

/* `bytes` more stand behind u->buffer.last. */
ngx_int_t weir_http_relay(void* data, ssize_t bytes) {
  weir_http_exchange* x = data;
  ngx_http_upstream_t* u = x->request->upstream;
  ngx_buf_t* buf = &u->buffer;
  if (x->closing) return NGX_OK;
  buf->pos = buf->last;
  buf->last += bytes;
  if (x->is_chunked) return relay_chunks(x, buf);
  if (u->length == -1) return relay_piece(x, buf->pos, bytes);
  const size_t size = (size_t)ngx_min((off_t)bytes, u->length);
  if (relay_piece(x, buf->pos, size) != NGX_OK) return NGX_ERROR;
  if (x->outcome != WEIR_HTTP_OPEN) return NGX_OK;
  u->length -= size;
  if (u->length != 0) return NGX_OK;
  return complete(x);
}
