/* weir_breaking.h: a circuit breaker for anything that answers with a status.
 * A part of weir.h, whose conventions hold here.
 */

#ifndef WEIR_BREAKING_H_
#define WEIR_BREAKING_H_

#ifndef WEIR_H_
#error "include weir.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Breaker: who is throttled or broken is left alone for as long as it asked ----
 *
 * One circuit for each key (a backend, or a backend and a model), under one of the breaker's rule
 * sets. Closed: everything passes and outcomes are counted for each rule. Open: nothing passes
 * until the deadline. Half-open: exactly `probes` requests are out at once; enough successes close
 * the circuit, one failure opens it again.
 *
 *   weir_breaker_new
 *   weir_breaker_find      once for each key
 *   weir_breaker_check     while choosing; takes nothing
 *   weir_breaker_acquire   before the request; a refusal is no status: permit.allowed is 0
 *   weir_breaker_record    what became of it; or weir_breaker_cancel: it said nothing
 *   weir_breaker_free
 *
 * Outcomes of requests that began before the circuit's last change of state are ignored. A probe
 * that is never reported, as its process was killed, counts as lost after probe_timeout_ms. 400,
 * 401, 403, 404, 413 and 422 are the caller's fault: no rule counts them. Circuits live in the
 * state: another process, or a later breaker, finds them by their keys.
 */

typedef struct weir_breaker weir_breaker;

/* weir_breaker_rule.failures: these are failures too. */
enum {
  WEIR_BREAKER_ON_CONNECT = 1,
  WEIR_BREAKER_ON_TIMEOUT = 2,
  WEIR_BREAKER_ON_RESET = 4,
  WEIR_BREAKER_ON_STREAM_ERROR = 8 /* errors inside a stream, and streams that end early */
};

typedef struct weir_status_range {
  uint16_t first; /* 100 to 999, both inclusive */
  uint16_t last;
} weir_status_range;

/* Trips when `count` failures came within the interval and, with a percentage, were that share of
 * all outcomes in it. */
typedef struct weir_breaker_rule {
  uint32_t size;     /* sizeof(weir_breaker_rule) */
  uint32_t failures; /* WEIR_BREAKER_ON_…, or-ed */
  const char* name;  /* for people; 32 bytes of it are kept */
  size_t name_size;
  const weir_status_range* statuses;
  size_t status_count;
  uint32_t count;               /* 1 to 1000000; 0 = 1 */
  uint32_t percentage;          /* 1 to 100; 0 = any share */
  uint32_t min_samples;         /* with a percentage: of at least so many outcomes, 1 to 100000;
                                   0 = 20 */
  uint32_t trip_growth_percent; /* each successive trip by this rule, 100 to 1000: 200 doubles; 0 =
                                   100 */
  int64_t interval_ms;          /* to 366 days; 0 will do for a count of 1 */
  int64_t trip_ms;              /* open for this long: 1 ms to 366 days */
  int64_t trip_max_ms;          /* what trips grow up to; 0 = 1 hour */
  int32_t ignore_retry_after;   /* 0: open for as long as the backend asked, where it did */
  int32_t reserved;             /* 0 */
} weir_breaker_rule;

typedef struct weir_breaker_rule_set {
  uint32_t size;                  /* sizeof(weir_breaker_rule_set) */
  uint32_t probes;                /* requests let through at once while half-open, 1 to 16; 0 = 1 */
  const weir_breaker_rule* rules; /* at most 4; with none the circuit never trips */
  size_t rule_count;
  uint32_t successes_to_close; /* 1 to 1000000; 0 = 1 */
  uint32_t reserved;           /* 0 */
  int64_t probe_timeout_ms;    /* longer than a request may take; 0 = 1 minute */
  int64_t retry_after_min_ms;  /* who asks for less is asked again no sooner; 0 = 10 ms */
  int64_t retry_after_max_ms;  /* a backend may not ask for more; 0 = 1 hour */
  int64_t forget_trips_ms;     /* closed for so long, trips are short again; 0 = 10 minutes */
} weir_breaker_rule_set;

