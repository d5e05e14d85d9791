package weir

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func must[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// newTestEngine makes an engine of a policy's text and closes it in the end.
func newTestEngine(t testing.TB, document string, options *EngineOptions) *Engine {
	t.Helper()
	policy := must(ParsePolicy(document))(t)
	defer policy.Close()
	engine := must(NewEngine(policy, options))(t)
	t.Cleanup(engine.Close)
	return engine
}

// chatPolicy is one route to a pool of these backends; `pool` and `rest` add members to the pool
// and to the document.
func chatPolicy(pool, rest string, urls ...string) string {
	var backends, members []string
	for i, url := range urls {
		backends = append(backends, fmt.Sprintf(
			`"b%d": {"url": %q, "dialect": "openai", "timeout": "2s"}`, i, url))
		members = append(members, fmt.Sprintf(`{"backend": "b%d", "priority": %d}`, i, i+1))
	}
	limits := ""
	if strings.Contains(rest, `"limits"`) {
		limits = `, "limits": ["only"]`
	}
	return fmt.Sprintf(`{"weir": 1, "backends": {%s}, "pools": {"chat": {"members": [%s]%s}}%s,
		"routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
		"auth": "none"%s}]}`,
		strings.Join(backends, ", "), strings.Join(members, ", "), pool, rest, limits)
}

const (
	prompt = `{"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}`
	stream = `{"model": "gpt-4o", "stream": true,
		"messages": [{"role": "user", "content": "Say hello."}]}`
	completion = `{"id": "c1", "object": "chat.completion", "model": "gpt-4o",
		"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"},
		"finish_reason": "stop"}],
		"usage": {"prompt_tokens": 10, "completion_tokens": 15, "total_tokens": 25}}`
	chunk = `data: {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o", ` +
		`"choices": [{"index": 0, "delta": {"content": "Hello "}, "finish_reason": null}]}` + "\n\n"
	done = "data: [DONE]\n\n"
)

func newBackend(t testing.TB, serve http.HandlerFunc) *httptest.Server {
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return server
}

func complete(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, completion)
}

func post(t testing.TB, client *http.Client, body string) (*http.Response, error) {
	t.Helper()
	return client.Post("http://weir.test/v1/chat/completions?x=1", "application/json",
		strings.NewReader(body))
}

// ask posts and reads all of the answer.
func ask(t testing.TB, client *http.Client, body string) (*http.Response, string) {
	t.Helper()
	response := must(post(t, client, body))(t)
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body))(t))
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// noLeaks fails the test when a handle was lost without Close while it ran.
func noLeaks(t *testing.T) {
	t.Helper()
	var lost atomic.Value
	OnLeak(func(what string) { lost.Store(what) })
	t.Cleanup(func() {
		for i := 0; i < 3; i++ {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		if what := lost.Load(); what != nil {
			t.Errorf("a %s was lost", what)
		}
		OnLeak(nil)
	})
}

func isError(t testing.TB, err, sentinel error) *Error {
	t.Helper()
	var e *Error
	if !errors.Is(err, sentinel) || !errors.As(err, &e) {
		t.Fatalf("%v is not %v", err, sentinel)
	}
	return e
}
