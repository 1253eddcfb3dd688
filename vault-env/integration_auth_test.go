package main

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

// TestRealVaultLogins logs in to a real Vault with the methods that need no cloud.
func TestRealVaultLogins(t *testing.T) {
	v := startVault(t)
	v.call("POST", "sys/auth/approle", fake.Fields{"type": "approle"})
	v.call("POST", "auth/approle/role/shop", fake.Fields{"token_policies": []string{"shop"}, "token_ttl": "10m"})
	v.call("POST", "auth/approle/role/other", fake.Fields{"token_policies": []string{"shop"}})
	v.call("POST", "auth/approle/role/open", fake.Fields{"token_policies": []string{"shop"}, "bind_secret_id": false, "token_bound_cidrs": []string{"127.0.0.0/8"}})
	v.call("POST", "sys/auth/cert", fake.Fields{"type": "cert"})
	t.Run("AppRole", v.testAppRole)
	t.Run("AppRole with a wrapped secret ID", v.testWrappedSecretID)
	t.Run("certificate", v.testCertificate)
}

// with runs vault-env with this vault.auth to read X.
func (v *realVault) with(auth fake.Fields) ended {
	v.t.Helper()
	config := v.config(func(c fake.Fields) { c["vault"].(fake.Fields)["auth"] = auth })
	return v.run([]string{config, "X=vault:secret/data/shop/db#password"}, "printenv", "X")
}

func (e ended) wantSecret(t *testing.T) {
	t.Helper()
	if e.status != 0 || e.stdout != "hunter2\n" || e.stderr != "" {
		t.Errorf("%+v; want the secret", e)
	}
}

func (v *realVault) testAppRole(t *testing.T) {
	roleID := v.call("GET", "auth/approle/role/shop/role-id", nil)["role_id"].(string)
	secretID := v.call("POST", "auth/approle/role/shop/secret-id", fake.Fields{"num_uses": 1})["secret_id"].(string)
	auth := fake.Fields{"method": "AppRole", "roleIDFile": fake.File(t, "role-id", roleID+"\n"), "secretIDFile": fake.File(t, "secret-id", " "+secretID+"\n")}
	v.with(auth).wantSecret(t)

	e := v.with(auth)
	e.wantLine(t, failure.Denied, "Vault refused the login at auth/approle/login (400: invalid role or secret ID): check that the role ID and the secret ID belong together")
	if strings.Contains(e.stderr, secretID) || strings.Contains(e.stderr, roleID) {
		t.Errorf("a credential is printed: %s", e.stderr)
	}
	open := v.call("GET", "auth/approle/role/open/role-id", nil)["role_id"].(string)
	v.with(fake.Fields{"method": "AppRole", "roleIDFile": fake.File(t, "role-id", open)}).wantSecret(t)
	v.with(fake.Fields{"method": "AppRole", "roleIDFile": fake.File(t, "role-id", roleID)}).wantLine(t, failure.Denied, "missing secret_id")

	// The same with Bank-Vaults' variables.
	fresh := v.call("POST", "auth/approle/role/shop/secret-id", nil)["secret_id"].(string)
	v.run([]string{"VAULT_ADDR=https://" + v.address, "VAULT_CACERT=" + v.caFile(), "VAULT_AUTH_METHOD=approle", "VAULT_ROLE_ID_FILE=" + fake.File(t, "role-id", roleID),
		"VAULT_SECRET_ID_FILE=" + fake.File(t, "secret-id", fresh), "X=vault:secret/data/shop/db#password"}, "printenv", "X").wantSecret(t)
}

// wrap returns a wrapping token for the answer to a request.
func (v *realVault) wrap(path, ttl string, body any) string {
	v.t.Helper()
	content, _ := json.Marshal(body)
	request, err := http.NewRequest("POST", "https://"+v.address+"/v1/"+path, strings.NewReader(string(content)))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", rootToken)
	request.Header.Set("X-Vault-Wrap-TTL", ttl)
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	var decoded struct {
		WrapInfo struct{ Token string } `json:"wrap_info"`
	}
	if json.Unmarshal(answer, &decoded); decoded.WrapInfo.Token == "" {
		v.t.Fatalf("not wrapped: %s", answer)
	}
	return decoded.WrapInfo.Token
}

