package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"

	weir "github.com/weir-gateway/weir/bindings/go"
)

// newHandler serves the proxy, its metrics and its health.
func newHandler(engine *weir.Engine, ledger *weir.Ledger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", written(engine.MetricsAs))
	mux.HandleFunc("/healthz", written(func(string) (string, []byte, error) {
		status, err := engine.Status()
		return "application/json", status, err
	}))
	mux.Handle("/", newProxy(engine, ledger))
	return mux
}

func written(text func(accept string) (string, []byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind, body, err := text(r.Header.Get("Accept"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Write(body)
	}
}

func newProxy(engine *weir.Engine, ledger *weir.Ledger) http.Handler {
	return &httputil.ReverseProxy{
		// Where a request goes is the policy's matter; who sent it is not the backend's.
		Director:      func(request *http.Request) { request.Header["X-Forwarded-For"] = nil },
		FlushInterval: -1, // streams pass as they come
		ErrorHandler:  answerError,
		Transport: &weir.Transport{
			Engine: engine,
			Ledger: ledger,
			Ended: func(request *http.Request, explanation []byte) {
				log.Printf("%s %s %s", request.Method, request.URL.Path, explanation)
			},
		},
	}
}

// answerError answers what is no refusal: this gateway could not do its work, or nobody is there
// any more.
func answerError(w http.ResponseWriter, request *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	log.Printf("%s %s: %v", request.Method, request.URL.Path, err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadGateway)
	w.Write([]byte(`{"error":{"message":"the gateway could not answer","type":"gateway_error",` +
		`"param":null,"code":null}}`))
}
