package weir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Transport is an http.RoundTripper that lets an engine govern the LLM calls that pass through it:
// it may refuse them, let them wait, send them to one backend and then another, and meters the
// answers as they pass. The URL of a request only matters by its path and query: the policy says
// where to send it.
//
// Streams are passed on as they come. Answers that are application/json are held until they are
// complete, up to a mebibyte: so they have a Content-Length and the headers that are known at the
// end. An answer's body must be closed, as ever; closing it, or the end of the request's context,
// in the middle settles the call for what had passed.
//
// What weir itself takes is measured: the metrics have it as weir.overhead.
//
// A request's body is read before it is sent, within the policy's bound. An error of RoundTrip
// means that this gateway could not do its work; a refusal is an answer, and so is "no backend is
// usable".
type Transport struct {
	Engine *Engine
	// Base sends what goes to backends; nil: http.DefaultTransport.
	Base http.RoundTripper
	// Attributes, if not nil, gives a request's free attributes for expressions (attr.<name>).
	Attributes func(*http.Request) map[string]string
	// Embed, if not nil, gives the vector of a text, for a cache whose policy says that the host
	// embeds: the embedder's name, the text. With an error the request goes on without.
	Embed func(ctx context.Context, name string, text []byte) ([]float32, error)
	// Ledger, if not nil, gets a line of each request when all is settled; while it accepts none,
	// requests are answered with 503. What became of lines is for Ledger.Status to say. Close it
	// when the last answer's body is closed.
	Ledger *Ledger
	// Ended, if not nil, is called when all is settled, with what was decided and why (see
	// Transaction.Explain): for logs.
	Ended func(request *http.Request, explanation []byte)
}

const (
	pieceBytes   = 64 << 10 // of a request's body, for each call of weir
	maxHeldBytes = 1 << 20  // of an answer that is no stream
	maxCallBytes = 4 << 20  // of the answer to a CALL
)

var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

var errCut = fmt.Errorf("weir: the backend broke off its answer: %w", io.ErrUnexpectedEOF)

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.Ledger != nil && !t.Ledger.Accepts() {
		return refuse(request), nil
	}
	x, action, err := t.begin(request)
	if err == nil && action.Kind == ActionContinue {
		action, err = x.feedBody()
	}
	if request.Body != nil {
		request.Body.Close()
	}
	var response *http.Response
	if err == nil {
		response, err = x.decide(action)
	}
	if err != nil && x != nil {
		x.end()
	}
	return response, err
}

