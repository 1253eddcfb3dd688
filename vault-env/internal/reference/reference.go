// Package reference parses the references to Vault in the value of an environment variable.
//
// A value is one of three things. It may contain no reference, and stays as it is. It may be one reference from its
// first byte to its last ("vault:secret/data/db#password"). Or it may be text with any number of inline references
// ("postgres://${vault:secret/data/db#user}:${vault:secret/data/db#password}@db"); then everything around them is
// literal text, even if it begins like a reference. A "$" in front of a reference makes it text, and is removed:
// "$${vault:a#b}" is the text "${vault:a#b}", and "$vault:a#b", as the whole value, the text "vault:a#b".
//
//	vault:PATH#KEY[#VERSION]             read PATH, take KEY
//	vault:PATH#TEMPLATE[#VERSION]        read PATH, evaluate TEMPLATE (text with ${…} expressions) over its data
//	>>vault:PATH#KEY_OR_TEMPLATE[#JSON]  write the JSON object (default {}) to PATH, take KEY or TEMPLATE of the answer
//	vault:vN:CIPHERTEXT                  decrypt with the transit engine
//	vault:login                          in the variable VAULT_TOKEN alone: the token that vault-env uses itself
//
// "#" outside of template expressions is always a separator. White space around PATH, KEY, VERSION and CIPHERTEXT is
// ignored, so a reference may span lines. Without a "#", only a path with a slash is a malformed reference: anything else
// that begins with "vault:", such as the tag of an image or a host and a port, is ordinary text.
//
// The admission webhook implements the same grammar in TypeScript; both are tested with testdata/references.json. This
// package only parses text: it does no I/O and knows nothing about Vault's answers.
package reference

import "strings"

// Kind is how to resolve a reference.
type Kind string

// The kinds of references, named as in the shared table of cases.
const (
	Read    Kind = "Read"
	Write   Kind = "Write"
	Transit Kind = "Transit"
	Login   Kind = "Login"
)

// Reference is one reference. Which fields are set depends on its Kind: Path and one of Key and Template for Read
// and Write, Version for Read, Body for Write, Ciphertext for Transit, nothing for Login.
type Reference struct {
	Kind       Kind   `json:"kind"`
	Path       string `json:"path,omitempty"` // without leading, trailing and double slashes
	Key        string `json:"key,omitempty"`
	Version    string `json:"version,omitempty"` // decimal digits; empty: the latest
	Template   string `json:"template,omitempty"`
	Body       string `json:"body,omitempty"` // a JSON object; empty: {}
	Ciphertext string `json:"ciphertext,omitempty"`
	Start      int    `json:"start"` // byte offset of the reference in the value, including "${" if it is inline
	End        int    `json:"end"`   // byte offset after it, including its "}"
}

// Value is what Parse found in a value. The zero Value means that there is nothing to do.
type Value struct {
	// Refers is true if vault-env has something to do: resolve references, or replace escapes.
	Refers bool
	// Inline is true if there is literal text, with references or an escape, and false if one reference is the whole value.
	Inline     bool
	References []Reference
	literals   []string // of an inline value: the text before, between and after the references, with escapes replaced
}

// Join returns the value's literal text with the resolved references, one string for each of v.References, in place.
func (v Value) Join(resolved []string) string {
	if !v.Inline {
		return strings.Join(resolved, "")
	}
	var b strings.Builder
	for i, literal := range v.literals {
		b.WriteString(literal)
		if i < len(v.References) {
			b.WriteString(resolved[i])
		}
	}
	return b.String()
}

// Error is a malformed reference. Its text says what to write instead, and contains no part of the value.
type Error struct {
	Message string
	Column  int // 1-based, in characters
}

// Error returns the message without the column, which callers add where they want it.
func (e *Error) Error() string { return e.Message }
