package weir

// #include "crossing.h"
// #include <stdlib.h>
// #include <string.h>
import "C"

import (
	"sync"
	"unsafe"
)

// textOf gives the bytes of a string, which C only reads during one call.
func textOf(s string) (*C.char, C.size_t) {
	// The first word of a string points at its bytes; unsafe.StringData came after Go 1.19.
	return (*C.char)(*(*unsafe.Pointer)(unsafe.Pointer(&s))), C.size_t(len(s))
}

// bytesOf is the same of a slice.
func bytesOf(b []byte) (*C.char, C.size_t) {
	if len(b) == 0 {
		return nil, 0
	}
	return (*C.char)(unsafe.Pointer(&b[0])), C.size_t(len(b))
}

// viewOf is C's memory as a slice, for as long as C keeps it.
func viewOf(bytes *C.char, size C.size_t) []byte {
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(bytes)), int(size))
}

func goString(text C.weir_go_text) string {
	return C.GoStringN(text.bytes, C.int(text.size))
}

// readText asks how much there is, then for all of it; again if it grew in between.
func readText(
	fill func(buffer *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status,
) ([]byte, error) {
	var buffer []byte
	for {
		var needed C.size_t
		var status C.weir_status
		err := try(func(e *C.weir_error) C.weir_status {
			bytes, capacity := bytesOf(buffer)
			status = fill(bytes, capacity, &needed, e)
			return status
		})
		if err == nil {
			return buffer[:needed], nil
		}
		if status != C.WEIR_OUT_OF_RANGE || int(needed) <= len(buffer) {
			return nil, err
		}
		buffer = make([]byte, needed)
	}
}

// packer puts texts into one buffer, as crossing.h has them.
type packer struct{ bytes []byte }

var packers = sync.Pool{New: func() any { return new(packer) }}

func newPacker() *packer {
	p := packers.Get().(*packer)
	p.bytes = p.bytes[:0]
	return p
}

func (p *packer) free() { packers.Put(p) }

// text adds one with its size before it.
func (p *packer) text(s string) {
	size := uint32(len(s))
	inMemory := (*[unsafe.Sizeof(size)]byte)(unsafe.Pointer(&size))
	p.bytes = append(append(p.bytes, inMemory[:]...), s...)
}

// raw adds one whose size travels elsewhere.
func (p *packer) raw(s string) C.size_t {
	p.bytes = append(p.bytes, s...)
	return C.size_t(len(s))
}

func (p *packer) pointer() *C.char {
	bytes, _ := bytesOf(p.bytes)
	return bytes
}

// arena is C's memory for structs that hold pointers; for calls that are made once.
type arena struct{ blocks []unsafe.Pointer }

func (a *arena) alloc(size C.size_t) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	block := C.malloc(size) // cgo's malloc never gives null
	C.memset(block, 0, size)
	a.blocks = append(a.blocks, block)
	return block
}

func (a *arena) text(s string) (*C.char, C.size_t) {
	if s == "" {
		return nil, 0
	}
	copied := C.CString(s)
	a.blocks = append(a.blocks, unsafe.Pointer(copied))
	return copied, C.size_t(len(s))
}

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
}

func boolInt(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}
