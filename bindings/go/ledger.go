package weir

// #include "crossing.h"
import "C"

import "time"

// LineOutcome is what became of a line.
type LineOutcome int32

// The outcomes.
const (
	LineWritten LineOutcome = C.WEIR_LEDGER_WRITTEN // the system has it: it survives this process
	LineSpooled LineOutcome = C.WEIR_LEDGER_SPOOLED // this process has it, and tries again
	LineDropped LineOutcome = C.WEIR_LEDGER_DROPPED
)

// WhenFull is what is done with a line that neither the disk nor the spool takes.
type WhenFull int32

// The ways.
const (
	DropAndCount WhenFull = C.WEIR_LEDGER_DROP_AND_COUNT
	// RefuseWhenFull: Append fails with ErrResourceExhausted, and Accepts is false while there is
	// still room for what is under way.
	RefuseWhenFull WhenFull = C.WEIR_LEDGER_REFUSE
)

// LedgerOptions; the zero value is usual.
type LedgerOptions struct {
	WhenFull    WhenFull
	RotateBytes uint64        // a file of so many is renamed to FILE.<time>; 0 = never
	RotateEvery time.Duration // and at each multiple of this since 1970; 24 hours: midnight, UTC
	SpoolBytes  uint64        // memory for lines that the disk does not take; 0 = 4 MiB
	Clock       Clock         // nil = SystemClock
}

// Ledger is a file that invoices are made from: one JSON line for each exchange. Any number of
// processes append to one file, each with a Ledger of its own, and any number of goroutines use
// one.
type Ledger struct {
	c     *C.weir_ledger
	g     *guard
	clock Clock
}

// OpenLedger opens a ledger's file, and makes it if need be. Options may be nil.
func OpenLedger(path string, options *LedgerOptions) (*Ledger, error) {
	if options == nil {
		options = &LedgerOptions{}
	}
	given := C.weir_ledger_options{
		size:         C.sizeof_weir_ledger_options,
		on_full:      C.int32_t(options.WhenFull),
		rotate_bytes: C.uint64_t(options.RotateBytes),
		rotate_ms:    C.int64_t(options.RotateEvery.Milliseconds()),
		spool_bytes:  C.uint64_t(options.SpoolBytes),
	}
	ledger := &Ledger{clock: orSystem(options.Clock)}
	text, size := textOf(path)
	now := ledger.clock.now()
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_ledger_open(text, size, &given, &now, &ledger.c, e)
	})
	if err != nil {
		return nil, err
	}
	ledger.g = watch("Ledger")
	return ledger, nil
}

// Append writes the line of a transaction that has ended: after REPLY, FINISH, DONE or ClientLeft.
// ErrFailedPrecondition: it has not, or its line was taken already.
func (l *Ledger) Append(txn *Transaction) (LineOutcome, error) {
	var outcome C.int32_t
	now := l.clock.now()
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_ledger_append(l.c, txn.c.txn, &now, &outcome, e)
	})
	return LineOutcome(outcome), err
}

// AppendLine writes a line that Transaction.LedgerLine gave, as it is.
func (l *Ledger) AppendLine(line []byte) (LineOutcome, error) {
	var outcome C.int32_t
	bytes, size := bytesOf(line)
	now := l.clock.now()
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_ledger_append_line(l.c, bytes, size, &now, &outcome, e)
	})
	return LineOutcome(outcome), err
}

// Accepts is false while requests had better be refused, for their lines might find no room.
func (l *Ledger) Accepts() bool {
	var accepts C.int32_t
	now := l.clock.now()
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_ledger_accepts(l.c, &now, &accepts, e)
	})
	return err == nil && accepts != 0
}

func (l *Ledger) flush(sync bool) error {
	now := l.clock.now()
	return try(func(e *C.weir_error) C.weir_status {
		return C.weir_ledger_flush(l.c, boolInt(sync), &now, e)
	})
}

// Flush writes what is in memory.
func (l *Ledger) Flush() error { return l.flush(false) }

// Sync is Flush, and waits until the disk has everything.
func (l *Ledger) Sync() error { return l.flush(true) }

// LedgerStatus is what this process did to a ledger.
type LedgerStatus struct {
	WrittenLines, WrittenBytes uint64
	SpooledLines, SpooledBytes uint64 // in memory now
	DroppedLines               uint64
	FailedWrites               uint64
	Rotations                  uint64
	TornTails                  uint64 // ends that somebody else left without a line feed
	LastError                  int    // errno of the last failed write
}

// Status tells what this process did.
func (l *Ledger) Status() (LedgerStatus, error) {
	status := C.weir_ledger_status{size: C.sizeof_weir_ledger_status}
	err := try(func(*C.weir_error) C.weir_status {
		return C.weir_ledger_read_status(l.c, &status)
	})
	return LedgerStatus{
		WrittenLines: uint64(status.written_lines), WrittenBytes: uint64(status.written_bytes),
		SpooledLines: uint64(status.spooled_lines), SpooledBytes: uint64(status.spooled_bytes),
		DroppedLines: uint64(status.dropped_lines), FailedWrites: uint64(status.failed_writes),
		Rotations: uint64(status.rotations), TornTails: uint64(status.torn_tails),
		LastError: int(status.last_error),
	}, err
}

// Close tries once more to write what is in memory, and closes the file.
func (l *Ledger) Close() {
	if l.c != nil {
		C.weir_ledger_free(l.c)
		l.g.done()
		l.c = nil
	}
}

// CostVerdict is how a line's cost stands to what its own usage and price row come to.
type CostVerdict int32

// The verdicts.
const (
	CostAgrees  CostVerdict = C.WEIR_LEDGER_COST_AGREES
	CostDiffers CostVerdict = C.WEIR_LEDGER_COST_DIFFERS
	CostUnknown CostVerdict = C.WEIR_LEDGER_COST_UNKNOWN
)

// RecomputeCost works the cost of a ledger's line out again: the verdict on what it states, and
// what it ought to be, in micro-USD.
func RecomputeCost(line []byte) (verdict CostVerdict, microUSD uint64, err error) {
	var told C.int32_t
	var amount C.uint64_t
	bytes, size := bytesOf(line)
	err = try(func(e *C.weir_error) C.weir_status {
		return C.weir_ledger_recompute(bytes, size, &told, &amount, e)
	})
	return CostVerdict(told), uint64(amount), err
}

// OTLPKind is what a ledger's lines are made into.
type OTLPKind uint32

// Spans are for /v1/traces of an OpenTelemetry collector, log records for /v1/logs.
const (
	OTLPSpans      OTLPKind = C.WEIR_OTLP_SPANS
	OTLPLogRecords OTLPKind = C.WEIR_OTLP_LOG_RECORDS
)

// OTLPJSON is what OTLP/HTTP takes in JSON, one span or log record for each of a ledger's lines, by
// OpenTelemetry's GenAI conventions, and how many lines were none and are passed over. Without
// bytes there is nothing to send. An empty service name is left out.
func OTLPJSON(kind OTLPKind, serviceName string, lines []byte) (
	text []byte, poison uint64, err error) {
	var passed C.uint64_t
	name, nameSize := textOf(serviceName)
	bytes, size := bytesOf(lines)
	text, err = readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_ledger_otlp(C.uint32_t(kind), name, nameSize, bytes, size, &passed, b,
				capacity, needed, e)
		})
	return text, uint64(passed), err
}
