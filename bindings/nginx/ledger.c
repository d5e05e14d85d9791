/* weir_ledger: a line of each request in a file that all workers append to. The master opens it, so
 * that its faults stop the start, and the workers inherit it; none waits for another. */

#include <signal.h>
#include <unistd.h>

#include "weir_http.h"

static ngx_int_t is_option(ngx_str_t* word, const char* name, ngx_str_t* value) {
  const size_t size = ngx_strlen(name);
  if (word->len <= size || ngx_strncmp(word->data, name, size) != 0) return 0;
  value->data = word->data + size;
  value->len = word->len - size;
  return 1;
}

static ngx_int_t is_word(const ngx_str_t* value, const char* word) {
  return value->len == ngx_strlen(word) && ngx_strncmp(value->data, word, value->len) == 0;
}

static ngx_int_t read_bytes(ngx_str_t* value, uint64_t* bytes) {
  const off_t size = ngx_parse_offset(value);
  if (size <= 0) return NGX_ERROR;
  *bytes = (uint64_t)size;
  return NGX_OK;
}

static ngx_int_t read_option(weir_http_shared* shared, ngx_str_t* word) {
  weir_ledger_options* options = &shared->ledger_options;
  ngx_str_t value;
  if (is_option(word, "rotate=", &value)) return read_bytes(&value, &options->rotate_bytes);
  if (is_option(word, "spool=", &value)) return read_bytes(&value, &options->spool_bytes);
  if (is_option(word, "every=", &value)) {
    const ngx_int_t ms = ngx_parse_time(&value, 0);
    if (ms == NGX_ERROR || ms == 0) return NGX_ERROR;
    options->rotate_ms = ms;
    return NGX_OK;
  }
  if (!is_option(word, "full=", &value)) return NGX_ERROR;
  if (is_word(&value, "drop")) {
    options->on_full = WEIR_LEDGER_DROP_AND_COUNT;
  } else if (is_word(&value, "refuse")) {
    options->on_full = WEIR_LEDGER_REFUSE;
  } else {
    return NGX_ERROR;
  }
  return NGX_OK;
}

/* weir_ledger FILE [rotate=SIZE] [every=TIME] [spool=SIZE] [full=drop|refuse] */
char* weir_http_ledger(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  weir_http_shared* shared = conf;
  ngx_str_t* values = cf->args->elts;
  if (shared->ledger_file.len != 0) return "is duplicate";
  shared->ledger_file = values[1];
  if (shared->ledger_file.data[0] != '/') return "needs an absolute path";
  for (ngx_uint_t i = 2; i < cf->args->nelts; ++i) {
    if (read_option(shared, &values[i]) == NGX_OK) continue;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"weir_ledger\" has no option \"%V\": there are rotate=SIZE, every=TIME, "
                       "spool=SIZE and full=drop|refuse",
                       &values[i]);
    return NGX_CONF_ERROR;
  }
  return NGX_CONF_OK;
}

static void free_ledger(void* data) { weir_ledger_free(data); }

ngx_int_t weir_http_ledger_open(ngx_conf_t* cf, weir_http_shared* shared) {
  if (shared->ledger_file.len == 0) return NGX_OK;
  WEIR_HTTP_NEW_ERROR(error);
  ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (cleanup == NULL) return NGX_ERROR;
  shared->ledger_options.size = sizeof(shared->ledger_options);
  const weir_now now = weir_http_now();
  const weir_status status =
      weir_ledger_open((const char*)shared->ledger_file.data, shared->ledger_file.len,
                       &shared->ledger_options, &now, &shared->ledger, &error);
  if (status != WEIR_OK) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir: the ledger: %s", error.message);
    return NGX_ERROR;
  }
  cleanup->handler = free_ledger;
  cleanup->data = shared->ledger;
  return NGX_OK;
}

ngx_int_t weir_http_ledger_share(ngx_cycle_t* cycle, weir_http_shared* shared) {
  if (shared->ledger == NULL) return NGX_OK;
  signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit fails instead, and the spool has the line */
  ngx_core_conf_t* core = (ngx_core_conf_t*)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
  const char* path = (const char*)shared->ledger_file.data;
  if (geteuid() != 0 || core->user == (ngx_uid_t)NGX_CONF_UNSET_UINT) return NGX_OK;
  if (chown(path, core->user, (gid_t)-1) != 0) {
    ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                  "weir: \"%s\" cannot be given to the workers' user", path);
  }
  return NGX_OK;
}

ngx_int_t weir_http_ledger_accepts(weir_http_shared* shared) {
  if (shared->ledger == NULL) return 1;
  WEIR_HTTP_NEW_ERROR(error);
  int32_t accepts = 1;
  const weir_now now = weir_http_now();
  weir_ledger_accepts(shared->ledger, &now, &accepts, &error);
  return accepts != 0;
}

void weir_http_ledger_append(weir_http_exchange* x) {
  if (x->shared->ledger == NULL) return;
  WEIR_HTTP_NEW_ERROR(error);
  int32_t outcome = 0;
  const weir_now now = weir_http_now();
  weir_http_check(x, weir_ledger_append(x->shared->ledger, x->txn, &now, &outcome, &error), &error);
}
