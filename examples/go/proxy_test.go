package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	weir "github.com/weir-gateway/weir/bindings/go"
)

const (
	prompt = `{"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]%s}`
	policy = `{
  "weir": 1,
  "credentials": {"simulated": {"header": "authorization", "value": {"env": "SIMULATED"}}},
  "backends": {
    "east": {"url": %q, "dialect": "openai", "credential": "simulated"},
    "west": {"url": %q, "dialect": "openai", "credential": "simulated"}
  },
  "pools": {"chat": {
    "members": [{"backend": "east", "priority": 1}, {"backend": "west", "priority": 2}],
    "retry": {"attempts": 2, "on": ["429", "5xx", "connect", "timeout", "reset"]}
  }},
  "limits": {"requests": {"key": "request.headers['x-team']", "unit": "requests", "amount": 5,
                          "per": "1h"}},
  "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
              "limits": ["requests"], "auth": "none"}]
}`
)

var address = regexp.MustCompile(`[\d.]+:\d+`)

var upstream = "weir_upstream"

func TestMain(m *testing.M) {
	if path := os.Getenv("WEIR_UPSTREAM"); path != "" {
		upstream = path
	}
	if _, err := exec.LookPath(upstream); err != nil {
		fmt.Println("skipped: there is no weir_upstream: set WEIR_UPSTREAM to it")
		os.Exit(77) // what CTest takes for skipped
	}
	os.Exit(m.Run())
}

// startUpstream starts a simulated provider.
func startUpstream(t *testing.T, options ...string) string {
	t.Helper()
	command := exec.Command(upstream, append(options, "--port", "0", "--key", "k")...)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if at := address.FindString(lines.Text()); at != "" {
			return "http://" + at
		}
	}
	t.Fatal("weir_upstream says no address")
	return ""
}

func startProxy(t *testing.T, east, west string) *httptest.Server {
	t.Helper()
	t.Setenv("SIMULATED", "Bearer k")
	document, err := weir.ParsePolicy(fmt.Sprintf(policy, east, west))
	if err != nil {
		t.Fatal(err)
	}
	defer document.Close()
	if err := document.ResolveSecrets(); err != nil {
		t.Fatal(err)
	}
	engine, err := weir.NewEngine(document, nil)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := weir.OpenLedger(filepath.Join(t.TempDir(), "ledger.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	log.SetOutput(io.Discard)
	proxy := httptest.NewServer(newHandler(engine, ledger))
	t.Cleanup(func() {
		proxy.Close()
		if status, err := ledger.Status(); err != nil || status.WrittenLines == 0 {
			t.Errorf("the ledger: %+v, %v", status, err)
		}
		ledger.Close()
		engine.Close()
	})
	return proxy
}

func newRequest(t *testing.T, ctx context.Context, url, team, extra string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/chat/completions",
		strings.NewReader(fmt.Sprintf(prompt, extra)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Team", team)
	return request
}

func ask(t *testing.T, url, team, extra string) (*http.Response, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(newRequest(t, context.Background(), url, team, extra))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

func TestAnswersLimitsAndFailOver(t *testing.T) {
	east := startUpstream(t, "--fault", "status=500")
	west := startUpstream(t)
	proxy := startProxy(t, east, west)
	var refused int
	var group sync.WaitGroup
	var mutex sync.Mutex
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			response, body := ask(t, proxy.URL, "red", "")
			mutex.Lock()
			defer mutex.Unlock()
			switch {
			case response.StatusCode == 429 && response.Header.Get("Retry-After") != "":
				refused++
			case response.StatusCode != 200 || !json.Valid([]byte(body)):
				t.Errorf("%d %s", response.StatusCode, body)
			}
		}()
	}
	group.Wait()
	if refused != 3 {
		t.Errorf("%d refused", refused)
	}
	if response, body := ask(t, proxy.URL, "blue", ""); response.StatusCode != 200 {
		t.Errorf("another team: %d %s", response.StatusCode, body)
	}
	if metrics := get(t, proxy.URL+"/metrics"); !strings.Contains(metrics, "# TYPE weir") {
		t.Errorf("%.300s", metrics)
	}
	if status := get(t, proxy.URL+"/healthz"); !strings.Contains(status, `"west"`) {
		t.Errorf("%.300s", status)
	}
}

func TestStreamPassesAsItComes(t *testing.T) {
	url := startUpstream(t, "--chunk-delay", "20", "--answer-tokens", "20")
	proxy := startProxy(t, url, url)
	begin := time.Now()
	response, err := http.DefaultClient.Do(
		newRequest(t, context.Background(), proxy.URL, "red", `, "stream": true`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	var first time.Duration
	last := ""
	for lines.Scan() {
		if first == 0 {
			first = time.Since(begin)
		}
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	whole := time.Since(begin)
	if lines.Err() != nil || last != "data: [DONE]" || first > whole/2 {
		t.Errorf("%v %q, first after %v of %v", lines.Err(), last, first, whole)
	}
}

func TestClientThatLeavesStopsTheBackend(t *testing.T) {
	url := startUpstream(t, "--chunk-delay", "50", "--answer-tokens", "400")
	proxy := startProxy(t, url, url)
	ctx, cancel := context.WithCancel(context.Background())
	response, err := http.DefaultClient.Do(
		newRequest(t, ctx, proxy.URL, "red", `, "stream": true`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadFull(response.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		stats := get(t, url+"/_stats")
		if strings.Contains(stats, `"cut":1`) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the backend goes on: %s", stats)
		}
	}
}
