package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

// No answer, however it lies, breaks decoding, and what is taken for a secret can be told from what is not.
func FuzzDecodeAnswer(f *testing.F) {
	for _, body := range []string{
		kv2Answer(`{"k":"v","n":5432,"o":{"a":[1,null,true]}}`, `"deletion_time":"","destroyed":false`),
		kv2Answer("null", `"deletion_time":"2026-02-03T04:05:06Z","destroyed":false`),
		kv2Answer("null", `"deletion_time":"","destroyed":true`),
		`{"data":{"data":"mine","metadata":{"version":1}}}`,
		`{"data":{"k":"v"},"lease_duration":2764800}`,
		`{"errors":["permission denied"]}`, `{"errors":null,"warnings":["Invalid path for a versioned K/V secrets engine"]}`,
		`{"auth":{"client_token":"t"}}`, `{"data":[]}`, `{"data":{"k":1e400}}`, `{"data":{"k":"\ud800"}}`, "null", "", "[]", `{}{}`,
	} {
		f.Add([]byte(body))
	}
	c := &client{address: "https://vault", log: &logging.Logger{Level: logging.Error}}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, ask := range []func() (*secret, *failure.Failure){
			func() (*secret, *failure.Failure) {
				return c.found(readKey{path: "p"}, &answer{status: 200, body: body})
			},
			func() (*secret, *failure.Failure) {
				return c.notFound(readKey{path: "p"}, &answer{status: 404, body: body}, false)
			},
		} {
			s, fail := ask()
			if (s == nil) == (fail == nil) {
				t.Fatalf("%q: secret %v, failure %v", body, s, fail)
			}
			if fail != nil {
				continue
			}
			if !json.Valid(body) {
				t.Fatalf("%q is no JSON, but %v", body, s.data)
			}
			for _, key := range s.keys() {
				if text, f := s.text(key); f == nil && !utf8.ValidString(text) {
					t.Fatalf("%q: %q is no text", body, text)
				}
			}
		}
		if said := vaultErrors(body); strings.ContainsAny(said, "\n\r") || len(said) > 210 {
			t.Fatalf("%q is said as %q", body, said)
		}
	})
}

// No answer of the transit engine, however it lies, breaks decryption, or gives one variable another's plaintext.
func FuzzTransitAnswer(f *testing.F) {
	for _, body := range []string{
		`{"data":{"batch_results":[{"plaintext":"YQ=="},{"plaintext":""}]}}`, `{"data":{"batch_results":[{"plaintext":"YQ=="},{"error":"invalid ciphertext"}]}}`,
		`{"data":{"batch_results":[{"plaintext":"YQ=="}]}}`, `{"data":{"batch_results":[null,7]}}`, `{"data":{"batch_results":{}}}`, `{"data":{"plaintext":"YQ=="}}`,
		`{"errors":["encryption key not found"]}`, `{"errors":["permission denied"]}`, `{"data":{"batch_results":[{"plaintext":7},{"plaintext":"*"}]}}`, "<html>", "", "null",
	} {
		for _, status := range []int{200, 204, 307, 400, 403, 404} {
			f.Add(status, []byte(body), false)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, ignoreMissing bool) {
		if status < 200 || status > 499 {
			return
		}
		s := defaultSettings()
		s.transit.keyID, s.ignoreMissing = "shop", ignoreMissing
		p, fail := newPlan(environment{"A=vault:v1:a", "B=vault:v1:b"}, &s)
		if fail != nil {
			t.Fatal(fail)
		}
		c := &client{address: "https://vault", token: "hvs.token", log: &logging.Logger{Level: logging.Error}}
		d := c.decryptions(p)[0]
		fail = d.take("transit/decrypt/shop", &answer{status: status, body: body})
		if fail != nil {
			if failure.OneLine(fail.Message) != fail.Message || len(fail.Message) > 1000 {
				t.Fatalf("%q: %q", body, fail.Message)
			}
			return
		}
		if len(d.plaintexts) < 2 && !ignoreMissing {
			t.Fatalf("%d %q: %q without a failure", status, body, d.plaintexts)
		}
		if len(d.plaintexts) > 0 && !json.Valid(body) {
			t.Fatalf("%q is no JSON, but %q", body, d.plaintexts)
		}
	})
}

