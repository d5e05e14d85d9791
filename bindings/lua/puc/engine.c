/* Policies, engines and transactions. */

#include <string.h>

#include "lua_weir.h"

#define POLICY "weir.policy"
#define ENGINE "weir.engine"
#define TXN "weir.txn"

/* ---- Policy ---- */

static int new_policy(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  handle_box* box = push_box(L, POLICY, NULL);
  weir_policy* policy = NULL;
  if (weir_policy_parse(text, size, &policy, &error) != WEIR_OK) return push_fault(L, &error);
  box->handle = policy;
  return 1;
}

static int policy_free(lua_State* L) {
  handle_box* box = box_of(L, 1, POLICY);
  weir_policy_free(box->handle);
  box->handle = NULL;
  return 0;
}

static int policy_secrets(lua_State* L) {
  const weir_policy* policy = handle_of(L, 1, POLICY);
  lua_newtable(L);
  for (uint32_t i = 0; i < weir_policy_secret_count(policy); ++i) {
    int32_t kind = 0;
    const char* name = NULL;
    size_t size = 0;
    const weir_status status = weir_policy_secret(policy, i, &kind, &name, &size);
    if (status != WEIR_OK) return push_bare_fault(L, status);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, kind == WEIR_SECRET_ENV ? "env" : "file");
    lua_setfield(L, -2, "kind");
    lua_pushlstring(L, name, size);
    lua_setfield(L, -2, "name");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int policy_set_secret(lua_State* L) {
  size_t size = 0;
  weir_policy* policy = handle_of(L, 1, POLICY);
  const uint32_t index = (uint32_t)(luaL_checkinteger(L, 2) - 1);
  const char* value = luaL_checklstring(L, 3, &size);
  const weir_status status = weir_policy_set_secret(policy, index, value, size);
  if (status != WEIR_OK) return push_bare_fault(L, status);
  lua_pushboolean(L, 1);
  return 1;
}

static int check(lua_State* L) {
  size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  RETURN_WRITTEN(L, weir_policy_check(text, size, buffer, capacity, &needed, &error));
}

static int warnings(lua_State* L) {
  size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  RETURN_WRITTEN(L, weir_policy_warnings(text, size, buffer, capacity, &needed, &error));
}

static int key_hash(lua_State* L) {
  size_t pepper_size = 0, key_size = 0;
  const char* pepper = luaL_checklstring(L, 1, &pepper_size);
  const char* key = luaL_checklstring(L, 2, &key_size);
  RETURN_WRITTEN(
      L, weir_key_hash(pepper, pepper_size, key, key_size, buffer, capacity, &needed, &error));
}

/* ---- Transaction ---- */

typedef struct txn_box {
  weir_txn* txn;
  weir_action action;
} txn_box;

static txn_box* txn_box_of(lua_State* L) { return luaL_checkudata(L, 1, TXN); }
static weir_txn* txn_of(lua_State* L) { return txn_box_of(L)->txn; }

weir_txn* txn_at(lua_State* L, int index) {
  const txn_box* box = luaL_checkudata(L, index, TXN);
  return box->txn;
}

static int txn_free(lua_State* L) {
  txn_box* box = txn_box_of(L);
  weir_txn_free(box->txn);
  box->txn = NULL;
  return 0;
}

static int txn_request_head(lua_State* L) {
  NEW_ERROR;
  size_t method_size = 0, target_size = 0, client_size = 0;
  weir_txn* txn = txn_of(L);
  const char* method = luaL_checklstring(L, 2, &method_size);
  const char* target = luaL_checklstring(L, 3, &target_size);
  const char* client = luaL_optlstring(L, 4, "", &client_size);
  return push_done(L,
                   weir_txn_request_head(txn, method, method_size, target, target_size, client,
                                         client_size, &error),
                   &error);
}

typedef weir_status (*pair_call)(weir_txn*, const char*, size_t, const char*, size_t, weir_error*);

static int feed_pair(lua_State* L, pair_call call) {
  NEW_ERROR;
  size_t name_size = 0, value_size = 0;
  weir_txn* txn = txn_of(L);
  const char* name = luaL_checklstring(L, 2, &name_size);
  const char* value = luaL_checklstring(L, 3, &value_size);
  return push_done(L, call(txn, name, name_size, value, value_size, &error), &error);
}

static int txn_request_header(lua_State* L) { return feed_pair(L, weir_txn_request_header); }
static int txn_attribute(lua_State* L) { return feed_pair(L, weir_txn_attribute); }
static int txn_response_header(lua_State* L) { return feed_pair(L, weir_txn_response_header); }

typedef weir_status (*bytes_call)(weir_txn*, const char*, size_t, weir_error*);

static int feed_bytes(lua_State* L, bytes_call call) {
  NEW_ERROR;
  size_t size = 0;
  weir_txn* txn = txn_of(L);
  const char* bytes = luaL_checklstring(L, 2, &size);
  return push_done(L, call(txn, bytes, size, &error), &error);
}

static int txn_request_body(lua_State* L) { return feed_bytes(L, weir_txn_request_body); }
static int txn_response_body(lua_State* L) { return feed_bytes(L, weir_txn_response_body); }

typedef weir_status (*end_call)(weir_txn*, weir_error*);

static int feed_end(lua_State* L, end_call call) {
  NEW_ERROR;
  return push_done(L, call(txn_of(L), &error), &error);
}

static int txn_request_end(lua_State* L) { return feed_end(L, weir_txn_request_end); }
static int txn_response_end(lua_State* L) { return feed_end(L, weir_txn_response_end); }

static int txn_response_from(lua_State* L) {
  NEW_ERROR;
  const uint32_t attempt = (uint32_t)luaL_checkinteger(L, 2);
  return push_done(L, weir_txn_response_from(txn_of(L), attempt, &error), &error);
}

static int txn_response_head(lua_State* L) {
  NEW_ERROR;
  const int32_t status = (int32_t)luaL_checkinteger(L, 2);
  return push_done(L, weir_txn_response_head(txn_of(L), status, &error), &error);
}

static int txn_response_failed(lua_State* L) {
  NEW_ERROR;
  const int32_t failure = (int32_t)luaL_checkinteger(L, 2);
  return push_done(L, weir_txn_response_failed(txn_of(L), failure, &error), &error);
}

static int txn_call_result(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  weir_txn* txn = txn_of(L);
  const uint64_t call_id = (uint64_t)luaL_checkinteger(L, 2);
  const int32_t status = (int32_t)luaL_checkinteger(L, 3);
  const char* body = luaL_checklstring(L, 4, &size);
  return push_done(L, weir_txn_call_result(txn, call_id, status, body, size, &error), &error);
}

static int txn_call_vector(lua_State* L) {
  NEW_ERROR;
  size_t count = 0;
  weir_txn* txn = txn_of(L);
  const uint64_t call_id = (uint64_t)luaL_checkinteger(L, 2);
  const float* vector = push_floats(L, 3, &count);
  return push_done(L, weir_txn_call_vector(txn, call_id, vector, count, &error), &error);
}

static int txn_client_left(lua_State* L) {
  NEW_ERROR;
  weir_txn* txn = txn_of(L);
  const weir_now now = now_at(L, 2);
  return push_done(L, weir_txn_client_left(txn, &now, &error), &error);
}

static int txn_next(lua_State* L) {
  NEW_ERROR;
  txn_box* box = txn_box_of(L);
  const weir_now now = now_at(L, 2);
  if (weir_txn_next(box->txn, &now, &box->action, &error) != WEIR_OK) return push_fault(L, &error);
  lua_pushinteger(L, box->action.kind);
  return 1;
}

static int push_integer(lua_State* L, lua_Integer value) {
  lua_pushinteger(L, value);
  return 1;
}

static int txn_status(lua_State* L) { return push_integer(L, txn_box_of(L)->action.status); }
static int txn_relay(lua_State* L) { return push_integer(L, txn_box_of(L)->action.relay); }
static int txn_attempt(lua_State* L) { return push_integer(L, txn_box_of(L)->action.attempt); }
static int txn_header_count(lua_State* L) {
  return push_integer(L, txn_box_of(L)->action.header_count);
}
static int txn_call_id(lua_State* L) {
  return push_integer(L, (lua_Integer)txn_box_of(L)->action.call_id);
}

static int txn_parallel(lua_State* L) {
  lua_pushboolean(L, txn_box_of(L)->action.parallel != 0);
  return 1;
}

static int push_time(lua_State* L, int64_t mono_ns) {
  const weir_now now = now_at(L, 2);
  if (mono_ns == 0) {
    lua_pushnil(L);
  } else {
    push_until_ms(L, mono_ns, &now);
  }
  return 1;
}

static int txn_deadline_in_ms(lua_State* L) {
  return push_time(L, txn_box_of(L)->action.deadline_mono_ns);
}
static int txn_wake_in_ms(lua_State* L) { return push_time(L, txn_box_of(L)->action.wake_mono_ns); }

typedef weir_status (*view_call)(const weir_txn*, const char**, size_t*);

static int push_view(lua_State* L, view_call call) {
  const char* view = NULL;
  size_t size = 0;
  const weir_status status = call(txn_of(L), &view, &size);
  if (status != WEIR_OK) return push_bare_fault(L, status);
  lua_pushlstring(L, view, size);
  return 1;
}

static int txn_url(lua_State* L) { return push_view(L, weir_txn_url); }
static int txn_target(lua_State* L) { return push_view(L, weir_txn_target); }
static int txn_body(lua_State* L) { return push_view(L, weir_txn_body); }

static int txn_header(lua_State* L) {
  int32_t operation = 0;
  const char *name = NULL, *value = NULL;
  size_t name_size = 0, value_size = 0;
  const uint32_t index = (uint32_t)(luaL_checkinteger(L, 2) - 1);
  const weir_status status =
      weir_txn_header(txn_of(L), index, &operation, &name, &name_size, &value, &value_size);
  if (status != WEIR_OK) return push_bare_fault(L, status);
  lua_pushinteger(L, operation);
  lua_pushlstring(L, name, name_size);
  lua_pushlstring(L, value, value_size);
  return 3;
}

static int txn_explain(lua_State* L) {
  const weir_txn* txn = txn_of(L);
  RETURN_WRITTEN(L, weir_txn_explain(txn, buffer, capacity, &needed, &error));
}

static int txn_ledger_line(lua_State* L) {
  weir_txn* txn = txn_of(L);
  RETURN_WRITTEN(L, weir_txn_ledger_line(txn, buffer, capacity, &needed, &error));
}

static int txn_add_overhead(lua_State* L) {
  NEW_ERROR;
  weir_txn* txn = txn_of(L);
  const int64_t ns = luaL_checkinteger(L, 2);
  return push_done(L, weir_txn_add_overhead(txn, ns, &error), &error);
}

/* ---- Engine ---- */

static int new_engine(lua_State* L) {
  NEW_ERROR;
  weir_policy* policy = handle_of(L, 1, POLICY);
  weir_engine_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_engine_options_fields, &options, NULL);
  if (options.seed == 0) options.seed = random_seed();
  handle_box* box = push_box(L, ENGINE, NULL);
  weir_engine* engine = NULL;
  if (weir_engine_new(policy, &options, &engine, &error) != WEIR_OK) return push_fault(L, &error);
  box->handle = engine;
  return 1;
}

