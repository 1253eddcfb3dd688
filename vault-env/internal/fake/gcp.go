package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The pod's service account, and its token.
const (
	GoogleServiceAccount = "shop@project.iam.gserviceaccount.com"
	googleAccessToken    = "ya29.canary-access-token"
)

// GoogleMetadata is the metadata service of Compute Engine and of GKE.
func GoogleMetadata(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		return
	}
	w.Header().Set("Metadata-Flavor", "Google")
	account, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/instance/service-accounts/"), "/")
	switch {
	case r.Method != "GET" || account != "default" && account != GoogleServiceAccount:
		http.NotFound(w, r)
	case what == "identity":
		if r.FormValue("audience") == "" {
			http.Error(w, "non-empty audience parameter required", 400)
			return
		}
		c := map[string]any{"iss": "https://accounts.google.com", "aud": r.FormValue("audience"), "sub": "113774264463038321964", "exp": time.Now().Add(time.Hour).Unix()}
		if r.FormValue("format") == "full" {
			c["google"] = map[string]any{"compute_engine": map[string]any{"instance_id": "152986662232938449", "project_id": "project", "zone": "europe-west1-b"}}
		}
		io.WriteString(w, fakeJWT(c))
	case what == "email":
		io.WriteString(w, GoogleServiceAccount)
	case what == "token":
		io.WriteString(w, `{"access_token":"`+googleAccessToken+`","expires_in":3599,"token_type":"Bearer"}`)
	default:
		http.NotFound(w, r)
	}
}

// IAMCredentials is iamcredentials.googleapis.com with projects.serviceAccounts.signJwt.
func IAMCredentials(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	fault := func(code int, status, message string) {
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": message, "status": status}})
	}
	account, isSign := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/projects/-/serviceAccounts/"), ":signJwt")
	var body struct{ Payload string }
	var c map[string]any
	switch {
	case r.Method != "POST" || !isSign:
		fault(404, "NOT_FOUND", "Method not found.")
	case r.Header.Get("Authorization") != "Bearer "+googleAccessToken:
		fault(401, "UNAUTHENTICATED", "Request had invalid authentication credentials: "+r.Header.Get("Authorization"))
	case account != GoogleServiceAccount:
		fault(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist) for "+googleAccessToken)
	case json.NewDecoder(r.Body).Decode(&body) != nil || json.Unmarshal([]byte(body.Payload), &c) != nil:
		fault(400, "INVALID_ARGUMENT", "Payload isn't valid JSON.")
	default:
		c["iss"] = account
		json.NewEncoder(w).Encode(map[string]string{"keyId": "1", "signedJwt": fakeJWT(c)})
	}
}

// CheckGCP checks a login as Vault's gcp method does (its plugin 0.22, parseAndValidateJwt).
func CheckGCP(gce bool) func(map[string]any) string {
	return func(body map[string]any) string {
		jwt, _ := body["jwt"].(string)
		c := claims(jwt)
		expiry, _ := c["exp"].(float64)
		google, _ := c["google"].(map[string]any)
		in := time.Until(time.Unix(int64(expiry), 0))
		switch audience, _ := c["aud"].(string); {
		case body["role"] != Role:
			return "role not found"
		case !strings.HasSuffix(audience, "vault/"+Role):
			return `at least one of the JWT claim 'aud' must end in "vault/shop"`
		case in < 0 || in > time.Hour+time.Minute || google == nil && in > 15*time.Minute:
			return fmt.Sprintf("role requires that service account JWTs expire within 900 seconds, not %s: %s", in, jwt)
		case gce && google["compute_engine"] == nil:
			return "expected JWT to have claims with GCE metadata"
		case !gce && c["sub"] != GoogleServiceAccount:
			return "service account not authorized"
		}
		return ""
	}
}
