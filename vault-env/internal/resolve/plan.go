package resolve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/reference"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/templates"
	"vaultinjection.dev/vault-env/internal/vault"
)

// variable is one entry of the container's environment.
type variable struct {
	entry     string
	name      string
	value     reference.Value
	templates []*templates.Template // one for each reference of value, nil if it names a key
}

// plan is everything to request from Vault, known before the first request.
type plan struct {
	settings  *settings.Settings
	variables []variable
	reads     []vault.Request        // distinct, in the order of their first use
	decrypts  []string               // distinct ciphertexts, in the same order
	readBy    map[vault.Request]want // for messages
	decryptBy map[string]want        // for messages
	login     bool                   // the program gets the login token
	templates bool                   // a reference has a template
	text      []string               // names of variables whose references are not permitted
}

// want names who needs something: the first variable that does, and how many do.
type want struct {
	name  string
	count int
}

// String returns the name, and how many others there are.
func (w want) String() string {
	if w.count > 1 {
		return w.name + " (and " + strconv.Itoa(w.count-1) + " more)"
	}
	return w.name
}

// noteWant records that name needs key, and returns whether it is the first to need it.
func noteWant[K comparable](by map[K]want, key K, name string) bool {
	w, known := by[key]
	if !known {
		w.name = name
	}
	w.count++
	by[key] = w
	return !known
}

// newPlan parses every reference and every template and checks the paths, so that mistakes are reported before the
// login.
func newPlan(env environment.Variables, s *settings.Settings) (*plan, *failure.Failure) {
	p := &plan{settings: s, variables: make([]variable, 0, len(env)), readBy: map[vault.Request]want{}, decryptBy: map[string]want{}}
	for _, entry := range env {
		v, f := p.variable(entry)
		if f != nil {
			return nil, f
		}
		p.variables = append(p.variables, v)
	}
	for i, from := range s.FromPaths {
		name := "fromPaths[" + strconv.Itoa(i) + "]"
		if f := p.wantPath(name, keyOfPath(from)); f != nil {
			return nil, f
		}
	}
	return p, nil
}

func (p *plan) variable(entry string) (variable, *failure.Failure) {
	name, value, _ := strings.Cut(entry, "=")
	v := variable{entry: entry, name: name}
	if name == environment.ConfigVariable {
		return v, nil
	}
	parse := reference.Parse
	if p.settings.Strip { // no policy speaks
		parse = reference.ParseForBankVaults
	}
	parsed, err := parse(name, value)
	if err == nil && !parsed.Refers || matchesAny(name, p.settings.Literals) {
		return v, nil
	}
	if !permits(p.settings.References, name, parsed, err) {
		p.text = append(p.text, name)
		return v, nil
	}
	if err != nil {
		return v, referenceFailure(name, err)
	}
	v.value = parsed
	for _, r := range v.value.References {
		t, f := p.want(name, r)
		if f != nil {
			return v, f
		}
		v.templates = append(v.templates, t)
	}
	return v, nil
}

func referenceFailure(name string, err error) *failure.Failure {
	var fault *reference.Error
	if errors.As(err, &fault) {
		return failure.Newf(failure.Settings, "%s: malformed reference at column %d: %s", name, fault.Column, fault.Message)
	}
	return failure.Newf(failure.Settings, "%s: malformed reference", name)
}

func (p *plan) want(name string, r reference.Reference) (*templates.Template, *failure.Failure) {
	switch r.Kind {
	case reference.Login:
		p.login = true
		return nil, nil
	case reference.Transit:
		return nil, p.wantPlaintext(name, r.Ciphertext)
	}
	if f := p.wantPath(name, keyOf(r)); f != nil {
		return nil, f
	}
	if r.Template == "" {
		return nil, nil
	}
	t, f := templates.Parse(r.Template)
	if f != nil {
		return nil, f.Under(name)
	}
	p.templates = true
	return t, nil
}

func (p *plan) wantPath(name string, key vault.Request) *failure.Failure {
	if key.Write && p.settings.BoundsWrites {
		if !matchesAny(key.Path, p.settings.Writes) {
			return failure.Newf(failure.Settings, "%s: the policy's environment.writes does not allow writing to %s", name, failure.QuoteName(key.Path))
		}
	} else if len(p.settings.AllowedPaths) > 0 && !matchesAny(key.Path, p.settings.AllowedPaths) {
		return failure.Newf(failure.Settings, "%s: the policy's allowedPaths do not allow %s", name, failure.QuoteName(key.Path))
	}
	if noteWant(p.readBy, key, name) {
		p.reads = append(p.reads, key)
	}
	return nil
}

