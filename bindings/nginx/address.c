/* From a backend's URL to an address: a literal one, nginx's resolver, or, where none is
 * configured, the system's, asked once for each name, as for the names in a static proxy_pass. */

#include "weir_http.h"

#define MAX_NAMES 256

/* What the system said; for the life of the worker. */
typedef struct {
  ngx_str_t name;
  struct sockaddr_storage sockaddr;
  socklen_t socklen;
} resolved_name;

static resolved_name* names;
static ngx_uint_t name_count;

/* "https://host:port": nginx's own parser knows no bracketed literal without a port. */
static ngx_int_t parse(weir_http_exchange* x, ngx_str_t url) {
  weir_http_backend* backend = &x->backend;
  ngx_pool_t* pool = x->request->pool;
  if (url.len > 8 && ngx_strncmp(url.data, "https://", 8) == 0) {
    backend->tls = 1;
  } else if (url.len > 7 && ngx_strncmp(url.data, "http://", 7) == 0) {
    backend->tls = 0;
  } else {
    return NGX_ERROR;
  }
  backend->url.data = ngx_pstrdup(pool, &url);
  if (backend->url.data == NULL) return NGX_ERROR;
  backend->url.len = url.len;
  const size_t scheme = backend->tls ? 8 : 7;
  const in_port_t usual = backend->tls ? 443 : 80;
  ngx_str_t host = {url.len - scheme, backend->url.data + scheme};
  backend->authority = host;
  backend->port = usual;
  u_char* end = host.data + host.len;
  u_char* from = host.data[0] == '[' ? ngx_strlchr(host.data, end, ']') : host.data;
  u_char* colon = from == NULL ? NULL : ngx_strlchr(from, end, ':');
  if (colon != NULL) {
    ngx_int_t port = ngx_atoi(colon + 1, end - colon - 1);
    if (port < 1 || port > 65535) return NGX_ERROR;
    backend->port = (in_port_t)port;
    host.len = colon - host.data;
    if (backend->port == usual) backend->authority.len = host.len;
  }
  backend->host = host;
  return host.len == 0 ? NGX_ERROR : NGX_OK;
}

static ngx_int_t set_address(weir_http_exchange* x, const struct sockaddr* sockaddr,
                             socklen_t socklen) {
  weir_http_backend* backend = &x->backend;
  ngx_pool_t* pool = x->request->pool;
  backend->sockaddr = ngx_palloc(pool, socklen);
  backend->address = ngx_palloc(pool, sizeof(*backend->address) + NGX_SOCKADDR_STRLEN);
  if (backend->sockaddr == NULL || backend->address == NULL) return NGX_ERROR;
  ngx_memcpy(backend->sockaddr, sockaddr, socklen);
  ngx_inet_set_port(backend->sockaddr, backend->port);
  backend->socklen = socklen;
  backend->address->data = (u_char*)(backend->address + 1);
  backend->address->len =
      ngx_sock_ntop(backend->sockaddr, socklen, backend->address->data, NGX_SOCKADDR_STRLEN, 1);
  return NGX_OK;
}

static void resolved(ngx_resolver_ctx_t* resolving) {
  weir_http_exchange* x = resolving->data;
  ngx_connection_t* c = x->request->connection;
  ngx_int_t rc = NGX_ERROR;
  if (resolving->state != 0) {
    ngx_log_error(NGX_LOG_ERR, c->log, 0, "weir: backend host \"%V\" could not be resolved: %s",
                  &resolving->name, ngx_resolver_strerror(resolving->state));
  } else if (resolving->naddrs > 0) {
    rc = set_address(x, resolving->addrs[0].sockaddr, resolving->addrs[0].socklen);
  }
  ngx_resolve_name_done(resolving);
  x->resolving = NULL;
  if (x->resolved_now) { /* within weir_http_resolve */
    if (rc != NGX_OK) x->backend.sockaddr = NULL;
    return;
  }
  weir_http_attempt_address(x, rc);
  ngx_http_run_posted_requests(c);
}

