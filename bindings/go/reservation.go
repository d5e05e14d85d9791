package weir

// #include "crossing.h"
import "C"

import (
	"sync"
	"time"
)

// Charge is what one rule is asked for.
type Charge struct {
	Rule     int    // index into the rules
	Key      string // of the counter
	Cost     uint64 // must fit; 0 fits unless the counter is in debt
	Headroom uint64 // wanted on top, as much as is left: never a reason to refuse
	// Learned takes the headroom from what this counter's outputs have been, apart for each Model.
	Learned   bool
	Model     string
	Weight    uint32 // of this key's share, 1 to 1000000; 0 = 1
	HasAmount bool   // Amount is for this request, in place of the rule's
	Amount    uint64
}

// Decision is about all charges of a request at once.
type Decision struct {
	Admitted   bool          // booked, all of it; else nothing has changed
	Binding    int           // index of the charge whose rule refuses longest; -1 = none
	TableFull  bool          // no counter for a new key; answered as FullAdmits says
	RetryAfter time.Duration // the longest of those that refuse; Never: waiting does not help
	Verdicts   []Verdict     // of each charge, in their order
}

// Verdict is what one rule answered; also of the rules that did not refuse.
type Verdict struct {
	Rule       int
	Admitted   bool          // this rule alone would admit
	UsedBefore uint64        // booked in the window before this request; of a share: by this key
	Reserved   uint64        // booked for this request
	Amount     uint64        // the rule's; of a bucket its size, of a share this key's share
	Remaining  uint64        // after the decision
	RetryAfter time.Duration // 0 when admitted; Never when the cost can never fit
	Reset      time.Duration // until the counter is empty if nobody takes more; or Never
}

// limitCall is a call's charges and verdicts as C has them.
type limitCall struct {
	texts    packer
	charges  []C.weir_go_charge
	verdicts []C.weir_limit_verdict
}

var limitCalls = sync.Pool{New: func() any { return new(limitCall) }}

func newLimitCall(charges []Charge) *limitCall {
	call := limitCalls.Get().(*limitCall)
	call.texts.bytes = call.texts.bytes[:0]
	call.charges = call.charges[:0]
	for i := range charges {
		call.add(&charges[i])
	}
	call.expect(len(charges))
	return call
}

func (c *limitCall) free() { limitCalls.Put(c) }

func (c *limitCall) add(charge *Charge) {
	c.charges = append(c.charges, C.weir_go_charge{
		rule:       C.uint32_t(charge.Rule),
		weight:     C.uint32_t(charge.Weight),
		cost:       C.uint64_t(charge.Cost),
		headroom:   C.uint64_t(charge.Headroom),
		amount:     C.uint64_t(charge.Amount),
		key_size:   c.texts.raw(charge.Key),
		model_size: c.texts.raw(charge.Model),
		learned:    boolInt(charge.Learned),
		has_amount: boolInt(charge.HasAmount),
	})
}

// expect makes room for verdicts.
func (c *limitCall) expect(count int) {
	if cap(c.verdicts) < count {
		c.verdicts = make([]C.weir_limit_verdict, count)
	}
	c.verdicts = c.verdicts[:count]
}

func (c *limitCall) firstCharge() *C.weir_go_charge {
	if len(c.charges) == 0 {
		return nil
	}
	return &c.charges[0]
}

func (c *limitCall) firstVerdict() *C.weir_limit_verdict {
	if len(c.verdicts) == 0 {
		return nil
	}
	return &c.verdicts[0]
}

func verdictOf(c *C.weir_limit_verdict) Verdict {
	return Verdict{
		Rule:       int(c.rule),
		Admitted:   c.admitted != 0,
		UsedBefore: uint64(c.used_before),
		Reserved:   uint64(c.reserved),
		Amount:     uint64(c.amount),
		Remaining:  uint64(c.remaining),
		RetryAfter: time.Duration(c.retry_after_ns),
		Reset:      time.Duration(c.reset_ns),
	}
}

func (c *limitCall) decision(d *C.weir_limit_decision) Decision {
	verdicts := make([]Verdict, len(c.verdicts))
	for i := range verdicts {
		verdicts[i] = verdictOf(&c.verdicts[i])
	}
	return Decision{
		Admitted:   d.admitted != 0,
		Binding:    int(d.binding),
		TableFull:  d.table_full != 0,
		RetryAfter: time.Duration(d.retry_after_ns),
		Verdicts:   verdicts,
	}
}

