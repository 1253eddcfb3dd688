package resolve_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

func TestTheTokenIsRevoked(t *testing.T) {
	given := func(s *settings.Settings) { s.Login.Token = fake.Token }
	never := func(s *settings.Settings) { s.Revoke = vault.RevokeNever }
	any := func(s *settings.Settings) { s.Revoke = vault.RevokeAny }
	batch := fake.Status(200, `{"auth":{"client_token":"hvb.AAAA","lease_duration":600}}`)
	for name, c := range map[string]struct {
		env    string
		login  func(http.ResponseWriter, *http.Request)
		change []func(*settings.Settings)
		status int
		late   bool // the program cannot be started
		want   bool
	}{
		"when all is read":                          {env: "X=vault:kv/a#k", want: true},
		"not if the settings forbid it":             {env: "X=vault:kv/a#k", change: []func(*settings.Settings){never}},
		"not if it was given":                       {env: "X=vault:kv/a#k", change: []func(*settings.Settings){given}},
		"even a given one, if requested":            {env: "X=vault:kv/a#k", change: []func(*settings.Settings){given, any}, want: true},
		"not if the program gets it":                {env: "VAULT_TOKEN=vault:login"},
		"not if a lease depends on it":              {env: "X=vault:database/creds/a#username"},
		"not even then if requested":                {env: "X=vault:database/creds/a#username", change: []func(*settings.Settings){any}},
		"not if it is a batch token":                {env: "X=vault:kv/a#k", login: batch, status: failure.Denied},
		"when a read has failed":                    {env: "X=vault:kv/absent#k", status: failure.Missing, want: true},
		"when a value cannot be used":               {env: "X=vault:kv/a#object", status: failure.Data, want: true},
		"when a late start fails, with its leases":  {env: "X=vault:database/creds/a#username", late: true, want: true},
		"when a start fails, with its leases":       {env: "X=vault:database/creds/a#absent", status: failure.Missing, want: true},
		"even if the program was to get it":         {env: "VAULT_TOKEN=vault:login\nX=vault:kv/absent#k", status: failure.Missing, want: true},
		"not when a start fails with a given one":   {env: "X=vault:kv/absent#k", change: []func(*settings.Settings){given, any}, status: failure.Missing},
		"not when a start fails and it's forbidden": {env: "X=vault:kv/absent#k", change: []func(*settings.Settings){never}, status: failure.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, engine := fake.NewVault(t), &fake.Engine{}
			server.KV1("kv/a", `{"k":"v","object":{}}`)
			server.Handle("GET database/creds/a", engine.Lend)
			server.Says(fake.RevocationRequest, 204, "")
			if c.login != nil {
				server.Handle("POST auth/kubernetes/login", c.login)
			}
			s := resolvetest.Settings(t, server)
			s.Revoke = vault.RevokeOwn
			for _, change := range c.change {
				change(s)
			}
			resolved := resolvetest.Resolve
			if c.late {
				resolved = resolvetest.Abandon
			}
			o := resolved(t, s, strings.Split(c.env, "\n")...)
			if c.status != 0 {
				o.WantFailure(t, c.status)
			} else if o.Failure != nil {
				t.Fatal(o.Failure.Message)
			}
			if strings.Contains(o.Log, "the token was revoked") != c.want || strings.Contains(o.Log, "not revoked (") {
				t.Errorf("the log: %s", o.Log)
			}
			if c.want && !server.Revoked() {
				t.Errorf("requests %v", server.Seen())
			}
			if !c.want && slices.Contains(server.Seen(), fake.RevocationRequest) {
				t.Error("it is revoked")
			}
		})
	}
}

