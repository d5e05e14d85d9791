package weir

// #include "crossing.h"
import "C"

import (
	"net/http"
	"strings"
	"time"
	"unsafe"
)

// BreakerFailures are kinds of failures that a rule counts, or-ed.
type BreakerFailures uint32

// The kinds of failures.
const (
	OnConnect     BreakerFailures = C.WEIR_BREAKER_ON_CONNECT
	OnTimeout     BreakerFailures = C.WEIR_BREAKER_ON_TIMEOUT
	OnReset       BreakerFailures = C.WEIR_BREAKER_ON_RESET
	OnStreamError BreakerFailures = C.WEIR_BREAKER_ON_STREAM_ERROR
)

// StatusRange is of HTTP statuses, both ends included.
type StatusRange struct{ First, Last uint16 }

// BreakerRule trips when Count failures came within the interval and, with a percentage, were that
// share of all outcomes in it.
type BreakerRule struct {
	Name              string // for people
	Failures          BreakerFailures
	Statuses          []StatusRange
	Count             uint32        // 0 = 1
	Percentage        uint32        // 1 to 100; 0 = any share
	MinSamples        uint32        // with a percentage: of at least so many outcomes; 0 = 20
	TripGrowthPercent uint32        // each successive trip by this rule: 200 doubles; 0 = 100
	Interval          time.Duration // 0 will do for a count of 1
	Trip              time.Duration // open for this long
	TripMax           time.Duration // what trips grow up to; 0 = 1 hour
	IgnoreRetryAfter  bool          // else: open for as long as the backend asked
}

// BreakerRuleSet is what a circuit is judged by.
type BreakerRuleSet struct {
	Rules            []BreakerRule // at most 4; with none the circuit never trips
	Probes           uint32        // requests let through at once while half-open; 0 = 1
	SuccessesToClose uint32        // 0 = 1
	ProbeTimeout     time.Duration // longer than a request may take; 0 = 1 minute
	RetryAfterMin    time.Duration // 0 = 10 ms
	RetryAfterMax    time.Duration // a backend may not ask for more; 0 = 1 hour
	ForgetTrips      time.Duration // closed for so long, trips are short again; 0 = 10 minutes
}

// BreakerOptions; the zero value is usual.
type BreakerOptions struct {
	MaxCircuits int    // 0 = 1024
	Seed        uint64 // without a state: as in StateOptions
	Clock       Clock  // nil = SystemClock
}

// Breaker leaves alone who is throttled or broken. It has one circuit for each key, under one of
// its rule sets. Any number of goroutines may use one.
type Breaker struct {
	c     *C.weir_breaker
	g     *guard
	clock Clock
}

// NewBreaker makes one over a state; nil: over private memory of its own. Options may be nil.
func NewBreaker(state *State, sets []BreakerRuleSet, options *BreakerOptions) (*Breaker, error) {
	if options == nil {
		options = &BreakerOptions{}
	}
	a := &arena{}
	defer a.free()
	first := (*C.weir_breaker_rule_set)(a.alloc(C.size_t(len(sets)) * C.sizeof_weir_breaker_rule_set))
	for i := range sets {
		unsafe.Slice(first, len(sets))[i] = sets[i].inC(a)
	}
	given := C.weir_breaker_options{
		size:         C.sizeof_weir_breaker_options,
		max_circuits: C.uint32_t(options.MaxCircuits),
		seed:         orRandom(options.Seed),
	}
	b := &Breaker{clock: orSystem(options.Clock)}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_breaker_new(state.handle(), first, C.size_t(len(sets)), &given, &b.c, e)
	})
	if err != nil {
		return nil, err
	}
	b.g = watch("Breaker")
	return b, nil
}

