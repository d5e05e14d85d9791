/* The policy file, its secrets, and the engine: made by the master before it forks, so that the
 * workers map one state. */

#include <sys/random.h>

#include "weir_http.h"

#define MAX_FILE_BYTES (64 * 1024 * 1024)

/* A whole file, NUL-terminated; `limit` bounds it. */
static ngx_int_t read_file(ngx_conf_t* cf, ngx_pool_t* pool, u_char* path, ngx_str_t* text) {
  ngx_file_t file;
  ngx_memzero(&file, sizeof(file));
  file.log = cf->log;
  file.name.data = path;
  file.name.len = ngx_strlen(path);
  file.fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
  if (file.fd == NGX_INVALID_FILE) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "weir: \"%s\" cannot be opened", path);
    return NGX_ERROR;
  }
  ngx_int_t rc = NGX_ERROR;
  if (ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR ||
      ngx_file_size(&file.info) > MAX_FILE_BYTES) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir: \"%s\" is too large or no file", path);
  } else {
    size_t size = ngx_file_size(&file.info);
    text->data = ngx_pnalloc(pool, size + 1);
    ssize_t got = text->data == NULL ? NGX_ERROR : ngx_read_file(&file, text->data, size, 0);
    if (got >= 0) {
      text->len = got;
      text->data[got] = '\0';
      rc = NGX_OK;
    }
  }
  ngx_close_file(file.fd);
  return rc;
}

/* Each fault of the document in a line of its own: "FILE:LINE:COLUMN: what". */
static void log_faults(ngx_conf_t* cf, const ngx_str_t* file, const ngx_str_t* text,
                       const char* first) {
  WEIR_HTTP_NEW_ERROR(error);
  size_t needed = 0;
  weir_policy_check((const char*)text->data, text->len, NULL, 0, &needed, &error);
  u_char* faults = ngx_pnalloc(cf->temp_pool, needed + 1);
  if (faults == NULL || needed == 0 ||
      weir_policy_check((const char*)text->data, text->len, (char*)faults, needed, &needed,
                        &error) != WEIR_OK) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir: %V: %s", file, first);
    return;
  }
  u_char* end = faults + needed;
  for (u_char* line = faults; line < end;) {
    u_char* line_end = ngx_strlchr(line, end, '\n');
    if (line_end == NULL) line_end = end;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir: %V:%*s", file, (size_t)(line_end - line), line);
    line = line_end + 1;
  }
}

static void free_policy(void* data) {
  weir_http_shared* shared = data;
  weir_policy_free(shared->policy);
  shared->policy = NULL;
}

/* weir_policy FILE */
char* weir_http_policy(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  weir_http_shared* shared = conf;
  ngx_str_t* values = cf->args->elts;
  if (shared->policy != NULL) return "is duplicate";
  shared->policy_file = values[1];
  if (ngx_conf_full_name(cf->cycle, &shared->policy_file, 1) != NGX_OK) return NGX_CONF_ERROR;
  ngx_str_t text;
  if (read_file(cf, cf->temp_pool, shared->policy_file.data, &text) != NGX_OK)
    return NGX_CONF_ERROR;
  WEIR_HTTP_NEW_ERROR(error);
  if (weir_policy_parse((const char*)text.data, text.len, &shared->policy, &error) != WEIR_OK) {
    log_faults(cf, &shared->policy_file, &text, error.message);
    return NGX_CONF_ERROR;
  }
  ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (cleanup == NULL) {
    free_policy(shared);
    return NGX_CONF_ERROR;
  }
  cleanup->handler = free_policy;
  cleanup->data = shared;
  return NGX_CONF_OK;
}

static ngx_int_t secret_value(ngx_conf_t* cf, ngx_pool_t* pool, int32_t kind, u_char* name,
                              ngx_str_t* value) {
  if (kind == WEIR_SECRET_ENV) {
    value->data = (u_char*)getenv((char*)name);
    if (value->data == NULL) {
      ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                         "weir: the policy needs the environment variable %s, which is not set "
                         "where nginx was started",
                         name);
      return NGX_ERROR;
    }
    value->len = ngx_strlen(value->data);
    return NGX_OK;
  }
  ngx_str_t path = {ngx_strlen(name), name};
  if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) return NGX_ERROR;
  if (read_file(cf, pool, path.data, value) != NGX_OK) return NGX_ERROR;
  /* Files of secrets usually end with a line end that is no part of them. */
  while (value->len > 0 && (value->data[value->len - 1] == LF || value->data[value->len - 1] == CR))
    --value->len;
  return NGX_OK;
}

static ngx_int_t give_secrets(ngx_conf_t* cf, ngx_pool_t* pool, weir_policy* policy) {
  uint32_t count = weir_policy_secret_count(policy);
  for (uint32_t i = 0; i < count; ++i) {
    int32_t kind = 0;
    const char* view = NULL;
    size_t size = 0;
    if (weir_policy_secret(policy, i, &kind, &view, &size) != WEIR_OK) return NGX_ERROR;
    u_char* name = ngx_pnalloc(pool, size + 1);
    ngx_str_t value;
    if (name == NULL) return NGX_ERROR;
    ngx_memcpy(name, view, size);
    name[size] = '\0';
    if (secret_value(cf, pool, kind, name, &value) != NGX_OK) return NGX_ERROR;
    weir_status status = weir_policy_set_secret(policy, i, (char*)value.data, value.len);
    if (status != WEIR_OK) {
      ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir: the secret %s cannot be set", name);
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

static void free_engine(void* data) { weir_engine_free(data); }

/* An engine over the state file. The one of the configuration before lives on until its last
 * worker is gone; the counters are in the file, which both map. */
ngx_int_t weir_http_engine_open(ngx_conf_t* cf, weir_http_shared* shared) {
  /* Secrets go no further than this pool, which ends here. */
  ngx_pool_t* pool = ngx_create_pool(4096, cf->log);
  if (pool == NULL) return NGX_ERROR;
  ngx_int_t rc = give_secrets(cf, pool, shared->policy);
  ngx_destroy_pool(pool);
  if (rc != NGX_OK) return rc;

  weir_engine_options options;
  ngx_memzero(&options, sizeof(options));
  options.size = sizeof(options);
  options.state_bytes = shared->state_bytes;
  options.state_file = (const char*)shared->state_file.data;
  options.state_file_size = shared->state_file.len;
  if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed)) return NGX_ERROR;
  WEIR_HTTP_NEW_ERROR(error);
  ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (cleanup == NULL) return NGX_ERROR;
  if (weir_engine_new(shared->policy, &options, &shared->engine, &error) != WEIR_OK) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "weir: %V: %s", &shared->policy_file, error.message);
    return NGX_ERROR;
  }
  cleanup->handler = free_engine;
  cleanup->data = shared->engine;
  free_policy(shared);
  return NGX_OK;
}
