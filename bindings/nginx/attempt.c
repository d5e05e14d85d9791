/* One attempt at a backend: an ngx_http_upstream of its own, as each attempt has another address,
 * path, header and body. When it fails, nginx asks for the next peer; there is none as long as weir
 * has not been asked, so the upstream is parked on a connection to nowhere, and once nginx's stack
 * is left, put aside for the next one. */

#include "weir_http.h"

/* A backend that closes a kept connection later than so after a request had that request. */
#define RACE_MS 1000

/* ---- The request ---- */

static ngx_int_t client_fields(ngx_http_request_t* r, ngx_array_t* fields) {
  for (ngx_list_part_t* part = &r->headers_in.headers.part; part != NULL; part = part->next) {
    ngx_table_elt_t* headers = part->elts;
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      if (weir_http_field_add(fields, r->pool, &headers[i].key, &headers[i].value) != NGX_OK) {
        return NGX_ERROR;
      }
    }
  }
  weir_http_fields_keep_end_to_end(fields);
  return NGX_OK;
}

static u_char* put(u_char* to, ngx_str_t text) { return ngx_cpymem(to, text.data, text.len); }

static ngx_str_t literal(const char* text) {
  const ngx_str_t s = {ngx_strlen(text), (u_char*)text};
  return s;
}

static ngx_buf_t* request_head(weir_http_exchange* x, ngx_array_t* fields, ngx_str_t target,
                               size_t body_size) {
  ngx_http_request_t* r = x->request;
  weir_http_field* list = fields->elts;
  size_t size = r->method_name.len + target.len + x->backend.authority.len + NGX_OFF_T_LEN + 128;
  for (ngx_uint_t i = 0; i < fields->nelts; ++i) size += list[i].name.len + list[i].value.len + 4;
  ngx_buf_t* buf = ngx_create_temp_buf(r->pool, size);
  if (buf == NULL) return NULL;
  u_char* at = put(put(buf->pos, r->method_name), literal(" "));
  at = put(put(at, target), literal(" HTTP/1.1\r\nHost: "));
  at = put(put(at, x->backend.authority), literal("\r\n"));
  if (x->shared->keepalive == 0) at = put(at, literal("Connection: close\r\n"));
  if (x->has_body || body_size != 0 || r->method == NGX_HTTP_POST) {
    at = ngx_sprintf(at, "Content-Length: %uz\r\n", body_size);
  }
  for (ngx_uint_t i = 0; i < fields->nelts; ++i) {
    if (!weir_http_field_is_sent(&list[i])) continue;
    at = put(put(at, list[i].name), literal(": "));
    at = put(put(at, list[i].value), literal("\r\n"));
  }
  buf->last = put(at, literal("\r\n"));
  return buf;
}

/* The body stays where weir has it: nothing is asked of the transaction before the backend begins
 * to answer, and from then on nginx sends no more of it. */
static ngx_buf_t* request_body(ngx_pool_t* pool, const char* body, size_t size) {
  ngx_buf_t* buf = ngx_calloc_buf(pool);
  if (buf == NULL) return NULL;
  buf->start = buf->pos = (u_char*)body;
  buf->end = buf->last = buf->pos + size;
  buf->memory = 1;
  return buf;
}

static ngx_int_t create_request(ngx_http_request_t* r) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  const char *target = NULL, *body = NULL;
  size_t target_size = 0, body_size = 0;
  ngx_array_t fields;
  if (weir_txn_target(x->txn, &target, &target_size) != WEIR_OK ||
      weir_txn_body(x->txn, &body, &body_size) != WEIR_OK ||
      ngx_array_init(&fields, r->pool, 16, sizeof(weir_http_field)) != NGX_OK ||
      client_fields(r, &fields) != NGX_OK ||
      weir_http_fields_edit(&fields, r->pool, x->txn, x->action.header_count) != NGX_OK) {
    return NGX_ERROR;
  }
  const ngx_str_t path = {target_size, (u_char*)target};
  ngx_chain_t* link = ngx_alloc_chain_link(r->pool);
  if (link == NULL) return NGX_ERROR;
  link->next = NULL;
  link->buf = request_head(x, &fields, path, body_size);
  if (link->buf == NULL) return NGX_ERROR;
  r->upstream->request_bufs = link;
  if (body_size != 0) {
    link->next = ngx_alloc_chain_link(r->pool);
    if (link->next == NULL) return NGX_ERROR;
    link = link->next;
    link->next = NULL;
    link->buf = request_body(r->pool, body, body_size);
    if (link->buf == NULL) return NGX_ERROR;
  }
  link->buf->flush = 1;
  return NGX_OK;
}

/* Also for a second connection, when a kept one turned out to be closed. */
static ngx_int_t reinit_request(ngx_http_request_t* r) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  ngx_memzero(&x->status, sizeof(x->status));
  ngx_memzero(&x->chunked, sizeof(x->chunked));
  x->fields.nelts = 0;
  x->length = -1;
  x->is_chunked = x->connection_close = x->closing = 0;
  r->state = 0;
  return NGX_OK;
}

static void abort_request(ngx_http_request_t* r) {}

static void finalize_request(ngx_http_request_t* r, ngx_int_t rc) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  /* An answer to HEAD ends with its head. */
  if (rc == NGX_OK && r->upstream->header_sent && x->outcome == WEIR_HTTP_OPEN) {
    weir_http_relay_end(x);
  }
}

