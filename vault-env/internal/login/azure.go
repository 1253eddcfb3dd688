package login

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

const (
	// The resource in Vault's documentation and in Bank-Vaults; Vault's azure method must be configured with the same.
	defaultAzureResource = "https://management.azure.com/"

	azureIMDS       = "http://169.254.169.254/metadata"
	azureAPIVersion = "2018-02-01" // the first with identities; available in every region
	azureAuthority  = "https://login.microsoftonline.com/"
)

// isAzureAuthority returns whether an authority is that of a public or sovereign cloud of Microsoft.
func isAzureAuthority(authority string) bool {
	switch strings.TrimRight(authority, "/") {
	case "https://login.microsoftonline.com", "https://login.microsoftonline.us", "https://login.partner.microsoftonline.cn", "https://login.chinacloudapi.cn":
		return true
	}
	return false
}

// azure logs in with a Microsoft Entra ID token: of the workload identity, if AKS has given the pod one, else of the
// node's managed identity.
type azure struct {
	resource string // what the token is for
}

func configAzure(o source.Object, s *Settings, _ *vault.Connection) identity {
	needRole(o, s)
	return azure{cmp.Or(o.Text("resource"), defaultAzureResource)}
}

func readAzure(*source.Variables, string, *Settings, *vault.Connection) identity {
	return azure{defaultAzureResource}
}

func (z azure) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	k, f := a.newCloud()
	if f != nil {
		return nil, f
	}
	defer k.close()
	if k.lookup("AZURE_FEDERATED_TOKEN_FILE") != "" {
		// A pod is not a machine, so there is no machine to name.
		jwt, f := k.federatedToken(ctx, z.resource)
		if f != nil {
			return nil, f
		}
		return tokenRequest(a.Role, jwt, "the role and its bound service principals or groups (a pod has no resource group), and the resource"), nil
	}
	jwt, f := k.managedToken(ctx, z.resource)
	if f != nil {
		return nil, f
	}
	request := tokenRequest(a.Role, jwt, "the role, what it is bound to, and the resource")
	if f := k.azureInstance(ctx, request.fields); f != nil {
		return nil, f
	}
	return request, nil
}

// managedToken returns a token from the metadata service, for the identity that AZURE_CLIENT_ID names or for the only
// one.
func (k *cloud) managedToken(ctx context.Context, resource string) (string, *failure.Failure) {
	query := url.Values{"api-version": {azureAPIVersion}, "resource": {resource}}
	if id := k.lookup("AZURE_CLIENT_ID"); id != "" {
		query.Set("client_id", id)
	}
	return k.entraToken(ctx, k.azureMetadata("/identity/oauth2/token?"+query.Encode()))
}

// azureInstance adds fields that describe the machine: a role in Vault may be bound to them.
func (k *cloud) azureInstance(ctx context.Context, fields map[string]any) *failure.Failure {
	request := k.azureMetadata("/instance?api-version=" + azureAPIVersion)
	var instance struct {
		Compute struct {
			Name              string
			ResourceGroupName string
			SubscriptionID    string
			VMScaleSetName    string
		}
	}
	if f := k.askJSON(ctx, request, &instance); f != nil {
		return f
	}
	compute := instance.Compute
	if compute.SubscriptionID == "" || compute.ResourceGroupName == "" {
		return request.malformed()
	}
	fields["subscription_id"] = compute.SubscriptionID
	fields["resource_group_name"] = compute.ResourceGroupName
	fields["vm_name"] = compute.Name
	fields["vmss_name"] = compute.VMScaleSetName
	return nil
}

// azureMetadata returns a request to the metadata service.
func (k *cloud) azureMetadata(what string) cloudRequest {
	return cloudRequest{
		name:   "Azure's metadata service",
		url:    azureIMDS + what,
		local:  true,
		header: [][2]string{{"Metadata", "true"}},
		// The service answers like this while it is updated; Azure's SDKs retry as well.
		again:   func(a *retry.Answer) bool { return a.Status == http.StatusNotFound || a.Status == http.StatusGone },
		said:    entraError,
		missing: "check that the pod runs on Azure and can reach the service, or raise the timeout",
		refused: "give the node a managed identity, name one of several in AZURE_CLIENT_ID, or use workload identity",
	}
}

// federatedToken exchanges the ServiceAccount token that AKS mounts for a token of the identity that AKS names (client
// credentials grant with a client assertion, RFC 7523).
func (k *cloud) federatedToken(ctx context.Context, resource string) (string, *failure.Failure) {
	client, tenant := k.lookup("AZURE_CLIENT_ID"), k.lookup("AZURE_TENANT_ID")
	if client == "" || tenant == "" {
		return "", failure.Newf(failure.Settings, "AZURE_FEDERATED_TOKEN_FILE is set without AZURE_CLIENT_ID or AZURE_TENANT_ID: annotate the ServiceAccount with azure.workload.identity/client-id")
	}
	authority := k.lookup("AZURE_AUTHORITY_HOST")
	if authority == "" {
		authority = azureAuthority
	}
	if u, err := url.Parse(authority); err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "", failure.Newf(failure.Settings, "AZURE_AUTHORITY_HOST is not an https URL: write https://HOST, or remove it")
	}
	// The pod's token goes there: a policy decides where, not the environment.
	if !k.follows && !isAzureAuthority(authority) {
		return "", failure.Newf(failure.Settings, "AZURE_AUTHORITY_HOST is not an authority of Azure: write https://login.microsoftonline.com/ or that of your cloud, or remove it")
	}
	assertion, f := readSecretFile("the federated token", k.lookup("AZURE_FEDERATED_TOKEN_FILE"))
	if f != nil {
		return "", f
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {client},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
		"scope":                 {resource + "/.default"}, // if the resource ends with a slash, this makes two, as it must
	}
	return k.entraToken(ctx, cloudRequest{
		name:    "Microsoft Entra ID",
		method:  http.MethodPost,
		url:     strings.TrimRight(authority, "/") + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token",
		header:  [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}},
		body:    form.Encode(),
		secrets: []string{assertion},
		said:    entraError,
		missing: "check that the pod can reach " + hostOf(authority) + ", or raise the timeout",
		refused: "check the federated credential of the identity: issuer, subject and audience must be those of the ServiceAccount token",
	})
}

func (k *cloud) entraToken(ctx context.Context, request cloudRequest) (string, *failure.Failure) {
	var answer struct {
		Token string `json:"access_token"`
	}
	if f := k.askJSON(ctx, request, &answer); f != nil {
		return "", f
	}
	if answer.Token == "" {
		return "", request.malformed()
	}
	return answer.Token, nil
}

func entraError(body []byte) string {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	return strings.Trim(said.Error+": "+said.Description, ": ")
}
