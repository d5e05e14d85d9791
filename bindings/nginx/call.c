/* WEIR_ACTION_CALL: a side request of weir's, to an embedder or a verifier, as a subrequest to the
 * location that `weir_call` names.
 *
 * It is a background subrequest: the client's answer waits for no output of it, and at its deadline
 * the exchange goes on at once. It has headers, body and variables of its own, so that nothing of
 * the client's can get to where it goes. Its answer is taken by a body filter of this module:
 * nginx's own way of keeping a subrequest's answer ends the client's connection when one is too
 * large. What is known of it (weir_http_call) is in the request's pool, which nginx keeps until the
 * last subrequest has ended, so that whatever comes late finds it. */

#include "weir_http.h"

#define FIRST_BYTES 4096

struct weir_http_call_s {
  weir_http_exchange* x; /* NULL: nobody waits for it any more */
  ngx_http_request_t* request;
  ngx_http_post_subrequest_t post;
  ngx_http_request_body_t body;
  ngx_buf_t body_buf;
  ngx_chain_t body_link;
  ngx_str_t url; /* scheme, host and port; the target stands behind it */
  ngx_str_t target;
  ngx_str_t answer; /* allocated outside of the pool, which may be kept for long */
  size_t capacity;
  int32_t status;        /* of a whole answer; else 0 */
  unsigned ended : 1;    /* the subrequest has */
  unsigned complete : 1; /* the answer's last byte has come */
  unsigned lost : 1;     /* it was not to be kept, and is not */
};

static ngx_http_output_body_filter_pt next_body_filter;

/* ---- Its end ---- */

static void free_answer(weir_http_call* call) {
  if (call->answer.data != NULL) ngx_free(call->answer.data);
  ngx_str_null(&call->answer);
  call->capacity = 0;
}

/* The exchange goes on once nginx's stack is left. */
static void wake(weir_http_call* call) {
  if (call->x == NULL) return;
  ngx_post_event(&call->x->resume, &ngx_posted_events);
}

/* The subrequest has ended. Whatever has become of it is no failure of the client's request. */
static ngx_int_t ended(ngx_http_request_t* sr, void* data, ngx_int_t rc) {
  weir_http_call* call = data;
  if (call->ended) return NGX_OK;
  call->ended = 1;
  if (call->x == NULL) return NGX_OK;
  if (rc == NGX_OK && call->complete && !call->lost) {
    call->status = (int32_t)sr->headers_out.status;
  } else if (!call->lost) {
    ngx_log_error(NGX_LOG_WARN, sr->connection->log, 0,
                  "weir: no answer to the side request to \"%V%V\" (%i): the request goes on "
                  "without",
                  &call->url, &call->target, rc);
  }
  wake(call);
  return NGX_OK;
}

/* ---- Under way ---- */

static ngx_int_t has_upstream(const ngx_http_request_t* sr) {
  return sr->upstream != NULL && sr->upstream->cleanup != NULL;
}

/* Ends it from outside. */
static void end_subrequest(weir_http_call* call) {
  ngx_http_request_t* sr = call->request;
  ngx_event_t* write = sr->connection->write;
  if (has_upstream(sr)) {
    const ngx_http_cleanup_pt end = *sr->upstream->cleanup;
    ++sr->main->count; /* which the upstream's end gives back */
    end(sr);
  } else if (write->delayed) {
    /* By limit_req, there: nothing of the client's has been sent yet that could be delayed. */
    write->delayed = 0;
    if (write->timer_set) ngx_del_timer(write);
  } else {
    /* It waits for something that only another module knows, and nginx has no way to end it. The
     * body that it would send is weir's, and gone soon. */
    sr->request_body->bufs = NULL;
    sr->headers_in.content_length_n = 0;
    return;
  }
  ngx_http_finalize_request(sr, NGX_OK);
}

static void pass_on(ngx_http_request_t* r) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r, ngx_http_weir_module);
  if (x->call == NULL || x->call->ended || has_upstream(x->call->request)) return;
  x->call->request->write_event_handler(x->call->request);
}

void weir_http_call_watch(weir_http_exchange* x) { x->request->write_event_handler = pass_on; }

void weir_http_call_drop(weir_http_exchange* x) {
  weir_http_call* call = x->call;
  if (call == NULL) return;
  x->call = NULL;
  call->x = NULL;
  free_answer(call);
  if (x->resume.posted) {
    ngx_delete_posted_event(&x->resume);
  }
  /* When the request itself ends, nginx ends what is still under way. */
  if (!call->ended && x->outcome == WEIR_HTTP_OPEN) end_subrequest(call);
}

