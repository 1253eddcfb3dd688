package templates

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"vaultinjection.dev/vault-env/internal/failure"
)

// evaluated returns the text of a template, or its failure.
func evaluated(t *testing.T, text, data string) (string, *failure.Failure) {
	t.Helper()
	parsed, f := Parse(text)
	if f != nil {
		t.Fatalf("%s: %s", text, f.Message)
	}
	var secret map[string]any
	d := json.NewDecoder(strings.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&secret); err != nil {
		t.Fatal(err)
	}
	return Evaluate(t.Context(), parsed, secret) // however slow the machine is
}

// The author of a template must not use up memory or time, or end vault-env in another way than by a failure.
func TestTemplatesAreBounded(t *testing.T) {
	double := `${$v := list "x" "x"}` + strings.Repeat(`${$v = list $v $v}`, 40)
	for name, c := range map[string]struct {
		text  string
		limit errLimit
	}{
		"a value in itself, printed":        {`${$_ := set . "a" .}${.}`, errTooNested},
		"a value in itself, as JSON":        {`${$_ := set . "a" .}${toJson .}`, errTooNested},
		"a value in itself, copied":         {`${$_ := set . "a" .}${$c := deepCopy .}`, errTooNested},
		"a value in itself, compared":       {`${$_ := set . "a" .}${if deepEqual . .}${end}`, errTooNested},
		"a value in itself, printf":         {`${$_ := set . "a" .}${printf "%v" .}`, errTooNested},
		"a value in itself, print":          {`${$_ := set . "a" .}${print .}`, errTooNested},
		"a value in itself, urlquery":       {`${$_ := set . "a" .}${urlquery .}`, errTooNested},
		"a value in itself, html":           {`${$_ := set . "a" .}${html .}`, errTooNested},
		"a value in itself, js":             {`${$_ := set . "a" .}${js .}`, errTooNested},
		"a value in itself, quote":          {`${$_ := set . "a" .}${quote .}`, errTooNested},
		"a value in itself, by merge":       {`${$_ := merge .m (dict "n" (dict "m" .m))}${.m}`, errTooNested},
		"a value in itself, through a list": {`${$_ := set . "a" (list .)}${. | toString}`, errTooNested},
		"a value in itself, piped":          {`${set . "a" . | len}`, ""},
		"values that are in a value often":  {double + `${$v}`, errTooMuch},
		"such values as JSON":               {double + `${toJson $v}`, errTooMuch},
		"such values, joined":               {double + `${join "" $v}`, errTooMuch},
		"such values, cut":                  {double + `${$x := concat $v $v}`, errTooMuch},
		"a text, repeated":                  {`${repeat 1000000000 "a"}`, errTooLong},
		"a text, repeated beyond numbers":   {`${repeat 9223372036854775807 "ab"}`, errTooLong},
		"a text, indented":                  {`${indent 1000000000 "a"}`, errTooLong},
		"a text, indented after a line":     {`${nindent 1000000000 "a"}`, errTooLong},
		"a text that is replaced by long":   {`${replace "a" (repeat 100000 "b") (repeat 100000 "a")}`, errTooLong},
		"the same by expressions":           {`${regexReplaceAll "a" (repeat 100000 "a") (repeat 100000 "b")}`, errTooLong},
		"the same, literally":               {`${regexReplaceAllLiteral "a" (repeat 100000 "a") (repeat 100000 "b")}`, errTooLong},
		"groups that are long":              {`${regexReplaceAll "a+" (repeat 100000 "a") (repeat 100000 "$0")}`, errTooLong},
		"a list, joined by long":            {`${join (repeat 100000 "b") (until 60000)}`, errTooLong},
		"a text in parts":                   {`${splitList "" (repeat 100000 "a")}`, errTooMany},
		"a text in numbered parts":          {`${split "" (repeat 100000 "a")}`, errTooMany},
		"a text in so many parts":           {`${splitn "" 70000 (repeat 100000 "a")}`, errTooMany},
		"numbers":                           {`${until 1000000000}`, errTooMany},
		"numbers below zero":                {`${until -1000000000}`, errTooMany},
		"numbers in steps":                  {`${untilStep 0 9223372036854775807 1}`, errTooMany},
		"steps beyond numbers":              {`${untilStep 0 9223372036854775807 9223372036854775806}`, ""},
		"a sequence":                        {`${seq 1000000000}`, errTooMany},
		"random text":                       {`${randAlpha 1000000000}`, errTooMany},
		"random bytes":                      {`${randBytes 1000000000}`, errTooMany},
		"decimals":                          {`${mulf` + strings.Repeat(" 1e300", 3000) + `}`, errTooLong},
		"a loop over a number":              {`${range 1000000000}${end}`, errTooMuch},
		"loops in loops":                    {`${range until 60000}${range until 60000}${end}${end}`, errTooMuch},
		"loops that print":                  {`${range 60000}` + strings.Repeat("a", 20) + `${end}`, errTooLong},
		"output":                            {`${range 100}${repeat 20000 "a"}${end}`, errTooLong},
		"a template in itself":              {`${define "t"}${template "t" .}${end}${template "t" .}`, errTooDeep},
		"templates in each other":           {`${define "a"}${template "b" .}${end}${define "b"}${template "a" .}${end}${template "a" .}`, errTooDeep},
		"templates that branch":             {`${define "t"}${if gt . 0}${template "t" (sub . 1 | int)}${template "t" (sub . 1 | int)}${end}${end}${template "t" 60}`, errTooMuch},
		"a template to a depth":             {`${define "t"}${if gt . 0}a${template "t" (sub . 1 | int)}${end}${end}${template "t" 90}`, ""},
		"the text of functions":             {`${$x := ""}${range until 100}${$x = repeat 100000 "a"}${end}`, errTooLong},
		"padding":                           {`${range until 100}${$x := printf "%1000000d" 1}${end}`, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := evaluated(t, c.text, `{"m":{"n":{}}}`)
			if c.limit == "" {
				if f != nil {
					t.Fatal(f.Message)
				}
				return
			}
			if f == nil || f.Message != limitFailure(c.limit).Message || f.Status != failure.Data {
				t.Fatalf("%v; want %q", f, c.limit)
			}
		})
	}
}

