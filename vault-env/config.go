package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/signals"
)

// parseConfig reads VAULT_ENV_CONFIG: the keys of the policy's own spec, and vault.auth.tokenPath. It is strict: what
// it does not know it refuses, for a setting that is silently ignored may be the one that was to protect something.
//
// The JSON is decoded into maps, not into a struct: what reflection prepares for a struct of this size costs every
// start a tenth of its time.
func parseConfig(text string) (settings, *failure.Failure) {
	s := defaultSettings()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return s, failure.Newf(failure.Settings, "not JSON at byte %d: write one JSON object", syntax.Offset)
		}
		return s, failure.Newf(failure.Settings, "not JSON: write one JSON object")
	}
	r := &configReader{}
	root := r.object("", value)
	// The log's settings first, so that the other failures are told in the format that was asked for.
	configProcess(root.child("process"), &s)
	configVault(root.child("vault"), &s)
	configEnvironment(root.child("environment"), &s)
	root.done()
	return s, r.first
}

func configProcess(o configObject, s *settings) {
	log := o.child("log")
	switch log.text("level") {
	case "", "Info":
	case "Debug":
		s.logLevel = logging.Debug
	case "Warn":
		s.logLevel = logging.Warn
	case "Error":
		s.logLevel = logging.Error
	default:
		log.fail("level", "is unknown: write Debug, Info, Warn or Error")
	}
	switch log.text("format") {
	case "", "Text":
	case "JSON":
		s.logJSON = true
	default:
		log.fail("format", "is unknown: write Text or JSON")
	}
	log.done()
	switch o.text("mode") {
	case "", "Exec":
	case "Daemon":
		s.mode = modeDaemon
	default:
		o.fail("mode", "is unknown: write Exec or Daemon")
	}
	configLeaseEnd(o.child("leaseEnd"), &s.leaseEnd)
	s.delay = o.duration("delay", 0, `is not a duration: write one like "5s"`, func(d time.Duration) bool { return d >= 0 })
	if revoke, set := o.choice("revokeToken"); set {
		s.revoke = revocationOf(revoke)
	}
	s.refuseExec = o.bool("refuseExec")
	o.done()
}

func configLeaseEnd(o configObject, l *leaseEnd) {
	switch o.text("action") {
	case "", "Restart":
	case "Keep":
		l.restart = false
	default:
		o.fail("action", "is unknown: write Restart or Keep")
	}
	if name := o.text("signal"); name != "" {
		var known bool
		if l.signal, known = signals.Parse(name); !known {
			o.fail("signal", "is not a signal that ends a program: write one like SIGTERM or SIGRTMIN+3")
		}
	}
	l.gracePeriod = o.duration("gracePeriod", l.gracePeriod, `is not a duration: write one like "10s"`, func(d time.Duration) bool { return d >= 0 })
	o.done()
}

func configVault(o configObject, s *settings) {
	address := o.text("address")
	if address == "" {
		o.fail("address", "is missing: write https://HOST[:PORT]")
	} else {
		var f *failure.Failure
		s.vault.address, f = parseAddress(o.name("address"), address)
		o.reader.fail(f)
	}
	s.vault.namespace = o.text("namespace")
	s.vault.timeout = o.duration("timeout", s.vault.timeout, `is not a duration above zero: write one like "10s"`, func(d time.Duration) bool { return d > 0 })
	tls := o.child("tls")
	s.vault.caPEM, s.vault.caFile, s.vault.serverName = tls.text("caBundle"), tls.text("caFile"), tls.text("serverName")
	tls.done()
	configAuth(o.child("auth"), &s.vault)
	o.done()
}

func configEnvironment(o configObject, s *settings) {
	for i, value := range o.list("fromPaths") {
		from := o.reader.object(fmt.Sprintf("%s[%d]", o.name("fromPaths"), i), value)
		entry := fromPath{path: from.cleanPath("path", from.text("path")), prefix: from.text("prefix"), overwrite: from.bool("overwrite")}
		if version := from.whole("version"); version > 0 {
			entry.version = strconv.Itoa(version)
		}
		from.done()
		s.fromPaths = append(s.fromPaths, entry)
	}
	for i, pattern := range o.texts("allowedPaths") {
		s.allowedPaths = append(s.allowedPaths, o.cleanPath(fmt.Sprintf("allowedPaths[%d]", i), pattern))
	}
	for _, name := range o.texts("passthrough") {
		s.passthrough[name] = true
	}
	for _, name := range o.texts("allowedNames") {
		s.allowedNames[name] = true
	}
	s.ignoreMissing = o.bool("ignoreMissing")
	configTransit(o.child("transit"), &s.transit)
	o.done()
}

