package templates

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// No template breaks evaluation or takes unbounded time or memory, and no failure reveals the secret.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"${.a}-${.b | b64enc}", "${. | toJson}", "My name is ${title .a}", "${range $k, $v := .}${$k}=${$v};${end}", "${.absent}", "${b64dec .a}",
		"${fail .a}", "${index .list 9}", "${template \"t\" .}", "${define \"t\"}${template \"t\" .}${end}${template \"t\" .}", "${printf \"%d\" .a}",
		"${/* } */}", "${- .a -}", "${`}`}", "${'}'}", "${call .a}", "${slice .a 5 2}", "${toDate .a .a}", "${dig .a .a .}", "${urlParse .a}",
		"${regexMatch .a .a}", "${repeat 3 .a}", "${int .a | until}", "${$_ := set . \"a\" 1}${.a}", "}", "${", "$${.a}", "${html .a}${js .a}",
		"${$_ := set . \"a\" .}${.}", "${$_ := set .n \"y\" .}${toJson .}", "${range until 9}${range 9}${.}${end}${end}", "${repeat 999999999 .a}", "${indent 9999999 .a}",
		"${define \"x\"}${template \"x\" .}${end}${template \"x\" .}", "${.absent | default .a}", "${(fromJson \"[1,1.50,12345678901234567890]\") | toJson}", "${snakecase .a}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, fail := Parse(text)
		if fail != nil {
			return
		}
		data := map[string]any{"a": "hunter2(", "b": json.Number("7"), "list": []any{"hunter2("}, "n": map[string]any{"x": true}}
		before, _ := json.Marshal(data)
		_, fail = Evaluate(t.Context(), parsed, data)
		if fail != nil && strings.Contains(fail.Message, "hunter2(") && !strings.Contains(text, "hunter2") {
			t.Fatalf("%q: the failure reveals the secret: %s", text, fail.Message)
		}
		if after, _ := json.Marshal(data); !bytes.Equal(before, after) {
			t.Fatalf("%q changes the secret: %s", text, after)
		}
	})
}
