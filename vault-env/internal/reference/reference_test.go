package reference

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// row is one case of the table that this parser shares with the admission webhook's.
type row struct {
	Name       string
	Variable   string
	Value      string
	Refers     bool
	Error      string
	Column     int
	References []Reference
}

func table(t testing.TB) []row {
	t.Helper()
	b, err := os.ReadFile("../../testdata/references.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestParseSharedTable(t *testing.T) {
	for _, row := range table(t) {
		t.Run(row.Name, func(t *testing.T) {
			v, err := Parse(row.Variable, row.Value)
			if row.Error != "" {
				var fault *Error
				if !errors.As(err, &fault) {
					t.Fatalf("Parse(%q) = %+v, %v; want the error %q", row.Value, v.References, err, row.Error)
				}
				if fault.Message != row.Error || fault.Column != row.Column {
					t.Fatalf("Parse(%q):\n got %d: %s\nwant %d: %s", row.Value, fault.Column, fault.Message, row.Column, row.Error)
				}
				return
			}
			if err != nil {
				t.Fatalf("Parse(%q): %v", row.Value, err)
			}
			if v.Refers != row.Refers {
				t.Errorf("Parse(%q).Refers = %v", row.Value, v.Refers)
			}
			if len(v.References)+len(row.References) > 0 && !reflect.DeepEqual(v.References, row.References) {
				t.Errorf("Parse(%q):\n got %+v\nwant %+v", row.Value, v.References, row.References)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"vault:a#b", "<1>"},
		{"${vault:a#b}", "<1>"},
		{"x ${vault:a#b} y ${vault:a#${.c}}}", "x <1> y <2>}"},
		{"$${vault:a#b}", "${vault:a#b}"},
		{"$$${vault:a#b}", "$${vault:a#b}"},
		{"$${>>vault:a#b}${vault:a#b}", "${>>vault:a#b}<1>"},
		{"${vault:a#b}$${vault:a#b}$${HOME}", "<1>${vault:a#b}$${HOME}"},
		{"$${vault:${vault:a#b}}", "${vault:<1>}"},
		{"vault:p#k $${vault:q#j}", "vault:p#k ${vault:q#j}"},
		{"é${vault:a#b}漢", "é<1>漢"},
		{"${vault:none}-${vault:a#b}", "${vault:none}-<1>"},
		{"$${vault:none}", "${vault:none}"},
		{"$vault:a#b", "vault:a#b"},
		{"$$vault:a#b", "$vault:a#b"},
		{"$>>vault:a#b#{}", ">>vault:a#b#{}"},
		{"$vault:a/b", "vault:a/b"},
		{"$vault:a#b ${vault:a#b}", "$vault:a#b <1>"},
	} {
		v, err := Parse("X", c.value)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.value, err)
			continue
		}
		if got := v.Join(numbered(v)); got != c.want {
			t.Errorf("Join of %q = %q; want %q", c.value, got, c.want)
		}
	}
}

func numbered(v Value) []string {
	var resolved []string
	for i := range v.References {
		resolved = append(resolved, fmt.Sprintf("<%d>", i+1))
	}
	return resolved
}

// Without a policy, an empty version and -1 are the latest one; with one, they are malformed.
func TestParseForBankVaults(t *testing.T) {
	for _, value := range []string{"vault:a#b#", "vault:a#b#-1", "vault:a#b# -1 ", "x ${vault:a#b#} y", "${vault:a#b#-1}", "vault:a#${.b}#-1"} {
		v, err := ParseForBankVaults("X", value)
		if err != nil || len(v.References) != 1 || v.References[0].Version != "" || v.References[0].Path != "a" {
			t.Errorf("ParseForBankVaults(%q) = %+v, %v", value, v, err)
		}
		if _, err := Parse("X", value); err == nil {
			t.Errorf("Parse(%q) accepts the version", value)
		}
	}
	for _, value := range []string{"vault:a#b#-2", "vault:a#b#latest", "vault:a#b##", "vault:a#b#-1#2", "${vault:a#b#x}", ">>vault:a#b#"} {
		if _, err := ParseForBankVaults("X", value); err == nil {
			t.Errorf("ParseForBankVaults(%q) accepts the version", value)
		}
	}
	for _, row := range table(t) {
		v, err := Parse(row.Variable, row.Value)
		if err != nil {
			continue
		}
		if other, err := ParseForBankVaults(row.Variable, row.Value); err != nil || !reflect.DeepEqual(v, other) {
			t.Errorf("ParseForBankVaults(%q) = %+v, %v; Parse: %+v", row.Value, other, err, v)
		}
	}
}

func TestColumnCountsCharacters(t *testing.T) {
	_, err := Parse("X", "é漢 ${vault:p/q}")
	var fault *Error
	if !errors.As(err, &fault) || fault.Column != 15 {
		t.Fatalf("got %v, %+v", err, fault)
	}
}

// Joining must restore the value: no text is lost or duplicated, and no references overlap.
func FuzzParse(f *testing.F) {
	for _, row := range table(f) {
		f.Add(row.Variable, row.Value)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		v, err := Parse(name, value)
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Column < 1 || fault.Column > len(value)+1 || strings.ContainsAny(fault.Message, "\n\r") {
				t.Fatalf("Parse(%q): bad error %+v", value, err)
			}
			return
		}
		if !v.Refers {
			if len(v.References) > 0 || v.Inline {
				t.Fatalf("Parse(%q) finds no reference, but returns %+v", value, v)
			}
			return
		}
		end := 0
		var sources []string
		for _, r := range v.References {
			if r.Start < end || r.End <= r.Start || r.End > len(value) {
				t.Fatalf("Parse(%q): reference at %d to %d after %d", value, r.Start, r.End, end)
			}
			end = r.End
			sources = append(sources, value[r.Start:r.End])
			checkFields(t, value, r)
		}
		if !v.Inline {
			if len(sources) != 1 || sources[0] != value {
				t.Fatalf("Parse(%q) is whole, but returns %q", value, sources)
			}
			return
		}
		want := unescapeOutside(value, v.References)
		if want == value && len(sources) == 0 { // no inline escape: the whole value is one
			want = strings.TrimPrefix(value, "$")
		}
		if got := v.Join(sources); got != want {
			t.Fatalf("Join of %q = %q; want %q", value, got, want)
		}
	})
}

