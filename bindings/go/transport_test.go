package weir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// explanations are what Transport.Ended told.
type explanations struct {
	mutex sync.Mutex
	list  []string
}

func (e *explanations) add(_ *http.Request, explanation []byte) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.list = append(e.list, string(explanation))
}

func (e *explanations) count() int {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return len(e.list)
}

func newClient(
	t *testing.T, pool, rest string, urls ...string,
) (*http.Client, *explanations) {
	t.Helper()
	noLeaks(t)
	ended := &explanations{}
	engine := newTestEngine(t, chatPolicy(pool, rest, urls...), nil)
	return &http.Client{Transport: &Transport{Engine: engine, Ended: ended.add}}, ended
}

const twoRequests = `, "limits": {"only": {"key": "'all'", "unit": "requests", "amount": 2,
	"per": "1h"}}`

func TestAnswerIsHeldAndComplete(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.RequestURI != "/v1/chat/completions" || !json.Valid(body) {
			t.Errorf("the backend was asked %s with %q", r.RequestURI, body)
		}
		complete(w, r)
	})
	client, ended := newClient(t, "", twoRequests, backend.URL)
	response, body := ask(t, client, prompt)
	if response.StatusCode != 200 || body != completion {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response.ContentLength != int64(len(completion)) {
		t.Errorf("content length %d", response.ContentLength)
	}
	if consumed := response.Header.Get("x-weir-tokens-consumed"); consumed != "25" {
		t.Errorf("consumed %q of %v", consumed, response.Header)
	}
	if ended.count() != 1 || !strings.Contains(ended.list[0], `"route":"chat"`) {
		t.Errorf("explained %v", ended.list)
	}
}

func TestWhatWeirTakesIsMeasured(t *testing.T) {
	noLeaks(t)
	backend := newBackend(t, complete)
	engine := newTestEngine(t,
		strings.Replace(chatPolicy("", `, "meters": {"stages": {"overhead_stages": true}}`,
			backend.URL), `"auth": "none"`, `"auth": "none", "meter": "stages"`, 1), nil)
	client := &http.Client{Transport: &Transport{Engine: engine}}
	for range "ab" {
		ask(t, client, prompt)
	}
	text := string(must(engine.Metrics())(t))
	for _, stage := range []string{"request", "response", "total"} {
		count := fmt.Sprintf("weir_overhead_seconds_count{stage=%q} 2\n", stage)
		nothing := fmt.Sprintf("weir_overhead_seconds_sum{stage=%q} 0\n", stage)
		if !strings.Contains(text, count) || strings.Contains(text, nothing) {
			t.Errorf("%s: %s", stage, text[strings.Index(text, "weir_overhead_seconds_bucket"):])
		}
	}
}

func TestRefusalIsAnAnswer(t *testing.T) {
	backend := newBackend(t, complete)
	client, ended := newClient(t, "", twoRequests, backend.URL)
	for _, want := range []int{200, 200, 429} {
		response, body := ask(t, client, prompt)
		if response.StatusCode != want {
			t.Fatalf("%d, not %d: %s", response.StatusCode, want, body)
		}
		if want == 429 && (response.Header.Get("Retry-After") == "" ||
			response.ContentLength != int64(len(body)) || response.Status == "") {
			t.Errorf("the refusal is %v", response)
		}
	}
	if ended.count() != 3 {
		t.Errorf("%d ended", ended.count())
	}
}

