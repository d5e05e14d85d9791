/* weir_caching.h: a similarity cache for anything, and whether two texts can mean the same.
 * A part of weir.h, whose conventions hold here.
 */

#ifndef WEIR_CACHING_H_
#define WEIR_CACHING_H_

#ifndef WEIR_H_
#error "include weir.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Cache: opaque values by a key, or by a vector near enough, without engine and policy ----
 *
 *   weir_cache_options options = {.size = sizeof(options), .dimensions = 384, .seed = random};
 *   weir_cache_query query = {.size = sizeof(query), .partition = "red", .partition_size = 3,
 *                             .key = text, .key_size = text_size, .vector = vector,
 *                             .vector_size = 384, .min_similarity = 0.95};
 *   weir_cache_answer answer = {.size = sizeof(answer)};
 *   weir_cache_new(NULL, "faq", 3, &options, &cache, &error);
 *   weir_cache_lookup(cache, &query, &now, buffer, sizeof(buffer), &needed, &answer, &error);
 *   if (answer.found == WEIR_CACHE_MISS) weir_cache_insert(cache, &entry, &now, NULL, &error);
 *
 * It knows no prompts and no embedders: the caller brings a partition (a tenant, say), a key of the
 * whole request, and a vector of what it means. Back comes the value of that very key, or of the
 * most similar vector in the same partition, or the reason why not. Partitions are apart by
 * structure: a look-up reads no entry of another one.
 *
 * Vectors are kept as one byte a component: a similarity differs from the true cosine by about
 * 0.001, see similarity_error. Look-ups take no lock and never wait for who writes. When it is
 * full, expired entries give way first, then by SIEVE, which keeps what is asked for again. Memory:
 * dimensions + 160 bytes an entry, 1216 a partition, values in pieces of 256 bytes.
 *
 * Over a state file it is shared by the processes of a machine, and warm after a restart; a process
 * may be killed at any instruction. `now` counts by unix_ns.
 */

typedef struct weir_cache weir_cache;

typedef struct weir_cache_options {
  uint32_t size;           /* sizeof(weir_cache_options) */
  uint32_t dimensions;     /* of the vectors, 8 to 4096; 0 = exact keys only */
  uint32_t max_entries;    /* 1 to 2^24; 0 = 10000 */
  uint32_t max_partitions; /* 1 to 2^20; 0 = 1024 */
  uint64_t bytes;          /* for everything; 0 = as max_entries values of value_bytes need */
  uint64_t seed;        /* of hashes, from the host's random source: attackers may choose keys and
                           vectors. Over a state its own seed counts too */
  uint32_t value_bytes; /* where `bytes` is 0: of an average value; 0 = 2048 */
  uint32_t partition_quota; /* entries a partition; the next takes the place of one of its own. 0 =
                               no quota. Each process its own; who comes next must bring all others
                               as who made the cache did, but for the seed */
} weir_cache_options;

/* The cache of this name (1 to 40 bytes) in `state`; null: in private memory of its own. Made on
 * first use. INVALID_ARGUMENT names the option out of range; FAILED_PRECONDITION: the state has it
 * with other options; RESOURCE_EXHAUSTED: the state has not so much room left.
 * Lifetime: free with weir_cache_free; it keeps its state alive. Threads: any. */
WEIR_API weir_status weir_cache_new(weir_state* state, const char* name, size_t name_size,
                                    const weir_cache_options* options, weir_cache** cache,
                                    weir_error* error);

typedef struct weir_cache_query {
  uint32_t size;           /* sizeof(weir_cache_query) */
  uint32_t embedder_epoch; /* with embedder_id: what made the vector. Vectors of two embedders, or
                              of two epochs of one, are never compared */
  const char* partition;   /* any bytes, also none */
  size_t partition_size;
  const char* key; /* of everything that may change the answer; hashed. Empty: key_hi and key_lo */
  size_t key_size;
  uint64_t key_hi; /* instead: 128 bits of the caller's own good hash */
  uint64_t key_lo;
  const float* vector;   /* of any length above 0, not normalised; null: by the key only */
  size_t vector_size;    /* components */
  double min_similarity; /* cosine, above 0 to 1; 0 = by the key only */
  uint64_t embedder_id;  /* a number of the caller's */
  int32_t is_probe;     /* not 0: another look-up for the same request may follow (by key before the
                           vector is made, say): a miss is not counted */
  int32_t is_tentative; /* not 0: nothing is counted until weir_cache_confirm */
  uint64_t exclude[4];  /* entries that were refused, not to be found by meaning; 0 = none */
} weir_cache_query;

/* weir_cache_answer.found */
enum { WEIR_CACHE_MISS = 0, WEIR_CACHE_EXACT = 1, WEIR_CACHE_SEMANTIC = 2 };

