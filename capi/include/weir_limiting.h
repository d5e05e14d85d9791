/* weir_limiting.h: a keyed limiter for anything, and the state that processes share.
 * A part of weir.h, whose conventions hold here.
 */

#ifndef WEIR_LIMITING_H_
#define WEIR_LIMITING_H_

#ifndef WEIR_H_
#error "include weir.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- State: where counters live ----
 *
 * A block of memory: private to the process, or a file that all processes of a machine map. A file
 * outlives them all, and a reboot. Any process may be killed at any instruction: no lock stays held
 * and no value is torn. A child that forks off shares a file, and has its own copy of private
 * memory. A file must not be cut short while it is mapped; network file systems do not fit.
 */

typedef struct weir_state_options {
  uint32_t size;   /* sizeof(weir_state_options) */
  int32_t replace; /* not 0: a file of another format gives its name to a new one, in place of an
                      error; processes that map the old one keep it */
  uint64_t bytes;  /* of private memory or of a new file; 0 = 16 MiB; at least 512 KiB. A counter
                      takes about 200 */
  uint64_t seed;   /* of the same: from the host's random source; keys the hash of names */
} weir_state_options;

/* Opens the file of this path (UTF-8), or makes it, readable and writable by its owner alone; an
 * empty path is private memory. `options` may be null. FAILED_PRECONDITION: the file is no state
 * file, or one of another format, whose number the error says. RESOURCE_EXHAUSTED: no room on the
 * disk, or no memory. NOT_FOUND (of the folder) and PERMISSION_DENIED as the system says;
 * UNIMPLEMENTED: this system cannot tell which processes are gone.
 * Lifetime: free with weir_state_free; limiters keep what they need of it. Threads: any. */
WEIR_API weir_status weir_state_open(const char* path, size_t path_size,
                                     const weir_state_options* options, weir_state** state,
                                     weir_error* error);

WEIR_API void weir_state_free(weir_state* state);

/* What a state file holds, as one JSON object, for people who look; the file is only read, and
 * nobody is held up, so the figures of one counter may be of two moments:
 *   {"bytes":16777216,"bytes_used":3273600,"slots":24576,"slots_used":3,"counters":2,"leased":1,
 *    "locked":0,"top":[{"rule":"per-team","key_id":"9f…","algorithm":"calendar","amount":1000,
 *                       "used":250,"reserved":50,"reset_ms":86400000}]}
 * slots_used have a key; in `counters` something is booked; `leased` are those of them with
 * reservations outstanding; `locked` are locked at this moment. `top` are the `top` counters
 * nearest to their amount. A key_id is the keyed hash of a key: keys are not kept. `rule` is null
 * where the file does not know its name; `reset_ms`, until the counter is empty, where it never is.
 * slots 0: no limiter was ever made over it. `now`: as of the processes that use the file.
 * NOT_FOUND: there is no file; other errors as of weir_state_open. Threads: any. */
WEIR_API weir_status weir_state_report_json(const char* path, size_t path_size, uint32_t top,
                                            const weir_now* now, char* buffer, size_t capacity,
                                            size_t* needed, weir_error* error);

/* ---- Limiter: limits that hold, for any thread and process, without engine and policy ----
 *
 * A limiter is a set of named rules over counters, one for each key. A request takes, or reserves
 * and later settles, against any number of (rule, key) pairs at once: all or nothing.
 *
 *   weir_limiter_new
 *   weir_limiter_reserve   before the work: what it will cost, as far as that is known
 *   weir_limiter_top_up    while it goes on, if it outgrows that
 *   weir_limiter_settle    what it really was; or weir_limiter_release: it never was
 *   weir_reservation_free
 *
 * A refusal is no status: the call is WEIR_OK, weir_limit_decision.admitted is 0 and nothing has
 * changed. A counter belongs to a rule's name, algorithm and window and to its key: another process
 * or a later limiter with such a rule goes on counting, with another amount too.
 *
 * What holds: a sliding window never admits more than its amount in any true window (at full demand
 * at least ten elevenths of it); a token bucket refills exactly, fractions carried; fixed windows
 * and calendar periods count each on its own; what a concurrency rule admits is never more than its
 * amount at once. retry_after_ns, waited for, admits the same request if nobody else took the room.
 */

/* weir_limit_rule.algorithm */
enum {
  WEIR_LIMIT_SLIDING_WINDOW = 1,
  WEIR_LIMIT_TOKEN_BUCKET = 2,
  WEIR_LIMIT_FIXED_WINDOW = 3,
  WEIR_LIMIT_CALENDAR = 4,
  WEIR_LIMIT_CONCURRENCY = 5
};

/* weir_limit_rule.period */
enum {
  WEIR_PERIOD_HOUR = 1,
  WEIR_PERIOD_DAY = 2,
  WEIR_PERIOD_WEEK = 3,
  WEIR_PERIOD_MONTH = 4,
  WEIR_PERIOD_QUARTER = 5,
  WEIR_PERIOD_YEAR = 6,
  WEIR_PERIOD_LIFETIME = 7
};

