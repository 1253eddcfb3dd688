// Package templates reads and evaluates the templates of references: Go's text/template with ${ and } as delimiters,
// over the data of one secret, with the functions of Sprig less every one that reads what is not the secret's.
//
// It keeps two promises. A failure tells where a template failed and, unless a key is missing, not why, for the reason
// would quote the secret. And nothing here is touched by a start that has no template: the functions are put together
// when the first one is parsed.
package templates

import (
	"maps"
	"slices"
	"strings"
	"text/template"

	"vaultinjection.dev/vault-env/internal/failure"
)

// templateName stands in text/template's own messages; nobody sees it.
const templateName = "t"

// Parse returns the template of a text with ${…} expressions.
func Parse(text string) (*template.Template, *failure.Failure) {
	t, err := template.New(templateName).Delims("${", "}").Option("missingkey=error").Funcs(Functions()).Parse(text)
	if err != nil {
		// "template: t:1: function "env" not defined". What it quotes is the template's text, never a secret.
		message := strings.TrimPrefix(err.Error(), "template: "+templateName+":")
		return nil, failure.Newf(failure.Settings, "the template is wrong, line %s", failure.Shorten(failure.OneLine(message), 200))
	}
	return t, nil
}

// Evaluate returns what a template makes of a copy of a secret's data, for set and unset change what they are given.
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

// templateFailure says where a template failed. Why it failed is withheld where functions speak, for their errors
// quote their arguments, and these are secrets ("invalid syntax: hunter2"). A missing key is told, as it is a name in
// the template and not in the secret.
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