static int engine_free(lua_State* L) {
  handle_box* box = box_of(L, 1, ENGINE);
  weir_engine_free(box->handle);
  box->handle = NULL;
  return 0;
}

static int engine_txn(lua_State* L) {
  NEW_ERROR;
  weir_engine* engine = handle_of(L, 1, ENGINE);
  txn_box* box;
  if (lua_isnoneornil(L, 2)) {
    box = lua_newuserdata(L, sizeof(*box));
    box->txn = NULL;
    luaL_setmetatable(L, TXN);
  } else {
    lua_settop(L, 2);
    box = luaL_checkudata(L, 2, TXN);
  }
  weir_txn* txn = NULL;
  if (weir_txn_new(engine, &txn, &error) != WEIR_OK) return push_fault(L, &error);
  weir_txn_free(box->txn);
  memset(box, 0, sizeof(*box));
  box->txn = txn;
  box->action.size = sizeof(box->action);
  return 1;
}

static int engine_reload(lua_State* L) {
  NEW_ERROR;
  weir_engine* engine = handle_of(L, 1, ENGINE);
  return push_done(L, weir_engine_reload(engine, handle_of(L, 2, POLICY), &error), &error);
}

static int push_metrics(lua_State* L, weir_engine* engine, const char* accept, size_t accept_size,
                        const char** kind) {
  RETURN_WRITTEN(L, weir_engine_metrics_as(engine, accept, accept_size, kind, buffer, capacity,
                                           &needed, &error));
}

