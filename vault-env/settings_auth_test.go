package main

import (
	"reflect"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
)

func TestAuthConfig(t *testing.T) {
	for _, c := range []struct {
		auth string
		want authSettings
	}{
		{`{"role":"r"}`, authSettings{authMount: "kubernetes", role: "r"}},
		{`{"method":"Kubernetes","role":"r","tokenPath":"/t"}`, authSettings{authMount: "kubernetes", role: "r", jwtFile: "/t"}},
		{`{"method":"JWT"}`, authSettings{authMount: "jwt"}},
		{`{"method":"AppRole","roleIDFile":"/r","secretIDFile":"/s","secretIDWrapped":true,"role":"shop","mountPath":"approle/eu"}`,
			authSettings{method: authAppRole, authMount: "approle/eu", role: "shop", roleIDFile: "/r", secretIDFile: "/s", secretIDWrapped: true}},
		{`{"method":"AppRole","roleIDFile":"/r"}`, authSettings{method: authAppRole, authMount: "approle", roleIDFile: "/r"}},
		{`{"method":"Certificate","certFile":"/c","keyFile":"/k"}`, authSettings{method: authCertificate, authMount: "cert"}},
		{`{"method":"AWS"}`, authSettings{method: authAWS, authMount: "aws"}},
		{`{"method":"AWS","type":"IAM","role":"r","region":"eu-west-1","headerValue":"vault.example"}`,
			authSettings{method: authAWS, authMount: "aws", role: "r", region: "eu-west-1", headerValue: "vault.example"}},
		{`{"method":"GCP","role":"r"}`, authSettings{method: authGCPIAM, authMount: "gcp", role: "r"}},
		{`{"method":"GCP","role":"r","type":"IAM","serviceAccount":"a@p.iam.gserviceaccount.com"}`,
			authSettings{method: authGCPIAM, authMount: "gcp", role: "r", serviceAccount: "a@p.iam.gserviceaccount.com"}},
		{`{"method":"GCP","role":"r","type":"GCE","mountPath":"google"}`, authSettings{method: authGCE, authMount: "google", role: "r"}},
		{`{"method":"Azure","role":"r"}`, authSettings{method: authAzure, authMount: "azure", role: "r", resource: "https://management.azure.com/"}},
		{`{"method":"Azure","role":"r","resource":"api://vault"}`, authSettings{method: authAzure, authMount: "azure", role: "r", resource: "api://vault"}},
	} {
		s, f := parseConfig(`{"vault":{"address":"https://v","auth":` + c.auth + `}}`)
		if c.want.jwtFile == "" {
			c.want.jwtFile = defaultJWTFile
		}
		if f != nil || !reflect.DeepEqual(s.vault.authSettings, c.want) {
			t.Errorf("%s\n got %+v %v\nwant %+v", c.auth, s.vault.authSettings, f, c.want)
		}
	}
	s, f := parseConfig(`{"vault":{"address":"https://v","auth":{"method":"Certificate","certFile":"/c","keyFile":"/k"}}}`)
	if f != nil || s.vault.certFile != "/c" || s.vault.keyFile != "/k" {
		t.Errorf("the certificate: %+v %v", s.vault, f)
	}
}