static ngx_int_t ask_resolver(weir_http_exchange* x, ngx_resolver_t* resolver) {
  ngx_http_core_loc_conf_t* core = ngx_http_get_module_loc_conf(x->request, ngx_http_core_module);
  ngx_resolver_ctx_t* resolving = ngx_resolve_start(resolver, NULL);
  if (resolving == NULL || resolving == NGX_NO_RESOLVER) return NGX_ERROR;
  resolving->name = x->backend.host;
  resolving->handler = resolved;
  resolving->data = x;
  resolving->timeout = core->resolver_timeout;
  x->resolving = resolving;
  x->resolved_now = 1;
  ngx_int_t rc = ngx_resolve_name(resolving);
  x->resolved_now = 0;
  if (rc != NGX_OK) {
    x->resolving = NULL;
    return NGX_ERROR;
  }
  if (x->resolving != NULL) return NGX_AGAIN;
  return x->backend.sockaddr == NULL ? NGX_ERROR : NGX_OK;
}

static resolved_name* ask_system(weir_http_exchange* x) {
  ngx_str_t* host = &x->backend.host;
  for (ngx_uint_t i = 0; i < name_count; ++i) {
    if (names[i].name.len == host->len &&
        ngx_strncasecmp(names[i].name.data, host->data, host->len) == 0) {
      return &names[i];
    }
  }
  ngx_url_t url;
  ngx_memzero(&url, sizeof(url));
  url.url = *host;
  url.default_port = x->backend.port;
  if (ngx_parse_url(x->request->pool, &url) != NGX_OK || url.naddrs == 0) {
    ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                  "weir: backend host \"%V\" could not be resolved: %s", host,
                  url.err == NULL ? "unknown" : url.err);
    return NULL;
  }
  if (names == NULL) names = ngx_pcalloc(ngx_cycle->pool, MAX_NAMES * sizeof(*names));
  if (names == NULL || name_count == MAX_NAMES) return NULL;
  resolved_name* name = &names[name_count];
  name->name.data = ngx_pstrdup(ngx_cycle->pool, host);
  if (name->name.data == NULL) return NULL;
  name->name.len = host->len;
  ngx_memcpy(&name->sockaddr, url.addrs[0].sockaddr, url.addrs[0].socklen);
  name->socklen = url.addrs[0].socklen;
  ++name_count;
  return name;
}

ngx_int_t weir_http_resolve(weir_http_exchange* x) {
  const char* url = NULL;
  size_t url_size = 0;
  if (weir_txn_url(x->txn, &url, &url_size) != WEIR_OK) return NGX_ERROR;
  ngx_str_t text = {url_size, (u_char*)url};
  ngx_memzero(&x->backend, sizeof(x->backend));
  if (parse(x, text) != NGX_OK) {
    ngx_log_error(NGX_LOG_ERR, x->request->connection->log, 0,
                  "weir: the backend URL \"%V\" cannot be used", &text);
    return NGX_ERROR;
  }
  ngx_str_t literal = x->backend.host;
  if (literal.data[0] == '[' && literal.data[literal.len - 1] == ']') {
    ++literal.data;
    literal.len -= 2;
  }
  ngx_addr_t address;
  if (ngx_parse_addr(x->request->pool, &address, literal.data, literal.len) == NGX_OK) {
    return set_address(x, address.sockaddr, address.socklen);
  }
  ngx_http_core_loc_conf_t* core = ngx_http_get_module_loc_conf(x->request, ngx_http_core_module);
  if (core->resolver != NULL && core->resolver->connections.nelts != 0) {
    return ask_resolver(x, core->resolver);
  }
  resolved_name* name = ask_system(x);
  if (name == NULL) return NGX_ERROR;
  return set_address(x, (struct sockaddr*)&name->sockaddr, name->socklen);
}
