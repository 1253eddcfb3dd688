package resolve_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/resolvetest"
	"vaultinjection.dev/vault-env/internal/settings"
)

func TestResolve(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/db", `{"user":"shop","password":"hunter2","port":5432,"big":12345678901234567890,"float":1.50,"exp":1e3,"on":true,"none":null,"hosts":["a","b"],"tls":{"ca":"x"},"reference":"vault:secret/data/db#user","inline":"${vault:secret/data/db#user}","empty":"","tpl":"${.user}"}`)
	vault.Says("GET secret/data/db?version=2", 200, fake.KV2Answer(`{"password":"old"}`, `"deletion_time":"","destroyed":false`))
	vault.KV1("kv/plain", `{"key":"one"}`)
	vault.KV1("kv/data-field", `{"data":"mine","key":"k"}`)
	vault.KV1("kv/data-object", `{"data":{"a":"b"},"key":"k"}`)
	vault.KV1("kv/data-metadata", `{"data":{"a":"b"},"metadata":{"owner":"me"},"key":"k"}`)
	vault.KV1("kv/data-text-metadata", `{"data":"t","metadata":{"version":1,"created_time":"x"},"key":"k"}`)
	vault.KV1("kv/my%20app/%252e%252e", `{"k":"escaped"}`)

	for _, c := range []struct{ name, value, want string }{
		{"a key", "vault:secret/data/db#password", "hunter2"},
		{"a version", "vault:secret/data/db#password#2", "old"},
		{"KV version 1", "vault:kv/plain#key", "one"},
		{"a field called data in KV version 1", "vault:kv/data-field#key", "k"},
		{"that field itself", "vault:kv/data-field#data", "mine"},
		{"an object called data in KV version 1", "vault:kv/data-object#${.data.a}", "b"},
		{"data and metadata in KV version 1", "vault:kv/data-metadata#${.metadata.owner}", "me"},
		{"a text called data and metadata like Vault's", "vault:kv/data-text-metadata#data", "t"},
		{"a number", "vault:secret/data/db#port", "5432"},
		{"a number beyond floats", "vault:secret/data/db#big", "12345678901234567890"},
		{"a fraction as it is written", "vault:secret/data/db#float", "1.50"},
		{"an exponent as it is written", "vault:secret/data/db#exp", "1e3"},
		{"true", "vault:secret/data/db#on", "true"},
		{"null", "vault:secret/data/db#none", ""},
		{"an empty text", "vault:secret/data/db#empty", ""},
		{"a template", "vault:secret/data/db#${.user}:${.password | b64enc}@${.port}", "shop:aHVudGVyMg==@5432"},
		{"a template of an object", "vault:secret/data/db#${.tls | toJson}", `{"ca":"x"}`},
		{"a template of a list", "vault:secret/data/db#${join \",\" .hosts}", "a,b"},
		{"text/template's own functions", "vault:secret/data/db#${printf \"%s/%s\" .user .port | urlquery}", "shop%2F5432"},
		{"a template that changes its data", "vault:secret/data/db#${$_ := set . \"user\" \"x\"}${$_ := set .tls \"ca\" \"y\"}${.user}${.tls.ca}", "xy"},
		{"inline", "postgres://${vault:secret/data/db#user}:${vault:secret/data/db#password}@db", "postgres://shop:hunter2@db"},
		{"an escape", "$${vault:a#b} ${vault:kv/plain#key}", "${vault:a#b} one"},
		{"a whole escape", "$vault:a#b", "vault:a#b"},
		{"text that only begins alike", "vault:1.15.2", "vault:1.15.2"},
		{"what comes from Vault is not parsed", "vault:secret/data/db#reference", "vault:secret/data/db#user"},
		{"nor inline", "x${vault:secret/data/db#inline}", "x${vault:secret/data/db#user}"},
		{"nor as a template", "vault:secret/data/db#${.tpl}", "${.user}"},
		{"a path that has to be escaped", "vault:kv/my app/%2e%2e#k", "escaped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := resolvetest.Resolve(t, resolvetest.Settings(t, vault), "A=1", "X="+c.value, "B=2")
			if o.Failure != nil {
				t.Fatal(o.Failure.Message)
			}
			if want := []string{"A=1", "X=" + c.want, "B=2"}; !slices.Equal(o.Env, want) {
				t.Errorf("got %q; want %q", o.Env, want)
			}
		})
	}
}

