package vault

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"vaultinjection.dev/vault-env/internal/retry"
)

// unhurriedTime is how long a cancelled request may still get its answer.
const unhurriedTime = time.Second

// Unhurried returns an exchange that waits a moment longer for the answer to a request that Vault may have, if its
// context is cancelled: the answer to a login is a token, which can only be revoked if it is known. A request that has
// not been sent yet is cancelled at once. If one that was sent remains without an answer nevertheless, unanswered is
// called.
func Unhurried(e retry.Exchange, unanswered func()) retry.Exchange {
	send := e.Send
	e.Send = func(ctx context.Context) (*retry.Answer, time.Duration, error) {
		patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		if deadline, limited := ctx.Deadline(); limited {
			patient, cancel = context.WithDeadline(patient, deadline)
			defer cancel()
		}
		var sent atomic.Bool
		patient = httptrace.WithClientTrace(patient, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
		})
		stop := context.AfterFunc(ctx, func() {
			if sent.Load() {
				time.AfterFunc(unhurriedTime, cancel)
				return
			}
			cancel()
		})
		defer stop()
		answer, wait, err := send(WithEffect(patient))
		if patient.Err() == context.DeadlineExceeded {
			<-ctx.Done() // it has the same deadline, but maybe not noticed yet: the caller asks whether that is why there is no answer
		}
		if sent.Load() && lost(answer, err) {
			unanswered()
		}
		return answer, wait, err
	}
	return e
}

// lost returns whether Vault may have answered a request that was sent, and its answer is not known: the connection was
// silent or broke, or the proxy that waited for the answer gave up.
func lost(answer *retry.Answer, err error) bool {
	return err != nil || answer.Status == http.StatusGatewayTimeout && !IsVaults(answer.Body)
}
