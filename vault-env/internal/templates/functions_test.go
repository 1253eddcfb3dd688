package templates

import (
	"bytes"
	"encoding/json"
	"testing"
	"text/template"
)

func testData() map[string]any {
	return map[string]any{
		"list": []any{"a", "b", "c"}, "unsorted": []any{"c", "a", "b"}, "mixed": []any{"a", 1, nil, true},
		"map":    map[string]any{"k": "v", "n": []any{1.5, true, nil}},
		"number": json.Number("5432"),
	}
}

func apply(text string, functions template.FuncMap) (string, error) {
	t, err := template.New("").Funcs(functions).Parse(text)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.Execute(&b, testData())
	return b.String(), err
}

// Sprig does not have these, or they differ from Sprig on purpose.
func TestFunctionsThatDifferFromSprig(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`keys (dict "b" 1 "a" 2) (dict "c" 1)`, "[a b c]"},
		{`values (dict "b" 1 "a" 2)`, "[2 1]"},
		{`date "2006-01-02 15:04 MST" 0`, "1970-01-01 00:00 UTC"},
		{`date "2006-01-02" .number`, "1970-01-01"},
		{`htmlDate 86400`, "1970-01-02"},
		{`date_modify "1h" (toDate "2006" "2020") | unixEpoch`, "1577840400"},
		{`must_date_modify "1h" (toDate "2006" "2020") | unixEpoch`, "1577840400"},
		{`(fromJson "{\"n\":1000000}").n`, "1000000"}, // Sprig: 1e+06
		{`fromJson "12345678901234567891"`, "12345678901234567891"},
		{`fromJson "0.12345678901234567891"`, "0.12345678901234567891"},
		{`fromJson "1e400"`, "1e400"},
		{`fromJson "9007199254740993"`, "9007199254740993"},
		{`fromJson "[1000000,12345678901234567891,1e400]" | toJson`, "[1000000,12345678901234567891,1e400]"},
		{`add (fromJson "9007199254740993") 0`, "9007199254740993"}, // Sprig: 9007199254740992
		{`printf "%d" (fromJson "9007199254740993")`, "9007199254740993"},
		{`printf "%s" (fromJson "9007199254740993")`, "9007199254740993"},
		{`printf "%.1f" (fromJson "9007199254740993")`, "9007199254740992.0"},
		{`if fromJson "12345678901234567891"}}y{{end`, "y"},
		{`typeOf (fromJson "12345678901234567891")`, "float64"},
		{`kindOf (fromJson "12345678901234567891")`, "float64"},
		{`print (fromJson "0.00000001")`, "1e-08"},
		{`regexMatch "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" uuidv4`, "true"},
		{`duration 95`, "1m35s"}, // Sprig: 0s, as a literal is an int
		{`ago now`, "0s"},
	} {
		if got, err := apply("{{"+c.expression+"}}", Functions()); err != nil || got != c.want {
			t.Errorf("%s = %q, %v; want %q", c.expression, got, err, c.want)
		}
	}
	for _, expression := range []string{
		`b64dec "no base64!"`, `b32dec "1"`, `fromJson "{"`, `fromJson "1 2"`, `mustFromJson ""`, `fail "on purpose"`, `regexFind "(" "a"`,
		`div 1 0`, `mod 1 0`, `first 5`, `append "a" 1`, `slice .list 2 9`, `chunk 0 .list`, `dig "a" (dict)`, `dig "k" "x" "d" .map`, `has 1 2`,
		`dateInZone "2006" 0 "Europe/Berlin"`, `date "2006" "yesterday"`, `ago "x"`, `toDate "2006" "x"`, `dateModify "x" now`, `urlParse ":"`, `set nil "a" 1`, `randInt 5 5`,
	} {
		if got, err := apply("{{"+expression+"}}", Functions()); err == nil {
			t.Errorf("%s = %q; want an error", expression, got)
		}
	}
}
