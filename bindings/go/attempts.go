package weir

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// attempt is a request on its way to a backend.
type attempt struct {
	number  uint32
	within  context.Context // ends at the attempt's deadline
	drop    context.CancelFunc
	dropped bool
}

// event is how an attempt went: an answer began, or there is none.
type event struct {
	attempt  *attempt
	response *http.Response
	err      error
}

func (e *event) close() {
	e.attempt.dropped = true
	e.attempt.drop()
	if e.response != nil {
		e.response.Body.Close()
	}
}

// deadline is a context that ends at a time of weir's.
func (x *governed) deadline(
	parent context.Context, monoNs int64,
) (context.Context, context.CancelFunc) {
	if monoNs == 0 {
		return context.WithCancel(parent)
	}
	return context.WithTimeout(parent, x.transport.Engine.Until(monoNs))
}

// send starts the attempt that a FORWARD asks for. Others go on beside it only if it says so.
func (x *governed) send(action Action) error {
	if !action.Parallel {
		x.dropAll()
	}
	// Two contexts: one that is dropped is not heard of again, one whose time is over is.
	outer, drop := context.WithCancel(x.request.Context())
	within, cancel := x.deadline(outer, action.DeadlineMonoNs)
	header := x.request.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Accept-Encoding", "identity") // a compressed answer hides its usage
	request, err := x.outgoing(within, x.method, header)
	if err != nil {
		cancel()
		drop()
		return err
	}
	a := &attempt{
		number: action.Attempt, within: within, drop: func() { cancel(); drop() },
	}
	x.parallel = x.parallel || action.Parallel
	x.underWay = append(x.underWay, a)
	go func() {
		response, err := x.transport.base().RoundTrip(request)
		e := event{a, response, err}
		select {
		case x.events <- e:
		case <-outer.Done():
			if response != nil {
				response.Body.Close()
			}
		}
	}()
	return nil
}

// outgoing is the request that the last action's views and edits make.
func (x *governed) outgoing(
	ctx context.Context, method string, header http.Header,
) (*http.Request, error) {
	body := append([]byte(nil), x.txn.Body()...) // a view, and the sending outlives it
	request, err := http.NewRequestWithContext(ctx, method, x.txn.URL()+x.txn.Target(),
		bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	x.txn.EditHeaders(header)
	request.Header = header
	return request, nil
}

// await waits until an attempt's answer begins or fails, or until it is time to ask again; then
// weir decides. With an answer that begins the event is given too.
func (x *governed) await(wakeMonoNs int64) (*event, Action, error) {
	var wake <-chan time.Time
	if wakeMonoNs != 0 {
		timer := time.NewTimer(x.transport.Engine.Until(wakeMonoNs))
		defer timer.Stop()
		wake = timer.C
	}
	for {
		select {
		case <-x.request.Context().Done():
			return nil, Action{}, x.request.Context().Err()
		case <-wake:
			action, err := x.txn.Next()
			return nil, action, err
		case e := <-x.events:
			if e.attempt.dropped { // at this very moment
				e.close()
				continue
			}
			action, err := x.feed(&e)
			if e.response == nil {
				return nil, action, err
			}
			if err != nil {
				e.close()
				return nil, action, err
			}
			return &e, action, nil
		}
	}
}

// feed tells weir how an attempt went.
func (x *governed) feed(e *event) (Action, error) {
	x.forget(e.attempt)
	if err := x.request.Context().Err(); err != nil {
		return Action{}, err
	}
	if x.parallel {
		if err := x.txn.ResponseFrom(e.attempt.number); err != nil {
			return Action{}, err
		}
	}
	if e.err != nil {
		e.close()
		return x.txn.ResponseFailed(failureOf(e.attempt.within, e.err))
	}
	return x.txn.ResponseHead(e.response.StatusCode, e.response.Header)
}

func (x *governed) forget(a *attempt) {
	for i, each := range x.underWay {
		if each == a {
			x.underWay = append(x.underWay[:i], x.underWay[i+1:]...)
			return
		}
	}
}

func (x *governed) dropAll() {
	for _, a := range x.underWay {
		a.dropped = true
		a.drop()
	}
	x.underWay = nil
}

func failureOf(within context.Context, err error) Failure {
	var (
		network     *net.OpError
		timeout     net.Error
		record      tls.RecordHeaderError
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		certificate x509.CertificateInvalidError
	)
	switch {
	case errors.Is(within.Err(), context.DeadlineExceeded):
		return FailureTimeout
	case errors.As(err, &network) && network.Op == "dial",
		errors.As(err, &record), errors.As(err, &authority), errors.As(err, &host),
		errors.As(err, &certificate):
		return FailureConnect
	case errors.As(err, &timeout) && timeout.Timeout():
		return FailureTimeout
	}
	return FailureReset
}

// call performs a side request and answers it.
func (x *governed) call(action Action) (Action, error) {
	ctx, cancel := x.deadline(x.request.Context(), action.DeadlineMonoNs)
	defer cancel()
	method := http.MethodPost
	if len(x.txn.Body()) == 0 {
		method = http.MethodGet
	}
	status, body := 0, []byte(nil)
	if x.txn.URL() == "" {
		return x.embed(ctx, action)
	}
	request, err := x.outgoing(ctx, method, http.Header{})
	if err != nil {
		return Action{}, err
	}
	if response, err := x.transport.base().RoundTrip(request); err == nil {
		body, err = io.ReadAll(io.LimitReader(response.Body, maxCallBytes+1))
		response.Body.Close()
		if err == nil && len(body) <= maxCallBytes {
			status = response.StatusCode
		} else {
			body = nil
		}
	}
	if err := x.request.Context().Err(); err != nil {
		return Action{}, err
	}
	return x.txn.CallResult(action.CallID, status, body)
}

// embed answers a CALL without a URL, which asks for the vector of a text.
func (x *governed) embed(ctx context.Context, action Action) (Action, error) {
	var vector []float32
	if x.transport.Embed != nil {
		// A copy: who embeds beyond the deadline still reads it.
		text := append([]byte(nil), x.txn.Body()...)
		given, err := x.transport.Embed(ctx, x.txn.Target(), text)
		if err == nil && ctx.Err() == nil {
			vector = given
		}
	}
	if err := x.request.Context().Err(); err != nil {
		return Action{}, err
	}
	if len(vector) == 0 {
		return x.txn.CallResult(action.CallID, 0, nil)
	}
	return x.txn.CallVector(action.CallID, vector)
}