func TestNextBackendIsAsked(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	broken := newBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	good := newBackend(t, complete)
	const retry = `, "retry": {"attempts": 3, "on": ["5xx", "connect", "timeout", "reset"]}`
	client, _ := newClient(t, retry, "", dead.URL, broken.URL, good.URL)
	if response, body := ask(t, client, prompt); response.StatusCode != 200 || body != completion {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	client, _ = newClient(t, retry, "", dead.URL)
	if response, body := ask(t, client, prompt); response.StatusCode < 500 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

func TestSlowBackendHasAnotherBesideIt(t *testing.T) {
	for _, slowWins := range []bool{false, true} {
		release := make(chan bool)
		dropped := make(chan bool, 1)
		slow := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			select {
			case <-release:
				io.WriteString(w, `{"slow": true}`)
			case <-r.Context().Done():
				dropped <- true
			}
		})
		other := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if !slowWins {
				complete(w, r)
				return
			}
			close(release)
			<-r.Context().Done()
		})
		client, _ := newClient(t, `, "retry": {"attempts": 2, "on": ["5xx"]},
			"hedge": {"after": "20ms"}`, "", slow.URL, other.URL)
		response, body := ask(t, client, prompt)
		if response.StatusCode != 200 || strings.Contains(body, "slow") != slowWins {
			t.Errorf("%d %s", response.StatusCode, body)
		}
		if !slowWins {
			<-dropped
		}
	}
}

// streaming is a backend that sends a chunk for each that it is told to, and then the end.
func streaming(more <-chan bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for w.(http.Flusher).Flush(); ; w.(http.Flusher).Flush() {
			select {
			case on := <-more:
				if !on {
					io.WriteString(w, done)
					return
				}
				io.WriteString(w, chunk)
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestStreamPassesAsItComes(t *testing.T) {
	more := make(chan bool)
	backend := newBackend(t, streaming(more))
	client, ended := newClient(t, "", twoRequests, backend.URL)
	response := must(post(t, client, stream))(t)
	defer response.Body.Close()
	buffer := make([]byte, 4096)
	for i := 0; i < 3; i++ {
		more <- true
		if size, err := response.Body.Read(buffer); err != nil || string(buffer[:size]) != chunk {
			t.Fatalf("%q %v", buffer[:size], err)
		}
	}
	more <- false
	rest, err := io.ReadAll(response.Body)
	if err != nil || string(rest) != done || ended.count() != 1 {
		t.Errorf("%q %v, %d ended", rest, err, ended.count())
	}
}

func TestClientThatLeavesIsCharged(t *testing.T) {
	for _, leaves := range []string{"cancels", "closes"} {
		t.Run(leaves, func(t *testing.T) {
			more := make(chan bool)
			gone := make(chan bool, 1)
			backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				streaming(more)(w, r)
				gone <- true
			})
			client, ended := newClient(t, "", twoRequests, backend.URL)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			request := must(http.NewRequestWithContext(ctx, "POST",
				"http://weir.test/v1/chat/completions", strings.NewReader(stream)))(t)
			response := must(client.Do(request))(t)
			more <- true
			if _, err := io.ReadFull(response.Body, make([]byte, len(chunk))); err != nil {
				t.Fatal(err)
			}
			if leaves == "cancels" {
				time.AfterFunc(20*time.Millisecond, cancel)
				if _, err := io.ReadAll(response.Body); !errors.Is(err, context.Canceled) {
					t.Errorf("reading ended with %v", err)
				}
			} else {
				time.AfterFunc(20*time.Millisecond, func() { response.Body.Close() })
				if _, err := io.ReadAll(response.Body); err == nil {
					t.Error("reading went well")
				}
			}
			<-gone
			response.Body.Close()
			var told struct {
				Usage map[string]any `json:"usage"`
			}
			if ended.count() != 1 || json.Unmarshal([]byte(ended.list[0]), &told) != nil {
				t.Fatalf("explained %v", ended.list)
			}
			if fmt.Sprint(told.Usage["completion"]) != "2" {
				t.Errorf("usage %v of %s", told.Usage, ended.list[0])
			}
		})
	}
}

func TestCancelledBeforeTheAnswer(t *testing.T) {
	asked := make(chan bool, 1)
	backend := newBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		asked <- true
		<-r.Context().Done()
	})
	client, ended := newClient(t, "", "", backend.URL)
	ctx, cancel := context.WithCancel(context.Background())
	request := must(http.NewRequestWithContext(ctx, "POST",
		"http://weir.test/v1/chat/completions", strings.NewReader(prompt)))(t)
	go func() { <-asked; cancel() }()
	if _, err := client.Do(request); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if ended.count() != 1 {
		t.Errorf("%d ended", ended.count())
	}
}

