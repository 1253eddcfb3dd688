// Package settings is what vault-env is told to do. There are two ways to tell it, VAULT_ENV_CONFIG (config.go) and the
// variables that Bank-Vaults' vault-env reads (bankvaults.go); both end in one Settings value, so that nothing else
// needs to know which it was.
package settings

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

// Settings is what vault-env is told to do, whichever way it was told.
type Settings struct {
	Vault         vault.Connection
	Login         login.Settings
	Transit       vault.Transit
	FromPaths     []FromPath
	IgnoreMissing bool
	Passthrough   map[string]bool
	AllowedPaths  []string
	AllowedNames  map[string]bool // taken from fromPaths although they are refused otherwise
	Mode          processMode
	LeaseEnd      LeaseEnd
	Delay         time.Duration
	Revoke        vault.Revocation
	RefuseExec    bool
	LogLevel      logging.Level
	LogJSON       bool
	// strip is true where the settings came in the VAULT_* variables, which then are not for the program.
	Strip bool
	// warnings are said once the logger is there.
	Warnings []string
}

// processMode says what vault-env becomes once the program is started.
type processMode int

const (
	modeExec   processMode = iota // the program itself
	ModeDaemon                    // its parent, which renews leases
)

// LeaseEnd says what daemon mode does where a lease ends and cannot be renewed.
type LeaseEnd struct {
	Restart     bool // end the program, so that the container is started again; else leave it alone
	Signal      syscall.Signal
	GracePeriod time.Duration // from the signal to SIGKILL
}

// FromPath is a secret whose every key becomes a variable.
type FromPath struct {
	Path      string
	Version   string
	Prefix    string
	Overwrite bool
}

// defaultSettings returns what holds where nothing else is said. Bank-Vaults has the same defaults.
func defaultSettings() Settings {
	s := Settings{
		Vault: vault.Connection{Timeout: defaults.VaultTimeout},
		Login: login.Default(),
		Transit: vault.Transit{
			MountPath: defaults.EnvironmentTransitMountPath,
			BatchSize: defaults.EnvironmentTransitBatchSize,
		},
		IgnoreMissing: defaults.EnvironmentIgnoreMissing,
		Passthrough:   map[string]bool{},
		AllowedNames:  map[string]bool{},
		LeaseEnd:      LeaseEnd{GracePeriod: defaults.ProcessLeaseEndGracePeriod},
		Delay:         defaults.ProcessDelay,
		RefuseExec:    defaults.ProcessRefuseExec,
	}
	s.Mode, _ = modeOf(defaults.ProcessMode)
	s.LeaseEnd.Restart, _ = restartOf(defaults.ProcessLeaseEndAction)
	s.LeaseEnd.Signal, _ = signals.Parse(defaults.ProcessLeaseEndSignal)
	s.LogLevel, _ = levelOf(defaults.ProcessLogLevel)
	s.LogJSON, _ = jsonOf(defaults.ProcessLogFormat)
	if s.Revoke = vault.RevokeNever; defaults.ProcessRevokeToken {
		s.Revoke = vault.RevokeOwn // a token that was given is revoked only where that is written out
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

// Load reads VAULT_ENV_CONFIG where it is set, else the variables of Bank-Vaults' vault-env. The settings that it
// returns beside a failure tell how to log it.
func Load(env environment.Variables) (Settings, *failure.Failure) {
	config, ok := env.Lookup(environment.ConfigVariable)
	if !ok {
		return bankVaultsSettings(env)
	}
	s, f := parseConfig(config)
	if f != nil {
		f = f.Under(environment.ConfigVariable)
	}
	s.Login.Environment = env
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
