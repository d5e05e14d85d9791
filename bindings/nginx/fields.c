/* Header lists and weir's edits. */

#include "weir_http.h"

ngx_int_t weir_http_field_add(ngx_array_t* fields, ngx_pool_t* pool, const ngx_str_t* name,
                              const ngx_str_t* value) {
  weir_http_field* field = ngx_array_push(fields);
  if (field == NULL) return NGX_ERROR;
  field->name = *name;
  field->value = *value;
  return NGX_OK;
}

static ngx_int_t same_name(const ngx_str_t* a, const u_char* b, size_t b_size) {
  return a->len == b_size && ngx_strncasecmp(a->data, (u_char*)b, b_size) == 0;
}

ngx_int_t weir_http_field_is(const weir_http_field* field, const char* name) {
  return same_name(&field->name, (const u_char*)name, ngx_strlen(name));
}

ngx_int_t weir_http_field_is_sent(const weir_http_field* field) {
  if (weir_http_field_is(field, "host") || weir_http_field_is(field, "content-length") ||
      weir_http_field_is(field, "expect")) {
    return 0;
  }
  for (size_t i = 0; i < field->value.len; ++i) {
    const u_char c = field->value.data[i];
    if (c == '\r' || c == '\n' || c == '\0') return 0;
  }
  return 1;
}

ngx_str_t* weir_http_field_find(const ngx_array_t* fields, const char* name) {
  weir_http_field* list = fields->elts;
  for (ngx_uint_t i = 0; i < fields->nelts; ++i) {
    if (weir_http_field_is(&list[i], name)) return &list[i].value;
  }
  return NULL;
}

static void remove_field(ngx_array_t* fields, const u_char* name, size_t size) {
  weir_http_field* list = fields->elts;
  ngx_uint_t kept = 0;
  for (ngx_uint_t i = 0; i < fields->nelts; ++i) {
    if (!same_name(&list[i].name, name, size)) list[kept++] = list[i];
  }
  fields->nelts = kept;
}

/* The value of the first field of this name, which is removed; 0: there is none. */
static ngx_int_t take_first(ngx_array_t* fields, const char* name, ngx_str_t* value) {
  weir_http_field* list = fields->elts;
  for (ngx_uint_t i = 0; i < fields->nelts; ++i) {
    if (!weir_http_field_is(&list[i], name)) continue;
    *value = list[i].value;
    --fields->nelts;
    ngx_memmove(&list[i], &list[i + 1], (fields->nelts - i) * sizeof(*list));
    return 1;
  }
  return 0;
}

/* Removes the fields that a Connection header names. */
static void remove_named(ngx_array_t* fields, ngx_str_t names) {
  u_char* end = names.data + names.len;
  for (u_char* at = names.data; at < end;) {
    while (at < end && (*at == ' ' || *at == ',' || *at == '\t')) ++at;
    u_char* name = at;
    while (at < end && *at != ' ' && *at != ',' && *at != '\t') ++at;
    if (at != name) remove_field(fields, name, at - name);
  }
}

void weir_http_fields_keep_end_to_end(ngx_array_t* fields) {
  static const char* const kOneConnection[] = {
      "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
      "te",         "trailer",          "transfer-encoding",  "upgrade"};
  ngx_str_t names;
  while (take_first(fields, "connection", &names)) remove_named(fields, names);
  for (size_t i = 0; i < sizeof(kOneConnection) / sizeof(kOneConnection[0]); ++i) {
    remove_field(fields, (const u_char*)kOneConnection[i], ngx_strlen(kOneConnection[i]));
  }
}

static ngx_int_t copy(ngx_pool_t* pool, const char* bytes, size_t size, ngx_str_t* text) {
  /* NUL behind it: some of nginx's header handlers read up to one. */
  text->data = ngx_pnalloc(pool, size + 1);
  if (text->data == NULL) return NGX_ERROR;
  ngx_memcpy(text->data, bytes, size);
  text->data[size] = '\0';
  text->len = size;
  return NGX_OK;
}

ngx_int_t weir_http_fields_edit(ngx_array_t* fields, ngx_pool_t* pool, const weir_txn* txn,
                                uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    int32_t operation = 0;
    const char *name = NULL, *value = NULL;
    size_t name_size = 0, value_size = 0;
    if (weir_txn_header(txn, i, &operation, &name, &name_size, &value, &value_size) != WEIR_OK) {
      return NGX_ERROR;
    }
    if (operation != WEIR_HEADER_ADD) remove_field(fields, (const u_char*)name, name_size);
    if (operation == WEIR_HEADER_REMOVE) continue;
    weir_http_field field;
    if (copy(pool, name, name_size, &field.name) != NGX_OK ||
        copy(pool, value, value_size, &field.value) != NGX_OK ||
        weir_http_field_add(fields, pool, &field.name, &field.value) != NGX_OK) {
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}