/* weir_cache_answer.miss */
enum {
  WEIR_MISS_NONE = 0,            /* it was found */
  WEIR_MISS_NO_VECTOR = 1,       /* not by key, and there was no vector, or the cache keeps none */
  WEIR_MISS_EMPTY_PARTITION = 2, /* the partition has no entries */
  WEIR_MISS_BELOW_THRESHOLD = 3, /* similarity has the nearest that was looked at */
  WEIR_MISS_EXPIRED = 4,         /* there was one, and its time is over */
  WEIR_MISS_OTHER_EMBEDDER = 5,  /* all that looked near are of other embedders */
  WEIR_MISS_WRONG_DIMENSION = 6, /* the vector has not as many components as the cache's */
  WEIR_MISS_BAD_VECTOR = 7,      /* zeros only, or a NaN or an infinity */
  WEIR_MISS_RACED = 8,           /* writers were faster, three times in a row */
  WEIR_MISS_REFUSED = 9          /* something was found, and refused: counted by _confirm alone */
};

typedef struct weir_cache_answer {
  uint32_t size;     /* in: sizeof(weir_cache_answer) */
  int32_t found;     /* WEIR_CACHE_… */
  int32_t miss;      /* WEIR_MISS_… */
  uint32_t unused;   /* 0 */
  double similarity; /* 1 when found by key; below -1 when nothing was compared */
  double similarity_error;
  uint64_t entry; /* for _touch, _remove and `exclude`; 0 = none */
  int64_t age_ns; /* since it was inserted */
} weir_cache_answer;

/* Looks, and copies the value into the buffer; *needed is its size, 0 after a miss. A miss is no
 * status. A value larger than the buffer is OUT_OF_RANGE, which counts as no look-up: come again
 * with *needed bytes. INVALID_ARGUMENT: a similarity out of range. Threads: any, at once. */
WEIR_API weir_status weir_cache_lookup(weir_cache* cache, const weir_cache_query* query,
                                       const weir_now* now, char* buffer, size_t capacity,
                                       size_t* needed, weir_cache_answer* answer,
                                       weir_error* error);

/* Says what became of the answer of a tentative look-up, once for however many were made for one
 * request: with is_given a hit is counted, and counts as use; without, it is a miss, "refused". A
 * miss is counted as what it is. `answer` is as weir_cache_lookup filled it in. Threads: any. */
WEIR_API weir_status weir_cache_confirm(weir_cache* cache, const weir_cache_answer* answer,
                                        int32_t is_given, weir_error* error);

typedef struct weir_cache_entry {
  uint32_t size;           /* sizeof(weir_cache_entry) */
  uint32_t embedder_epoch; /* this and the next as in weir_cache_query */
  const char* partition;
  size_t partition_size;
  const char* key;
  size_t key_size;
  uint64_t key_hi;
  uint64_t key_lo;
  const float* vector; /* of the cache's dimensions; null: found by its key only */
  size_t vector_size;
  uint64_t embedder_id;
  const char* value; /* any bytes, up to 64 MiB */
  size_t value_size;
  int64_t ttl_ns; /* up to 366 days; 0 = no end */
  uint64_t model; /* with `scope`: numbers of the caller's, to purge by */
  uint64_t scope;
  uint32_t worth;    /* 0 to 3: how many rounds longer it stays than others when room is short */
  uint32_t reserved; /* 0 */
} weir_cache_entry;

/* Keeps a value, in place of that of the same partition and key if there is one. `entry_id` may be
 * null. INVALID_ARGUMENT: a field out of range, a vector of other dimensions or without direction.
 * RESOURCE_EXHAUSTED: there is no room though others gave way. Threads: any. */
WEIR_API weir_status weir_cache_insert(weir_cache* cache, const weir_cache_entry* entry,
                                       const weir_now* now, uint64_t* entry_id, weir_error* error);

/* Counts as use; with a ttl_ns above 0 the entry lives that long from now. NOT_FOUND: it is gone.
 * Threads: any. */
WEIR_API weir_status weir_cache_touch(weir_cache* cache, uint64_t entry_id, int64_t ttl_ns,
                                      const weir_now* now, weir_error* error);

/* NOT_FOUND: it was gone. Threads: any. */
WEIR_API weir_status weir_cache_remove(weir_cache* cache, uint64_t entry_id, weir_error* error);

/* weir_cache_purge: which entries */
enum {
  WEIR_PURGE_ALL = 0,
  WEIR_PURGE_PARTITION = 1, /* those of `partition` */
  WEIR_PURGE_MODEL = 2,     /* those whose `model` is `tag` */
  WEIR_PURGE_SCOPE = 3,     /* those whose `scope` is */
  WEIR_PURGE_ENTRY = 4      /* of weir_engine_purge_cache alone: here it is weir_cache_remove */
};

/* *removed, which may be null: how many there were. What is inserted meanwhile may stay.
 * INVALID_ARGUMENT: no such `which`. Threads: any; other writers get on meanwhile. */
WEIR_API weir_status weir_cache_purge(weir_cache* cache, int32_t which, const char* partition,
                                      size_t partition_size, uint64_t tag, uint64_t* removed,
                                      weir_error* error);

