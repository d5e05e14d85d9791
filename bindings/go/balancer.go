package weir

// #include "crossing.h"
import "C"

import (
	"time"
	"unsafe"
)

// Strategy is how a member is chosen among equals.
type Strategy int32

// The strategies; weir_balancing.h tells them at length.
const (
	Weighted     Strategy = C.WEIR_BALANCE_WEIGHTED
	RoundRobin   Strategy = C.WEIR_BALANCE_ROUND_ROBIN
	LeastBusy    Strategy = C.WEIR_BALANCE_LEAST_BUSY
	LeastLatency Strategy = C.WEIR_BALANCE_LEAST_LATENCY
	P2C          Strategy = C.WEIR_BALANCE_P2C
	Hash         Strategy = C.WEIR_BALANCE_HASH
)

// RestReason is why a member rests.
type RestReason int32

// The reasons.
const (
	RestTripped       RestReason = C.WEIR_REST_TRIPPED
	RestOutOfCapacity RestReason = C.WEIR_REST_OUT_OF_CAPACITY
	RestThrottled     RestReason = C.WEIR_REST_THROTTLED
)

// Member is one of a balancer's.
type Member struct {
	Name     string // of which no two are alike
	Priority uint32 // 1 to 1000, lower first; 0 = 1
	Weight   uint32 // 1 to 1000; 0 = 1
}

// NoHoldDown, as BalancerOptions.HoldDown: a tripped tier is used again at once.
const NoHoldDown time.Duration = C.WEIR_NO_HOLD_DOWN

// BalancerOptions; the zero value is usual.
type BalancerOptions struct {
	Strategy         Strategy      // 0 = Weighted
	Seed             uint64        // where sequences start; 0 = a random one
	IDSeed           uint64        // a secret, the same in all processes, that keys member ids
	HoldDown         time.Duration // until a tripped tier is used again; 0 = 10 s; or NoHoldDown
	LatencyDecay     time.Duration // 1/e of a time is left after it; 0 = 10 s
	LoadBoundPercent uint32        // Hash: at most this share of what its weight is due; 0 = 125
	LoadFloor        uint32        // Hash: so many are no reason to go elsewhere; 0 = 4
	Clock            Clock         // nil = SystemClock
}

// Balancer has members in priority tiers; a tier is used only for what those above it cannot take.
// Members are numbered as they were given. Any number of goroutines may use one.
type Balancer struct {
	c     *C.weir_balancer
	g     *guard
	clock Clock
}

// NewBalancer makes one over a state; nil: over private memory of its own. The name names what is
// shared. Options may be nil.
func NewBalancer(
	state *State, name string, members []Member, options *BalancerOptions,
) (*Balancer, error) {
	if options == nil {
		options = &BalancerOptions{}
	}
	a := &arena{}
	defer a.free()
	count := len(members)
	first := (*C.weir_balance_member)(a.alloc(C.size_t(count) * C.sizeof_weir_balance_member))
	for i, member := range members {
		c := &unsafe.Slice(first, count)[i]
		c.size = C.sizeof_weir_balance_member
		c.priority, c.weight = C.uint32_t(member.Priority), C.uint32_t(member.Weight)
		c.name, c.name_size = a.text(member.Name)
	}
	given := C.weir_balancer_options{
		size:               C.sizeof_weir_balancer_options,
		strategy:           C.int32_t(options.Strategy),
		seed:               orRandom(options.Seed),
		id_seed:            C.uint64_t(options.IDSeed),
		hold_down_ms:       milliseconds(options.HoldDown),
		latency_decay_ms:   milliseconds(options.LatencyDecay),
		load_bound_percent: C.uint32_t(options.LoadBoundPercent),
		load_floor:         C.uint32_t(options.LoadFloor),
	}
	text, size := textOf(name)
	b := &Balancer{clock: orSystem(options.Clock)}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_new(state.handle(), text, size, first, C.size_t(count), &given,
			&b.c, e)
	})
	if err != nil {
		return nil, err
	}
	b.g = watch("Balancer")
	return b, nil
}

