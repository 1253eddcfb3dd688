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

// Names that run code by themselves, or lead to a file that names a command; and their neighbours, which do not.
func TestDangerousNames(t *testing.T) {
	for _, name := range strings.Fields(`PATH ENV BASH_ENV LD_PRELOAD GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
		GIT_DIR GIT_SSH_COMMAND NPM_CONFIG_SCRIPT_SHELL npm_config_node_options Npm_Config_Prefix AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE KUBECONFIG
		DOCKER_CONFIG HOME XDG_CONFIG_HOME PIP_CONFIG_FILE EDITOR PAGER GOFLAGS RUSTC_WRAPPER JAVA_TOOL_OPTIONS JAVA_OPTS MAVEN_OPTS
		CORECLR_PROFILER_PATH_64 DOTNET_STARTUP_HOOKS LUA_INIT_5_4 NODE_OPTIONS PYTHONPATH RUBYOPT GEM_PATH KRB5_CONFIG OPENSSL_CONF MAKEFLAGS
		CLOUDSDK_PYTHON TF_CLI_ARGS_plan ANSIBLE_CONFIG GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES`) {
		if !isDangerous(name) {
			t.Errorf("%s is not", name)
		}
	}
	for _, name := range strings.Fields(`ENVIRONMENT APP_ENV PASSWORD NPM_TOKEN NODE_AUTH_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION GIT_TOKEN GIT_AUTHOR_NAME
		KUBE_TOKEN PGPASSWORD DATABASE_URL GOOGLE_APPLICATION_CREDENTIALS GITHUB_TOKEN DB_PATH LDAP_PASSWORD JAVA_KEYSTORE_PASSWORD PIP_USER path Home`) {
		if isDangerous(name) {
			t.Errorf("%s is", name)
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