/* Counts of all processes since the cache was made, and what is in it, as one JSON object:
 *   {"entries":3,"partitions":2,"exact_hits":1,"semantic_hits":1,"misses":{"no_vector":0,…},
 *    "inserts":3,"replaced":0,"evictions":0,"expirations":0,"removals":0,"refused":0,"repairs":0,
 *    "value_bytes_used":768,"value_bytes":23592960,"similarities":[0,…]}
 * misses: by each name of weir_cache_miss_name. similarities: of the nearest that look-ups by
 * vector compared, 51 counts in steps of 0.01: the first is below 0.5, the last from 0.99. Threads:
 * any. */
WEIR_API weir_status weir_cache_stats_json(const weir_cache* cache, char* buffer, size_t capacity,
                                           size_t* needed, weir_error* error);

/* "below_threshold" for WEIR_MISS_BELOW_THRESHOLD, as a static view; "none" for 0. OUT_OF_RANGE: no
 * such reason. Threads: any. */
WEIR_API weir_status weir_cache_miss_name(int32_t miss, const char** name, size_t* name_size);

WEIR_API void weir_cache_free(weir_cache* cache);

/* The caches in a state file, for people who look, without a key, a prompt or a value:
 *   {"caches":[{"name":"faq","bytes":25165824,"dimensions":384,"max_entries":10000,
 *               "max_partitions":1024,"expired":0,"oldest_age_ms":52000,"stats":{…},
 *               "top":[{"partition_id":"9f…","entries":2,"value_bytes":512}]}]}
 * stats: as weir_cache_stats_json. `top` are the `top` partitions with the most entries; the id is
 * the keyed hash of a partition's name. "answers:NAME" is the cache NAME of a policy. A cache of
 * another release has name and bytes, and all else null. The file is only read, and nobody is held
 * up. NOT_FOUND: there is no file; other errors as of weir_state_open. Threads: any. */
WEIR_API weir_status weir_cache_report_json(const char* path, size_t path_size, uint32_t top,
                                            const weir_now* now, char* buffer, size_t capacity,
                                            size_t* needed, weir_error* error);

/* ---- Meaning: for those who have a cache of their own ---- */

/* A vector of a text's words, word pairs and letter groups, hashed; of length 1. High cosines for
 * texts that share their wording, not for those that mean the same in other words. Of a text the
 * first 64 KiB count. `vector_size`: 64 to 4096 floats, all of them written; else INVALID_ARGUMENT.
 * NOT_FOUND: the text has no word. Threads: any. */
WEIR_API weir_status weir_lexical_embed(const char* text, size_t text_size, float* vector,
                                        size_t vector_size, weir_error* error);

/* What must agree in two texts. The bit `1 << WEIR_GUARD_…` puts one into a set. */
enum {
  WEIR_GUARD_NUMBERS = 0,   /* values with their units */
  WEIR_GUARD_DATES = 1,     /* days, months, times, "tomorrow" */
  WEIR_GUARD_NEGATION = 2,  /* not, never, without … */
  WEIR_GUARD_OPPOSITES = 3, /* enable / disable, before / after … */
  WEIR_GUARD_ORDER = 4,     /* from A to B, and from B to A */
  WEIR_GUARD_QUESTION = 5,  /* when / where / who … */
  WEIR_GUARD_QUOTES = 6,    /* quoted strings */
  WEIR_GUARD_CODE = 7,      /* code in backticks and fences, operators */
  WEIR_GUARD_NAMES = 8,     /* capitalised words, identifiers, URLs, addresses, paths */
  WEIR_GUARD_LANGUAGE = 9,  /* script, and language */
  WEIR_GUARD_WORDS = 10,    /* one word in another's place; refuses paraphrases too */
  WEIR_GUARD_LENGTH = 11    /* what is too long to be compared otherwise */
};

#define WEIR_GUARDS_ALL 4095

typedef struct weir_meaning_verdict {
  uint32_t size;       /* in: sizeof(weir_meaning_verdict) */
  uint32_t allowed;    /* 1: the answer to one may answer the other */
  int32_t guard;       /* that refused: WEIR_GUARD_…; -1 = none did */
  uint32_t asked_size; /* of the pieces that differ; 0: nothing there */
  uint32_t stored_size;
  uint32_t reserved; /* 0 */
  char asked[32];    /* not NUL-terminated */
  char stored[32];
} weir_meaning_verdict;

/* May an answer to `stored` answer `asked`? A similarity cannot tell "enable" from "disable" or 10
 * mg from 100 mg; this can. `guards`: a set; 0 = all but WORDS. They read words, not meaning: what
 * no rule knows passes. The first guard that refuses, by number, is named. INVALID_ARGUMENT: a bit
 * that is no guard. Threads: any. */
WEIR_API weir_status weir_meaning_compare(const char* asked, size_t asked_size, const char* stored,
                                          size_t stored_size, uint32_t guards,
                                          weir_meaning_verdict* verdict, weir_error* error);

/* "opposites" for WEIR_GUARD_OPPOSITES, as a static view. OUT_OF_RANGE: no such guard. Threads:
 * any.
 */
WEIR_API weir_status weir_meaning_guard_name(int32_t guard, const char** name, size_t* name_size);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_CACHING_H_ */
