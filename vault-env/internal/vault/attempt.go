package vault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"time"
)

// The shortest silence that ends an attempt: with a very short timeout, another one would not help either.
const leastSilence = time.Second

type effectKey struct{}

// WithEffect returns the context of a request that may create or use up something: a login, a write, the reading of a
// dynamic secret. Sent twice, it has its effect twice, and nobody knows the first token or lease; so it is sent again
// only after a longer silence.
func WithEffect(ctx context.Context) context.Context {
	return context.WithValue(ctx, effectKey{}, true)
}

// silence returns how long a server may be silent before another attempt is made: a quarter of the time left, and two
// thirds if there was silence before, or if the request has an effect. Of the default of 10 s that is 2.5 s, then 5 s:
// one silent connection, or two, leave time for another, and yet a slow answer may take half of the timeout, or two
// thirds. Without a deadline there is no limit.
func silence(ctx context.Context, before bool) time.Duration {
	deadline, limited := ctx.Deadline()
	if !limited {
		return 0
	}
	left := time.Until(deadline)
	if before || ctx.Value(effectKey{}) != nil {
		return max(left*2/3, leastSilence)
	}
	return max(left/4, leastSilence)
}

// errSilent ends an attempt whose connection is open, but silent.
type errSilent struct{ limit time.Duration }

func (e errSilent) Error() string {
	return fmt.Sprintf("no response within %s", e.limit.Round(100*time.Millisecond))
}

// watch ends an attempt once its server has been silent for too long. The time begins when there is a connection: to
// wait for one of few is no silence, and dialing has limits of its own.
type watch struct {
	limit  time.Duration // zero: none
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
	remote string // the address of the connection
}

// newWatch returns a watch of one attempt, which calls connected with the connection that it gets.
func newWatch(ctx context.Context, limit time.Duration, connected func(net.Conn)) *watch {
	w := &watch{limit: limit}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	if limit > 0 {
		w.timer = time.AfterFunc(limit, func() { w.cancel(errSilent{limit}) })
		w.timer.Stop()
	}
	w.ctx = httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		w.remote = info.Conn.RemoteAddr().String()
		connected(info.Conn)
		w.heard()
	}})
	return w
}

// heard begins the time again.
func (w *watch) heard() {
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
}

// stop ends the watch.
func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel(nil)
}

// silent returns the error of an attempt that ended because of silence.
func (w *watch) silent() (errSilent, bool) {
	var e errSilent
	return e, errors.As(context.Cause(w.ctx), &e)
}
