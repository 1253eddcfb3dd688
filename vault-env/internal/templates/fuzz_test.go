package templates

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// No template breaks evaluation, and no failure reveals the secret.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"${.a}-${.b | b64enc}", "${. | toJson}", "My name is ${title .a}", "${range $k, $v := .}${$k}=${$v};${end}", "${.absent}", "${b64dec .a}",
		"${fail .a}", "${index .list 9}", "${template \"t\" .}", "${define \"t\"}${template \"t\" .}${end}${template \"t\" .}", "${printf \"%d\" .a}",
		"${/* } */}", "${- .a -}", "${`}`}", "${'}'}", "${call .a}", "${slice .a 5 2}", "${toDate .a .a}", "${dig .a .a .}", "${urlParse .a}",
		"${regexMatch .a .a}", "${repeat 3 .a}", "${int .a | until}", "${$_ := set . \"a\" 1}${.a}", "}", "${", "$${.a}", "${html .a}${js .a}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "0123456789") && len(text) > 40 {
			return // "repeat 999999999" only proves that memory is finite
		}
		for _, heavy := range []string{"repeat", "until", "seq", "indent", "rand", "fail", "range", "Unix", "chunk", "define", "block"} {
			if strings.Contains(text, heavy) {
				return
			}
		}
		parsed, fail := Parse(text)
		if fail != nil {
			return
		}
		data := map[string]any{"a": "hunter2(", "b": json.Number("7"), "list": []any{"hunter2("}, "n": map[string]any{"x": true}}
		before, _ := json.Marshal(data)
		_, fail = Evaluate(parsed, data)
		if fail != nil && strings.Contains(fail.Message, "hunter2(") && !strings.Contains(text, "hunter2") {
			t.Fatalf("%q: the failure reveals the secret: %s", text, fail.Message)
		}
		if after, _ := json.Marshal(data); !bytes.Equal(before, after) {
			t.Fatalf("%q changes the secret: %s", text, after)
		}
	})
}
