package resolve

import "strings"

// isConnection returns whether a variable tells a Vault client how to reach Vault. A program that gets the login token
// (VAULT_TOKEN=vault:login) needs these variables and keeps them.
func isConnection(name string) bool {
	switch name {
	case "VAULT_TOKEN", "VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH",
		"VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY", "VAULT_CLIENT_TIMEOUT", "VAULT_HEADERS", "VAULT_HTTP_PROXY",
		"VAULT_MAX_RETRIES", "VAULT_MFA", "VAULT_NAMESPACE", "VAULT_PROXY_ADDR", "VAULT_SKIP_VERIFY",
		"VAULT_SRV_LOOKUP", "VAULT_TLS_SERVER_NAME", "VAULT_WRAP_TTL":
		return true
	}
	return false
}

// isOwn returns whether a variable is a setting of vault-env, or was one of Bank-Vaults' vault-env.
func isOwn(name string) bool {
	switch name {
	case "VAULT_AUTH_METHOD", "VAULT_CACERT_RELOAD", "VAULT_CLI_NO_COLOR", "VAULT_CLUSTER_ADDR",
		"VAULT_ENV_DAEMON", "VAULT_ENV_DELAY", "VAULT_ENV_FROM_PATH", "VAULT_ENV_LOG_SERVER", "VAULT_ENV_PASSTHROUGH",
		"VAULT_IGNORE_MISSING_SECRETS", "VAULT_JSON_LOG", "VAULT_JWT_FILE", "VAULT_LOG_LEVEL", "VAULT_PATH",
		"VAULT_RATE_LIMIT", "VAULT_REDIRECT_ADDR", "VAULT_REVOKE_TOKEN", "VAULT_ROLE", "VAULT_ROLE_ID_FILE",
		"VAULT_SECRET_ID_FILE", "VAULT_SECRET_ID_WRAPPED", "VAULT_TOKEN_FILE",
		"VAULT_TOKEN_PATH", "VAULT_TRANSIT_BATCH_SIZE", "VAULT_TRANSIT_KEY_ID", "VAULT_TRANSIT_PATH":
		return true
	}
	return false
}