// Ask is one request's question.
type Ask struct {
	Key       string   // Hash
	Start     bool     // what is picked is under way at once, as Started says
	Refused   []uint16 // members that are nothing for this request
	HasPrefer bool     // stay with Prefer if it is usable and its tier is the one in use
	Prefer    int
	Sticky    bool // … or in any other tier
}

// Pick gives the member that gets the request; -1 when none is usable, and then how long it is
// until the soonest end of a rest (Never: there is none). Ask may be nil.
func (b *Balancer) Pick(ask *Ask) (member int, returnsIn time.Duration, err error) {
	if ask == nil {
		ask = &Ask{}
	}
	key, keySize := textOf(ask.Key)
	var refused *C.uint16_t
	if len(ask.Refused) > 0 {
		refused = (*C.uint16_t)(&ask.Refused[0])
	}
	given := C.weir_balance_ask{
		size:          C.sizeof_weir_balance_ask,
		start:         boolInt(ask.Start),
		key_size:      keySize,
		refused_count: C.size_t(len(ask.Refused)),
		has_prefer:    boolInt(ask.HasPrefer),
		prefer:        C.int32_t(ask.Prefer),
		sticky:        boolInt(ask.Sticky),
	}
	mono, unix := b.clock.read()
	picked, returns := C.int32_t(-1), C.int64_t(0)
	err = try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_balancer_pick(b.c, &given, key, refused, mono, unix, &picked, &returns, e)
	})
	return int(picked), until(returns, mono), err
}

// Unused gives the turn of the last pick back.
func (b *Balancer) Unused(member int) error {
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_unused(b.c, C.int32_t(member), e)
	})
}

// Started tells that a request went to the member.
func (b *Balancer) Started(member int) error {
	now := b.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_started(b.c, C.int32_t(member), &now, e)
	})
}

// FirstToken tells after what time its first token came.
func (b *Balancer) FirstToken(member int, after time.Duration) error {
	now := b.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_first_token(b.c, C.int32_t(member), C.int64_t(after), &now, e)
	})
}

// Finished tells that a request ended; failed: by the member's fault.
func (b *Balancer) Finished(member int, failed bool) error {
	now := b.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_finished(b.c, C.int32_t(member), boolInt(failed), &now, e)
	})
}

// Rest leaves the member alone for so long (Never: until it is woken), unless it rests for longer
// already.
func (b *Balancer) Rest(member int, d time.Duration, why RestReason) error {
	now := b.clock.now()
	until := C.int64_t(Never)
	if d != Never {
		until = now.mono_ns + C.int64_t(d)
	}
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_rest(b.c, C.int32_t(member), until, C.int32_t(why), &now, e)
	})
}

// Wake ends a member's rest.
func (b *Balancer) Wake(member int) error {
	now := b.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_wake(b.c, C.int32_t(member), &now, e)
	})
}

// MemberID is a number for the member that tells nothing about it, for a cookie.
func (b *Balancer) MemberID(member int) (uint64, error) {
	var id C.uint64_t
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_member_id(b.c, C.int32_t(member), &id, e)
	})
	return uint64(id), err
}

// FindMember is the member that has the number. ErrNotFound: none has it.
func (b *Balancer) FindMember(id uint64) (int, error) {
	member := C.int32_t(-1)
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_balancer_find_member(b.c, C.uint64_t(id), &member, e)
	})
	return int(member), err
}

// Report is the members as they stand, as a JSON array.
func (b *Balancer) Report() ([]byte, error) {
	now := b.clock.now()
	return readText(
		func(t *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_balancer_report_json(b.c, &now, t, capacity, needed, e)
		})
}

// Close frees the balancer.
func (b *Balancer) Close() {
	if b.c != nil {
		C.weir_balancer_free(b.c)
		b.g.done()
		b.c = nil
	}
}
