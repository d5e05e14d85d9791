/* Tokens of texts, of whole requests, and of answers as they pass. */

#include <string.h>

#include "lua_weir.h"

#define TOKENIZER "weir.tokenizer"
#define COUNTER "weir.token_counter"
#define METER "weir.stream_meter"

static int push_count(lua_State* L, uint64_t count) {
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

/* ---- Tokenizers ---- */

static void free_tokenizer(void* tokenizer) { weir_tokenizer_free(tokenizer); }
static const weir_tokenizer* tokenizer_of(lua_State* L) { return handle_of(L, 1, TOKENIZER); }

static int find_tokenizer(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* name = luaL_checklstring(L, 1, &size);
  const weir_tokenizer* tokenizer = NULL;
  if (weir_tokenizer_find(name, size, &tokenizer, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  push_box(L, TOKENIZER, (void*)tokenizer);
  return 1;
}

static int load_tokenizer(lua_State* L) {
  NEW_ERROR;
  size_t name_size = 0, bytes_size = 0, pattern_size = 0;
  const char* name = luaL_checklstring(L, 1, &name_size);
  const char* bytes = luaL_checklstring(L, 2, &bytes_size);
  const char* pattern = luaL_optlstring(L, 3, "", &pattern_size);
  handle_box* box = push_box(L, TOKENIZER, NULL);
  weir_tokenizer* tokenizer = NULL;
  if (weir_tokenizer_load(name, name_size, bytes, bytes_size, pattern, pattern_size, &tokenizer,
                          &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = tokenizer;
  return 1;
}

static int tokenizer_free(lua_State* L) {
  drop_box(box_of(L, 1, TOKENIZER), free_tokenizer);
  return 0;
}

static int tokenizer_name(lua_State* L) {
  const char* name = NULL;
  size_t size = 0;
  const weir_status status = weir_tokenizer_name(tokenizer_of(L), &name, &size);
  if (status != WEIR_OK) return push_bare_fault(L, status);
  lua_pushlstring(L, name, size);
  return 1;
}

static int tokenizer_count(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  uint64_t count = 0;
  const char* text = luaL_checklstring(L, 2, &size);
  if (weir_tokenizer_count(tokenizer_of(L), text, size, &count, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  return push_count(L, count);
}

static int tokenizer_count_up_to(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  uint64_t count = 0;
  const char* text = luaL_checklstring(L, 2, &size);
  const uint64_t limit = (uint64_t)luaL_checkinteger(L, 3);
  if (weir_tokenizer_count_up_to(tokenizer_of(L), text, size, limit, &count, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  return push_count(L, count);
}

static int tokenizer_encode(lua_State* L) {
  NEW_ERROR;
  size_t size = 0, count = 0;
  const weir_tokenizer* tokenizer = tokenizer_of(L);
  const char* text = luaL_checklstring(L, 2, &size);
  weir_status (*const call)(const weir_tokenizer*, const char*, size_t, uint32_t*, size_t, size_t*,
                            weir_error*) =
      lua_toboolean(L, 3) ? weir_tokenizer_encode_with_specials : weir_tokenizer_encode;
  /* A token is one byte or more, but a text may bring tokens of its own at its ends. */
  size_t capacity = size + 16;
  uint32_t* ids = push_array(L, capacity, sizeof(*ids));
  weir_status status = call(tokenizer, text, size, ids, capacity, &count, &error);
  if (status == WEIR_OUT_OF_RANGE) {
    capacity = count;
    ids = push_array(L, capacity, sizeof(*ids));
    status = call(tokenizer, text, size, ids, capacity, &count, &error);
  }
  if (status != WEIR_OK) return push_fault(L, &error);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; ++i) {
    lua_pushinteger(L, ids[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int tokenizer_decode(lua_State* L) {
  const weir_tokenizer* tokenizer = tokenizer_of(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const size_t count = lua_rawlen(L, 2);
  uint32_t* ids = push_array(L, count, sizeof(*ids));
  for (size_t i = 0; i < count; ++i) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    ids[i] = (uint32_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  RETURN_WRITTEN(L,
                 weir_tokenizer_decode(tokenizer, ids, count, buffer, capacity, &needed, &error));
}

static int tokenizer_split(lua_State* L) {
  NEW_ERROR;
  size_t size = 0, split = 0;
  const char* text = luaL_checklstring(L, 2, &size);
  const uint64_t max_tokens = (uint64_t)luaL_checkinteger(L, 3);
  if (weir_tokenizer_split(tokenizer_of(L), text, size, max_tokens, &split, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  return push_count(L, split);
}

static int count_tokens(lua_State* L) {
  NEW_ERROR;
  size_t name_size = 0, size = 0;
  uint64_t count = 0;
  const char* name = luaL_checklstring(L, 1, &name_size);
  const char* text = luaL_checklstring(L, 2, &size);
  const weir_tokenizer* tokenizer = NULL;
  if (weir_tokenizer_find(name, name_size, &tokenizer, &error) != WEIR_OK ||
      weir_tokenizer_count(tokenizer, text, size, &count, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  return push_count(L, count);
}

static int encodings(lua_State* L) {
  const char* name = NULL;
  size_t size = 0;
  lua_newtable(L);
  for (uint32_t i = 0; weir_encoding_name(i, &name, &size) == WEIR_OK; ++i) {
    lua_pushlstring(L, name, size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int encoding_for_model(lua_State* L) {
  NEW_ERROR;
  size_t size = 0, encoding_size = 0;
  const char* model = luaL_checklstring(L, 1, &size);
  const char* encoding = NULL;
  if (weir_encoding_for_model(model, size, &encoding, &encoding_size, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushlstring(L, encoding, encoding_size);
  return 1;
}

static int set_piece_cache(lua_State* L) {
  weir_tokenizer_set_piece_cache(lua_toboolean(L, 1));
  return 0;
}

/* ---- A text that comes in pieces ---- */

static int new_counter(lua_State* L) {
  NEW_ERROR;
  const weir_tokenizer* tokenizer = tokenizer_of(L);
  handle_box* box = push_box(L, COUNTER, NULL);
  weir_token_counter* counter = NULL;
  if (weir_token_counter_new(tokenizer, &counter, &error) != WEIR_OK) return push_fault(L, &error);
  box->handle = counter;
  retain_owner(L, 1);
  return 1;
}

static int counter_free(lua_State* L) {
  handle_box* box = box_of(L, 1, COUNTER);
  weir_token_counter_free(box->handle);
  box->handle = NULL;
  release_owner(L, 1, free_tokenizer);
  return 0;
}

static int counter_append(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  weir_token_counter* counter = handle_of(L, 1, COUNTER);
  const char* text = luaL_checklstring(L, 2, &size);
  return push_done(L, weir_token_counter_append(counter, text, size, &error), &error);
}

static int counter_total(lua_State* L) {
  NEW_ERROR;
  uint64_t count = 0;
  if (weir_token_counter_total(handle_of(L, 1, COUNTER), &count, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  return push_count(L, count);
}

/* ---- Requests ---- */

static const char* const kWithTokenizer[] = {"tokenizer", NULL};

static weir_request_options request_options(lua_State* L) {
  weir_request_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_request_options_fields, &options, kWithTokenizer);
  options.tokenizer = handle_field(L, 2, "tokenizer", TOKENIZER);
  return options;
}

static int count_request(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* body = luaL_checklstring(L, 1, &size);
  const weir_request_options options = request_options(L);
  weir_prompt_count count = {.size = sizeof(count)};
  if (weir_count_request(&options, body, size, &count, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  push_struct(L, weir_prompt_count_fields, &count);
  return 1;
}

static int count_request_json(lua_State* L) {
  size_t size = 0;
  const char* body = luaL_checklstring(L, 1, &size);
  const weir_request_options options = request_options(L);
  RETURN_WRITTEN(L,
                 weir_count_request_json(&options, body, size, buffer, capacity, &needed, &error));
}

/* ---- Stream meter ---- */

static weir_stream_meter* meter_of(lua_State* L) { return handle_of(L, 1, METER); }

static int new_meter(lua_State* L) {
  NEW_ERROR;
  lua_settop(L, 1);
  weir_stream_meter_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 1, weir_stream_meter_options_fields, &options, kWithTokenizer);
  options.tokenizer = handle_field(L, 1, "tokenizer", TOKENIZER);
  if (options.tokenizer != NULL) lua_getfield(L, 1, "tokenizer"); /* 2 */
  handle_box* box = push_box(L, METER, NULL);
  weir_stream_meter* meter = NULL;
  if (weir_stream_meter_new(&options, &meter, &error) != WEIR_OK) return push_fault(L, &error);
  box->handle = meter;
  if (options.tokenizer != NULL) retain_owner(L, 2);
  return 1;
}

static int meter_free(lua_State* L) {
  handle_box* box = box_of(L, 1, METER);
  weir_stream_meter_free(box->handle);
  box->handle = NULL;
  release_owner(L, 1, free_tokenizer);
  return 0;
}

static int meter_feed(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* bytes = luaL_checklstring(L, 2, &size);
  return push_done(L, weir_stream_meter_feed(meter_of(L), bytes, size, &error), &error);
}

static int meter_finish(lua_State* L) {
  NEW_ERROR;
  return push_done(L, weir_stream_meter_end(meter_of(L), &error), &error);
}

static int meter_client_left(lua_State* L) {
  NEW_ERROR;
  return push_done(L, weir_stream_meter_client_left(meter_of(L), &error), &error);
}

static int meter_relay(lua_State* L) {
  const char* bytes = NULL;
  size_t size = 0;
  const weir_status status = weir_stream_meter_relay(meter_of(L), &bytes, &size);
  if (status != WEIR_OK) return push_bare_fault(L, status);
  lua_pushlstring(L, bytes, size);
  return 1;
}

static int meter_usage(lua_State* L) {
  NEW_ERROR;
  weir_usage usage;
  memset(&usage, 0, sizeof(usage));
  usage.size = sizeof(usage);
  if (weir_stream_meter_usage(meter_of(L), &usage, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  push_struct(L, weir_usage_fields, &usage);
  return 1;
}

static const luaL_Reg kTokenizerMethods[] = {{"name", tokenizer_name},
                                             {"count", tokenizer_count},
                                             {"count_up_to", tokenizer_count_up_to},
                                             {"encode", tokenizer_encode},
                                             {"decode", tokenizer_decode},
                                             {"split", tokenizer_split},
                                             {"free", tokenizer_free},
                                             {NULL, NULL}};

static const luaL_Reg kCounterMethods[] = {
    {"append", counter_append}, {"total", counter_total}, {"free", counter_free}, {NULL, NULL}};

static const luaL_Reg kMeterMethods[] = {{"feed", meter_feed},
                                         {"finish", meter_finish},
                                         {"client_left", meter_client_left},
                                         {"relay", meter_relay},
                                         {"usage", meter_usage},
                                         {"free", meter_free},
                                         {NULL, NULL}};

static const luaL_Reg kFunctions[] = {{"tokenizer", find_tokenizer},
                                      {"load_tokenizer", load_tokenizer},
                                      {"count_tokens", count_tokens},
                                      {"encodings", encodings},
                                      {"encoding_for_model", encoding_for_model},
                                      {"set_piece_cache", set_piece_cache},
                                      {"token_counter", new_counter},
                                      {"count_request", count_request},
                                      {"count_request_json", count_request_json},
                                      {"stream_meter", new_meter},
                                      {NULL, NULL}};

void add_counting(lua_State* L) {
  new_type(L, TOKENIZER, kTokenizerMethods, tokenizer_free);
  new_type(L, COUNTER, kCounterMethods, counter_free);
  new_type(L, METER, kMeterMethods, meter_free);
  luaL_setfuncs(L, kFunctions, 0);
}
