/* Ledgers: files that invoices are made from, one JSON line for each exchange. */

#include <string.h>

#include "lua_weir.h"

#define LEDGER "weir.ledger"

static int new_ledger(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* path = luaL_checklstring(L, 1, &size);
  weir_ledger_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_ledger_options_fields, &options, NULL);
  const weir_now now = now_at(L, 3);
  handle_box* box = push_box(L, LEDGER, NULL);
  weir_ledger* ledger = NULL;
  if (weir_ledger_open(path, size, &options, &now, &ledger, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = ledger;
  return 1;
}

static int ledger_free(lua_State* L) {
  handle_box* box = box_of(L, 1, LEDGER);
  weir_ledger_free(box->handle);
  box->handle = NULL;
  return 0;
}

static int push_outcome(lua_State* L, weir_status status, int32_t outcome,
                        const weir_error* error) {
  if (status != WEIR_OK) return push_fault(L, error);
  lua_pushinteger(L, outcome);
  return 1;
}

static int ledger_append(lua_State* L) {
  NEW_ERROR;
  weir_ledger* ledger = handle_of(L, 1, LEDGER);
  weir_txn* txn = txn_at(L, 2);
  const weir_now now = now_at(L, 3);
  int32_t outcome = 0;
  const weir_status status = weir_ledger_append(ledger, txn, &now, &outcome, &error);
  return push_outcome(L, status, outcome, &error);
}

static int ledger_append_line(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  weir_ledger* ledger = handle_of(L, 1, LEDGER);
  const char* line = luaL_checklstring(L, 2, &size);
  const weir_now now = now_at(L, 3);
  int32_t outcome = 0;
  const weir_status status = weir_ledger_append_line(ledger, line, size, &now, &outcome, &error);
  return push_outcome(L, status, outcome, &error);
}

static int ledger_accepts(lua_State* L) {
  NEW_ERROR;
  weir_ledger* ledger = handle_of(L, 1, LEDGER);
  const weir_now now = now_at(L, 2);
  int32_t accepts = 0;
  if (weir_ledger_accepts(ledger, &now, &accepts, &error) != WEIR_OK) return push_fault(L, &error);
  lua_pushboolean(L, accepts);
  return 1;
}

static int ledger_flush(lua_State* L) {
  NEW_ERROR;
  weir_ledger* ledger = handle_of(L, 1, LEDGER);
  const weir_now now = now_at(L, 3);
  return push_done(L, weir_ledger_flush(ledger, lua_toboolean(L, 2), &now, &error), &error);
}

static int ledger_status(lua_State* L) {
  weir_ledger_status told;
  memset(&told, 0, sizeof(told));
  told.size = sizeof(told);
  const weir_status status = weir_ledger_read_status(handle_of(L, 1, LEDGER), &told);
  if (status != WEIR_OK) return push_bare_fault(L, status);
  push_struct(L, weir_ledger_status_fields, &told);
  return 1;
}

static int recompute(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* line = luaL_checklstring(L, 1, &size);
  int32_t verdict = 0;
  uint64_t micro_usd = 0;
  if (weir_ledger_recompute(line, size, &verdict, &micro_usd, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushinteger(L, verdict);
  lua_pushinteger(L, (lua_Integer)micro_usd);
  return 2;
}

static int push_otlp(lua_State* L, uint32_t kind, uint64_t* poison) {
  size_t lines_size = 0, name_size = 0;
  const char* lines = luaL_checklstring(L, 2, &lines_size);
  const char* name = luaL_optlstring(L, 3, "", &name_size);
  RETURN_WRITTEN(L, weir_ledger_otlp(kind, name, name_size, lines, lines_size, poison, buffer,
                                     capacity, &needed, &error));
}

static int otlp(lua_State* L) {
  uint64_t poison = 0;
  const int pushed = push_otlp(L, (uint32_t)luaL_checkinteger(L, 1), &poison);
  if (pushed != 1) return pushed;
  lua_pushinteger(L, (lua_Integer)poison);
  return 2;
}

static const luaL_Reg kLedgerMethods[] = {{"append", ledger_append},
                                          {"append_line", ledger_append_line},
                                          {"accepts", ledger_accepts},
                                          {"flush", ledger_flush},
                                          {"status", ledger_status},
                                          {"free", ledger_free},
                                          {NULL, NULL}};

static const luaL_Reg kFunctions[] = {
    {"ledger", new_ledger}, {"recompute", recompute}, {"otlp", otlp}, {NULL, NULL}};

void add_bookkeeping(lua_State* L) {
  new_type(L, LEDGER, kLedgerMethods, ledger_free);
  luaL_setfuncs(L, kFunctions, 0);
}
