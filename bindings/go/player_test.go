package weir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

type object = map[string]json.RawMessage

// exchange is one transaction as the host sees it: the last action, what the backend is sent by the
// last FORWARD or CALL, and what the client has been given so far.
type exchange struct {
	name           string
	txn            *Transaction
	action         Action
	callID         uint64 // of the last CALL
	clientHeaders  http.Header
	url, target    string
	backendBody    []byte
	backendHeaders http.Header
	status         int
	repliedAtMs    int64 // REPLY: when
	answerHeaders  http.Header
	answer         []byte
}

// player is what every host does with weir, without a network: feed events, perform actions.
type player struct {
	cut       int
	engine    *Engine
	atMs      int64
	exchanges []*exchange
	secrets   map[string]string
	last      string // the transaction last spoken of
}

// fault is the first thing that went wrong; play tells it.
type fault string

func faultf(format string, arguments ...any) { panic(fault(fmt.Sprintf(format, arguments...))) }

func check(err error, call string) {
	if err != nil {
		faultf("%s: %v", call, err)
	}
}

// 2026-01-01T00:00:00Z at 0 ms; the monotonic clock began some time before.
func (p *player) now() Now {
	return Now{(p.atMs + 1000000) * 1000000, (1767225600000 + p.atMs) * 1000000}
}

// play plays a transcript; what was wrong, or the empty text.
func play(path string, cut int) (told string) {
	p := &player{cut: cut, last: "a"}
	event := 0
	defer p.close()
	defer func() {
		if wrong := recover(); wrong != nil {
			what, is := wrong.(fault)
			if !is {
				panic(wrong)
			}
			told = fmt.Sprintf("%s: event %d (at %d ms, %q, cut %d): %s",
				path, event, p.atMs, p.last, cut, what)
		}
	}()
	text, err := os.ReadFile(path)
	check(err, "read")
	transcript := parse[object](text)
	words("transcript", transcript, "about policy secrets events")
	p.secrets = parse[map[string]string](transcript["secrets"])
	p.policy(transcript["policy"])
	events := parse[[]object](transcript["events"])
	if len(events) == 0 {
		faultf("no events")
	}
	for i, each := range events {
		event = i + 1
		p.event(each)
	}
	return ""
}

// parse reads JSON; what there is not is the zero value.
func parse[T any](text json.RawMessage) (value T) {
	if text != nil {
		check(json.Unmarshal(text, &value), "JSON")
	}
	return value
}

func orDefault[T any](text json.RawMessage, value T) T {
	if text == nil {
		return value
	}
	return parse[T](text)
}

func (p *player) close() {
	for _, x := range p.exchanges {
		x.txn.Close()
	}
	if p.engine != nil {
		p.engine.Close()
	}
}

// policy makes the engine, or reloads it when there is one.
func (p *player) policy(document json.RawMessage) {
	policy, err := ParsePolicy(string(document))
	check(err, "ParsePolicy")
	defer policy.Close()
	for i, secret := range policy.Secrets() {
		if value, given := p.secrets[secret.Name]; given {
			check(policy.SetSecret(i, value), "SetSecret")
		}
	}
	if p.engine != nil {
		check(p.engine.Reload(policy), "Reload")
		return
	}
	p.engine, err = NewEngine(policy, &EngineOptions{Seed: 1, Clock: p.now})
	check(err, "NewEngine")
}

func (p *player) find(name string) *exchange {
	for i := len(p.exchanges) - 1; i >= 0; i-- {
		if p.exchanges[i].name == name {
			return p.exchanges[i]
		}
	}
	return nil
}

// perform does what the last call decided; `fed` are the bytes just fed, if any.
func (p *player) perform(x *exchange, action Action, err error, fed []byte) ActionKind {
	check(err, "next")
	x.action = action
	switch action.Kind {
	case ActionForward:
		x.url, x.target = x.txn.URL(), x.txn.Target()
		x.backendBody = append([]byte(nil), x.txn.Body()...)
		x.backendHeaders = x.clientHeaders.Clone()
		x.txn.EditHeaders(x.backendHeaders)
	case ActionCall: // weir's own: nothing of the client's goes with it
		x.url, x.target = x.txn.URL(), x.txn.Target()
		x.backendBody = append([]byte(nil), x.txn.Body()...)
		x.backendHeaders = http.Header{}
		x.callID = action.CallID
		x.txn.EditHeaders(x.backendHeaders)
	case ActionReply:
		x.status, x.repliedAtMs = action.Status, p.atMs
		x.answerHeaders = http.Header{}
		x.txn.EditHeaders(x.answerHeaders)
		x.answer = append([]byte(nil), x.txn.Body()...)
	case ActionContinue, ActionFinish, ActionDone:
		x.answer = append(x.answer, x.txn.Relay(fed)...)
	}
	return action.Kind
}