/* With a scraper's Accept header: as it asks, and the content type to answer with. */
static int engine_metrics(lua_State* L) {
  weir_engine* engine = handle_of(L, 1, ENGINE);
  size_t accept_size = 0;
  const char* accept = luaL_optlstring(L, 2, "", &accept_size);
  const char* kind = NULL;
  const int results = push_metrics(L, engine, accept, accept_size, &kind);
  if (kind == NULL || results != 1) return results;
  lua_pushstring(L, kind);
  return 2;
}

static int push_batch(lua_State* L, weir_engine* engine, const weir_export_options* options,
                      const weir_now* now, uint64_t* number) {
  RETURN_WRITTEN(L, weir_engine_export_metrics(engine, options, now, number, buffer, capacity,
                                               &needed, &error));
}

static int engine_export_metrics(lua_State* L) {
  weir_engine* engine = handle_of(L, 1, ENGINE);
  weir_export_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_export_options_fields, &options, NULL);
  const weir_now now = now_at(L, 3);
  uint64_t number = 0;
  const int results = push_batch(L, engine, &options, &now, &number);
  if (results != 1) return results;
  lua_pushinteger(L, (lua_Integer)number);
  return 2;
}

static int engine_acknowledge_metrics(lua_State* L) {
  NEW_ERROR;
  weir_engine* engine = handle_of(L, 1, ENGINE);
  const uint32_t format = (uint32_t)luaL_checkinteger(L, 2);
  const uint64_t number = (uint64_t)luaL_checkinteger(L, 3);
  return push_done(L, weir_engine_acknowledge_metrics(engine, format, number, &error), &error);
}

