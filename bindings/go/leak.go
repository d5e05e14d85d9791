package weir

import (
	"log"
	"runtime"
	"sync/atomic"
)

var onLeak atomic.Value // func(string)

func init() {
	OnLeak(func(what string) { log.Printf("weir: %s lost without Close", what) })
}

// OnLeak sets what is called, on a goroutine of the runtime, when the garbage collector finds a
// handle that was never closed. It is not freed: who forgot Close may also have forgotten that
// something made of it is still in use. The default logs; nil does nothing.
func OnLeak(report func(what string)) {
	if report == nil {
		report = func(string) {}
	}
	onLeak.Store(report)
}

// guard is what a handle holds to be missed when it is lost.
type guard struct{ what string }

// watch begins to watch over a handle; done ends it. The finalizer belongs to an object of its own,
// as handles may be part of cycles, whose finalizers never run.
func watch(what string) *guard {
	g := &guard{what}
	runtime.SetFinalizer(g, func(g *guard) { onLeak.Load().(func(string))(g.what) })
	return g
}

func (g *guard) done() { runtime.SetFinalizer(g, nil) }
