package weir

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestVersion(t *testing.T) {
	v := headerVersion
	if want := fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]); Version() != want {
		t.Errorf("the library is %s, weir.h %s", Version(), want)
	}
	if want := uint32(v[0]*1000000 + v[1]*1000 + v[2]); VersionNumber() != want {
		t.Errorf("%d is not %d", VersionNumber(), want)
	}
}

func TestErrors(t *testing.T) {
	document := chatPolicy("", "\n,\n  \"bakends\": {}", "http://a.test")
	_, err := ParsePolicy(document)
	e := isError(t, err, ErrInvalidArgument)
	if e.Line != 3 || e.Column != 3 || e.Offset != strings.Index(document, `"bakends"`) ||
		!strings.Contains(e.Error(), "3:3") {
		t.Errorf("%+v", e)
	}
	_, err = FindTokenizer("no-such-model-at-all")
	if e := isError(t, err, ErrNotFound); e.Line != 0 || e.Message == "" {
		t.Errorf("%+v", e)
	}
	_, err = OpenState(filepath.Join(t.TempDir(), "none", "state"), nil)
	isError(t, err, ErrNotFound)
	for status, sentinel := range sentinels {
		isError(t, &Error{Status: status}, sentinel)
	}
	isError(t, &Error{Status: 999}, ErrInternal)
}

func TestPolicies(t *testing.T) {
	faults := must(CheckPolicy(`{"weir": 1, "bakends": {}, "rutes": []}`))(t)
	if !strings.Contains(faults, "bakends") || !strings.Contains(faults, "rutes") {
		t.Errorf("%q", faults)
	}
	if faults := must(CheckPolicy(chatPolicy("", "", "http://a.test")))(t); faults != "" {
		t.Errorf("%q", faults)
	}
	hash := must(KeyHash("the transcripts' pepper", "red-key"))(t)
	if hash != "sha256:df9e7f5864f78c2b71a6339425c0004a7294ffec656a5fcab4b22be180d96a2b" {
		t.Error(hash)
	}
}

func TestSecrets(t *testing.T) {
	folder := t.TempDir()
	key := filepath.Join(folder, "key")
	document := strings.Replace(chatPolicy("", fmt.Sprintf(`, "credentials": {
		"a": {"header": "x-a", "value": {"env": "WEIR_GO_TEST_KEY"}},
		"b": {"header": "x-b", "value": {"file": %q}}}`, key), "http://a.test", "http://b.test"),
		`"dialect"`, `"credential": "a", "dialect"`, 1)
	document = strings.Replace(document, `"b1": {`, `"b1": {"credential": "b", `, 1)
	path := filepath.Join(folder, "policy.json")
	os.WriteFile(path, []byte(document), 0o600)
	if _, err := LoadPolicy(path); err == nil {
		t.Fatal("secrets that there are not")
	}
	os.WriteFile(key, []byte("the key\n"), 0o600)
	t.Setenv("WEIR_GO_TEST_KEY", "the other key")
	policy := must(LoadPolicy(path))(t)
	defer policy.Close()
	if secrets := policy.Secrets(); len(secrets) != 2 {
		t.Errorf("%v", secrets)
	}
	must(NewEngine(policy, nil))(t).Close()
	isError(t, policy.SetSecret(0, "too late"), ErrFailedPrecondition)
}

func TestClock(t *testing.T) {
	for i := 0; i < 100; i++ {
		before := monotonicNs()
		now := SystemClock()
		after := monotonicNs()
		if slack := int64(100 * time.Microsecond); now.MonoNs < before-slack ||
			now.MonoNs > after+slack {
			t.Fatalf("%d is not between %d and %d", now.MonoNs, before, after)
		}
		if d := time.Since(time.Unix(0, now.UnixNs)); d < 0 || d > time.Second {
			t.Fatalf("the calendar is off by %v", d)
		}
	}
}

func TestLostHandlesAreTold(t *testing.T) {
	told := make(chan string, 1)
	OnLeak(func(what string) { told <- what })
	defer OnLeak(nil)
	state := must(OpenState("", nil))(t)
	lost := state.c
	state = nil
	for i := 0; i < 100 && len(told) == 0; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if what := <-told; what != "State" {
		t.Error(what)
	}
	// It was not freed: its memory is still a state's.
	found := &State{c: lost, g: watch("State")}
	limiter := must(NewLimiter(found, []LimitRule{{
		Name: "r", Amount: 1, Window: time.Second,
	}}, &LimiterOptions{MaxCounters: 64}))(t)
	limiter.Close()
	found.Close()
	found.Close()
}
