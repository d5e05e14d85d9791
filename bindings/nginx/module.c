/* Directives and their values. */

#include "weir_http.h"

/* Of an answer to a side request: three times what a vector of 3072 components takes as JSON. */
#define CALL_BYTES (256 * 1024)

static void* create_main(ngx_conf_t* cf) {
  weir_http_shared* shared = ngx_pcalloc(cf->pool, sizeof(*shared));
  if (shared == NULL) return NULL;
  shared->keepalive = NGX_CONF_UNSET_UINT;
  shared->upstream = ngx_pcalloc(cf->pool, sizeof(*shared->upstream));
  return shared->upstream == NULL ? NULL : shared;
}

static void* create_location(ngx_conf_t* cf) {
  weir_http_location* location = ngx_pcalloc(cf->pool, sizeof(*location));
  if (location == NULL) return NULL;
  location->on = NGX_CONF_UNSET;
  location->attributes = NGX_CONF_UNSET_PTR;
  location->call_bytes = NGX_CONF_UNSET_SIZE;
  location->ssl_verify = NGX_CONF_UNSET;
  ngx_http_upstream_conf_t* upstream = &location->upstream;
  upstream->connect_timeout = NGX_CONF_UNSET_MSEC;
  upstream->send_timeout = NGX_CONF_UNSET_MSEC;
  upstream->read_timeout = NGX_CONF_UNSET_MSEC;
  upstream->buffer_size = NGX_CONF_UNSET_SIZE;
  upstream->local = NGX_CONF_UNSET_PTR;
  upstream->hide_headers = NGX_CONF_UNSET_PTR;
  upstream->pass_headers = NGX_CONF_UNSET_PTR;
  upstream->ssl = NGX_CONF_UNSET_PTR;
  ngx_str_set(&upstream->module, "weir");
  return location;
}

/* The TLS context for https backends, one for all locations that trust the system's authorities. */
static ngx_int_t open_tls(ngx_conf_t* cf, weir_http_location* location, weir_http_shared* shared) {
  const ngx_uint_t is_usual = location->ssl_trusted_certificate.len == 0;
  if (is_usual && shared->ssl != NULL) {
    location->upstream.ssl = shared->ssl;
    return NGX_OK;
  }
  ngx_ssl_t* ssl = ngx_pcalloc(cf->pool, sizeof(*ssl));
  if (ssl == NULL) return NGX_ERROR;
  ssl->log = cf->log;
  if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3, NULL) != NGX_OK) return NGX_ERROR;
  ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (cleanup == NULL) {
    ngx_ssl_cleanup_ctx(ssl);
    return NGX_ERROR;
  }
  cleanup->handler = ngx_ssl_cleanup_ctx;
  cleanup->data = ssl;
  location->upstream.ssl = ssl;
  if (!is_usual) {
    return ngx_ssl_trusted_certificate(cf, ssl, &location->ssl_trusted_certificate, 5);
  }
  shared->ssl = ssl;
  SSL_CTX_set_verify_depth(ssl->ctx, 5);
  return SSL_CTX_set_default_verify_paths(ssl->ctx) == 1 ? NGX_OK : NGX_ERROR;
}

static ngx_str_t hidden[] = {ngx_string("Date"),
                             ngx_string("Server"),
                             ngx_string("X-Accel-Expires"),
                             ngx_string("X-Accel-Redirect"),
                             ngx_string("X-Accel-Limit-Rate"),
                             ngx_string("X-Accel-Buffering"),
                             ngx_string("X-Accel-Charset"),
                             ngx_null_string};

/* What does not depend on directives. weir alone decides on retries, so every way in which an
 * attempt can fail leads to the "next upstream", which is attempt.c asking weir. */
static ngx_int_t fix_upstream(ngx_conf_t* cf, ngx_http_upstream_conf_t* to,
                              ngx_http_upstream_conf_t* from, weir_http_shared* shared) {
  to->upstream = shared->upstream;
  to->buffering = 0;
  to->ignore_client_abort = 0;
  to->next_upstream = NGX_HTTP_UPSTREAM_FT_ERROR | NGX_HTTP_UPSTREAM_FT_TIMEOUT |
                      NGX_HTTP_UPSTREAM_FT_INVALID_HEADER | NGX_HTTP_UPSTREAM_FT_NOLIVE |
                      NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
  to->ignore_headers = NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT | NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES |
                       NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE | NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING |
                       NGX_HTTP_UPSTREAM_IGN_XA_CHARSET;
  to->ssl_server_name = 1;
  to->ssl_session_reuse = 0;
  ngx_hash_init_t hash;
  ngx_memzero(&hash, sizeof(hash));
  hash.max_size = 512;
  hash.bucket_size = ngx_align(64, ngx_cacheline_size);
  hash.name = "weir_headers_hash";
  return ngx_http_upstream_hide_headers_hash(cf, to, from, hidden, &hash);
}

