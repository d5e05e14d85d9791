package weir

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// event lets one event of a transcript happen, and compares what it expects.
func (p *player) event(event object) {
	p.tick(event)
	p.last = orDefault(event["txn"], p.last)
	words("event", event, "at_ms after_retry_ms txn request response more failed call again "+
		"expect free reload metrics status explain about")
	if policy, given := event["reload"]; given {
		p.policy(policy)
	}
	x := p.subject(event)
	if x != nil {
		p.act(x, event)
	}
	p.expectWritten(x, event)
	if x != nil && parse[bool](event["free"]) {
		x.txn.Close()
	}
}

// tick sets the clock: to at_ms, or so long after the time that the last refusal named.
func (p *player) tick(event object) {
	at := orDefault(event["at_ms"], p.atMs)
	if after, given := event["after_retry_ms"]; given {
		x := p.find(p.last)
		if x == nil || x.answerHeaders.Get("retry-after-ms") == "" {
			faultf("the last answer has no retry-after-ms")
		}
		retry, err := strconv.ParseInt(x.answerHeaders.Get("retry-after-ms"), 10, 64)
		check(err, "retry-after-ms")
		at = x.repliedAtMs + retry + parse[int64](after)
	}
	if at < p.atMs {
		faultf("time goes backward")
	}
	p.atMs = at
}

// subject is the transaction that an event speaks of, begun if it is a request; nil for events that
// need none.
func (p *player) subject(event object) *exchange {
	if request, given := event["request"]; given {
		return p.request(p.last, parse[object](request))
	}
	x := p.find(p.last)
	if x != nil && x.txn.c != nil {
		return x
	}
	_, metrics := event["metrics"]
	_, status := event["status"]
	_, reload := event["reload"]
	if !metrics && !status && !reload {
		faultf("no transaction %q", p.last)
	}
	return nil
}

func (p *player) act(x *exchange, event object) {
	if response, given := event["response"]; given {
		p.response(x, parse[object](response))
	}
	if more, given := event["more"]; given {
		p.more(x, parse[object](more))
	}
	if failure, given := event["failed"]; given {
		p.failed(x, parse[string](failure))
	}
	if call, given := event["call"]; given {
		p.call(x, parse[object](call))
	}
	if parse[bool](event["again"]) {
		action, err := x.txn.Next()
		p.perform(x, action, err, nil)
	}
	if expected, given := event["expect"]; given {
		p.expect(x, parse[object](expected))
	}
}

func (p *player) expect(x *exchange, expected object) {
	words("expect", expected, "action attempt deadline_ms backend client")
	if action := parse[string](expected["action"]); action != "" &&
		action != x.action.Kind.String() {
		faultf("%s is not %s; status %d, answer so far: %.600s",
			x.action.Kind, action, x.status, x.answer)
	}
	expectValue("attempt", float64(x.action.Attempt), expected["attempt"])
	var deadline any = absent{}
	if x.action.DeadlineMonoNs != 0 {
		deadline = float64(x.action.DeadlineMonoNs-p.now().MonoNs) / 1e6
	}
	expectValue("deadline_ms", deadline, expected["deadline_ms"])
	if backend := parse[object](expected["backend"]); backend != nil {
		words("backend", backend, "url target headers body body_text contains lacks")
		expectValue("url", x.url, backend["url"])
		expectValue("target", x.target, backend["target"])
		expectMessage("backend", x.backendHeaders, x.backendBody, backend)
	}
	if client := parse[object](expected["client"]); client != nil {
		words("client", client, "status headers body body_text contains lacks")
		expectValue("status", float64(x.status), client["status"])
		expectMessage("client", x.answerHeaders, x.answer, client)
	}
}

func expectValue(what string, actual any, expected json.RawMessage) {
	if expected == nil {
		return
	}
	if why := match(actual, parse[any](expected)); why != "" {
		faultf("%s", at(what, why))
	}
}

func expectJSON(what string, actual []byte, expected json.RawMessage) {
	if expected == nil {
		return
	}
	var value any
	if err := json.Unmarshal(actual, &value); err != nil {
		faultf("%s: not JSON (%v): %.300s", what, err, actual)
	}
	expectValue(what, value, expected)
}

func expectPieces(what string, actual []byte, expected object) {
	for _, piece := range parse[[]string](expected["contains"]) {
		if !strings.Contains(string(actual), piece) {
			faultf("%s does not contain %q: %.600s", what, piece, actual)
		}
	}
	for _, piece := range parse[[]string](expected["lacks"]) {
		if strings.Contains(string(actual), piece) {
			faultf("%s contains %q: %.600s", what, piece, actual)
		}
	}
}

// expectMessage compares what went to one side: headers and body.
func expectMessage(what string, headers http.Header, body []byte, expected object) {
	for name, value := range parse[map[string]any](expected["headers"]) {
		var actual any = absent{}
		if values := headers.Values(name); len(values) > 0 {
			actual = values[0]
		}
		if why := match(actual, value); why != "" {
			faultf("%s header %s: %s", what, name, why)
		}
	}
	place := what + " body"
	expectJSON(place, body, expected["body"])
	expectPieces(place, body, expected)
	expectValue(place, string(body), expected["body_text"])
}

// expectWritten compares the texts that weir writes for people.
func (p *player) expectWritten(x *exchange, event object) {
	if expected, given := event["metrics"]; given {
		metrics, err := p.engine.Metrics()
		check(err, "Metrics")
		words("metrics", parse[object](expected), "contains lacks")
		expectPieces("metrics", metrics, parse[object](expected))
		p.noSecrets("metrics", string(metrics))
	}
	if expected, given := event["status"]; given {
		status, err := p.engine.Status()
		check(err, "Status")
		expectJSON("status", status, expected)
	}
	if expected, given := event["explain"]; given && x != nil {
		explained, err := x.txn.Explain()
		check(err, "Explain")
		expectJSON("explain", explained, expected)
		p.noSecrets("explain", string(explained))
	}
}

// noSecrets: no text for people holds a secret or a client's credential.
func (p *player) noSecrets(what, text string) {
	for _, name := range sortedKeys(p.secrets) {
		if strings.Contains(text, p.secrets[name]) {
			faultf("%s holds the secret %s", what, name)
		}
	}
	for _, x := range p.exchanges {
		bearer := strings.TrimPrefix(x.clientHeaders.Get("authorization"), "Bearer ")
		for _, key := range []string{bearer, x.clientHeaders.Get("api-key")} {
			if key != "" && strings.Contains(text, key) {
				faultf("%s holds a client's credential", what)
			}
		}
	}
}
