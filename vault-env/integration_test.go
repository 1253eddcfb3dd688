package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/fake"
)

const rootToken = "root-of-this-test"

// realVault is a Vault in dev mode over TLS on loopback, with both versions of KV, a JWT login that trusts a key of the
// test, and an audit log.
type realVault struct {
	t       *testing.T
	binary  string // vault-env, built as a release is
	address string
	dir     string
	http    *http.Client
	key     *ecdsa.PrivateKey
}

// startVault starts a Vault. It needs VAULT_ENV_TEST_VAULT, the path of a vault executable.
func startVault(t *testing.T, change ...func(*exec.Cmd)) *realVault {
	executable := os.Getenv("VAULT_ENV_TEST_VAULT")
	if executable == "" {
		t.Skip("VAULT_ENV_TEST_VAULT is not set to a vault executable: the tests against a real Vault are skipped")
	}
	v := &realVault{t: t, dir: t.TempDir()}
	v.binary = filepath.Join(v.dir, "vault-env")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -E vault_env_entry -X main.version=test", "-o", v.binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v.address = listener.Addr().String()
	listener.Close()
	server := exec.Command(executable, "server", "-dev", "-dev-tls", "-dev-tls-cert-dir="+v.dir, "-dev-no-store-token",
		"-dev-root-token-id="+rootToken, "-dev-listen-address="+v.address)
	server.Env = []string{"HOME=" + v.dir, "PATH=/usr/bin:/bin"}
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, f := range change {
		f(server)
	}
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Logf("Vault's log:\n%s", log.String())
		}
	})
	v.waitReady()
	v.configure()
	return v
}

func (v *realVault) waitReady() {
	v.t.Helper()
	for range 300 {
		time.Sleep(100 * time.Millisecond)
		pemBytes, err := os.ReadFile(v.caFile())
		if err != nil {
			continue
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pemBytes)
		v.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
		response, err := v.http.Get("https://" + v.address + "/v1/sys/health")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == 200 {
				return
			}
		}
	}
	v.t.Fatal("Vault did not come up within 30 s")
}

func (v *realVault) caFile() string { return filepath.Join(v.dir, "vault-ca.pem") }

// call sends a request as root and returns the answer's data.
func (v *realVault) call(method, path string, body any) map[string]any {
	v.t.Helper()
	content, _ := json.Marshal(body)
	request, err := http.NewRequest(method, "https://"+v.address+"/v1/"+path, bytes.NewReader(content))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", rootToken)
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	if response.StatusCode >= 300 {
		v.t.Fatalf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	var decoded struct{ Data map[string]any }
	json.Unmarshal(answer, &decoded)
	return decoded.Data
}

func (v *realVault) configure() {
	v.t.Helper()
	v.call("PUT", "sys/audit/file", fake.Fields{"type": "file", "options": fake.Fields{"file_path": v.auditLog()}})
	v.call("POST", "sys/mounts/kv1", fake.Fields{"type": "kv", "options": fake.Fields{"version": "1"}})
	v.call("POST", "sys/auth/jwt", fake.Fields{"type": "jwt"})
	var err error
	if v.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		v.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&v.key.PublicKey)
	if err != nil {
		v.t.Fatal(err)
	}
	v.call("POST", "auth/jwt/config", fake.Fields{"jwt_validation_pubkeys": []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}})
	v.call("POST", "auth/jwt/role/shop", fake.Fields{"role_type": "jwt", "bound_audiences": []string{"vault"}, "user_claim": "sub", "token_policies": []string{"shop"}, "token_ttl": "10m"})
	v.call("PUT", "sys/policies/acl/shop", fake.Fields{"policy": `path "secret/data/shop/*" { capabilities = ["read"] } path "kv1/shop" { capabilities = ["read"] } path "secret/shop/*" { capabilities = ["read"] } path "kv1/data-field" { capabilities = ["read"] } path "auth/token/lookup-self" { capabilities = ["read"] } path "transit/decrypt/shop" { capabilities = ["update"] } path "transit/decrypt/absent" { capabilities = ["update"] } path "pki/issue/*" { capabilities = ["update"] }`})

	v.call("POST", "secret/data/shop/db", fake.Fields{"data": fake.Fields{"user": "shop", "password": "first"}})
	v.call("POST", "secret/data/shop/db", fake.Fields{"data": fake.Fields{"user": "shop", "password": "hunter2", "port": 5432, "on": true, "hosts": []string{"a", "b"}, "reference": "vault:secret/data/shop/db#user"}})
	v.call("POST", "secret/data/shop/deleted", fake.Fields{"data": fake.Fields{"k": "v"}})
	v.call("DELETE", "secret/data/shop/deleted", nil)
	v.call("POST", "secret/data/shop/destroyed", fake.Fields{"data": fake.Fields{"k": "v"}})
	v.call("PUT", "secret/destroy/shop/destroyed", fake.Fields{"versions": []int{1}})
	v.call("POST", "kv1/shop", fake.Fields{"key": "one", "n": 1.5})
	v.call("POST", "kv1/data-field", fake.Fields{"data": fake.Fields{"a": "b"}, "metadata": fake.Fields{"owner": "me"}, "key": "k"})
	v.configureEngines()
	for i := range 50 {
		v.call("POST", fmt.Sprintf("secret/data/shop/p%02d", i), fake.Fields{"data": fake.Fields{"k": fmt.Sprint("v", i)}})
	}
}

