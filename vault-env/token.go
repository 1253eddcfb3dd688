package main

import "strings"

// token is what vault-env speaks to Vault with, and what is known of it.
type token struct {
	value string
	own   bool  // vault-env logged in for it
	lease lease // zero where it was given
}

// revocation says which tokens are revoked before the program starts. A token that leases depend on never is.
type revocation int

const (
	revokeOwn   revocation = iota // one that vault-env logged in for
	revokeNever                   // none
	revokeAny                     // one that was given to it, too
)

// revocable returns whether the settings let the token be revoked. Tokens of type batch cannot be.
func (t token) revocable(r revocation) bool {
	return (r == revokeAny || t.own && r == revokeOwn) && !strings.HasPrefix(t.value, "hvb.")
}