typedef struct weir_breaker_options {
  uint32_t size;         /* sizeof(weir_breaker_options) */
  uint32_t max_circuits; /* 1 to 1000000; 0 = 1024. The first breaker over a state fixes it; with
                            all in use, new keys pass unguarded */
  uint64_t seed;         /* without a state: as in weir_state_options */
} weir_breaker_options;

/* Makes a breaker over `state`; null: over private memory of its own, enough for max_circuits.
 * `options` may be null. INVALID_ARGUMENT names the rule set, the rule and the field that is out of
 * range. RESOURCE_EXHAUSTED: the state is too small for so many circuits (about 1100 bytes each).
 * Lifetime: free with weir_breaker_free; it keeps its state alive. Threads: any. */
WEIR_API weir_status weir_breaker_new(weir_state* state, const weir_breaker_rule_set* rule_sets,
                                      size_t rule_set_count, const weir_breaker_options* options,
                                      weir_breaker** breaker, weir_error* error);

WEIR_API void weir_breaker_free(weir_breaker* breaker);

/* A circuit that was found: a value, good for as long as the breaker that gave it. */
typedef struct weir_circuit {
  uint32_t size; /* in: sizeof(weir_circuit) */
  uint32_t unused;
  uint64_t opaque[6];
} weir_circuit;

/* The circuit of `key`, any bytes, under the rule set of this index; made if there is none.
 * INVALID_ARGUMENT: no such rule set. Threads: any. */
WEIR_API weir_status weir_breaker_find(weir_breaker* breaker, uint32_t rule_set, const char* key,
                                       size_t key_size, const weir_now* now, weir_circuit* circuit,
                                       weir_error* error);

enum { WEIR_BREAKER_CLOSED = 0, WEIR_BREAKER_OPEN = 1, WEIR_BREAKER_HALF_OPEN = 2 };

/* The answer to a request that asks to pass, and the ticket to report its outcome with. */
typedef struct weir_permit {
  uint32_t size;     /* in: sizeof(weir_permit) */
  uint32_t allowed;  /* 1: it passes */
  uint32_t is_probe; /* 1: as one of the few while half-open */
  int32_t state;     /* WEIR_BREAKER_…; an open circuit whose time is over is half-open */
  /* When not allowed: the earliest time worth asking again. While probes are out that is when the
   * first of them will be overdue; any may end before, so it is no time to leave a backend alone.
   */
  int64_t retry_at_mono_ns;
  uint64_t opaque[6]; /* to be handed back unchanged */
} weir_permit;

/* Would a request pass now? Takes nothing, and the permit is none to report with.
 * INVALID_ARGUMENT: the circuit is not this breaker's. Threads: any. */
WEIR_API weir_status weir_breaker_check(const weir_breaker* breaker, const weir_circuit* circuit,
                                        const weir_now* now, weir_permit* permit,
                                        weir_error* error);

/* Takes the right to send one request. Every allowed permit is to be ended by _record or _cancel.
 * INVALID_ARGUMENT: the circuit is not this breaker's. Threads: any. */
WEIR_API weir_status weir_breaker_acquire(weir_breaker* breaker, const weir_circuit* circuit,
                                          const weir_now* now, weir_permit* permit,
                                          weir_error* error);

/* weir_outcome.failure */
enum {
  WEIR_OUTCOME_ANSWERED = 0,
  WEIR_OUTCOME_CONNECT = 1,
  WEIR_OUTCOME_TIMEOUT = 2,
  WEIR_OUTCOME_RESET = 3,
  WEIR_OUTCOME_STREAM_ERROR = 4, /* an error inside a stream that had begun well */
  WEIR_OUTCOME_TRUNCATED = 5     /* such a stream that ended before its end */
};

typedef struct weir_outcome {
  uint32_t size;          /* sizeof(weir_outcome) */
  int32_t status;         /* the HTTP status; 0 without one */
  int32_t failure;        /* WEIR_OUTCOME_… */
  int32_t has_asked;      /* not 0: the backend asked for … */
  int64_t retry_after_ns; /* … this long, as weir_retry_after gave it */
} weir_outcome;

