package renewal

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/vault"
)

// vaultLender renews and revokes the leases of one token.
type vaultLender struct {
	settings *vault.Connection
	token    string
	log      *logging.Logger
	client   *vault.Client // nil: create a new one
}

// renew renews a lease with one request. If the TTL of a token is not known, it looks the token up instead.
func (v *vaultLender) renew(ctx context.Context, l vault.Lease) renewal {
	ctx, cancel := context.WithTimeout(ctx, v.settings.Timeout)
	defer cancel()
	method, path := http.MethodPut, "sys/leases/renew"
	switch {
	case l.ID == "" && l.Duration > 0:
		path = "auth/token/renew-self"
	case l.ID == "":
		method, path = http.MethodGet, "auth/token/lookup-self"
	}
	answer, wait, reason := v.send(ctx, method, path, l.ID)
	if answer == nil {
		return renewal{verdict: away, reason: reason}
	}
	r := judge(path, answer)
	r.wait, r.reason = wait, v.hide(r.reason, l.ID)
	return r
}

// giveBack revokes the token and its leases, or only the leases. A failure is only logged: what is not revoked expires
// on its own.
func (v *vaultLender) giveBack(ctx context.Context, revokeToken bool, leases []vault.Lease) {
	if revokeToken && !v.revokeToken(ctx) {
		return
	}
	for _, l := range leases {
		if l.ID != "" && ctx.Err() == nil {
			v.revoke(ctx, "sys/leases/revoke", l.ID)
		}
	}
}

// revokeToken revokes the token, and returns whether the leases are left, because they are another token's.
func (v *vaultLender) revokeToken(ctx context.Context) (leasesAreLeft bool) {
	reason := v.connect()
	if reason == "" {
		reason, leasesAreLeft = v.client.Revoke(ctx)
	}
	if reason != "" {
		vault.LogRevocation(reason, 0, v.log)
	}
	return leasesAreLeft
}

func (v *vaultLender) revoke(ctx context.Context, path, id string) {
	answer, _, reason := v.send(ctx, http.MethodPut, path, id)
	if answer != nil && answer.Status < 300 {
		return
	}
	if answer != nil {
		reason = v.hide(retry.StatusText(answer.Status, vault.Errors(answer.Body)), id)
	}
	if v.log.Debugs() {
		v.log.Debug(path + ": " + reason)
	}
}

// send sends one request, and returns a reason if there is no answer.
func (v *vaultLender) send(ctx context.Context, method, path, id string) (*retry.Answer, time.Duration, string) {
	if reason := v.connect(); reason != "" {
		return nil, 0, reason
	}
	var body []byte
	if id != "" {
		body, _ = json.Marshal(map[string]string{"lease_id": id}) // no string fails
	}
	answer, wait, err := v.client.Once(ctx, method, path, body)
	if err != nil {
		// The next attempt reads the CA files again: they may have been renewed.
		v.client.Close()
		v.client = nil
		return nil, 0, v.hide(vault.Describe(nil, err), id)
	}
	return answer, wait, ""
}

// connect creates a client if there is none, and returns why it cannot: a file that the settings name may be missing at
// the moment.
func (v *vaultLender) connect() (reason string) {
	if v.client != nil {
		return ""
	}
	c, f := vault.NewClient(v.settings, true, v.log)
	if f != nil {
		return f.Message
	}
	c.Token = v.token
	v.client = c
	return ""
}

func (v *vaultLender) hide(text, id string) string {
	if id != "" {
		text = strings.ReplaceAll(text, id, "…")
	}
	return strings.ReplaceAll(text, v.token, "…")
}

// judge returns what an answer to a renewal means. Vault answers 400 to everything that goes wrong with a lease: only
// the text distinguishes a lease that has ended from a database that is unavailable.
func judge(path string, a *retry.Answer) renewal {
	said := vault.Errors(a.Body)
	switch {
	case a.Status == http.StatusOK:
		return judgeOK(a)
	case a.Elsewhere != "" || retry.Worth(a.Status) && a.Status != http.StatusInternalServerError:
		return renewal{verdict: away, reason: vault.Describe(a, nil)}
	case a.Status == http.StatusForbidden && strings.Contains(said, "invalid token"):
		return renewal{verdict: over, reason: "the token is no longer valid"}
	case a.Status == http.StatusForbidden:
		return renewal{verdict: fixed, reason: `permission denied: grant "update" on ` + path + " in the token's policy"}
	case a.Status == http.StatusBadRequest && (strings.Contains(said, "lease not found") || strings.Contains(said, "lease expired")):
		return renewal{verdict: over, reason: "Vault no longer knows it: it expired or was revoked"}
	case a.Status == http.StatusBadRequest && (strings.Contains(said, "not renewable") || strings.Contains(said, "cannot be renewed")):
		return renewal{verdict: fixed, reason: "it is not renewable"}
	}
	return renewal{verdict: failed, reason: retry.StatusText(a.Status, said)}
}

func judgeOK(a *retry.Answer) renewal {
	body, err := vault.Decode(a.Body)
	if err != nil {
		return renewal{verdict: failed, reason: "the response is not from Vault"}
	}
	switch {
	case body.Auth != nil:
		l := vault.TokenLease(body.Auth)
		return renewal{verdict: extended, duration: l.Duration, renewable: l.Renewable}
	case body.LeaseID != "":
		return renewal{verdict: extended, duration: vault.Seconds(body.LeaseDuration), renewable: body.Renewable}
	case body.Data["ttl"] != nil: // from a token lookup
		ttl, _ := body.Data["ttl"].(json.Number)
		n, err := ttl.Int64()
		renewable, _ := body.Data["renewable"].(bool)
		if err != nil {
			return renewal{verdict: failed, reason: "the response is not from Vault"}
		}
		return renewal{verdict: extended, duration: vault.Seconds(n), renewable: renewable}
	}
	return renewal{verdict: failed, reason: "the response is not from Vault"}
}
