package login

import (
	"testing"

	"vaultinjection.dev/vault-env/internal/vault"
)

func TestHasMade(t *testing.T) {
	for _, c := range []struct {
		namespace, role, path string
		want                  bool
	}{
		{"", "", "auth/approle/role/shop/secret-id", true},
		{"", "shop", "auth/approle/role/shop/secret-id", true},
		{"", "shop", "auth/approle/role/shop/custom-secret-id", true},
		{"", "", "auth/approle/role/shop/custom-secret-id", false},
		{"", "shop", "auth/approle/role/other/secret-id", false},
		{"team/a", "", "team/a/auth/approle/role/shop/secret-id", true},
		{"/team/a/", "", "team/a/auth/approle/role/shop/secret-id", true},
		{"team", "", "auth/approle/role/shop/secret-id", true},
		{"", "", "team/auth/approle/role/shop/secret-id", false},
		{"", "", "sys/wrapping/wrap", false},
		{"", "", "", false},
	} {
		a := &applicant{Settings: &Settings{Mount: "approle", Role: c.role}, connection: &vault.Connection{Namespace: c.namespace}}
		if got := a.hasMade(c.path); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