func TestBadAuthConfig(t *testing.T) {
	for _, c := range []struct{ auth, says string }{
		{`{"method":"Kubernetes"}`, "vault.auth.role is missing"},
		{`{"method":"kubernetes","role":"r"}`, "vault.auth.method is unknown: write Kubernetes, JWT, AppRole, Certificate, AWS, GCP or Azure"},
		{`{"method":"JWT","roleIDFile":"/r"}`, "unknown key vault.auth.roleIDFile"},
		{`{"method":"AppRole"}`, "vault.auth.roleIDFile is missing"},
		{`{"method":"AppRole","roleIDFile":"/r","secretIDWrapped":true}`, "vault.auth.secretIDFile is missing"},
		{`{"method":"AppRole","roleIDFile":"/r","secretIDWrapped":"yes"}`, "vault.auth.secretIDWrapped holds a string"},
		{`{"method":"AppRole","roleIDFile":"/r","secretID":"hunter2"}`, "unknown key vault.auth.secretID"},
		{`{"method":"Certificate","certFile":"/c"}`, "vault.auth.certFile and keyFile go together"},
		{`{"method":"AWS","type":"EC2"}`, "vault.auth.type is unknown: write IAM"},
		{`{"method":"AWS","region":"evil.example/"}`, "vault.auth.region is not an AWS region"},
		{`{"method":"AWS","region":"-"}`, "vault.auth.region is not an AWS region"},
		{`{"method":"AWS","headerValue":"a\nb"}`, "vault.auth.headerValue is no value of a header"},
		{`{"method":"AWS","headerValue":" a"}`, "vault.auth.headerValue is no value of a header"},
		{`{"method":"GCP"}`, "vault.auth.role is missing"},
		{`{"method":"GCP","role":"r","type":"gce"}`, "vault.auth.type is unknown: write GCE or IAM"},
		{`{"method":"GCP","role":"r","serviceAccount":"default/../../x@y"}`, "vault.auth.serviceAccount is not a service account"},
		{`{"method":"Azure"}`, "vault.auth.role is missing"},
		{`{"method":"Azure","role":"r","region":"x"}`, "unknown key vault.auth.region"},
	} {
		_, f := parseConfig(`{"vault":{"address":"https://v","auth":` + c.auth + `}}`)
		if f == nil || f.Status != failure.Settings || !strings.Contains(f.Message, c.says) || strings.Contains(f.Message, "hunter2") {
			t.Errorf("%s: %v; want %q", c.auth, f, c.says)
		}
	}
	_, f := parseConfig(`{"vault":{"address":"http://v","auth":{"method":"Certificate","certFile":"/c","keyFile":"/k"}}}`)
	if f == nil || !strings.Contains(f.Message, "vault.auth.method is Certificate, which needs TLS") {
		t.Errorf("a certificate without TLS: %v", f)
	}
}

func TestBankVaultsAuth(t *testing.T) {
	for _, c := range []struct {
		env  string
		want authSettings
	}{
		{"", authSettings{authMount: "kubernetes", role: "default"}},
		{"VAULT_AUTH_METHOD=kubernetes VAULT_PATH=k8s VAULT_ROLE=r", authSettings{authMount: "k8s", role: "r"}},
		{"VAULT_AUTH_METHOD=approle VAULT_ROLE_ID_FILE=/r VAULT_SECRET_ID_FILE=/s VAULT_SECRET_ID_WRAPPED=true",
			authSettings{method: authAppRole, authMount: "approle", roleIDFile: "/r", secretIDFile: "/s", secretIDWrapped: true}},
		{"VAULT_AUTH_METHOD=approle VAULT_ROLE_ID_FILE=/r VAULT_ROLE=shop", authSettings{method: authAppRole, authMount: "approle", roleIDFile: "/r", role: "shop"}},
		{"VAULT_AUTH_METHOD=cert VAULT_CLIENT_CERT=/c VAULT_CLIENT_KEY=/k", authSettings{method: authCertificate, authMount: "cert"}},
		{"VAULT_AUTH_METHOD=aws-iam VAULT_ROLE=r AWS_REGION=eu-west-1", authSettings{method: authAWS, authMount: "aws", role: "r"}},
		{"VAULT_AUTH_METHOD=aws-iam AWS_STS_REGIONAL_ENDPOINTS=regional AWS_REGION=eu-west-1", authSettings{method: authAWS, authMount: "aws", role: "default", region: "eu-west-1"}},
		{"VAULT_AUTH_METHOD=aws-iam AWS_STS_REGIONAL_ENDPOINTS=regional AWS_DEFAULT_REGION=eu-west-2", authSettings{method: authAWS, authMount: "aws", role: "default", region: "eu-west-2"}},
		{"VAULT_AUTH_METHOD=gcp-gce", authSettings{method: authGCE, authMount: "gcp", role: "default"}},
		{"VAULT_AUTH_METHOD=gcp-iam VAULT_PATH=google", authSettings{method: authGCPIAM, authMount: "google", role: "default"}},
		{"VAULT_AUTH_METHOD=azure", authSettings{method: authAzure, authMount: "azure", role: "default", resource: "https://management.azure.com/"}},
	} {
		env := environment.Variables(strings.Fields(c.env))
		s, f := loadSettings(env)
		c.want.jwtFile, c.want.environment = defaultJWTFile, env
		if f != nil || !reflect.DeepEqual(s.vault.authSettings, c.want) {
			t.Errorf("%s\n got %+v %v\nwant %+v", c.env, s.vault.authSettings, f, c.want)
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
		if _, f := loadSettings(strings.Fields(c.env)); f == nil || f.Status != failure.Settings || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v; want %q", c.env, f, c.says)
		}
	}
}