// No template breaks evaluation, and no failure says what is in the secret.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"${.a}-${.b | b64enc}", "${. | toJson}", "My name is ${title .a}", "${range $k, $v := .}${$k}=${$v};${end}", "${.absent}", "${b64dec .a}",
		"${fail .a}", "${index .list 9}", "${template \"t\" .}", "${define \"t\"}${template \"t\" .}${end}${template \"t\" .}", "${printf \"%d\" .a}",
		"${/* } */}", "${- .a -}", "${`}`}", "${'}'}", "${call .a}", "${slice .a 5 2}", "${toDate .a .a}", "${dig .a .a .}", "${urlParse .a}",
		"${regexMatch .a .a}", "${repeat 3 .a}", "${int .a | until}", "${$_ := set . \"a\" 1}${.a}", "}", "${", "$${.a}", "${html .a}${js .a}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "0123456789") && len(text) > 40 {
			return // "repeat 999999999" proves nothing but that memory is finite
		}
		for _, heavy := range []string{"repeat", "until", "seq", "indent", "rand", "fail", "range", "Unix", "chunk", "define", "block"} {
			if strings.Contains(text, heavy) {
				return
			}
		}
		parsed, fail := parseTemplate(text)
		if fail != nil {
			return
		}
		data := map[string]any{"a": "hunter2(", "b": json.Number("7"), "list": []any{"hunter2("}, "n": map[string]any{"x": true}}
		before, _ := json.Marshal(data)
		_, fail = evaluate(parsed, data)
		if fail != nil && strings.Contains(fail.Message, "hunter2(") && !strings.Contains(text, "hunter2") {
			t.Fatalf("%q: the failure says the secret: %s", text, fail.Message)
		}
		if after, _ := json.Marshal(data); !bytes.Equal(before, after) {
			t.Fatalf("%q changes the secret: %s", text, after)
		}
	})
}

// Whatever the environment and the secret hold: names are unique, settings do not get through, references are gone,
// and what came from Vault is there as it came.
func FuzzEnvironment(f *testing.F) {
	f.Add("A=1\nB=vault:p#k\nPATH=/bin", "k", "v", "", true, false)
	f.Add("VAULT_ADDR=a\nVAULT_TOKEN=vault:login\nVAULT_ENV_CONFIG={}", "VAULT_ADDR", "x", "", true, true)
	f.Add("X=a ${vault:p#k} $${vault:p#k}\nX=2\nodd\n=odd", "k", "${vault:p#k}", "P_", false, true)
	f.Add("LD_PRELOAD=mine", "PRELOAD", "x\x00y", "LD_", false, true)
	f.Add("A=vault:v1:abc\nB=x ${vault:v1:abc}\nC=>>vault:pki/issue/a#k#{\"a\": 1}\nD=${>>vault:pki/issue/a#k#{\"a\":1}}", "k", "vault:v1:abc", "", false, false)
	f.Fuzz(func(t *testing.T, entries, key, value, prefix string, strip, overwrite bool) {
		var env environment
		for entry := range strings.SplitSeq(entries, "\n") {
			if entry != "" {
				env = append(env, entry)
			}
		}
		s := defaultSettings()
		s.strip = strip
		s.transit.keyID = "shop"
		s.fromPaths = []fromPath{{path: "p", prefix: prefix, overwrite: overwrite}}
		p, fail := newPlan(env, &s)
		if fail != nil {
			return
		}
		a := &answers{token: "hvs.token", secrets: map[readKey]*secret{}, plaintexts: map[string]string{}}
		for _, ciphertext := range p.decrypts {
			a.plaintexts[ciphertext] = value
		}
		for _, read := range p.reads {
			a.secrets[read] = &secret{data: map[string]any{key: value, "k": "other"}}
		}
		var log bytes.Buffer
		got, fail := p.environment(a, &logging.Logger{Out: &log, Level: logging.Debug, Now: time.Now})
		if fail != nil {
			return
		}
		seen := map[string]bool{}
		for _, entry := range got {
			name, val, found := strings.Cut(entry, "=")
			if !found {
				continue
			}
			if seen[name] || name == configVariable {
				t.Fatalf("%q twice or a setting: %q", name, got)
			}
			seen[name] = true
			if strings.IndexByte(entry, 0) >= 0 && !strings.Contains(entries, "\x00") {
				t.Fatalf("a NUL byte came from Vault: %q", entry)
			}
			mine, has := env.lookup(name)
			if !has && val != value && val != "other" {
				t.Fatalf("%q comes from nowhere: %q", name, got)
			}
			if !has && isDangerous(name) {
				t.Fatalf("%q came from Vault", name)
			}
			if strip && !p.login && isStripped(name, nil, false) && !strings.Contains(mine, "vault:") {
				t.Fatalf("%q is a setting: %q", name, got)
			}
		}
	})
}

// No settings break their reading, and no failure is longer than a line.
func FuzzConfig(f *testing.F) {
	f.Add(fullConfig)
	f.Add(`{"vault":{"address":"https://v","auth":{"role":"r"}}}`)
	f.Add(`{"vault":{"address":5}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, fail := parseConfig(text)
		if fail != nil {
			if failure.OneLine(fail.Message) == "" || fail.Status != failure.Settings {
				t.Fatalf("%q: %+v", text, fail)
			}
			return
		}
		if s.vault.timeout <= 0 || s.delay < 0 || !strings.HasPrefix(s.vault.address, "http") {
			t.Fatalf("%q: %+v", text, s)
		}
	})
}
