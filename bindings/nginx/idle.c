/* Connections to backends that answered completely, kept for the next request of this worker to
 * the same URL: a TLS handshake costs more than all of weir. */

#include "weir_http.h"

#define IDLE_MS 60000
#define MAX_URL_BYTES 300

typedef struct {
  ngx_queue_t queue;
  weir_http_shared* shared;
  ngx_connection_t* connection;
  void* tls; /* the settings it was opened with */
  size_t url_size;
  u_char url[MAX_URL_BYTES];
} idle_connection;

ngx_int_t weir_http_idle_init(weir_http_shared* shared, ngx_pool_t* pool) {
  ngx_queue_init(&shared->idle);
  ngx_queue_init(&shared->vacant);
  if (shared->keepalive == NGX_CONF_UNSET_UINT) shared->keepalive = 32;
  if (shared->keepalive == 0) return NGX_OK;
  idle_connection* all = ngx_pcalloc(pool, shared->keepalive * sizeof(*all));
  if (all == NULL) return NGX_ERROR;
  for (ngx_uint_t i = 0; i < shared->keepalive; ++i) {
    all[i].shared = shared;
    ngx_queue_insert_head(&shared->vacant, &all[i].queue);
  }
  return NGX_OK;
}

static void close_connection(ngx_connection_t* c) {
  if (c->ssl != NULL) {
    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = 1;
    (void)ngx_ssl_shutdown(c);
  }
  ngx_destroy_pool(c->pool);
  ngx_close_connection(c);
}

static void vacate(idle_connection* kept) {
  ngx_queue_remove(&kept->queue);
  ngx_queue_insert_head(&kept->shared->vacant, &kept->queue);
}

/* A backend says nothing on an idle connection, except that it closes it. */
static void read_idle(ngx_event_t* event) {
  ngx_connection_t* c = event->data;
  char byte;
  if (!c->close && !event->timedout && recv(c->fd, &byte, 1, MSG_PEEK) < 0 &&
      ngx_socket_errno == NGX_EAGAIN) {
    event->ready = 0;
    if (ngx_handle_read_event(event, 0) == NGX_OK) return;
  }
  vacate(c->data);
  close_connection(c);
}

static void write_idle(ngx_event_t* event) {}

static idle_connection* find(weir_http_exchange* x) {
  ngx_str_t* url = &x->backend.url;
  ngx_queue_t* idle = &x->shared->idle;
  for (ngx_queue_t* q = ngx_queue_head(idle); q != ngx_queue_sentinel(idle);
       q = ngx_queue_next(q)) {
    idle_connection* kept = ngx_queue_data(q, idle_connection, queue);
    if (kept->url_size == url->len && kept->tls == x->location->upstream.ssl &&
        ngx_memcmp(kept->url, url->data, url->len) == 0) {
      return kept;
    }
  }
  return NULL;
}

ngx_int_t weir_http_idle_take(weir_http_exchange* x, ngx_peer_connection_t* peer) {
  idle_connection* kept = find(x);
  if (kept == NULL) return NGX_DECLINED;
  vacate(kept);
  ngx_connection_t* c = kept->connection;
  c->idle = 0;
  c->sent = 0;
  c->data = NULL;
  c->log = peer->log;
  c->read->log = c->write->log = c->pool->log = peer->log;
  if (c->read->timer_set) ngx_del_timer(c->read);
  peer->connection = c;
  peer->cached = 1;
  return NGX_OK;
}

static ngx_int_t is_usable(ngx_connection_t* c) {
  return !c->read->eof && !c->read->error && !c->read->timedout && !c->write->error &&
         !c->write->timedout && ngx_handle_read_event(c->read, 0) == NGX_OK;
}

void weir_http_idle_give(weir_http_exchange* x, ngx_peer_connection_t* peer) {
  weir_http_shared* shared = x->shared;
  ngx_connection_t* c = peer->connection;
  if (shared->keepalive == 0 || ngx_exiting || ngx_terminate || c == NULL || c->pool == NULL ||
      x->backend.url.len > MAX_URL_BYTES || !is_usable(c)) {
    return;
  }
  if (ngx_queue_empty(&shared->vacant)) {
    idle_connection* oldest = ngx_queue_data(ngx_queue_last(&shared->idle), idle_connection, queue);
    vacate(oldest);
    close_connection(oldest->connection);
  }
  idle_connection* kept = ngx_queue_data(ngx_queue_head(&shared->vacant), idle_connection, queue);
  ngx_queue_remove(&kept->queue);
  ngx_queue_insert_head(&shared->idle, &kept->queue);
  kept->connection = c;
  kept->tls = x->location->upstream.ssl;
  kept->url_size = x->backend.url.len;
  ngx_memcpy(kept->url, x->backend.url.data, kept->url_size);
  peer->connection = NULL;
  c->read->delayed = 0;
  ngx_add_timer(c->read, IDLE_MS);
  if (c->write->timer_set) ngx_del_timer(c->write);
  c->read->handler = read_idle;
  c->write->handler = write_idle;
  c->data = kept;
  c->idle = 1;
  c->log = ngx_cycle->log;
  c->read->log = c->write->log = c->pool->log = ngx_cycle->log;
  if (c->read->ready) read_idle(c->read);
}
