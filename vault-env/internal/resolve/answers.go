package resolve

import (
	"text/template"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/templates"
	"vaultinjection.dev/vault-env/internal/vault"
)

// answers is what Vault has to say to a plan. What is missing, and may be, is nil in secrets and not in plaintexts.
type answers struct {
	token      vault.Token
	secrets    map[vault.Request]*vault.Secret
	plaintexts map[string]string // by ciphertext
	leases     []vault.Lease     // what was borrowed with the token
	revoking   *vault.Revoking   // nil where the token is not to be revoked
	client     *vault.Client     // with a connection that is open
}

// text returns what stands for a reference, and false where there is nothing.
func (a *answers) text(r reference.Reference, t *template.Template) (text string, present bool, f *failure.Failure) {
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
		text, f = templates.Evaluate(t, s.Data)
	default:
		text, f = s.Text(r.Key)
	}
	if f != nil {
		return "", false, f.Under(r.Path)
	}
	return text, true, nil
}
