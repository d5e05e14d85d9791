package weir

// #include "crossing.h"
import "C"

import (
	"net/http"
	"time"
	"unsafe"
)

// ActionKind is what the host is to do next.
type ActionKind int32

// The actions; weir.h tells them at length.
const (
	ActionContinue ActionKind = C.WEIR_ACTION_CONTINUE // feed more; relay what Relay gives
	ActionForward  ActionKind = C.WEIR_ACTION_FORWARD  // send URL, Target, EditHeaders, Body
	ActionReply    ActionKind = C.WEIR_ACTION_REPLY    // answer the client: Status, headers, Body
	ActionCall     ActionKind = C.WEIR_ACTION_CALL     // a side request; then CallResult
	ActionWait     ActionKind = C.WEIR_ACTION_WAIT     // Next again at the deadline
	ActionFinish   ActionKind = C.WEIR_ACTION_FINISH   // stop the backend, relay, end the answer
	ActionDone     ActionKind = C.WEIR_ACTION_DONE     // relay; the answer is complete
)

var actionNames = map[ActionKind]string{
	ActionContinue: "continue", ActionForward: "forward", ActionReply: "reply",
	ActionCall: "call", ActionWait: "wait", ActionFinish: "finish", ActionDone: "done",
}

func (k ActionKind) String() string {
	if name, known := actionNames[k]; known {
		return name
	}
	return "?"
}

// Action is what was decided. Deadlines are on the clock of Now.MonoNs, 0 is none; Engine.Until
// tells how far away they are.
type Action struct {
	Kind           ActionKind
	Status         int    // REPLY: the HTTP status; CONTINUE after a head: the status to relay
	Attempt        uint32 // FORWARD: 1, 2, …
	CallID         uint64 // CALL
	DeadlineMonoNs int64  // FORWARD, CALL, WAIT
	// FORWARD: call Next at this time if no answer has begun by then, for another attempt beside
	// this one.
	WakeMonoNs int64
	// FORWARD: the attempts under way go on beside this one; say with ResponseFrom whose answer is
	// fed.
	Parallel bool
}

// Failure is how an attempt ended without a (complete) answer.
type Failure int32

// The failures.
const (
	FailureConnect Failure = C.WEIR_FAILURE_CONNECT // no connection, or refused
	FailureTimeout Failure = C.WEIR_FAILURE_TIMEOUT // the attempt's deadline passed
	FailureReset   Failure = C.WEIR_FAILURE_RESET   // broken before the answer was complete
)

// Request is the head of a client's request.
type Request struct {
	Method     string
	Target     string // the path with its query, as received
	Client     string // the client's address, for expressions; may be empty
	Host       string // the header that net/http keeps apart; may be empty
	Header     http.Header
	Attributes map[string]string // for expressions: attr.<name>
}

// Transaction is one client request, from its head to the last byte of its answer. One goroutine at
// a time uses it. Views (Body, Relay) are good until its next call that feeds or decides.
type Transaction struct {
	c     *C.weir_go_txn
	g     *guard
	clock Clock
}

func countValues(header http.Header) (count C.size_t) {
	for _, values := range header {
		count += C.size_t(len(values))
	}
	return count
}

func (p *packer) header(header http.Header) {
	for name, values := range header {
		for _, value := range values {
			p.text(name)
			p.text(value)
		}
	}
}

// Begin begins a transaction with the head of its request. The action is CONTINUE, or REPLY.
func (e *Engine) Begin(request *Request) (*Transaction, Action, error) {
	p := newPacker()
	defer p.free()
	p.text(request.Method)
	p.text(request.Target)
	p.text(request.Client)
	headers := countValues(request.Header)
	if request.Host != "" {
		p.text("Host")
		p.text(request.Host)
		headers++
	}
	p.header(request.Header)
	for name, value := range request.Attributes {
		p.text(name)
		p.text(value)
	}
	mono, unix := e.clock.read()
	record := C.weir_go_begin(e.c, p.pointer(), headers, C.size_t(len(request.Attributes)),
		mono, unix)
	if record == nil {
		return nil, Action{}, &Error{Status: C.WEIR_RESOURCE_EXHAUSTED}
	}
	if record.status != C.WEIR_OK {
		defer C.weir_go_txn_free(record)
		return nil, Action{}, newError(record.status, &record.error)
	}
	t := &Transaction{record, watch("Transaction"), e.clock}
	action, err := t.decided(C.WEIR_OK)
	return t, action, err
}

// decided is what came of a call that fed and decided.
func (t *Transaction) decided(status C.weir_status) (Action, error) {
	if status != C.WEIR_OK {
		return Action{}, newError(status, &t.c.error)
	}
	a := &t.c.action
	return Action{
		Kind:           ActionKind(a.kind),
		Status:         int(a.status),
		Attempt:        uint32(a.attempt),
		CallID:         uint64(a.call_id),
		DeadlineMonoNs: int64(a.deadline_mono_ns),
		WakeMonoNs:     int64(a.wake_mono_ns),
		Parallel:       a.parallel != 0,
	}, nil
}

// RequestBody feeds a piece of the request's body. The action is CONTINUE, or REPLY when the body
// is over the policy's bound.
func (t *Transaction) RequestBody(piece []byte) (Action, error) {
	return t.requestBody(piece, 0)
}

// RequestEnd feeds the last piece of the request's body, which may be empty, or be all of it. The
// action is FORWARD, REPLY, WAIT or CALL.
func (t *Transaction) RequestEnd(piece []byte) (Action, error) {
	return t.requestBody(piece, 1)
}

