package weir

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// manual is a clock for tests.
type manual struct{ at time.Duration }

func (m *manual) clock() Now {
	return Now{int64(m.at + time.Hour), int64(m.at) + 1767225600e9}
}

func TestCounting(t *testing.T) {
	if count := must(CountTokens("gpt-4o", "hello world"))(t); count != 2 {
		t.Error(count)
	}
	_, err := CountTokens("no-such-model-at-all", "hello")
	isError(t, err, ErrNotFound)
	tokenizer := must(FindTokenizer("cl100k_base"))(t)
	defer tokenizer.Close()
	const text = "The gate lets through what the stream below can carry: \u4f60\u597d <|endoftext|>"
	ids := must(tokenizer.Encode(text))(t)
	if count := must(tokenizer.Count(text))(t); count != len(ids) || count == 0 {
		t.Errorf("%d tokens, %d ids", count, len(ids))
	}
	if count := must(tokenizer.CountUpTo(text, 3))(t); count <= 3 {
		t.Error(count)
	}
	if decoded := must(tokenizer.Decode(ids))(t); string(decoded) != text {
		t.Errorf("%q", decoded)
	}
	if special := must(tokenizer.EncodeWithSpecials(text))(t); len(special) >= len(ids) {
		t.Errorf("%d ids with specials, %d without", len(special), len(ids))
	}
	split := must(tokenizer.Split(text, 5))(t)
	if count := must(tokenizer.Count(text[:split]))(t); split == 0 || count > 5 {
		t.Errorf("%d bytes are %d tokens", split, count)
	}
	if none := must(tokenizer.Encode(""))(t); len(none) != 0 {
		t.Error(none)
	}
	if name := tokenizer.Name(); name != "cl100k_base" {
		t.Error(name)
	}
	if names := strings.Join(Encodings(), " "); !strings.Contains(names, "o200k_base") {
		t.Error(names)
	}
	if name := must(EncodingForModel("prod-gpt-4o-eu"))(t); name != "o200k_base" {
		t.Error(name)
	}
}

func TestCountingOfPieces(t *testing.T) {
	noLeaks(t)
	tokenizer := must(FindTokenizer("gpt-4o"))(t)
	text := strings.Repeat("Counted in whatever pieces it comes. ", 50)
	counter := must(tokenizer.NewCounter())(t)
	defer counter.Close()
	if _, err := io.Copy(counter, iotest.OneByteReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	whole := must(tokenizer.Count(text))(t)
	if total := must(counter.Total())(t); total != whole {
		t.Errorf("%d in pieces, %d whole", total, whole)
	}
}

func TestLoadedTokenizer(t *testing.T) {
	noLeaks(t)
	_, err := LoadTokenizer("mine", []byte("no tokenizer"), "")
	isError(t, err, ErrInvalidArgument)
	var ranks bytes.Buffer
	for i := 0; i < 256; i++ {
		rank := base64.StdEncoding.EncodeToString([]byte{byte(i)})
		fmt.Fprintf(&ranks, "%s %d\n", rank, i)
	}
	mine := must(LoadTokenizer("mine", ranks.Bytes(), "cl100k_base"))(t)
	defer mine.Close()
	if count := must(mine.Count("four"))(t); count != 4 || mine.Name() != "mine" {
		t.Errorf("%s counts %d", mine.Name(), count)
	}
}

func TestCountingOfRequests(t *testing.T) {
	count := must(CountRequest([]byte(prompt), nil))(t)
	if count.PromptTokens < 8 || count.Dialect != DialectOpenAI || !count.ModelKnown ||
		count.Operation != OperationChat || count.Provenance.String() != "exact" {
		t.Errorf("%+v", count)
	}
	other := must(CountRequest([]byte(prompt), &RequestOptions{
		Target: "/v1/chat/completions", Model: "unheard-of",
	}))(t)
	if other.ModelKnown || other.IsGuess || other.Provenance != ProvenanceEstimated {
		t.Errorf("%+v", other)
	}
	parts := must(CountRequestParts([]byte(prompt), nil))(t)
	if !strings.Contains(string(parts), `"path":"messages[0]"`) {
		t.Errorf("%s", parts)
	}
	_, err := CountRequest([]byte("{\n  \"model\" 1}"), nil)
	if e := isError(t, err, ErrInvalidArgument); e.Line != 2 || e.Column == 0 {
		t.Errorf("%+v", e)
	}
}

const usageChunk = `data: {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o", ` +
	`"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}}` +
	"\n\n"

func TestStreamMeterReader(t *testing.T) {
	noLeaks(t)
	const body = chunk + chunk + usageChunk + done
	for _, strip := range []bool{false, true} {
		for _, each := range []func(io.Reader) io.Reader{
			iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		} {
			meter := must(NewStreamMeter(&StreamMeterOptions{
				Tokenizer: must(FindTokenizer("gpt-4o"))(t), StripUsage: strip,
			}))(t)
			defer meter.Close()
			passed, err := io.ReadAll(meter.Reader(each(strings.NewReader(body))))
			want := body
			if strip {
				want = chunk + chunk + done
			}
			if err != nil || string(passed) != want {
				t.Errorf("%q %v", passed, err)
			}
			usage := must(meter.Usage())(t)
			if usage.CompletionTokens != 3 || usage.StatedPrompt != 10 || !usage.IsComplete ||
				usage.StatedCached != -1 || usage.Provenance != ProvenanceProvider {
				t.Errorf("%+v", usage)
			}
		}
	}
}

func TestStreamMeterOfABrokenBody(t *testing.T) {
	meter := must(NewStreamMeter(nil))(t)
	defer meter.Close()
	body := io.MultiReader(strings.NewReader(chunk), brokenReader{})
	passed, err := io.ReadAll(meter.Reader(body))
	if string(passed) != chunk || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q %v", passed, err)
	}
	usage := must(meter.Usage())(t)
	if usage.CompletionTokens == 0 || usage.IsComplete {
		t.Errorf("%+v", usage)
	}
	_, err = meter.Feed([]byte(chunk))
	isError(t, err, ErrFailedPrecondition)
}