#define WEIR_LEASE_PERIOD (-1)

typedef struct weir_limit_rule {
  uint32_t size;     /* sizeof(weir_limit_rule) */
  int32_t algorithm; /* WEIR_LIMIT_…; 0 = SLIDING_WINDOW */
  const char* name;  /* 1 to 128 bytes; names the counters */
  size_t name_size;
  uint64_t amount;       /* 1 to 2^53 per window, in any unit: tokens, requests, micro-USD */
  int64_t window_ms;     /* 1 s to 366 days; 0 for calendar and concurrency */
  uint64_t burst;        /* token bucket: its size; 0 = amount */
  int32_t period;        /* calendar: WEIR_PERIOD_…; 0 = MONTH */
  int32_t week_start;    /* calendar: 1 = Monday … 7 = Sunday; 0 = 1 */
  const char* time_zone; /* calendar: an IANA name; empty = UTC */
  size_t time_zone_size;
  int64_t lease_ms;       /* fixed window, calendar, concurrency: how long a reservation counts that
                             nobody ends or tops up, as its process was killed; 1 s to 1 day; 0 = 10
                             minutes; WEIR_LEASE_PERIOD (not for concurrency) = until the period
                             ends */
  int64_t anchor_unix_ms; /* fixed window, with is_anchored: when some window begins */
  int32_t is_anchored;    /* 0: a window begins with the first booking of an idle counter */
  int32_t share;          /* not 0, sliding window: all keys share one amount fairly, by weight */
  uint64_t share_floor;   /* what a key gets of it at least */
} weir_limit_rule;

typedef struct weir_limiter_options {
  uint32_t size;         /* sizeof(weir_limiter_options) */
  uint32_t max_counters; /* counters in use at once; 0 = 16384. The first limiter over a state fixes
                            it; the slot of an idle counter is used again */
  uint64_t seed;         /* without a state: as in weir_state_options */
  int32_t full_admits;   /* the answer to a new key when every counter is in use: 0 = refused */
  int32_t reserved;      /* 0 */
} weir_limiter_options;

/* Makes a limiter over `state`; null: over private memory of its own, enough for max_counters.
 * `options` may be null. INVALID_ARGUMENT names the rule and the field that is out of range.
 * RESOURCE_EXHAUSTED: the state is too small for so many counters.
 * Lifetime: free with weir_limiter_free, after its reservations; it keeps its state alive.
 * Threads: any. */
WEIR_API weir_status weir_limiter_new(weir_state* state, const weir_limit_rule* rules,
                                      size_t rule_count, const weir_limiter_options* options,
                                      weir_limiter** limiter, weir_error* error);

/* The name, as a view into the limiter, of the index-th rule whose counters started anew, because
 * the state knew the name with another algorithm, window, time zone or anchor. OUT_OF_RANGE: no
 * such index. Threads: any. */
WEIR_API weir_status weir_limiter_restarted(const weir_limiter* limiter, uint32_t index,
                                            const char** name, size_t* name_size);

/* What one rule is asked for. */
typedef struct weir_limit_charge {
  uint32_t size;   /* sizeof(weir_limit_charge) */
  uint32_t rule;   /* index into the rules */
  const char* key; /* of the counter; any bytes */
  size_t key_size;
  uint64_t cost;     /* must fit; 0 fits unless the counter is in debt */
  uint64_t headroom; /* wanted on top, as much as is left: never a reason to refuse */
  int32_t learned;   /* not 0: take the headroom from what this counter's outputs have been (their
                        running 90th percentile; 256 before the first) */
  uint32_t weight;   /* of this key's share, 1 to 1000000; 0 = 1 */
  const char* model; /* learned: apart for each model of this key; empty: one for all */
  size_t model_size;
  uint64_t amount;    /* with has_amount: for this request, in place of the rule's; 0 lets nothing
                         pass */
  int32_t has_amount; /* 0: the rule's */
  int32_t reserved;   /* 0 */
} weir_limit_charge;

#define WEIR_NEVER INT64_MAX

/* What one rule answered. Also of the rules that did not refuse. */
typedef struct weir_limit_verdict {
  uint32_t size; /* in: sizeof(weir_limit_verdict) */
  uint32_t rule;
  uint32_t admitted;      /* 1: this rule alone would admit */
  uint32_t unused;        /* 0 */
  uint64_t used_before;   /* booked in the window before this request; of a share: by this key */
  uint64_t reserved;      /* booked for this request; 0 when the decision was a refusal */
  uint64_t amount;        /* the rule's; of a bucket its size, of a share this key's share */
  uint64_t remaining;     /* after the decision */
  int64_t retry_after_ns; /* 0 when admitted; WEIR_NEVER when the cost can never fit */
  int64_t reset_ns;       /* until the counter is empty if nobody takes more; or WEIR_NEVER */
} weir_limit_verdict;

