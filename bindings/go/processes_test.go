package weir

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const workerState = "WEIR_GO_TEST_WORKER_STATE"

func TestMain(m *testing.M) {
	if path := os.Getenv(workerState); path != "" {
		if err := work(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const sharedAmount, workers, tries = 300, 4, 150

func sharedPolicy() string {
	return chatPolicy("", fmt.Sprintf(`, "limits": {"only": {"key": "'all'", "unit": "tokens",
		"amount": %d, "per": "1h", "reserve": {"prompt": "none", "output": "none"}}}`,
		25*sharedAmount), "http://a.test")
}

// wholeTransaction takes one from its first to its last byte; was it admitted?
func wholeTransaction(engine *Engine) (bool, error) {
	txn, action, err := engine.Begin(&Request{
		Method: "POST", Target: "/v1/chat/completions",
		Header: http.Header{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return false, err
	}
	defer txn.Close()
	if action, err = txn.RequestEnd([]byte(prompt)); err != nil || action.Kind != ActionForward {
		return false, err
	}
	if _, err = txn.ResponseHead(200, http.Header{"Content-Type": {"application/json"}}); err == nil {
		if _, err = txn.ResponseBody([]byte(completion)); err == nil {
			_, err = txn.ResponseEnd()
		}
	}
	return true, err
}

// work is what a worker process does.
func work(path string) error {
	policy, err := ParsePolicy(sharedPolicy())
	if err != nil {
		return err
	}
	defer policy.Close()
	engine, err := NewEngine(policy, &EngineOptions{StateFile: path})
	if err != nil {
		return err
	}
	defer engine.Close()
	admitted := 0
	for i := 0; i < tries; i++ {
		passed, err := wholeTransaction(engine)
		if err != nil {
			return err
		}
		if passed {
			admitted++
		}
	}
	fmt.Println(admitted)
	return nil
}

func TestProcessesHoldOneLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	var commands [workers]*exec.Cmd
	var outputs [workers]strings.Builder
	for i := range commands {
		commands[i] = exec.Command(os.Args[0])
		commands[i].Env = append(os.Environ(), workerState+"="+path)
		commands[i].Stdout, commands[i].Stderr = &outputs[i], os.Stderr
		if err := commands[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	admitted := 0
	for i := range commands {
		if err := commands[i].Wait(); err != nil {
			t.Fatal(err)
		}
		admitted += must(strconv.Atoi(strings.TrimSpace(outputs[i].String())))(t)
	}
	// Without reservations each process may have one more under way when the amount is reached.
	if admitted < sharedAmount || admitted > sharedAmount+workers-1 {
		t.Errorf("%d of %d admitted by %d processes", admitted, sharedAmount, workers)
	}
	report := string(must(StateReport(path, 1))(t))
	if !strings.Contains(report, fmt.Sprintf(`"used":%d`, 25*admitted)) {
		t.Error(report)
	}
}
