package login

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

func asAzure(change ...func(*applicant)) func(*applicant) {
	return func(a *applicant) {
		a.Mount, a.identity = "azure", azure{defaultAzureResource}
		for _, c := range change {
			c(a)
		}
	}
}

func TestAzureManagedIdentity(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(true))
	cloud := fake.NewCloud(t)
	cloud.Serve("169.254.169.254:80", fake.AzureMetadata)
	loginFrom(cloud, vault, nil, asAzure()).wantToken(t)
	want := []string{
		"GET 169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
		"GET 169.254.169.254/metadata/instance?api-version=2018-02-01",
	}
	if asked := cloud.Seen(); !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
	loginFrom(cloud, vault, environment.Variables{"AZURE_CLIENT_ID=" + fake.AzureClient}, asAzure()).wantToken(t)
	if asked := cloud.Seen(); !strings.Contains(asked[2], "client_id="+fake.AzureClient) {
		t.Errorf("the identity is not named: %v", asked)
	}
	loginFrom(cloud, vault, environment.Variables{"AZURE_CLIENT_ID=other"}, asAzure()).wantFailure(t, failure.Denied,
		"Azure's metadata service refused the request (400: invalid_request: Identity not found): give the node a managed identity, name one of several in AZURE_CLIENT_ID, or use workload identity")
	loginFrom(cloud, vault, nil, asAzure(func(a *applicant) { a.identity = azure{"api://other"} })).wantFailure(t, failure.Denied,
		`Vault refused the login with role "shop" at auth/azure/login (400: oidc: expected audience`, "in …)", "check the role, what it is bound to, and the resource")
}

func TestAzureWorkloadIdentity(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(false))
	cloud := fake.NewCloud(t)
	cloud.Serve("login.microsoftonline.com:443", fake.Entra)
	cloud.Serve("login.partner.microsoftonline.cn:443", fake.Entra)
	file := fake.File(t, "assertion", fake.AzureAssertion+"\n")
	env := environment.Variables{"AZURE_CLIENT_ID=" + fake.AzureClient, "AZURE_TENANT_ID=" + fake.AzureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + file}
	loginFrom(cloud, vault, env, asAzure()).wantToken(t)
	loginFrom(cloud, vault, append(env, "AZURE_AUTHORITY_HOST=https://login.partner.microsoftonline.cn/"), asAzure()).wantToken(t)
	want := []string{"POST login.microsoftonline.com/" + fake.AzureTenant + "/oauth2/v2.0/token", "POST login.partner.microsoftonline.cn/" + fake.AzureTenant + "/oauth2/v2.0/token"}
	if asked := cloud.Seen(); !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
	for _, c := range []struct {
		env    environment.Variables
		status int
		says   string
	}{
		{append(environment.Variables{"AZURE_FEDERATED_TOKEN_FILE=" + fake.File(t, "assertion", "canary")}, env[:2]...), failure.Denied,
			"Microsoft Entra ID refused the request (401: invalid_client: AADSTS700213: No matching federated identity record found for presented assertion …"},
		{append(environment.Variables{"AZURE_CLIENT_ID=other"}, env[1:]...), failure.Denied, "401: unauthorized_client: AADSTS700016"},
		{env[1:], failure.Settings, "AZURE_FEDERATED_TOKEN_FILE is set without AZURE_CLIENT_ID or AZURE_TENANT_ID"},
		{append(environment.Variables{"AZURE_AUTHORITY_HOST=http://login.microsoftonline.com"}, env...), failure.Settings, "AZURE_AUTHORITY_HOST is not an https URL: write https://HOST"},
		{append(environment.Variables{"AZURE_FEDERATED_TOKEN_FILE=/nonexistent"}, env[:2]...), failure.Settings, "the federated token /nonexistent cannot be read"},
	} {
		loginFrom(cloud, vault, c.env, asAzure()).wantFailure(t, c.status, c.says)
	}
}

