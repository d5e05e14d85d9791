// weir_go_proxy is a gateway for LLM calls: httputil.ReverseProxy, governed by weir. Several of
// them on one state file, beside gateways in other languages, hold the same limits.
//
//	weir_go_proxy -policy policy.json [-listen 127.0.0.1:8080] [-state FILE]
//
// SIGHUP reloads the policy; SIGTERM lets what is under way end, and ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	weir "github.com/weir-gateway/weir/bindings/go"
)

const drain = 30 * time.Second

func main() {
	policy := flag.String("policy", "", "the policy `file`")
	listen := flag.String("listen", "127.0.0.1:8080", "the `address`; port 0 is any, and printed")
	state := flag.String("state", "", "a `file` that gateways of this machine share")
	ledger := flag.String("ledger", "", "a `file` for a line of each request, for weir report")
	flag.Parse()
	if *policy == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*policy, *listen, *state, *ledger); err != nil {
		log.Fatal(err)
	}
}

func run(path, address, state, ledgerPath string) error {
	policy, err := weir.LoadPolicy(path)
	if err != nil {
		return err
	}
	engine, err := weir.NewEngine(policy, &weir.EngineOptions{StateFile: state})
	policy.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer engine.Close()
	var ledger *weir.Ledger
	if ledgerPath != "" {
		if ledger, err = weir.OpenLedger(ledgerPath, nil); err != nil {
			return err
		}
		defer ledger.Close()
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	handler := newHandler(engine, ledger)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return untilStopped(server, served, func() {
		if err := reload(engine, path); err != nil {
			log.Printf("the old policy stays: %v", err)
		}
	})
}

func reload(engine *weir.Engine, path string) error {
	policy, err := weir.LoadPolicy(path)
	if err != nil {
		return err
	}
	defer policy.Close()
	return engine.Reload(policy)
}

func untilStopped(server *http.Server, served <-chan error, reload func()) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	for {
		select {
		case err := <-served:
			return err
		case s := <-signals:
			if s == syscall.SIGHUP {
				reload()
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), drain)
			defer cancel()
			return server.Shutdown(ctx)
		}
	}
}