// What a revocation does with Vault's answers, and what it says.
func TestRevocation(t *testing.T) {
	const (
		revoked     = "vault-env: debug: the token was revoked\n"
		notRevoked  = "vault-env: warn: the token was not revoked ("
		untilTheEnd = "): it is valid until its TTL ends, 10m0s after the login\n"
		foreign     = `requests reach Vault with another token, as through a Vault Proxy with use_auto_auth_token = "force": use another address, or turn the revocation off`
	)
	denied, invalid := `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, `{"errors":["permission denied","invalid token"]}`
	silence := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		lookup, revoke []func(http.ResponseWriter, *http.Request) // answers, the last of them again and again
		want           string                                     // the only line of the log at level Warn, or revoked
		asked          string                                     // how often: look-ups, revocations; "+" for several
	}{
		"revoked":                           {want: revoked, asked: "1 1"},
		"with warnings":                     {revoke: answers(fake.Status(200, `{"warnings":["w"]}`)), want: revoked, asked: "1 1"},
		"sealed for a moment":               {revoke: answers(fake.Status(503, `{"errors":["Vault is sealed"]}`), ok), want: revoked, asked: "1 2"},
		"a rate limit":                      {revoke: answers(fake.Status(429, `{"errors":["quota"]}`, "Retry-After", "0"), fake.Status(429, ""), ok), want: revoked, asked: "1 3"},
		"a replica that has not seen it":    {revoke: answers(fake.Status(412, ""), ok), want: revoked, asked: "1 2"},
		"a reset":                           {revoke: answers(fake.Reset, ok), want: revoked, asked: "1 2"},
		"half an answer":                    {revoke: answers(fake.Truncated, ok), want: revoked, asked: "1 2"},
		"an answer that was lost":           {revoke: answers(fake.Reset, fake.Status(403, invalid)), want: revoked, asked: "1 2"},
		"sealed":                            {revoke: answers(fake.Status(503, `{"errors":["Vault is sealed"]}`)), want: notRevoked + "503 Service Unavailable: Vault is sealed" + untilTheEnd, asked: "1 +"},
		"always a reset":                    {revoke: answers(fake.Reset), want: notRevoked + ".*" + untilTheEnd, asked: "1 +"},
		"denied":                            {revoke: answers(fake.Status(403, denied)), want: notRevoked + `403: 1 error occurred:  * permission denied: grant "update" on auth/token/revoke-self in the token's policy` + untilTheEnd, asked: "1 1"},
		"no answer":                         {revoke: answers(silence), want: notRevoked + "no response within 1s" + untilTheEnd, asked: "1 2"},
		"one without an answer":             {revoke: answers(silence, ok), want: revoked, asked: "1 2"},
		"an answer that is not from Vault":  {revoke: answers(fake.Status(200, "<html>")), want: notRevoked + "the response is not from Vault" + untilTheEnd, asked: "1 1"},
		"a redirect":                        {revoke: answers(fake.Status(302, "", "Location", "https://elsewhere.invalid/")), want: notRevoked + "302, a redirect to https://elsewhere.invalid, which is not followed: .*" + untilTheEnd, asked: "1 +"},
		"its token in the answer":           {revoke: answers(fake.Status(400, `{"errors":["no `+fake.Token+`"]}`)), want: notRevoked + "400: no …" + untilTheEnd, asked: "1 1"},
		"another token":                     {lookup: says(200, fake.LookedUp("hvs.of-the-proxy")), want: notRevoked + foreign + untilTheEnd, asked: "1 0"},
		"another token, which is concealed": {lookup: says(200, `{"data":{"num_uses":0,"ttl":600}}`), want: notRevoked + foreign + untilTheEnd, asked: "1 0"},
		"an ID that is no text":             {lookup: says(200, `{"data":{"id":1}}`), want: notRevoked + foreign + untilTheEnd, asked: "1 0"},
		"an invalid token":                  {lookup: says(403, invalid), want: notRevoked + `auth/token/lookup-self: 403: permission denied; invalid token: grant "read" on it in the token's policy` + untilTheEnd, asked: "1 0"},
		"no look-up":                        {lookup: says(403, denied), want: notRevoked + `auth/token/lookup-self: 403: 1 error occurred:  * permission denied: grant "read" on it in the token's policy` + untilTheEnd, asked: "1 0"},
		"a look-up that is late":            {lookup: answers(fake.Status(503, ""), fake.Status(200, fake.LookedUp(fake.Token))), want: revoked, asked: "2 1"},
		"a look-up without answer":          {lookup: answers(silence), want: notRevoked + "auth/token/lookup-self: no response within 1s" + untilTheEnd, asked: "2 0"},
		"a look-up at no Vault":             {lookup: says(200, "<html>"), want: notRevoked + "auth/token/lookup-self: the response is not from Vault" + untilTheEnd, asked: "1 0"},
		"a look-up with nothing in it":      {lookup: says(200, "{}"), want: notRevoked + "auth/token/lookup-self: the response is not from Vault" + untilTheEnd, asked: "1 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.KV1("kv/a", `{"k":"v"}`)
			if c.lookup != nil {
				server.Handle(fake.LookupRequest, inTurn(c.lookup))
			}
			if c.revoke != nil {
				server.Handle(fake.RevocationRequest, inTurn(c.revoke))
			}
			s := resolvetest.Settings(t, server)
			s.Revoke, s.Vault.Timeout = vault.RevokeOwn, 30*time.Second
			if strings.HasSuffix(c.asked, "+") {
				s.Vault.Timeout = 2 * time.Second
			}
			o := resolvetest.Resolve(t, s, "X=vault:kv/a#k")
			o.Want(t, "X=v")
			var said []string
			for line := range strings.Lines(o.Log) {
				if strings.Contains(line, "warn:") || line == revoked {
					said = append(said, line)
				}
			}
			want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(c.want), `\.\*`, ".*") + "$")
			if len(said) != 1 || !want.MatchString(said[0]) {
				t.Errorf("the log:\n%swant %q", o.Log, c.want)
			}
			lookups, revocations := server.Count(fake.LookupRequest), server.Count(fake.RevocationRequest)
			asked := fmt.Sprint(lookups, " ", revocations)
			if strings.HasSuffix(c.asked, "+") && revocations > 1 {
				asked = fmt.Sprint(lookups, " +")
			}
			if asked != c.asked {
				t.Errorf("look-ups and revocations: %s; want %s", asked, c.asked)
			}
		})
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func answers(all ...func(http.ResponseWriter, *http.Request)) []func(http.ResponseWriter, *http.Request) {
	return all
}