typedef struct weir_limit_decision {
  uint32_t size;          /* in: sizeof(weir_limit_decision) */
  uint32_t admitted;      /* 1: booked, all of it; 0: nothing has changed */
  int32_t binding;        /* index of the charge whose rule refuses longest; -1 = none */
  uint32_t table_full;    /* 1: no counter for a new key; answered as full_admits says */
  int64_t retry_after_ns; /* the longest of those that refuse; WEIR_NEVER: waiting does not help */
} weir_limit_decision;

/* Decides all charges at once and books them if all are admitted. `verdicts` is an array of
 * charge_count elements whose first has its size set, in the order of the charges, or null.
 * *reservation is what is booked, null when that is nothing: the decision is a refusal, or there
 * were no charges. Two charges must not name one counter, or one rule with a share: the second is
 * refused with WEIR_NEVER.
 * INVALID_ARGUMENT: no such rule, or a weight out of range.
 * Lifetime: free with weir_reservation_free, before the limiter. Threads: any; a reservation
 * belongs to one at a time. */
WEIR_API weir_status weir_limiter_reserve(weir_limiter* limiter, const weir_limit_charge* charges,
                                          size_t charge_count, const weir_now* now,
                                          weir_limit_verdict* verdicts,
                                          weir_limit_decision* decision,
                                          weir_reservation** reservation, weir_error* error);

/* The same for what costs exactly `cost`: nothing is left to settle. A place of a concurrency rule
 * that is taken so is free after its lease. Threads: any. */
WEIR_API weir_status weir_limiter_take(weir_limiter* limiter, const weir_limit_charge* charges,
                                       size_t charge_count, const weir_now* now,
                                       weir_limit_verdict* verdicts, weir_limit_decision* decision,
                                       weir_error* error);

/* Books more on top, all or nothing, and renews the leases: for work that outgrows what was
 * reserved. `more` has an amount for each charge in the order of _reserve; a charge without one is
 * only renewed. `verdicts`, or null, has one element for each charge of the reservation.
 * FAILED_PRECONDITION: the reservation has ended. */
WEIR_API weir_status weir_limiter_top_up(weir_limiter* limiter, weir_reservation* reservation,
                                         const uint64_t* more, size_t more_count,
                                         const weir_now* now, weir_limit_verdict* verdicts,
                                         weir_limit_decision* decision, weir_error* error);

/* What was really used, of one charge. */
typedef struct weir_limit_actual {
  uint32_t size;     /* sizeof(weir_limit_actual) */
  int32_t unlearned; /* not 0: the work failed or broke off, so `learned` is to learn nothing */
  uint64_t cost;     /* the whole real cost, with what was reserved for it */
  uint64_t headroom_used; /* the output part of it, which `learned` learns from */
} weir_limit_actual;

/* Ends a reservation: corrects the bookings to what was used. Less is given back; more is booked,
 * over the amount too: a debt that the next ones wait for. `actuals` has one element for each
 * charge in the order of _reserve; a charge without one stays as it was reserved. Of one that has
 * ended already nothing changes. INVALID_ARGUMENT: it is another limiter's. */
WEIR_API weir_status weir_limiter_settle(weir_limiter* limiter, weir_reservation* reservation,
                                         const weir_limit_actual* actuals, size_t actual_count,
                                         const weir_now* now, weir_error* error);

/* Ends a reservation as if it had never been: everything is given back. Of one that has ended
 * already nothing changes. INVALID_ARGUMENT: it is another limiter's. */
WEIR_API weir_status weir_limiter_release(weir_limiter* limiter, weir_reservation* reservation,
                                          const weir_now* now, weir_error* error);

/* Releases what has not ended, at the last `now` that the reservation was given. */
WEIR_API void weir_reservation_free(weir_reservation* reservation);

/* The counter of a charge as it stands, and what it would answer; nothing changes.
 * INVALID_ARGUMENT: no such rule. Threads: any. */
WEIR_API weir_status weir_limiter_peek(const weir_limiter* limiter, const weir_limit_charge* charge,
                                       const weir_now* now, weir_limit_verdict* verdict,
                                       weir_error* error);

/* Books `cost` without asking: for costs that are known only afterwards. When every counter is in
 * use, nothing is booked for a new key. INVALID_ARGUMENT: no such rule. Threads: any. */
WEIR_API weir_status weir_limiter_book(weir_limiter* limiter, const weir_limit_charge* charge,
                                       const weir_now* now, weir_error* error);

/* Another amount for a rule, for `key` alone or (null) for every key without one of its own, in all
 * processes, for `for_ms` from now; 0 ends it. Counts are kept; 0 lets nothing pass. A charge with
 * an amount of its own is not affected. INVALID_ARGUMENT: no such rule, or an amount above 2^53;
 * RESOURCE_EXHAUSTED: every counter is in use. Threads: any. */
WEIR_API weir_status weir_limiter_override(weir_limiter* limiter, uint32_t rule, const char* key,
                                           size_t key_size, uint64_t amount, int64_t for_ms,
                                           const weir_now* now, weir_error* error);

WEIR_API void weir_limiter_free(weir_limiter* limiter);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_LIMITING_H_ */
