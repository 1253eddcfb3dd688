package renewal

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/vault"
)

// Vault 1.21's answers, word for word, unless another source is named.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name, path string
		status     int
		body       string
		want       renewal
	}{
		{"a lease", "sys/leases/renew", 200, `{"request_id":"x","lease_id":"database/creds/r/x","renewable":true,"lease_duration":3600,"data":null,"auth":null}`,
			renewal{verdict: extended, duration: time.Hour, renewable: true}},
		{"a token", "auth/token/renew-self", 200, `{"lease_id":"","renewable":false,"lease_duration":0,"data":null,"warnings":["TTL of \"5s\" exceeded the effective max_ttl of \"4s\"; TTL value is capped accordingly"],"auth":{"client_token":"t","lease_duration":4,"renewable":true}}`,
			renewal{verdict: extended, duration: 4 * time.Second, renewable: true}},
		{"a token that is looked up", "auth/token/lookup-self", 200, `{"lease_id":"","data":{"ttl":2764790,"creation_ttl":2764800,"renewable":true}}`,
			renewal{verdict: extended, duration: 2764790 * time.Second, renewable: true}},
		{"a root token", "auth/token/lookup-self", 200, `{"data":{"ttl":0,"expire_time":null,"renewable":false}}`, renewal{verdict: extended}},
		{"beyond all time", "sys/leases/renew", 200, `{"lease_id":"x","lease_duration":9223372036854775807,"renewable":true}`, renewal{verdict: extended, duration: 10 * 365 * 24 * time.Hour, renewable: true}},
		{"below zero", "sys/leases/renew", 200, `{"lease_id":"x","lease_duration":-5,"renewable":true}`, renewal{verdict: extended, renewable: true}},
		{"a duration that is no number", "sys/leases/renew", 200, `{"lease_id":"x","lease_duration":"1h"}`, renewal{verdict: failed}},
		{"a fraction", "sys/leases/renew", 200, `{"lease_id":"x","lease_duration":1.5}`, renewal{verdict: failed}},
		{"a TTL that is no number", "auth/token/lookup-self", 200, `{"data":{"ttl":"1h"}}`, renewal{verdict: failed}},
		{"no duration", "sys/leases/renew", 200, `{"lease_id":"x"}`, renewal{verdict: extended}},
		{"an empty answer", "sys/leases/renew", 200, ``, renewal{verdict: failed}},
		{"no lease", "sys/leases/renew", 200, `{}`, renewal{verdict: failed}},
		{"nobody's answer", "sys/leases/renew", 200, `<html>welcome`, renewal{verdict: failed}},
		{"nothing", "sys/leases/renew", 204, ``, renewal{verdict: failed}},
		{"ended or revoked", "sys/leases/renew", 400, `{"errors":["lease not found"]}`, renewal{verdict: over}},
		{"ended, not yet taken back", "sys/leases/renew", 400, `{"errors":["lease expired"]}`, renewal{verdict: over}},
		{"not renewable", "sys/leases/renew", 400, `{"errors":["lease is not renewable"]}`, renewal{verdict: fixed}},
		{"a batch token", "auth/token/renew-self", 400, `{"errors":["batch tokens cannot be renewed"]}`, renewal{verdict: fixed}},
		{"the database is away", "sys/leases/renew", 400, `{"errors":["failed to renew entry: resp: (*logical.Response)(nil) err: dial tcp: connection refused"]}`, renewal{verdict: failed}},
		{"no permission", "sys/leases/renew", 403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, renewal{verdict: fixed}},
		{"the token is gone", "sys/leases/renew", 403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`, renewal{verdict: over}},
		{"an ingress without backend", "sys/leases/renew", 404, `default backend - 404`, renewal{verdict: failed}},
		{"a redirect to nowhere", "sys/leases/renew", 307, ``, renewal{verdict: failed}},
		{"a standby, as a proxy sees it", "sys/leases/renew", 473, ``, renewal{verdict: away}},
		{"an error of one lease", "sys/leases/renew", 500, `{"errors":["internal error"]}`, renewal{verdict: failed}},
		{"sealed", "sys/leases/renew", 503, `{"errors":["Vault is sealed"]}`, renewal{verdict: away}},
		{"a proxy alone", "sys/leases/renew", 502, `<html>`, renewal{verdict: away}},
		{"too many requests", "sys/leases/renew", 429, `{"errors":["rate limit quota exceeded"]}`, renewal{verdict: away}},
		{"a replica that lags behind", "sys/leases/renew", 412, `{"errors":["required index state not present"]}`, renewal{verdict: away}},
	} {
		got := judge(c.path, &retry.Answer{Status: c.status, Body: []byte(c.body)})
		if (got.reason == "") != (c.want.verdict == extended) {
			t.Errorf("%s: reason %q", c.name, got.reason)
		}
		got.reason = ""
		if got != c.want {
			t.Errorf("%s: got %+v; want %+v", c.name, got, c.want)
		}
	}
}

// A standby that cannot forward is a Vault that is away, like one that is sealed.
func TestARedirectElsewhereIsNoVerdictOnTheLease(t *testing.T) {
	got := judge("sys/leases/renew", &retry.Answer{Status: 307, Elsewhere: "https://vault-1:8200"})
	if got.verdict != away || !strings.Contains(got.reason, "307, a redirect to https://vault-1:8200") {
		t.Errorf("%+v", got)
	}
}

func lenderOf(t *testing.T, server *fake.Vault) (*vaultLender, *bytes.Buffer) {
	var b bytes.Buffer
	s := resolvetest.Settings(t, server)
	s.Vault.Timeout = 3 * time.Second
	return &vaultLender{settings: &s.Vault, token: fake.Token, log: &logging.Logger{Out: &b, Level: logging.Debug, Now: time.Now}}, &b
}

func TestLenderRequests(t *testing.T) {
	server := fake.NewVault(t)
	body := ""
	server.Handle("PUT sys/leases/renew", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = r.Header.Get("X-Vault-Token") + " " + string(b)
		io.WriteString(w, `{"lease_id":"db/1","lease_duration":60,"renewable":true}`)
	})
	server.Says("PUT auth/token/renew-self", 200, `{"auth":{"client_token":"`+fake.Token+`","lease_duration":90,"renewable":true}}`)
	server.Says("GET auth/token/lookup-self", 200, `{"data":{"ttl":30,"renewable":false}}`)
	l, _ := lenderOf(t, server)
	for _, c := range []struct {
		lease vault.Lease
		want  renewal
	}{
		{vault.Lease{ID: "db/1", Duration: time.Minute}, renewal{verdict: extended, duration: time.Minute, renewable: true}},
		{vault.Lease{Duration: time.Minute}, renewal{verdict: extended, duration: 90 * time.Second, renewable: true}},
		{vault.Lease{}, renewal{verdict: extended, duration: 30 * time.Second}},
	} {
		if got := l.renew(t.Context(), c.lease); got != c.want {
			t.Errorf("%+v: got %+v; want %+v", c.lease, got, c.want)
		}
	}
	if body != fake.Token+` {"lease_id":"db/1"}` {
		t.Errorf("sent %s", body)
	}
}

func TestLenderWithoutVault(t *testing.T) {
	server := fake.NewVault(t)
	l, _ := lenderOf(t, server)
	server.Handle("PUT sys/leases/renew", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.verdict != away || r.reason == "" {
		t.Errorf("reset: %+v", r)
	}
	server.Handle("PUT sys/leases/renew", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.verdict != away || r.reason != "timeout" {
		t.Errorf("silence: %+v", r)
	}
	server.Handle("PUT sys/leases/renew", fake.Status(503, `{"errors":["Vault is sealed"]}`, "Retry-After", "7"))
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.verdict != away || r.wait != 7*time.Second || !strings.Contains(r.reason, "sealed") {
		t.Errorf("sealed: %+v", r)
	}
}

// If a CA is renewed while the program runs, its file has new content.
func TestLenderReadsTheCAAgain(t *testing.T) {
	server := fake.NewVault(t)
	server.Says("PUT sys/leases/renew", 200, `{"lease_id":"db/1","lease_duration":60,"renewable":true}`)
	l, _ := lenderOf(t, server)
	l.settings.CAPEM, l.settings.CAFile = "", fake.File(t, "ca", "")
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.verdict != away || !strings.Contains(r.reason, "contains no certificate") {
		t.Errorf("%+v", r)
	}
	l.settings.CAFile = fake.File(t, "ca", fake.NewCA(t))
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.verdict != away || !strings.Contains(r.reason, "certificate") {
		t.Errorf("%+v", r)
	}
	l.settings.CAFile = fake.File(t, "ca", server.CaPEM())
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.verdict != extended {
		t.Errorf("%+v", r)
	}
}

func TestLenderHidesWhatIsSecret(t *testing.T) {
	server := fake.NewVault(t)
	server.Says("PUT sys/leases/renew", 400, `{"errors":["no lease db/1 of `+fake.Token+`"]}`)
	l, _ := lenderOf(t, server)
	if r := l.renew(t.Context(), vault.Lease{ID: "db/1"}); r.reason != "400: no lease … of …" {
		t.Errorf("%+v", r)
	}
}

func TestGiveBack(t *testing.T) {
	for name, c := range map[string]struct {
		token bool
		want  []string
	}{
		"the token with its leases": {true, []string{"GET auth/token/lookup-self", "PUT auth/token/revoke-self"}},
		"only the leases":           {false, []string{"PUT sys/leases/revoke", "PUT sys/leases/revoke"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			server.Says("PUT auth/token/revoke-self", 204, "")
			server.Says("PUT sys/leases/revoke", 204, "")
			l, log := lenderOf(t, server)
			l.giveBack(t.Context(), c.token, []vault.Lease{{}, {ID: "db/1"}, {ID: "db/2"}})
			if got := server.Seen(); strings.Join(got, "\n") != strings.Join(c.want, "\n") || log.String() != "" {
				t.Errorf("%v, log %s", got, log)
			}
		})
	}
	for name, c := range map[string]struct {
		lookup, revoke func(http.ResponseWriter, *http.Request)
		want           []string
		log            string
	}{
		"the leases, if they are another token's": {fake.Status(200, fake.LookedUp("hvs.of-the-proxy")), nil,
			[]string{"GET auth/token/lookup-self", "PUT sys/leases/revoke"}, "vault-env: warn: the token was not revoked (requests reach Vault with another token"},
		"nothing more, if the token may not be revoked": {nil, fake.Status(403, `{"errors":["permission denied"]}`),
			[]string{"GET auth/token/lookup-self", "PUT auth/token/revoke-self"}, `vault-env: warn: the token was not revoked (403: permission denied: grant "update" on auth/token/revoke-self in the token's policy): it is valid until its TTL ends` + "\n"},
		"nothing, if it has ended": {fake.Status(403, `{"errors":["permission denied","invalid token"]}`), nil,
			[]string{"GET auth/token/lookup-self"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			server.Says("PUT sys/leases/revoke", 204, "")
			if c.lookup != nil {
				server.Handle(fake.LookupRequest, c.lookup)
			}
			if c.revoke != nil {
				server.Handle(fake.RevocationRequest, c.revoke)
			}
			l, log := lenderOf(t, server)
			l.giveBack(t.Context(), true, []vault.Lease{{}, {ID: "db/1"}})
			if got := server.Seen(); strings.Join(got, "\n") != strings.Join(c.want, "\n") || !strings.HasPrefix(log.String(), c.log) || c.log == "" && log.Len() > 0 {
				t.Errorf("%v, log %s", got, log)
			}
		})
	}
	t.Run("not allowed", func(t *testing.T) {
		server := fake.NewVault(t)
		server.Says("PUT sys/leases/revoke", 403, `{"errors":["permission denied"]}`)
		l, log := lenderOf(t, server)
		if l.giveBack(t.Context(), false, []vault.Lease{{ID: "db/1"}}); !strings.HasPrefix(log.String(), "vault-env: debug: sys/leases/revoke: 403: permission denied") {
			t.Errorf("log %s", log)
		}
	})
}
