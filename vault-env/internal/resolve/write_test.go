package resolve_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

func TestWrites(t *testing.T) {
	server, engine := fake.NewVault(t), &fake.Engine{}
	server.Handle("PUT pki/issue/web", engine.Lend)
	s := resolvetest.Settings(t, server)
	resolvetest.Resolve(t, s,
		`USER=>>vault:pki/issue/web#username#{"common_name": "a", "ttl":"1h"}`,
		`PASSWORD=>>vault:pki/issue/web#password#{"common_name":"a","ttl" : "1h"}`,
		`BOTH=${>>vault:pki/issue/web#${.username}:${.password}#{"common_name":"a","ttl":"1h"}}@x`,
	).Want(t, "USER=u1", "PASSWORD=hunter2-1", "BOTH=u1:hunter2-1@x")
	if len(engine.Bodies) != 1 || engine.Bodies[0] != `{"common_name":"a","ttl":"1h"}` {
		t.Errorf("bodies %q; want one for all of them", engine.Bodies)
	}
}

func TestDifferentWritesAreDifferentRequests(t *testing.T) {
	server, engine := fake.NewVault(t), &fake.Engine{}
	server.Handle("PUT pki/issue/web", engine.Lend)
	server.Handle("GET pki/issue/web", engine.Lend)
	o := resolvetest.Resolve(t, resolvetest.Settings(t, server), `A=>>vault:pki/issue/web#username`, `B=>>vault:pki/issue/web#username#{}`, `C=>>vault:pki/issue/web#username#{"a":1}`, `D=vault:pki/issue/web#username`)
	if o.Failure != nil {
		t.Fatal(o.Failure.Message)
	}
	got := map[string]int{}
	for _, body := range engine.Bodies {
		got[body]++
	}
	if len(engine.Bodies) != 3 || got["{}"] != 1 || got[`{"a":1}`] != 1 || got[""] != 1 {
		t.Errorf("bodies %q; want {} for A and B, one for C, none for the read", engine.Bodies)
	}
	if value := func(i int) string { return strings.SplitN(o.Env[i], "=", 2)[1] }; value(0) != value(1) || value(1) == value(2) || value(2) == value(3) {
		t.Errorf("%q", o.Env)
	}
}

func TestPathsThatMayBeWritten(t *testing.T) {
	for name, c := range map[string]struct {
		environment fake.Fields
		entry       string
		says        string // empty: allowed
	}{
		"a write in the list, wherever reads are allowed":                             {fake.Fields{"writes": []string{"pki/issue/*"}, "allowedPaths": []string{"kv/*"}}, "X=>>vault:pki/issue/web#username", ""},
		"a write that is not in the list":                                             {fake.Fields{"writes": []string{"pki/sign/*", "pki/issue/shop"}}, "X=a ${>>vault:pki/issue/web#username}", `X: the policy's environment.writes does not allow writing to "pki/issue/web"`},
		"a write where only reads are allowed":                                        {fake.Fields{"writes": []string{"pki/sign/*"}, "allowedPaths": []string{"pki/issue/*"}}, "X=>>vault:pki/issue/web#username", "environment.writes"},
		"a write if nothing may be written":                                           {fake.Fields{"writes": []string{}}, "X=>>vault:pki/issue/web#username", "environment.writes"},
		"a read where only writes are allowed":                                        {fake.Fields{"writes": []string{"pki/issue/*"}, "allowedPaths": []string{"kv/*"}}, "X=vault:pki/issue/web#username", "allowedPaths"},
		"a read, which writes says nothing about":                                     {fake.Fields{"writes": []string{}}, "X=vault:pki/issue/web#username", ""},
		"a write where the operator says what may refer, but not what may be written": {fake.Fields{"references": fake.Fields{"names": []string{"X"}}}, "X=>>vault:pki/issue/web#username", "environment.writes"},
		"a write in the configuration of an older operator":                           {fake.Fields{}, "X=>>vault:pki/issue/web#username", ""},
		"a write outside of the only bounds that an older operator knew of":           {fake.Fields{"allowedPaths": []string{"kv/*"}}, "X=>>vault:pki/issue/web#username", "allowedPaths"},
	} {
		t.Run(name, func(t *testing.T) {
			server, engine := fake.NewVault(t), &fake.Engine{}
			server.Handle("PUT pki/issue/web", engine.Lend)
			server.Handle("GET pki/issue/web", engine.Lend)
			o := resolvetest.Resolve(t, resolvetest.Settings(t, server, func(f fake.Fields) {
				if f["references"] = c.environment["references"]; f["references"] == nil {
					f["environment"] = c.environment
				}
			}), c.entry)
			if c.says == "" {
				o.Want(t, "X=u1")
				return
			}
			o.WantFailure(t, failure.Settings, c.says)
			if seen := server.Seen(); len(seen) > 0 {
				t.Errorf("Vault was asked: %v", seen)
			}
		})
	}
}

func TestWriteFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request)
		status  int
		says    []string
		ignored bool // by ignoreMissing
	}{
		"denied":                    {fake.Status(403, `{"errors":["permission denied"]}`), failure.Denied, []string{`X: Vault denied writing "pki/issue/web" (403: permission denied)`, `"update"`}, false},
		"a body that Vault refuses": {fake.Status(400, `{"errors":["common name is required"]}`), failure.Denied, []string{`X: Vault refused to write "pki/issue/web" (400: common name is required)`, "JSON"}, false},
		"no such mount":             {fake.Status(404, `{"errors":["no handler for route"]}`), failure.Missing, []string{"404: no handler for route"}, false},
		"an empty answer":           {fake.Status(204, ""), failure.Missing, []string{"returns nothing"}, true},
		"no data":                   {fake.Status(200, `{"auth":{"client_token":"x"}}`), failure.Protocol, []string{"is not from Vault"}, false},
		"no such key":               {fake.Status(200, `{"data":{"other":"x"}}`), failure.Missing, []string{`no key "username"`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := fake.NewVault(t)
			server.Handle("PUT pki/issue/web", c.answer)
			s := resolvetest.Settings(t, server)
			resolvetest.Resolve(t, s, "X=>>vault:pki/issue/web#username").WantFailure(t, c.status, c.says...)
			s.IgnoreMissing = true
			o := resolvetest.Resolve(t, s, "X=>>vault:pki/issue/web#username", "Y=1")
			if c.ignored {
				o.Want(t, "Y=1")
				return
			}
			o.WantFailure(t, c.status)
		})
	}
}

func TestLeasesAreRecorded(t *testing.T) {
	server, engine := fake.NewVault(t), &fake.Engine{}
	server.Handle("GET database/creds/ro", engine.Lend)
	server.Handle("PUT database/creds/rw", engine.Lend)
	server.KV1("kv/a", `{"k":"v"}`)
	s := resolvetest.Settings(t, server)
	s.FromPaths = []settings.FromPath{{Path: "database/creds/ro", Prefix: "DB_"}}
	r, f := resolve.Resolve(t.Context(), environment.Variables{"A=vault:database/creds/ro#username", "B=vault:database/creds/ro#password", "C=${>>vault:database/creds/rw#username}", "D=vault:kv/a#k"}, s, &logging.Logger{Out: io.Discard, Now: time.Now})
	if f != nil {
		t.Fatal(f)
	}
	if len(r.Leases) != 2 || len(engine.Bodies) != 2 {
		t.Fatalf("leases %+v; requests %v", r.Leases, server.Seen())
	}
	for i, want := range []vault.Lease{
		{Duration: time.Hour, Renewable: true, Request: vault.Request{Path: "database/creds/ro"}},
		{Duration: time.Hour, Renewable: true, Request: vault.Request{Path: "database/creds/rw", Write: true, Body: "{}"}},
	} {
		got := r.Leases[i]
		if !strings.HasPrefix(got.ID, want.Request.Path+"/lease") {
			t.Errorf("lease %d has the id %q", i, got.ID)
		}
		got.ID = ""
		if got != want {
			t.Errorf("lease %d is %+v; want %+v", i, got, want)
		}
	}
	if r.Token.Lease != (vault.Lease{Duration: 10 * time.Minute, Renewable: true}) {
		t.Errorf("the token's lease is %+v", r.Token.Lease)
	}
}
