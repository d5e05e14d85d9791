package weir

import (
	"net/http"
	"time"
)

// timed is a Transaction whose calls are measured, for weir.overhead. What it took is told before
// an answer begins and at the end, so that the stages can be told apart.
type timed struct {
	*Transaction
	took time.Duration
}

func (t *timed) since(begin time.Time) { t.took += time.Since(begin) }

// tell cannot fail: what was measured is no less than nothing.
func (t *timed) tell() {
	t.Transaction.AddOverhead(t.took)
	t.took = 0
}

func (t *timed) RequestBody(piece []byte) (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.RequestBody(piece)
}

func (t *timed) RequestEnd(piece []byte) (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.RequestEnd(piece)
}

func (t *timed) ResponseHead(status int, header http.Header) (Action, error) {
	t.tell()
	defer t.since(time.Now())
	return t.Transaction.ResponseHead(status, header)
}

func (t *timed) ResponseBody(piece []byte) (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.ResponseBody(piece)
}

func (t *timed) ResponseEnd() (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.ResponseEnd()
}

func (t *timed) ResponseFailed(failure Failure) (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.ResponseFailed(failure)
}

func (t *timed) CallResult(callID uint64, status int, body []byte) (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.CallResult(callID, status, body)
}

func (t *timed) CallVector(callID uint64, vector []float32) (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.CallVector(callID, vector)
}

func (t *timed) Next() (Action, error) {
	defer t.since(time.Now())
	return t.Transaction.Next()
}

func (t *timed) Close() {
	t.tell()
	t.Transaction.Close()
}
