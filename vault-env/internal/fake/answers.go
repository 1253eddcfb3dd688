package fake

import (
	"io"
	"net/http"
	"sync/atomic"
)

// InTurn answers with each function in turn, and then always with the last one.
func InTurn(answers ...func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(n.Add(1)), len(answers))-1](w, r)
	}
}

// Status answers with a status, a body and headers (name, value, …).
func Status(code int, body string, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// Good is a secret with the key k.
var Good = Status(200, KV2Answer(`{"k":"v"}`, `"deletion_time":"","destroyed":false`))

// Reset aborts the request: RST_STREAM on HTTP/2, a closed connection on HTTP/1.1.
func Reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Truncated aborts in the middle of the body.
func Truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(200)
	io.WriteString(w, `{"data":{"k":`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}