func TestLimiter(t *testing.T) {
	noLeaks(t)
	now := &manual{}
	limiter := must(NewLimiter(nil, []LimitRule{
		{Name: "tokens", Amount: 100, Window: time.Minute},
		{Name: "requests", Amount: 3, Algorithm: Calendar, Period: PeriodDay,
			TimeZone: "Europe/Berlin"},
	}, &LimiterOptions{Clock: now.clock}))(t)
	defer limiter.Close()
	both := []Charge{{Rule: 0, Key: "red", Cost: 40}, {Rule: 1, Key: "red", Cost: 1}}
	decision, reservation, err := limiter.Reserve(both...)
	if err != nil || !decision.Admitted || decision.Binding != -1 || reservation == nil {
		t.Fatalf("%+v %v", decision, err)
	}
	defer reservation.Close()
	if v := decision.Verdicts[0]; v.Reserved != 40 || v.Remaining != 60 || v.Amount != 100 {
		t.Errorf("%+v", v)
	}
	if more, err := reservation.TopUp(20); err != nil || !more.Admitted {
		t.Errorf("%+v %v", more, err)
	}
	refused, none, err := limiter.Reserve(Charge{Key: "red", Cost: 41})
	if err != nil || refused.Admitted || none != nil || refused.Binding != 0 ||
		refused.RetryAfter <= 0 || refused.RetryAfter > 2*time.Minute {
		t.Errorf("%+v %v", refused, err)
	}
	if err := reservation.Settle(Actual{Cost: 10}); err != nil {
		t.Error(err)
	}
	if v := must(limiter.Peek(both[0]))(t); v.UsedBefore != 10 {
		t.Errorf("%+v", v)
	}
	if err := limiter.Book(Charge{Rule: 0, Key: "red", Cost: 200}); err != nil {
		t.Error(err)
	}
	if taken := must(limiter.Take(Charge{Key: "red", Cost: 1}))(t); taken.Admitted {
		t.Errorf("%+v", taken)
	}
	if never := must(limiter.Take(Charge{Key: "red", Cost: 101}))(t); never.RetryAfter != Never {
		t.Errorf("%+v", never)
	}
	_, err = limiter.Take(Charge{Rule: 7, Key: "red", Cost: 1})
	isError(t, err, ErrInvalidArgument)
}

func TestLimiterOverridesAndReleases(t *testing.T) {
	limiter := must(NewLimiter(nil, []LimitRule{
		{Name: "r", Amount: 10, Window: time.Minute, Lease: 0},
	}, nil))(t)
	defer limiter.Close()
	red := "red"
	if err := limiter.Override(0, &red, 0, time.Hour); err != nil {
		t.Fatal(err)
	}
	if d := must(limiter.Take(Charge{Key: "red", Cost: 1}))(t); d.Admitted {
		t.Errorf("%+v", d)
	}
	_, reservation, err := limiter.Reserve(Charge{Key: "blue", Cost: 10})
	if err != nil || reservation.Release() != nil {
		t.Fatal(err)
	}
	reservation.Close()
	many := make([]Charge, 40)
	for i := range many {
		many[i] = Charge{Key: strings.Repeat("k", i), Cost: 10}
	}
	if d := must(limiter.Take(many...))(t); !d.Admitted || len(d.Verdicts) != 40 {
		t.Errorf("%+v", d)
	}
	if names := limiter.Restarted(); len(names) != 0 {
		t.Error(names)
	}
}

