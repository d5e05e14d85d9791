/* weir_balancing.h: which backend gets this request, for anything that has several.
 * A part of weir.h, whose conventions hold here.
 */

#ifndef WEIR_BALANCING_H_
#define WEIR_BALANCING_H_

#ifndef WEIR_H_
#error "include weir.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Balancer: members in priority tiers, without engine and policy ----
 *
 *   weir_balancer_new
 *   weir_balancer_pick          then see whether the member takes the request;
 *   weir_balancer_rest            no: until when it rests, then pick again
 *   weir_balancer_started         yes (or weir_balance_ask.start, in the pick itself)
 *   weir_balancer_first_token   what that took
 *   weir_balancer_finished      always
 *   weir_balancer_free
 *
 * A tier is used only for what those above it cannot take. Members are numbered from 0, as they
 * were given. What is known of them (who rests until when, whose turn it is, what is under way, how
 * fast each has been) is found in the state by the names of pool and member: by another process,
 * and by a later balancer with other members, weights or tiers.
 *
 * weir_balancer is safe from any thread at any time. What a killed process had under way is given
 * back.
 */

typedef struct weir_balancer weir_balancer;

/* weir_balancer_options.strategy */
enum {
  WEIR_BALANCE_WEIGHTED = 1,      /* smooth weighted round robin */
  WEIR_BALANCE_ROUND_ROBIN = 2,   /* the same, every weight being 1 */
  WEIR_BALANCE_LEAST_BUSY = 3,    /* least under way for its weight; then whose turn it is */
  WEIR_BALANCE_LEAST_LATENCY = 4, /* least peak average of the time to first token, times what is
                                     under way and one, for its weight */
  WEIR_BALANCE_P2C = 5,           /* the less busy of two drawn at random by weight */
  WEIR_BALANCE_HASH = 6           /* by key: the same member for the same key in every process */
};

/* Why a member rests. */
enum {
  WEIR_REST_TRIPPED = 1, /* failures; a tier of which all are tripped is held down afterwards */
  WEIR_REST_OUT_OF_CAPACITY = 2,
  WEIR_REST_THROTTLED = 3 /* it said so itself */
};

typedef struct weir_balance_member {
  uint32_t size;     /* sizeof(weir_balance_member) */
  uint32_t priority; /* 1 to 1000, lower first; 0 = 1 */
  const char* name;  /* of which no two are alike */
  size_t name_size;
  uint32_t weight;  /* 1 to 1000; 0 = 1 */
  int32_t reserved; /* 0 */
} weir_balance_member;

#define WEIR_NO_HOLD_DOWN (-1)

typedef struct weir_balancer_options {
  uint32_t size;               /* sizeof(weir_balancer_options) */
  int32_t strategy;            /* WEIR_BALANCE_…; 0 = WEIGHTED */
  uint64_t seed;               /* from the host's random source: where sequences start */
  uint64_t id_seed;            /* a secret, the same in all processes, that keys member ids */
  int64_t hold_down_ms;        /* a tripped tier is used again when it has been usable for so long;
                                  0 = 10 s; WEIR_NO_HOLD_DOWN = at once */
  int64_t latency_decay_ms;    /* 1 s to 1 hour: 1/e of a time is left after it; 0 = 10 s */
  uint32_t load_bound_percent; /* hash: of what its weight makes of all that is under way, a member
                                  has at most; 101 to 10000; 0 = 125 */
  uint32_t load_floor;         /* hash: up to so many under way are no reason to go elsewhere; 1 to
                                  65535; 0 = 4 */
} weir_balancer_options;

/* Makes a balancer of 1 to 1024 members in at most 64 tiers over `state`; null: over private memory
 * of its own. `name` names what is shared. `options` may be null. INVALID_ARGUMENT names the member
 * or the option that is out of range; RESOURCE_EXHAUSTED: the state is full.
 * Lifetime: free with weir_balancer_free; it keeps its state alive. Threads: any. */