/* `weir on` answers in a location's content phase, as proxy_pass does: both cannot. */
static char* take_location(ngx_conf_t* cf, weir_http_location* location, weir_http_shared* shared) {
  ngx_http_core_loc_conf_t* core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  shared->used = 1;
  if (core->handler == NULL) {
    core->handler = weir_http_handler;
  } else if (core->handler != weir_http_handler && !location->is_page) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"weir on\" in location \"%V\", which another directive answers: weir "
                       "itself passes requests to the policy's backends, so take that directive "
                       "(proxy_pass, fastcgi_pass, ...) out, or say \"weir off\" there",
                       &core->name);
    return NGX_CONF_ERROR;
  }
  return NGX_CONF_OK;
}

static char* merge_location(ngx_conf_t* cf, void* parent, void* child) {
  weir_http_location *from = parent, *to = child;
  weir_http_shared* shared = ngx_http_conf_get_module_main_conf(cf, ngx_http_weir_module);
  ngx_conf_merge_value(to->on, from->on, 0);
  ngx_conf_merge_ptr_value(to->attributes, from->attributes, NULL);
  if (to->call_bytes == NGX_CONF_UNSET_SIZE) {
    to->call_uri = from->call_uri;
    to->call_bytes = from->call_bytes;
  }
  ngx_conf_merge_value(to->ssl_verify, from->ssl_verify, 1);
  ngx_conf_merge_str_value(to->ssl_trusted_certificate, from->ssl_trusted_certificate, "");
  ngx_http_upstream_conf_t *upstream = &to->upstream, *above = &from->upstream;
  ngx_conf_merge_msec_value(upstream->connect_timeout, above->connect_timeout, 10000);
  ngx_conf_merge_msec_value(upstream->send_timeout, above->send_timeout, 60000);
  ngx_conf_merge_msec_value(upstream->read_timeout, above->read_timeout, 600000);
  ngx_conf_merge_size_value(upstream->buffer_size, above->buffer_size, 8192);
  ngx_conf_merge_ptr_value(upstream->local, above->local, NULL);
  if (!to->on) return NGX_CONF_OK;
  upstream->ssl_verify = to->ssl_verify;
  if (fix_upstream(cf, upstream, above, shared) != NGX_OK || open_tls(cf, to, shared) != NGX_OK) {
    return NGX_CONF_ERROR;
  }
  return take_location(cf, to, shared);
}

static ngx_int_t open_engine(ngx_conf_t* cf) {
  weir_http_shared* shared = ngx_http_conf_get_module_main_conf(cf, ngx_http_weir_module);
  if (shared->policy == NULL) {
    if (!shared->used) return NGX_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir is in use, but no \"weir_policy\" is given");
    return NGX_ERROR;
  }
  /* `nginx -s ...` only reads the configuration to find the master; that one has the secrets. */
  if (ngx_process == NGX_PROCESS_SIGNALLER) return NGX_OK;
  if (weir_http_engine_open(cf, shared) != NGX_OK) return NGX_ERROR;
  if (weir_http_ledger_open(cf, shared) != NGX_OK) return NGX_ERROR;
  if (shared->calls) weir_http_call_install();
  return weir_http_idle_init(shared, cf->pool);
}

static weir_http_shared* shared_of(ngx_cycle_t* cycle) {
  ngx_http_conf_ctx_t* http = (ngx_http_conf_ctx_t*)ngx_get_conf(cycle->conf_ctx, ngx_http_module);
  return http == NULL ? NULL : http->main_conf[ngx_http_weir_module.ctx_index];
}

/* Without a file each worker has its own copy of the counters. */
static ngx_int_t before_workers(ngx_cycle_t* cycle) {
  ngx_core_conf_t* core = (ngx_core_conf_t*)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
  weir_http_shared* shared = shared_of(cycle);
  if (shared != NULL && shared->engine != NULL && shared->state_file.len == 0 &&
      core->worker_processes > 1) {
    ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                  "weir: without \"weir_state\" each of the %i workers counts for itself, and a "
                  "reload forgets",
                  core->worker_processes);
  }
  return shared == NULL ? NGX_OK : weir_http_ledger_share(cycle, shared);
}

