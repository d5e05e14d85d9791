/* The similarity cache by itself, as a host uses it, and the texts that can mean the same. */

#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <unistd.h>

#include "check.h"

#define BAD(call) CHECK_EQ(call, WEIR_INVALID_ARGUMENT)
#define DIMENSIONS 64

static weir_error error = {.size = sizeof(error)};

static weir_now at(int64_t ms) {
  const weir_now now = {ms * TEST_MS, (1700000000000 + ms) * TEST_MS};
  return now;
}

static weir_cache* cache_of(weir_state* state, uint32_t dimensions) {
  const weir_cache_options options = {
      .size = sizeof(options), .dimensions = dimensions, .max_entries = 100, .max_partitions = 8};
  weir_cache* cache = NULL;
  CHECK_OK(weir_cache_new(state, "faq", 3, &options, &cache, &error), &error);
  return cache;
}

/* A direction, and one that has `cosine` to it: two axes of it. */
static void direct(float* vector, int axis, double cosine) {
  memset(vector, 0, DIMENSIONS * sizeof(float));
  vector[axis] = (float)cosine;
  vector[axis + 1] = (float)sqrt(1 - cosine * cosine);
}

static weir_cache_query query_of(const char* partition, const char* key, const float* vector) {
  const weir_cache_query query = {.size = sizeof(query),
                                  .partition = partition,
                                  .partition_size = strlen(partition),
                                  .key = key,
                                  .key_size = strlen(key),
                                  .vector = vector,
                                  .vector_size = vector != NULL ? DIMENSIONS : 0,
                                  .min_similarity = vector != NULL ? 0.9 : 0};
  return query;
}

static uint64_t insert(weir_cache* cache, const char* partition, const char* key,
                       const float* vector, const char* value, int64_t ttl_ms) {
  const weir_now now = at(0);
  const weir_cache_entry entry = {.size = sizeof(entry),
                                  .partition = partition,
                                  .partition_size = strlen(partition),
                                  .key = key,
                                  .key_size = strlen(key),
                                  .vector = vector,
                                  .vector_size = vector != NULL ? DIMENSIONS : 0,
                                  .value = value,
                                  .value_size = strlen(value),
                                  .ttl_ns = ttl_ms * TEST_MS,
                                  .model = strlen(key),
                                  .scope = 7};
  uint64_t id = 0;
  CHECK_OK(weir_cache_insert(cache, &entry, &now, &id, &error), &error);
  CHECK(id != 0);
  return id;
}

/* The answer; the value must be `expected`, null: it must be a miss. */
static weir_cache_answer ask(weir_cache* cache, const weir_cache_query* query, int64_t ms,
                             const char* expected) {
  const weir_now now = at(ms);
  char buffer[64];
  size_t needed = 99;
  weir_cache_answer answer = {.size = sizeof(answer)};
  CHECK_OK(weir_cache_lookup(cache, query, &now, buffer, sizeof(buffer), &needed, &answer, &error),
           &error);
  CHECK_EQ(answer.found != WEIR_CACHE_MISS, expected != NULL);
  CHECK_EQ(answer.found != WEIR_CACHE_MISS, answer.miss == WEIR_MISS_NONE);
  CHECK(text_is(buffer, needed, expected != NULL ? expected : ""));
  return answer;
}

static int stats_have(weir_cache* cache, const char* piece) {
  char json[2048];
  size_t needed = 0;
  CHECK_OK(weir_cache_stats_json(cache, json, sizeof(json) - 1, &needed, &error), &error);
  json[needed < sizeof(json) ? needed : 0] = '\0';
  if (strstr(json, piece) != NULL) return 1;
  fprintf(stderr, "%s has no %s\n", json, piece);
  return 0;
}

