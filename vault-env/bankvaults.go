package main

import (
	"strconv"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

// notSupported are settings of Bank-Vaults' vault-env and of Vault's own client that change what happens there and
// do nothing here. Each is said in a warning, once, where it is set.
var notSupported = []string{
	"VAULT_ENV_LOG_SERVER", "VAULT_HEADERS", "VAULT_HTTP_PROXY", "VAULT_MFA", "VAULT_PROXY_ADDR",
	"VAULT_SRV_LOOKUP", "VAULT_WRAP_TTL",
}

// bankVaultsSettings reads the variables that Bank-Vaults' vault-env reads, so that a container made for it works
// unchanged. Where that one takes a malformed value for false, zero or the default, this one refuses it.
func bankVaultsSettings(env environment.Variables) (settings, *failure.Failure) {
	s := defaultSettings()
	s.strip = true
	r := variableReader{env: env}

	// The log's settings first, so that the other failures are told in the format that was asked for.
	s.logJSON = r.bool("VAULT_JSON_LOG")
	s.logLevel = r.level("VAULT_LOG_LEVEL", &s)
	readConnection(&r, &s.vault)
	readAuth(&r, &s.vault)

	readTransit(&r, &s.transit)
	if r.text("VAULT_REVOKE_TOKEN", "") != "" {
		s.revoke = revocationOf(r.bool("VAULT_REVOKE_TOKEN"))
	}
	s.ignoreMissing = r.bool("VAULT_IGNORE_MISSING_SECRETS")
	s.delay = r.duration("VAULT_ENV_DELAY", 0)
	for _, name := range r.list("VAULT_ENV_PASSTHROUGH") {
		s.passthrough[name] = true
	}
	for _, entry := range r.list("VAULT_ENV_FROM_PATH") {
		s.fromPaths = append(s.fromPaths, r.fromPath(entry))
	}
	if r.bool("VAULT_ENV_DAEMON") {
		s.mode = modeDaemon
	}
	for _, name := range notSupported {
		if value := r.text(name, ""); value != "" && value != "false" {
			s.warnings = append(s.warnings, name+" is not supported and ignored")
		}
	}
	return s, r.first
}

func readConnection(r *variableReader, v *vaultSettings) {
	name := "VAULT_ADDR"
	if r.text("VAULT_AGENT_ADDR", "") != "" {
		name = "VAULT_AGENT_ADDR"
	}
	var f *failure.Failure
	v.address, f = parseAddress(name, r.text(name, "https://127.0.0.1:8200"))
	r.fail(f)
	v.namespace = r.text("VAULT_NAMESPACE", "")
	v.timeout = r.duration("VAULT_CLIENT_TIMEOUT", defaultTimeout)
	if v.timeout == 0 {
		r.fail(failure.Newf(failure.Settings, `VAULT_CLIENT_TIMEOUT is zero: write a duration like "10s", or remove it`))
	}
	v.caPEM = r.text("VAULT_CACERT_BYTES", "")
	v.caFile = r.text("VAULT_CACERT", "")
	if v.caFile == "" && v.caPEM == "" { // as Vault's own client: VAULT_CACERT wins
		v.caDir = r.text("VAULT_CAPATH", "")
	}
	v.certFile = r.text("VAULT_CLIENT_CERT", "")
	v.keyFile = r.text("VAULT_CLIENT_KEY", "")
	if (v.certFile == "") != (v.keyFile == "") {
		r.fail(failure.Newf(failure.Settings, "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY go together: set both or none"))
	}
	v.serverName = r.text("VAULT_TLS_SERVER_NAME", "")
	v.skipVerify = r.bool("VAULT_SKIP_VERIFY")
}

func readTransit(r *variableReader, t *transitSettings) {
	var f *failure.Failure
	if id := r.text("VAULT_TRANSIT_KEY_ID", ""); id != "" {
		t.keyID, f = parsePath("VAULT_TRANSIT_KEY_ID", id)
		r.fail(f)
	}
	t.mountPath, f = parsePath("VAULT_TRANSIT_PATH", r.text("VAULT_TRANSIT_PATH", t.mountPath))
	r.fail(f)
	if size := r.text("VAULT_TRANSIT_BATCH_SIZE", ""); size != "" {
		n, err := strconv.ParseUint(size, 10, 31)
		if err != nil || n == 0 {
			r.fail(failure.Newf(failure.Settings, "VAULT_TRANSIT_BATCH_SIZE is not a whole number from 1: write one, or remove it"))
		}
		t.batchSize = int(n)
	}
}

// variableReader reads settings from variables and keeps the first failure.
type variableReader struct {
	env   environment.Variables
	first *failure.Failure
}

func (r *variableReader) fail(f *failure.Failure) {
	if r.first == nil {
		r.first = f
	}
}

// text takes an empty variable for an unset one, as Vault's own client does.
func (r *variableReader) text(name, unset string) string {
	if value, ok := r.env.Lookup(name); ok && value != "" {
		return value
	}
	return unset
}

func (r *variableReader) bool(name string) bool {
	text := r.text(name, "false")
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.fail(failure.Newf(failure.Settings, "%s is neither true nor false: write one of them", name))
	}
	return value
}

// duration reads a Go duration; a bare number is seconds, as for Vault's own client.
func (r *variableReader) duration(name string, unset time.Duration) time.Duration {
	text := r.text(name, "")
	if text == "" {
		return unset
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.fail(failure.Newf(failure.Settings, `%s is not a duration: write one like "10s", or seconds`, name))
	}
	return d
}

func (r *variableReader) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(r.text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// level does not fail: how much is logged is not worth a program that does not start.
func (r *variableReader) level(name string, s *settings) logging.Level {
	switch strings.ToLower(r.text(name, "info")) {
	case "trace", "debug":
		return logging.Debug
	case "info":
		return logging.Info
	case "warn", "warning":
		return logging.Warn
	case "error":
		return logging.Error
	}
	s.warnings = append(s.warnings, name+" is unknown, info is taken: write debug, info, warn or error")
	return logging.Info
}

func (r *variableReader) path(name, unset string) string {
	path, f := parsePath(name, r.text(name, unset))
	r.fail(f)
	return path
}

// fromPath reads PATH or PATH#VERSION.
func (r *variableReader) fromPath(entry string) fromPath {
	raw, version, versioned := strings.Cut(entry, "#")
	path, f := parsePath("VAULT_ENV_FROM_PATH", raw)
	r.fail(f)
	if versioned {
		if _, err := strconv.ParseUint(version, 10, 31); err != nil {
			r.fail(failure.Newf(failure.Settings, "VAULT_ENV_FROM_PATH: a version is not a whole number: write PATH#VERSION"))
		}
	}
	return fromPath{path: path, version: version}
}