func (s *BreakerRuleSet) inC(a *arena) C.weir_breaker_rule_set {
	count := len(s.Rules)
	first := (*C.weir_breaker_rule)(a.alloc(C.size_t(count) * C.sizeof_weir_breaker_rule))
	for i := range s.Rules {
		unsafe.Slice(first, count)[i] = s.Rules[i].inC(a)
	}
	return C.weir_breaker_rule_set{
		size:               C.sizeof_weir_breaker_rule_set,
		probes:             C.uint32_t(s.Probes),
		rules:              first,
		rule_count:         C.size_t(count),
		successes_to_close: C.uint32_t(s.SuccessesToClose),
		probe_timeout_ms:   milliseconds(s.ProbeTimeout),
		retry_after_min_ms: milliseconds(s.RetryAfterMin),
		retry_after_max_ms: milliseconds(s.RetryAfterMax),
		forget_trips_ms:    milliseconds(s.ForgetTrips),
	}
}

func (r *BreakerRule) inC(a *arena) C.weir_breaker_rule {
	count := len(r.Statuses)
	first := (*C.weir_status_range)(a.alloc(C.size_t(count) * C.sizeof_weir_status_range))
	for i, statuses := range r.Statuses {
		unsafe.Slice(first, count)[i] = C.weir_status_range{
			C.uint16_t(statuses.First), C.uint16_t(statuses.Last),
		}
	}
	c := C.weir_breaker_rule{
		size:                C.sizeof_weir_breaker_rule,
		failures:            C.uint32_t(r.Failures),
		statuses:            first,
		status_count:        C.size_t(count),
		count:               C.uint32_t(r.Count),
		percentage:          C.uint32_t(r.Percentage),
		min_samples:         C.uint32_t(r.MinSamples),
		trip_growth_percent: C.uint32_t(r.TripGrowthPercent),
		interval_ms:         milliseconds(r.Interval),
		trip_ms:             milliseconds(r.Trip),
		trip_max_ms:         milliseconds(r.TripMax),
		ignore_retry_after:  boolInt(r.IgnoreRetryAfter),
	}
	c.name, c.name_size = a.text(r.Name)
	return c
}

// Circuit is one key's: a value, good for as long as its breaker.
type Circuit struct{ c C.weir_circuit }

// Circuit finds the one of this key under the rule set of this index; made if there is none.
func (b *Breaker) Circuit(ruleSet int, key string) (Circuit, error) {
	text, size := textOf(key)
	now := b.clock.now()
	circuit := Circuit{C.weir_circuit{size: C.sizeof_weir_circuit}}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_breaker_find(b.c, C.uint32_t(ruleSet), text, size, &now, &circuit.c, e)
	})
	return circuit, err
}

// CircuitState is what a circuit is at.
type CircuitState int32

// The states; an open circuit whose time is over is half-open.
const (
	CircuitClosed   CircuitState = C.WEIR_BREAKER_CLOSED
	CircuitOpen     CircuitState = C.WEIR_BREAKER_OPEN
	CircuitHalfOpen CircuitState = C.WEIR_BREAKER_HALF_OPEN
)

// Permit is the answer to a request that asks to pass, and the ticket to report its outcome with.
type Permit struct {
	Allowed bool
	IsProbe bool // as one of the few while half-open
	State   CircuitState
	// When not allowed: how long it is until it is worth asking again. Half-open: at the latest, since
	// a probe may end at any moment; no time to let a Balancer's member rest for.
	RetryAfter time.Duration
	c          C.weir_permit
}

func permitOf(c C.weir_permit, now C.weir_now) Permit {
	return Permit{
		Allowed:    c.allowed != 0,
		IsProbe:    c.is_probe != 0,
		State:      CircuitState(c.state),
		RetryAfter: until(c.retry_at_mono_ns, now.mono_ns),
		c:          c,
	}
}

// Check tells whether a request would pass now. It takes nothing, and the permit is none to report
// with.
func (b *Breaker) Check(circuit Circuit) (Permit, error) {
	now := b.clock.now()
	permit := C.weir_permit{size: C.sizeof_weir_permit}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_breaker_check(b.c, &circuit.c, &now, &permit, e)
	})
	return permitOf(permit, now), err
}

// Acquire takes the right to send one request. Every allowed permit is to be ended by Record or
// Cancel. A refusal is no error.
func (b *Breaker) Acquire(circuit Circuit) (Permit, error) {
	now := b.clock.now()
	permit := C.weir_permit{size: C.sizeof_weir_permit}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_breaker_acquire(b.c, &circuit.c, &now, &permit, e)
	})
	return permitOf(permit, now), err
}