func (v *realVault) testWrappedSecretID(t *testing.T) {
	roleID := fake.File(t, "role-id", v.call("GET", "auth/approle/role/shop/role-id", nil)["role_id"].(string))
	with := func(token, role string) ended {
		auth := fake.Fields{"method": "AppRole", "roleIDFile": roleID, "secretIDFile": fake.File(t, "wrapped", token+"\n"), "secretIDWrapped": true}
		if role != "" {
			auth["role"] = role
		}
		e := v.with(auth)
		if strings.Contains(e.stderr, token) {
			t.Errorf("the wrapping token is printed: %s", e.stderr)
		}
		return e
	}
	secretID := "auth/approle/role/shop/secret-id"
	token := v.wrap(secretID, "5m", nil)
	with(token, "").wantSecret(t)
	with(token, "").wantLine(t, failure.Denied, "its wrapping token has been used, has expired or is from another Vault (400: wrapping token is not valid or does not exist)")
	with(v.wrap(secretID, "5m", nil), "shop").wantSecret(t)
	with(v.wrap("auth/approle/role/shop/custom-secret-id", "5m", fake.Fields{"secret_id": "chosen"}), "shop").wantSecret(t)

	// Each of these can be unwrapped, and would log in if its origin were not checked.
	stolen := v.call("POST", secretID, nil)["secret_id"].(string)
	for _, c := range []struct{ name, token, role string }{
		{"unwrapped by somebody and wrapped again", v.wrap("sys/wrapping/wrap", "5m", fake.Fields{"secret_id": stolen}), ""},
		{"of another role", v.wrap("auth/approle/role/other/secret-id", "5m", nil), "shop"},
		{"chosen by somebody", v.wrap("auth/approle/role/shop/custom-secret-id", "5m", fake.Fields{"secret_id": "known"}), ""},
	} {
		e := with(c.token, c.role)
		e.wantLine(t, failure.Denied, "treat it as stolen")
		if strings.Contains(e.stderr, stolen) {
			t.Errorf("%s: the secret ID is said", c.name)
		}
		if asked := v.call("POST", "sys/wrapping/lookup", fake.Fields{"token": c.token}); asked["creation_path"] == "" {
			t.Errorf("%s: it was unwrapped", c.name)
		}
	}
	with(v.wrap("sys/wrapping/wrap", "5m", fake.Fields{"secret_id": stolen}), "").wantLine(t, failure.Denied, `it was created at "sys/wrapping/wrap", not at auth/approle/role/*/secret-id`)
	short := v.wrap(secretID, "1s", nil)
	time.Sleep(1200 * time.Millisecond)
	with(short, "").wantLine(t, failure.Denied, "has been used, has expired or is from another Vault")
	with("hvs.nonsense", "").wantLine(t, failure.Denied, "has been used, has expired or is from another Vault")
}

func (v *realVault) testCertificate(t *testing.T) {
	p := fake.NewPKI(t)
	ca := fake.PEM("CERTIFICATE", p.Cert.Raw)
	v.call("POST", "auth/cert/certs/web", fake.Fields{"certificate": ca, "allowed_common_names": []string{"web.shop"}, "token_policies": []string{"shop"}})
	v.call("POST", "auth/cert/certs/nothing", fake.Fields{"certificate": ca, "allowed_common_names": []string{"nobody"}, "token_policies": []string{"shop"}})
	same := func(*x509.Certificate) {}
	certFile, keyFile := p.Files("web.shop", same)
	with := func(certFile, keyFile, role string) ended {
		auth := fake.Fields{"method": "Certificate", "certFile": certFile, "keyFile": keyFile}
		if role != "" {
			auth["role"] = role
		}
		return v.with(auth)
	}
	with(certFile, keyFile, "web").wantSecret(t)
	with(certFile, keyFile, "").wantSecret(t)
	v.run([]string{"VAULT_ADDR=https://" + v.address, "VAULT_CACERT=" + v.caFile(), "VAULT_AUTH_METHOD=cert", "VAULT_CLIENT_CERT=" + certFile, "VAULT_CLIENT_KEY=" + keyFile,
		"X=vault:secret/data/shop/db#password"}, "printenv", "X").wantSecret(t)

	with(certFile, keyFile, "nothing").wantLine(t, failure.Denied, `refused the login with role "nothing" at auth/cert/login (400: `)
	strangerCert, strangerKey := fake.NewPKI(t).Files("web.shop", same)
	with(strangerCert, strangerKey, "web").wantLine(t, failure.Denied, `(400: failed to match all constraints for this login certificate): check the role, the certificate `+strangerCert)
	oldCert, oldKey := p.Files("web.shop", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	with(oldCert, oldKey, "web").wantLine(t, failure.Settings, "the client certificate "+oldCert+" expired at 2")
	with(certFile, strangerKey, "web").wantLine(t, failure.Settings, "do not match")
	with(keyFile, certFile, "web").wantLine(t, failure.Settings, "the client certificate "+keyFile+" contains no certificate")
	with(certFile, "/nonexistent", "web").wantLine(t, failure.Settings, "the client certificate's key /nonexistent cannot be read: no such file")
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if e := with(keyFile, keyFile, "web"); strings.Contains(e.stderr, strings.Split(string(key), "\n")[1]) {
		t.Errorf("the key is printed: %s", e.stderr)
	}
}
