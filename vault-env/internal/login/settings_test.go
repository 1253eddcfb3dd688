package login

import (
	"reflect"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// readConfig reads vault.auth as the settings of VAULT_ENV_CONFIG do, for a Vault at an address.
func readConfig(address, auth string) (Settings, vault.Connection, *failure.Failure) {
	s, v := Default(), vault.Connection{Address: address}
	o, f := source.Parse(`{"vault":{"auth":` + auth + `}}`)
	if f != nil {
		return s, v, f
	}
	ReadConfig(o.Child("vault").Child("auth"), &s, &v)
	return s, v, o.Failure()
}

// readVariables reads the login settings from Bank-Vaults' variables, as the settings do.
func readVariables(env environment.Variables) (Settings, *failure.Failure) {
	r := &source.Variables{Environment: env}
	s := Default()
	v := vault.Connection{Address: r.Text("VAULT_ADDR", "https://127.0.0.1:8200"), CertFile: r.Text("VAULT_CLIENT_CERT", ""), KeyFile: r.Text("VAULT_CLIENT_KEY", "")}
	ReadVariables(r, &s, &v)
	return s, r.Failure()
}

func TestAuthConfig(t *testing.T) {
	for _, c := range []struct {
		auth string
		want Settings
	}{
		{`{"role":"r"}`, Settings{Mount: "kubernetes", Role: "r", identity: serviceAccount{}}},
		{`{"method":"Kubernetes","role":"r","tokenPath":"/t"}`, Settings{Mount: "kubernetes", Role: "r", JWTFile: "/t", identity: serviceAccount{}}},
		{`{"method":"JWT"}`, Settings{Mount: "jwt", identity: serviceAccount{}}},
		{`{"method":"AppRole","roleIDFile":"/r","secretIDFile":"/s","secretIDWrapped":true,"role":"shop","mountPath":"approle/eu"}`,
			Settings{Mount: "approle/eu", Role: "shop", identity: appRole{roleIDFile: "/r", secretIDFile: "/s", secretIDWrapped: true}}},
		{`{"method":"AppRole","roleIDFile":"/r"}`, Settings{Mount: "approle", identity: appRole{roleIDFile: "/r"}}},
		{`{"method":"Certificate","certFile":"/c","keyFile":"/k"}`, Settings{Mount: "cert", identity: certificate{}}},
		{`{"method":"AWS"}`, Settings{Mount: "aws", identity: aws{}}},
		{`{"method":"AWS","type":"IAM","role":"r","region":"eu-west-1","headerValue":"vault.example"}`,
			Settings{Mount: "aws", Role: "r", identity: aws{region: "eu-west-1", headerValue: "vault.example"}}},
		{`{"method":"GCP","role":"r"}`, Settings{Mount: "gcp", Role: "r", identity: gcpIAM{}}},
		{`{"method":"GCP","role":"r","type":"IAM","serviceAccount":"a@p.iam.gserviceaccount.com"}`,
			Settings{Mount: "gcp", Role: "r", identity: gcpIAM{serviceAccount: "a@p.iam.gserviceaccount.com"}}},
		{`{"method":"GCP","role":"r","type":"GCE","mountPath":"google"}`, Settings{Mount: "google", Role: "r", identity: gce{}}},
		{`{"method":"Azure","role":"r"}`, Settings{Mount: "azure", Role: "r", identity: azure{resource: "https://management.azure.com/"}}},
		{`{"method":"Azure","role":"r","resource":"api://vault"}`, Settings{Mount: "azure", Role: "r", identity: azure{resource: "api://vault"}}},
	} {
		s, _, f := readConfig("https://v", c.auth)
		if c.want.JWTFile == "" {
			c.want.JWTFile = defaultJWTFile
		}
		if f != nil || !reflect.DeepEqual(s, c.want) {
			t.Errorf("%s\n got %+v %v\nwant %+v", c.auth, s, f, c.want)
		}
	}
	_, v, f := readConfig("https://v", `{"method":"Certificate","certFile":"/c","keyFile":"/k"}`)
	if f != nil || v.CertFile != "/c" || v.KeyFile != "/k" {
		t.Errorf("the certificate: %+v %v", v, f)
	}
}

func TestBadAuthConfig(t *testing.T) {
	for _, c := range []struct{ auth, says string }{
		{`{"method":"Kubernetes"}`, "vault.auth.role is missing"},
		{`{"method":"kubernetes","role":"r"}`, "vault.auth.method is unknown: write Kubernetes, JWT, AppRole, Certificate, AWS, GCP or Azure"},
		{`{"method":"JWT","roleIDFile":"/r"}`, "unknown key vault.auth.roleIDFile"},
		{`{"method":"AppRole"}`, "vault.auth.roleIDFile is missing"},
		{`{"method":"AppRole","roleIDFile":"/r","secretIDWrapped":true}`, "vault.auth.secretIDFile is missing"},
		{`{"method":"AppRole","roleIDFile":"/r","secretIDWrapped":"yes"}`, "vault.auth.secretIDWrapped is a string"},
		{`{"method":"AppRole","roleIDFile":"/r","secretID":"hunter2"}`, "unknown key vault.auth.secretID"},
		{`{"method":"Certificate","certFile":"/c"}`, "vault.auth.certFile and keyFile go together"},
		{`{"method":"AWS","type":"EC2"}`, "vault.auth.type is unknown: write IAM"},
		{`{"method":"AWS","region":"evil.example/"}`, "vault.auth.region is not an AWS region"},
		{`{"method":"AWS","region":"-"}`, "vault.auth.region is not an AWS region"},
		{`{"method":"AWS","headerValue":"a\nb"}`, "vault.auth.headerValue is not a valid header value"},
		{`{"method":"AWS","headerValue":" a"}`, "vault.auth.headerValue is not a valid header value"},
		{`{"method":"GCP"}`, "vault.auth.role is missing"},
		{`{"method":"GCP","role":"r","type":"gce"}`, "vault.auth.type is unknown: write GCE or IAM"},
		{`{"method":"GCP","role":"r","serviceAccount":"default/../../x@y"}`, "vault.auth.serviceAccount is not a Google Cloud service account"},
		{`{"method":"Azure"}`, "vault.auth.role is missing"},
		{`{"method":"Azure","role":"r","region":"x"}`, "unknown key vault.auth.region"},
	} {
		_, _, f := readConfig("https://v", c.auth)
		if f == nil || f.Status != failure.Settings || !strings.Contains(f.Message, c.says) || strings.Contains(f.Message, "hunter2") {
			t.Errorf("%s: %v; want %q", c.auth, f, c.says)
		}
	}
	_, _, f := readConfig("http://v", `{"method":"Certificate","certFile":"/c","keyFile":"/k"}`)
	if f == nil || !strings.Contains(f.Message, "vault.auth.method is Certificate, which needs TLS") {
		t.Errorf("a certificate without TLS: %v", f)
	}
}

func TestBankVaultsAuth(t *testing.T) {
	for _, c := range []struct {
		env  string
		want Settings
	}{
		{"", Settings{Mount: "kubernetes", Role: "default", identity: serviceAccount{}}},
		{"VAULT_AUTH_METHOD=kubernetes VAULT_PATH=k8s VAULT_ROLE=r", Settings{Mount: "k8s", Role: "r", identity: serviceAccount{}}},
		{"VAULT_AUTH_METHOD=approle VAULT_ROLE_ID_FILE=/r VAULT_SECRET_ID_FILE=/s VAULT_SECRET_ID_WRAPPED=true",
			Settings{Mount: "approle", identity: appRole{roleIDFile: "/r", secretIDFile: "/s", secretIDWrapped: true}}},
		{"VAULT_AUTH_METHOD=approle VAULT_ROLE_ID_FILE=/r VAULT_ROLE=shop", Settings{Mount: "approle", Role: "shop", identity: appRole{roleIDFile: "/r"}}},
		{"VAULT_AUTH_METHOD=cert VAULT_CLIENT_CERT=/c VAULT_CLIENT_KEY=/k", Settings{Mount: "cert", identity: certificate{}}},
		{"VAULT_AUTH_METHOD=aws-iam VAULT_ROLE=r AWS_REGION=eu-west-1", Settings{Mount: "aws", Role: "r", identity: aws{}}},
		{"VAULT_AUTH_METHOD=aws-iam AWS_STS_REGIONAL_ENDPOINTS=regional AWS_REGION=eu-west-1", Settings{Mount: "aws", Role: "default", identity: aws{region: "eu-west-1"}}},
		{"VAULT_AUTH_METHOD=aws-iam AWS_STS_REGIONAL_ENDPOINTS=regional AWS_DEFAULT_REGION=eu-west-2", Settings{Mount: "aws", Role: "default", identity: aws{region: "eu-west-2"}}},
		{"VAULT_AUTH_METHOD=gcp-gce", Settings{Mount: "gcp", Role: "default", identity: gce{}}},
		{"VAULT_AUTH_METHOD=gcp-iam VAULT_PATH=google", Settings{Mount: "google", Role: "default", identity: gcpIAM{}}},
		{"VAULT_AUTH_METHOD=azure", Settings{Mount: "azure", Role: "default", identity: azure{resource: "https://management.azure.com/"}}},
	} {
		env := environment.Variables(strings.Fields(c.env))
		s, f := readVariables(env)
		c.want.JWTFile, c.want.Environment = defaultJWTFile, env
		if f != nil || !reflect.DeepEqual(s, c.want) {
			t.Errorf("%s\n got %+v %v\nwant %+v", c.env, s, f, c.want)
		}
	}
	for _, c := range []struct{ env, says string }{
		{"VAULT_AUTH_METHOD=ldap", "VAULT_AUTH_METHOD is unknown: write jwt, kubernetes, approle, cert, aws-iam, gcp-gce, gcp-iam or azure"},
		{"VAULT_AUTH_METHOD=namespaced", "VAULT_AUTH_METHOD is unknown"},
		{"VAULT_AUTH_METHOD=aws-ec2", "write aws-iam"},
		{"VAULT_AUTH_METHOD=approle", "set VAULT_ROLE_ID_FILE"},
		{"VAULT_AUTH_METHOD=approle VAULT_ROLE_ID_FILE=/r VAULT_SECRET_ID_WRAPPED=true", "VAULT_SECRET_ID_FILE"},
		{"VAULT_AUTH_METHOD=cert", "set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"},
		{"VAULT_AUTH_METHOD=cert VAULT_ADDR=http://v VAULT_CLIENT_CERT=/c VAULT_CLIENT_KEY=/k", "begins with https://"},
		{"VAULT_AUTH_METHOD=aws-iam AWS_STS_REGIONAL_ENDPOINTS=regional AWS_REGION=evil.example/", "AWS_REGION is not an AWS region"},
	} {
		if _, f := readVariables(strings.Fields(c.env)); f == nil || f.Status != failure.Settings || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v; want %q", c.env, f, c.says)
		}
	}
}