func says(status int, body string) []func(http.ResponseWriter, *http.Request) {
	return answers(fake.Status(status, body))
}

// inTurn gives one answer after the other, and then the last one again and again.
func inTurn(all []func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) { all[min(int(asked.Add(1)), len(all))-1](w, r) }
}

// The order of the requests: nothing is revoked that a request still needs, and no request uses up a token.
func TestTheOrderOfTheRevocation(t *testing.T) {
	issued := func(more string) func(http.ResponseWriter, *http.Request) {
		return fake.Status(200, `{"auth":{"client_token":"`+fake.Token+`","lease_duration":600,"renewable":true`+more+`}}`)
	}
	http1 := func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }
	login, read := "POST auth/kubernetes/login", "GET kv/a"
	for name, c := range map[string]struct {
		login  func(http.ResponseWriter, *http.Request)
		change []func(*tls.Config)
		used   bool // the reading was the last use
		want   []string
	}{
		"a limited number of uses":             {login: issued(`,"num_uses":3`), want: []string{login, read, fake.LookupRequest, fake.RevocationRequest}},
		"no uses left":                         {login: issued(`,"num_uses":1`), used: true, want: []string{login, read, fake.LookupRequest}},
		"a Vault that does not say how many":   {login: issued(""), want: []string{login, read, fake.LookupRequest, fake.RevocationRequest}},
		"one request at a time for HTTP/1.1":   {login: issued(`,"num_uses":0`), change: []func(*tls.Config){http1}, want: []string{login, read, fake.LookupRequest, fake.RevocationRequest}},
		"any number of uses: all at once, but": {login: issued(`,"num_uses":0`), want: []string{login, "GET", "GET", fake.RevocationRequest}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t, c.change...)
			server.KV1("kv/a", `{"k":"v"}`)
			server.Handle(login, c.login)
			if c.used {
				server.Says(fake.LookupRequest, 403, `{"errors":["permission denied","invalid token"]}`)
			}
			if c.want[1] == "GET" { // neither is answered before the other is asked
				var both sync.WaitGroup
				both.Add(2)
				for request, body := range map[string]string{read: `{"data":{"k":"v"}}`, fake.LookupRequest: fake.LookedUp(fake.Token)} {
					server.Handle(request, func(w http.ResponseWriter, _ *http.Request) {
						both.Done()
						both.Wait()
						io.WriteString(w, body)
					})
				}
			}
			s := resolvetest.Settings(t, server)
			s.Revoke, s.Vault.Timeout = vault.RevokeOwn, 30*time.Second
			o := resolvetest.Resolve(t, s, "X=vault:kv/a#k")
			if o.Want(t, "X=v"); !strings.Contains(o.Log, "the token was revoked") {
				t.Errorf("the log: %s", o.Log)
			}
			seen := server.Seen()
			for i, want := range c.want {
				if i >= len(seen) || !strings.HasPrefix(seen[i], want) {
					t.Fatalf("%v; want %v", seen, c.want)
				}
			}
			if len(seen) != len(c.want) {
				t.Errorf("%v; want %v", seen, c.want)
			}
		})
	}
}

