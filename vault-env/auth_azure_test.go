package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
)

const (
	azureClient    = "11111111-2222-3333-4444-555555555555"
	azureTenant    = "99999999-8888-7777-6666-555555555555"
	azureAssertion = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcGk6Ly9BenVyZUFEVG9rZW5FeGNoYW5nZSJ9.canary"
)

func entraJWT(resource string) string {
	return fakeJWT(map[string]any{"iss": "https://sts.windows.net/" + azureTenant + "/", "aud": resource, "oid": "object", "tid": azureTenant,
		"nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
}

// fakeAzureMetadata is Azure's instance metadata service on a machine of a scale set with one managed identity and a
// user-assigned one.
func fakeAzureMetadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fault := func(code, description string) {
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":"%s","error_description":"%s"}`, code, description)
	}
	switch {
	case r.Header.Get("Metadata") != "true" || r.Header.Get("X-Forwarded-For") != "":
		fault("invalid_request", "Required metadata header not specified")
	case r.FormValue("api-version") == "":
		fault("Bad request", "api-version is invalid or was not specified in the request.")
	case r.URL.Path == "/metadata/identity/oauth2/token":
		resource, client := r.FormValue("resource"), r.FormValue("client_id")
		switch {
		case resource == "":
			fault("invalid_request", "Required query variable 'resource' is missing")
		case client != "" && client != azureClient:
			fault("invalid_request", "Identity not found")
		default:
			fmt.Fprintf(w, `{"access_token":"%s","client_id":"%s","expires_in":"86399","expires_on":"1506484173","ext_expires_in":"86399","not_before":"1506480273","resource":"%s","token_type":"Bearer"}`,
				entraJWT(resource), azureClient, resource)
		}
	case r.URL.Path == "/metadata/instance":
		io.WriteString(w, `{"compute":{"location":"westeurope","name":"aks-pool-vmss_3","offer":"aks","osType":"Linux","resourceGroupName":"shop-nodes",
			"resourceId":"/subscriptions/s","subscriptionId":"8d10da13-8125-4ba9-a717-bf7490507b3d","vmId":"02aab8a4","vmScaleSetName":"aks-pool-vmss","zone":"1"},"network":{"interface":[]}}`)
	default:
		w.WriteHeader(404)
		io.WriteString(w, `{"error":"Not found"}`)
	}
}

// fakeEntra is Microsoft Entra ID with one application and its federated credential.
func fakeEntra(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fault := func(code, description string) {
		w.WriteHeader(401)
		fmt.Fprintf(w, `{"error":"%s","error_description":"%s\r\nTrace ID: 1","error_codes":[700213]}`, code, description)
	}
	switch {
	case r.Method != "POST" || r.URL.Path != "/"+azureTenant+"/oauth2/v2.0/token":
		fault("invalid_request", "AADSTS90002: Tenant not found.")
	case r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		fault("unsupported_grant_type", "AADSTS70003")
	case r.FormValue("client_id") != azureClient:
		fault("unauthorized_client", "AADSTS700016: Application was not found in the directory.")
	case r.FormValue("client_assertion") != azureAssertion:
		fault("invalid_client", "AADSTS700213: No matching federated identity record found for presented assertion "+r.FormValue("client_assertion"))
	case !strings.HasSuffix(r.FormValue("scope"), "/.default"):
		fault("invalid_scope", "AADSTS1002012")
	default:
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"%s"}`, entraJWT(strings.TrimSuffix(r.FormValue("scope"), "/.default")))
	}
}

// vaultAzure checks a login as Vault's azure method does (its plugin 0.22, pathLogin), for a role that is bound to a
// resource group, or to none.
func vaultAzure(group bool) func(map[string]any) string {
	return func(body map[string]any) string {
		jwt, _ := body["jwt"].(string)
		switch c := claims(jwt); {
		case body["role"] != testRole:
			return "invalid role name"
		case c["aud"] != "https://management.azure.com/":
			return fmt.Sprintf("oidc: expected audience %q got %v in %s", "https://management.azure.com/", c["aud"], jwt)
		case !group:
			return ""
		case body["subscription_id"] != "8d10da13-8125-4ba9-a717-bf7490507b3d" || body["resource_group_name"] != "shop-nodes":
			return "subscription_id and resource_group_name are required"
		case body["vmss_name"] != "aks-pool-vmss" || body["vm_name"] != "aks-pool-vmss_3":
			return "unable to retrieve virtual machine metadata"
		}
		return ""
	}
}

func asAzure(change ...func(*applicant)) func(*applicant) {
	return func(a *applicant) {
		a.mount, a.identity = "azure", azure{defaultAzureResource}
		for _, c := range change {
			c(a)
		}
	}
}

func TestAzureManagedIdentity(t *testing.T) {
	vault := newFakeVault(t)
	vault.answerLogin("azure", vaultAzure(true))
	cloud := newFakeCloud(t)
	cloud.serve("169.254.169.254:80", fakeAzureMetadata)
	loginFrom(cloud, vault, nil, asAzure()).wantToken(t)
	want := []string{
		"GET 169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
		"GET 169.254.169.254/metadata/instance?api-version=2018-02-01",
	}
	if asked := cloud.seen(); !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
	loginFrom(cloud, vault, environment.Variables{"AZURE_CLIENT_ID=" + azureClient}, asAzure()).wantToken(t)
	if asked := cloud.seen(); !strings.Contains(asked[2], "client_id="+azureClient) {
		t.Errorf("the identity is not named: %v", asked)
	}
	loginFrom(cloud, vault, environment.Variables{"AZURE_CLIENT_ID=other"}, asAzure()).wantFailure(t, failure.Denied,
		"Azure's metadata service refused (400: invalid_request: Identity not found): give the node a managed identity, name one of several in AZURE_CLIENT_ID, or use workload identity")
	loginFrom(cloud, vault, nil, asAzure(func(a *applicant) { a.identity = azure{"api://other"} })).wantFailure(t, failure.Denied,
		`Vault refused the login of the role "shop" at auth/azure/login (400: oidc: expected audience`, "in …)", "check the role and what it is bound to, and the resource")
}

func TestAzureWorkloadIdentity(t *testing.T) {
	vault := newFakeVault(t)
	vault.answerLogin("azure", vaultAzure(false))
	cloud := newFakeCloud(t)
	cloud.serve("login.microsoftonline.com:443", fakeEntra)
	cloud.serve("login.partner.microsoftonline.cn:443", fakeEntra)
	file := write(t, "assertion", azureAssertion+"\n")
	env := environment.Variables{"AZURE_CLIENT_ID=" + azureClient, "AZURE_TENANT_ID=" + azureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + file}
	loginFrom(cloud, vault, env, asAzure()).wantToken(t)
	loginFrom(cloud, vault, append(env, "AZURE_AUTHORITY_HOST=https://login.partner.microsoftonline.cn/"), asAzure()).wantToken(t)
	want := []string{"POST login.microsoftonline.com/" + azureTenant + "/oauth2/v2.0/token", "POST login.partner.microsoftonline.cn/" + azureTenant + "/oauth2/v2.0/token"}
	if asked := cloud.seen(); !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
	for _, c := range []struct {
		env    environment.Variables
		status int
		says   string
	}{
		{append(environment.Variables{"AZURE_FEDERATED_TOKEN_FILE=" + write(t, "assertion", "canary")}, env[:2]...), failure.Denied,
			"Microsoft Entra ID refused (401: invalid_client: AADSTS700213: No matching federated identity record found for presented assertion …"},
		{append(environment.Variables{"AZURE_CLIENT_ID=other"}, env[1:]...), failure.Denied, "401: unauthorized_client: AADSTS700016"},
		{env[1:], failure.Settings, "AZURE_FEDERATED_TOKEN_FILE is set without AZURE_CLIENT_ID or AZURE_TENANT_ID"},
		{append(environment.Variables{"AZURE_AUTHORITY_HOST=http://login.microsoftonline.com"}, env...), failure.Settings, "AZURE_AUTHORITY_HOST is no authority: write https://HOST"},
		{append(environment.Variables{"AZURE_FEDERATED_TOKEN_FILE=/nonexistent"}, env[:2]...), failure.Settings, "the federated token /nonexistent cannot be read"},
	} {
		loginFrom(cloud, vault, c.env, asAzure()).wantFailure(t, c.status, c.says)
	}
}

// While Azure's metadata service is updated it knows nothing; its own SDKs ask again.
func TestAzureMetadataUpdating(t *testing.T) {
	vault := newFakeVault(t)
	vault.answerLogin("azure", vaultAzure(true))
	for _, status := range []int{404, 410} {
		n := 0
		cloud := newFakeCloud(t)
		cloud.serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				w.WriteHeader(status)
				return
			}
			fakeAzureMetadata(w, r)
		})
		loginFrom(cloud, vault, nil, asAzure()).wantToken(t)
	}
}

func TestAzureTrouble(t *testing.T) {
	vault := newFakeVault(t)
	vault.answerLogin("azure", vaultAzure(false))
	federated := environment.Variables{"AZURE_CLIENT_ID=" + azureClient, "AZURE_TENANT_ID=" + azureTenant, "AZURE_FEDERATED_TOKEN_FILE=" + write(t, "assertion", azureAssertion)}
	onlyInstance := func(fake http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metadata/instance" {
				fake(w, r)
				return
			}
			fakeAzureMetadata(w, r)
		}
	}
	for _, c := range []struct {
		name, called, address string
		fake                  http.HandlerFunc
		only                  func(http.HandlerFunc) http.HandlerFunc
		env                   environment.Variables
	}{
		{"token", "Azure's metadata service", "169.254.169.254:80", fakeAzureMetadata, nil, nil},
		{"instance", "Azure's metadata service", "169.254.169.254:80", fakeAzureMetadata, onlyInstance, nil},
		{"Entra ID", "Microsoft Entra ID", "login.microsoftonline.com:443", fakeEntra, nil, federated},
	} {
		t.Run(c.name, func(t *testing.T) {
			testTrouble(t, c.called, func(t *testing.T, broken http.HandlerFunc, timeout time.Duration) loggedIn {
				if broken == nil {
					broken = recovering(c.fake)
				}
				if c.only != nil {
					broken = c.only(broken)
				}
				cloud := newFakeCloud(t)
				cloud.serve(c.address, broken)
				return loginFrom(cloud, vault, c.env, asAzure(func(a *applicant) { a.connection.timeout = timeout }))
			})
		})
	}
}

// An answer is read to a bound, even if its beginning is as it should be.
func TestCloudAnswerWithoutEnd(t *testing.T) {
	vault := newFakeVault(t)
	vault.answerLogin("azure", vaultAzure(true))
	cloud := newFakeCloud(t)
	cloud.serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
		fakeAzureMetadata(w, r)
		for range maxCloudAnswer/1024 + 1 {
			io.WriteString(w, strings.Repeat(" ", 1024))
		}
	})
	loginFrom(cloud, vault, nil, asAzure()).wantFailure(t, failure.Protocol, "the answer of Azure's metadata service is malformed")
}

// A service that does not come back on one connection may on the next: no attempt takes all the time.
func TestCloudSilentAtFirst(t *testing.T) {
	vault := newFakeVault(t)
	vault.answerLogin("azure", vaultAzure(true))
	cloud := newFakeCloud(t)
	var asked atomic.Int32
	cloud.serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		fakeAzureMetadata(w, r)
	})
	loginFrom(cloud, vault, nil, asAzure(func(a *applicant) { a.connection.timeout = 3 * time.Second })).wantToken(t)
}
