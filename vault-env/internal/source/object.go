package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Object is one JSON object. Every key is taken out of it once; what is left in the end is unknown.
//
// The JSON is decoded into maps, not into a struct: what reflection prepares for a struct of the settings' size costs
// every start a tenth of its time.
type Object struct {
	first  *first
	path   string
	fields map[string]any
}

// Parse returns the object that a text holds. It fails where the text is not JSON; that it is something else than an
// object is kept as the first failure, as everything that is found later.
func Parse(text string) (Object, *failure.Failure) {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return Object{}, failure.Newf(failure.Settings, "not JSON at byte %d: write one JSON object", syntax.Offset)
		}
		return Object{}, failure.Newf(failure.Settings, "not JSON: write one JSON object")
	}
	return object(&first{}, "", value), nil
}

func object(kept *first, path string, value any) Object {
	fields, ok := value.(map[string]any)
	if !ok && value != nil {
		kept.keep(wrongType(path, value, "a JSON object"))
	}
	return Object{kept, path, fields}
}

// Failure returns the first failure of the whole text.
func (o Object) Failure() *failure.Failure { return o.first.failure }

// Keep keeps a failure, if it is the first.
func (o Object) Keep(f *failure.Failure) { o.first.keep(f) }

// Fail says what is wrong with a key, and what to write.
func (o Object) Fail(key, message string) {
	o.first.keep(failure.Newf(failure.Settings, "%s %s", o.Name(key), message))
}

// Name returns a key with those of the objects around it: vault.address.
func (o Object) Name(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// take returns nil for a key that is not there, and for null.
func (o Object) take(key string) any {
	value := o.fields[key]
	delete(o.fields, key)
	return value
}

// Done fails for the keys that nobody has taken.
func (o Object) Done() {
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		o.first.keep(failure.Newf(failure.Settings, "unknown key %s: remove it, or update vault-env", o.Name(failure.Shorten(failure.OneLine(key), 60))))
	}
}

// Child returns the object of a key, an empty one where there is none.
func (o Object) Child(key string) Object {
	return object(o.first, o.Name(key), o.take(key))
}

// Children returns the objects of a list.
func (o Object) Children(key string) []Object {
	var all []Object
	for i, value := range o.list(key) {
		all = append(all, object(o.first, fmt.Sprintf("%s[%d]", o.Name(key), i), value))
	}
	return all
}

// typed returns the value of a key, the zero value where there is none.
func typed[T any](o Object, key, want string) T {
	taken := o.take(key)
	value, ok := taken.(T)
	if !ok && taken != nil {
		o.first.keep(wrongType(o.Name(key), taken, want))
	}
	return value
}

// Text returns a string, empty where there is none.
func (o Object) Text(key string) string { return typed[string](o, key, "a string") }

// Bool returns true or false, and unset where it is not written out.
func (o Object) Bool(key string, unset bool) bool {
	if o.fields[key] == nil {
		o.take(key)
		return unset
	}
	return typed[bool](o, key, "true or false")
}

// IsSet returns whether a key that is not taken yet has a value.
func (o Object) IsSet(key string) bool { return o.fields[key] != nil }

func (o Object) list(key string) []any { return typed[[]any](o, key, "a list") }

// Texts returns a list of strings.
func (o Object) Texts(key string) []string {
	var texts []string
	for i, value := range o.list(key) {
		text, ok := value.(string)
		if !ok {
			o.first.keep(wrongType(fmt.Sprintf("%s[%d]", o.Name(key), i), value, "a string"))
		}
		texts = append(texts, text)
	}
	return texts
}

// Whole returns a whole number from 0, and 0 where there is none.
func (o Object) Whole(key string) int {
	const most = 1 << 31
	number := typed[float64](o, key, "a whole number")
	if number < 0 || number > most || number != float64(int(number)) {
		o.Fail(key, "is not a whole number from 0: write one, or leave it out")
		return 0
	}
	return int(number)
}

// Duration returns a duration, and unset where there is none. The message tells of one that does not fit.
func (o Object) Duration(key string, unset time.Duration, message string, fits func(time.Duration) bool) time.Duration {
	text := o.Text(key)
	if text == "" {
		return unset
	}
	d, err := time.ParseDuration(text)
	if err != nil || !fits(d) {
		o.Fail(key, message)
	}
	return d
}

// Path returns a path in Vault as Path cleans it.
func (o Object) Path(key string) string { return o.Clean(key, o.Text(key)) }

// Clean returns the value of a key that is taken already, as Path cleans it.
func (o Object) Clean(key, path string) string {
	clean, f := Path(o.Name(key), path)
	o.first.keep(f)
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