static void test_finds(void) {
  float stored[DIMENSIONS], near_by[DIMENSIONS], far_off[DIMENSIONS];
  direct(stored, 0, 1);
  direct(near_by, 0, 0.95);
  direct(far_off, 0, 0.6);
  weir_cache* cache = cache_of(NULL, DIMENSIONS);
  weir_cache_query query = query_of("red", "one", stored);
  CHECK_EQ(ask(cache, &query, 0, NULL).miss, WEIR_MISS_EMPTY_PARTITION);
  const uint64_t id = insert(cache, "red", "one", stored, "answer", 60000);
  weir_cache_answer answer = ask(cache, &query, 5, "answer");
  CHECK(answer.found == WEIR_CACHE_EXACT && answer.similarity == 1);
  CHECK(answer.entry == id && answer.age_ns == 5 * TEST_MS);
  query = query_of("red", "two", near_by);
  answer = ask(cache, &query, 5, "answer");
  CHECK(answer.found == WEIR_CACHE_SEMANTIC && answer.entry == id);
  CHECK(fabs(answer.similarity - 0.95) < 0.01 && answer.similarity_error >= 0);
  query.embedder_id = 1;
  CHECK_EQ(ask(cache, &query, 5, NULL).miss, WEIR_MISS_OTHER_EMBEDDER);
  query.embedder_id = 0;
  query.embedder_epoch = 1;
  CHECK_EQ(ask(cache, &query, 5, NULL).miss, WEIR_MISS_OTHER_EMBEDDER);
  query = query_of("red", "two", far_off);
  answer = ask(cache, &query, 5, NULL);
  CHECK_EQ(answer.miss, WEIR_MISS_BELOW_THRESHOLD);
  CHECK(fabs(answer.similarity - 0.6) < 0.01);
  query.min_similarity = 0.5;
  CHECK_EQ(ask(cache, &query, 5, "answer").found, WEIR_CACHE_SEMANTIC);
  query.min_similarity = 0; /* by the key only */
  CHECK_EQ(ask(cache, &query, 5, NULL).miss, WEIR_MISS_NO_VECTOR);
  query = query_of("red", "two", near_by);
  query.vector_size = 8;
  CHECK_EQ(ask(cache, &query, 5, NULL).miss, WEIR_MISS_WRONG_DIMENSION);
  near_by[3] = NAN;
  query.vector_size = DIMENSIONS;
  CHECK_EQ(ask(cache, &query, 5, NULL).miss, WEIR_MISS_BAD_VECTOR);
  query = query_of("blue", "one", stored); /* another partition's are never given */
  CHECK_EQ(ask(cache, &query, 5, NULL).miss, WEIR_MISS_EMPTY_PARTITION);
  query = query_of("red", "one", stored);
  CHECK_EQ(ask(cache, &query, 60000, NULL).miss, WEIR_MISS_EXPIRED);
  CHECK(stats_have(cache, "{\"entries\":1,\"partitions\":1,\"exact_hits\":1,\"semantic_hits\":2,"));
  CHECK(stats_have(cache,
                   "\"misses\":{\"no_vector\":1,\"empty_partition\":2,\"below_threshold\":1,"
                   "\"expired\":1,\"other_embedder\":2,\"wrong_dimension\":1,\"bad_vector\":1,"
                   "\"raced\":0,\"refused\":0},\"inserts\":1,"));
  weir_cache_free(cache);
}

/* A key is bytes that weir hashes, or the caller's own 128 bits. */
static void test_keys(void) {
  weir_cache* cache = cache_of(NULL, 0);
  weir_cache_entry entry = {.size = sizeof(entry), .value = "128", .value_size = 3};
  weir_cache_query query = {.size = sizeof(query)};
  const weir_now now = at(0);
  entry.key_hi = query.key_hi = 1;
  entry.key_lo = query.key_lo = 2;
  CHECK_OK(weir_cache_insert(cache, &entry, &now, NULL, &error), &error);
  CHECK_EQ(ask(cache, &query, 0, "128").found, WEIR_CACHE_EXACT);
  query.key_lo = 3;
  CHECK_EQ(ask(cache, &query, 0, NULL).miss, WEIR_MISS_NO_VECTOR);
  query.key = "\0\1"; /* goes before the others */
  query.key_size = 2;
  query.key_lo = 2;
  ask(cache, &query, 0, NULL);
  entry.key = query.key;
  entry.key_size = 2;
  entry.value_size = 0; /* an empty value is one */
  CHECK_OK(weir_cache_insert(cache, &entry, &now, NULL, &error), &error);
  CHECK_EQ(ask(cache, &query, 0, "").found, WEIR_CACHE_EXACT);
  query.key_size = 1;
  ask(cache, &query, 0, NULL);
  weir_cache_free(cache);
}

