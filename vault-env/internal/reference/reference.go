// Package reference finds and reads the references to Vault in the value of an environment variable.
//
// A value is one of three things. It may hold nothing for us, and is left alone. It may be one reference from its
// first byte to its last ("vault:secret/data/db#password"). Or it may be text with any number of inline references
// ("postgres://${vault:secret/data/db#user}:${vault:secret/data/db#password}@db"); then everything around them is
// literal text, even where it begins like a reference, and "$${vault:" stands for the literal "${vault:".
//
//	vault:PATH#KEY[#VERSION]             read PATH, take KEY
//	vault:PATH#TEMPLATE[#VERSION]        read PATH, evaluate TEMPLATE (text with ${…} expressions) over its data
//	>>vault:PATH#KEY_OR_TEMPLATE[#JSON]  write the JSON object (default {}) to PATH, take KEY or TEMPLATE of the answer
//	vault:vN:CIPHERTEXT                  decrypt with the transit engine
//	vault:login                          in the variable VAULT_TOKEN alone: the token that vault-env uses itself
//
// "#" outside of template expressions always separates. White space around PATH, KEY, VERSION and CIPHERTEXT
// does not count, so a reference may be broken over lines. "vault:8200", a host and a port, is ordinary text.
//
// The same grammar is implemented in TypeScript for the admission webhook; testdata/references.json holds both to it.
// This package reads text only: it does no I/O and knows nothing of Vault's answers.
package reference

import "strings"

// Kind says what has to be done to resolve a reference.
type Kind string

// The kinds of references, in the words of the shared table of cases.
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
	Start      int    `json:"start"` // byte offset of the reference in the value, with its "${" where it is inline
	End        int    `json:"end"`   // byte offset after it, with its "}"
}

// Value is what Parse found in a value. The zero Value holds nothing for vault-env.
type Value struct {
	// Refers is true where vault-env has something to do: resolve references, or take the escape out of the text.
	Refers bool
	// Inline is true where the references stand in literal text; false where one reference is the whole value.
	Inline     bool
	References []Reference
	literals   []string // of an inline value: the text before, between and after the references, escapes taken out
}

// Join puts the resolved references, one string for each of v.References, back into the value's literal text.
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

// Error is a malformed reference. Its text says what to write instead and holds nothing of the value itself.
type Error struct {
	Message string
	Column  int // 1-based, in characters
}

// Error returns the message alone: where to say the column is up to the caller.
func (e *Error) Error() string { return e.Message }
