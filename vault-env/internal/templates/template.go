// Package templates parses and evaluates the templates in references: Go's text/template with ${ and } as delimiters,
// over the data of one secret, with the functions of Sprig except those that read anything other than the secret.
//
// It keeps two promises. A failure reports where a template failed but, unless a key is missing, not why, because the
// reason would quote the secret. And a start without templates does not pay for them: the functions are assembled when
// the first template is parsed.
package templates

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/template"

	"vaultinjection.dev/vault-env/internal/failure"
)

// templateName appears in text/template's own messages, and is removed from ours. No template that is defined within has
// it by chance.
const templateName = "reference"

// Template is a parsed template.
type Template struct {
	parsed    *template.Template
	rewritten rewriter
	functions template.FuncMap
}

// allFunctions returns what all templates share.
var allFunctions = sync.OnceValue(Functions)

// Parse returns the template for a text with ${…} expressions.
func Parse(text string) (*Template, *failure.Failure) {
	functions := allFunctions()
	t, err := template.New(templateName).Delims("${", "}").Funcs(functions).Parse(text)
	if err != nil {
		// "template: t:1: function "env" not defined". It quotes the template's text, never a secret.
		message := strings.TrimPrefix(err.Error(), "template: "+templateName+":")
		return nil, failure.Newf(failure.Settings, "the template is invalid, line %s", failure.Shorten(failure.OneLine(message), 200))
	}
	parsed := &Template{parsed: t, rewritten: rewriter{used: map[string]bool{}}, functions: functions}
	for _, one := range t.Templates() {
		parsed.rewritten.template(one)
	}
	return parsed, nil
}

// WithTime returns a context for all templates of a start: it ends when the time that they have together is over.
func WithTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, maxTime, errTooSlow)
}

// Evaluate evaluates a template with a copy of a secret's data, because set and unset change their arguments. It uses
// bounded memory, whatever the template. It leaves a template alone that is not finished when the context ends: vault-env
// ends then. The failure is failure.Cancelled, unless the context is over because of WithTime.
func Evaluate(ctx context.Context, t *Template, data map[string]any) (string, *failure.Failure) {
	if ctx.Err() != nil {
		return "", endFailure(ctx)
	}
	type result struct {
		text string
		f    *failure.Failure
	}
	done := make(chan result, 1)
	go func() {
		text, f := t.execute(data)
		done <- result{text, f}
	}()
	select {
	case r := <-done:
		return r.text, r.f
	case <-ctx.Done():
		return "", endFailure(ctx)
	}
}

func endFailure(ctx context.Context) *failure.Failure {
	var limit errLimit
	if errors.As(context.Cause(ctx), &limit) {
		return limitFailure(limit)
	}
	return failure.Cancelled
}

func (t *Template) execute(data map[string]any) (text string, f *failure.Failure) {
	defer func() { // text/template lets some panics of its own through
		if recover() != nil {
			f = failure.Newf(failure.Data, "the template failed: check it against the secret's keys")
		}
	}()
	var out output
	t.parsed.Funcs(t.rewritten.functions(t.functions, newBudget()))
	if err := t.parsed.Execute(&out, copyValue(data)); err != nil {
		return "", templateFailure(err)
	}
	return out.String(), nil
}

func limitFailure(limit errLimit) *failure.Failure {
	return failure.Newf(failure.Data, "the template failed: %s", string(limit))
}

// templateFailure returns a failure that says where a template failed. It omits the reason, because functions quote
// their arguments in errors, and these are secrets ("invalid syntax: hunter2"). What is missing and what is too much is
// reported: that quotes nothing.
func templateFailure(err error) *failure.Failure {
	var limit errLimit
	if errors.As(err, &limit) {
		return limitFailure(limit)
	}
	message := err.Error()
	_, message, _ = strings.Cut(message, "at <")
	where, why, found := strings.Cut(message, ">: ")
	if !found {
		return failure.Newf(failure.Data, "the template failed: check it against the secret's keys")
	}
	where = strings.ReplaceAll(where, " | "+madeName, "")
	var missing errMissing
	if errors.As(err, &missing) && missing != "" {
		where = string(missing)
	}
	where = "${" + failure.Shorten(failure.OneLine(where), 60) + "}"
	if errors.As(err, &missing) || strings.HasPrefix(why, "invalid value; expected ") || strings.HasPrefix(why, "nil data; no entry for key") {
		return failure.Newf(failure.Missing, "the template's %s names a key that the secret does not have: check the key, read another version, or write | default \"TEXT\"", where)
	}
	return failure.Newf(failure.Data, "the template failed at %s: check it against the secret's keys", where)
}

func copyValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		c := maps.Clone(value)
		for k, v := range c {
			c[k] = copyValue(v)
		}
		return c
	case []any:
		c := slices.Clone(value)
		for i, v := range c {
			c[i] = copyValue(v)
		}
		return c
	}
	return value
}
