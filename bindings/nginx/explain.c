/* Reads members of the JSON that weir_txn_explain writes, without making a tree of it. */

#include "weir_http.h"

static u_char* skip_space(u_char* at, u_char* end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) ++at;
  return at;
}

/* Behind the text that begins at `at`, a quote. */
static u_char* skip_text(u_char* at, u_char* end) {
  for (++at; at < end && *at != '"'; ++at) {
    if (*at == '\\') ++at;
  }
  return at < end ? at + 1 : end;
}

/* Behind the value that begins at `at`. */
static u_char* skip_value(u_char* at, u_char* end) {
  ngx_int_t depth = 0;
  while (at < end) {
    if (*at == '"') {
      at = skip_text(at, end);
    } else {
      if (*at == '{' || *at == '[') ++depth;
      if (*at == '}' || *at == ']') {
        if (depth == 0) return at;
        --depth;
      }
      if (*at == ',' && depth == 0) return at;
      ++at;
      continue;
    }
    if (depth == 0) return at;
  }
  return end;
}

/* Where the member's value begins; null: there is none. */
static u_char* find_member(u_char* at, u_char* end, const char* name) {
  size_t size = ngx_strlen(name);
  for (++at; at < end;) {
    at = skip_space(at, end);
    if (at >= end || *at != '"') return NULL;
    u_char* key = at + 1;
    at = skip_text(at, end);
    const ngx_uint_t is_it = (size_t)(at - key) == size + 1 && ngx_strncmp(key, name, size) == 0;
    at = skip_space(at, end);
    if (at >= end || *at != ':') return NULL;
    at = skip_space(at + 1, end);
    if (is_it) return at;
    at = skip_space(skip_value(at, end), end);
    if (at >= end || *at != ',') return NULL;
    ++at;
  }
  return NULL;
}

static u_char* find_last(u_char* at, u_char* end) {
  u_char* last = NULL;
  for (++at; at < end;) {
    at = skip_space(at, end);
    if (at >= end || *at == ']') return last;
    last = at;
    at = skip_space(skip_value(at, end), end);
    if (at < end && *at == ',') ++at;
  }
  return NULL;
}

void weir_http_json_find(const ngx_str_t* json, const char* const* path, ngx_str_t* value) {
  ngx_str_null(value);
  u_char* end = json->data + json->len;
  u_char* at = skip_space(json->data, end);
  for (; *path != NULL; ++path) {
    const ngx_uint_t is_last = ngx_strcmp(*path, "-1") == 0;
    if (at >= end || *at != (is_last ? '[' : '{')) return;
    at = is_last ? find_last(at, end) : find_member(at, end, *path);
    if (at == NULL) return;
  }
  const size_t size = skip_value(at, end) - at;
  if (size == 4 && ngx_strncmp(at, "null", 4) == 0) return;
  const size_t quotes = size >= 2 && *at == '"' ? 1 : 0;
  value->data = at + quotes;
  value->len = size - 2 * quotes;
}
