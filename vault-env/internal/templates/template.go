// Package templates parses and evaluates the templates in references: Go's text/template with ${ and } as delimiters,
// over the data of one secret, with the functions of Sprig except those that read anything other than the secret.
//
// It keeps two promises. A failure reports where a template failed but, unless a key is missing, not why, because the
// reason would quote the secret. And a start without templates does not pay for them: the functions are assembled when
// the first template is parsed.
package templates

import (
	"maps"
	"slices"
	"strings"
	"text/template"

	"vaultinjection.dev/vault-env/internal/failure"
)

// templateName appears in text/template's own messages, and is removed from ours.
const templateName = "t"

// Parse returns the template for a text with ${…} expressions.
func Parse(text string) (*template.Template, *failure.Failure) {
	t, err := template.New(templateName).Delims("${", "}").Option("missingkey=error").Funcs(Functions()).Parse(text)
	if err != nil {
		// "template: t:1: function "env" not defined". It quotes the template's text, never a secret.
		message := strings.TrimPrefix(err.Error(), "template: "+templateName+":")
		return nil, failure.Newf(failure.Settings, "the template is invalid, line %s", failure.Shorten(failure.OneLine(message), 200))
	}
	return t, nil
}

// Evaluate evaluates a template with a copy of a secret's data, because set and unset change their arguments.
func Evaluate(t *template.Template, data map[string]any) (text string, f *failure.Failure) {
	defer func() { // text/template lets some panics of its own through
		if recover() != nil {
			f = failure.Newf(failure.Data, "the template failed: check it against the secret's keys")
		}
	}()
	var out strings.Builder
	if err := t.Execute(&out, copyValue(data)); err != nil {
		return "", templateFailure(err)
	}
	return out.String(), nil
}

// templateFailure returns a failure that says where a template failed. It omits the reason, because functions quote
// their arguments in errors, and these are secrets ("invalid syntax: hunter2"). A missing key is reported: its name
// comes from the template, not from the secret.
func templateFailure(err error) *failure.Failure {
	message := err.Error()
	_, message, _ = strings.Cut(message, "at <")
	where, why, found := strings.Cut(message, ">: ")
	if !found {
		return failure.Newf(failure.Data, "the template failed: check it against the secret's keys")
	}
	where = "${" + failure.Shorten(failure.OneLine(where), 60) + "}"
	if strings.HasPrefix(why, `map has no entry for key "`) {
		return failure.Newf(failure.Missing, "the template's %s names a key that the secret does not have: check the key, or read another version", where)
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