func TestTemplatesDoNotShareTheirChanges(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/a", `{"k":"v","n":{"m":"w"}}`)
	resolvetest.Resolve(t, resolvetest.Settings(t, vault), "A=vault:secret/data/a#${$_ := set .n \"m\" \"changed\"}${unset . \"k\"}", "B=vault:secret/data/a#k", "C=vault:secret/data/a#${.n.m}").
		Want(t, "A=map[n:map[m:changed]]", "B=v", "C=w")
}

func TestEachPathIsReadOnceOverOneConnection(t *testing.T) {
	for _, given := range []bool{false, true} {
		t.Run(fmt.Sprint("token given: ", given), func(t *testing.T) {
			vault := fake.NewVault(t)
			var env, want []string
			for i := range 50 {
				path := fmt.Sprintf("secret/data/p%02d", i)
				vault.KV2(path, fmt.Sprintf(`{"a":"a%d","b":"b%d"}`, i, i))
				env = append(env, fmt.Sprintf("A%d=vault:%s#a", i, path), fmt.Sprintf("B%d=vault:%s#${.b}", i, path))
				want = append(want, fmt.Sprintf("A%d=a%d", i, i), fmt.Sprintf("B%d=b%d", i, i))
			}
			s := resolvetest.Settings(t, vault)
			s.FromPaths = []settings.FromPath{{Path: "secret/data/p00", Prefix: "P_"}}
			logins := 1
			if given {
				s.Login.Token = fake.Token
				logins = 0
			}
			resolvetest.Resolve(t, s, env...).Want(t, append(want, "P_a=a0", "P_b=b0")...)
			if n := len(vault.Seen()); n != 50+logins {
				t.Errorf("%d requests; want one for each path and %d login", n, logins)
			}
			if len(vault.Conns) != 1 || !vault.Protos["HTTP/2.0"] {
				t.Errorf("%d connections, protocols %v; want one of HTTP/2", len(vault.Conns), vault.Protos)
			}
		})
	}
}

func TestVersionsOfAPathAreDifferentReads(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/a", `{"k":"new"}`)
	vault.Says("GET secret/data/a?version=1", 200, fake.KV2Answer(`{"k":"old"}`, `"deletion_time":"","destroyed":false`))
	resolvetest.Resolve(t, resolvetest.Settings(t, vault), "A=vault:secret/data/a#k", "B=vault:secret/data/a#k#1", "C=vault:/secret//data/a#k#1").Want(t, "A=new", "B=old", "C=old")
	if vault.Reads() != 2 {
		t.Errorf("requests %v", vault.Seen())
	}
}

func TestNothingToResolveSendsNoRequest(t *testing.T) {
	s := resolvetest.Defaults(t)
	s.Vault.Address = "https://127.0.0.1:1"
	s.Login.JWTFile = "/nonexistent"
	resolvetest.Resolve(t, s, "A=1", "B=vault:8200", "C=$${vault:x#y}", "VAULT_ENV_CONFIG={}").Want(t, "A=1", "B=vault:8200", "C=${vault:x#y}")
}

func TestLoginToken(t *testing.T) {
	vault := fake.NewVault(t)
	t.Run("alone, it is the only request", func(t *testing.T) {
		resolvetest.Resolve(t, resolvetest.Settings(t, vault), "VAULT_TOKEN=vault:login", "VAULT_ADDR=https://mine").Want(t, "VAULT_TOKEN="+fake.Token, "VAULT_ADDR=https://mine")
		if seen := vault.Seen(); len(seen) != 1 {
			t.Errorf("requests %v", seen)
		}
	})
	t.Run("of a given token, nobody is asked", func(t *testing.T) {
		s := resolvetest.Defaults(t)
		s.Vault.Address = "https://127.0.0.1:1"
		s.Login.TokenFile = fake.File(t, "token", " given \n")
		resolvetest.Resolve(t, s, "VAULT_TOKEN=vault:login").Want(t, "VAULT_TOKEN=given")
	})
}

