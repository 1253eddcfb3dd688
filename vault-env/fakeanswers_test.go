package main

import (
	"io"
	"net/http"
	"sync/atomic"
)

// inTurn answers with one function after the other, and with the last from then on.
func inTurn(answers ...func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(n.Add(1)), len(answers))-1](w, r)
	}
}

func status(code int, body string, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

var good = status(200, kv2Answer(`{"k":"v"}`, `"deletion_time":"","destroyed":false`))

// reset breaks the request off: RST_STREAM on HTTP/2, a closed connection on HTTP/1.1.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// truncated breaks off in the middle of the body.
func truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(200)
	io.WriteString(w, `{"data":{"k":`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}
