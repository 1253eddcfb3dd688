// Package settings reads vault-env's settings. They come from VAULT_ENV_CONFIG (config.go) or from the variables of
// Bank-Vaults' vault-env (bankvaults.go). Both produce a Settings value, so that no other package needs to know where
// they came from.
package settings

import (
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/defaults"
	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/signals"
	"vaultinjection.dev/vault-env/internal/termination"
	"vaultinjection.dev/vault-env/internal/vault"
)

// Settings are vault-env's settings, wherever they came from.
type Settings struct {
	Vault         vault.Connection
	Login         login.Settings
	Transit       vault.Transit
	FromPaths     []FromPath
	IgnoreMissing bool
	Passthrough   map[string]bool
	Literals      []string // patterns of names of variables that are text, whatever they look like
	AllowedPaths  []string // what may be read, and written unless BoundsWrites; empty: everything
	Writes        []string // what may be written if BoundsWrites
	BoundsWrites  bool
	References    *References     // what variables may refer to; nil: all of them to all
	AllowedNames  map[string]bool // names that fromPaths may set although they are normally skipped
	Mode          processMode
	LeaseEnd      LeaseEnd
	Delay         time.Duration
	Revoke        vault.Revocation
	RefuseExec    bool
	// Policy names the policy that these settings are from, as namespace/name; empty if they are not from one.
	Policy string
	// TerminationMessage is the file for the message of a failure.
	TerminationMessage string
	LogLevel           logging.Level
	LogJSON            bool
	// Strip is true if the settings came from the VAULT_* variables, which the program then does not get.
	Strip bool
	// Warnings are logged once the logger is configured.
	Warnings []string
}

// processMode is what vault-env becomes when the program starts.
type processMode int

const (
	modeExec   processMode = iota // the program itself
	ModeDaemon                    // its parent, which renews leases
)

// LeaseEnd is what daemon mode does when a lease ends and cannot be renewed.
type LeaseEnd struct {
	Restart     bool // stop the program, so that the container restarts; else let it run
	Signal      syscall.Signal
	GracePeriod time.Duration // from the signal to SIGKILL
}

// References says which variables may hold references, and to what.
type References struct {
	Names    map[string]bool     // of variables that may refer to anything
	Prefixes []string            // of the names of such variables
	Paths    map[string][]string // by the name of a variable: what it may refer to, as package resolve matches it
}

// FromPath is a secret whose keys all become variables.
type FromPath struct {
	Path      string
	Version   string
	Prefix    string
	Overwrite bool
}

// defaultSettings returns the default settings, which are also Bank-Vaults' defaults.
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

		TerminationMessage: termination.DefaultPath,
	}
	s.Mode, _ = modeOf(defaults.ProcessMode)
	s.LeaseEnd.Restart, _ = restartOf(defaults.ProcessLeaseEndAction)
	s.LeaseEnd.Signal, _ = signals.Parse(defaults.ProcessLeaseEndSignal)
	s.LogLevel, _ = levelOf(defaults.ProcessLogLevel)
	s.LogJSON, _ = jsonOf(defaults.ProcessLogFormat)
	if s.Revoke = vault.RevokeNever; defaults.ProcessRevokeToken {
		s.Revoke = vault.RevokeOwn // a token that was given is only revoked if that is set explicitly
	}
	return s
}

// revocationOf returns the revocation for an explicit setting.
func revocationOf(revoke bool) vault.Revocation {
	if revoke {
		return vault.RevokeAny
	}
	return vault.RevokeNever
}

// Load reads VAULT_ENV_CONFIG if it is set, else the variables of Bank-Vaults' vault-env. Settings returned with a
// failure configure how to log it.
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

// isProxy returns whether an address has http or https, a host and a port, and nothing else.
func isProxy(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0 && address == u.Scheme+"://"+u.Host
}

// parseAddress returns the address of a Vault server without trailing slashes. It allows http or https, a host, an
// optional port and path, and nothing else.
func parseAddress(name, address string) (string, *failure.Failure) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		// The message omits the address, whose userinfo could contain a password.
		return "", failure.Newf(failure.Settings, "%s is not the address of a Vault server: write https://HOST[:PORT][/PATH]", name)
	}
	return strings.TrimRight(address, "/"), nil
}
