/* What the live page shows of single requests: the latest that were refused or failed, with their
 * explanations, and how each consumer's limits stood at its last request. Kept in memory that all
 * workers share and that a reload leaves alone; only where some location has weir_events. */

#include "weir_http.h"

#define BOARD_BYTES (512 * 1024)
#define REFUSALS 30
#define CONSUMERS 150
#define REFUSAL_BYTES 4096
#define NAME_BYTES 128
#define LIMITS_BYTES 1024
/* A worker explains no more than this for the board, so that a flood costs little. */
#define NOTES_PER_PERIOD 50
#define PERIOD_MS 100

/* A text whose size is written last: one whose writer was killed is empty. */
typedef struct {
  uint64_t time_ms;
  size_t size;
  u_char bytes[REFUSAL_BYTES];
} refusal;

typedef struct {
  uint64_t time_ms;
  size_t name_size, size;
  u_char name[NAME_BYTES], bytes[LIMITS_BYTES];
} consumer;

typedef struct {
  uint64_t refused; /* by all workers; the latest are kept */
  refusal refusals[REFUSALS];
  consumer consumers[CONSUMERS];
} board;

static ngx_int_t open_board(ngx_shm_zone_t* zone, void* earlier) {
  ngx_slab_pool_t* pool = (ngx_slab_pool_t*)zone->shm.addr;
  if (earlier == NULL && !zone->shm.exists) pool->data = ngx_slab_calloc(pool, sizeof(board));
  zone->data = earlier != NULL ? earlier : pool->data;
  return zone->data == NULL ? NGX_ERROR : NGX_OK;
}

ngx_int_t weir_http_board_add(ngx_conf_t* cf, weir_http_shared* shared) {
  static ngx_str_t name = ngx_string("weir_board");
  if (shared->board != NULL) return NGX_OK;
  shared->board = ngx_shared_memory_add(cf, &name, BOARD_BYTES, &ngx_http_weir_module);
  if (shared->board == NULL) return NGX_ERROR;
  shared->board->init = open_board;
  return NGX_OK;
}

static board* lock(ngx_shm_zone_t* zone) {
  ngx_shmtx_lock(&((ngx_slab_pool_t*)zone->shm.addr)->mutex);
  return zone->data;
}

static void unlock(ngx_shm_zone_t* zone) {
  ngx_shmtx_unlock(&((ngx_slab_pool_t*)zone->shm.addr)->mutex);
}

/* Whether this worker may explain one more request for the board now. */
static ngx_int_t may_note(void) {
  static ngx_msec_t since;
  static ngx_uint_t notes;
  if (ngx_current_msec - since >= PERIOD_MS) {
    since = ngx_current_msec;
    notes = 0;
  }
  return notes++ < NOTES_PER_PERIOD;
}

/* The explanation with what the client was answered as its last member. */
static void note_refusal(board* b, const ngx_str_t* explanation, ngx_uint_t status, uint64_t time) {
  static const char kMember[] = ",\"answered\":%ui}";
  if (explanation->len + sizeof(kMember) + NGX_INT_T_LEN > REFUSAL_BYTES) return;
  refusal* oldest = &b->refusals[0];
  for (ngx_uint_t i = 1; i < REFUSALS; ++i) {
    if (b->refusals[i].time_ms < oldest->time_ms) oldest = &b->refusals[i];
  }
  oldest->size = 0;
  oldest->time_ms = time;
  u_char* end = ngx_cpymem(oldest->bytes, explanation->data, explanation->len - 1);
  end = ngx_sprintf(end, kMember, status);
  ngx_memory_barrier();
  oldest->size = end - oldest->bytes;
}

/* In place of the same consumer's, else of the one not heard of for longest. */
static void note_limits(board* b, const ngx_str_t* name, const ngx_str_t* limits, uint64_t time) {
  if (name->len == 0 || name->len > NAME_BYTES || limits->len > LIMITS_BYTES) return;
  consumer* found = &b->consumers[0];
  for (ngx_uint_t i = 0; i < CONSUMERS; ++i) {
    consumer* each = &b->consumers[i];
    if (each->name_size == name->len && ngx_memcmp(each->name, name->data, name->len) == 0) {
      found = each;
      break;
    }
    if (each->time_ms < found->time_ms) found = each;
  }
  found->size = 0;
  found->time_ms = time;
  ngx_memcpy(found->name, name->data, name->len);
  found->name_size = name->len;
  ngx_memcpy(found->bytes, limits->data, limits->len);
  ngx_memory_barrier();
  found->size = limits->len;
}