// Somebody who may edit a ConfigMap that the environment comes from must not get the pod's token for Azure.
func TestTheEnvironmentDoesNotSayWhereAzureIs(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(false))
	cloud := fake.NewCloud(t)
	cloud.Serve("login.microsoftonline.com:443", fake.Entra)
	cloud.Serve("login.partner.microsoftonline.cn:443", fake.Entra)
	cloud.Serve("evil.example:443", fake.Entra)
	file := fake.File(t, "assertion", fake.AzureAssertion+"\n")
	env := environment.Variables{"AZURE_CLIENT_ID=" + fake.AzureClient, "AZURE_TENANT_ID=" + fake.AzureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + file}
	loginFrom(cloud, vault, append(env, "AZURE_AUTHORITY_HOST=https://login.partner.microsoftonline.cn/"), asAzure(byPolicy)).wantToken(t)
	loginFrom(cloud, vault, env, asAzure(byPolicy)).wantToken(t)
	before := len(cloud.Seen())
	for _, authority := range []string{"https://evil.example/", "https://login.microsoftonline.com.evil.example/", "https://login.microsoftonline.com:8443/", "https://login.microsoftonline.com/evil"} {
		loginFrom(cloud, vault, append(env, "AZURE_AUTHORITY_HOST="+authority), asAzure(byPolicy)).wantFailure(t, failure.Settings, "AZURE_AUTHORITY_HOST is not an authority of Azure: write https://login.microsoftonline.com/")
	}
	if asked := cloud.Seen()[before:]; len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

// Azure's metadata service answers 404 or 410 while it is updated; Azure's SDKs retry as well.
func TestAzureMetadataUpdating(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(true))
	for _, status := range []int{404, 410} {
		n := 0
		cloud := fake.NewCloud(t)
		cloud.Serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				w.WriteHeader(status)
				return
			}
			fake.AzureMetadata(w, r)
		})
		loginFrom(cloud, vault, nil, asAzure()).wantToken(t)
	}
}

func TestAzureTrouble(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(false))
	federated := environment.Variables{"AZURE_CLIENT_ID=" + fake.AzureClient, "AZURE_TENANT_ID=" + fake.AzureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + fake.File(t, "assertion", fake.AzureAssertion)}
	onlyInstance := func(service http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metadata/instance" {
				service(w, r)
				return
			}
			fake.AzureMetadata(w, r)
		}
	}
	for _, c := range []struct {
		name, called, address string
		fake                  http.HandlerFunc
		only                  func(http.HandlerFunc) http.HandlerFunc
		env                   environment.Variables
	}{
		{"token", "Azure's metadata service", "169.254.169.254:80", fake.AzureMetadata, nil, nil},
		{"instance", "Azure's metadata service", "169.254.169.254:80", fake.AzureMetadata, onlyInstance, nil},
		{"Entra ID", "Microsoft Entra ID", "login.microsoftonline.com:443", fake.Entra, nil, federated},
	} {
		t.Run(c.name, func(t *testing.T) {
			testTrouble(t, c.called, func(t *testing.T, broken http.HandlerFunc, timeout time.Duration) loggedIn {
				if broken == nil {
					broken = fake.Recovering(c.fake)
				}
				if c.only != nil {
					broken = c.only(broken)
				}
				cloud := fake.NewCloud(t)
				cloud.Serve(c.address, broken)
				return loginFrom(cloud, vault, c.env, asAzure(func(a *applicant) { a.connection.Timeout = timeout }))
			})
		})
	}
}

// An answer is only read up to a limit, even if its beginning is valid.
func TestCloudAnswerWithoutEnd(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(true))
	cloud := fake.NewCloud(t)
	cloud.Serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
		fake.AzureMetadata(w, r)
		for range maxCloudAnswer/1024 + 1 {
			io.WriteString(w, strings.Repeat(" ", 1024))
		}
	})
	loginFrom(cloud, vault, nil, asAzure()).wantFailure(t, failure.Protocol, "the response from Azure's metadata service is malformed")
}

// A service that does not answer on one connection may on the next: no attempt takes all the time.
func TestCloudSilentAtFirst(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("azure", fake.CheckAzure(true))
	cloud := fake.NewCloud(t)
	var asked atomic.Int32
	cloud.Serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		fake.AzureMetadata(w, r)
	})
	loginFrom(cloud, vault, nil, asAzure(func(a *applicant) { a.connection.Timeout = 3 * time.Second })).wantToken(t)
}