func TestBreaker(t *testing.T) {
	noLeaks(t)
	now := &manual{}
	breaker := must(NewBreaker(nil, []BreakerRuleSet{{Rules: []BreakerRule{{
		Name: "failing", Failures: OnConnect | OnTimeout, Statuses: []StatusRange{{500, 599}},
		Count: 2, Interval: 10 * time.Second, Trip: 5 * time.Second,
	}}}}, &BreakerOptions{Clock: now.clock}))(t)
	defer breaker.Close()
	circuit := must(breaker.Circuit(0, "east"))(t)
	var report BreakerReport
	for _, outcome := range []Outcome{{Status: 503}, {Failure: OutcomeConnect}} {
		permit := must(breaker.Acquire(circuit))(t)
		if !permit.Allowed || permit.State != CircuitClosed {
			t.Errorf("%+v", permit)
		}
		report = must(breaker.Record(permit, outcome))(t)
	}
	if !report.Tripped || report.Rule != 0 || report.OpenFor != 5*time.Second {
		t.Errorf("%+v", report)
	}
	refused := must(breaker.Check(circuit))(t)
	if refused.Allowed || refused.State != CircuitOpen || refused.RetryAfter != 5*time.Second {
		t.Errorf("%+v", refused)
	}
	now.at += 5 * time.Second
	probe := must(breaker.Acquire(circuit))(t)
	if !probe.Allowed || !probe.IsProbe || probe.State != CircuitHalfOpen {
		t.Errorf("%+v", probe)
	}
	if err := breaker.Cancel(probe); err != nil {
		t.Error(err)
	}
	probe = must(breaker.Acquire(circuit))(t)
	if report := must(breaker.Record(probe, Outcome{Status: 200}))(t); !report.Reset {
		t.Errorf("%+v", report)
	}
	snapshot := string(must(breaker.Snapshot())(t))
	changes := string(must(breaker.Changes(0))(t))
	if !strings.Contains(snapshot, `"east"`) || !strings.Contains(changes, `"half_opened"`) {
		t.Errorf("%s\n%s", snapshot, changes)
	}
	_, err := breaker.Circuit(3, "east")
	isError(t, err, ErrInvalidArgument)
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "1m30s": 90 * time.Second, "9999": time.Hour, "soon": -1, "": -1,
	} {
		asked, said := RetryAfter(http.Header{"Retry-After": {value}}, time.Hour)
		if said != (want >= 0) || (said && asked != want) {
			t.Errorf("%q: %v %v", value, asked, said)
		}
	}
}

func TestBalancer(t *testing.T) {
	noLeaks(t)
	now := &manual{}
	balancer := must(NewBalancer(nil, "pool", []Member{
		{Name: "ptu", Priority: 1, Weight: 3}, {Name: "payg", Priority: 2},
	}, &BalancerOptions{Clock: now.clock, IDSeed: 5}))(t)
	defer balancer.Close()
	pick := func(ask *Ask) (int, time.Duration) {
		t.Helper()
		member, returns, err := balancer.Pick(ask)
		if err != nil {
			t.Fatal(err)
		}
		return member, returns
	}
	if member, _ := pick(nil); member != 0 {
		t.Error(member)
	}
	if member, _ := pick(&Ask{Refused: []uint16{0}}); member != 1 {
		t.Error(member)
	}
	for i, err := range []error{
		balancer.Unused(0), balancer.Started(0), balancer.FirstToken(0, time.Second),
		balancer.Finished(0, false), balancer.Rest(0, 4*time.Second, RestThrottled),
		balancer.Rest(1, Never, RestTripped),
	} {
		if err != nil {
			t.Error(i, err)
		}
	}
	if member, returns := pick(&Ask{Key: "k", HasPrefer: true}); member != -1 ||
		returns != 4*time.Second {
		t.Error(member, returns)
	}
	if err := balancer.Wake(1); err != nil {
		t.Error(err)
	}
	if member, returns := pick(nil); member != 1 || returns != 0 {
		t.Error(member, returns)
	}
	id := must(balancer.MemberID(1))(t)
	if found := must(balancer.FindMember(id))(t); found != 1 {
		t.Error(found)
	}
	_, err := balancer.FindMember(id + 1)
	isError(t, err, ErrNotFound)
	isError(t, balancer.Started(9), ErrInvalidArgument)
	report := string(must(balancer.Report())(t))
	if !strings.Contains(report, `"why":"throttled"`) {
		t.Error(report)
	}
}
