package settings

import (
	"strconv"
	"strings"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// notSupported are settings of Bank-Vaults' vault-env and of Vault's own client that have no effect here. Each one that
// is set causes one warning.
var notSupported = []string{
	"VAULT_DISABLE_REDIRECTS", "VAULT_ENV_LOG_SERVER", "VAULT_HEADERS", "VAULT_MFA", "VAULT_RATE_LIMIT",
	"VAULT_SRV_LOOKUP", "VAULT_WRAP_TTL",
}

// bankVaultsSettings reads the variables of Bank-Vaults' vault-env, so that a container built for it works unchanged.
// Malformed values are failures; Bank-Vaults' vault-env treats them as false, zero or the default.
func bankVaultsSettings(env environment.Variables) (Settings, *failure.Failure) {
	s := defaultSettings()
	s.Strip = true
	s.Vault.FollowsEnvironment = true
	r := &source.Variables{Environment: env}

	// The log settings come first, so that other failures are logged in the configured format.
	s.LogJSON = r.Bool("VAULT_JSON_LOG")
	s.LogLevel = readLevel(r, "VAULT_LOG_LEVEL", &s)
	readConnection(r, &s.Vault)
	readProxy(r, &s)
	login.ReadVariables(r, &s.Login, &s.Vault)

	readTransit(r, &s.Transit)
	if r.Text("VAULT_REVOKE_TOKEN", "") != "" {
		s.Revoke = revocationOf(r.Bool("VAULT_REVOKE_TOKEN"))
	}
	s.IgnoreMissing = r.Bool("VAULT_IGNORE_MISSING_SECRETS")
	s.Delay = r.Duration("VAULT_ENV_DELAY", s.Delay)
	for _, name := range r.List("VAULT_ENV_PASSTHROUGH") {
		s.Passthrough[name] = true
	}
	for _, entry := range r.List("VAULT_ENV_FROM_PATH") {
		s.FromPaths = append(s.FromPaths, readFromPath(r, entry))
	}
	if r.Bool("VAULT_ENV_DAEMON") {
		s.Mode = ModeDaemon
	}
	for _, name := range notSupported {
		if value := r.Text(name, ""); value != "" && value != "false" {
			s.Warnings = append(s.Warnings, name+" is not supported and is ignored")
		}
	}
	return s, r.Failure()
}

func readConnection(r *source.Variables, v *vault.Connection) {
	name := "VAULT_ADDR"
	if r.Text("VAULT_AGENT_ADDR", "") != "" {
		name = "VAULT_AGENT_ADDR"
	}
	var f *failure.Failure
	v.Address, f = parseAddressOrSocket(name, r.Text(name, "https://127.0.0.1:8200"))
	r.Keep(f)
	v.Namespace = r.Text("VAULT_NAMESPACE", "")
	v.Timeout = r.Duration("VAULT_CLIENT_TIMEOUT", v.Timeout)
	if v.Timeout == 0 {
		r.Keep(failure.Newf(failure.Settings, `VAULT_CLIENT_TIMEOUT is zero: write a duration like "10s", or remove it`))
	}
	if retries := r.Text("VAULT_MAX_RETRIES", ""); retries != "" {
		n, err := strconv.ParseUint(retries, 10, 16)
		if err != nil {
			r.Keep(failure.Newf(failure.Settings, "VAULT_MAX_RETRIES is not a whole number: write how often to repeat a request, or remove it to repeat it until the timeout"))
		}
		v.Attempts = int(n) + 1
	}
	v.CAPEM = r.Text("VAULT_CACERT_BYTES", "")
	v.CAFile = r.Text("VAULT_CACERT", "")
	if v.CAFile == "" && v.CAPEM == "" { // like Vault's own client: VAULT_CACERT takes precedence
		v.CADir = r.Text("VAULT_CAPATH", "")
	}
	v.CertFile = r.Text("VAULT_CLIENT_CERT", "")
	v.KeyFile = r.Text("VAULT_CLIENT_KEY", "")
	if (v.CertFile == "") != (v.KeyFile == "") {
		r.Keep(failure.Newf(failure.Settings, "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY go together: set both or neither"))
	}
	v.ServerName = r.Text("VAULT_TLS_SERVER_NAME", "")
	v.SkipVerify = r.Bool("VAULT_SKIP_VERIFY")
}

// parseAddressOrSocket is parseAddress, and also allows unix://PATH.
func parseAddressOrSocket(name, address string) (string, *failure.Failure) {
	socket, is := strings.CutPrefix(address, "unix://")
	if !is {
		return parseAddress(name, address)
	}
	const maxSocket = 107 // sun_path of unix(7), without the NUL
	if !strings.HasPrefix(socket, "/") || len(socket) > maxSocket || failure.OneLine(socket) != socket {
		return "", failure.Newf(failure.Settings, "%s is not the address of a socket: write unix:///PATH, of at most %d bytes", name, maxSocket)
	}
	return address, nil
}

// readProxy reads the proxy of Vault's own client, which takes precedence over those of the whole container. It is a
// warning if it cannot be used: vault-env did without it before.
func readProxy(r *source.Variables, s *Settings) {
	for _, name := range [...]string{"VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY"} { // the first takes precedence
		switch proxy := r.Text(name, ""); {
		case proxy == "":
		case isProxy(proxy):
			s.Vault.ProxyURL = proxy
			return
		default:
			s.Warnings = append(s.Warnings, name+" is ignored: write http://HOST:PORT or https://HOST:PORT")
		}
	}
}

func readTransit(r *source.Variables, t *vault.Transit) {
	var f *failure.Failure
	if id := r.Text("VAULT_TRANSIT_KEY_ID", ""); id != "" {
		t.KeyID, f = source.Path("VAULT_TRANSIT_KEY_ID", id)
		r.Keep(f)
	}
	t.MountPath, f = source.Path("VAULT_TRANSIT_PATH", r.Text("VAULT_TRANSIT_PATH", t.MountPath))
	r.Keep(f)
	if size := r.Text("VAULT_TRANSIT_BATCH_SIZE", ""); size != "" {
		n, err := strconv.ParseUint(size, 10, 31)
		if err != nil || n == 0 {
			r.Keep(failure.Newf(failure.Settings, "VAULT_TRANSIT_BATCH_SIZE is not a positive whole number: write one, or remove it"))
		}
		t.BatchSize = int(n)
	}
}

// readLevel returns a log level. It does not fail: a wrong log level must not keep the program from starting.
func readLevel(r *source.Variables, name string, s *Settings) logging.Level {
	switch strings.ToLower(r.Text(name, "info")) {
	case "trace", "debug":
		return logging.Debug
	case "info":
		return logging.Info
	case "warn", "warning":
		return logging.Warn
	case "error":
		return logging.Error
	}
	s.Warnings = append(s.Warnings, name+" is unknown, using info: write debug, info, warn or error")
	return logging.Info
}

// readFromPath reads PATH or PATH#VERSION. Like Bank-Vaults' vault-env, it takes an empty version and -1 for the latest.
func readFromPath(r *source.Variables, entry string) FromPath {
	raw, version, versioned := strings.Cut(entry, "#")
	path, f := source.Path("VAULT_ENV_FROM_PATH", raw)
	r.Keep(f)
	if version == "-1" {
		version = ""
	}
	if versioned && version != "" {
		if _, err := strconv.ParseUint(version, 10, 31); err != nil {
			r.Keep(failure.Newf(failure.Settings, "VAULT_ENV_FROM_PATH: a version is not a whole number: write PATH#VERSION"))
		}
	}
	return FromPath{Path: path, Version: version}
}
