/* The metrics of all workers as one text. libweir counts for each process; each worker publishes
 * its text in memory that all share, and the one that is asked adds them up: counters and
 * histograms are summed, of a gauge the highest is told. */

#include "weir_http.h"

#define MAX_WORKERS 64
#define MAX_TEXT_BYTES (256 * 1024)
#define PUBLISH_MS 1000 /* how old another worker's numbers may be */
#define TRIES 4         /* the text may grow between two calls */

typedef struct {
  size_t size;
  u_char text[MAX_TEXT_BYTES];
} slot;

typedef struct {
  ngx_str_t name;
  ngx_str_t help; /* the comment lines */
  ngx_uint_t is_gauge;
  ngx_array_t* series; /* of series*, in the order in which they were met */
} family;

typedef struct {
  ngx_str_node_t node; /* by name and labels */
  double fraction;     /* of values that are no whole numbers: all of it */
  uint64_t whole;
  ngx_uint_t is_whole;
} series;

typedef struct {
  ngx_pool_t* pool;
  ngx_array_t families;
  ngx_rbtree_t tree;
  ngx_rbtree_node_t sentinel;
  family* current;
} sum;

/* ---- Publishing ---- */

static ngx_int_t init_zone(ngx_shm_zone_t* zone, void* before) {
  weir_http_shared* shared = zone->data;
  ngx_slab_pool_t* pool = (ngx_slab_pool_t*)zone->shm.addr;
  if (before == NULL && !zone->shm.exists) {
    pool->data = ngx_slab_calloc(pool, MAX_WORKERS * sizeof(slot));
    if (pool->data == NULL) return NGX_ERROR;
  }
  shared->slots = pool->data;
  return NGX_OK;
}

ngx_int_t weir_http_metrics_zone(ngx_conf_t* cf, weir_http_shared* shared) {
  static ngx_str_t name = ngx_string("weir_metrics");
  if (shared->zone != NULL) return NGX_OK;
  const size_t size = MAX_WORKERS * sizeof(slot) + 1024 * 1024;
  shared->zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_weir_module);
  if (shared->zone == NULL) return NGX_ERROR;
  shared->zone->init = init_zone;
  shared->zone->data = shared;
  return NGX_OK;
}

/* This worker's own text, into `pool`. */
static ngx_int_t own_text(weir_http_shared* shared, ngx_pool_t* pool, ngx_str_t* text) {
  WEIR_HTTP_NEW_ERROR(error);
  size_t needed = 0;
  ngx_str_null(text);
  weir_status status = weir_engine_metrics(shared->engine, NULL, 0, &needed, &error);
  for (ngx_uint_t i = 0; i < TRIES && status == WEIR_OUT_OF_RANGE; ++i) {
    const size_t capacity = needed + needed / 8 + 1;
    text->data = ngx_pnalloc(pool, capacity);
    if (text->data == NULL) return NGX_ERROR;
    status = weir_engine_metrics(shared->engine, (char*)text->data, capacity, &needed, &error);
    text->len = needed;
  }
  return status == WEIR_OK ? NGX_OK : NGX_ERROR;
}

static ngx_int_t publish(weir_http_shared* shared, ngx_pool_t* pool) {
  ngx_slab_pool_t* slab = (ngx_slab_pool_t*)shared->zone->shm.addr;
  ngx_str_t text;
  if (ngx_worker >= MAX_WORKERS || own_text(shared, pool, &text) != NGX_OK) return NGX_ERROR;
  if (text.len > MAX_TEXT_BYTES) {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "weir: the metrics of this worker, %uz bytes, are too long to be added up",
                  text.len);
    return NGX_ERROR;
  }
  slot* own = (slot*)shared->slots + ngx_worker;
  ngx_shmtx_lock(&slab->mutex);
  own->size = text.len;
  ngx_memcpy(own->text, text.data, text.len);
  ngx_shmtx_unlock(&slab->mutex);
  return NGX_OK;
}

