// go_bench measures what crossing from Go to weir costs: one call, beside a C function that does
// nothing, and a whole transaction on a prompt of 1 KiB (count, three limits, pick of two backends,
// settle). CPU time, the garbage collector's with it; medians of repetitions; allocations are Go's,
// on average.
package main

// static inline void nothing(void) {}
import "C"

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"

	weir "github.com/weir-gateway/weir/bindings/go"
)

const policy = `{
  "weir": 1,
  "backends": {
    "ptu": {"url": "http://ptu.test", "dialect": "openai"},
    "payg": {"url": "http://payg.test", "dialect": "openai"}
  },
  "pools": {"chat": {"members": [{"backend": "ptu"}, {"backend": "payg"}]}},
  "limits": {
    "tokens": {"key": "client.ip", "unit": "tokens", "amount": 1000000000000, "per": "1m"},
    "requests": {"key": "client.ip", "unit": "requests", "amount": 1000000000, "per": "1m"},
    "month": {"key": "client.ip", "unit": "tokens", "amount": 1000000000000000, "per": "month"}
  },
  "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
              "limits": ["tokens", "requests", "month"], "auth": "none"}]
}`

const answer = `{"id":"c1","object":"chat.completion","created":1767225600,"model":"gpt-4o",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"The gate lets through what ` +
	`the stream below can carry."},"finish_reason":"stop"}],"usage":{"prompt_tokens":210,` +
	`"completion_tokens":11,"total_tokens":221}}`

// request is a chat with a prompt of about 1 KiB of English.
func request() []byte {
	const sentence = "The gate lets through what the stream below can carry, and holds the rest. "
	text := strings.Repeat(sentence, 1024/len(sentence)+1)[:1024]
	return []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + text + `"}]}`)
}

type host struct {
	engine         *weir.Engine
	head           weir.Request
	body           []byte
	backendHeaders http.Header
	forward        http.Header
	relayed        int
}

func newHost() (*host, error) {
	document, err := weir.ParsePolicy(policy)
	if err != nil {
		return nil, err
	}
	defer document.Close()
	engine, err := weir.NewEngine(document, nil)
	if err != nil {
		return nil, err
	}
	jsonType := http.Header{"Content-Type": {"application/json"}}
	return &host{
		engine: engine,
		head: weir.Request{
			Method: "POST", Target: "/v1/chat/completions", Client: "192.0.2.1", Header: jsonType,
		},
		body: request(), backendHeaders: jsonType, forward: http.Header{},
	}, nil
}

// transaction is what a host does for one request, without a network.
func (h *host) transaction() error {
	txn, action, err := h.engine.Begin(&h.head)
	if err != nil {
		return err
	}
	defer txn.Close()
	if action, err = txn.RequestEnd(h.body); err != nil {
		return err
	}
	if action.Kind != weir.ActionForward {
		return fmt.Errorf("%v, not forward", action.Kind)
	}
	h.relayed += len(txn.URL()) + len(txn.Target()) + len(txn.Body())
	txn.EditHeaders(h.forward)
	if _, err = txn.ResponseHead(200, h.backendHeaders); err != nil {
		return err
	}
	piece := []byte(answer)
	if _, err = txn.ResponseBody(piece); err != nil {
		return err
	}
	h.relayed += len(txn.Relay(piece))
	if action, err = txn.ResponseEnd(); err != nil {
		return err
	}
	if action.Kind != weir.ActionDone {
		return fmt.Errorf("%v, not done", action.Kind)
	}
	return nil
}

type result struct {
	Name   string  `json:"name"`
	Ns     float64 `json:"ns"`
	Allocs float64 `json:"allocs"`
}

const repetitions = 15

// cpuTime is what all threads of this process have used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func measure(name string, calls int, call func() error) (result, error) {
	times := make([]float64, repetitions)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range times {
		begin := cpuTime()
		for j := 0; j < calls; j++ {
			if err := call(); err != nil {
				return result{}, err
			}
		}
		times[i] = float64(cpuTime()-begin) / float64(calls)
	}
	runtime.ReadMemStats(&after)
	sort.Float64s(times)
	allocs := float64(after.Mallocs-before.Mallocs) / float64(repetitions*calls)
	return result{name, times[repetitions/2], allocs}, nil
}

func run() ([]result, error) {
	h, err := newHost()
	if err != nil {
		return nil, err
	}
	defer h.engine.Close()
	tokenizer, err := weir.FindTokenizer("gpt-4o")
	if err != nil {
		return nil, err
	}
	var results []result
	for _, each := range []struct {
		name  string
		calls int
		call  func() error
	}{
		{"empty C call (neighbour)", 1000000, func() error { C.nothing(); return nil }},
		{"boundary call (VersionNumber)", 1000000, func() error {
			weir.VersionNumber()
			return nil
		}},
		{"count of two words (Tokenizer.Count)", 200000, func() error {
			_, err := tokenizer.Count("hello world")
			return err
		}},
		{"whole transaction, 1 KiB prompt", 10000, h.transaction},
	} {
		measured, err := measure(each.name, each.calls, each.call)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
		results = append(results, measured)
	}
	return results, nil
}

func main() {
	asJSON := flag.Bool("json", false, "write JSON")
	flag.Parse()
	results, err := run()
	if err != nil {
		log.Fatal(err)
	}
	if *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		encoder.Encode(map[string]any{
			"go": runtime.Version(), "weir": weir.Version(), "results": results,
		})
		return
	}
	for _, each := range results {
		fmt.Printf("%-40s %10.1f ns %6.1f allocs\n", each.Name, each.Ns, each.Allocs)
	}
}
