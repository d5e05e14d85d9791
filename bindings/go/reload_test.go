package weir

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// residentKiB is this process's memory; 0 where the system does not say.
func residentKiB() (kib int) {
	status, _ := os.ReadFile("/proc/self/status")
	if _, after, found := strings.Cut(string(status), "VmRSS:"); found {
		fmt.Sscan(after, &kib)
	}
	return kib
}

// Calls go on while the policy is replaced again and again: none fails, counts are kept, and memory
// does not grow.
func TestReloads(t *testing.T) {
	reloads := 500
	if os.Getenv("WEIR_LONG") != "" {
		reloads = 10000
	}
	backend := newBackend(t, complete)
	document := chatPolicy("", fmt.Sprintf(`, "limits": {"only": {"key": "'all'",
		"unit": "requests", "amount": %d, "per": "day"}}`, 1<<30), backend.URL)
	noLeaks(t)
	engine := newTestEngine(t, document, nil)
	client := &http.Client{Transport: &Transport{Engine: engine}}
	stop := make(chan bool)
	calls := 0
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if response, body := ask(t, client, prompt); response.StatusCode != 200 {
				t.Errorf("%d %s", response.StatusCode, body)
				return
			}
			calls++
		}
	}()
	warm := 0
	for i := 0; i < reloads; i++ {
		if i == reloads/2 {
			warm = residentKiB()
		}
		policy := must(ParsePolicy(document))(t)
		if err := engine.Reload(policy); err != nil {
			t.Fatal(err)
		}
		policy.Close()
	}
	close(stop)
	group.Wait()
	if grown := residentKiB() - warm; grown > 16<<10 {
		t.Errorf("%d KiB more after %d reloads", grown, reloads/2)
	}
	txn, _, err := engine.Begin(&Request{Method: "POST", Target: "/v1/chat/completions"})
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Close()
	must(txn.RequestEnd([]byte(prompt)))(t)
	explained := string(must(txn.Explain())(t))
	if !strings.Contains(explained, fmt.Sprintf(`"before":%d,`, calls)) {
		t.Errorf("after %d calls: %s", calls, explained)
	}
}