ngx_int_t weir_http_call_feed(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  weir_http_call* call = x->call;
  weir_http_feed(x);
  const char* answer = call == NULL ? NULL : (const char*)call->answer.data;
  const size_t size = call == NULL || call->status == 0 ? 0 : call->answer.len;
  const int32_t status = call == NULL ? 0 : call->status;
  return weir_http_check(
      x, weir_txn_call_result(x->txn, x->action.call_id, status, answer, size, &error), &error);
}

ngx_int_t weir_http_call_is_over(const weir_http_exchange* x) {
  return x->call->ended || x->call->lost;
}

/* ---- Its answer ---- */

static ngx_int_t keep(weir_http_call* call, const ngx_buf_t* buf) {
  const size_t size = buf->last - buf->pos, wanted = call->answer.len + size;
  const off_t told = call->request->headers_out.content_length_n;
  if (ngx_max((off_t)wanted, told) > (off_t)call->x->location->call_bytes) {
    ngx_log_error(NGX_LOG_ERR, call->request->connection->log, 0,
                  "weir: the answer to the side request to \"%V%V\" is larger than the %uz bytes "
                  "that \"weir_call\" allows",
                  &call->url, &call->target, call->x->location->call_bytes);
    return NGX_ERROR;
  }
  if (wanted > call->capacity) {
    size_t capacity = ngx_max(ngx_max(wanted, 2 * call->capacity), FIRST_BYTES);
    if (told > (off_t)wanted) capacity = (size_t)told;
    capacity = ngx_min(capacity, call->x->location->call_bytes);
    u_char* bytes = ngx_alloc(capacity, call->request->connection->log);
    if (bytes == NULL) return NGX_ERROR;
    if (call->answer.len != 0) ngx_memcpy(bytes, call->answer.data, call->answer.len);
    if (call->answer.data != NULL) ngx_free(call->answer.data);
    call->answer.data = bytes;
    call->capacity = capacity;
  }
  ngx_memcpy(call->answer.data + call->answer.len, buf->pos, size);
  call->answer.len = wanted;
  return NGX_OK;
}

static void take(weir_http_call* call, ngx_buf_t* buf) {
  if (ngx_buf_in_memory(buf)) {
    if (call->x != NULL && !call->lost && keep(call, buf) != NGX_OK) {
      call->lost = 1;
      free_answer(call);
      wake(call);
    }
    buf->pos = buf->last;
  }
  if (buf->in_file) buf->file_pos = buf->file_last;
  if (buf->last_in_chain || buf->last_buf) call->complete = 1;
}

static ngx_int_t take_answer(ngx_http_request_t* r, ngx_chain_t* in) {
  if (r == r->main || r->post_subrequest == NULL || r->post_subrequest->handler != ended) {
    return next_body_filter(r, in);
  }
  for (; in != NULL; in = in->next) take(r->post_subrequest->data, in->buf);
  return NGX_OK;
}

void weir_http_call_install(void) {
  next_body_filter = ngx_http_top_body_filter;
  ngx_http_top_body_filter = take_answer;
}

/* ---- Its beginning ---- */

static weir_http_call* new_call(weir_http_exchange* x) {
  const char *url = NULL, *target = NULL, *body = NULL;
  size_t url_size = 0, target_size = 0, body_size = 0;
  ngx_pool_t* pool = x->request->pool;
  weir_http_call* call = ngx_pcalloc(pool, sizeof(*call));
  if (call == NULL || weir_txn_url(x->txn, &url, &url_size) != WEIR_OK ||
      weir_txn_target(x->txn, &target, &target_size) != WEIR_OK ||
      weir_txn_body(x->txn, &body, &body_size) != WEIR_OK) {
    return NULL;
  }
  call->url.len = url_size;
  call->url.data = ngx_pnalloc(pool, url_size + target_size);
  if (call->url.data == NULL) return NULL;
  call->target.len = target_size;
  call->target.data = ngx_cpymem(call->url.data, url, url_size);
  ngx_memcpy(call->target.data, target, target_size);
  call->body_buf.start = call->body_buf.pos = (u_char*)body;
  call->body_buf.end = call->body_buf.last = call->body_buf.pos + body_size;
  call->body_buf.memory = 1;
  call->body_link.buf = &call->body_buf;
  if (body_size != 0) call->body.bufs = &call->body_link;
  call->post.handler = ended;
  call->post.data = call;
  return call;
}

static ngx_int_t add_field(ngx_http_headers_in_t* head, ngx_pool_t* pool,
                           const weir_http_field* field) {
  ngx_table_elt_t* header = ngx_list_push(&head->headers);
  if (header == NULL) return NGX_ERROR;
  ngx_memzero(header, sizeof(*header));
  header->key = field->name;
  header->value = field->value;
  header->lowcase_key = ngx_pnalloc(pool, field->name.len + 1);
  if (header->lowcase_key == NULL) return NGX_ERROR;
  header->hash = ngx_hash_strlow(header->lowcase_key, field->name.data, field->name.len);
  return NGX_OK;
}