/* What does not fit is told and not counted, and can be asked for again. */
static void test_small_buffers(void) {
  float vector[DIMENSIONS];
  direct(vector, 0, 1);
  weir_cache* cache = cache_of(NULL, DIMENSIONS);
  insert(cache, "red", "one", vector, "0123456789", 0);
  const weir_now now = at(0);
  for (int by_vector = 0; by_vector < 2; ++by_vector) {
    const weir_cache_query query = query_of("red", by_vector ? "two" : "one", vector);
    char buffer[10] = "?????????";
    for (size_t capacity = 0; capacity <= 10; ++capacity) {
      size_t needed = 0;
      weir_cache_answer answer = {.size = sizeof(answer), .found = -5};
      const weir_status status = weir_cache_lookup(
          cache, &query, &now, capacity == 0 ? NULL : buffer, capacity, &needed, &answer, &error);
      CHECK_EQ(needed, 10);
      CHECK_EQ(status, capacity == 10 ? WEIR_OK : WEIR_OUT_OF_RANGE);
      if (capacity == 10) {
        CHECK_EQ(answer.found, by_vector ? WEIR_CACHE_SEMANTIC : WEIR_CACHE_EXACT);
        CHECK(text_is(buffer, needed, "0123456789"));
      } else {
        CHECK(answer.found == -5 && buffer[0] == '?');
      }
    }
  }
  CHECK(stats_have(cache, "\"exact_hits\":1,\"semantic_hits\":1,"));
  /* Nor is the miss of a probe. */
  weir_cache_query probe = query_of("red", "two", NULL);
  probe.is_probe = 1;
  ask(cache, &probe, 0, NULL);
  CHECK(stats_have(cache, "\"no_vector\":0"));
  weir_cache_free(cache);
}

static void test_ends_of_entries(void) {
  weir_cache* cache = cache_of(NULL, 0);
  const weir_now now = at(500);
  weir_cache_query query = query_of("red", "a", NULL);
  uint64_t id = insert(cache, "red", "a", NULL, "1", 1000);
  CHECK_EQ(insert(cache, "red", "a", NULL, "2", 1000) != id, 1); /* in its place */
  id = ask(cache, &query, 0, "2").entry;
  CHECK_OK(weir_cache_touch(cache, id, 1000 * TEST_MS, &now, &error), &error);
  ask(cache, &query, 1499, "2");
  CHECK_EQ(ask(cache, &query, 1500, NULL).miss, WEIR_MISS_EXPIRED);
  CHECK_OK(weir_cache_remove(cache, id, &error), &error);
  CHECK_EQ(weir_cache_remove(cache, id, &error), WEIR_NOT_FOUND);
  CHECK_EQ(weir_cache_touch(cache, id, 0, &now, &error), WEIR_NOT_FOUND);
  CHECK_EQ(weir_cache_remove(cache, 0, &error), WEIR_NOT_FOUND);
  for (int32_t which = WEIR_PURGE_ALL; which <= WEIR_PURGE_SCOPE; ++which) {
    insert(cache, "red", "a", NULL, "1", 0);
    insert(cache, "red", "bb", NULL, "2", 0);
    insert(cache, "blue", "bb", NULL, "3", 0);
    uint64_t removed = 99;
    const uint64_t tag = which == WEIR_PURGE_MODEL ? 2 : 7;
    CHECK_OK(weir_cache_purge(cache, which, "blue", 4, tag, &removed, &error), &error);
    CHECK_EQ(removed, which == WEIR_PURGE_PARTITION ? 1 : which == WEIR_PURGE_MODEL ? 2 : 3);
    query = query_of("red", "a", NULL);
    ask(cache, &query, 0, which == WEIR_PURGE_PARTITION || which == WEIR_PURGE_MODEL ? "1" : NULL);
    CHECK_OK(weir_cache_purge(cache, WEIR_PURGE_ALL, NULL, 0, 0, NULL, &error), &error);
  }
  weir_cache_free(cache);
}

