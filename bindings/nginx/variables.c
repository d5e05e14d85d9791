/* $weir_...: what was decided, for the access log. All but $weir_decision and $weir_reason are read
 * from the explanation, which is written once, when the first of them is asked for. */

#include "weir_http.h"

/* While the answer is under way the explanation still changes. */
ngx_int_t weir_http_explain(weir_http_exchange* x) {
  WEIR_HTTP_NEW_ERROR(error);
  if (x->explanation.len != 0 && x->outcome != WEIR_HTTP_OPEN) return NGX_OK;
  size_t capacity = 1024, needed = 0;
  for (;;) {
    u_char* bytes = ngx_pnalloc(x->request->pool, capacity);
    if (bytes == NULL) return NGX_ERROR;
    weir_status status = weir_txn_explain(x->txn, (char*)bytes, capacity, &needed, &error);
    x->explanation.data = bytes;
    x->explanation.len = needed;
    if (status != WEIR_OUT_OF_RANGE) return weir_http_check(x, status, &error);
    capacity = needed;
  }
}

static weir_http_exchange* exchange_of(ngx_http_request_t* r, ngx_http_variable_value_t* value) {
  weir_http_exchange* x = ngx_http_get_module_ctx(r->main, ngx_http_weir_module);
  value->not_found = x == NULL;
  value->valid = x != NULL;
  value->no_cacheable = 1;
  value->escape = 0;
  return x;
}

static ngx_int_t give(ngx_http_variable_value_t* value, ngx_str_t text) {
  if (text.len == 0) {
    value->not_found = 1;
    value->valid = 0;
    return NGX_OK;
  }
  value->data = text.data;
  value->len = text.len;
  return NGX_OK;
}

static const char* const kConsumer[] = {"consumer", NULL};
static const char* const kModel[] = {"model", NULL};
static const char* const kRoute[] = {"route", NULL};
static const char* const kBackend[] = {"attempts", "-1", "backend", NULL};
static const char* const kPromptTokens[] = {"usage", "prompt", NULL};
static const char* const kCompletionTokens[] = {"usage", "completion", NULL};

static ngx_int_t find(weir_http_exchange* x, const char* const* path, ngx_str_t* text) {
  ngx_str_null(text);
  if (weir_http_explain(x) != NGX_OK) return NGX_ERROR;
  weir_http_json_find(&x->explanation, path, text);
  return NGX_OK;
}

static ngx_int_t get_member(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                            uintptr_t data) {
  weir_http_exchange* x = exchange_of(r, value);
  ngx_str_t text;
  if (x == NULL) return NGX_OK;
  if (find(x, (const char* const*)data, &text) != NGX_OK) return NGX_ERROR;
  return give(value, text);
}

/* Prompt and completion together, as they were charged. */
static ngx_int_t get_tokens(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                            uintptr_t data) {
  weir_http_exchange* x = exchange_of(r, value);
  ngx_str_t prompt, completion;
  if (x == NULL) return NGX_OK;
  if (find(x, kPromptTokens, &prompt) != NGX_OK ||
      find(x, kCompletionTokens, &completion) != NGX_OK) {
    return NGX_ERROR;
  }
  if (prompt.len == 0) return give(value, prompt);
  u_char* digits = ngx_pnalloc(r->pool, NGX_INT64_LEN);
  if (digits == NULL) return NGX_ERROR;
  const off_t sum = ngx_atoof(prompt.data, prompt.len) + ngx_atoof(completion.data, completion.len);
  const ngx_str_t text = {ngx_sprintf(digits, "%O", sum) - digits, digits};
  return give(value, text);
}

static ngx_int_t get_explain(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                             uintptr_t data) {
  weir_http_exchange* x = exchange_of(r, value);
  if (x == NULL) return NGX_OK;
  if (weir_http_explain(x) != NGX_OK) return NGX_ERROR;
  return give(value, x->explanation);
}

static ngx_int_t get_decision(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                              uintptr_t data) {
  static ngx_str_t names[] = {ngx_string("open"),  ngx_string("refused"), ngx_string("answered"),
                              ngx_string("ended"), ngx_string("broken"),  ngx_string("left")};
  weir_http_exchange* x = exchange_of(r, value);
  return x == NULL ? NGX_OK : give(value, names[x->outcome]);
}

static ngx_int_t get_reason(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                            uintptr_t data) {
  weir_http_exchange* x = exchange_of(r, value);
  return x == NULL ? NGX_OK : give(value, x->reason);
}

/* Of a side request: told while it is made. */
static ngx_int_t get_call(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data) {
  ngx_str_t text = ngx_null_string;
  value->not_found = value->escape = 0;
  value->valid = value->no_cacheable = 1;
  (void)weir_http_call_text(r, *(const weir_http_call_part*)data, &text);
  return give(value, text);
}

static const weir_http_call_part kUrl = WEIR_HTTP_CALL_URL;
static const weir_http_call_part kHost = WEIR_HTTP_CALL_HOST;
static const weir_http_call_part kTarget = WEIR_HTTP_CALL_TARGET;

static const struct {
  ngx_str_t name;
  ngx_http_get_variable_pt get;
  const void* what;
} variables[] = {{ngx_string("weir_consumer"), get_member, kConsumer},
                 {ngx_string("weir_model"), get_member, kModel},
                 {ngx_string("weir_route"), get_member, kRoute},
                 {ngx_string("weir_backend"), get_member, kBackend},
                 {ngx_string("weir_tokens"), get_tokens, NULL},
                 {ngx_string("weir_prompt_tokens"), get_member, kPromptTokens},
                 {ngx_string("weir_completion_tokens"), get_member, kCompletionTokens},
                 {ngx_string("weir_decision"), get_decision, NULL},
                 {ngx_string("weir_reason"), get_reason, NULL},
                 {ngx_string("weir_explain"), get_explain, NULL},
                 {ngx_string("weir_call_url"), get_call, &kUrl},
                 {ngx_string("weir_call_host"), get_call, &kHost},
                 {ngx_string("weir_call_target"), get_call, &kTarget}};

ngx_int_t weir_http_add_variables(ngx_conf_t* cf) {
  for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); ++i) {
    ngx_str_t name = variables[i].name;
    ngx_http_variable_t* added = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (added == NULL) return NGX_ERROR;
    added->get_handler = variables[i].get;
    added->data = (uintptr_t)variables[i].what;
  }
  return NGX_OK;
}
