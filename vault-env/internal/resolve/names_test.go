package resolve

import (
	"strings"
	"testing"
)

// What Bank-Vaults' vault-env strips, and what it forgets.
func TestStripping(t *testing.T) {
	connection := strings.Fields(`VAULT_TOKEN VAULT_ADDR VAULT_AGENT_ADDR VAULT_CACERT VAULT_CAPATH VAULT_CLIENT_CERT VAULT_CLIENT_KEY
		VAULT_CLIENT_TIMEOUT VAULT_SRV_LOOKUP VAULT_SKIP_VERIFY VAULT_NAMESPACE VAULT_TLS_SERVER_NAME VAULT_WRAP_TTL VAULT_MFA VAULT_MAX_RETRIES
		VAULT_CACERT_BYTES VAULT_HEADERS VAULT_HTTP_PROXY VAULT_PROXY_ADDR`)
	own := strings.Fields(`VAULT_CLUSTER_ADDR VAULT_REDIRECT_ADDR VAULT_CLI_NO_COLOR VAULT_RATE_LIMIT VAULT_ROLE VAULT_PATH VAULT_AUTH_METHOD
		VAULT_TRANSIT_KEY_ID VAULT_TRANSIT_PATH VAULT_TRANSIT_BATCH_SIZE VAULT_IGNORE_MISSING_SECRETS VAULT_ENV_PASSTHROUGH VAULT_JSON_LOG
		VAULT_LOG_LEVEL VAULT_REVOKE_TOKEN VAULT_ENV_DAEMON VAULT_ENV_FROM_PATH VAULT_ENV_DELAY
		VAULT_TOKEN_FILE VAULT_ENV_LOG_SERVER VAULT_JWT_FILE VAULT_TOKEN_PATH VAULT_CACERT_RELOAD
		VAULT_ROLE_ID_FILE VAULT_SECRET_ID_FILE VAULT_SECRET_ID_WRAPPED`)
	for _, name := range connection {
		if !isStripped(name, nil, false) || isStripped(name, nil, true) || isStripped(name, map[string]bool{name: true}, false) {
			t.Errorf("%s", name)
		}
	}
	for _, name := range own {
		if !isStripped(name, nil, false) || !isStripped(name, nil, true) || isStripped(name, map[string]bool{name: true}, true) {
			t.Errorf("%s", name)
		}
	}
	for _, name := range []string{"VAULT_MINE", "VAULT", "VAULT_ADDRESS", "PATH", "", "vault_addr"} {
		if isStripped(name, nil, false) {
			t.Errorf("%q is stripped", name)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/bc", "a/b", false}, {"a/b", "a/bc", false},
		{"a/b/c", "a/*", true}, {"a/", "a/*", true}, {"a", "a/*", false}, {"b/a/c", "a/*", false},
		{"a/x/c", "a/*/c", true}, {"a/x/y/c", "a/*/c", true}, {"a/c", "a/*/c", false}, {"a/x/cd", "a/*/c", false},
		{"abcabc", "a*c", true}, {"abcabd", "a*c", false}, {"anything", "*", true}, {"", "*", true}, {"a", "a*a", false},
		{"aXbYc", "a*b*c", true}, {"aXcYb", "a*b*c", false}, {"ab", "*a*b*", true}, {"a.b", "a?b", false}, {"a+", "a+", true},
		{"aba", "ab*ba", false}, {"abba", "ab*ba", true},
	} {
		if got := matches(c.text, c.pattern); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.text, c.pattern, got)
		}
	}
	if matchesAny("a", nil) || matchesAny("a", []string{"b", "c"}) || !matchesAny("c", []string{"b", "c"}) {
		t.Error("matchesAny")
	}
}
