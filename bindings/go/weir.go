// Package weir is the Go interface of weir, an embeddable policy engine for LLM gateways.
//
// A gateway asks weir, for every LLM call: who is this, may it pass, which backend gets it, and
// what did it cost? weir opens no socket and starts no thread: the host feeds what it saw and
// performs what weir answers. [Transport] is such a host, as an [net/http.RoundTripper]: for a Go
// program's own calls, and for proxies. [Engine] and [Transaction] are for hosts that bring their
// own.
//
// Parts stand alone too, without policy and engine: [CountTokens], [Tokenizer], [TokenCounter] and
// [CountRequest]; [StreamMeter] for answers as they pass; [Limiter], [Breaker] and [Balancer] for
// anything. A [State] is a file that processes of a machine share, written in whatever language.
//
// # Handles
//
// Engine, State, Limiter, Breaker, Balancer and Tokenizer may be used by any number of goroutines
// at once; Policy, Transaction, Reservation, TokenCounter and StreamMeter by one at a time. All of
// them hold memory that Go does not see: Close gives it back, when nobody uses the handle any more;
// of a closed handle Close does nothing. A handle that is lost without Close is not freed behind
// its user's back, it is told to [OnLeak].
//
// # Errors
//
// Errors mean that a call went wrong; what policy wants, a refusal included, is never an error.
// They are of type *[Error], and match the sentinels ([ErrInvalidArgument] …) with errors.Is.
package weir

// #cgo pkg-config: weir
// #include "crossing.h"
import "C"

// Version is the release of the library in use.
func Version() string {
	return C.GoString(C.weir_version())
}

// VersionNumber is major*1000000 + minor*1000 + patch of the library in use.
func VersionNumber() uint32 {
	return uint32(C.weir_version_number())
}

// headerVersion is the release that this package was compiled for.
var headerVersion = [3]int{
	C.WEIR_VERSION_MAJOR, C.WEIR_VERSION_MINOR, C.WEIR_VERSION_PATCH,
}
