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
	"vaultinjection.dev/vault-env/internal/fake"
)

// TestRealVaultClouds sends logins to Vault's own plugins; only the clouds behind them are fakes. It needs
// VAULT_ENV_TEST_PLUGINS, a folder with the executables vault-auth-aws (Vault's package
// builtin/credential/aws/cmd/aws), vault-auth-gcp and vault-auth-azure (hashicorp/vault-plugin-auth-gcp and -azure).
func TestRealVaultClouds(t *testing.T) {
	plugins := os.Getenv("VAULT_ENV_TEST_PLUGINS")
	if plugins == "" {
		t.Skip("VAULT_ENV_TEST_PLUGINS is not set to a folder: the tests against Vault's cloud plugins are skipped")
	}
	cloud := fake.NewCloud(t)
	v := startVault(t, func(vault *exec.Cmd) {
		vault.Args = append(vault.Args, "-dev-plugin-dir="+plugins)
		vault.Env = append(vault.Env, cloud.Environment()...)
	})
	for name, test := range map[string]func(*testing.T, *fake.Cloud){"aws": v.testAWS, "gcp": v.testGCP, "azure": v.testAzure} {
		t.Run(name, func(t *testing.T) {
			plugin := "vault-auth-" + name
			if _, err := os.Stat(filepath.Join(plugins, plugin)); err != nil {
				t.Skip(err)
			}
			v.call("POST", "sys/auth/"+name, fake.Fields{"type": plugin})
			test(t, cloud)
		})
	}
}

// in runs vault-env in the cloud.
func (v *realVault) in(cloud *fake.Cloud, auth fake.Fields, env ...string) ended {
	v.t.Helper()
	cloud.Hosts[v.address] = v.address
	variables := cloud.Environment()
	config := v.config(func(c fake.Fields) {
		c["vault"].(fake.Fields)["auth"] = auth
		c["vault"].(fake.Fields)["timeout"] = "3s"
		c["vault"].(fake.Fields)["proxyURL"] = strings.TrimPrefix(variables[0], "HTTPS_PROXY=")
	})
	env = append(env, variables[1:]...)
	return v.run(append(env, config, "BE_IN_CLOUD=true", "X=vault:secret/data/shop/db#password"), "printenv", "X")
}

func (v *realVault) testAWS(t *testing.T, cloud *fake.Cloud) {
	for _, host := range []string{"sts.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443"} {
		cloud.Serve(host, fake.STS)
	}
	agent := cloud.Serve("127.0.0.1:80", fake.Agent(fake.PodIdentityJWT))
	ec2 := cloud.Serve("127.0.0.2:80", fake.EC2)
	v.call("POST", "auth/aws/config/client", fake.Fields{"iam_server_id_header_value": "vault.example"})
	v.call("POST", "auth/aws/role/shop", fake.Fields{"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::123456789012:role/shop", "resolve_aws_unique_ids": false, "token_policies": []string{"shop"}})
	v.call("POST", "auth/aws/role/other", fake.Fields{"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::123456789012:role/other", "resolve_aws_unique_ids": false})
	auth := fake.Fields{"method": "AWS", "role": "shop", "headerValue": "vault.example"}
	keys := []string{"AWS_ACCESS_KEY_ID=" + fake.LongLived.KeyID, "AWS_SECRET_ACCESS_KEY=" + fake.LongLived.Secret}
	v.in(cloud, auth, keys...).wantSecret(t)
	v.in(cloud, auth, "AWS_ROLE_ARN="+fake.IAMRole, "AWS_REGION=eu-west-1", "AWS_WEB_IDENTITY_TOKEN_FILE="+fake.File(t, "token", fake.WebIdentityJWT)).wantSecret(t)
	v.in(cloud, auth, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+agent.URL+"/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+fake.File(t, "token", fake.PodIdentityJWT)).wantSecret(t)
	v.in(cloud, auth, "AWS_EC2_METADATA_SERVICE_ENDPOINT="+ec2.URL).wantSecret(t)

	v.in(cloud, fake.Fields{"method": "AWS", "role": "shop"}, keys...).wantLine(t, failure.Denied, `(400: error validating X-Vault-AWS-IAM-Server-ID header: missing header "X-Vault-AWS-IAM-Server-ID")`)
	v.in(cloud, fake.Fields{"method": "AWS", "role": "other", "headerValue": "vault.example"}, keys...).wantLine(t, failure.Denied, `does not belong to the role`)
	e := v.in(cloud, auth, "AWS_ACCESS_KEY_ID="+fake.ShortTerm.KeyID, "AWS_SECRET_ACCESS_KEY=wrong", "AWS_SESSION_TOKEN="+fake.ShortTerm.Token)
	e.wantLine(t, failure.Denied, "received error code 403 from STS")
	if strings.Contains(e.stderr, "canary") {
		t.Errorf("a credential is printed: %s", e.stderr)
	}
	regional := fake.Fields{"method": "AWS", "role": "shop", "headerValue": "vault.example", "region": "eu-west-1"}
	v.call("POST", "auth/aws/config/client", fake.Fields{"use_sts_region_from_client": true, "iam_server_id_header_value": "vault.example"})
	v.in(cloud, regional, keys...).wantSecret(t)
	v.run(append(append(keys, cloud.Environment()...), "VAULT_ADDR=https://"+v.address, "VAULT_CACERT="+v.caFile(), "VAULT_AUTH_METHOD=aws-iam", "VAULT_ROLE=shop",
		"X=vault:secret/data/shop/db#password"), "printenv", "X").wantLine(t, failure.Denied, "X-Vault-AWS-IAM-Server-ID")
	v.call("POST", "auth/aws/config/client", fake.Fields{"iam_server_id_header_value": ""})
	v.run(append(append(keys, cloud.Environment()...), "VAULT_ADDR=https://"+v.address, "VAULT_CACERT="+v.caFile(), "VAULT_AUTH_METHOD=aws-iam", "VAULT_ROLE=shop",
		"AWS_STS_REGIONAL_ENDPOINTS=regional", "AWS_REGION=eu-west-1", "X=vault:secret/data/shop/db#password"), "printenv", "X").wantSecret(t)
}

// issuerCertificate returns what Google publishes about a service account's key.
func issuerCertificate(p *fake.PKI) string {
	certificate := p.IssueFor(fake.GoogleServiceAccount, &fake.IssuerKey().PublicKey)
	return fake.PEM("CERTIFICATE", certificate.Raw)
}

func issuerKeyPEM() string {
	return fake.PEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(fake.IssuerKey()))
}

