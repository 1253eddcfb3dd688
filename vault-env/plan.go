package main

import (
	"errors"
	"strconv"
	"strings"
	"text/template"

	"vaultinjection.dev/vault-env/reference"
)

// readKey names one read of Vault. Whatever refers to the same path and version shares one answer.
type readKey struct {
	path    string
	version string
}

// variable is one entry of the container's environment.
type variable struct {
	entry     string
	name      string
	value     reference.Value
	templates []*template.Template // one for each reference of value, nil where it takes a key
}

// plan is everything that is to be done, known before Vault is asked for anything.
type plan struct {
	settings  *settings
	variables []variable
	reads     []readKey        // distinct, in the order in which they are first wanted
	wantedBy  map[readKey]want // for messages
	login     bool             // the program gets the login token
}

type want struct {
	name  string
	count int
}

// newPlan parses every reference and every template and checks the paths, so that a mistake in one is told before
// anybody logs in.
func newPlan(env environment, s *settings) (*plan, *failure) {
	p := &plan{settings: s, variables: make([]variable, 0, len(env)), wantedBy: map[readKey]want{}}
	for _, entry := range env {
		v, f := p.variable(entry)
		if f != nil {
			return nil, f
		}
		p.variables = append(p.variables, v)
	}
	for i, from := range s.fromPaths {
		name := "fromPaths[" + strconv.Itoa(i) + "]"
		if f := p.wantPath(name, readKey{from.path, from.version}); f != nil {
			return nil, f
		}
	}
	return p, nil
}

func (p *plan) variable(entry string) (variable, *failure) {
	name, value, _ := strings.Cut(entry, "=")
	v := variable{entry: entry, name: name}
	if name == configVariable {
		return v, nil
	}
	var err error
	if v.value, err = reference.Parse(name, value); err != nil {
		return v, referenceFailure(name, err)
	}
	for _, r := range v.value.References {
		t, f := p.want(name, r)
		if f != nil {
			return v, f
		}
		v.templates = append(v.templates, t)
	}
	return v, nil
}

func referenceFailure(name string, err error) *failure {
	var fault *reference.Error
	if errors.As(err, &fault) {
		return failf(exitSettings, "%s: malformed reference at column %d: %s", name, fault.Column, fault.Message)
	}
	return failf(exitSettings, "%s: malformed reference", name)
}

func (p *plan) want(name string, r reference.Reference) (*template.Template, *failure) {
	switch r.Kind {
	case reference.Login:
		p.login = true
		return nil, nil
	case reference.Write:
		return nil, failf(exitSettings, "%s: writes (>>vault:) are not supported yet: read with vault:PATH#KEY", name)
	case reference.Transit:
		return nil, failf(exitSettings, "%s: transit ciphertexts (vault:vN:) are not supported yet: read with vault:PATH#KEY", name)
	}
	if f := p.wantPath(name, readKey{r.Path, r.Version}); f != nil {
		return nil, f
	}
	if r.Template == "" {
		return nil, nil
	}
	t, f := parseTemplate(r.Template)
	if f != nil {
		return nil, f.under(name)
	}
	return t, nil
}

func (p *plan) wantPath(name string, key readKey) *failure {
	if !isAllowed(key.path, p.settings.allowedPaths) {
		return failf(exitSettings, "%s: the policy's allowedPaths do not allow %s", name, quoteName(key.path))
	}
	w, known := p.wantedBy[key]
	if !known {
		p.reads = append(p.reads, key)
		w.name = name
	}
	w.count++
	p.wantedBy[key] = w
	return nil
}

// nothing says that no token is needed, so there is no reason to speak to Vault at all.
func (p *plan) nothing() bool { return len(p.reads) == 0 && !p.login }

// label names in a message who wants a read.
func (p *plan) label(key readKey) string {
	w := p.wantedBy[key]
	if w.count > 1 {
		return w.name + " (and " + strconv.Itoa(w.count-1) + " more)"
	}
	return w.name
}

// answers is what Vault gave for a plan: nil in secrets stands for a path where there is nothing.
type answers struct {
	token      string
	tokenLease lease // zero where the token was given
	secrets    map[readKey]*secret
	leases     []lease // what was borrowed with the token
}

// environment puts the answers in place of the references. It parses nothing of what Vault gave.
func (p *plan) environment(a *answers, log *logger) ([]string, *failure) {
	b := newEnvironmentBuilder(p.settings, p.login, log, len(p.variables))
	for i := range p.variables {
		v := &p.variables[i]
		if !v.value.Refers {
			b.keep(v.entry)
			continue
		}
		value, present, f := v.resolve(a)
		if f != nil {
			return nil, f.under(v.name)
		}
		if !present {
			log.warn(v.name + " is left out: there is no secret at its path, and missing ones are ignored")
			continue
		}
		if f := b.resolved(v.name, value); f != nil {
			return nil, f
		}
	}
	for _, from := range p.settings.fromPaths {
		if f := addPath(b, from, a.secrets[readKey{from.path, from.version}], log); f != nil {
			return nil, f
		}
	}
	return b.entries, nil
}

func addPath(b *environmentBuilder, from fromPath, s *secret, log *logger) *failure {
	if s == nil {
		log.warn("fromPaths: there is no secret at " + quoteName(from.path) + ", and missing ones are ignored")
		return nil
	}
	for _, key := range s.keys() {
		value, f := s.text(key)
		if f != nil {
			return f.under("fromPaths: " + from.path)
		}
		if f := b.add(from, key, value); f != nil {
			return f
		}
	}
	return nil
}

// resolve gives the variable's value, and false where it is not to be set: its only reference is to a secret that is
// not there. In a text around it, such a reference becomes empty.
func (v *variable) resolve(a *answers) (string, bool, *failure) {
	resolved := make([]string, len(v.value.References))
	for i, r := range v.value.References {
		if r.Kind == reference.Login {
			resolved[i] = a.token
			continue
		}
		s := a.secrets[readKey{r.Path, r.Version}]
		if s == nil {
			if !v.value.Inline {
				return "", false, nil
			}
			continue
		}
		var f *failure
		if t := v.templates[i]; t != nil {
			resolved[i], f = evaluate(t, s.data)
		} else {
			resolved[i], f = s.text(r.Key)
		}
		if f != nil {
			return "", false, f.under(r.Path)
		}
	}
	return v.value.Join(resolved), true, nil
}