static int engine_status(lua_State* L) {
  weir_engine* engine = handle_of(L, 1, ENGINE);
  const weir_now now = now_at(L, 2);
  RETURN_WRITTEN(L, weir_engine_status(engine, &now, buffer, capacity, &needed, &error));
}

static int engine_changes(lua_State* L) {
  weir_engine* engine = handle_of(L, 1, ENGINE);
  const uint64_t since = (uint64_t)luaL_optinteger(L, 2, 0);
  RETURN_WRITTEN(L, weir_engine_changes_json(engine, since, buffer, capacity, &needed, &error));
}

static int engine_purge_cache(lua_State* L) {
  NEW_ERROR;
  weir_engine* engine = handle_of(L, 1, ENGINE);
  size_t name_size = 0, what_size = 0;
  const char* name = luaL_checklstring(L, 2, &name_size);
  const char* what = "";
  int32_t which = WEIR_PURGE_ALL;
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    if (lua_getfield(L, 3, "partition") != LUA_TNIL) {
      which = WEIR_PURGE_PARTITION;
    } else if (lua_getfield(L, 3, "model") != LUA_TNIL) {
      which = WEIR_PURGE_MODEL;
    } else {
      lua_getfield(L, 3, "entry");
      which = WEIR_PURGE_ENTRY;
    }
    what = luaL_checklstring(L, -1, &what_size);
  }
  uint64_t removed = 0;
  if (weir_engine_purge_cache(engine, name, name_size, which, what, what_size, &removed, &error) !=
      WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushinteger(L, (lua_Integer)removed);
  return 1;
}