/* ---- The peer ---- */

static ngx_int_t park(weir_http_exchange* x, ngx_peer_connection_t* peer) {
  ngx_socket_t nowhere = ngx_socket(AF_UNIX, SOCK_STREAM, 0);
  if (nowhere == (ngx_socket_t)-1) return NGX_ERROR;
  ngx_connection_t* c = ngx_get_connection(nowhere, peer->log);
  if (c == NULL) {
    ngx_close_socket(nowhere);
    return NGX_ERROR;
  }
  peer->connection = c;
  x->parked = 1;
  ngx_post_event(&x->resume, &ngx_posted_events);
  return NGX_AGAIN;
}

static ngx_int_t get_peer(ngx_peer_connection_t* peer, void* data) {
  weir_http_exchange* x = data;
  if (!x->armed) return park(x, peer);
  x->armed = 0;
  peer->cached = 0;
  peer->connection = NULL;
  peer->sockaddr = x->backend.sockaddr;
  peer->socklen = x->backend.socklen;
  peer->name = x->backend.address;
  if (!x->fresh && weir_http_idle_take(x, peer) == NGX_OK) return NGX_DONE;
  return NGX_OK;
}

static int32_t failure_of(ngx_http_upstream_t* u) {
  ngx_connection_t* c = u->peer.connection;
  if (c == NULL || !u->request_sent) return WEIR_FAILURE_CONNECT;
  return c->read->timedout || c->write->timedout ? WEIR_FAILURE_TIMEOUT : WEIR_FAILURE_RESET;
}

static void free_peer(ngx_peer_connection_t* peer, void* data, ngx_uint_t state) {
  weir_http_exchange* x = data;
  ngx_http_upstream_t* u = x->request->upstream;
  if (x->recv != NULL && peer->connection != NULL) peer->connection->recv = x->recv;
  x->recv = NULL;
  if (!(state & NGX_PEER_FAILED)) {
    if (u->keepalive && x->outcome == WEIR_HTTP_ANSWERED) weir_http_idle_give(x, peer);
    return;
  }
  if (x->decided) return;
  x->failure = failure_of(u);
  /* A kept connection that the backend had closed meanwhile is no failure of the backend. */
  if (peer->cached && x->failure == WEIR_FAILURE_RESET && u->state->bytes_received == 0 &&
      ngx_current_msec - u->start_time < RACE_MS) {
    x->armed = x->fresh = 1;
  }
}

static ngx_int_t init_peer(ngx_http_request_t* r, ngx_http_upstream_srv_conf_t* ignored) {
  ngx_http_upstream_t* u = r->upstream;
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  u->peer.get = get_peer;
  u->peer.free = free_peer;
  u->peer.data = x;
  u->peer.tries = 2; /* "there is another": weir is asked for it */
  u->ssl_name = x->backend.host;
  /* nginx sets a mark between upstreams; the attempts of one request are one list. */
  if (r->upstream_states->nelts != 0) --r->upstream_states->nelts;
  return NGX_OK;
}

/* ---- Begin and end ---- */

void weir_http_attempt_drop(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  if (x->resolving != NULL) ngx_resolve_name_done(x->resolving);
  x->resolving = NULL;
  if (x->resume.posted) {
    ngx_delete_posted_event(&x->resume);
  }
  /* Creating an upstream is how nginx ends the one before without ending the request. */
  if (r->upstream != NULL && r->upstream->cleanup != NULL &&
      ngx_http_upstream_create(r) != NGX_OK) {
    r->upstream = NULL;
  }
  if (!x->parked) return;
  x->parked = 0;
  ngx_http_upstream_state_t* states = r->upstream_states->elts;
  --r->upstream_states->nelts;
  if (x->decided && r->upstream_states->nelts != 0) {
    states[r->upstream_states->nelts - 1].status = x->refused_status;
  }
}

static void run(weir_http_exchange* x) {
  ngx_http_request_t* r = x->request;
  if (ngx_http_upstream_create(r) != NGX_OK) {
    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    return;
  }
  ngx_http_upstream_t* u = r->upstream;
  x->shared->upstream->peer.init = init_peer;
  u->conf = &x->location->upstream;
  u->output.tag = (ngx_buf_tag_t)&ngx_http_weir_module;
  u->ssl = x->backend.tls;
  ngx_str_set(&u->schema, "weir://");
  u->create_request = create_request;
  u->reinit_request = reinit_request;
  u->process_header = weir_http_process_head;
  u->abort_request = abort_request;
  u->finalize_request = finalize_request;
  u->input_filter_init = weir_http_relay_init;
  u->input_filter = weir_http_relay;
  u->input_filter_ctx = x;
  x->armed = 1;
  x->fresh = x->decided = 0;
  reinit_request(r);
  ngx_http_upstream_init(r);
}

void weir_http_attempt_address(weir_http_exchange* x, ngx_int_t rc) {
  if (rc == NGX_OK) {
    run(x);
    return;
  }
  x->failure = WEIR_FAILURE_CONNECT;
  x->decided = 0;
  weir_http_resume(x);
}

void weir_http_attempt_start(weir_http_exchange* x) {
  ngx_int_t rc = weir_http_resolve(x);
  if (rc == NGX_AGAIN) {
    x->decided = 0;
    weir_http_watch_client(x);
  } else {
    weir_http_attempt_address(x, rc);
  }
}
