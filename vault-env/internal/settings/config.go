package settings

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/defaults"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/signals"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// parseConfig reads VAULT_ENV_CONFIG: the keys of the policy's spec, and vault.auth.tokenPath.
func parseConfig(text string) (Settings, *failure.Failure) {
	s := defaultSettings()
	root, f := source.Parse(text)
	if f != nil {
		return s, f
	}
	// What is about messages comes first, so that other failures are logged as configured.
	s.Policy = root.Text("policy")
	s.TerminationMessage = cmp.Or(root.Text("terminationMessagePath"), s.TerminationMessage)
	configProcess(root.Child("process"), &s)
	configVault(root.Child("vault"), &s)
	configEnvironment(root.Child("environment"), &s)
	isTold := root.IsSet("references")
	if references := configReferences(root.Child("references")); isTold {
		s.References = references
		s.BoundsWrites = true // an operator that writes one knows of the other
	}
	root.Done()
	return s, root.Failure()
}

func configProcess(o source.Object, s *Settings) {
	log := o.Child("log")
	choose(log, "level", &s.LogLevel, levelOf, "is unknown: write Debug, Info, Warn or Error")
	choose(log, "format", &s.LogJSON, jsonOf, "is unknown: write Text or JSON")
	log.Done()
	choose(o, "mode", &s.Mode, modeOf, "is unknown: write Exec or Daemon")
	configLeaseEnd(o.Child("leaseEnd"), &s.LeaseEnd)
	s.Delay = o.Duration("delay", s.Delay, `is not a duration: write one like "5s"`, notNegative)
	isSet := o.IsSet("revokeToken")
	if revoke := o.Bool("revokeToken", defaults.ProcessRevokeToken); isSet {
		s.Revoke = revocationOf(revoke)
	}
	s.RefuseExec = o.Bool("refuseExec", s.RefuseExec)
	o.Done()
}

func configLeaseEnd(o source.Object, l *LeaseEnd) {
	choose(o, "action", &l.Restart, restartOf, "is unknown: write Restart or Keep")
	choose(o, "signal", &l.Signal, signals.Parse, "is not a signal that ends a program: write one like SIGTERM or SIGRTMIN+3")
	l.GracePeriod = o.Duration("gracePeriod", l.GracePeriod, `is not a duration: write one like "10s"`, notNegative)
	o.Done()
}

func notNegative(d time.Duration) bool { return d >= 0 }

// choose sets value to the meaning of a word, or leaves the default if there is no word.
func choose[T any](o source.Object, key string, value *T, meaning func(string) (T, bool), message string) {
	word := o.Text(key)
	if word == "" {
		return
	}
	var known bool
	if *value, known = meaning(word); !known {
		o.Fail(key, message)
	}
}

func levelOf(word string) (logging.Level, bool) {
	switch word {
	case "Debug":
		return logging.Debug, true
	case "Info":
		return logging.Info, true
	case "Warn":
		return logging.Warn, true
	case "Error":
		return logging.Error, true
	}
	return logging.Info, false
}

func jsonOf(format string) (isJSON, known bool) {
	return format == "JSON", format == "JSON" || format == "Text"
}

func modeOf(word string) (processMode, bool) {
	if word == "Daemon" {
		return ModeDaemon, true
	}
	return modeExec, word == "Exec"
}

func restartOf(action string) (restart, known bool) {
	return action == "Restart", action == "Restart" || action == "Keep"
}

func configVault(o source.Object, s *Settings) {
	address := o.Text("address")
	if address == "" {
		o.Fail("address", "is missing: write https://HOST[:PORT]")
	} else {
		var f *failure.Failure
		s.Vault.Address, f = parseAddress(o.Name("address"), address)
		o.Keep(f)
	}
	configPlaintext(o, s.Vault.Address)
	s.Vault.Namespace = o.Text("namespace")
	s.Vault.Timeout = o.Duration("timeout", s.Vault.Timeout, `is not a duration above zero: write one like "10s"`, func(d time.Duration) bool { return d > 0 })
	if proxy := o.Text("proxyURL"); proxy != "" {
		if s.Vault.ProxyURL = proxy; !isProxy(proxy) {
			o.Fail("proxyURL", "is not the URL of a proxy: write http://HOST:PORT or https://HOST:PORT")
		}
	}
	tls := o.Child("tls")
	s.Vault.CAPEM, s.Vault.CAFile, s.Vault.ServerName = tls.Text("caBundle"), tls.Text("caFile"), tls.Text("serverName")
	tls.Done()
	login.ReadConfig(o.Child("auth"), &s.Login, &s.Vault)
	o.Done()
}

// configPlaintext asks for the policy's consent to send tokens and secrets unencrypted. Redirects never lead from https
// to http (package vault).
func configPlaintext(o source.Object, address string) {
	isHTTPS := strings.HasPrefix(strings.ToLower(address), "https:")
	switch allowed := o.Bool("allowPlaintext", false); {
	case address == "": // which has failed already
	case !isHTTPS && !allowed:
		o.Fail("address", "begins with http://, which sends tokens and secrets unencrypted: write https://, or set vault.allowPlaintext in the policy")
	case isHTTPS && allowed:
		o.Fail("allowPlaintext", "is for an address that begins with http://: remove it")
	}
}

func configEnvironment(o source.Object, s *Settings) {
	for _, from := range o.Children("fromPaths") {
		entry := FromPath{Path: from.Path("path"), Prefix: from.Text("prefix"), Overwrite: from.Bool("overwrite", defaults.EnvironmentFromPathsOverwrite)}
		if version := from.Whole("version"); version > 0 {
			entry.Version = strconv.Itoa(version)
		}
		from.Done()
		s.FromPaths = append(s.FromPaths, entry)
	}
	s.Literals = o.Texts("literals")
	s.AllowedPaths = patterns(o, "allowedPaths")
	// Older operators do not know the key; what they have injected goes on to write within allowedPaths.
	s.BoundsWrites = o.IsSet("writes")
	s.Writes = patterns(o, "writes")
	for _, name := range o.Texts("passthrough") {
		s.Passthrough[name] = true
	}
	for _, name := range o.Texts("allowedNames") {
		s.AllowedNames[name] = true
	}
	s.IgnoreMissing = o.Bool("ignoreMissing", s.IgnoreMissing)
	configTransit(o.Child("transit"), &s.Transit)
	o.Done()
}

func configReferences(o source.Object) *References {
	r := &References{Names: map[string]bool{}, Prefixes: o.Texts("prefixes"), Paths: o.TextsByName("paths")}
	for _, name := range o.Texts("names") {
		r.Names[name] = true
	}
	o.Done()
	return r
}

// patterns returns a list of patterns of paths.
func patterns(o source.Object, key string) []string {
	var all []string
	for i, pattern := range o.Texts(key) {
		all = append(all, o.Clean(fmt.Sprintf("%s[%d]", key, i), pattern))
	}
	return all
}

func configTransit(o source.Object, t *vault.Transit) {
	if id := o.Text("keyID"); id != "" {
		t.KeyID = o.Clean("keyID", id)
	}
	if mount := o.Text("mountPath"); mount != "" {
		t.MountPath = o.Clean("mountPath", mount)
	}
	t.BatchSize = cmp.Or(o.Whole("batchSize"), t.BatchSize)
	o.Done()
}