func TestATemplateThatTakesTooLongIsLeftAlone(t *testing.T) {
	parsed, f := Parse(`${.a}`)
	if f != nil {
		t.Fatal(f)
	}
	waits := make(chan struct{})
	defer close(waits)
	parsed.rewritten.used["wait"] = true
	parsed.parsed.Root.Nodes = append(parsed.parsed.Root.Nodes, action("wait"))
	parsed.functions = maps.Clone(parsed.functions)
	for cause, want := range map[error]*failure.Failure{errTooSlow: limitFailure(errTooSlow), context.Canceled: failure.Cancelled} {
		ctx, cancel := context.WithCancelCause(t.Context())
		parsed.functions["wait"] = func() string { cancel(cause); <-waits; return "" }
		for _, when := range []string{"while it runs", "before it"} {
			if _, f := Evaluate(ctx, parsed, map[string]any{"a": "b"}); f == nil || *f != *want {
				t.Errorf("%v, %s: %v; want %v", cause, when, f, want)
			}
		}
	}
}

// A missing key fails only where its value would be printed, as Sprig's functions are used.
func TestMissingKeys(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`${.absent | default "d"}`, "d"}, {`${default "d" .absent}`, "d"}, {`${default "d" .a}`, "v"}, {`${default "d" .null}`, "d"},
		{`${coalesce .absent .null .a}`, "v"}, {`${coalesce .absent "x"}`, "x"},
		{`${if .absent}y${else}n${end}`, "n"}, {`${with .absent}y${else}n${end}`, "n"}, {`${range .absent}y${else}n${end}`, "n"},
		{`${or .absent "x"}`, "x"}, {`${if and .a .absent}y${else}n${end}`, "n"}, {`${if not .absent}y${end}`, "y"},
		{`${hasKey . "absent"}`, "false"}, {`${ternary "y" "n" (hasKey . "absent")}`, "n"}, {`${ternary .absent "n" false}`, "n"},
		{`${empty .absent}`, "true"}, {`${.deep.absent | default "d"}`, "d"}, {`${.absent.deeper.still | default "d"}`, "d"},
		{`${$x := .absent}${$x | default "d"}`, "d"}, {`${quote .absent}`, ""}, {`${cat "a" .absent}`, "a"}, {`${toJson .absent}`, "null"},
		{`${dig "absent" "d" .}`, "d"}, {`${get . "absent"}`, ""}, {`${kindOf .absent}`, "invalid"}, {`${if eq .absent nil}y${end}`, "y"},
		{`${any .absent .a}`, "true"}, {`${join "," (list .absent "x")}`, "x"}, {`${index . "absent" | default "d"}`, "d"}, {`${if .empty}y${else}n${end}`, "n"},
	} {
		if got, f := evaluated(t, c.text, `{"a":"v","null":null,"empty":"","deep":{"x":1}}`); f != nil || got != c.want {
			t.Errorf("%s = %q, %v; want %q", c.text, got, f, c.want)
		}
	}
	for text, where := range map[string]string{
		`${.absent}`: "${.absent}", `a ${.deep.absent} b`: "${.deep.absent}", `${index . "absent"}`: `${index . "absent"}`, `${$x := .absent}${$x}`: "${$x}",
		`${.null}`: "${.null}", `${coalesce .absent .null}`: "${coalesce .absent .null}", `${print .absent}`: "", `${printf "%v" .absent}`: "", `${println "a" .absent}`: "",
		`${urlquery .absent}`: "", `${html .absent}`: "", `${js .absent}`: "", `${.absent | b64enc}`: "", `${upper .absent}`: "", `${toString .absent}`: "",
		`${.absent.deeper}`: "${.absent.deeper}", `${if .a}${.absent}${end}`: "${.absent}", `${define "t"}${.absent}${end}${template "t" .}`: "${.absent}",
	} {
		_, f := evaluated(t, text, `{"a":"v","null":null,"deep":{"x":1}}`)
		if f == nil || f.Status != failure.Missing || !strings.Contains(f.Message, where) || strings.Contains(f.Message, "_print") {
			t.Errorf("%s: %v", text, f)
		}
	}
}
