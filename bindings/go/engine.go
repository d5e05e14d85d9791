package weir

// #include "crossing.h"
import "C"

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// EngineOptions; the zero value is usual.
type EngineOptions struct {
	MaxCounters int    // limit counters kept at once; 0 = 16384
	StateBytes  uint64 // memory for all hot state; 0 = enough for MaxCounters
	Seed        uint64 // of hashes and sequences; 0 = a random one
	// StateFile is the path of a file that all processes of a machine share and that outlives them
	// (see OpenState); empty: this process's own memory.
	StateFile string
	Clock     Clock // nil = SystemClock
}

// Engine is the policy in force and the state it keeps. Any number of goroutines may use one.
type Engine struct {
	c     *C.weir_engine
	g     *guard
	clock Clock
}

func orRandom(seed uint64) C.uint64_t {
	if seed == 0 {
		var bytes [8]byte
		if _, err := rand.Read(bytes[:]); err == nil {
			seed = binary.LittleEndian.Uint64(bytes[:])
		}
	}
	return C.uint64_t(seed)
}

// NewEngine makes one with this policy in force. Options may be nil.
func NewEngine(policy *Policy, options *EngineOptions) (*Engine, error) {
	if options == nil {
		options = &EngineOptions{}
	}
	path, pathSize := textOf(options.StateFile)
	given := C.weir_engine_options{
		size:            C.sizeof_weir_engine_options,
		max_counters:    C.uint32_t(options.MaxCounters),
		state_bytes:     C.uint64_t(options.StateBytes),
		seed:            orRandom(options.Seed),
		state_file_size: pathSize,
	}
	var handle *C.weir_engine
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_go_engine_new(policy.c, &given, path, &handle, e)
	})
	if err != nil {
		return nil, err
	}
	return &Engine{handle, watch("Engine"), orSystem(options.Clock)}, nil
}

// Reload puts another policy in force for transactions that begin from now on. On an error the old
// one stays.
func (e *Engine) Reload(policy *Policy) error {
	return try(func(r *C.weir_error) C.weir_status {
		return C.weir_engine_reload(e.c, policy.c, r)
	})
}

// Metrics are in Prometheus' text format 0.0.4, of all processes that share the state.
func (e *Engine) Metrics() ([]byte, error) {
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, r *C.weir_error) C.weir_status {
			return C.weir_engine_metrics(e.c, b, capacity, needed, r)
		})
}

// MetricsAs are the metrics as a scraper's Accept header asks for them, OpenMetrics 1.0.0 or
// Prometheus text, and the content type to answer with.
func (e *Engine) MetricsAs(accept string) (contentType string, text []byte, err error) {
	header, headerSize := textOf(accept)
	var kind *C.char
	text, err = readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, r *C.weir_error) C.weir_status {
			return C.weir_engine_metrics_as(e.c, header, headerSize, &kind, b, capacity, needed, r)
		})
	if err != nil {
		return "", nil, err
	}
	return C.GoString(kind), text, nil
}

// Status is the state of backends and pools as a JSON object.
func (e *Engine) Status() ([]byte, error) {
	now := e.clock.now()
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, r *C.weir_error) C.weir_status {
			return C.weir_engine_status(e.c, &now, b, capacity, needed, r)
		})
}

// Changes are the circuits that tripped, half-opened or were reset after the change numbered
// `since`, as JSON in the form of Breaker.Changes.
func (e *Engine) Changes(since uint64) ([]byte, error) {
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, r *C.weir_error) C.weir_status {
			return C.weir_engine_changes_json(e.c, C.uint64_t(since), b, capacity, needed, r)
		})
}

// Purge says which answers PurgeCache takes out of a cache, and what `what` is then.
type Purge int32

const (
	PurgeAll       Purge = C.WEIR_PURGE_ALL       // what: empty
	PurgePartition Purge = C.WEIR_PURGE_PARTITION // what the cache's "partition" gives, one a line
	PurgeModel     Purge = C.WEIR_PURGE_MODEL     // the model that requests asked for
	PurgeEntry     Purge = C.WEIR_PURGE_ENTRY     // "entry" as Explain tells it of a hit
)

// PurgeCache takes answers out of the policy's cache of this name, in all processes that share the
// state, and tells how many there were.
func (e *Engine) PurgeCache(cache string, which Purge, what string) (uint64, error) {
	name, nameSize := textOf(cache)
	text, size := textOf(what)
	var removed C.uint64_t
	err := try(func(r *C.weir_error) C.weir_status {
		return C.weir_engine_purge_cache(e.c, name, nameSize, C.int32_t(which), text, size,
			&removed, r)
	})
	return uint64(removed), err
}

// OverrideLimit sets another amount for the limit of this name, for one key or (nil) for every key
// without one of its own, for so long, in all processes that share the state; 0 ends it.
func (e *Engine) OverrideLimit(limit string, key *string, amount uint64, d time.Duration) error {
	name, nameSize := textOf(limit)
	keyText, keySize := keyOf(key)
	now := e.clock.now()
	return try(func(r *C.weir_error) C.weir_status {
		return C.weir_engine_override_limit(e.c, name, nameSize, keyText, keySize,
			C.uint64_t(amount), C.int64_t(d.Milliseconds()), &now, r)
	})
}

// keyOf tells the empty key from none.
func keyOf(key *string) (*C.char, C.size_t) {
	if key == nil {
		return nil, 0
	}
	if *key == "" {
		text, _ := textOf("any")
		return text, 0
	}
	return textOf(*key)
}

// Until is how long it is until an action's deadline; for 0, which is none, it is Never.
func (e *Engine) Until(monoNs int64) time.Duration {
	if monoNs == 0 {
		return Never
	}
	return time.Duration(monoNs - e.clock().MonoNs)
}

// Close frees the engine; transactions keep what they need of it.
func (e *Engine) Close() {
	if e.c != nil {
		C.weir_engine_free(e.c)
		e.g.done()
		e.c = nil
	}
}