/* What an outcome did to its circuit. */
typedef struct weir_breaker_report {
  uint32_t size;              /* in: sizeof(weir_breaker_report) */
  uint32_t tripped;           /* 1: it opened the circuit */
  uint32_t reset;             /* 1: it closed it */
  int32_t rule;               /* tripped: the index of the rule; else -1 */
  int64_t open_until_mono_ns; /* tripped: the deadline */
} weir_breaker_report;

/* Reports what became of a request. `report` may be null. Stale permits are ignored, and so are
 * those that were not allowed. INVALID_ARGUMENT: no such failure. Threads: any. */
WEIR_API weir_status weir_breaker_record(weir_breaker* breaker, const weir_permit* permit,
                                         const weir_outcome* outcome, const weir_now* now,
                                         weir_breaker_report* report, weir_error* error);

/* The request ended without saying anything about the backend: the probe's place is free again and
 * nothing is counted. Threads: any. */
WEIR_API weir_status weir_breaker_cancel(weir_breaker* breaker, const weir_permit* permit,
                                         const weir_now* now, weir_error* error);

/* All circuits of the state, for people who look, as one JSON object:
 *   {"circuits":[{"key":"east","key_id":"9f…","state":"open","state_ms":1200,"left_ms":28800,
 *                 "trips":3,"rule":"throttle","status":429,"failure":null,"asked":true}]}
 * state_ms: how long it has been so, null where it never changed; left_ms: until it is half-open,
 * null unless open. `trips` so far; then why it tripped last, null where it never did; asked: the
 * time was the backend's own. A key is cut at 60 bytes, key_id is the keyed hash of all of it.
 * Threads: any. */
WEIR_API weir_status weir_breaker_snapshot_json(const weir_breaker* breaker, const weir_now* now,
                                                char* buffer, size_t capacity, size_t* needed,
                                                weir_error* error);

/* The changes of state after the one numbered `since`, by all processes; 0: from the first that is
 * still known. The last 256 are kept, and `lost` counts what was overwritten unread. Ask with
 * `last` the next time.
 *   {"last":5,"lost":0,"changes":[{"number":5,"event":"tripped","mono_ns":…,"unix_ns":…,
 *     "key":"east","key_id":"9f…","open_until_mono_ns":…,"trips":3,"rule":"throttle","status":429,
 *     "failure":null,"asked":true}]}
 * event: tripped, half_opened (by the first request that asked after the deadline) or reset, the
 * last two with the trip that they end. There may be more when the caller comes back with a larger
 * buffer. Threads: any. */
WEIR_API weir_status weir_breaker_changes_json(const weir_breaker* breaker, uint64_t since,
                                               char* buffer, size_t capacity, size_t* needed,
                                               weir_error* error);

/* Headers of an answer, as they came; several of one name joined by commas; empty where absent. */
typedef struct weir_retry_headers {
  uint32_t size; /* sizeof(weir_retry_headers) */
  uint32_t unused;
  const char* retry_after; /* seconds, an HTTP date, or a duration as Go prints it ("1m30s") */
  size_t retry_after_size;
  const char* retry_after_ms;
  size_t retry_after_ms_size;
  const char* x_ms_retry_after_ms;
  size_t x_ms_retry_after_ms_size;
  const char* remaining_requests; /* x-ratelimit-remaining-requests, and so on: of a limit of which
                                     0 remains, its reset counts if nothing else is said */
  size_t remaining_requests_size;
  const char* reset_requests;
  size_t reset_requests_size;
  const char* remaining_tokens;
  size_t remaining_tokens_size;
  const char* reset_tokens;
  size_t reset_tokens_size;
} weir_retry_headers;

/* How long the backend asked to be left alone: *retry_after_ns in [0, cap_ns], or -1 when nothing
 * usable is said. For answers that failed: healthy ones carry such headers too. Threads: any. */
WEIR_API weir_status weir_retry_after(const weir_retry_headers* headers, const weir_now* now,
                                      int64_t cap_ns, int64_t* retry_after_ns, weir_error* error);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_BREAKING_H_ */