static void publish_now_and_then(ngx_event_t* event) {
  /* The worker that takes this one's place publishes in the same slot. */
  if (ngx_exiting) return;
  ngx_pool_t* pool = ngx_create_pool(4096, ngx_cycle->log);
  if (pool != NULL) {
    (void)publish(event->data, pool);
    ngx_destroy_pool(pool);
  }
  ngx_add_timer(event, PUBLISH_MS);
}

ngx_int_t weir_http_metrics_begin(weir_http_shared* shared) {
  if (shared->zone == NULL || shared->engine == NULL) return NGX_OK;
  shared->publish.handler = publish_now_and_then;
  shared->publish.data = shared;
  shared->publish.log = ngx_cycle->log;
  shared->publish.cancelable = 1;
  ngx_add_timer(&shared->publish, 1);
  return NGX_OK;
}

/* ---- Adding up ---- */

static family* find_family(sum* all, ngx_str_t name) {
  family* list = all->families.elts;
  for (ngx_uint_t i = 0; i < all->families.nelts; ++i) {
    if (list[i].name.len == name.len && ngx_memcmp(list[i].name.data, name.data, name.len) == 0) {
      return &list[i];
    }
  }
  family* added = ngx_array_push(&all->families);
  if (added == NULL) return NULL;
  ngx_memzero(added, sizeof(*added));
  added->name = name;
  added->series = ngx_array_create(all->pool, 16, sizeof(series*));
  return added->series == NULL ? NULL : added;
}

/* "# HELP name text" or "# TYPE name kind": two lines begin a family. */
static ngx_int_t add_comment(sum* all, ngx_str_t line) {
  u_char* end = line.data + line.len;
  if (line.len < 8) return NGX_ERROR;
  ngx_str_t name = {0, line.data + 7};
  u_char* space = ngx_strlchr(name.data, end, ' ');
  if (space == NULL) return NGX_ERROR;
  name.len = space - name.data;
  family* one = find_family(all, name);
  if (one == NULL) return NGX_ERROR;
  all->current = one;
  if (one->help.len == 0) {
    one->help = line;
    return NGX_OK;
  }
  if (ngx_strncmp(line.data, "# TYPE ", 7) != 0) return NGX_OK;
  one->is_gauge = end - space == 6 && ngx_strncmp(space, " gauge", 6) == 0;
  if (line.data == one->help.data + one->help.len + 1) one->help.len += 1 + line.len;
  return NGX_OK;
}

static void add_value(series* one, ngx_str_t text, ngx_uint_t is_gauge) {
  const ngx_uint_t is_whole = ngx_strlchr(text.data, text.data + text.len, '.') == NULL;
  char digits[64];
  ngx_cpystrn((u_char*)digits, text.data, ngx_min(text.len + 1, sizeof(digits)));
  const uint64_t whole = strtoull(digits, NULL, 10);
  const double fraction = strtod(digits, NULL);
  one->is_whole = one->is_whole && is_whole;
  if (is_gauge) {
    one->whole = ngx_max(one->whole, whole);
    one->fraction = ngx_max(one->fraction, fraction);
  } else {
    one->whole += whole;
    one->fraction += fraction;
  }
}

/* "name{labels} value"; a label may hold spaces, the value is behind the last one. */
static ngx_int_t add_series(sum* all, ngx_str_t line) {
  u_char* space = line.data + line.len;
  while (space > line.data && *--space != ' ') continue;
  if (all->current == NULL || space == line.data) return NGX_ERROR;
  ngx_str_t name = {space - line.data, line.data};
  ngx_str_t value = {line.data + line.len - space - 1, space + 1};
  const uint32_t hash = ngx_crc32_long(name.data, name.len);
  series* one = (series*)ngx_str_rbtree_lookup(&all->tree, &name, hash);
  if (one == NULL) {
    one = ngx_pcalloc(all->pool, sizeof(*one));
    if (one == NULL) return NGX_ERROR;
    one->node.str = name;
    one->node.node.key = hash;
    one->is_whole = 1;
    ngx_rbtree_insert(&all->tree, &one->node.node);
    series** last = ngx_array_push(all->current->series);
    if (last == NULL) return NGX_ERROR;
    *last = one;
  }
  add_value(one, value, all->current->is_gauge);
  return NGX_OK;
}

