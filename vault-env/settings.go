package main

import (
	"net/url"
	"strings"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/defaults"
	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/signals"
	"vaultinjection.dev/vault-env/internal/vault"
)

// settings is what vault-env is told to do, whichever way it was told.
type settings struct {
	vault         vault.Connection
	login         login.Settings
	transit       vault.Transit
	fromPaths     []fromPath
	ignoreMissing bool
	passthrough   map[string]bool
	allowedPaths  []string
	allowedNames  map[string]bool // taken from fromPaths although they are refused otherwise
	mode          processMode
	leaseEnd      leaseEnd
	delay         time.Duration
	revoke        vault.Revocation
	refuseExec    bool
	logLevel      logging.Level
	logJSON       bool
	// strip is true where the settings came in the VAULT_* variables, which then are not for the program.
	strip bool
	// warnings are said once the logger is there.
	warnings []string
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

// fromPath is a secret whose every key becomes a variable.
type fromPath struct {
	path      string
	version   string
	prefix    string
	overwrite bool
}

// defaultSettings returns what holds where nothing else is said. Bank-Vaults has the same defaults.
func defaultSettings() settings {
	s := settings{
		vault: vault.Connection{Timeout: defaults.VaultTimeout},
		login: login.Default(),
		transit: vault.Transit{
			MountPath: defaults.EnvironmentTransitMountPath,
			BatchSize: defaults.EnvironmentTransitBatchSize,
		},
		ignoreMissing: defaults.EnvironmentIgnoreMissing,
		passthrough:   map[string]bool{},
		allowedNames:  map[string]bool{},
		leaseEnd:      leaseEnd{gracePeriod: defaults.ProcessLeaseEndGracePeriod},
		delay:         defaults.ProcessDelay,
		refuseExec:    defaults.ProcessRefuseExec,
	}
	s.mode, _ = modeOf(defaults.ProcessMode)
	s.leaseEnd.restart, _ = restartOf(defaults.ProcessLeaseEndAction)
	s.leaseEnd.signal, _ = signals.Parse(defaults.ProcessLeaseEndSignal)
	s.logLevel, _ = levelOf(defaults.ProcessLogLevel)
	s.logJSON, _ = jsonOf(defaults.ProcessLogFormat)
	if s.revoke = vault.RevokeNever; defaults.ProcessRevokeToken {
		s.revoke = vault.RevokeOwn // a token that was given is revoked only where that is written out
	}
	return s
}

// revocationOf returns the revocation of a setting that is written out.
func revocationOf(revoke bool) vault.Revocation {
	if revoke {
		return vault.RevokeAny
	}
	return vault.RevokeNever
}

// loadSettings reads VAULT_ENV_CONFIG where it is set, else the variables of Bank-Vaults' vault-env. The settings that it
// returns beside a failure tell how to log it.
func loadSettings(env environment.Variables) (settings, *failure.Failure) {
	config, ok := env.Lookup(environment.ConfigVariable)
	if !ok {
		return bankVaultsSettings(env)
	}
	s, f := parseConfig(config)
	if f != nil {
		f = f.Under(environment.ConfigVariable)
	}
	s.login.Environment = env
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
