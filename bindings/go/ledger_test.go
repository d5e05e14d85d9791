package weir

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledgerLine is a part of what a line says.
type ledgerLine struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
	Usage  struct{ Prompt, Completion int }
	Cost   *struct {
		MicroUSD uint64 `json:"micro_usd"`
	}
}

// readLines gives a ledger's lines: all but blank ones, which come of opening a file while another
// process writes.
func readLines(t testing.TB, path string) (texts [][]byte, lines []ledgerLine) {
	t.Helper()
	for _, text := range bytes.SplitAfter(must(os.ReadFile(path))(t), []byte("\n")) {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var line ledgerLine
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		texts, lines = append(texts, text), append(lines, line)
	}
	return texts, lines
}

// refusedOne is a transaction that has ended: there is no such route.
func refusedOne(t testing.TB, engine *Engine) *Transaction {
	t.Helper()
	txn, action, err := engine.Begin(&Request{Method: "GET", Target: "/nowhere"})
	if err != nil || action.Kind != ActionReply {
		t.Fatal(action, err)
	}
	return txn
}

// 10 prompt and 15 completion tokens of gpt-4o, at the public 2.50 and 10 USD a million.
const completionMicroUSD = 175

func TestTransportKeepsALineEach(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	ledger := must(OpenLedger(path, nil))(t)
	defer ledger.Close()
	backend := newBackend(t, complete)
	engine := newTestEngine(t, chatPolicy("", `, "limits": {"only": {"key": "'all'",
		"unit": "requests", "amount": 16, "per": "1h"}}`, backend.URL), nil)
	client := &http.Client{Transport: &Transport{Engine: engine, Ledger: ledger}}
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 5; j++ {
				ask(t, client, prompt)
			}
		}()
	}
	group.Wait()
	texts, lines := readLines(t, path)
	ids, statuses := map[string]bool{}, map[int]int{}
	for i, line := range lines {
		ids[line.ID] = true
		statuses[line.Status]++
		verdict, microUSD, err := RecomputeCost(texts[i])
		if err != nil {
			t.Fatal(err)
		}
		if line.Status == 200 && (verdict != CostAgrees || microUSD != completionMicroUSD ||
			line.Cost.MicroUSD != microUSD || line.Usage.Completion != 15) {
			t.Errorf("%v %d of %s", verdict, microUSD, texts[i])
		}
		if line.Status == 429 && (line.Cost != nil || verdict != CostUnknown) {
			t.Errorf("%v of %s", verdict, texts[i])
		}
	}
	if len(lines) != 20 || len(ids) != 20 || statuses[200] != 16 || statuses[429] != 4 {
		t.Errorf("%d lines, %d ids, %v", len(lines), len(ids), statuses)
	}
	status := must(ledger.Status())(t)
	if status.WrittenLines != 20 || status.DroppedLines != 0 || status.LastError != 0 {
		t.Errorf("%+v", status)
	}
	if err := ledger.Sync(); err != nil {
		t.Error(err)
	}
}

func TestLineIsTakenOnce(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	ledger := must(OpenLedger(path, &LedgerOptions{WhenFull: RefuseWhenFull}))(t)
	defer ledger.Close()
	engine := newTestEngine(t, chatPolicy("", "", "http://a.test"), nil)
	txn := refusedOne(t, engine)
	defer txn.Close()
	line := must(txn.LedgerLine())(t)
	if again := must(txn.LedgerLine())(t); !bytes.Equal(line, again) {
		t.Errorf("%s and then %s", line, again)
	}
	spans, poison, err := OTLPJSON(OTLPSpans, "gateway", append(line, "poison\n"...))
	if err != nil || poison != 1 || !bytes.Contains(spans, []byte(`"spanId"`)) ||
		!bytes.Contains(spans, []byte(`"stringValue":"gateway"`)) {
		t.Errorf("%s %d %v", spans, poison, err)
	}
	if outcome := must(ledger.Append(txn))(t); outcome != LineWritten {
		t.Error(outcome)
	}
	_, err = ledger.Append(txn)
	isError(t, err, ErrFailedPrecondition)
	if outcome := must(ledger.AppendLine(line))(t); outcome != LineWritten {
		t.Error(outcome)
	}
	_, err = ledger.AppendLine(line[:len(line)-1])
	isError(t, err, ErrInvalidArgument)
	if !ledger.Accepts() || ledger.Flush() != nil {
		t.Error("it does not accept")
	}
	if texts, _ := readLines(t, path); len(texts) != 2 || !bytes.Equal(texts[1], line) {
		t.Errorf("%s", texts)
	}
	other, action, err := engine.Begin(&Request{Method: "POST", Target: "/v1/chat/completions"})
	if err != nil || action.Kind != ActionContinue {
		t.Fatal(action, err)
	}
	defer other.Close()
	_, err = other.LedgerLine()
	isError(t, err, ErrFailedPrecondition)
}