func (t *Transport) begin(request *http.Request) (*governed, Action, error) {
	client, _, err := net.SplitHostPort(request.RemoteAddr)
	if err != nil {
		client = request.RemoteAddr
	}
	head := &Request{
		Method: request.Method,
		Target: request.URL.RequestURI(),
		Client: client,
		Host:   request.Host,
		Header: request.Header,
	}
	if head.Method == "" {
		head.Method = http.MethodGet
	}
	if t.Attributes != nil {
		head.Attributes = t.Attributes(request)
	}
	begun := time.Now()
	txn, action, err := t.Engine.Begin(head)
	if err != nil {
		return nil, Action{}, err
	}
	return &governed{
		transport: t, request: request, method: head.Method,
		txn:    &timed{txn, time.Since(begun)},
		events: make(chan event),
	}, action, nil
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// governed is one request on its way.
type governed struct {
	transport *Transport
	request   *http.Request
	method    string
	txn       *timed
	underWay  []*attempt // whose answers have not begun
	parallel  bool       // there were several at once
	events    chan event
	once      sync.Once
}

// feedBody feeds the request's body, to its end unless weir refuses it.
func (x *governed) feedBody() (Action, error) {
	if x.request.Body == nil {
		return x.txn.RequestEnd(nil)
	}
	buffer := pieces.Get().(*[pieceBytes]byte)
	defer pieces.Put(buffer)
	for {
		size, err := fill(x.request.Body, buffer[:])
		if errors.Is(err, io.EOF) {
			return x.txn.RequestEnd(buffer[:size])
		}
		if err != nil {
			return Action{}, err
		}
		action, err := x.txn.RequestBody(buffer[:size])
		if err != nil || action.Kind != ActionContinue {
			return action, err
		}
	}
}

// fill reads until the buffer is full or the body ends; unlike io.ReadFull it keeps a body that
// broke off from one that is short.
func fill(body io.Reader, buffer []byte) (size int, err error) {
	for size < len(buffer) && err == nil {
		var read int
		read, err = body.Read(buffer[size:])
		size += read
	}
	if err == io.EOF { // and not what only wraps it
		return size, io.EOF
	}
	if err != nil {
		return size, fmt.Errorf("weir: the request's body: %w", err)
	}
	return size, nil
}

// decide goes on until there is an answer.
func (x *governed) decide(action Action) (*http.Response, error) {
	for {
		wakeMonoNs := action.DeadlineMonoNs
		switch action.Kind {
		case ActionForward:
			if err := x.send(action); err != nil {
				return nil, err
			}
			wakeMonoNs = action.WakeMonoNs
		case ActionReply:
			return x.reply(action), nil
		case ActionCall:
			var err error
			if action, err = x.call(action); err != nil {
				return nil, err
			}
			continue
		case ActionWait:
		default:
			return nil, fmt.Errorf("weir: no answer can come of %q", action.Kind)
		}
		begun, next, err := x.await(wakeMonoNs)
		if err != nil {
			return nil, err
		}
		if begun != nil && next.Kind == ActionContinue {
			return x.relay(begun, next)
		}
		if begun != nil {
			begun.close()
		}
		action = next
	}
}

// reply is the answer that weir gives itself.
func (x *governed) reply(action Action) *http.Response {
	body := append([]byte(nil), x.txn.Body()...)
	response := &http.Response{
		StatusCode: action.Status,
		Header:     http.Header{},
		Body:       io.NopCloser(bytes.NewReader(body)),
	}
	x.txn.EditHeaders(response.Header)
	x.end()
	return x.dress(response, int64(len(body)))
}

// refuse is the answer while there is no room for a line.
func refuse(request *http.Request) *http.Response {
	if request.Body != nil {
		request.Body.Close()
	}
	const body = `{"error":{"message":"the gateway cannot keep its ledger",` +
		`"type":"gateway_error","param":null,"code":null}}`
	x := &governed{request: request, method: request.Method}
	return x.dress(&http.Response{
		StatusCode: http.StatusServiceUnavailable,
		Header:     http.Header{"Content-Type": {"application/json"}, "Retry-After": {"5"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}, int64(len(body)))
}

// dress gives an answer what every answer has.
func (x *governed) dress(response *http.Response, length int64) *http.Response {
	response.Status = fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
	response.Proto, response.ProtoMajor, response.ProtoMinor = "HTTP/1.1", 1, 1
	response.Request = x.request
	response.ContentLength = length
	if length < 0 {
		response.Header.Del("Content-Length")
	} else if x.method != http.MethodHead {
		response.Header.Set("Content-Length", fmt.Sprint(length))
	}
	return response
}

// end settles whatever is still open; only the first call counts.
func (x *governed) end() {
	x.once.Do(func() {
		x.dropAll() // first: nothing more is to be charged for
		defer x.txn.Close()
		t := x.transport
		if (t.Ended == nil && t.Ledger == nil) || x.txn.ClientLeft() != nil {
			return
		}
		if t.Ledger != nil {
			t.Ledger.Append(x.txn.Transaction) // the answer is out: the ledger itself counts what goes wrong
		}
		if t.Ended == nil {
			return
		}
		if explanation, err := x.txn.Explain(); err == nil {
			t.Ended(x.request, explanation)
		}
	})
}
