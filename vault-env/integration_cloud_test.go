package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

// TestRealVaultClouds lets Vault's own plugins judge what vault-env sends them; only the clouds behind both are fakes.
// It needs VAULT_ENV_TEST_PLUGINS, a folder with the executables vault-auth-aws (of the package builtin/credential/aws/
// cmd/aws of Vault), vault-auth-gcp and vault-auth-azure (of hashicorp/vault-plugin-auth-gcp and -azure).
func TestRealVaultClouds(t *testing.T) {
	plugins := os.Getenv("VAULT_ENV_TEST_PLUGINS")
	if plugins == "" {
		t.Skip("VAULT_ENV_TEST_PLUGINS names no folder: the tests against Vault's plugins for the clouds are skipped")
	}
	cloud := newFakeCloud(t)
	v := startVault(t, func(vault *exec.Cmd) {
		vault.Args = append(vault.Args, "-dev-plugin-dir="+plugins)
		vault.Env = append(vault.Env, cloud.environment()...)
	})
	for name, test := range map[string]func(*testing.T, *fakeCloud){"aws": v.testAWS, "gcp": v.testGCP, "azure": v.testAzure} {
		t.Run(name, func(t *testing.T) {
			plugin := "vault-auth-" + name
			if _, err := os.Stat(filepath.Join(plugins, plugin)); err != nil {
				t.Skip(err)
			}
			v.call("POST", "sys/auth/"+name, fields{"type": plugin})
			test(t, cloud)
		})
	}
}

// in runs vault-env within the cloud.
func (v *realVault) in(cloud *fakeCloud, auth fields, env ...string) ended {
	v.t.Helper()
	config := v.config(func(c fields) {
		c["vault"].(fields)["auth"] = auth
		c["vault"].(fields)["timeout"] = "3s"
	})
	env = append(env, cloud.environment()...)
	return v.run(append(env, config, "X=vault:secret/data/shop/db#password"), "printenv", "X")
}

func (v *realVault) testAWS(t *testing.T, cloud *fakeCloud) {
	for _, host := range []string{"sts.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443"} {
		cloud.serve(host, fakeSTS)
	}
	agent := cloud.serve("127.0.0.1:80", fakeAgent(podIdentityJWT))
	ec2 := cloud.serve("127.0.0.2:80", fakeEC2)
	v.call("POST", "auth/aws/config/client", fields{"iam_server_id_header_value": "vault.example"})
	v.call("POST", "auth/aws/role/shop", fields{"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::123456789012:role/shop", "resolve_aws_unique_ids": false, "token_policies": []string{"shop"}})
	v.call("POST", "auth/aws/role/other", fields{"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::123456789012:role/other", "resolve_aws_unique_ids": false})
	auth := fields{"method": "AWS", "role": "shop", "headerValue": "vault.example"}
	keys := []string{"AWS_ACCESS_KEY_ID=" + longLived.KeyID, "AWS_SECRET_ACCESS_KEY=" + longLived.Secret}
	v.in(cloud, auth, keys...).wantSecret(t)
	v.in(cloud, auth, "AWS_ROLE_ARN="+iamRole, "AWS_REGION=eu-west-1", "AWS_WEB_IDENTITY_TOKEN_FILE="+write(t, "token", webIdentityJWT)).wantSecret(t)
	v.in(cloud, auth, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+agent.URL+"/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+write(t, "token", podIdentityJWT)).wantSecret(t)
	v.in(cloud, auth, "AWS_EC2_METADATA_SERVICE_ENDPOINT="+ec2.URL).wantSecret(t)

	v.in(cloud, fields{"method": "AWS", "role": "shop"}, keys...).wantLine(t, failure.Denied, `(400: error validating X-Vault-AWS-IAM-Server-ID header: missing header "X-Vault-AWS-IAM-Server-ID")`)
	v.in(cloud, fields{"method": "AWS", "role": "other", "headerValue": "vault.example"}, keys...).wantLine(t, failure.Denied, `does not belong to the role`)
	e := v.in(cloud, auth, "AWS_ACCESS_KEY_ID="+shortTerm.KeyID, "AWS_SECRET_ACCESS_KEY=wrong", "AWS_SESSION_TOKEN="+shortTerm.Token)
	e.wantLine(t, failure.Denied, "received error code 403 from STS")
	if strings.Contains(e.stderr, "canary") {
		t.Errorf("a credential is said: %s", e.stderr)
	}
	regional := fields{"method": "AWS", "role": "shop", "headerValue": "vault.example", "region": "eu-west-1"}
	v.call("POST", "auth/aws/config/client", fields{"use_sts_region_from_client": true, "iam_server_id_header_value": "vault.example"})
	v.in(cloud, regional, keys...).wantSecret(t)
	v.run(append(append(keys, cloud.environment()...), "VAULT_ADDR=https://"+v.address, "VAULT_CACERT="+v.caFile(), "VAULT_AUTH_METHOD=aws-iam", "VAULT_ROLE=shop",
		"X=vault:secret/data/shop/db#password"), "printenv", "X").wantLine(t, failure.Denied, "X-Vault-AWS-IAM-Server-ID")
	v.call("POST", "auth/aws/config/client", fields{"iam_server_id_header_value": ""})
	v.run(append(append(keys, cloud.environment()...), "VAULT_ADDR=https://"+v.address, "VAULT_CACERT="+v.caFile(), "VAULT_AUTH_METHOD=aws-iam", "VAULT_ROLE=shop",
		"AWS_STS_REGIONAL_ENDPOINTS=regional", "AWS_REGION=eu-west-1", "X=vault:secret/data/shop/db#password"), "printenv", "X").wantSecret(t)
}

// issuerCertificate is what Google publishes of a service account's key.
func issuerCertificate(p *pki) string {
	certificate := p.issueFor(googleServiceAccount, &issuerKey().PublicKey)
	return asPEM("CERTIFICATE", certificate.Raw)
}

func issuerKeyPEM() string {
	return asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(issuerKey()))
}