func TestMissingSecrets(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/here", `{"k":"v"}`)
	vault.Says("GET secret/data/deleted", 404, fake.KV2Answer("null", `"deletion_time":"2026-02-03T04:05:06Z","destroyed":false`))
	vault.Says("GET secret/data/destroyed", 404, fake.KV2Answer("null", `"deletion_time":"","destroyed":true`))
	vault.Says("GET secret/data/nodata", 200, fake.KV2Answer("null", `"deletion_time":"","destroyed":false`))
	vault.Says("GET secret/here", 404, `{"request_id":"1","data":null,"warnings":["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."]}`)
	vault.Says("GET secret/data/empty", 204, "")
	vault.Says("GET nowhere/data/a", 404, `{"errors":["no handler for route \"nowhere/data/a\". route entry not found."]}`)
	vault.Says("GET secret/denied", 403, `{"errors":["permission denied"]}`)
	vault.Says("GET secret/data/denied", 403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`)
	vault.Says("GET secret/data/foreign", 404, `<html>no such page</html>`)
	vault.Says("GET secret/data/foreign-json", 404, `{"code":404}`)

	for _, c := range []struct {
		value   string
		status  int
		says    []string
		ignored bool // by ignoreMissing
	}{
		{"vault:secret/data/absent#k", failure.Missing, []string{"X: ", `no secret at "secret/data/absent" (404)`}, true},
		{"vault:secret/data/absent#k#4", failure.Missing, []string{`"secret/data/absent" version 4`}, true},
		{"vault:secret/data/empty#k", failure.Missing, []string{"(204)"}, true},
		{"vault:secret/here#k", failure.Missing, []string{"MOUNT/data/NAME"}, false},
		{"vault:nowhere/data/a#k", failure.Missing, []string{"no secrets engine is mounted there"}, false},
		{"vault:secret/denied#k", failure.Denied, []string{`if "secret" is KV version 2, write "secret/data/denied" in the reference`}, false},
		{"vault:secret/data/here#absent", failure.Missing, []string{`no key "absent"`, "secret/data/here"}, false},
		{"vault:secret/data/here#${.absent}", failure.Missing, []string{"${.absent}", "does not have"}, false},
		{"vault:secret/data/deleted#k", failure.Missing, []string{"version 3 was deleted at 2026-02-03T04:05:06Z", "secret/data/deleted"}, false},
		{"vault:secret/data/destroyed#k", failure.Missing, []string{"version 3 was destroyed"}, false},
		{"vault:secret/data/nodata#k", failure.Missing, []string{"version 3 holds no data"}, false},
		{"vault:secret/data/denied#k", failure.Denied, []string{`denied reading "secret/data/denied" (403: 1 error occurred:`, "permission denied"}, false},
		{"vault:secret/data/foreign#k", failure.Protocol, []string{"is not from Vault"}, false},
		{"vault:secret/data/foreign-json#k", failure.Protocol, []string{"is not from Vault"}, false},
	} {
		t.Run(c.value, func(t *testing.T) {
			s := resolvetest.Settings(t, vault)
			resolvetest.Resolve(t, s, "X="+c.value).WantFailure(t, c.status, c.says...)
			s.IgnoreMissing = true
			o := resolvetest.Resolve(t, s, "A=1", "X="+c.value, "Y=a ${"+c.value+"} b")
			if !c.ignored {
				o.WantFailure(t, c.status)
				return
			}
			o.Want(t, "A=1", "Y=a  b")
			if !strings.Contains(o.Log, "warn: X is not set") {
				t.Errorf("no warning: %s", o.Log)
			}
		})
	}
}

func TestDataThatCannotBeUsed(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/odd", `{"object":{"password":"hunter2"},"list":["hunter2"],"nul":"hunter2\u0000x","text":"hunter2","big":"`+strings.Repeat("x", 131072)+`","fits":"`+strings.Repeat("y", resolve.MaxEntry-len("X="))+`"}`)
	for _, c := range []struct {
		value string
		says  []string
	}{
		{"vault:secret/data/odd#object", []string{"X: ", "secret/data/odd", `the key "object" holds an object`, "| toJson"}},
		{"vault:secret/data/odd#list", []string{"holds a list", "| toJson"}},
		{"vault:secret/data/odd#nul", []string{"NUL byte"}},
		{"vault:secret/data/odd#big", []string{"longer than Linux allows"}},
		{"vault:secret/data/odd#${b64dec .text}", []string{"failed at ${b64dec .text}"}},
		{"vault:secret/data/odd#${fail .text}", []string{"failed at ${fail .text}"}},
		{"vault:secret/data/odd#${.text.x}", []string{"failed at ${.text.x}"}},
		{"vault:secret/data/odd#${index .list 9}", []string{"failed at"}},
		{"vault:secret/data/odd#${slice .text 5 2}", []string{"failed at"}},
		{"vault:secret/data/odd#${template \"t\" .}", []string{"the template failed"}},
		{"vault:secret/data/odd#${(index .list 0) | fromJson}", []string{"failed at"}},
	} {
		t.Run(c.value, func(t *testing.T) {
			resolvetest.Resolve(t, resolvetest.Settings(t, vault), "X="+c.value).WantFailure(t, failure.Data, c.says...)
		})
	}
	t.Run("the longest that fits", func(t *testing.T) {
		resolvetest.Resolve(t, resolvetest.Settings(t, vault), "X=vault:secret/data/odd#fits").Want(t, "X="+strings.Repeat("y", resolve.MaxEntry-len("X=")))
	})
}

// These are reported before any request.
func TestMistakesInReferences(t *testing.T) {
	vault := fake.NewVault(t)
	s := resolvetest.Settings(t, vault)
	s.AllowedPaths = []string{"secret/data/shop/*", "kv/*/ro"}
	for _, c := range []struct {
		entry string
		says  []string
	}{
		{"X=vault:secret/data/shop/a", []string{"X: malformed reference at column 25: there is no \"#\""}},
		{"X=a ${vault:secret/data/shop/a#k", []string{"X: malformed reference at column 3"}},
		{"X=vault:login", []string{"VAULT_TOKEN"}},
		{"X=>>vault:pki/issue/a#k", []string{`X: the policy's allowedPaths do not allow "pki/issue/a"`}},
		{"X=${>>vault:kv/a/rw#k#{\"a\":1}}", []string{"allowedPaths"}},
		{"X=vault:v1:abc", []string{"X: a transit ciphertext needs a key: set environment.transit.keyID"}},
		{"X=vault:secret/data/shop/a#${.a | env}", []string{"X: the template is invalid", `function "env" not defined`}},
		{"X=vault:secret/data/shop/a#${env \"HOME\"}", []string{`function "env" not defined`}},
		{"X=vault:secret/data/shop/a#${getHostByName \"x\"}", []string{`"getHostByName" not defined`}},
		{"X=vault:secret/data/shop/a#${if}", []string{"the template is invalid"}},
		{"X=vault:secret/data/shop/a#${}", []string{"the template is invalid"}},
		{"X=vault:secret/data/other#k", []string{`X: the policy's allowedPaths do not allow "secret/data/other"`}},
		{"X=vault:secret/data/shopping#k", []string{"allowedPaths"}},
		{"X=vault:kv/a/rw#k", []string{"allowedPaths"}},
		{"X=${vault:secret/data/shop/a#k}${vault:secret/data/b#k}", []string{`"secret/data/b"`}},
	} {
		t.Run(c.entry, func(t *testing.T) {
			resolvetest.Resolve(t, s, "A=1", c.entry).WantFailure(t, failure.Settings, c.says...)
		})
	}
	s.FromPaths = []settings.FromPath{{Path: "secret/data/else"}}
	resolvetest.Resolve(t, s).WantFailure(t, failure.Settings, "fromPaths[0]", `"secret/data/else"`)
	if seen := vault.Seen(); len(seen) > 0 {
		t.Errorf("Vault was asked: %v", seen)
	}
}

func TestFromPaths(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/one", `{"A":"1","B":"2","n":3,"odd-name.x":"4"}`)
	vault.KV1("kv/two", `{"B":"two","C":"two"}`)
	vault.Says("GET kv/two?version=7", 200, fake.KV2Answer(`{"C":"seven"}`, `"deletion_time":"","destroyed":false`))
	vault.KV2("secret/data/danger", `{"PATH":"x","LD_PRELOAD":"x","NODE_OPTIONS":"x","PYTHONPATH":"x","BASH_ENV":"x","BASH_FUNC_ls%%":"x","VAULT_ADDR":"x","VAULT_ENV_CONFIG":"x","A=B":"x","":"x","OK":"ok"}`)
	vault.KV2("secret/data/object", `{"a":{"b":"hunter2"}}`)
	one, two := settings.FromPath{Path: "secret/data/one"}, settings.FromPath{Path: "kv/two"}
	for _, c := range []struct {
		name  string
		paths []settings.FromPath
		env   []string
		want  []string
	}{
		{"every key, sorted, after the container's own", []settings.FromPath{one}, []string{"Z=z"}, []string{"Z=z", "A=1", "B=2", "n=3", "odd-name.x=4"}},
		{"the container's own wins", []settings.FromPath{two}, []string{"B=mine"}, []string{"B=mine", "C=two"}},
		{"even where it is empty", []settings.FromPath{two}, []string{"B="}, []string{"B=", "C=two"}},
		{"even where it is a reference", []settings.FromPath{two}, []string{"B=vault:secret/data/one#A"}, []string{"B=1", "C=two"}},
		{"unless the path overwrites", []settings.FromPath{{Path: "kv/two", Overwrite: true}}, []string{"B=mine", "Z=z"}, []string{"B=two", "Z=z", "C=two"}},
		{"the first path wins", []settings.FromPath{one, two}, nil, []string{"A=1", "B=2", "n=3", "odd-name.x=4", "C=two"}},
		{"unless a later one overwrites", []settings.FromPath{one, {Path: "kv/two", Overwrite: true}}, nil, []string{"A=1", "B=two", "n=3", "odd-name.x=4", "C=two"}},
		{"a prefix", []settings.FromPath{{Path: "kv/two", Prefix: "T_"}}, []string{"B=mine"}, []string{"B=mine", "T_B=two", "T_C=two"}},
		{"a version", []settings.FromPath{{Path: "kv/two", Version: "7"}}, nil, []string{"C=seven"}},
		{"names that make programs run code", []settings.FromPath{{Path: "secret/data/danger", Overwrite: true}}, []string{"PATH=/bin"}, []string{"PATH=/bin", "OK=ok"}},
		{"a prefix makes them harmless", []settings.FromPath{{Path: "secret/data/danger", Prefix: "X_"}}, nil,
			[]string{"X_=x", "X_BASH_ENV=x", "X_BASH_FUNC_ls%%=x", "X_LD_PRELOAD=x", "X_NODE_OPTIONS=x", "X_OK=ok", "X_PATH=x", "X_PYTHONPATH=x", "X_VAULT_ADDR=x", "X_VAULT_ENV_CONFIG=x"}},
		{"a prefix cannot make them up", []settings.FromPath{{Path: "kv/two", Prefix: "LD_"}}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := resolvetest.Settings(t, vault)
			s.FromPaths = c.paths
			resolvetest.Resolve(t, s, c.env...).Want(t, c.want...)
		})
	}
	t.Run("refused names are said", func(t *testing.T) {
		s := resolvetest.Settings(t, vault)
		s.FromPaths = []settings.FromPath{{Path: "secret/data/danger"}}
		s.Passthrough["VAULT_ADDR"] = true
		s.Passthrough[environment.ConfigVariable] = true
		o := resolvetest.Resolve(t, s)
		o.Want(t, "OK=ok", "VAULT_ADDR=x")
		for _, name := range []string{"PATH", "LD_PRELOAD", "NODE_OPTIONS", "PYTHONPATH", "BASH_ENV", "BASH_FUNC_ls%%", "VAULT_ENV_CONFIG", "A=B", ""} {
			if !strings.Contains(o.Log, `warn: the key "`+name+`" of secret/data/danger is skipped`) {
				t.Errorf("%q is not logged: %s", name, o.Log)
			}
		}
	})
	t.Run("unless they are allowed by name", func(t *testing.T) {
		s := resolvetest.Settings(t, vault)
		s.FromPaths = []settings.FromPath{{Path: "secret/data/danger"}, {Path: "kv/two", Prefix: "LD_"}}
		for _, name := range []string{"NODE_OPTIONS", "VAULT_ADDR", "BASH_FUNC_ls%%", "LD_B", environment.ConfigVariable, "", "A=B"} {
			s.AllowedNames[name] = true
		}
		resolvetest.Resolve(t, s, "VAULT_ENV_CONFIG={}").Want(t, "BASH_FUNC_ls%%=x", "NODE_OPTIONS=x", "OK=ok", "VAULT_ADDR=x", "LD_B=two")
	})
	t.Run("an object or a list is left out, with one warning", func(t *testing.T) {
		vault.KV2("secret/data/nested", `{"a":{"b":"hunter2"},"b":"1","c":["hunter2"],"d":[],"e":{},"f":{},"g":{},"h":null,"i":true}`)
		s := resolvetest.Settings(t, vault)
		s.FromPaths = []settings.FromPath{{Path: "secret/data/object"}, {Path: "secret/data/nested"}}
		o := resolvetest.Resolve(t, s, "A=${vault:secret/data/nested#${.a.b | len}}")
		o.Want(t, "A=7", "b=1", "h=", "i=true")
		for _, said := range []string{
			`fromPaths: of secret/data/object, keys that hold an object or a list are skipped: "a"; to have one as JSON, set a variable to vault:PATH#${.KEY | toJson}`,
			`fromPaths: of secret/data/nested, keys that hold an object or a list are skipped: "a", "c", "d", "e", "f" (and 1 more); to`,
		} {
			if strings.Count(o.Log, said) != 1 {
				t.Errorf("does not say once %s:\n%s", said, o.Log)
			}
		}
		resolvetest.Resolve(t, s, "A=vault:secret/data/nested#a").WantFailure(t, failure.Data, `A: secret/data/nested: the key "a" holds an object`)
	})
	t.Run("the latest version, as Bank-Vaults' variables have it", func(t *testing.T) {
		s := resolvetest.Settings(t, vault)
		resolvetest.Resolve(t, s, "B=vault:kv/two#B#-1").WantFailure(t, failure.Settings, "B: malformed reference at column 16: the version is not a whole number")
		s.Strip = true
		resolvetest.Resolve(t, s, "B=vault:kv/two#B#-1", "C=vault:kv/two#B#").Want(t, "B=two", "C=two")
	})
	t.Run("a missing path", func(t *testing.T) {
		s := resolvetest.Settings(t, vault)
		s.FromPaths = []settings.FromPath{{Path: "secret/data/absent"}, two}
		resolvetest.Resolve(t, s).WantFailure(t, failure.Missing, "fromPaths[0]", "secret/data/absent")
		s.IgnoreMissing = true
		resolvetest.Resolve(t, s, "C=vault:secret/data/absent#c").Want(t, "B=two", "C=two")
	})
}

func TestAFailureNamesWhoWantedThePath(t *testing.T) {
	vault := fake.NewVault(t)
	vault.KV2("secret/data/a", `{"k":"v"}`)
	resolvetest.Resolve(t, resolvetest.Settings(t, vault), "A=vault:secret/data/a#k", "B=vault:secret/data/b#k", "C=vault:secret/data/b#j", "D=${vault:secret/data/b#j}").
		WantFailure(t, failure.Missing, "B (and 2 more): Vault has no secret")
}

// A variable that the policy names as a literal is text, whatever it looks like: nothing is resolved, and no escape is
// removed.
func TestLiterals(t *testing.T) {
	s := resolvetest.Defaults(t)
	s.Literals = []string{"IMAGE", "SPRING_*", "VAULT_TOKEN"}
	env := []string{"IMAGE=vault:a/b#c", "SPRING_URL=vault:a/b", "SPRING_X=$${vault:a#b}", "VAULT_TOKEN=vault:login"}
	resolvetest.Resolve(t, s, env...).Want(t, env...)
	resolvetest.Resolve(t, s, "IMAGES=vault:a/b").WantFailure(t, failure.Settings, "IMAGES: malformed reference")
}
