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

// isLoader returns whether a variable makes the dynamic loader, a shell or a language runtime load and run code. Write
// access to a secret must not be enough to run code in the program, so these are not taken from fromPaths.
func isLoader(name string) bool {
	switch name {
	case "BASHOPTS", "BASH_ENV", "BROWSER", "CLASSPATH", "CORECLR_ENABLE_PROFILING", "CORECLR_PROFILER",
		"CORECLR_PROFILER_PATH", "COR_ENABLE_PROFILING", "COR_PROFILER", "COR_PROFILER_PATH",
		"DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "DOTNET_STARTUP_HOOKS", "ELIXIR_ERL_OPTIONS", "ERL_AFLAGS",
		"ERL_FLAGS", "ERL_LIBS", "ERL_ZFLAGS", "FPATH", "GCONV_PATH", "GIT_ASKPASS", "GIT_CONFIG_COUNT",
		"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_EDITOR", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_PAGER",
		"GIT_PROXY_COMMAND", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_TEMPLATE_DIR", "GLIBC_TUNABLES", "GUILE_LOAD_PATH",
		"IFS", "JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JULIA_LOAD_PATH", "LESSCLOSE", "LESSOPEN",
		"LOCPATH", "LUA_CPATH", "LUA_INIT", "LUA_PATH", "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE",
		"OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "PATH", "PERL5DB", "PERL5LIB", "PERL5OPT", "PERLLIB",
		"PHPRC", "PHP_INI_SCAN_DIR", "PROMPT_COMMAND", "PS4", "PYTHONBREAKPOINT", "PYTHONHOME", "PYTHONINSPECT",
		"PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS", "RUBYLIB", "RUBYOPT", "R_LIBS",
		"R_PROFILE", "R_PROFILE_USER", "SHELLOPTS", "SSH_ASKPASS", "TCLLIBPATH", "ZDOTDIR", "_JAVA_OPTIONS":
		return true
	}
	return false
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
	return isLoader(name) || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "DYLD_") ||
		strings.HasPrefix(name, "BASH_FUNC_")
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