// isLoader returns whether a variable makes the dynamic loader, a shell, a language runtime or a common tool load and run
// code, or read a configuration file that names a command (AWS_CONFIG_FILE, KUBECONFIG). Write access to a secret must
// not be enough to run code in the program, so these are not taken from fromPaths.
func isLoader(name string) bool {
	switch name {
	case "ANSIBLE_CONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AZURE_CONFIG_DIR", "BASHOPTS",
		"BASH_ENV", "BOTO_CONFIG", "BROWSER", "BUNDLE_GEMFILE", "BUN_OPTIONS", "CARGO_HOME", "CATALINA_OPTS",
		"CLASSPATH", "CLOUDSDK_CONFIG", "CLOUDSDK_PYTHON", "COMPOSER_HOME", "CORECLR_ENABLE_PROFILING",
		"CORECLR_PROFILER", "CORECLR_PROFILER_PATH", "COR_ENABLE_PROFILING", "COR_PROFILER",
		"COR_PROFILER_PATH", "CVS_RSH", "DOCKER_CONFIG", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE",
		"DOTNET_STARTUP_HOOKS", "EDITOR", "ELECTRON_RUN_AS_NODE", "ELIXIR_ERL_OPTIONS", "ENV", "ERL_AFLAGS",
		"ERL_FLAGS", "ERL_LIBS", "ERL_ZFLAGS", "EXINIT", "FPATH", "GCONV_PATH", "GEM_HOME", "GEM_PATH",
		"GIO_EXTRA_MODULES", "GIO_MODULE_DIR", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_ASKPASS",
		"GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_COUNT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_PARAMETERS",
		"GIT_CONFIG_SYSTEM", "GIT_DIR", "GIT_EDITOR", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_PAGER",
		"GIT_PROXY_COMMAND", "GIT_SEQUENCE_EDITOR", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_TEMPLATE_DIR",
		"GIT_WORK_TREE", "GLIBC_TUNABLES", "GOENV", "GOFLAGS", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
		"GOROOT", "GOTOOLCHAIN", "GRADLE_OPTS", "GRADLE_USER_HOME", "GTK_MODULES", "GTK_PATH",
		"GUILE_LOAD_PATH", "HELM_PLUGINS", "HGRCPATH", "HOME", "IFS", "INPUTRC", "JAVA_HOME", "JAVA_OPTIONS",
		"JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JULIA_LOAD_PATH", "JVM_OPTS", "KRB5_CONFIG",
		"KUBECONFIG", "KUBE_EDITOR", "LESSCLOSE", "LESSOPEN", "LOCPATH", "LUA_CPATH", "LUA_INIT", "LUA_PATH",
		"MAKEFILES", "MAKEFLAGS", "MANPAGER", "MAVEN_ARGS", "MAVEN_OPTS", "NODE_OPTIONS", "NODE_PATH",
		"NODE_REPL_EXTERNAL_MODULE", "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE", "OPENSSL_ENGINES",
		"OPENSSL_MODULES", "PAGER", "PATH", "PERL5DB", "PERL5LIB", "PERL5OPT", "PERLLIB", "PERL_MB_OPT",
		"PERL_MM_OPT", "PHPRC", "PHP_INI_SCAN_DIR", "PIP_CONFIG_FILE", "PROMPT_COMMAND", "PS4", "PSQLRC",
		"PSQL_EDITOR", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE",
		"PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX",
		"PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS", "QT_PLUGIN_PATH", "RSYNC_RSH",
		"RUBYGEMS_GEMDEPS", "RUBYLIB", "RUBYOPT", "RUBYSHELL", "RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS",
		"R_LIBS", "R_PROFILE", "R_PROFILE_USER", "SASL_PATH", "SBT_OPTS", "SHELL", "SHELLOPTS",
		"SSH_ASKPASS", "SUDO_ASKPASS", "SVN_SSH", "TCLLIBPATH", "TF_CLI_ARGS", "TF_CLI_CONFIG_FILE",
		"VIMINIT", "VISUAL", "XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "XDG_DATA_DIRS", "XDG_DATA_HOME",
		"YARN_RC_FILENAME", "ZDOTDIR", "_JAVA_OPTIONS":
		return true
	}
	return false
}

// loaderPrefixes begin the names of more such variables.
var loaderPrefixes = [...]string{
	"LD_", "DYLD_", "BASH_FUNC_", "COMPlus_", "COR_PROFILER_", "CORECLR_PROFILER_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_",
	"LUA_CPATH_", "LUA_INIT_", "LUA_PATH_", "TF_CLI_ARGS_",
}

// isStripped returns whether a VAULT_* variable is removed from the program's environment. login is true if the program
// gets the login token.
func isStripped(name string, passthrough map[string]bool, login bool) bool {
	if passthrough[name] || login && isConnection(name) {
		return false
	}
	return isConnection(name) || isOwn(name)
}

func isDangerous(name string) bool {
	// npm reads its variables in either case.
	if isLoader(name) || strings.HasPrefix(strings.ToUpper(name), "NPM_CONFIG_") {
		return true
	}
	for _, prefix := range loaderPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// matchesAny returns whether a path matches one of the patterns, where "*" matches any text including slashes.
func matchesAny(path string, patterns []string) bool {
	for _, pattern := range patterns {
		if matches(path, pattern) {
			return true
		}
	}
	return false
}

func matches(text, pattern string) bool {
	parts := strings.Split(pattern, "*")
	first, rest := parts[0], parts[1:]
	text, ok := strings.CutPrefix(text, first)
	if len(rest) == 0 {
		return ok && text == ""
	}
	if !ok {
		return false
	}
	last := rest[len(rest)-1]
	for _, part := range rest[:len(rest)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
