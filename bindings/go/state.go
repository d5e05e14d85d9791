package weir

// #include "crossing.h"
import "C"

// StateOptions are of private memory or of a new file; one that exists keeps its own.
type StateOptions struct {
	Bytes   uint64 // 0 = 16 MiB; at least 512 KiB
	Seed    uint64 // keys the hash of names; 0 = a random one
	Replace bool   // a file of another format gives its name to a new one
}

// State is where counters, circuits and balancers live: private memory, or a file that all
// processes of a machine map and that outlives them all. Any process may be killed at any
// instruction.
type State struct {
	c *C.weir_state
	g *guard
}

// OpenState opens the file of this path, or makes it; an empty path is private memory. Options may
// be nil.
func OpenState(path string, options *StateOptions) (*State, error) {
	if options == nil {
		options = &StateOptions{}
	}
	text, size := textOf(path)
	given := C.weir_state_options{
		size:    C.sizeof_weir_state_options,
		replace: boolInt(options.Replace),
		bytes:   C.uint64_t(options.Bytes),
		seed:    orRandom(options.Seed),
	}
	s := &State{}
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_state_open(text, size, &given, &s.c, e)
	})
	if err != nil {
		return nil, err
	}
	s.g = watch("State")
	return s, nil
}

func (s *State) handle() *C.weir_state {
	if s == nil {
		return nil
	}
	return s.c
}

// Close closes the state; limiters, breakers and balancers keep what they need of it.
func (s *State) Close() {
	if s.c != nil {
		C.weir_state_free(s.c)
		s.g.done()
		s.c = nil
	}
}

// StateReport is what a state file holds, with the `top` counters nearest to their amount, as a
// JSON object for people who look. The file is only read.
func StateReport(path string, top int) ([]byte, error) {
	text, size := textOf(path)
	now := Clock(SystemClock).now()
	return readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_state_report_json(text, size, C.uint32_t(top), &now, b, capacity, needed,
				e)
		})
}
