package weir

// #include "crossing.h"
import "C"

import (
	"time"
	"unsafe"
)

// LimitAlgorithm is how a rule counts.
type LimitAlgorithm int32

// The algorithms.
const (
	SlidingWindow LimitAlgorithm = C.WEIR_LIMIT_SLIDING_WINDOW
	TokenBucket   LimitAlgorithm = C.WEIR_LIMIT_TOKEN_BUCKET
	FixedWindow   LimitAlgorithm = C.WEIR_LIMIT_FIXED_WINDOW
	Calendar      LimitAlgorithm = C.WEIR_LIMIT_CALENDAR
	Concurrency   LimitAlgorithm = C.WEIR_LIMIT_CONCURRENCY
)

// Period is a calendar rule's.
type Period int32

// The periods.
const (
	PeriodHour     Period = C.WEIR_PERIOD_HOUR
	PeriodDay      Period = C.WEIR_PERIOD_DAY
	PeriodWeek     Period = C.WEIR_PERIOD_WEEK
	PeriodMonth    Period = C.WEIR_PERIOD_MONTH
	PeriodQuarter  Period = C.WEIR_PERIOD_QUARTER
	PeriodYear     Period = C.WEIR_PERIOD_YEAR
	PeriodLifetime Period = C.WEIR_PERIOD_LIFETIME
)

// LeasePeriod, as LimitRule.Lease: until the period ends.
const LeasePeriod time.Duration = C.WEIR_LEASE_PERIOD

// LimitRule is one limit of a Limiter.
type LimitRule struct {
	Name      string         // 1 to 128 bytes; names the counters
	Algorithm LimitAlgorithm // 0 = SlidingWindow
	Amount    uint64         // 1 to 2^53 per window, in any unit
	Window    time.Duration  // 1 s to 366 days; 0 for Calendar and Concurrency
	Burst     uint64         // TokenBucket: its size; 0 = Amount
	Period    Period         // Calendar; 0 = PeriodMonth
	WeekStart int            // Calendar: 1 = Monday … 7 = Sunday; 0 = 1
	TimeZone  string         // Calendar: an IANA name; empty = UTC
	// FixedWindow, Calendar, Concurrency: how long a reservation counts that nobody ends, as its
	// process was killed; 0 = 10 minutes; or LeasePeriod.
	Lease  time.Duration
	Anchor time.Time // FixedWindow: when some window begins; zero: with the first booking
	// SlidingWindow: all keys share one amount fairly, by weight, and have at least the floor.
	Share      bool
	ShareFloor uint64
}

// LimiterOptions; the zero value is usual.
type LimiterOptions struct {
	MaxCounters int    // counters in use at once; 0 = 16384
	Seed        uint64 // without a state: as in StateOptions
	FullAdmits  bool   // the answer to a new key when every counter is in use
	Clock       Clock  // nil = SystemClock
}

// Limiter is a set of named rules over counters, one for each key. A request takes, or reserves and
// later settles, against any number of (rule, key) pairs at once: all or nothing. Any number of
// goroutines may use one.
type Limiter struct {
	c     *C.weir_limiter
	g     *guard
	clock Clock
}

// NewLimiter makes one over a state; nil: over private memory of its own. Options may be nil.
func NewLimiter(state *State, rules []LimitRule, options *LimiterOptions) (*Limiter, error) {
	if options == nil {
		options = &LimiterOptions{}
	}
	a := &arena{}
	defer a.free()
	first := (*C.weir_limit_rule)(a.alloc(C.size_t(len(rules)) * C.sizeof_weir_limit_rule))
	for i, rule := range rules {
		unsafe.Slice(first, len(rules))[i] = rule.inC(a)
	}
	given := C.weir_limiter_options{
		size:         C.sizeof_weir_limiter_options,
		max_counters: C.uint32_t(options.MaxCounters),
		seed:         orRandom(options.Seed),
		full_admits:  boolInt(options.FullAdmits),
	}
	l := &Limiter{clock: orSystem(options.Clock)}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_limiter_new(state.handle(), first, C.size_t(len(rules)), &given, &l.c, e)
	})
	if err != nil {
		return nil, err
	}
	l.g = watch("Limiter")
	return l, nil
}

// milliseconds keeps the words that stand for durations, which are negative.
func milliseconds(d time.Duration) C.int64_t {
	if d < 0 {
		return C.int64_t(d)
	}
	return C.int64_t(d.Milliseconds())
}

func (r *LimitRule) inC(a *arena) C.weir_limit_rule {
	c := C.weir_limit_rule{
		size:        C.sizeof_weir_limit_rule,
		algorithm:   C.int32_t(r.Algorithm),
		amount:      C.uint64_t(r.Amount),
		window_ms:   milliseconds(r.Window),
		burst:       C.uint64_t(r.Burst),
		period:      C.int32_t(r.Period),
		week_start:  C.int32_t(r.WeekStart),
		lease_ms:    milliseconds(r.Lease),
		share:       boolInt(r.Share),
		share_floor: C.uint64_t(r.ShareFloor),
	}
	if !r.Anchor.IsZero() {
		c.is_anchored = 1
		c.anchor_unix_ms = C.int64_t(r.Anchor.UnixMilli())
	}
	c.name, c.name_size = a.text(r.Name)
	c.time_zone, c.time_zone_size = a.text(r.TimeZone)
	return c
}

// Restarted are the names of rules whose counters started anew, because the state knew them with
// another algorithm, window, time zone or anchor.
func (l *Limiter) Restarted() (names []string) {
	var name C.weir_go_text
	for i := C.uint32_t(0); ; i++ {
		if C.weir_limiter_restarted(l.c, i, &name.bytes, &name.size) != C.WEIR_OK {
			return names
		}
		names = append(names, goString(name))
	}
}

// Override sets another amount for a rule, for one key or (nil) for every key without one of its
// own, for so long, in all processes; 0 ends it. Counts are kept.
func (l *Limiter) Override(rule int, key *string, amount uint64, d time.Duration) error {
	text, size := keyOf(key)
	now := l.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_limiter_override(l.c, C.uint32_t(rule), text, size, C.uint64_t(amount),
			milliseconds(d), &now, e)
	})
}

// Close frees the limiter, after its reservations.
func (l *Limiter) Close() {
	if l.c != nil {
		C.weir_limiter_free(l.c)
		l.g.done()
		l.c = nil
	}
}
