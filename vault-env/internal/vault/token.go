package vault

import "strings"

// Token is the token that vault-env uses, with what is known about it.
type Token struct {
	Value string
	Own   bool  // vault-env logged in for it
	Lease Lease // zero if it was given
	// Unlimited is true if Vault has said that the number of its uses is not limited.
	Unlimited bool
}

// IssuedToken returns the token in the answer to a login.
func IssuedToken(auth *Auth) Token {
	return Token{
		Value:     auth.ClientToken,
		Own:       true,
		Lease:     TokenLease(auth),
		Unlimited: auth.NumUses != nil && *auth.NumUses == 0,
	}
}

// Revocation is which tokens are revoked before the program starts. A token that leases depend on is never revoked.
type Revocation int

// The revocations. The zero value is the default if the setting is omitted.
const (
	RevokeOwn   Revocation = iota // one that vault-env logged in for
	RevokeNever                   // none
	RevokeAny                     // one that was given, too
)

// Revocable returns whether the settings allow revoking the token. Batch tokens cannot be revoked.
func (t Token) Revocable(r Revocation) bool {
	return (r == RevokeAny || t.Own && r == RevokeOwn) && !strings.HasPrefix(t.Value, "hvb.")
}