// Two starts with the same ServiceAccount token never get one token, which the first would revoke for both: the cache of a
// Vault Proxy takes equal requests for one. A look-up or a reading may come from a cache.
func TestLoginsAreNeverEqual(t *testing.T) {
	server := fake.NewVault(t)
	var mu sync.Mutex
	ids := map[string]int{}
	note := func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		ids[r.Header.Get("X-Request-Id")]++
	}
	server.Handle("POST auth/kubernetes/login", func(w http.ResponseWriter, r *http.Request) { note(r); server.Login(w, r) })
	server.Handle("GET kv/a", func(w http.ResponseWriter, r *http.Request) {
		note(r)
		io.WriteString(w, `{"data":{"k":"v"}}`)
	})
	s := resolvetest.Settings(t, server)
	for range 3 {
		resolvetest.Resolve(t, s, "X=vault:kv/a#k").Want(t, "X=v")
	}
	if len(ids) != 4 || ids[""] != 3 {
		t.Errorf("%v; want three different IDs of logins, and no others", ids)
	}
}

// The start waits until Vault has answered: the end of a connection may cancel the request on its way.
func TestTheStartWaitsForTheRevocation(t *testing.T) {
	server := fake.NewVault(t)
	server.KV1("kv/a", `{"k":"v"}`)
	asked, release := make(chan struct{}), make(chan struct{})
	server.Handle(fake.RevocationRequest, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-release:
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	})
	s := resolvetest.Settings(t, server)
	s.Revoke = vault.RevokeOwn
	r, f := resolve.Resolve(t.Context(), []string{"X=vault:kv/a#k"}, s, &logging.Logger{Out: io.Discard, Level: logging.Error})
	if f != nil {
		t.Fatal(f)
	}
	<-asked // while the program is being prepared
	settled := make(chan struct{})
	var log bytes.Buffer
	go func() {
		r.Settle(t.Context(), &logging.Logger{Out: &log, Level: logging.Debug, Now: time.Now})
		close(settled)
	}()
	select {
	case <-settled:
		t.Error("it does not wait")
	default:
	}
	close(release)
	<-settled
	if log.String() != "vault-env: debug: the token was revoked\n" {
		t.Errorf("the log: %s", log.String())
	}
}

// A start that fails does not fail otherwise because of the revocation, and says what is left behind.
func TestAFailedStartAndAFailedRevocation(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"denied": fake.Status(403, `{"errors":["permission denied"]}`), "sealed": fake.Status(503, `{"errors":["Vault is sealed"]}`), "reset": fake.Reset, "truncated": fake.Truncated,
		"an answer that is not from Vault": fake.Status(200, "<html>"), "a redirect": fake.Status(307, "", "Location", "https://elsewhere.invalid/"),
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.Handle(fake.RevocationRequest, answer)
			s := resolvetest.Settings(t, server)
			s.Revoke, s.Vault.Timeout = vault.RevokeOwn, 300*time.Second // which it would use up
			o := resolvetest.Resolve(t, s, "X=vault:kv/absent#k")
			if o.WantFailure(t, failure.Missing, "kv/absent"); strings.Count(o.Log, "warn: the token was not revoked (") != 1 {
				t.Errorf("the log: %s", o.Log)
			}
		})
	}
}
