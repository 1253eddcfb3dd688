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
	// The address instead of metadata.google.internal, which DNS could spoof. GKE's metadata server has the same
	// address.
	googleMetadataHost   = "169.254.169.254"
	googleIAMCredentials = "https://iamcredentials.googleapis.com"
	// Vault accepts JWTs that are valid for at most the role's max_jwt_exp (15 minutes by default); this allows for
	// clock skew.
	googleJWTLife = 5 * time.Minute
)

// vaultAudience returns the audience that Vault's gcp method expects in a JWT.
func vaultAudience(role string) string { return "vault/" + role }

// gce logs in with an identity token of the instance that includes its description ("full") (type gce of Vault's gcp
// method).
type gce struct {
	serviceAccount string // email address; empty: the instance's own
}

// gcpIAM logs in with a JWT that Google signs on behalf of the service account (type iam of Vault's gcp method). The
// account needs the permission iam.serviceAccounts.signJwt on itself.
type gcpIAM struct {
	serviceAccount string // email address; empty: the pod's own
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
		o.Fail("serviceAccount", "is not a Google Cloud service account: write its email address, or omit it to use the pod's own")
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
	k, f := a.newCloud()
	if f != nil {
		return nil, f
	}
	defer k.close()
	query := url.Values{"audience": {vaultAudience(a.Role)}, "format": {"full"}}
	jwt, f := k.askText(ctx, k.googleMetadata(cmp.Or(g.serviceAccount, "default"), "identity?"+query.Encode()))
	if f != nil {
		return nil, f
	}
	return tokenRequest(a.Role, jwt, "the role, its bindings, and its type: the identity of a GKE pod works with IAM only"), nil
}

func (g gcpIAM) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	k, f := a.newCloud()
	if f != nil {
		return nil, f
	}
	defer k.close()
	account := g.serviceAccount
	if account == "" {
		var f *failure.Failure
		if account, f = k.askText(ctx, k.googleMetadata("default", "email")); f != nil {
			return nil, f
		}
		if !isServiceAccount(account) {
			return nil, failure.Newf(failure.Denied, "the pod has no Google Cloud service account: bind its ServiceAccount to one, or set serviceAccount")
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
		return "", failure.Newf(failure.Settings, "the claims for Vault cannot be encoded as JSON")
	}
	body, err := json.Marshal(map[string]string{"payload": string(claims)})
	if err != nil {
		return "", failure.Newf(failure.Settings, "the claims for Vault cannot be encoded as JSON")
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
		missing: "check that the pod can reach iamcredentials.googleapis.com, or raise the timeout",
		refused: "grant the pod's service account roles/iam.serviceAccountTokenCreator on " + account + ", even if they are the same account, and enable the API",
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

// googleMetadata returns a request to the metadata service about a service account.
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
		missing: "check that the pod runs on Google Cloud and can reach the service, or raise the timeout",
		refused: "give the instance, or the pod's ServiceAccount through Workload Identity, a Google Cloud service account",
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

// isServiceAccount returns whether an account is an email address that is safe as a path segment.
func isServiceAccount(account string) bool {
	name, domain, ok := strings.Cut(account, "@")
	return ok && name != "" && domain != "" && failure.OneLine(account) == account && !strings.ContainsAny(account, "/?#%: ")
}
