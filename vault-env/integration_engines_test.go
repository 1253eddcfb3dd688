package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

// configureEngines sets up a transit key, and a PKI whose role "leased" issues certificates with leases: the only
// leases of a Vault without plugins.
func (v *realVault) configureEngines() {
	v.t.Helper()
	v.call("POST", "sys/mounts/transit", fake.Fields{"type": "transit"})
	v.call("POST", "transit/keys/shop", fake.Fields{})
	v.call("POST", "sys/mounts/pki", fake.Fields{"type": "pki"})
	v.call("POST", "pki/root/generate/internal", fake.Fields{"common_name": "test", "key_type": "ec"})
	v.call("POST", "pki/roles/web", fake.Fields{"allowed_domains": "shop.example", "allow_subdomains": true, "key_type": "ec", "ttl": "1h"})
	v.call("POST", "pki/roles/leased", fake.Fields{"allowed_domains": "shop.example", "allow_subdomains": true, "key_type": "ec", "ttl": "1h", "generate_lease": true})
}

func (v *realVault) encrypt(plaintext string) string {
	v.t.Helper()
	return v.call("POST", "transit/encrypt/shop", fake.Fields{"plaintext": base64.StdEncoding.EncodeToString([]byte(plaintext))})["ciphertext"].(string)
}

// withTransit sets the key, with the default batch size.
func withTransitKey(c fake.Fields) {
	c["environment"] = fake.Fields{"transit": fake.Fields{"keyID": "shop"}}
}

func (v *realVault) testTransit(t *testing.T) {
	env, want := []string{v.config(withTransitKey)}, "PATH=/usr/bin:/bin\n"
	for i := range 60 {
		env = append(env, fmt.Sprintf("A%d=%s", i, v.encrypt(fmt.Sprint("hunter", i))))
		want += fmt.Sprintf("A%d=hunter%d\n", i, i)
	}
	env = append(env, "AGAIN=<${"+strings.TrimPrefix(env[1], "A0=")+"}>")
	want += "AGAIN=<hunter0>\n"
	since := v.auditSize()
	if e := v.run(env, "env"); e.status != 0 || e.stdout != want || e.stderr != "" {
		t.Errorf("%+v", e)
	}
	v.wantRequests(t, since, "update transit/decrypt/shop", "update transit/decrypt/shop", "update transit/decrypt/shop")

	good := v.encrypt("good")
	damaged := good[:len(good)-6] + "AAAAA="
	broken := []string{v.config(withTransitKey), "GOOD=" + good, "X=" + damaged}
	v.run(broken, "echo", "started").wantLine(t, failure.Denied, `X: Vault cannot decrypt the ciphertext with "transit/decrypt/shop" (`)
	v.run([]string{v.config(withTransitKey), "X=vault:v1:!!!"}, "echo", "started").wantLine(t, failure.Denied, `X: Vault cannot decrypt the ciphertext`)
	v.run([]string{v.config(withTransitKey), "X=vault:v9:" + strings.TrimPrefix(good, "vault:v1:")}, "echo", "started").wantLine(t, failure.Denied, `X: Vault cannot decrypt the ciphertext`)
	v.run([]string{v.config(), "X=" + good}, "echo", "started").wantLine(t, failure.Settings, "X: a transit ciphertext needs a key")
	transit := func(key string, ignore bool) string {
		return v.config(func(c fake.Fields) {
			c["environment"] = fake.Fields{"transit": fake.Fields{"keyID": key}, "ignoreMissing": ignore}
		})
	}
	v.run([]string{transit("absent", false), "X=" + good}, "echo", "started").wantLine(t, failure.Denied, `X: Vault refused to decrypt with "transit/decrypt/absent" (400: encryption key not found)`)
	v.run([]string{transit("denied", true), "X=" + good}, "echo", "started").wantLine(t, failure.Denied, `X: Vault denied decrypting with "transit/decrypt/denied" (403: `)
	for _, env := range [][]string{append([]string{transit("shop", true)}, broken[1:]...), {transit("absent", true), "X=" + good}} {
		if e := v.run(env, "sh", "-c", "echo ${X-unset}"); e.status != 0 || e.stdout != "unset\n" || !strings.Contains(e.stderr, "warn: X is not set") {
			t.Errorf("%+v", e)
		}
	}
}

