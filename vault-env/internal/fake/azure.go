package fake

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What AKS mounts and sets for a ServiceAccount with an identity.
const (
	AzureClient    = "11111111-2222-3333-4444-555555555555"
	AzureTenant    = "99999999-8888-7777-6666-555555555555"
	AzureAssertion = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcGk6Ly9BenVyZUFEVG9rZW5FeGNoYW5nZSJ9.canary"
)

func entraJWT(resource string) string {
	return fakeJWT(map[string]any{"iss": "https://sts.windows.net/" + AzureTenant + "/", "aud": resource, "oid": "object", "tid": AzureTenant,
		"nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
}

// AzureMetadata is Azure's instance metadata service on a machine of a scale set, with a system-assigned and a
// user-assigned managed identity.
func AzureMetadata(w http.ResponseWriter, r *http.Request) {
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
		case client != "" && client != AzureClient:
			fault("invalid_request", "Identity not found")
		default:
			fmt.Fprintf(w, `{"access_token":"%s","client_id":"%s","expires_in":"86399","expires_on":"1506484173","ext_expires_in":"86399","not_before":"1506480273","resource":"%s","token_type":"Bearer"}`,
				entraJWT(resource), AzureClient, resource)
		}
	case r.URL.Path == "/metadata/instance":
		io.WriteString(w, `{"compute":{"location":"westeurope","name":"aks-pool-vmss_3","offer":"aks","osType":"Linux","resourceGroupName":"shop-nodes",
			"resourceId":"/subscriptions/s","subscriptionId":"8d10da13-8125-4ba9-a717-bf7490507b3d","vmId":"02aab8a4","vmScaleSetName":"aks-pool-vmss","zone":"1"},"network":{"interface":[]}}`)
	default:
		w.WriteHeader(404)
		io.WriteString(w, `{"error":"Not found"}`)
	}
}

// Entra is Microsoft Entra ID with one application and its federated credential.
func Entra(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fault := func(code, description string) {
		w.WriteHeader(401)
		fmt.Fprintf(w, `{"error":"%s","error_description":"%s\r\nTrace ID: 1","error_codes":[700213]}`, code, description)
	}
	switch {
	case r.Method != "POST" || r.URL.Path != "/"+AzureTenant+"/oauth2/v2.0/token":
		fault("invalid_request", "AADSTS90002: Tenant not found.")
	case r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		fault("unsupported_grant_type", "AADSTS70003")
	case r.FormValue("client_id") != AzureClient:
		fault("unauthorized_client", "AADSTS700016: Application was not found in the directory.")
	case r.FormValue("client_assertion") != AzureAssertion:
		fault("invalid_client", "AADSTS700213: No matching federated identity record found for presented assertion "+r.FormValue("client_assertion"))
	case !strings.HasSuffix(r.FormValue("scope"), "/.default"):
		fault("invalid_scope", "AADSTS1002012")
	default:
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"%s"}`, entraJWT(strings.TrimSuffix(r.FormValue("scope"), "/.default")))
	}
}

// CheckAzure checks a login as Vault's azure method does (its plugin 0.22, pathLogin), for a role that is bound to a
// resource group, or to none.
func CheckAzure(group bool) func(map[string]any) string {
	return func(body map[string]any) string {
		jwt, _ := body["jwt"].(string)
		switch c := claims(jwt); {
		case body["role"] != Role:
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