/* What was refused gives way to the next best, and is no hit. */
static void test_refused(void) {
  weir_cache* cache = cache_of(NULL, DIMENSIONS);
  const float nearest[DIMENSIONS] = {1, 0.1F}, near[DIMENSIONS] = {1, 0.2F};
  float asked[DIMENSIONS] = {1};
  insert(cache, "red", "a", nearest, "1", 0);
  insert(cache, "red", "b", near, "2", 0);
  weir_cache_query query = query_of("red", "c", asked);
  query.min_similarity = 0.9;
  query.is_tentative = 1;
  weir_cache_answer first = ask(cache, &query, 0, "1");
  query.exclude[3] = first.entry;
  const weir_cache_answer second = ask(cache, &query, 0, "2");
  query.exclude[0] = second.entry;
  ask(cache, &query, 0, NULL);
  CHECK(stats_have(cache, "\"semantic_hits\":0"));
  CHECK_OK(weir_cache_confirm(cache, &first, 0, &error), &error);
  CHECK_OK(weir_cache_confirm(cache, &second, 1, &error), &error);
  CHECK(stats_have(cache, "\"semantic_hits\":1"));
  CHECK(stats_have(cache, "\"refused\":1"));
  BAD(weir_cache_confirm(NULL, &first, 1, &error));
  BAD(weir_cache_confirm(cache, NULL, 1, &error));
  first.found = 3;
  BAD(weir_cache_confirm(cache, &first, 1, &error));
  first.found = 0;
  first.miss = WEIR_MISS_REFUSED + 1;
  BAD(weir_cache_confirm(cache, &first, 1, &error));
  weir_cache_free(cache);
}

/* A file is shared by who opens it, and warm for who comes later. */
static void test_file(void) {
  char folder[] = "/tmp/weir_cache_test_XXXXXX", path[128], json[8192];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof(path), "%s/state", folder);
  float vector[DIMENSIONS];
  direct(vector, 4, 1);
  size_t needed = 0;
  const weir_now now = at(9);
  for (int life = 0; life < 2; ++life) {
    weir_state* state = NULL;
    CHECK_OK(weir_state_open(path, strlen(path), NULL, &state, &error), &error);
    weir_cache* cache = cache_of(state, DIMENSIONS);
    weir_state_free(state); /* the cache keeps it */
    const weir_cache_query query = query_of("red", "other", vector);
    if (life == 0) {
      insert(cache, "red", "secret question", vector, "secret answer", 0);
    } else {
      ask(cache, &query, 9, "secret answer");
    }
    weir_cache_free(cache);
  }
  const weir_cache_options other = {.size = sizeof(other), .dimensions = 8, .max_entries = 100};
  weir_state* state = NULL;
  weir_cache* cache = NULL;
  CHECK_OK(weir_state_open(path, strlen(path), NULL, &state, &error), &error);
  CHECK_EQ(weir_cache_new(state, "faq", 3, &other, &cache, &error), WEIR_FAILED_PRECONDITION);
  CHECK(cache == NULL);
  weir_state_free(state);
  CHECK_OK(
      weir_cache_report_json(path, strlen(path), 3, &now, json, sizeof(json) - 1, &needed, &error),
      &error);
  json[needed] = '\0';
  CHECK(strstr(json, "{\"caches\":[{\"name\":\"faq\",\"bytes\":") == json);
  CHECK(strstr(json,
               "\"dimensions\":64,\"max_entries\":100,\"max_partitions\":8,\"expired\":0,"
               "\"oldest_age_ms\":9,\"stats\":{\"entries\":1,") != NULL);
  CHECK(strstr(json, "\"entries\":1,\"value_bytes\":13}]}]}") != NULL);
  CHECK(strstr(json, "secret") == NULL);
  CHECK_EQ(weir_cache_report_json("/nowhere/x", 10, 3, &now, json, sizeof(json), &needed, &error),
           WEIR_NOT_FOUND);
  unlink(path);
  rmdir(folder);
}

