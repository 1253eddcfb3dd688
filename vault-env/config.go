package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"vaultinjection.dev/vault-env/internal/defaults"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/login"
	"vaultinjection.dev/vault-env/internal/signals"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// parseConfig reads VAULT_ENV_CONFIG: the keys of the policy's own spec, and vault.auth.tokenPath.
func parseConfig(text string) (settings, *failure.Failure) {
	s := defaultSettings()
	root, f := source.Parse(text)
	if f != nil {
		return s, f
	}
	// The log's settings first, so that the other failures are told in the format that was asked for.
	configProcess(root.Child("process"), &s)
	configVault(root.Child("vault"), &s)
	configEnvironment(root.Child("environment"), &s)
	root.Done()
	return s, root.Failure()
}

func configProcess(o source.Object, s *settings) {
	log := o.Child("log")
	choose(log, "level", &s.logLevel, levelOf, "is unknown: write Debug, Info, Warn or Error")
	choose(log, "format", &s.logJSON, jsonOf, "is unknown: write Text or JSON")
	log.Done()
	choose(o, "mode", &s.mode, modeOf, "is unknown: write Exec or Daemon")
	configLeaseEnd(o.Child("leaseEnd"), &s.leaseEnd)
	s.delay = o.Duration("delay", s.delay, `is not a duration: write one like "5s"`, notNegative)
	if o.IsSet("revokeToken") {
		s.revoke = revocationOf(o.Bool("revokeToken", true))
	}
	s.refuseExec = o.Bool("refuseExec", s.refuseExec)
	o.Done()
}

func configLeaseEnd(o source.Object, l *leaseEnd) {
	choose(o, "action", &l.restart, restartOf, "is unknown: write Restart or Keep")
	choose(o, "signal", &l.signal, signals.Parse, "is not a signal that ends a program: write one like SIGTERM or SIGRTMIN+3")
	l.gracePeriod = o.Duration("gracePeriod", l.gracePeriod, `is not a duration: write one like "10s"`, notNegative)
	o.Done()
}

func notNegative(d time.Duration) bool { return d >= 0 }

// choose sets what a word stands for. Where there is none it leaves the default.
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
		return modeDaemon, true
	}
	return modeExec, word == "Exec"
}

func restartOf(action string) (restart, known bool) {
	return action == "Restart", action == "Restart" || action == "Keep"
}

func configVault(o source.Object, s *settings) {
	address := o.Text("address")
	if address == "" {
		o.Fail("address", "is missing: write https://HOST[:PORT]")
	} else {
		var f *failure.Failure
		s.vault.Address, f = parseAddress(o.Name("address"), address)
		o.Keep(f)
	}
	s.vault.Namespace = o.Text("namespace")
	s.vault.Timeout = o.Duration("timeout", s.vault.Timeout, `is not a duration above zero: write one like "10s"`, func(d time.Duration) bool { return d > 0 })
	tls := o.Child("tls")
	s.vault.CAPEM, s.vault.CAFile, s.vault.ServerName = tls.Text("caBundle"), tls.Text("caFile"), tls.Text("serverName")
	tls.Done()
	login.ReadConfig(o.Child("auth"), &s.login, &s.vault)
	o.Done()
}

func configEnvironment(o source.Object, s *settings) {
	for _, from := range o.Children("fromPaths") {
		entry := fromPath{path: from.Path("path"), prefix: from.Text("prefix"), overwrite: from.Bool("overwrite", defaults.EnvironmentFromPathsOverwrite)}
		if version := from.Whole("version"); version > 0 {
			entry.version = strconv.Itoa(version)
		}
		from.Done()
		s.fromPaths = append(s.fromPaths, entry)
	}
	for i, pattern := range o.Texts("allowedPaths") {
		s.allowedPaths = append(s.allowedPaths, o.Clean(fmt.Sprintf("allowedPaths[%d]", i), pattern))
	}
	for _, name := range o.Texts("passthrough") {
		s.passthrough[name] = true
	}
	for _, name := range o.Texts("allowedNames") {
		s.allowedNames[name] = true
	}
	s.ignoreMissing = o.Bool("ignoreMissing", s.ignoreMissing)
	configTransit(o.Child("transit"), &s.transit)
	o.Done()
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