func (v *realVault) testGCP(t *testing.T, cloud *fake.Cloud) {
	cloud.Serve("www.googleapis.com:443", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/service_accounts/v1/metadata/x509/"+fake.GoogleServiceAccount {
			io.WriteString(w, `{"keys":[]}`)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"1": issuerCertificate(cloud.PKI)})
	})
	cloud.Serve("oauth2.googleapis.com:443", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"vaults-own","expires_in":3600,"token_type":"Bearer"}`)
	})
	cloud.Serve("iam.googleapis.com:443", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"projects/project/serviceAccounts/%s","projectId":"project","uniqueId":"1137","email":"%[1]s"}`, fake.GoogleServiceAccount)
	})
	cloud.Serve("iamcredentials.googleapis.com:443", fake.IAMCredentials)
	metadata := cloud.Serve("127.0.0.3:80", fake.GoogleMetadata)
	credentials, _ := json.Marshal(fake.Fields{"type": "service_account", "project_id": "project", "private_key_id": "1", "client_id": "1", "client_email": "vault@project.iam.gserviceaccount.com",
		"private_key": issuerKeyPEM(), "token_uri": "https://oauth2.googleapis.com/token"})
	v.call("POST", "auth/gcp/config", fake.Fields{"credentials": string(credentials)})
	v.call("POST", "auth/gcp/role/shop", fake.Fields{"type": "iam", "bound_service_accounts": []string{fake.GoogleServiceAccount}, "token_policies": []string{"shop"}})
	v.call("POST", "auth/gcp/role/short", fake.Fields{"type": "iam", "bound_service_accounts": []string{fake.GoogleServiceAccount}, "token_policies": []string{"shop"}, "max_jwt_exp": "5m"})
	v.call("POST", "auth/gcp/role/other", fake.Fields{"type": "iam", "bound_service_accounts": []string{"other@project.iam.gserviceaccount.com"}})
	host := "GCE_METADATA_HOST=" + strings.TrimPrefix(metadata.URL, "http://")
	v.in(cloud, fake.Fields{"method": "GCP", "role": "shop"}, host).wantSecret(t)
	v.in(cloud, fake.Fields{"method": "GCP", "role": "short", "serviceAccount": fake.GoogleServiceAccount}, host).wantSecret(t)
	e := v.in(cloud, fake.Fields{"method": "GCP", "role": "other"}, host)
	e.wantLine(t, failure.Denied, `refused the login with role "other" at auth/gcp/login (400: service account `)
	if strings.Contains(e.stderr, "eyJ") {
		t.Errorf("the JWT is printed: %s", e.stderr)
	}
}

func (v *realVault) testAzure(t *testing.T, cloud *fake.Cloud) {
	cloud.Serve("login.microsoftonline.com:443", func(w http.ResponseWriter, r *http.Request) {
		const base = "https://login.microsoftonline.com/" + fake.AzureTenant
		switch r.URL.Path {
		case "/" + fake.AzureTenant + "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(fake.Fields{"issuer": "https://sts.windows.net/" + fake.AzureTenant + "/", "jwks_uri": base + "/discovery/keys"})
		case "/" + fake.AzureTenant + "/discovery/keys":
			key := fake.IssuerKey().PublicKey
			json.NewEncoder(w).Encode(fake.Fields{"keys": []fake.Fields{{"kty": "RSA", "use": "sig", "kid": "1", "alg": "RS256",
				"n": fake.Base64URL(key.N.Bytes()), "e": fake.Base64URL(big.NewInt(int64(key.E)).Bytes())}}})
		default:
			fake.Entra(w, r)
		}
	})
	v.call("POST", "auth/azure/config", fake.Fields{"tenant_id": fake.AzureTenant, "resource": "https://management.azure.com/"})
	v.call("POST", "auth/azure/role/shop", fake.Fields{"bound_service_principal_ids": []string{"object"}, "token_policies": []string{"shop"}})
	v.call("POST", "auth/azure/role/other", fake.Fields{"bound_service_principal_ids": []string{"other"}})
	env := []string{"AZURE_CLIENT_ID=" + fake.AzureClient, "AZURE_TENANT_ID=" + fake.AzureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + fake.File(t, "assertion", fake.AzureAssertion)}
	v.in(cloud, fake.Fields{"method": "Azure", "role": "shop"}, env...).wantSecret(t)
	v.in(cloud, fake.Fields{"method": "Azure", "role": "other"}, env...).wantLine(t, failure.Denied, "service principal not authorized")
	v.in(cloud, fake.Fields{"method": "Azure", "role": "shop", "resource": "api://other"}, env...).wantLine(t, failure.Denied, "expected audience")
}