// OutcomeFailure is how a request failed, if it did.
type OutcomeFailure int32

// The failures of outcomes.
const (
	OutcomeAnswered    OutcomeFailure = C.WEIR_OUTCOME_ANSWERED
	OutcomeConnect     OutcomeFailure = C.WEIR_OUTCOME_CONNECT
	OutcomeTimeout     OutcomeFailure = C.WEIR_OUTCOME_TIMEOUT
	OutcomeReset       OutcomeFailure = C.WEIR_OUTCOME_RESET
	OutcomeStreamError OutcomeFailure = C.WEIR_OUTCOME_STREAM_ERROR
	OutcomeTruncated   OutcomeFailure = C.WEIR_OUTCOME_TRUNCATED
)

// Outcome is what became of a request.
type Outcome struct {
	Status     int // the HTTP status; 0 without one
	Failure    OutcomeFailure
	HasAsked   bool          // the backend asked for …
	RetryAfter time.Duration // … this long, as RetryAfter gave it
}

// BreakerReport is what an outcome did to its circuit.
type BreakerReport struct {
	Tripped bool          // it opened the circuit
	Reset   bool          // it closed it
	Rule    int           // tripped: the index of the rule; else -1
	OpenFor time.Duration // tripped: until it is half-open
}

// Record reports what became of a request. Stale permits are ignored.
func (b *Breaker) Record(permit Permit, outcome Outcome) (BreakerReport, error) {
	now := b.clock.now()
	given := C.weir_outcome{
		size:           C.sizeof_weir_outcome,
		status:         C.int32_t(outcome.Status),
		failure:        C.int32_t(outcome.Failure),
		has_asked:      boolInt(outcome.HasAsked),
		retry_after_ns: C.int64_t(outcome.RetryAfter),
	}
	report := C.weir_breaker_report{size: C.sizeof_weir_breaker_report, rule: -1}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_breaker_record(b.c, &permit.c, &given, &now, &report, e)
	})
	return BreakerReport{
		Tripped: report.tripped != 0,
		Reset:   report.reset != 0,
		Rule:    int(report.rule),
		OpenFor: until(report.open_until_mono_ns, now.mono_ns),
	}, err
}

// Cancel tells that the request ended without saying anything about the backend.
func (b *Breaker) Cancel(permit Permit) error {
	now := b.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_breaker_cancel(b.c, &permit.c, &now, e)
	})
}

// Snapshot is all circuits of the state as a JSON object, for people who look.
func (b *Breaker) Snapshot() ([]byte, error) {
	now := b.clock.now()
	return readText(
		func(t *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_breaker_snapshot_json(b.c, &now, t, capacity, needed, e)
		})
}

// Changes are the changes of state after the one numbered `since`, by all processes, as a JSON
// object; ask with its "last" the next time.
func (b *Breaker) Changes(since uint64) ([]byte, error) {
	return readText(
		func(t *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_breaker_changes_json(b.c, C.uint64_t(since), t, capacity, needed, e)
		})
}

// Close frees the breaker.
func (b *Breaker) Close() {
	if b.c != nil {
		C.weir_breaker_free(b.c)
		b.g.done()
		b.c = nil
	}
}

// In the order of weir_retry_headers.
var retryHeaders = []string{
	"Retry-After", "Retry-After-Ms", "X-Ms-Retry-After-Ms",
	"X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
	"X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens",
}

// RetryAfter is how long a backend asked to be left alone, at most the cap; false when nothing
// usable is said. For answers that failed: healthy ones carry such headers too.
func RetryAfter(header http.Header, cap time.Duration) (time.Duration, bool) {
	p := newPacker()
	defer p.free()
	for _, name := range retryHeaders {
		p.text(strings.Join(header.Values(name), ","))
	}
	mono, unix := Clock(SystemClock).read()
	asked := C.int64_t(-1)
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_retry_after(p.pointer(), mono, unix, C.int64_t(cap), &asked, e)
	})
	return time.Duration(asked), err == nil && asked >= 0
}