static void test_meaning(void) {
  static const char kOn[] = "How do I enable the beta API?",
                    kOff[] = "How do I disable the beta API?";
  static const char kDose[] = "Take 10 mg of it", kMore[] = "Take 100 mg of it";
  weir_meaning_verdict verdict = {.size = sizeof(verdict)};
  const char* name = NULL;
  size_t size = 0;
  float a[512], b[512], product = 0;
  CHECK_OK(weir_meaning_compare(kOn, strlen(kOn), kOff, strlen(kOff), 0, &verdict, &error), &error);
  CHECK(verdict.allowed == 0 && verdict.guard == WEIR_GUARD_OPPOSITES);
  CHECK(text_is(verdict.asked, verdict.asked_size, "enable"));
  CHECK(text_is(verdict.stored, verdict.stored_size, "disable"));
  CHECK_OK(weir_meaning_guard_name(verdict.guard, &name, &size), &error);
  CHECK(text_is(name, size, "opposites"));
  CHECK_OK(weir_meaning_compare(kOn, strlen(kOn), kOff, strlen(kOff), 1 << WEIR_GUARD_NUMBERS,
                                &verdict, &error),
           &error);
  CHECK(verdict.allowed == 1 && verdict.guard == -1 && verdict.asked_size == 0);
  CHECK_OK(weir_meaning_compare(kDose, strlen(kDose), kMore, strlen(kMore), WEIR_GUARDS_ALL,
                                &verdict, &error),
           &error);
  CHECK(verdict.allowed == 0 && verdict.guard == WEIR_GUARD_NUMBERS);
  CHECK_OK(weir_meaning_compare(NULL, 0, NULL, 0, 0, &verdict, &error), &error);
  CHECK_EQ(verdict.allowed, 1);
  CHECK_OK(weir_lexical_embed(kOn, strlen(kOn), a, 512, &error), &error);
  CHECK_OK(weir_lexical_embed(kOff, strlen(kOff), b, 512, &error), &error);
  for (int i = 0; i < 512; ++i) product += a[i] * b[i];
  CHECK(product > 0.5F && product < 0.99F);
  CHECK_EQ(weir_lexical_embed("", 0, a, 512, &error), WEIR_NOT_FOUND);
  CHECK_EQ(weir_lexical_embed("?!", 2, a, 512, &error), WEIR_NOT_FOUND);
  BAD(weir_lexical_embed("a", 1, a, 63, &error));
  BAD(weir_lexical_embed("a", 1, a, 4097, &error));
  BAD(weir_lexical_embed(NULL, 1, a, 512, &error));
  BAD(weir_lexical_embed("a", 1, NULL, 512, &error));
  BAD(weir_meaning_compare(NULL, 1, NULL, 0, 0, &verdict, &error));
  BAD(weir_meaning_compare(NULL, 0, NULL, 1, 0, &verdict, &error));
  BAD(weir_meaning_compare(NULL, 0, NULL, 0, 4096, &verdict, &error));
  BAD(weir_meaning_compare(NULL, 0, NULL, 0, 0, NULL, &error));
  verdict.size = 8;
  BAD(weir_meaning_compare(NULL, 0, NULL, 0, 0, &verdict, &error));
  CHECK_EQ(weir_meaning_guard_name(-1, &name, &size), WEIR_OUT_OF_RANGE);
  CHECK_EQ(weir_meaning_guard_name(12, &name, &size), WEIR_OUT_OF_RANGE);
  BAD(weir_meaning_guard_name(0, NULL, &size));
  BAD(weir_meaning_guard_name(0, &name, NULL));
}

static void test_bad_options(void) {
  weir_cache* cache = NULL;
#define BAD_OPTION(field, value, word)                             \
  do {                                                             \
    weir_cache_options options = {.size = sizeof(options)};        \
    options.field = (value);                                       \
    BAD(weir_cache_new(NULL, "faq", 3, &options, &cache, &error)); \
    CHECK(strstr(error.message, word) != NULL);                    \
  } while (0)
  BAD_OPTION(dimensions, 7, "dimensions");
  BAD_OPTION(dimensions, 4097, "dimensions");
  BAD_OPTION(max_entries, (1 << 24) + 1, "max_entries");
  BAD_OPTION(max_partitions, (1 << 20) + 1, "max_partitions");
  BAD_OPTION(bytes, 1, "bytes");
  BAD(weir_cache_new(NULL, "", 0, NULL, &cache, &error));
  BAD(weir_cache_new(NULL, "0123456789012345678901234567890123456789x", 41, NULL, &cache, &error));
  BAD(weir_cache_new(NULL, NULL, 3, NULL, &cache, &error));
  BAD(weir_cache_new(NULL, "faq", 3, NULL, NULL, &error));
  weir_cache_options huge = {.size = sizeof(huge), .bytes = UINT64_MAX};
  CHECK(weir_cache_new(NULL, "faq", 3, &huge, &cache, &error) != WEIR_OK);
  CHECK(cache == NULL);
}