func (v *realVault) testGCP(t *testing.T, cloud *fakeCloud) {
	cloud.serve("www.googleapis.com:443", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/service_accounts/v1/metadata/x509/"+googleServiceAccount {
			io.WriteString(w, `{"keys":[]}`)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"1": issuerCertificate(cloud.pki)})
	})
	cloud.serve("oauth2.googleapis.com:443", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"vaults-own","expires_in":3600,"token_type":"Bearer"}`)
	})
	cloud.serve("iam.googleapis.com:443", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"projects/project/serviceAccounts/%s","projectId":"project","uniqueId":"1137","email":"%[1]s"}`, googleServiceAccount)
	})
	cloud.serve("iamcredentials.googleapis.com:443", fakeIAMCredentials)
	metadata := cloud.serve("127.0.0.3:80", fakeGoogleMetadata)
	credentials, _ := json.Marshal(fields{"type": "service_account", "project_id": "project", "private_key_id": "1", "client_id": "1", "client_email": "vault@project.iam.gserviceaccount.com",
		"private_key": issuerKeyPEM(), "token_uri": "https://oauth2.googleapis.com/token"})
	v.call("POST", "auth/gcp/config", fields{"credentials": string(credentials)})
	v.call("POST", "auth/gcp/role/shop", fields{"type": "iam", "bound_service_accounts": []string{googleServiceAccount}, "token_policies": []string{"shop"}})
	v.call("POST", "auth/gcp/role/short", fields{"type": "iam", "bound_service_accounts": []string{googleServiceAccount}, "token_policies": []string{"shop"}, "max_jwt_exp": "5m"})
	v.call("POST", "auth/gcp/role/other", fields{"type": "iam", "bound_service_accounts": []string{"other@project.iam.gserviceaccount.com"}})
	host := "GCE_METADATA_HOST=" + strings.TrimPrefix(metadata.URL, "http://")
	v.in(cloud, fields{"method": "GCP", "role": "shop"}, host).wantSecret(t)
	v.in(cloud, fields{"method": "GCP", "role": "short", "serviceAccount": googleServiceAccount}, host).wantSecret(t)
	e := v.in(cloud, fields{"method": "GCP", "role": "other"}, host)
	e.wantLine(t, failure.Denied, `refused the login of the role "other" at auth/gcp/login (400: service account `)
	if strings.Contains(e.stderr, "eyJ") {
		t.Errorf("the JWT is said: %s", e.stderr)
	}
}

func (v *realVault) testAzure(t *testing.T, cloud *fakeCloud) {
	cloud.serve("login.microsoftonline.com:443", func(w http.ResponseWriter, r *http.Request) {
		const base = "https://login.microsoftonline.com/" + azureTenant
		switch r.URL.Path {
		case "/" + azureTenant + "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(fields{"issuer": "https://sts.windows.net/" + azureTenant + "/", "jwks_uri": base + "/discovery/keys"})
		case "/" + azureTenant + "/discovery/keys":
			key := issuerKey().PublicKey
			json.NewEncoder(w).Encode(fields{"keys": []fields{{"kty": "RSA", "use": "sig", "kid": "1", "alg": "RS256",
				"n": encodeBase64URL(key.N.Bytes()), "e": encodeBase64URL(big.NewInt(int64(key.E)).Bytes())}}})
		default:
			fakeEntra(w, r)
		}
	})
	v.call("POST", "auth/azure/config", fields{"tenant_id": azureTenant, "resource": "https://management.azure.com/"})
	v.call("POST", "auth/azure/role/shop", fields{"bound_service_principal_ids": []string{"object"}, "token_policies": []string{"shop"}})
	v.call("POST", "auth/azure/role/other", fields{"bound_service_principal_ids": []string{"other"}})
	env := []string{"AZURE_CLIENT_ID=" + azureClient, "AZURE_TENANT_ID=" + azureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + write(t, "assertion", azureAssertion)}
	v.in(cloud, fields{"method": "Azure", "role": "shop"}, env...).wantSecret(t)
	v.in(cloud, fields{"method": "Azure", "role": "other"}, env...).wantLine(t, failure.Denied, "service principal not authorized")
	v.in(cloud, fields{"method": "Azure", "role": "shop", "resource": "api://other"}, env...).wantLine(t, failure.Denied, "expected audience")
}
