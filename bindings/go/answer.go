package weir

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
)

// answer is the body of an answer that passes: what is read from the backend goes through weir, and
// what weir says goes on. It keeps no bytes of its own: what is pending is the reader's buffer, or
// a view that lasts until the next piece.
type answer struct {
	x       *governed
	attempt *attempt
	body    io.ReadCloser
	header  http.Header // while it can still be edited
	closed  atomic.Bool
	mutex   sync.Mutex // of what follows: Close may come beside a Read
	pending []byte
	read    error // how the backend's body ended, when it has
	ended   bool  // weir has said its last word …
	result  error // … and what Read gives then
}

// relay gives the answer that has begun to the client.
func (x *governed) relay(begun *event, action Action) (*http.Response, error) {
	x.dropAll()
	response := *begun.response
	if action.Status != 0 {
		response.StatusCode = action.Status
	}
	x.txn.EditHeaders(response.Header)
	a := &answer{x: x, attempt: begun.attempt, body: response.Body, header: response.Header}
	if isHeld(response.Header) {
		return a.hold(&response)
	}
	a.header = nil
	response.Body = a
	return x.dress(&response, -1), nil
}

func isHeld(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// hold reads the answer until it is complete, or too large to be held.
func (a *answer) hold(response *http.Response) (*http.Response, error) {
	held := &bytes.Buffer{}
	if length := response.ContentLength; length > 0 && length < maxHeldBytes {
		held.Grow(int(length) + bytes.MinRead)
	}
	switch _, err := io.CopyN(held, a, maxHeldBytes); err {
	case io.EOF:
		response.Body = io.NopCloser(held)
		return a.x.dress(response, int64(held.Len())), nil
	case nil:
		a.header = nil
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(held, a), a}
		return a.x.dress(response, -1), nil
	default:
		a.Close()
		return nil, err
	}
}

// Read implements io.Reader.
func (a *answer) Read(buffer []byte) (int, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if len(buffer) == 0 {
		return 0, nil
	}
	for len(a.pending) == 0 {
		if a.ended {
			a.x.end()
			return 0, a.result
		}
		a.step(buffer)
	}
	given := copy(buffer, a.pending)
	a.pending = a.pending[given:]
	return given, nil
}

// step feeds the next piece, or the end.
func (a *answer) step(buffer []byte) {
	txn := a.x.txn
	switch {
	case a.read == nil:
		var size int
		if size, a.read = a.body.Read(buffer); size > 0 {
			action, err := txn.ResponseBody(buffer[:size])
			a.take(action, err, buffer[:size])
		}
	case a.read == io.EOF:
		action, err := txn.ResponseEnd()
		a.take(action, err, nil)
	case a.x.request.Context().Err() != nil:
		a.finish(a.x.request.Context().Err())
	case a.closed.Load():
		a.finish(http.ErrBodyReadAfterClose)
	default:
		action, err := txn.ResponseFailed(failureOf(a.attempt.within, a.read))
		a.take(action, err, nil)
		if a.result == io.EOF && len(a.pending) == 0 {
			a.result = errCut // must not look complete
		}
	}
}

// take does what came of the last piece.
func (a *answer) take(action Action, err error, fed []byte) {
	if err != nil {
		a.finish(err)
		return
	}
	a.pending = a.x.txn.Relay(fed)
	if a.header != nil {
		a.x.txn.EditHeaders(a.header)
	}
	if action.Kind != ActionContinue {
		a.finish(io.EOF)
	}
}

func (a *answer) finish(result error) {
	a.ended, a.result = true, result
	a.attempt.drop()
	a.body.Close()
}

// Close implements io.Closer.
func (a *answer) Close() error {
	a.closed.Store(true)
	a.attempt.drop() // ends a Read that is under way
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.pending = nil
	a.finish(http.ErrBodyReadAfterClose)
	a.x.end()
	return nil
}