static void test_bad_calls(void) {
  weir_cache* cache = cache_of(NULL, DIMENSIONS);
  const weir_now now = at(0);
  weir_cache_query query = query_of("", "k", NULL);
  weir_cache_entry entry = {.size = sizeof(entry)};
  weir_cache_answer answer = {.size = sizeof(answer)};
  float vector[DIMENSIONS] = {1};
  char buffer[8];
  size_t needed = 0;
  const char* name = NULL;
  weir_cache_free(NULL);
#define LOOK(cache, query, now, buffer, needed, answer) \
  weir_cache_lookup(cache, query, now, buffer, 8, needed, answer, &error)
  BAD(LOOK(NULL, &query, &now, buffer, &needed, &answer));
  BAD(LOOK(cache, NULL, &now, buffer, &needed, &answer));
  BAD(LOOK(cache, &query, NULL, buffer, &needed, &answer));
  BAD(LOOK(cache, &query, &now, NULL, &needed, &answer));
  BAD(LOOK(cache, &query, &now, buffer, NULL, &answer));
  BAD(LOOK(cache, &query, &now, buffer, &needed, NULL));
  answer.size = 8;
  BAD(LOOK(cache, &query, &now, buffer, &needed, &answer));
  answer.size = sizeof(answer);
  query.key = NULL;
  BAD(LOOK(cache, &query, &now, buffer, &needed, &answer));
  query = query_of("", "k", NULL);
  query.vector_size = 3;
  BAD(LOOK(cache, &query, &now, buffer, &needed, &answer));
  const double odd[] = {-0.1, 1.1, NAN, INFINITY};
  for (size_t i = 0; i < 4; ++i) {
    query = query_of("", "k", vector);
    query.min_similarity = odd[i];
    BAD(LOOK(cache, &query, &now, buffer, &needed, &answer));
  }
  BAD(weir_cache_insert(NULL, &entry, &now, NULL, &error));
  BAD(weir_cache_insert(cache, NULL, &now, NULL, &error));
  BAD(weir_cache_insert(cache, &entry, NULL, NULL, &error));
#define BAD_ENTRY(field, value)                                \
  do {                                                         \
    const weir_cache_entry good = {.size = sizeof(good)};      \
    entry = good;                                              \
    entry.field = (value);                                     \
    BAD(weir_cache_insert(cache, &entry, &now, NULL, &error)); \
  } while (0)
  BAD_ENTRY(partition_size, 1);
  BAD_ENTRY(key_size, 1);
  BAD_ENTRY(value_size, 1);
  BAD_ENTRY(vector_size, 1);
  BAD_ENTRY(worth, 4);
  BAD_ENTRY(worth, 256);
  BAD_ENTRY(ttl_ns, -1);
  BAD_ENTRY(ttl_ns, INT64_MAX);
  BAD(weir_cache_touch(NULL, 1, 0, &now, &error));
  BAD(weir_cache_touch(cache, 1, 0, NULL, &error));
  BAD(weir_cache_remove(NULL, 1, &error));
  BAD(weir_cache_purge(NULL, 0, NULL, 0, 0, NULL, &error));
  BAD(weir_cache_purge(cache, 1, NULL, 1, 0, NULL, &error));
  BAD(weir_cache_purge(cache, 4, NULL, 0, 0, NULL, &error));
  BAD(weir_cache_purge(cache, -1, NULL, 0, 0, NULL, &error));
  BAD(weir_cache_stats_json(NULL, buffer, 8, &needed, &error));
  BAD(weir_cache_stats_json(cache, NULL, 8, &needed, &error));
  BAD(weir_cache_stats_json(cache, buffer, 8, NULL, &error));
  CHECK_EQ(weir_cache_stats_json(cache, buffer, 8, &needed, &error), WEIR_OUT_OF_RANGE);
  BAD(weir_cache_report_json(NULL, 1, 1, &now, buffer, 8, &needed, &error));
  BAD(weir_cache_report_json("x", 1, 1, NULL, buffer, 8, &needed, &error));
  BAD(weir_cache_report_json("x", 1, 1, &now, NULL, 8, &needed, &error));
  BAD(weir_cache_report_json("x", 1, 1, &now, buffer, 8, NULL, &error));
  CHECK_OK(weir_cache_miss_name(WEIR_MISS_RACED, &name, &needed), &error);
  CHECK(text_is(name, needed, "raced"));
  CHECK_EQ(weir_cache_miss_name(WEIR_MISS_REFUSED + 1, &name, &needed), WEIR_OUT_OF_RANGE);
  CHECK_EQ(weir_cache_miss_name(-1, &name, &needed), WEIR_OUT_OF_RANGE);
  BAD(weir_cache_miss_name(0, NULL, &needed));
  BAD(weir_cache_miss_name(0, &name, NULL));
  weir_cache_free(cache);
}

int main(void) {
  test_finds();
  test_keys();
  test_refused();
  test_small_buffers();
  test_ends_of_entries();
  test_file();
  test_meaning();
  test_bad_options();
  test_bad_calls();
  return check_report("cache_test");
}