/* weir_state FILE [size] */
static char* set_state(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  weir_http_shared* shared = conf;
  ngx_str_t* values = cf->args->elts;
  if (shared->state_file.len != 0) return "is duplicate";
  shared->state_file = values[1];
  if (shared->state_file.data[0] != '/') return "needs an absolute path";
  if (cf->args->nelts == 3) {
    ssize_t bytes = ngx_parse_size(&values[2]);
    if (bytes == NGX_ERROR || bytes == 0) return "has an invalid size";
    shared->state_bytes = bytes;
  }
  return NGX_CONF_OK;
}

/* weir_attribute NAME VALUE: attr.NAME in the policy's expressions */
static char* add_attribute(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  weir_http_location* location = conf;
  ngx_str_t* values = cf->args->elts;
  if (location->attributes == NGX_CONF_UNSET_PTR) {
    location->attributes = ngx_array_create(cf->pool, 4, sizeof(weir_http_attribute));
    if (location->attributes == NULL) return NGX_CONF_ERROR;
  }
  weir_http_attribute* attribute = ngx_array_push(location->attributes);
  if (attribute == NULL) return NGX_CONF_ERROR;
  attribute->name = values[1];
  ngx_http_compile_complex_value_t compile;
  ngx_memzero(&compile, sizeof(compile));
  compile.cf = cf;
  compile.value = &values[2];
  compile.complex_value = &attribute->value;
  return ngx_http_compile_complex_value(&compile) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

/* weir_call URI [size] | off: the location that sends side requests, and how large an answer may be
 */
static char* set_call(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  weir_http_location* location = conf;
  weir_http_shared* shared = ngx_http_conf_get_module_main_conf(cf, ngx_http_weir_module);
  ngx_str_t* values = cf->args->elts;
  if (location->call_bytes != NGX_CONF_UNSET_SIZE) return "is duplicate";
  location->call_bytes = CALL_BYTES;
  if (cf->args->nelts == 2 && ngx_strcmp(values[1].data, "off") == 0) return NGX_CONF_OK;
  if (values[1].data[0] != '/') return "needs the URI of a location, which begins with \"/\"";
  location->call_uri = values[1];
  shared->calls = 1;
  if (cf->args->nelts == 3) {
    ssize_t bytes = ngx_parse_size(&values[2]);
    if (bytes == NGX_ERROR || bytes == 0) return "has an invalid size";
    location->call_bytes = bytes;
  }
  return NGX_CONF_OK;
}

#define ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define LOCATION(member) NGX_HTTP_LOC_CONF_OFFSET, offsetof(weir_http_location, member), NULL

static ngx_command_t commands[] = {
    {ngx_string("weir_policy"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, weir_http_policy,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("weir_state"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE12, set_state,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("weir_ledger"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, weir_http_ledger,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("weir_keepalive"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_num_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(weir_http_shared, keepalive), NULL},
    {ngx_string("weir"), ANYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot, LOCATION(on)},
    {ngx_string("weir_attribute"), ANYWHERE | NGX_CONF_TAKE2, add_attribute,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("weir_call"), ANYWHERE | NGX_CONF_TAKE12, set_call, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},
    {ngx_string("weir_connect_timeout"), ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
     LOCATION(upstream.connect_timeout)},
    {ngx_string("weir_send_timeout"), ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
     LOCATION(upstream.send_timeout)},
    {ngx_string("weir_read_timeout"), ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
     LOCATION(upstream.read_timeout)},
    {ngx_string("weir_buffer_size"), ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     LOCATION(upstream.buffer_size)},
    {ngx_string("weir_bind"), ANYWHERE | NGX_CONF_TAKE12, ngx_http_upstream_bind_set_slot,
     LOCATION(upstream.local)},
    {ngx_string("weir_ssl_verify"), ANYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     LOCATION(ssl_verify)},
    {ngx_string("weir_ssl_trusted_certificate"), ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     LOCATION(ssl_trusted_certificate)},
    {ngx_string("weir_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, weir_http_page,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("weir_events"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, weir_http_page,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("weir_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, weir_http_page,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command};

static ngx_http_module_t http = {
    weir_http_add_variables, open_engine,   create_main, NULL, NULL, NULL,
    create_location,         merge_location};

ngx_module_t ngx_http_weir_module = {
    NGX_MODULE_V1, &http, commands, NGX_HTTP_MODULE,      NULL, before_workers, NULL, NULL,
    NULL,          NULL,  NULL,     NGX_MODULE_V1_PADDING};