func (p *plan) wantPlaintext(name, ciphertext string) *failure.Failure {
	if p.settings.Transit.KeyID == "" {
		return failure.Newf(failure.Settings, "%s: a transit ciphertext needs a key: set environment.transit.keyID (VAULT_TRANSIT_KEY_ID) to the name of the key that encrypted it", name)
	}
	if noteWant(p.decryptBy, ciphertext, name) {
		p.decrypts = append(p.decrypts, ciphertext)
	}
	return nil
}

// keyOf returns the request for a reference to a path.
func keyOf(r reference.Reference) vault.Request {
	if r.Kind != reference.Write {
		return vault.Request{Path: r.Path, Version: r.Version}
	}
	var body bytes.Buffer
	if r.Body == "" || json.Compact(&body, []byte(r.Body)) != nil {
		return vault.Request{Path: r.Path, Write: true, Body: "{}"}
	}
	return vault.Request{Path: r.Path, Write: true, Body: body.String()}
}

// keyOfPath returns the request for a secret of fromPaths.
func keyOfPath(from settings.FromPath) vault.Request {
	return vault.Request{Path: from.Path, Version: from.Version}
}

// wanted returns the name of who needs any of the ciphertexts, for messages.
func (p *plan) wanted(ciphertexts []string) string {
	all := p.decryptBy[ciphertexts[0]]
	for _, ciphertext := range ciphertexts[1:] {
		all.count += p.decryptBy[ciphertext].count
	}
	return all.String()
}

// nothing returns whether the plan needs no token, so that there is no reason to contact Vault.
func (p *plan) nothing() bool { return len(p.reads)+len(p.decrypts) == 0 && !p.login }

// environment returns the variables with the answers in place of the references. It does not parse anything that came
// from Vault.
func (p *plan) environment(ctx context.Context, a *answers, log *logging.Logger) ([]string, *failure.Failure) {
	if p.templates { // a timer costs a start 0.2 ms: Go starts its poller and a thread for it
		timed, cancel := templates.WithTime(ctx)
		defer cancel()
		ctx = timed
	}
	b := newEnvironmentBuilder(p.settings, p.login, log, len(p.variables))
	for i := range p.variables {
		v := &p.variables[i]
		if !v.value.Refers {
			b.keep(v.entry)
			continue
		}
		value, present, f := v.resolve(ctx, a)
		if f != nil {
			return nil, f.Under(v.name)
		}
		if !present {
			log.Warn(v.name + " is not set: Vault has nothing for its reference, and missing secrets are ignored")
			continue
		}
		if f := b.resolved(v.name, value); f != nil {
			return nil, f
		}
	}
	for _, from := range p.settings.FromPaths {
		if f := addPath(b, from, a.secrets[keyOfPath(from)], log); f != nil {
			return nil, f
		}
	}
	return b.entries, nil
}

func addPath(b *environmentBuilder, from settings.FromPath, s *vault.Secret, log *logging.Logger) *failure.Failure {
	if s == nil {
		log.Warn("fromPaths: Vault has no secret at " + failure.QuoteName(from.Path) + ", and missing secrets are ignored")
		return nil
	}
	var nested []string
	for _, key := range s.Keys() {
		value, f := s.Text(key)
		if f != nil { // an object or a list: one that nobody needs must not keep the program from starting
			nested = append(nested, failure.QuoteName(key))
			continue
		}
		if f := b.add(from, key, value); f != nil {
			return f
		}
	}
	if len(nested) > 0 {
		log.Warn(nestedSkipped(nested, from.Path))
	}
	return nil
}

// nestedSkipped returns the one warning about the keys of a path that hold no text.
func nestedSkipped(keys []string, path string) string {
	list := strings.Join(keys[:min(len(keys), maxToldNames)], ", ")
	if more := len(keys) - maxToldNames; more > 0 {
		list += " (and " + strconv.Itoa(more) + " more)"
	}
	return "fromPaths: of " + path + ", keys that hold an object or a list are skipped: " + list + "; to have one as JSON, set a variable to vault:PATH#${.KEY | toJson}"
}

// resolve returns the variable's value, and false if the variable is not set because its only reference is to something
// missing. An inline reference to something missing becomes empty.
func (v *variable) resolve(ctx context.Context, a *answers) (string, bool, *failure.Failure) {
	resolved := make([]string, len(v.value.References))
	for i, r := range v.value.References {
		text, present, f := a.text(ctx, r, v.templates[i])
		if f != nil {
			return "", false, f
		}
		if !present && !v.value.Inline {
			return "", false, nil
		}
		resolved[i] = text
	}
	return v.value.Join(resolved), true, nil
}
