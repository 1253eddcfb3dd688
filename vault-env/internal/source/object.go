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

// Object is one JSON object. Every key is taken out of it once; keys that are left in the end are unknown.
//
// The JSON is decoded into maps, not into a struct: for a struct of this size, reflection would take a tenth of the
// time of every start.
type Object struct {
	first  *first
	path   string
	fields map[string]any
}

// Parse returns the object in a text. It fails if the text is not JSON. If the JSON is not an object, that is kept as
// the first failure, like every failure found later.
func Parse(text string) (Object, *failure.Failure) {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return Object{}, failure.Newf(failure.Settings, "invalid JSON at byte %d: write one JSON object", syntax.Offset)
		}
		return Object{}, failure.Newf(failure.Settings, "invalid JSON: write one JSON object")
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

// Failure returns the first failure in the whole text.
func (o Object) Failure() *failure.Failure { return o.first.failure }

// Keep keeps a failure, if it is the first.
func (o Object) Keep(f *failure.Failure) { o.first.keep(f) }

// Fail keeps a failure with a message about a key: what is wrong, and what to write.
func (o Object) Fail(key, message string) {
	o.first.keep(failure.Newf(failure.Settings, "%s %s", o.Name(key), message))
}

// Name returns the full name of a key, such as vault.address.
func (o Object) Name(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// take removes a key and returns its value, which is nil if the key is missing or null.
func (o Object) take(key string) any {
	value := o.fields[key]
	delete(o.fields, key)
	return value
}

// Done keeps a failure for the keys that were not taken.
func (o Object) Done() {
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		o.first.keep(failure.Newf(failure.Settings, "unknown key %s: remove it, or update vault-env", o.Name(failure.Shorten(failure.OneLine(key), 60))))
	}
}

// Child returns the object of a key, or an empty one if there is none.
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

// typed returns the value of a key, or the zero value if there is none.
func typed[T any](o Object, key, want string) T {
	taken := o.take(key)
	value, ok := taken.(T)
	if !ok && taken != nil {
		o.first.keep(wrongType(o.Name(key), taken, want))
	}
	return value
}

// Text returns a string, or an empty one if there is none.
func (o Object) Text(key string) string { return typed[string](o, key, "a string") }

// Bool returns true or false, or unset if there is no value.
func (o Object) Bool(key string, unset bool) bool {
	if o.fields[key] == nil {
		o.take(key)
		return unset
	}
	return typed[bool](o, key, "true or false")
}

// IsSet returns whether a key that has not been taken has a value.
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

// TextsByName returns an object whose keys all have a list of strings.
func (o Object) TextsByName(key string) map[string][]string {
	all := map[string][]string{}
	lists := o.Child(key)
	for _, name := range slices.Sorted(maps.Keys(lists.fields)) {
		all[name] = lists.Texts(name)
	}
	return all
}

// Whole returns a whole number from 0, or 0 if there is none.
func (o Object) Whole(key string) int {
	const most = 1 << 31
	number := typed[float64](o, key, "a whole number")
	if number < 0 || number > most || number != float64(int(number)) {
		o.Fail(key, "is not a whole number from 0: write one, or omit it")
		return 0
	}
	return int(number)
}

// Duration returns a duration, or unset if there is none. message describes a value that is malformed or does not fit.
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

// Path returns a path in Vault, cleaned by the function Path.
func (o Object) Path(key string) string { return o.Clean(key, o.Text(key)) }

// Clean returns the value of a key that has been taken, cleaned by the function Path.
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
		got = "a boolean"
	case []any:
		got = "a list"
	case nil:
		got = "null"
	}
	if path == "" {
		path = "it"
	}
	return failure.Newf(failure.Settings, "%s is %s: write %s", path, got, want)
}
