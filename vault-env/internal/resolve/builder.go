package resolve

import (
	"strings"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
)

// maxEntry is the longest "NAME=VALUE" that Linux allows, without the terminating NUL (MAX_ARG_STRLEN, 32 pages of 4
// KiB).
const maxEntry = 32*4096 - 1

// environmentBuilder builds the program's environment: first the container's variables, then those of fromPaths.
type environmentBuilder struct {
	settings *settings.Settings
	login    bool // the program gets the login token
	log      *logging.Logger
	entries  []string
	index    map[string]int
}

func newEnvironmentBuilder(s *settings.Settings, login bool, log *logging.Logger, size int) *environmentBuilder {
	return &environmentBuilder{s, login, log, make([]string, 0, size), make(map[string]int, size)}
}

// keep adds an entry of the container's environment that contains no reference.
func (b *environmentBuilder) keep(entry string) {
	name, _, found := strings.Cut(entry, "=")
	if !found { // odd, but not our concern
		b.entries = append(b.entries, entry)
		return
	}
	if name == environment.ConfigVariable || b.settings.Strip && isStripped(name, b.settings.Passthrough, b.login) {
		return
	}
	b.first(name, entry)
}

// resolved adds a variable whose references are resolved.
func (b *environmentBuilder) resolved(name, value string) *failure.Failure {
	entry := name + "=" + value
	if f := checkEntry(entry); f != nil {
		return f.Under(name)
	}
	b.first(name, entry)
	return nil
}

// add adds one key of a fromPaths secret. A variable of the container takes precedence, unless the path sets overwrite.
func (b *environmentBuilder) add(from settings.FromPath, key, value string) *failure.Failure {
	name := from.Prefix + key
	source := "the key " + failure.QuoteName(key) + " of " + from.Path
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		b.log.Warn(source + " is skipped: it cannot be the name of a variable")
		return nil
	case name != environment.ConfigVariable && b.settings.AllowedNames[name]:
	case isDangerous(name):
		b.log.Warn(source + " is skipped: a variable with this name can make programs run code, and allowedNames does not list it")
		return nil
	case name == environment.ConfigVariable || isStripped(name, b.settings.Passthrough, false):
		b.log.Warn(source + " is skipped: it is a setting of Vault clients, and the passthrough list does not name it")
		return nil
	}
	if _, set := b.index[name]; set && !from.Overwrite {
		if b.log.Debugs() {
			b.log.Debug(source + " is skipped: the variable is already set")
		}
		return nil
	}
	entry := name + "=" + value
	if f := checkEntry(entry); f != nil {
		return f.Under(source)
	}
	b.put(name, entry)
	return nil
}

func (b *environmentBuilder) first(name, entry string) {
	if _, set := b.index[name]; !set {
		b.put(name, entry)
	}
}

func (b *environmentBuilder) put(name, entry string) {
	if i, set := b.index[name]; set {
		b.entries[i] = entry
		return
	}
	b.index[name] = len(b.entries)
	b.entries = append(b.entries, entry)
}

func checkEntry(entry string) *failure.Failure {
	switch {
	case strings.IndexByte(entry, 0) >= 0:
		return failure.Newf(failure.Data, `the value contains a NUL byte, which a variable cannot hold: encode it with "| b64enc" in a template`)
	case len(entry) > maxEntry:
		return failure.Newf(failure.Data, "the value is longer than Linux allows for a variable (%d bytes including its name): put it in a file instead", maxEntry)
	}
	return nil
}
