package login

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

const (
	// The address rather than metadata.google.internal: nobody can answer for it in the DNS. GKE answers there, too.
	googleMetadataHost   = "169.254.169.254"
	googleIAMCredentials = "https://iamcredentials.googleapis.com"
	// Vault takes JWTs that last at most the role's max_jwt_exp (15 minutes by default); this leaves clocks some room.
	googleJWTLife = 5 * time.Minute
)

// vaultAudience is whom Vault's gcp method wants a JWT to be for.
func vaultAudience(role string) string { return "vault/" + role }

// gce logs in with an identity token of the instance, with its description ("full") in it (the type gce of Vault's gcp
// method).
type gce struct {
	serviceAccount string // e-mail address; empty: the instance's own
}

// gcpIAM logs in with a JWT that Google signs in the name of the service account (the type iam of Vault's gcp method).
// The account needs the permission iam.serviceAccounts.signJwt on itself.
type gcpIAM struct {
	serviceAccount string // e-mail address; empty: the pod's own
}

func configGCP(o source.Object, s *Settings, _ *vault.Connection) identity {
	needRole(o, s)
	asInstance := false
	switch o.Text("type") {
	case "GCE":
		asInstance = true
	case "", "IAM":
	default:
		o.Fail("type", "is unknown: write GCE or IAM")
	}
	account := o.Text("serviceAccount")
	if account != "" && !isServiceAccount(account) {
		o.Fail("serviceAccount", "is not a service account of Google Cloud: write its e-mail address, or leave it out for the own one")
	}
	if asInstance {
		return gce{account}
	}
	return gcpIAM{account}
}

func readGCP(_ *source.Variables, called string, _ *Settings, _ *vault.Connection) identity {
	if called == "gcp-gce" {
		return gce{}
	}
	return gcpIAM{}
}

func (g gce) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	k := a.newCloud()
	defer k.close()
	query := url.Values{"audience": {vaultAudience(a.Role)}, "format": {"full"}}
	jwt, f := k.askText(ctx, k.googleMetadata(cmp.Or(g.serviceAccount, "default"), "identity?"+query.Encode()))
	if f != nil {
		return nil, f
	}
	return tokenRequest(a.Role, jwt, "the role, its bindings, and its type: a GKE pod's identity fits IAM only"), nil
}

func (g gcpIAM) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	k := a.newCloud()
	defer k.close()
	account := g.serviceAccount
	if account == "" {
		var f *failure.Failure
		if account, f = k.askText(ctx, k.googleMetadata("default", "email")); f != nil {
			return nil, f
		}
		if !isServiceAccount(account) {
			return nil, failure.Newf(failure.Denied, "the pod has no service account of Google Cloud: bind its ServiceAccount to one, or set serviceAccount")
		}
	}
	var access struct {
		Token string `json:"access_token"`
	}
	request := k.googleMetadata("default", "token")
	if f := k.askJSON(ctx, request, &access); f != nil {
		return nil, f
	}
	if access.Token == "" || failure.OneLine(access.Token) != access.Token {
		return nil, request.malformed()
	}
	jwt, f := k.signJWT(ctx, a.Role, account, access.Token)
	if f != nil {
		return nil, f
	}
	return tokenRequest(a.Role, jwt, "the role and its bound service accounts"), nil
}

// signJWT calls projects.serviceAccounts.signJwt of the IAM Service Account Credentials API.
func (k *cloud) signJWT(ctx context.Context, role, account, accessToken string) (string, *failure.Failure) {
	claims, err := json.Marshal(struct {
		Audience string `json:"aud"`
		Subject  string `json:"sub"`
		Expiry   int64  `json:"exp"`
	}{vaultAudience(role), account, k.log.Now().Add(googleJWTLife).Unix()})
	if err != nil {
		return "", failure.Newf(failure.Settings, "the claims for Vault cannot be written as JSON")
	}
	body, err := json.Marshal(map[string]string{"payload": string(claims)})
	if err != nil {
		return "", failure.Newf(failure.Settings, "the claims for Vault cannot be written as JSON")
	}
	request := cloudRequest{
		name:   "Google's IAM Credentials API",
		method: http.MethodPost,
		url:    googleIAMCredentials + "/v1/projects/-/serviceAccounts/" + url.PathEscape(account) + ":signJwt",
		header: [][2]string{
			{"Authorization", "Bearer " + accessToken},
			{"Content-Type", "application/json"},
		},
		body:    string(body),
		secrets: []string{accessToken},
		said:    googleError,
		missing: "check that the pod may reach iamcredentials.googleapis.com, or raise the timeout",
		refused: "give the pod's service account the role roles/iam.serviceAccountTokenCreator on " + account + ", even if they are the same, and enable the API",
	}
	var signed struct {
		JWT string `json:"signedJwt"`
	}
	if f := k.askJSON(ctx, request, &signed); f != nil {
		return "", f
	}
	if signed.JWT == "" {
		return "", request.malformed()
	}
	return signed.JWT, nil
}

// googleMetadata is a question about a service account to the metadata service.
func (k *cloud) googleMetadata(account, what string) cloudRequest {
	host := k.lookup("GCE_METADATA_HOST")
	if host == "" {
		host = googleMetadataHost
	}
	return cloudRequest{
		name:    "Google's metadata service",
		url:     "http://" + host + "/computeMetadata/v1/instance/service-accounts/" + url.PathEscape(account) + "/" + what,
		local:   true,
		header:  [][2]string{{"Metadata-Flavor", "Google"}},
		missing: "check that the pod runs on Google Cloud and may reach the service, or raise the timeout",
		refused: "give the instance, or by Workload Identity the pod's ServiceAccount, a service account of Google Cloud",
	}
}

func googleError(body []byte) string {
	var said struct {
		Error struct{ Status, Message string }
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	return strings.Trim(said.Error.Status+": "+said.Error.Message, ": ")
}

// isServiceAccount keeps an account from being more than a segment of a path.
func isServiceAccount(account string) bool {
	name, domain, ok := strings.Cut(account, "@")
	return ok && name != "" && domain != "" && failure.OneLine(account) == account && !strings.ContainsAny(account, "/?#%: ")
}
