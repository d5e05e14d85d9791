/* make_cache FILE: a state file with two caches, used. */

#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir.h>

static weir_error error = {.size = sizeof(error)};
static weir_now now;

static weir_cache* cache_of(weir_state* state, const char* name, uint32_t dimensions) {
  const weir_cache_options options = {
      .size = sizeof(options), .dimensions = dimensions, .max_entries = 2000, .max_partitions = 16};
  weir_cache* cache = NULL;
  if (weir_cache_new(state, name, strlen(name), &options, &cache, &error) != WEIR_OK) return NULL;
  return cache;
}

static int keep(weir_cache* cache, const char* partition, int number, const float* vector) {
  weir_cache_entry entry = {.size = sizeof(entry),
                            .partition = partition,
                            .partition_size = strlen(partition),
                            .key_lo = (uint64_t)number,
                            .vector = vector,
                            .vector_size = vector != NULL ? 8 : 0,
                            .value = "a secret answer",
                            .value_size = 15,
                            .ttl_ns = number == 0 ? 1 : 0};
  weir_now then = now;
  then.unix_ns -= (int64_t)3600 * 1000000000;
  return weir_cache_insert(cache, &entry, &then, NULL, &error) == WEIR_OK;
}

static int ask(weir_cache* cache, const char* partition, int number, const float* vector) {
  const weir_cache_query query = {.size = sizeof(query),
                                  .partition = partition,
                                  .partition_size = strlen(partition),
                                  .key_lo = (uint64_t)number,
                                  .vector = vector,
                                  .vector_size = vector != NULL ? 8 : 0,
                                  .min_similarity = 0.9};
  weir_cache_answer answer = {.size = sizeof(answer)};
  char value[64];
  size_t needed = 0;
  return weir_cache_lookup(cache, &query, &now, value, sizeof(value), &needed, &answer, &error) ==
         WEIR_OK;
}

int main(int argc, char** argv) {
  const weir_state_options options = {.size = sizeof(options), .bytes = (uint64_t)32 << 20};
  weir_state* state = NULL;
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  now.mono_ns = now.unix_ns = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
  if (argc != 2) return 2;
  int good = weir_state_open(argv[1], strlen(argv[1]), &options, &state, &error) == WEIR_OK;
  weir_cache* faq = good ? cache_of(state, "faq \033[31m", 8) : NULL;
  weir_cache* keys = good ? cache_of(state, "keys", 0) : NULL;
  good = faq != NULL && keys != NULL;
  const float east[8] = {1}, north[8] = {0, 1}, near_east[8] = {0.975F, 0.2222F},
              between[8] = {0.707F, 0.707F};
  for (int i = 0; good && i < 1200; ++i) good = keep(faq, "team-red", i, i == 1 ? east : NULL);
  for (int i = 1; good && i <= 3; ++i) good = keep(faq, "team-blue", i, north);
  for (int i = 2; good && i < 9; ++i) good = ask(faq, "team-red", i, NULL);
  good = good && ask(faq, "team-red", 5000, near_east) && ask(faq, "team-red", 5001, between) &&
         ask(faq, "team-red", 5002, NULL) && ask(faq, "nobody", 1, east);
  if (!good) fprintf(stderr, "%s\n", error.message);
  weir_cache_free(faq);
  weir_cache_free(keys);
  weir_state_free(state);
  return good ? 0 : 1;
}