// unescapeOutside implements the escape rule differently from the parser: it replaces in the text between references.
func unescapeOutside(value string, references []Reference) string {
	replace := strings.NewReplacer("$${vault:", "${vault:", "$${>vault:", "${>vault:", "$${>>vault:", "${>>vault:").Replace
	var b strings.Builder
	at := 0
	for _, r := range references {
		b.WriteString(replace(value[at:r.Start]))
		b.WriteString(value[r.Start:r.End])
		at = r.End
	}
	b.WriteString(replace(value[at:]))
	return b.String()
}

func checkFields(t *testing.T, value string, r Reference) {
	t.Helper()
	switch r.Kind {
	case Login:
	case Transit:
		if !strings.HasPrefix(r.Ciphertext, "vault:v") {
			t.Fatalf("Parse(%q): ciphertext %q", value, r.Ciphertext)
		}
	case Read, Write:
		if r.Path == "" || strings.Contains(r.Path, "//") || (r.Key == "") == (r.Template == "") {
			t.Fatalf("Parse(%q): %+v", value, r)
		}
		for _, segment := range strings.Split(r.Path, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("Parse(%q): path %q", value, r.Path)
			}
		}
		if r.Body != "" && !json.Valid([]byte(r.Body)) {
			t.Fatalf("Parse(%q): body %q", value, r.Body)
		}
	default:
		t.Fatalf("Parse(%q): kind %q", value, r.Kind)
	}
}
