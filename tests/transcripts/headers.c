/* Growing text and header lists. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host.h"

void text_append(text* t, const char* bytes, size_t size) {
  t->bytes = realloc(t->bytes, t->size + size + 1);
  if (t->bytes == NULL) abort();
  if (size != 0) memcpy(t->bytes + t->size, bytes, size);
  t->size += size;
  t->bytes[t->size] = '\0';
}

void text_assign(text* t, const char* bytes, size_t size) {
  text_free(t);
  text_append(t, bytes, size);
}

void text_free(text* t) {
  free(t->bytes);
  t->bytes = NULL;
  t->size = 0;
}

static char* copy(const char* bytes, size_t size) {
  text t = {NULL, 0};
  text_append(&t, bytes, size);
  return t.bytes;
}

void headers_add(headers* h, const char* name, size_t name_size, const char* value,
                 size_t value_size) {
  if (h->count == MAX_HEADERS) abort();
  header* added = &h->list[h->count++];
  added->name = copy(name, name_size);
  added->value = copy(value, value_size);
  for (char* c = added->name; *c != '\0'; ++c) *c = (char)tolower((unsigned char)*c);
}

void headers_remove(headers* h, const char* name, size_t name_size) {
  size_t kept = 0;
  for (size_t i = 0; i < h->count; ++i) {
    if (strlen(h->list[i].name) == name_size &&
        strncasecmp(h->list[i].name, name, name_size) == 0) {
      free(h->list[i].name);
      free(h->list[i].value);
    } else {
      h->list[kept++] = h->list[i];
    }
  }
  h->count = kept;
}

const char* headers_find(const headers* h, const char* name) {
  for (size_t i = 0; i < h->count; ++i) {
    if (strcasecmp(h->list[i].name, name) == 0) return h->list[i].value;
  }
  return NULL;
}

void headers_copy(headers* to, const headers* from) {
  headers_free(to);
  for (size_t i = 0; i < from->count; ++i) {
    const header* each = &from->list[i];
    headers_add(to, each->name, strlen(each->name), each->value, strlen(each->value));
  }
}

void headers_free(headers* h) {
  for (size_t i = 0; i < h->count; ++i) {
    free(h->list[i].name);
    free(h->list[i].value);
  }
  h->count = 0;
}