static int engine_override_limit(lua_State* L) {
  NEW_ERROR;
  size_t limit_size = 0, key_size = 0;
  weir_engine* engine = handle_of(L, 1, ENGINE);
  const char* limit = luaL_checklstring(L, 2, &limit_size);
  const char* key = luaL_optlstring(L, 3, NULL, &key_size);
  const uint64_t amount = (uint64_t)luaL_checkinteger(L, 4);
  const int64_t for_ms = luaL_checkinteger(L, 5);
  const weir_now now = now_at(L, 6);
  return push_done(L,
                   weir_engine_override_limit(engine, limit, limit_size, key, key_size, amount,
                                              for_ms, &now, &error),
                   &error);
}

static const luaL_Reg kPolicyMethods[] = {{"secrets", policy_secrets},
                                          {"set_secret", policy_set_secret},
                                          {"free", policy_free},
                                          {NULL, NULL}};

static const luaL_Reg kTxnMethods[] = {{"request_head", txn_request_head},
                                       {"request_header", txn_request_header},
                                       {"attribute", txn_attribute},
                                       {"request_body", txn_request_body},
                                       {"request_end", txn_request_end},
                                       {"response_from", txn_response_from},
                                       {"response_head", txn_response_head},
                                       {"response_header", txn_response_header},
                                       {"response_body", txn_response_body},
                                       {"response_end", txn_response_end},
                                       {"response_failed", txn_response_failed},
                                       {"call_result", txn_call_result},
                                       {"call_vector", txn_call_vector},
                                       {"client_left", txn_client_left},
                                       {"next", txn_next},
                                       {"status", txn_status},
                                       {"relay", txn_relay},
                                       {"attempt", txn_attempt},
                                       {"header_count", txn_header_count},
                                       {"call_id", txn_call_id},
                                       {"parallel", txn_parallel},
                                       {"deadline_in_ms", txn_deadline_in_ms},
                                       {"wake_in_ms", txn_wake_in_ms},
                                       {"url", txn_url},
                                       {"target", txn_target},
                                       {"body", txn_body},
                                       {"header", txn_header},
                                       {"explain", txn_explain},
                                       {"ledger_line", txn_ledger_line},
                                       {"add_overhead", txn_add_overhead},
                                       {"free", txn_free},
                                       {NULL, NULL}};

static const luaL_Reg kEngineMethods[] = {{"txn", engine_txn},
                                          {"reload", engine_reload},
                                          {"metrics", engine_metrics},
                                          {"status", engine_status},
                                          {"changes", engine_changes},
                                          {"override_limit", engine_override_limit},
                                          {"purge_cache", engine_purge_cache},
                                          {"export_metrics", engine_export_metrics},
                                          {"acknowledge_metrics", engine_acknowledge_metrics},
                                          {"free", engine_free},
                                          {NULL, NULL}};

static const luaL_Reg kFunctions[] = {{"policy", new_policy}, {"check", check},
                                      {"warnings", warnings}, {"key_hash", key_hash},
                                      {"engine", new_engine}, {NULL, NULL}};

void add_engine(lua_State* L) {
  new_type(L, POLICY, kPolicyMethods, policy_free);
  new_type(L, TXN, kTxnMethods, txn_free);
  new_type(L, ENGINE, kEngineMethods, engine_free);
  luaL_setfuncs(L, kFunctions, 0);
}
