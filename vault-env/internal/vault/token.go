package vault

import "strings"

// Token is what vault-env speaks to Vault with, and what is known of it.
type Token struct {
	Value string
	Own   bool  // vault-env logged in for it
	Lease Lease // zero where it was given
}

// Revocation says which tokens are revoked before the program starts. A token that leases depend on never is.
type Revocation int

// The revocations. The zero value is that of a setting that is left out.
const (
	RevokeOwn   Revocation = iota // one that vault-env logged in for
	RevokeNever                   // none
	RevokeAny                     // one that was given to it, too
)

// Revocable returns whether the settings let the token be revoked. Tokens of type batch cannot be.
func (t Token) Revocable(r Revocation) bool {
	return (r == RevokeAny || t.Own && r == RevokeOwn) && !strings.HasPrefix(t.Value, "hvb.")
}
