package vault

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Secret is the data at a path: the inner data in KV version 2, and the answer's data in every other engine.
type Secret struct {
	Data  map[string]any
	Lease Lease // zero if there is none
}

// Keys returns the names in a secret, sorted.
func (s *Secret) Keys() []string { return slices.Sorted(maps.Keys(s.Data)) }

// Text returns the value of a key as a string.
func (s *Secret) Text(key string) (string, *failure.Failure) {
	value, ok := s.Data[key]
	if !ok {
		return "", failure.Newf(failure.Missing, "the secret has no key %s: check the key, or read another version", failure.QuoteName(key))
	}
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool:
		return strconv.FormatBool(value), nil
	case nil: // as Bank-Vaults
		return "", nil
	}
	return "", failure.Newf(failure.Data, "the key %s holds %s, not a string: write a template like vault:PATH#${.KEY | toJson}", failure.QuoteName(key), jsonKind(value))
}

func jsonKind(value any) string {
	if _, ok := value.([]any); ok {
		return "a list"
	}
	return "an object"
}

// kvVersion is one version of a KV version 2 secret.
type kvVersion struct {
	data      map[string]any // nil: deleted or destroyed
	version   string
	deleted   string // when, as Vault formats it
	destroyed bool
}

// asKVVersion returns the version in an answer from KV version 2, and false if the data merely has a field called
// "data": version 2 returns "data", an object or null, next to "metadata" with the version's number and creation time.
func asKVVersion(data map[string]any) (kvVersion, bool) {
	inner, hasData := data["data"]
	metadata, hasMetadata := data["metadata"].(map[string]any)
	if !hasData || !hasMetadata {
		return kvVersion{}, false
	}
	number, isNumber := metadata["version"].(json.Number)
	_, isCreated := metadata["created_time"].(string)
	if !isNumber || !isCreated {
		return kvVersion{}, false
	}
	v := kvVersion{version: number.String()}
	v.deleted, _ = metadata["deletion_time"].(string)
	v.destroyed, _ = metadata["destroyed"].(bool)
	if inner == nil {
		return v, true
	}
	var isObject bool
	v.data, isObject = inner.(map[string]any)
	return v, isObject
}

// asSecret returns the secret of an answer's data.
func asSecret(data map[string]any) (*Secret, *failure.Failure) {
	v, versioned := asKVVersion(data)
	if !versioned {
		return &Secret{Data: data}, nil
	}
	if v.data != nil {
		return &Secret{Data: v.data}, nil
	}
	version := "version " + failure.Shorten(failure.OneLine(v.version), 20)
	switch {
	case v.destroyed:
		return nil, failure.Newf(failure.Missing, "%s was destroyed: write the secret again, or refer to another version", version)
	case v.deleted != "":
		return nil, failure.Newf(failure.Missing, "%s was deleted at %s: undelete it, or refer to another version", version, failure.Shorten(failure.OneLine(v.deleted), 40))
	}
	return nil, failure.Newf(failure.Missing, "%s holds no data: write the secret again, or refer to another version", version)
}
