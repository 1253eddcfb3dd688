package resolve

import (
	"context"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/templates"
	"vaultinjection.dev/vault-env/internal/vault"
)

// answers holds Vault's answers to a plan. What is missing, and may be, is nil in secrets and absent from plaintexts.
type answers struct {
	token      vault.Token
	secrets    map[vault.Request]*vault.Secret
	plaintexts map[string]string // by ciphertext
	leases     []vault.Lease     // of secrets read with the token
	identity   *vault.Identity   // whose token reaches Vault; nil if that has not been asked
	revoking   *vault.Revoking   // nil if the token is not revoked
	client     *vault.Client     // with an open connection
}

// text returns what a reference resolves to, and false if that is missing. The context is that of the templates.
func (a *answers) text(ctx context.Context, r reference.Reference, t *templates.Template) (text string, present bool, f *failure.Failure) {
	switch r.Kind {
	case reference.Login:
		return a.token.Value, true, nil
	case reference.Transit:
		text, present = a.plaintexts[r.Ciphertext]
		return text, present, nil
	}
	s := a.secrets[keyOf(r)]
	switch {
	case s == nil:
		return "", false, nil
	case t != nil:
		text, f = templates.Evaluate(ctx, t, s.Data)
	default:
		text, f = s.Text(r.Key)
	}
	if f != nil {
		return "", false, f.Under(r.Path)
	}
	return text, true, nil
}
