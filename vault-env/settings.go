package main

import (
	"net/url"
	"strings"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
)

const (
	// Bank-Vaults' default too; a login and a read take milliseconds, a Vault that is failing over takes seconds.
	defaultTimeout = 10 * time.Second
	// Bank-Vaults' webhook sets this one; enough to save round trips, few enough that batches share Vault's processors.
	defaultBatchSize = 25
)

// settings is what vault-env is told to do, whichever way it was told.
type settings struct {
	vault         vaultSettings
	transit       transitSettings
	fromPaths     []fromPath
	ignoreMissing bool
	passthrough   map[string]bool
	allowedPaths  []string
	allowedNames  map[string]bool // taken from fromPaths although they are refused otherwise
	mode          processMode
	leaseEnd      leaseEnd
	delay         time.Duration
	revoke        revocation
	refuseExec    bool
	logLevel      logging.Level
	logJSON       bool
	// strip is true where the settings came in the VAULT_* variables, which then are not for the program.
	strip bool
	// warnings are said once the logger is there.
	warnings []string
}

type vaultSettings struct {
	address    string // scheme, host, optional path; no trailing slash
	namespace  string
	timeout    time.Duration // for login, reads and retries together
	caPEM      string
	caFile     string
	caDir      string
	serverName string
	certFile   string
	keyFile    string
	skipVerify bool
	token      string // given, so there is no login
	tokenFile  string // must exist
	tokenPath  string // need not exist
	authSettings
}

// transitSettings say which key of which transit engine decrypts.
type transitSettings struct {
	keyID     string
	mountPath string
	batchSize int // ciphertexts in one request, at most
}

// processMode says what vault-env becomes once the program is started.
type processMode int

const (
	modeExec   processMode = iota // the program itself
	modeDaemon                    // its parent, which renews leases
)

// leaseEnd says what daemon mode does where a lease ends and cannot be renewed.
type leaseEnd struct {
	restart     bool // end the program, so that the container is started again; else leave it alone
	signal      syscall.Signal
	gracePeriod time.Duration // from the signal to SIGKILL
}

// revocation says which tokens are revoked before the program starts. A token that leases depend on never is.
type revocation int

const (
	revokeOwn   revocation = iota // one that vault-env logged in for
	revokeNever                   // none
	revokeAny                     // one that was given to it, too
)

// revocationOf gives the revocation of a setting that is written out.
func revocationOf(revoke bool) revocation {
	if revoke {
		return revokeAny
	}
	return revokeNever
}

// fromPath is a secret whose every key becomes a variable.
type fromPath struct {
	path      string
	version   string
	prefix    string
	overwrite bool
}

func (from fromPath) key() readKey { return readKey{path: from.path, version: from.version} }

func defaultSettings() settings {
	return settings{
		logLevel:     logging.Info,
		leaseEnd:     leaseEnd{restart: true, signal: syscall.SIGTERM, gracePeriod: 10 * time.Second}, // as Bank-Vaults
		passthrough:  map[string]bool{},
		allowedNames: map[string]bool{},
		transit:      transitSettings{mountPath: "transit", batchSize: defaultBatchSize},
		vault:        vaultSettings{timeout: defaultTimeout, authSettings: authSettings{authMount: "kubernetes", jwtFile: defaultJWTFile}},
	}
}

// loadSettings reads VAULT_ENV_CONFIG where it is set, else the variables of Bank-Vaults' vault-env. The settings
// it gives beside a failure tell how to log it.
func loadSettings(env environment.Variables) (settings, *failure.Failure) {
	config, ok := env.Lookup(environment.ConfigVariable)
	if !ok {
		return bankVaultsSettings(env)
	}
	s, f := parseConfig(config)
	if f != nil {
		f = f.Under(environment.ConfigVariable)
	}
	s.vault.environment = env
	return s, f
}

// parseAddress checks the address of a Vault: http or https, a host, an optional port and path, nothing else.
func parseAddress(name, address string) (string, *failure.Failure) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		// The address itself is left out: a userinfo in it would be a password.
		return "", failure.Newf(failure.Settings, "%s is not the address of a Vault: write https://HOST[:PORT][/PATH]", name)
	}
	return strings.TrimRight(address, "/"), nil
}

// parsePath cleans a path and an auth mount of the slashes that do not count, and refuses what a reference must not
// hold either.
func parsePath(name, path string) (string, *failure.Failure) {
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimSpace(path), "/") {
		switch {
		case segment == "":
		case segment == "." || segment == ".." || strings.ContainsAny(segment, "#?") || failure.OneLine(segment) != segment:
			return "", failure.Newf(failure.Settings, `%s is not a path in Vault: write it without ".", "..", "#", "?" and control characters`, name)
		default:
			segments = append(segments, segment)
		}
	}
	if len(segments) == 0 {
		return "", failure.Newf(failure.Settings, "%s is empty: write a path in Vault", name)
	}
	return strings.Join(segments, "/"), nil
}
