package weir

// #include "crossing.h"
import "C"

import (
	"math"
	"time"
)

// Now is one instant on two clocks, in nanoseconds: CLOCK_MONOTONIC for windows and deadlines, and
// the time since 1970 for calendars.
type Now struct {
	MonoNs int64
	UnixNs int64
}

// Clock tells the time. Processes that share a State must agree on it, so only tests and
// simulations bring their own.
type Clock func() Now

// Go tells differences of the monotonic clock, not its readings, which other processes compare with
// theirs: those are counted from one reading of it.
var clockStart, clockMonoNs = readBoth()

// readBoth reads Go's clock and the monotonic one at one instant. Of several tries the shortest
// counts: between the two readings others may have had the processor.
func readBoth() (start time.Time, monoNs int64) {
	shortestNs := int64(math.MaxInt64)
	for i := 0; i < 16; i++ {
		before := monotonicNs()
		now := time.Now()
		if tookNs := monotonicNs() - before; tookNs < shortestNs {
			shortestNs, start, monoNs = tookNs, now, before+tookNs/2
		}
	}
	return start, monoNs
}

func monotonicNs() int64 { return int64(C.weir_go_monotonic_ns()) }

// SystemClock is the Clock of this machine.
func SystemClock() Now {
	now := time.Now()
	return Now{MonoNs: clockMonoNs + int64(now.Sub(clockStart)), UnixNs: now.UnixNano()}
}

func orSystem(clock Clock) Clock {
	if clock == nil {
		return SystemClock
	}
	return clock
}

// read gives the clocks as C's functions take them.
func (c Clock) read() (C.int64_t, C.int64_t) {
	now := c()
	return C.int64_t(now.MonoNs), C.int64_t(now.UnixNs)
}

func (c Clock) now() C.weir_now {
	mono, unix := c.read()
	return C.weir_now{mono_ns: mono, unix_ns: unix}
}

// Never is the time of what waiting does not help.
const Never = time.Duration(C.INT64_MAX)

// until is how far away a time of C's is; 0 is none, and stays so.
func until(at, monoNs C.int64_t) time.Duration {
	if at == 0 || at == C.int64_t(Never) {
		return time.Duration(at)
	}
	return time.Duration(at - monoNs)
}