func configTransit(o configObject, t *transitSettings) {
	if id := o.text("keyID"); id != "" {
		t.keyID = o.cleanPath("keyID", id)
	}
	if mount := o.text("mountPath"); mount != "" {
		t.mountPath = o.cleanPath("mountPath", mount)
	}
	if size := o.whole("batchSize"); size > 0 {
		t.batchSize = size
	}
	o.done()
}

// configReader keeps the first failure of a configuration.
type configReader struct{ first *failure.Failure }

func (r *configReader) fail(f *failure.Failure) {
	if r.first == nil {
		r.first = f
	}
}

// configObject is one JSON object. Every key is taken out of it once; what is left in the end is unknown.
type configObject struct {
	reader *configReader
	path   string
	fields map[string]any
}

func (r *configReader) object(path string, value any) configObject {
	fields, ok := value.(map[string]any)
	if !ok && value != nil {
		r.fail(wrongType(path, value, "a JSON object"))
	}
	return configObject{r, path, fields}
}

func (o configObject) name(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

func (o configObject) fail(key, message string) {
	o.reader.fail(failure.Newf(failure.Settings, "%s %s", o.name(key), message))
}

// take gives nil for a key that is not there, and for null.
func (o configObject) take(key string) any {
	value := o.fields[key]
	delete(o.fields, key)
	return value
}

func (o configObject) done() {
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		o.reader.fail(failure.Newf(failure.Settings, "unknown key %s: remove it, or update vault-env", o.name(failure.Shorten(failure.OneLine(key), 60))))
	}
}

func (o configObject) child(key string) configObject {
	return o.reader.object(o.name(key), o.take(key))
}

// typed gives the value of a key, the zero value where there is none.
func typed[T any](o configObject, key, want string) T {
	taken := o.take(key)
	value, ok := taken.(T)
	if !ok && taken != nil {
		o.reader.fail(wrongType(o.name(key), taken, want))
	}
	return value
}

func (o configObject) text(key string) string { return typed[string](o, key, "a string") }
func (o configObject) bool(key string) bool   { return typed[bool](o, key, "true or false") }

// choice gives a value of true or false, and whether it is written out at all.
func (o configObject) choice(key string) (value, set bool) {
	set = o.fields[key] != nil
	return o.bool(key), set
}

func (o configObject) list(key string) []any { return typed[[]any](o, key, "a list") }

func (o configObject) texts(key string) []string {
	var texts []string
	for i, value := range o.list(key) {
		text, ok := value.(string)
		if !ok {
			o.reader.fail(wrongType(fmt.Sprintf("%s[%d]", o.name(key), i), value, "a string"))
		}
		texts = append(texts, text)
	}
	return texts
}

func (o configObject) whole(key string) int {
	const most = 1 << 31
	number := typed[float64](o, key, "a whole number")
	if number < 0 || number > most || number != float64(int(number)) {
		o.fail(key, "is not a whole number from 0: write one, or leave it out")
		return 0
	}
	return int(number)
}

func (o configObject) duration(key string, unset time.Duration, message string, fits func(time.Duration) bool) time.Duration {
	text := o.text(key)
	if text == "" {
		return unset
	}
	d, err := time.ParseDuration(text)
	if err != nil || !fits(d) {
		o.fail(key, message)
	}
	return d
}

func (o configObject) cleanPath(key, path string) string {
	clean, f := parsePath(o.name(key), path)
	if f != nil {
		o.reader.fail(f)
	}
	return clean
}

func wrongType(path string, value any, want string) *failure.Failure {
	got := "an object"
	switch value.(type) {
	case string:
		got = "a string"
	case float64:
		got = "a number"
	case bool:
		got = "true or false"
	case []any:
		got = "a list"
	case nil:
		got = "null"
	}
	if path == "" {
		path = "it"
	}
	return failure.Newf(failure.Settings, "%s holds %s: write %s", path, got, want)
}
