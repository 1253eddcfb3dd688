package vault

import (
	"context"
	"net/http"

	"vaultinjection.dev/vault-env/internal/retry"
)

const lookupPath = "auth/token/lookup-self"

// Identity is the answer to whose token the requests of a client arrive with. A Vault Proxy or Agent with
// use_auto_auth_token = "force" replaces it with its own, and says so nowhere: it removes ID and accessor from a look-up
// of its token (handler.go in command/agentproxyshared/cache of Vault). Other proxies that replace the token return the
// ID of theirs. So only a look-up that returns the token itself is proof.
type Identity struct {
	done    chan struct{}
	verdict verdict
	reason  string // unless it is confirmed
	hurry   context.CancelFunc
	cancel  context.CancelFunc
}

type verdict int

const (
	unknown   verdict = iota // Vault did not say
	confirmed                // it is the client's own
	used                     // the token that arrived is no longer valid
	foreign                  // it is another one
)

// identify looks the token up. hurry says that the caller waits for it already.
func (c *Client) identify(ctx context.Context, hurry bool) *Identity {
	i := &Identity{done: make(chan struct{})}
	other := *c // whose answers count towards no limit
	other.allowance = nil
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	i.cancel = func() { cancel(errSilent{answerTime}) } // what to say if that is all there is to say
	waiting, hurryUp := context.WithCancel(context.Background())
	i.hurry = hurryUp
	if hurry {
		hurryUp()
	}
	go func() {
		defer close(i.done)
		if answer, reason := other.insist(ctx, waiting, http.MethodGet, lookupPath); answer == nil {
			i.reason = lookupPath + ": " + reason
		} else {
			i.verdict, i.reason = other.judge(answer)
		}
	}()
	return i
}

func (c *Client) judge(answer *retry.Answer) (verdict, string) {
	if answer.Status != http.StatusOK {
		reason := lookupPath + ": " + c.refusal(answer, `grant "read" on it in the token's policy`)
		if isInvalidToken(answer) {
			return used, reason
		}
		return unknown, reason
	}
	body, err := Decode(answer.Body)
	if err != nil || body.Data == nil {
		return unknown, lookupPath + ": the response is not from Vault"
	}
	if id, _ := body.Data["id"].(string); id != c.Token {
		return foreign, `requests reach Vault with another token, as through a Vault Proxy with use_auto_auth_token = "force": use another address, or turn the revocation off`
	}
	return confirmed, ""
}

// wait returns the verdict, and why it is not confirmed.
func (i *Identity) wait(ctx context.Context) (verdict, string) {
	i.hurry()
	select {
	case <-i.done:
		return i.verdict, i.reason
	case <-ctx.Done():
		i.cancel()
		<-i.done
		return i.verdict, i.reason
	}
}

// Release ends the look-up if it is not needed.
func (i *Identity) Release() {
	if i != nil {
		i.hurry()
		i.cancel()
	}
}