void weir_http_board_note(weir_http_exchange* x) {
  static const ngx_uint_t kClientClosedRequest = 499;
  static const char* const kConsumer[] = {"consumer", NULL};
  static const char* const kLimits[] = {"limits", NULL};
  ngx_shm_zone_t* zone = x->shared->board;
  if (zone == NULL) return;
  ngx_http_request_t* r = x->request;
  ngx_uint_t status = r->err_status != 0 ? r->err_status : r->headers_out.status;
  if (status == 0) status = kClientClosedRequest;
  ngx_str_t name = ngx_null_string, limits = ngx_null_string;
  const ngx_uint_t is_noted = may_note() && weir_http_explain(x) == NGX_OK;
  if (is_noted) {
    weir_http_json_find(&x->explanation, kConsumer, &name);
    weir_http_json_find(&x->explanation, kLimits, &limits);
  }
  if (status < NGX_HTTP_BAD_REQUEST && limits.len <= 2) return; /* and no other worker is held up */
  const uint64_t time = weir_http_now().unix_ns / 1000000;
  board* b = lock(zone);
  if (limits.len > 2) note_limits(b, &name, &limits, time);
  if (status >= NGX_HTTP_BAD_REQUEST) {
    ++b->refused;
    if (is_noted) note_refusal(b, &x->explanation, status, time);
  }
  unlock(zone);
}

static u_char* write_consumers(u_char* at, const board* b) {
  ngx_uint_t written = 0;
  for (ngx_uint_t i = 0; i < CONSUMERS; ++i) {
    const consumer* each = &b->consumers[i];
    if (each->size == 0) continue;
    const ngx_str_t name = {each->name_size, (u_char*)each->name};
    const ngx_str_t limits = {each->size, (u_char*)each->bytes};
    at = ngx_sprintf(at, "%s{\"consumer\":\"%V\",\"time_ms\":%uL,\"limits\":%V}",
                     written++ == 0 ? "" : ",", &name, each->time_ms, &limits);
  }
  return at;
}

/* The newest first: each time the newest of those older than the last. */
static u_char* write_refusals(u_char* at, const board* b) {
  ngx_uint_t is_written[REFUSALS] = {0};
  for (ngx_uint_t written = 0; written < REFUSALS; ++written) {
    ngx_uint_t newest = REFUSALS;
    for (ngx_uint_t i = 0; i < REFUSALS; ++i) {
      const refusal* each = &b->refusals[i];
      if (is_written[i] || each->size == 0) continue;
      if (newest == REFUSALS || each->time_ms > b->refusals[newest].time_ms) newest = i;
    }
    if (newest == REFUSALS) return at;
    is_written[newest] = 1;
    const ngx_str_t text = {b->refusals[newest].size, (u_char*)b->refusals[newest].bytes};
    at = ngx_sprintf(at, "%s{\"time_ms\":%uL,\"explained\":%V}", written == 0 ? "" : ",",
                     b->refusals[newest].time_ms, &text);
  }
  return at;
}

ngx_int_t weir_http_board_write(ngx_http_request_t* r, weir_http_shared* shared, ngx_str_t* text) {
  /* What stands between the texts is shorter than the fields that hold them are large. */
  text->data = ngx_palloc(r->pool, 2 * sizeof(board));
  if (text->data == NULL) return NGX_ERROR;
  const board* b = lock(shared->board);
  u_char* at = ngx_sprintf(text->data, "\"consumers\":[");
  at = write_consumers(at, b);
  at = ngx_sprintf(at, "],\"refused\":%uL,\"refusals\":[", b->refused);
  at = write_refusals(at, b);
  *at++ = ']';
  unlock(shared->board);
  text->len = at - text->data;
  return NGX_OK;
}