WEIR_API weir_status weir_balancer_new(weir_state* state, const char* name, size_t name_size,
                                       const weir_balance_member* members, size_t member_count,
                                       const weir_balancer_options* options,
                                       weir_balancer** balancer, weir_error* error);

/* One request's question. */
typedef struct weir_balance_ask {
  uint32_t size;   /* sizeof(weir_balance_ask) */
  int32_t start;   /* not 0: what is picked is under way at once, as weir_balancer_started says */
  const char* key; /* hash: any bytes */
  size_t key_size;
  const uint16_t* refused; /* members that are nothing for this request; it costs them no turn */
  size_t refused_count;
  int32_t has_prefer; /* not 0: stay with `prefer` if it is usable and its tier is the one in use */
  int32_t prefer;
  int32_t sticky;   /* not 0: … or in any other tier */
  int32_t reserved; /* 0 */
} weir_balance_ask;

/* The member that gets the request; -1 when none is usable, and then *returns_at_ns, which may be
 * null, is the soonest end of a rest as of now->mono_ns' clock (WEIR_NEVER: there is none); else it
 * is 0. `ask` may be null. Threads: any. */
WEIR_API weir_status weir_balancer_pick(weir_balancer* balancer, const weir_balance_ask* ask,
                                        const weir_now* now, int32_t* member,
                                        int64_t* returns_at_ns, weir_error* error);

/* The calls below: INVALID_ARGUMENT when there is no such member. Threads: any. */

/* The last pick of the member was of no use: its turn is given back. What was started is not ended
 * by it. */
WEIR_API weir_status weir_balancer_unused(weir_balancer* balancer, int32_t member,
                                          weir_error* error);

/* A request went to the member. */
WEIR_API weir_status weir_balancer_started(weir_balancer* balancer, int32_t member,
                                           const weir_now* now, weir_error* error);

/* Its first token came after ttft_ns. */
WEIR_API weir_status weir_balancer_first_token(weir_balancer* balancer, int32_t member,
                                               int64_t ttft_ns, const weir_now* now,
                                               weir_error* error);

/* It ended. `failed`: not 0 by the member's fault; that counts as slow, never as fast. */
WEIR_API weir_status weir_balancer_finished(weir_balancer* balancer, int32_t member, int32_t failed,
                                            const weir_now* now, weir_error* error);

/* The member is left alone until until_ns (WEIR_NEVER: until it is woken), unless it rests for
 * longer already. `why`: WEIR_REST_…. */
WEIR_API weir_status weir_balancer_rest(weir_balancer* balancer, int32_t member, int64_t until_ns,
                                        int32_t why, const weir_now* now, weir_error* error);

/* It rests no longer. */
WEIR_API weir_status weir_balancer_wake(weir_balancer* balancer, int32_t member,
                                        const weir_now* now, weir_error* error);

/* A number for the member that tells nothing about it, for a cookie: the same in all processes with
 * the same id_seed. */
WEIR_API weir_status weir_balancer_member_id(const weir_balancer* balancer, int32_t member,
                                             uint64_t* id, weir_error* error);

/* The member that has the number. NOT_FOUND: none has it. */
WEIR_API weir_status weir_balancer_find_member(const weir_balancer* balancer, uint64_t id,
                                               int32_t* member, weir_error* error);

/* The members as they stand, as a JSON array, in the order given:
 *   [{"name":"ptu","priority":1,"weight":3,"usable":false,"held":false,"why":"throttled",
 *     "until_ms":2500,"in_flight":12,"ttft_ms":310,"picks":90210}]
 * `held`: usable, but its tier has to prove itself first. `why` (tripped, out_of_capacity,
 * throttled) and `until_ms`, from now, are null when it is usable, the latter also when it rests
 * until it is woken; `ttft_ms` is null when it was never measured. */
WEIR_API weir_status weir_balancer_report_json(weir_balancer* balancer, const weir_now* now,
                                               char* buffer, size_t capacity, size_t* needed,
                                               weir_error* error);

WEIR_API void weir_balancer_free(weir_balancer* balancer);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WEIR_BALANCING_H_ */