// bodyOf is a body given as JSON ("body") or text ("body_text").
func bodyOf(message object) []byte {
	if value, given := message["body"]; given {
		var compact bytes.Buffer
		check(json.Compact(&compact, value), "body")
		return compact.Bytes()
	}
	return []byte(parse[string](message["body_text"]))
}

func headersOf(pairs json.RawMessage) http.Header {
	headers := http.Header{}
	for name, values := range parse[object](pairs) {
		if bytes.HasPrefix(values, []byte("[")) {
			for _, value := range parse[[]string](values) {
				headers.Add(name, value)
			}
		} else {
			headers.Add(name, parse[string](values))
		}
	}
	return headers
}

// pieces are a body as it is fed.
func (p *player) pieces(body []byte) (pieces [][]byte) {
	for p.cut != 0 && len(body) > p.cut {
		pieces, body = append(pieces, body[:p.cut]), body[p.cut:]
	}
	if len(body) != 0 {
		pieces = append(pieces, body)
	}
	return pieces
}

func (p *player) request(name string, request object) *exchange {
	x := &exchange{name: name, clientHeaders: headersOf(request["headers"])}
	txn, action, err := p.engine.Begin(&Request{
		Method:     orDefault(request["method"], "POST"),
		Target:     orDefault(request["target"], "/v1/chat/completions"),
		Client:     orDefault(request["client"], "192.0.2.1"),
		Header:     x.clientHeaders,
		Attributes: parse[map[string]string](request["attributes"]),
	})
	check(err, "Begin")
	x.txn = txn
	p.exchanges = append(p.exchanges, x)
	if p.perform(x, action, nil, nil) != ActionContinue {
		return x
	}
	for _, piece := range p.pieces(bodyOf(request)) {
		action, err := x.txn.RequestBody(piece)
		if p.perform(x, action, err, nil) != ActionContinue {
			return x
		}
	}
	action, err = x.txn.RequestEnd(nil)
	p.perform(x, action, err, nil)
	return x
}

// feed passes answer bytes on; false when the answer is over.
func (p *player) feed(x *exchange, body []byte) bool {
	for _, piece := range p.pieces(body) {
		action, err := x.txn.ResponseBody(piece)
		if p.perform(x, action, err, piece) != ActionContinue {
			return false
		}
	}
	return true
}

func (p *player) more(x *exchange, more object) {
	for _, chunk := range parse[[]string](more["chunks"]) {
		if !p.feed(x, []byte(chunk)) {
			return
		}
	}
	if orDefault(more["end"], true) {
		action, err := x.txn.ResponseEnd()
		p.perform(x, action, err, nil)
	}
}

func (p *player) response(x *exchange, response object) {
	given := headersOf(response["headers"])
	action, err := x.txn.ResponseHead(orDefault(response["status"], 200), given)
	if p.perform(x, action, err, nil) != ActionContinue {
		return
	}
	x.status = action.Status
	x.answerHeaders = given
	x.txn.EditHeaders(given)
	if p.feed(x, bodyOf(response)) {
		p.more(x, response)
	}
}

func (p *player) failed(x *exchange, failure string) {
	kinds := map[string]Failure{
		"connect": FailureConnect, "timeout": FailureTimeout, "reset": FailureReset,
	}
	action, err := x.txn.ResponseFailed(kinds[failure])
	p.perform(x, action, err, nil)
}

func (p *player) call(x *exchange, call object) {
	action, err := x.txn.CallResult(x.callID, orDefault(call["status"], 200), bodyOf(call))
	p.perform(x, action, err, nil)
}

// words makes sure that a misspelt word does not pass unread.
func words(what string, given object, known string) {
	for _, word := range sortedKeys(given) {
		if !strings.Contains(" "+known+" ", " "+word+" ") {
			faultf("%s: no word %q", what, word)
		}
	}
}