static ngx_int_t add_text(sum* all, ngx_str_t text) {
  u_char* end = text.data + text.len;
  all->current = NULL;
  for (u_char* at = text.data; at < end;) {
    u_char* line_end = ngx_strlchr(at, end, '\n');
    if (line_end == NULL) line_end = end;
    const ngx_str_t line = {line_end - at, at};
    at = line_end + 1;
    if (line.len == 0) continue;
    const ngx_int_t rc = *line.data == '#' ? add_comment(all, line) : add_series(all, line);
    if (rc != NGX_OK) return rc;
  }
  return NGX_OK;
}

/* As libweir writes it: no zeros at the end of a fraction. */
static u_char* write_series(u_char* at, series* one) {
  if (one->is_whole) return ngx_sprintf(at, "%V %uL\n", &one->node.str, one->whole);
  at = ngx_sprintf(at, "%V %.9f", &one->node.str, one->fraction);
  while (at[-1] == '0') --at;
  if (at[-1] == '.') --at;
  *at++ = '\n';
  return at;
}

static ngx_int_t write_sum(sum* all, ngx_str_t* text) {
  size_t size = 0;
  family* families = all->families.elts;
  for (ngx_uint_t i = 0; i < all->families.nelts; ++i) {
    series** list = families[i].series->elts;
    size += families[i].help.len + 1;
    for (ngx_uint_t j = 0; j < families[i].series->nelts; ++j) {
      size += list[j]->node.str.len + NGX_INT64_LEN + 16;
    }
  }
  text->data = ngx_pnalloc(all->pool, size + 1);
  if (text->data == NULL) return NGX_ERROR;
  u_char* at = text->data;
  for (ngx_uint_t i = 0; i < all->families.nelts; ++i) {
    series** list = families[i].series->elts;
    at = ngx_sprintf(at, "%V\n", &families[i].help);
    for (ngx_uint_t j = 0; j < families[i].series->nelts; ++j) {
      at = write_series(at, list[j]);
    }
  }
  text->len = at - text->data;
  return NGX_OK;
}

/* A slot's text, copied: it is not locked while it is read. */
static ngx_int_t copy_text(weir_http_shared* shared, ngx_uint_t worker, ngx_pool_t* pool,
                           ngx_str_t* text) {
  ngx_slab_pool_t* slab = (ngx_slab_pool_t*)shared->zone->shm.addr;
  slot* one = (slot*)shared->slots + worker;
  ngx_shmtx_lock(&slab->mutex);
  text->len = one->size;
  text->data = ngx_pnalloc(pool, text->len + 1);
  if (text->data != NULL) ngx_memcpy(text->data, one->text, text->len);
  ngx_shmtx_unlock(&slab->mutex);
  return text->data == NULL ? NGX_ERROR : NGX_OK;
}

ngx_int_t weir_http_metrics_text(weir_http_shared* shared, ngx_pool_t* pool, ngx_str_t* text) {
  ngx_core_conf_t* core = (ngx_core_conf_t*)ngx_get_conf(ngx_cycle->conf_ctx, ngx_core_module);
  const ngx_uint_t workers = ngx_min((ngx_uint_t)core->worker_processes, MAX_WORKERS);
  sum all;
  all.pool = pool;
  ngx_rbtree_init(&all.tree, &all.sentinel, ngx_str_rbtree_insert_value);
  if (publish(shared, pool) != NGX_OK ||
      ngx_array_init(&all.families, pool, 16, sizeof(family)) != NGX_OK) {
    return NGX_ERROR;
  }
  for (ngx_uint_t i = 0; i < workers; ++i) {
    ngx_str_t each;
    if (copy_text(shared, i, pool, &each) != NGX_OK || add_text(&all, each) != NGX_OK) {
      return NGX_ERROR;
    }
  }
  return write_sum(&all, text);
}
