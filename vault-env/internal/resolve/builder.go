package resolve

import (
	"strings"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
)

// maxEntry is the longest "NAME=VALUE" that Linux takes, without its closing zero (MAX_ARG_STRLEN, 32 pages of 4 KiB).
const maxEntry = 32*4096 - 1

// environmentBuilder puts the program's environment together: first what the container has, then what fromPaths add.
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

// keep takes an entry of the container's environment that holds no reference.
func (b *environmentBuilder) keep(entry string) {
	name, _, found := strings.Cut(entry, "=")
	if !found { // odd, but the program's affair
		b.entries = append(b.entries, entry)
		return
	}
	if name == environment.ConfigVariable || b.settings.Strip && isStripped(name, b.settings.Passthrough, b.login) {
		return
	}
	b.first(name, entry)
}

// resolved takes a variable whose references are resolved.
func (b *environmentBuilder) resolved(name, value string) *failure.Failure {
	entry := name + "=" + value
	if f := checkEntry(entry); f != nil {
		return f.Under(name)
	}
	b.first(name, entry)
	return nil
}

// add takes one key of a secret of fromPaths. What the container sets itself wins, unless the path says overwrite.
func (b *environmentBuilder) add(from settings.FromPath, key, value string) *failure.Failure {
	name := from.Prefix + key
	source := "the key " + failure.QuoteName(key) + " of " + from.Path
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		b.log.Warn(source + " is left out: it cannot be the name of a variable")
		return nil
	case name != environment.ConfigVariable && b.settings.AllowedNames[name]:
	case isDangerous(name):
		b.log.Warn(source + " is left out: a variable of this name makes programs run code, and it is not in allowedNames")
		return nil
	case name == environment.ConfigVariable || isStripped(name, b.settings.Passthrough, false):
		b.log.Warn(source + " is left out: it is a setting of Vault's clients, and not in the passthrough list")
		return nil
	}
	if _, set := b.index[name]; set && !from.Overwrite {
		if b.log.Debugs() {
			b.log.Debug(source + " is left out: the variable is set already")
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
		return failure.Newf(failure.Data, `the value holds a NUL byte, which no variable can: use "| b64enc" in a template`)
	case len(entry) > maxEntry:
		return failure.Newf(failure.Data, "the value is longer than Linux takes in a variable (%d bytes with its name): put it in a file instead", maxEntry)
	}
	return nil
}