func TestLedgerFaults(t *testing.T) {
	folder := t.TempDir()
	_, err := OpenLedger(filepath.Join(folder, "no", "such"), nil)
	isError(t, err, ErrNotFound)
	_, err = OpenLedger("/dev/null", nil)
	isError(t, err, ErrFailedPrecondition)
	_, err = OpenLedger(filepath.Join(folder, "l"), &LedgerOptions{SpoolBytes: 1})
	isError(t, err, ErrInvalidArgument)
	_, _, err = OTLPJSON(7, "", nil)
	isError(t, err, ErrInvalidArgument)
	_, _, err = RecomputeCost([]byte("{}"))
	isError(t, err, ErrInvalidArgument)
	ledger := must(OpenLedger(filepath.Join(folder, "l"), &LedgerOptions{RotateBytes: 1}))(t)
	engine := newTestEngine(t, chatPolicy("", "", "http://a.test"), nil)
	for i := 0; i < 3; i++ {
		txn := refusedOne(t, engine)
		must(ledger.Append(txn))(t)
		txn.Close()
	}
	if status := must(ledger.Status())(t); status.Rotations == 0 {
		t.Errorf("%+v", status)
	}
	ledger.Close()
	ledger.Close()
	if ledger.Accepts() { // so a Transport refuses
		t.Error("a closed ledger accepts")
	}
	client := &http.Client{Transport: &Transport{Engine: engine, Ledger: ledger}}
	response, body := ask(t, client, prompt)
	if response.StatusCode != 503 || !strings.Contains(body, "ledger") ||
		response.ContentLength != int64(len(body)) {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

func TestExportsAreAcknowledged(t *testing.T) {
	backend := newBackend(t, complete)
	engine := newTestEngine(t, chatPolicy("", "", backend.URL), &EngineOptions{StateBytes: 64 << 20})
	client := &http.Client{Transport: &Transport{Engine: engine}}
	ask(t, client, prompt)
	for _, format := range []ExportFormat{ExportOTLPDelta, ExportTrack} {
		options := &ExportOptions{Format: format, ServiceName: "gateway",
			InstrumentationKey: "the-key", MetricNamespace: "spaces"}
		number, batch, err := engine.ExportMetrics(options)
		if err != nil || number == 0 {
			t.Fatal(number, err)
		}
		for _, name := range map[ExportFormat][]string{
			ExportOTLPDelta: {`"stringValue":"gateway"`},
			ExportTrack:     {`"the-key"`, `"spaces"`},
		}[format] {
			if !bytes.Contains(batch, []byte(name)) {
				t.Errorf("no %s in %.300s", name, batch)
			}
		}
		again, same, err := engine.ExportMetrics(options)
		if err != nil || again != number || !bytes.Equal(same, batch) {
			t.Errorf("%d and then %d: %v", number, again, err)
		}
		if err := engine.AcknowledgeMetrics(format, number); err != nil {
			t.Error(err)
		}
		isError(t, engine.AcknowledgeMetrics(format, number), ErrFailedPrecondition)
	}
	number, batch, err := engine.ExportMetrics(&ExportOptions{Format: ExportOTLPCumulative})
	if err != nil || number != 0 || !json.Valid(batch) {
		t.Errorf("%d %v %.300s", number, err, batch)
	}
}

func TestOverhead(t *testing.T) {
	engine := newTestEngine(t, chatPolicy("", "", "http://a.test"), nil)
	txn := refusedOne(t, engine)
	for _, took := range []time.Duration{20 * time.Microsecond, 30 * time.Microsecond} {
		if err := txn.AddOverhead(took); err != nil {
			t.Error(err)
		}
	}
	isError(t, txn.AddOverhead(-1), ErrInvalidArgument)
	txn.Close()
	text := string(must(engine.Metrics())(t))
	for _, want := range []string{"_sum{stage=\"total\"} 0.00005\n", "_count{stage=\"total\"} 1\n"} {
		if !strings.Contains(text, "weir_overhead_seconds"+want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