func (v *realVault) testWrites(t *testing.T) {
	const body = `{"common_name":"a.shop.example","ttl":"10m"}`
	since := v.auditSize()
	e := v.run([]string{v.config(),
		"CERTIFICATE=>>vault:pki/issue/web#certificate#" + body, "KEY=>>vault:pki/issue/web#private_key#" + body,
		"SERIAL=serial ${>>vault:pki/issue/web#${.serial_number | upper}#" + body + "}",
	}, "sh", "-c", `echo "$SERIAL"; echo "$CERTIFICATE"; echo "$KEY"`)
	serial, pems, _ := strings.Cut(e.stdout, "\n")
	certificate, rest := pem.Decode([]byte(pems))
	key, _ := pem.Decode(rest)
	if e.status != 0 || certificate == nil || key == nil {
		t.Fatalf("%+v", e)
	}
	parsed, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil || parsed.Subject.CommonName != "a.shop.example" {
		t.Fatalf("%v %v", parsed, err)
	}
	if got := fmt.Sprintf("serial %X", parsed.SerialNumber.Bytes()); got != strings.ReplaceAll(serial, ":", "") {
		t.Errorf("%s and %s: not one request", got, serial)
	}
	v.wantRequests(t, since, "update pki/issue/web")
	for value, says := range map[string]string{
		`>>vault:pki/issue/web#certificate`:                                `X: Vault refused to write "pki/issue/web" (400: `,
		`>>vault:pki/issue/web#certificate#{"common_name":"evil.example"}`: "(400: common name evil.example not allowed by this role)",
		`>>vault:secret/data/shop/db#k#{"data":{"k":"v"}}`:                 `X: Vault denied writing "secret/data/shop/db" (403: `,
		`>>vault:pki/issue/web#absent#{"common_name":"b.shop.example"}`:    `has no key "absent"`,
	} {
		if e := v.run([]string{v.config(), "X=" + value}, "echo", "started"); e.status == 0 || e.stdout != "" || !strings.Contains(e.stderr, says) {
			t.Errorf("%s: %+v", value, e)
		}
	}
}

// tokens returns the number of tokens in Vault.
func (v *realVault) tokens() int {
	v.t.Helper()
	return len(v.call("LIST", "auth/token/accessors", nil)["keys"].([]any))
}

func (v *realVault) settle(want int) int {
	n := 0
	for range 100 {
		if n = v.tokens(); n == want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return n
}

func (v *realVault) testRevocation(t *testing.T) {
	time.Sleep(200 * time.Millisecond) // tokens of earlier tests
	before := v.tokens()
	script := script(t, 0o755, "#!/no/such/interpreter\n")
	for name, c := range map[string]struct {
		env     []string
		command string
		status  int
	}{
		"a program that starts":       {[]string{"X=vault:secret/data/shop/db#user"}, "true", 0},
		"a secret that is missing":    {[]string{"X=vault:secret/data/shop/absent#k"}, "true", failure.Missing},
		"a value that cannot be used": {[]string{"X=vault:secret/data/shop/db#hosts"}, "true", failure.Data},
		"a program that cannot run":   {[]string{"X=vault:secret/data/shop/db#user"}, script, failure.CannotRun},
		"a failed start with leases":  {[]string{`X=>>vault:pki/issue/leased#certificate#{"common_name":"c.shop.example"}`, "Y=vault:secret/data/shop/absent#k"}, "true", failure.Missing},
		"a late failure with leases":  {[]string{`X=>>vault:pki/issue/leased#certificate#{"common_name":"c.shop.example"}`}, script, failure.CannotRun},
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				if e := v.run(append([]string{v.config()}, c.env...), c.command); e.status != c.status || strings.Contains(e.stderr, "not revoked") {
					t.Fatalf("%+v", e)
				}
			}
			if n := v.settle(before); n != before {
				t.Errorf("%d of 10 tokens live on", n-before)
			}
		})
	}
	t.Run("a lease keeps the token", func(t *testing.T) {
		e := v.run([]string{v.config(), `X=>>vault:pki/issue/leased#certificate#{"common_name":"c.shop.example"}`}, "true")
		time.Sleep(300 * time.Millisecond)
		if n := v.tokens(); e.status != 0 || n != before+1 {
			t.Errorf("%+v; %d tokens, want one more than %d", e, n, before)
		}
		before++
	})
	t.Run("the settings keep the token", func(t *testing.T) {
		config := v.config(func(c fake.Fields) { c["process"] = fake.Fields{"revokeToken": false} })
		e := v.run([]string{config, "X=vault:secret/data/shop/db#user"}, "true")
		time.Sleep(300 * time.Millisecond)
		if n := v.tokens(); e.status != 0 || n != before+1 {
			t.Errorf("%+v; %d tokens, want one more than %d", e, n, before)
		}
	})
}