func (t *Transaction) requestBody(piece []byte, isLast C.int) (Action, error) {
	bytes, size := bytesOf(piece)
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_request_body(t.c, bytes, size, isLast, mono, unix))
}

// ResponseFrom names the attempt that the next calls feed, where several are under way.
func (t *Transaction) ResponseFrom(attempt uint32) error {
	if status := C.weir_go_response_from(t.c, C.uint32_t(attempt)); status != C.WEIR_OK {
		return newError(status, &t.c.error)
	}
	return nil
}

// ResponseHead feeds the head of the backend's answer. If the action is not CONTINUE, the rest of
// this answer is not wanted.
func (t *Transaction) ResponseHead(status int, header http.Header) (Action, error) {
	p := newPacker()
	defer p.free()
	p.header(header)
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_response_head(t.c, C.int32_t(status), p.pointer(),
		countValues(header), mono, unix))
}

// ResponseBody feeds a piece of the answer's body. The action is CONTINUE, FINISH or DONE, and
// Relay gives what goes to the client.
func (t *Transaction) ResponseBody(piece []byte) (Action, error) {
	bytes, size := bytesOf(piece)
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_response_body(t.c, bytes, size, mono, unix))
}

// ResponseEnd tells that the answer is complete, as its framing says.
func (t *Transaction) ResponseEnd() (Action, error) {
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_response_end(t.c, mono, unix))
}

// ResponseFailed tells that the attempt failed, before or in the middle of its answer.
func (t *Transaction) ResponseFailed(failure Failure) (Action, error) {
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_response_failed(t.c, C.int32_t(failure), mono, unix))
}

// CallResult answers a CALL: HTTP status (0: it failed) and body.
func (t *Transaction) CallResult(callID uint64, status int, body []byte) (Action, error) {
	bytes, size := bytesOf(body)
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_call_result(t.c, C.uint64_t(callID), C.int32_t(status), bytes, size,
		mono, unix))
}

// CallVector answers a CALL that asks for a vector (its URL is empty): of the text Body, by the
// embedder that Target names.
func (t *Transaction) CallVector(callID uint64, vector []float32) (Action, error) {
	floats, count := floatsOf(vector)
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_call_vector(t.c, C.uint64_t(callID), floats, count, mono, unix))
}

// Next decides again: after a WAIT, or at the time of Action.WakeMonoNs.
func (t *Transaction) Next() (Action, error) {
	mono, unix := t.clock.read()
	return t.decided(C.weir_go_next(t.c, mono, unix))
}

// ClientLeft settles what is still open, for the text counted so far.
func (t *Transaction) ClientLeft() error {
	mono, unix := t.clock.read()
	if status := C.weir_go_client_left(t.c, mono, unix); status != C.WEIR_OK {
		return newError(status, &t.c.error)
	}
	return nil
}

// URL is, of FORWARD and CALL, scheme, host and port.
func (t *Transaction) URL() string { return goString(t.c.url) }

// Target is, of FORWARD and CALL, the path and query to ask for.
func (t *Transaction) Target() string { return goString(t.c.target) }

// Body is, of FORWARD and CALL, the body to send; of REPLY and FINISH the body for the client. A
// view.
func (t *Transaction) Body() []byte { return viewOf(t.c.body.bytes, t.c.body.size) }

// Relay is what goes to the client when `fed` was fed last: that itself, other bytes, or nothing. A
// view.
func (t *Transaction) Relay(fed []byte) []byte {
	switch {
	case t.c.action.relay == C.WEIR_RELAY_INPUT:
		return fed
	case t.c.action.relay == C.WEIR_RELAY_VIEW, t.c.action.kind == C.WEIR_ACTION_FINISH:
		return t.Body()
	}
	return nil
}

// EditHeaders carries the last action's header edits out: of FORWARD on the client's headers, of
// CONTINUE and DONE on the backend's, of REPLY and CALL on none.
func (t *Transaction) EditHeaders(header http.Header) {
	count := int(t.c.action.header_count)
	if count == 0 {
		return
	}
	for _, edit := range unsafe.Slice(t.c.edits, count) {
		name := http.CanonicalHeaderKey(goString(edit.name))
		switch edit.operation {
		case C.WEIR_HEADER_SET:
			header[name] = []string{goString(edit.value)}
		case C.WEIR_HEADER_REMOVE:
			delete(header, name)
		case C.WEIR_HEADER_ADD:
			header[name] = append(header[name], goString(edit.value))
		}
	}
}

// Explain is what was decided and why, as a JSON object without credentials and prompt texts.
// Complete after REPLY, FINISH, DONE and ClientLeft.
func (t *Transaction) Explain() ([]byte, error) {
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_txn_explain(t.c.txn, b, capacity, needed, e)
		})
}

// LedgerLine is the line of a transaction that has ended, for hosts that keep lines elsewhere than
// in a Ledger: the same, of the same id, whenever it is asked for.
func (t *Transaction) LedgerLine() ([]byte, error) {
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_txn_ledger_line(t.c.txn, b, capacity, needed, e)
		})
}

// AddOverhead tells of time that weir took in this exchange, measured by the host round its calls;
// added up, it becomes one observation of weir.overhead at the end.
func (t *Transaction) AddOverhead(d time.Duration) error {
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_txn_add_overhead(t.c.txn, C.int64_t(d), e)
	})
}

// Close ends the transaction; what is still open is settled.
func (t *Transaction) Close() {
	if t.c != nil {
		C.weir_go_txn_free(t.c)
		t.g.done()
		t.c = nil
	}
}