/* The action's headers, and none besides. */
static ngx_int_t make_head(weir_http_exchange* x, size_t body_size, ngx_http_headers_in_t* head) {
  ngx_pool_t* pool = x->request->pool;
  ngx_array_t fields;
  ngx_memzero(head, sizeof(*head));
  head->content_length_n = (off_t)body_size;
  if (ngx_array_init(&fields, pool, 4, sizeof(weir_http_field)) != NGX_OK ||
      weir_http_fields_edit(&fields, pool, x->txn, x->action.header_count) != NGX_OK ||
      ngx_list_init(&head->headers, pool, fields.nelts + 1, sizeof(ngx_table_elt_t)) != NGX_OK) {
    return NGX_ERROR;
  }
  weir_http_field* list = fields.elts;
  for (ngx_uint_t i = 0; i < fields.nelts; ++i) {
    if (!weir_http_field_is_sent(&list[i])) continue;
    if (add_field(head, pool, &list[i]) != NGX_OK) return NGX_ERROR;
  }
  return NGX_OK;
}

/* Variables are values kept by index; the client's request and this one are not to see what the
 * other's headers made of them. */
static ngx_http_variable_value_t* new_variables(ngx_http_request_t* r) {
  ngx_http_core_main_conf_t* core = ngx_http_get_module_main_conf(r, ngx_http_core_module);
  return ngx_pcalloc(r->pool, core->variables.nelts * sizeof(ngx_http_variable_value_t));
}

/* Says once in each worker what this configuration makes of the policy. */
static ngx_int_t decline(weir_http_exchange* x, const char* why) {
  if (!x->shared->call_declined) {
    x->shared->call_declined = 1;
    ngx_log_error(NGX_LOG_WARN, x->request->connection->log, 0,
                  "weir: the policy has a cache that asks an embedder or a verifier, and %s: "
                  "requests go on without (told once)",
                  why);
  }
  return NGX_DECLINED;
}

ngx_int_t weir_http_call_start(weir_http_exchange* x) {
  static ngx_str_t method = ngx_string("POST");
  ngx_http_request_t *r = x->request, *sr;
  ngx_http_headers_in_t head;
  if (x->location->call_uri.len == 0) {
    return decline(x, "no \"weir_call\" says how to send that from here");
  }
  weir_http_call* call = new_call(x);
  if (call == NULL) return NGX_ERROR;
  if (call->url.len == 0) return decline(x, "the embedder is to be the host's own, nginx has none");
  ngx_http_variable_value_t* variables = new_variables(r);
  if (variables == NULL ||
      make_head(x, call->body_buf.last - call->body_buf.pos, &head) != NGX_OK ||
      ngx_http_subrequest(r, &x->location->call_uri, NULL, &sr, &call->post,
                          NGX_HTTP_SUBREQUEST_IN_MEMORY | NGX_HTTP_SUBREQUEST_BACKGROUND) !=
          NGX_OK) {
    return NGX_ERROR;
  }
  sr->method = NGX_HTTP_POST;
  sr->method_name = method;
  sr->headers_in = head;
  sr->request_body = &call->body;
  sr->variables = variables;
  call->request = sr;
  call->x = x;
  x->call = call;
  return NGX_OK;
}

/* ---- What its location sends ---- */

static const weir_http_call* call_of(const ngx_http_request_t* r) {
  for (; r != NULL; r = r->parent) {
    if (r->post_subrequest != NULL && r->post_subrequest->handler == ended) {
      return r->post_subrequest->data;
    }
  }
  return NULL;
}

ngx_int_t weir_http_is_call(const ngx_http_request_t* r) {
  return r != r->main && call_of(r) != NULL;
}

ngx_int_t weir_http_call_text(const ngx_http_request_t* r, weir_http_call_part part,
                              ngx_str_t* text) {
  const weir_http_call* call = call_of(r);
  if (call == NULL) return NGX_DECLINED;
  *text = call->url;
  if (part == WEIR_HTTP_CALL_URL) {
    text->len += call->target.len;
  } else if (part == WEIR_HTTP_CALL_TARGET) {
    *text = call->target;
  } else {
    u_char* at = ngx_strlchr(text->data, text->data + text->len, '/'); /* of "://" */
    if (at == NULL || text->data + text->len - at < 2) return NGX_DECLINED;
    text->len -= (at + 2) - text->data;
    text->data = at + 2;
  }
  return NGX_OK;
}