func (v *realVault) auditLog() string { return filepath.Join(v.dir, "audit.log") }

// jwt signs the claims of a ServiceAccount token with this test's key (ES256).
func (v *realVault) jwt(audience string) string {
	v.t.Helper()
	encode := func(x any) string {
		b, _ := json.Marshal(x)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := encode(fake.Fields{"alg": "ES256", "typ": "JWT"}) + "." + encode(fake.Fields{"sub": "system:serviceaccount:shop:web", "aud": audience,
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(10 * time.Minute).Unix()})
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, v.key, digest[:])
	if err != nil {
		v.t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// config is what the webhook would write, with some parts replaced.
func (v *realVault) config(change ...func(fake.Fields)) string {
	c := fake.Fields{
		"vault": fake.Fields{"address": "https://" + v.address, "timeout": "5s", "tls": fake.Fields{"caFile": v.caFile()},
			"auth": fake.Fields{"method": "JWT", "mountPath": "jwt", "role": "shop", "tokenPath": fake.File(v.t, "jwt", v.jwt("vault"))}},
		"environment": fake.Fields{},
	}
	for _, f := range change {
		f(c)
	}
	b, err := json.Marshal(c)
	if err != nil {
		v.t.Fatal(err)
	}
	return "VAULT_ENV_CONFIG=" + string(b)
}

func (v *realVault) run(env []string, args ...string) ended {
	v.t.Helper()
	cmd := exec.Command(v.binary, args...)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	return end(v.t, cmd)
}

// requests returns the requests to Vault since the audit log had that many bytes.
func (v *realVault) requests(since int64) []string {
	v.t.Helper()
	content, err := os.ReadFile(v.auditLog())
	if err != nil {
		v.t.Fatal(err)
	}
	var asked []string
	for line := range strings.Lines(string(content[since:])) {
		var entry struct {
			Type    string
			Request struct{ Operation, Path string }
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Type == "request" {
			asked = append(asked, entry.Request.Operation+" "+entry.Request.Path)
		}
	}
	return asked
}

// revocation are the requests that a token is revoked with: the first while others are in flight.
var revocation = []string{"read auth/token/lookup-self", "update auth/token/revoke-self"}

// wantRequests fails the test unless Vault has seen a login, these requests in any order, and the revocation of the token
// since the audit log had that many bytes.
func (v *realVault) wantRequests(t *testing.T, since int64, want ...string) {
	t.Helper()
	asked := v.requests(since)
	if n := len(asked); n < 3 || asked[0] != "update auth/jwt/login" || asked[n-1] != revocation[1] {
		t.Fatalf("requests %v; want a login first, and the revocation last", asked)
	}
	between := slices.Sorted(slices.Values(asked[1 : len(asked)-1]))
	if want := slices.Sorted(slices.Values(append(want, revocation[0]))); !slices.Equal(between, want) {
		t.Errorf("requests between login and revocation:\n%v\nwant\n%v", between, want)
	}
}

func (v *realVault) auditSize() int64 {
	info, err := os.Stat(v.auditLog())
	if err != nil {
		v.t.Fatal(err)
	}
	return info.Size()
}

func TestRealVault(t *testing.T) {
	v := startVault(t)
	t.Run("values", v.testValues)
	t.Run("one login and each path once", v.testRequests)
	t.Run("failures", v.testFailures)
	t.Run("ignoreMissing", v.testIgnoreMissing)
	t.Run("login token", v.testLoginToken)
	t.Run("Bank-Vaults variables", v.testBankVaults)
	t.Run("forms of Bank-Vaults", v.testFormsOfBankVaults)
	t.Run("no secret is printed", v.testSilence)
	t.Run("transit", v.testTransit)
	t.Run("writes", v.testWrites)
	t.Run("revocation", v.testRevocation)
	t.Run("faults", v.testFaults)
	t.Run("canary", v.testCanary)
	t.Run("daemon mode", v.testDaemon)
}
