package login

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
)

func asGCP(g identity, change ...func(*applicant)) func(*applicant) {
	return func(a *applicant) {
		a.Mount, a.identity = "gcp", g
		for _, c := range change {
			c(a)
		}
	}
}

func TestGCELogin(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("gcp", fake.CheckGCP(true))
	cloud := fake.NewCloud(t)
	cloud.Serve("169.254.169.254:80", fake.GoogleMetadata)
	loginFrom(cloud, vault, nil, asGCP(gce{})).wantToken(t)
	loginFrom(cloud, vault, nil, asGCP(gce{fake.GoogleServiceAccount})).wantToken(t)
	want := []string{
		"GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/default/identity?audience=vault%2Fshop&format=full",
		"GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/shop@project.iam.gserviceaccount.com/identity?audience=vault%2Fshop&format=full",
	}
	if asked := cloud.Seen(); !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
	loginFrom(cloud, vault, nil, asGCP(gce{}, func(a *applicant) { a.Role = "other" })).
		wantFailure(t, failure.Denied, `Vault refused the login with role "other" at auth/gcp/login (400: role not found): check the role, its bindings, and its type`)
	loginFrom(cloud, vault, nil, asGCP(gce{"other@project.iam.gserviceaccount.com"})).
		wantFailure(t, failure.Denied, "Google's metadata service refused the request (404", "give the instance, or the pod's ServiceAccount through Workload Identity, a Google Cloud service account")
}

func TestGCPIAMLogin(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("gcp", fake.CheckGCP(false))
	cloud := fake.NewCloud(t)
	cloud.Serve("169.254.169.254:80", fake.GoogleMetadata)
	cloud.Serve("iamcredentials.googleapis.com:443", fake.IAMCredentials)
	loginFrom(cloud, vault, nil, asGCP(gcpIAM{})).wantToken(t)
	want := []string{
		"GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/default/email",
		"GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",
		"POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/shop@project.iam.gserviceaccount.com:signJwt",
	}
	if asked := cloud.Seen(); !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
	loginFrom(cloud, vault, nil, asGCP(gcpIAM{fake.GoogleServiceAccount})).wantToken(t)
	if asked := cloud.Seen(); len(asked) != len(want)+2 {
		t.Errorf("the account is set, but was requested: %v", asked[len(want):])
	}
	loginFrom(cloud, vault, nil, asGCP(gcpIAM{"other@project.iam.gserviceaccount.com"})).
		wantFailure(t, failure.Denied, "Google's IAM Credentials API refused the request (403: PERMISSION_DENIED: Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist) for …)",
			"grant the pod's service account roles/iam.serviceAccountTokenCreator on other@project.iam.gserviceaccount.com")
}

// A GKE pod whose ServiceAccount is not bound to a Google service account has an identity, but no account that can
// sign.
func TestGCPWithoutAccount(t *testing.T) {
	vault := fake.NewVault(t)
	cloud := fake.NewCloud(t)
	cloud.Serve("169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "project.svc.id.goog") })
	loginFrom(cloud, vault, nil, asGCP(gcpIAM{})).wantFailure(t, failure.Denied, "the pod has no Google Cloud service account: bind its ServiceAccount to one, or set serviceAccount")
}

func TestGoogleMetadataHost(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("gcp", fake.CheckGCP(true))
	cloud := fake.NewCloud(t)
	cloud.Serve("metadata.google.internal:80", fake.GoogleMetadata)
	loginFrom(cloud, vault, environment.Variables{"GCE_METADATA_HOST=metadata.google.internal"}, asGCP(gce{})).wantToken(t)
	loginFrom(cloud, vault, environment.Variables{"GCE_METADATA_HOST=192.0.2.1:8080"}, asGCP(gce{})).wantFailure(t, failure.Settings, "the address of Google's metadata service is not local to this machine")
	loginFrom(cloud, vault, environment.Variables{"GCE_METADATA_HOST=192.0.2.1/x?"}, asGCP(gce{})).wantFailure(t, failure.Settings, "is not local to this machine")
	loginFrom(cloud, vault, environment.Variables{"GCE_METADATA_HOST=a b"}, asGCP(gce{})).wantFailure(t, failure.Settings, "is not a URL")
}

func TestGoogleTrouble(t *testing.T) {
	vault := fake.NewVault(t)
	vault.AnswerLogin("gcp", fake.CheckGCP(false))
	for called, address := range map[string]string{"Google's metadata service": "169.254.169.254:80", "Google's IAM Credentials API": "iamcredentials.googleapis.com:443"} {
		t.Run(called, func(t *testing.T) {
			testTrouble(t, called, func(t *testing.T, broken http.HandlerFunc, timeout time.Duration) loggedIn {
				cloud := fake.NewCloud(t)
				fakes := map[string]http.HandlerFunc{"169.254.169.254:80": fake.GoogleMetadata, "iamcredentials.googleapis.com:443": fake.IAMCredentials}
				if broken == nil {
					broken = fake.Recovering(fakes[address])
				}
				fakes[address] = broken
				for at, service := range fakes {
					cloud.Serve(at, service)
				}
				return loginFrom(cloud, vault, nil, asGCP(gcpIAM{fake.GoogleServiceAccount}, func(a *applicant) { a.connection.Timeout = timeout }))
			})
		})
	}
}