// Take decides all charges at once and books them, for good, if all are admitted. A refusal is no
// error. A place of a Concurrency rule that is taken so is free after its lease.
func (l *Limiter) Take(charges ...Charge) (Decision, error) {
	decision, _, err := l.decide(charges, 0)
	return decision, err
}

// Reserve is the same for what is settled later. The reservation is nil when nothing is booked.
func (l *Limiter) Reserve(charges ...Charge) (Decision, *Reservation, error) {
	decision, handle, err := l.decide(charges, 1)
	if handle == nil {
		return decision, nil, err
	}
	return decision, &Reservation{l, handle, watch("Reservation"), len(charges)}, err
}

func (l *Limiter) decide(
	charges []Charge, reserves C.int,
) (Decision, *C.weir_reservation, error) {
	call := newLimitCall(charges)
	defer call.free()
	mono, unix := l.clock.read()
	var result C.weir_go_decision
	err := try(func(e *C.weir_error) C.weir_status {
		result = C.weir_go_decide(l.c, reserves, call.firstCharge(), C.size_t(len(call.charges)),
			call.texts.pointer(), call.firstVerdict(), mono, unix, e)
		return result.status
	})
	if err != nil {
		return Decision{Binding: -1}, nil, err
	}
	return call.decision(&result.decision), result.reservation, nil
}

// Peek is the counter of a charge as it stands, and what it would answer; nothing changes.
func (l *Limiter) Peek(charge Charge) (Verdict, error) {
	call := newLimitCall([]Charge{charge})
	defer call.free()
	mono, unix := l.clock.read()
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_peek(l.c, call.firstCharge(), call.texts.pointer(), call.firstVerdict(),
			mono, unix, e)
	})
	if err != nil {
		return Verdict{}, err
	}
	return verdictOf(call.firstVerdict()), nil
}

// Book books a cost without asking: for costs that are known only afterwards.
func (l *Limiter) Book(charge Charge) error {
	call := newLimitCall([]Charge{charge})
	defer call.free()
	mono, unix := l.clock.read()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_book(l.c, call.firstCharge(), call.texts.pointer(), mono, unix, e)
	})
}

// Reservation is what is booked until it is settled. One goroutine at a time uses it.
type Reservation struct {
	limiter *Limiter
	c       *C.weir_reservation
	g       *guard
	charges int
}

// TopUp books more on top, all or nothing, and renews the leases. There is an amount for each
// charge in the order of Reserve; a charge without one is only renewed.
func (r *Reservation) TopUp(more ...uint64) (Decision, error) {
	call := newLimitCall(nil)
	defer call.free()
	call.expect(r.charges)
	var first *C.uint64_t
	if len(more) > 0 {
		first = (*C.uint64_t)(&more[0])
	}
	mono, unix := r.limiter.clock.read()
	var result C.weir_go_decision
	err := try(func(e *C.weir_error) C.weir_status {
		result = C.weir_go_top_up(r.limiter.c, r.c, first, C.size_t(len(more)),
			call.firstVerdict(), C.size_t(len(call.verdicts)), mono, unix, e)
		return result.status
	})
	if err != nil {
		return Decision{Binding: -1}, err
	}
	return call.decision(&result.decision), nil
}

// Actual is what was really used, of one charge.
type Actual struct {
	Cost         uint64 // the whole real cost, with what was reserved for it
	HeadroomUsed uint64 // the output part of it, which Learned learns from
	Unlearned    bool   // the work failed or broke off, so nothing is to be learned
}

// Settle ends a reservation: less is given back, more is booked, over the amount too. There is an
// Actual for each charge in the order of Reserve; a charge without one stays as it was reserved. Of
// one that has ended already nothing changes.
func (r *Reservation) Settle(actuals ...Actual) error {
	given := make([]C.weir_limit_actual, len(actuals))
	var first *C.weir_limit_actual
	for i, actual := range actuals {
		given[i] = C.weir_limit_actual{
			size:          C.sizeof_weir_limit_actual,
			unlearned:     boolInt(actual.Unlearned),
			cost:          C.uint64_t(actual.Cost),
			headroom_used: C.uint64_t(actual.HeadroomUsed),
		}
		first = &given[0]
	}
	now := r.limiter.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_limiter_settle(r.limiter.c, r.c, first, C.size_t(len(given)), &now, e)
	})
}

// Release ends a reservation as if it had never been.
func (r *Reservation) Release() error {
	now := r.limiter.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_limiter_release(r.limiter.c, r.c, &now, e)
	})
}

// Close frees the reservation, before its limiter. One that has not ended is released.
func (r *Reservation) Close() {
	if r.c != nil {
		C.weir_reservation_free(r.c)
		r.g.done()
		r.c = nil
	}
}