func TestBrokenStreamDoesNotLookComplete(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, chunk)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	client, ended := newClient(t, "", "", backend.URL)
	response := must(post(t, client, stream))(t)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if !strings.HasPrefix(string(body), chunk) {
		t.Errorf("%q", body)
	}
	if err == nil && !strings.Contains(string(body), "error") {
		t.Errorf("looks complete: %q", body)
	}
	if ended.count() != 1 {
		t.Errorf("%d ended", ended.count())
	}
}

func TestBackendThatIsTooSlow(t *testing.T) {
	backend := newBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	noLeaks(t)
	document := strings.Replace(chatPolicy("", "", backend.URL), `"2s"`, `"50ms"`, 1)
	client := &http.Client{Transport: &Transport{Engine: newTestEngine(t, document, nil)}}
	if response, body := ask(t, client, prompt); response.StatusCode != 504 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

func TestRequestBodies(t *testing.T) {
	backend := newBackend(t, complete)
	client, _ := newClient(t, "", `, "bounds": {"body": "256KiB"}`, backend.URL)
	filler := strings.Repeat("word ", 40<<10)
	large := strings.Replace(prompt, "hello", filler, 1)
	if response, body := ask(t, client, large); response.StatusCode != 200 {
		t.Errorf("large: %d %s", response.StatusCode, body)
	}
	tooLarge := strings.Replace(prompt, "hello", filler+filler, 1)
	if response, body := ask(t, client, tooLarge); response.StatusCode != 413 {
		t.Errorf("too large: %d %s", response.StatusCode, body)
	}
	if response, body := ask(t, client, "no JSON"); response.StatusCode != 400 {
		t.Errorf("no JSON: %d %s", response.StatusCode, body)
	}
	broken := io.MultiReader(strings.NewReader(prompt[:20]), brokenReader{})
	_, err := client.Post("http://weir.test/v1/chat/completions", "application/json", broken)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestLargeAnswerIsNotHeld(t *testing.T) {
	text := strings.Repeat("word ", maxHeldBytes/4)
	large := strings.Replace(completion, "Hello!", text, 1)
	backend := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, large)
	})
	client, _ := newClient(t, "", "", backend.URL)
	response, body := ask(t, client, prompt)
	if body != large || response.ContentLength != -1 || response.Header.Get("Content-Length") != "" {
		t.Errorf("%d bytes of %d, length %d", len(body), len(large), response.ContentLength)
	}
}

func TestWaitingForRoom(t *testing.T) {
	backend := newBackend(t, complete)
	client, _ := newClient(t, "", `, "limits": {"only": {"key": "'all'", "unit": "requests",
		"amount": 600, "per": "1m", "algorithm": "token_bucket", "burst": 1,
		"on_exceeded": {"action": "wait", "max_wait": "5s"}}}`, backend.URL)
	begin := time.Now()
	for i := 0; i < 3; i++ {
		if response, body := ask(t, client, prompt); response.StatusCode != 200 {
			t.Fatalf("%d %s", response.StatusCode, body)
		}
	}
	if waited := time.Since(begin); waited < 180*time.Millisecond {
		t.Errorf("waited %v only", waited)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	request := must(http.NewRequestWithContext(ctx, "POST",
		"http://weir.test/v1/chat/completions", strings.NewReader(prompt)))(t)
	if _, err := client.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	const calls, allowed = 200, 120
	backend := newBackend(t, complete)
	client, ended := newClient(t, "", fmt.Sprintf(`, "limits": {"only": {"key": "'all'",
		"unit": "requests", "amount": %d, "per": "1h"}}`, allowed), backend.URL)
	var admitted, refused atomic.Int64
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < calls/8; i++ {
				response, _ := ask(t, client, prompt)
				switch response.StatusCode {
				case 200:
					admitted.Add(1)
				case 429:
					refused.Add(1)
				}
			}
		}()
	}
	group.Wait()
	if admitted.Load() != allowed || refused.Load() != calls-allowed || ended.count() != calls {
		t.Errorf("%d admitted, %d refused, %d ended", admitted.Load(), refused.Load(), ended.count())
	}
}
