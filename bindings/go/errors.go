package weir

// #include "crossing.h"
import "C"

import (
	"errors"
	"strings"
	"sync"
)

// What an Error is about; for errors.Is.
var (
	ErrInvalidArgument    = errors.New("weir: invalid argument")
	ErrNotFound           = errors.New("weir: not found")
	ErrPermissionDenied   = errors.New("weir: permission denied")
	ErrResourceExhausted  = errors.New("weir: resource exhausted")
	ErrFailedPrecondition = errors.New("weir: failed precondition")
	ErrOutOfRange         = errors.New("weir: out of range")
	ErrUnimplemented      = errors.New("weir: unimplemented")
	ErrInternal           = errors.New("weir: internal")
)

var sentinels = map[int]error{
	C.WEIR_INVALID_ARGUMENT:    ErrInvalidArgument,
	C.WEIR_NOT_FOUND:           ErrNotFound,
	C.WEIR_PERMISSION_DENIED:   ErrPermissionDenied,
	C.WEIR_RESOURCE_EXHAUSTED:  ErrResourceExhausted,
	C.WEIR_FAILED_PRECONDITION: ErrFailedPrecondition,
	C.WEIR_OUT_OF_RANGE:        ErrOutOfRange,
	C.WEIR_UNIMPLEMENTED:       ErrUnimplemented,
	C.WEIR_INTERNAL:            ErrInternal,
}

// Error says what went wrong in a call of weir.
type Error struct {
	Status  int // canonical, as of Abseil and gRPC
	Message string
	// Where the first fault of a policy or a request body is: lines and columns count from 1; 0
	// when the error is of no document.
	Line, Column int
	Offset       int
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Unwrap().Error()
	}
	return "weir: " + e.Message
}

// Unwrap gives the sentinel of the status.
func (e *Error) Unwrap() error {
	if sentinel, known := sentinels[e.Status]; known {
		return sentinel
	}
	return ErrInternal
}

func newError(status C.weir_status, record *C.weir_error) *Error {
	e := &Error{Status: int(status)}
	if record != nil && record.code == C.int32_t(status) {
		e.Message = strings.TrimRight(C.GoString(&record.message[0]), "\n")
		e.Line, e.Column = int(record.line), int(record.column)
		e.Offset = int(record.offset)
	}
	return e
}

// statusError is the error of calls that give a status only.
func statusError(status C.weir_status) error {
	if status == C.WEIR_OK {
		return nil
	}
	return newError(status, nil)
}

// Error records are a kilobyte, and rarely written.
var errorRecords = sync.Pool{New: func() any {
	return &C.weir_error{size: C.sizeof_weir_error}
}}

// try makes a call that may say what went wrong.
func try(call func(*C.weir_error) C.weir_status) error {
	record := errorRecords.Get().(*C.weir_error)
	defer errorRecords.Put(record)
	record.code = C.WEIR_OK
	if status := call(record); status != C.WEIR_OK {
		return newError(status, record)
	}
	return nil
}
