// Package sprigtest compares the functions of package templates with Sprig itself. It is a separate module, so that the
// product has no dependencies: neither its go.mod nor a scan of its executable lists Sprig.
package sprigtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"vaultinjection.dev/vault-env/internal/templates"
)

// withheld are Sprig's functions that templates do not have, as listed in docs/reference/vault-env.md.
var withheld = []string{
	"bcrypt", "buildCustomCert", "decryptAES", "derivePassword", "encryptAES", "env",
	"expandenv", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey", "getHostByName", "htpasswd", "semver",
	"semverCompare", "shuffle",
}

func TestFunctionsAreSprigsExceptTheWithheld(t *testing.T) {
	want := sprig.TxtFuncMap()
	for _, name := range []string{"html", "js", "print", "printf", "println", "urlquery"} { // text/template's own
		want[name] = nil
	}
	for _, name := range withheld {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is withheld, but Sprig does not have it", name)
		}
		delete(want, name)
	}
	got := slices.Sorted(maps.Keys(templates.Functions()))
	if all := slices.Sorted(maps.Keys(want)); !slices.Equal(got, all) {
		t.Errorf("functions\n got %v\nwant %v", got, all)
	}
}

// Each expression is evaluated with our functions and with Sprig's, over the same data: the results must be equal.
var sameAsSprig = []string{
	`trim "  a b \n"`, `trimAll "$" "$5.00$"`, `trimall "$" "$5.00$"`, `trimSuffix "-" "a-"`, `trimPrefix "-" "-a"`,
	`upper "aé"`, `lower "AÉ"`, `title "hello wOrld-x it's a_b 3d été"`, `untitle "Hello World-X"`, `swapcase "aBc Dé"`,
	`nospace " a b\tc\n"`, `initials "First Try  again"`, `initials ""`, `repeat 3 "ab"`,
	`substr 0 5 "hello world"`, `substr -1 3 "hello"`, `substr 2 -1 "hello"`, `substr 2 99 "hello"`,
	`trunc 3 "hello"`, `trunc -3 "hello"`, `trunc 9 "hello"`, `trunc -9 "hello"`,
	`abbrev 5 "hello world"`, `abbrev 3 "hello"`, `abbrev 20 "hello"`,
	`contains "ell" "hello"`, `hasPrefix "he" "hello"`, `hasSuffix "lo" "hello"`, `replace "l" "L" "hello"`,
	`quote "a\"b" 1 nil true`, `squote "a" 1 nil true`, `cat "a" 1 nil true .list`, `indent 2 "a\nb"`, `nindent 2 "a\nb"`,
	`plural "one" "many" 1`, `plural "one" "many" 2`, `toString 5`, `toString .list`, `toStrings .list`, `toStrings "a"`,
	`toStrings nil`, `join "-" .list`, `join "-" "a"`, `join "," .mixed`, `split "$" "a$b$c"`, `(split "$" "a$b$c")._1`,
	`splitn "$" 2 "a$b$c"`, `splitList "$" "a$b"`, `sortAlpha .unsorted`, `sortAlpha "x"`,
	`b64enc "hé"`, `b64dec "aMOp"`, `b32enc "he"`, `b32dec "NBSQ===="`,
	`sha1sum "a"`, `sha256sum "a"`, `sha512sum "a"`, `adler32sum "a"`,
	`toJson .map`, `toJson "a<b"`, `toRawJson "a<b"`, `toPrettyJson .map`, `mustToJson .map`, `mustToRawJson .map`,
	`mustToPrettyJson .map`, `(fromJson "{\"a\":[1,true,null]}").a`, `(mustFromJson "[\"x\"]")`,
	`urlParse "https://u:p@h.example:8/p/q?x=1#f"`, `urlParse "mailto:a@b"`,
	`urlJoin (urlParse "https://u:p@h.example:8/p/q?x=1#f")`, `urlJoin (dict "scheme" "http" "host" "h")`,
	`default "d" ""`, `default "d" "v"`, `default "d" 0`, `default "d" nil`, `"" | default "d"`, `default "d" false`,
	`empty 0`, `empty "a"`, `empty .list`, `empty (list)`, `empty nil`, `empty (dict)`, `coalesce 0 "" "a" "b"`, `coalesce ""`,
	`all 1 "a"`, `all 1 ""`, `all`, `any 0 ""`, `any 0 "a"`, `ternary "y" "n" true`, `ternary "y" "n" false`,
	`typeOf "a"`, `typeOf .list`, `typeIs "string" "a"`, `typeIsLike "string" "a"`, `kindOf 1`, `kindOf .map`, `kindIs "slice" .list`,
	`deepEqual .list .list`, `deepEqual .list .unsorted`, `deepCopy .map`, `mustDeepCopy .list`,
	`base "/a/b.c"`, `dir "/a/b.c"`, `clean "/a/../b"`, `ext "a.b"`, `isAbs "/a"`,
	`osBase "/a/b.c"`, `osDir "/a/b.c"`, `osClean "/a/../b"`, `osExt "a.b"`, `osIsAbs "a"`,
	`atoi "5"`, `atoi "x"`, `int "5"`, `int "5.0"`, `int "5.7"`, `int 5.7`, `int true`, `int nil`, `int64 "0x10"`, `int64 "x"`,
	`int64 "010"`, `int64 ""`, `float64 "1.5"`, `float64 "x"`, `float64 2`, `toDecimal "0777"`, `toDecimal 644`, `toDecimal "x"`,
	`add1 1`, `add 1 "2" 3.9`, `add`, `sub 3 1`, `mul 2 3 4`, `div 7 2`, `mod 7 2`, `max 1 5 3`, `biggest 1 5 3`, `min 4 1 3`,
	`add1f 1.5`, `addf 0.1 0.2`, `subf 0.3 0.1 0.1`, `mulf 1.1 1.1`, `divf 10 4 2`, `maxf 1.5 2.5`, `minf 1.5 2.5`,
	`ceil 1.2`, `floor 1.8`, `floor "1.8"`, `round 123.5555 3`, `round 123.5555 3 .9`, `round 2.5 0`,
	`seq 5`, `seq -3`, `seq 0 2`, `seq 2 -2`, `seq 0 2 10`, `seq 0 -2 -5`, `seq`, `seq 5 1 2`,
	`until 3`, `until -3`, `until 0`, `untilStep 0 10 3`, `untilStep 5 0 -2`, `untilStep 0 5 -1`,
	`list 1 2`, `tuple 1 2`, `append .list "z"`, `push .list "z"`, `mustAppend .list "z"`, `mustPush .list "z"`,
	`prepend .list "z"`, `mustPrepend .list "z"`, `first .list`, `mustFirst .list`, `first (list)`, `last .list`, `mustLast .list`,
	`rest .list`, `mustRest .list`, `initial .list`, `mustInitial .list`, `reverse .list`, `mustReverse .list`, `.list`,
	`compact (list 1 "" 0 "a")`, `mustCompact (list 1 "")`, `uniq (list 1 1 2 1)`, `mustUniq .list`,
	`without .list "a" "c"`, `mustWithout .list "b"`, `has "a" .list`, `mustHas "x" .list`, `has "x" nil`,
	`slice .list 1`, `slice .list 0 2`, `mustSlice .list 1 2`, `slice .list`, `chunk 2 .list`, `mustChunk 3 .list`, `chunk 5 .list`,
	`concat .list (list 1 2)`, `dict "a" 1 "b"`, `get .map "k"`, `get .map "absent"`, `set (dict) "a" 1`, `unset (dict "a" 1 "b" 2) "a"`,
	`hasKey .map "k"`, `hasKey .map "x"`, `keys (dict "k" 1)`, `values (dict "k" 1)`, `pluck "k" .map (dict "k" 2) (dict)`,
	`pick .map "k" "x"`, `omit .map "k"`, `merge (dict "a" 1 "n" (dict "x" 1)) (dict "a" 2 "b" 3 "n" (dict "x" 9 "y" 2))`,
	`mergeOverwrite (dict "a" 1 "n" (dict "x" 1)) (dict "a" 2 "b" 3 "n" (dict "x" 9 "y" 2))`,
	`mustMerge (dict "a" "") (dict "a" 2)`, `mustMergeOverwrite (dict "a" 1) (dict "a" "" "b" "")`,
	`dig "n" "x" "d" (dict "n" (dict "x" 1))`, `dig "n" "y" "d" (dict "n" (dict "x" 1))`,
	`regexMatch "^a+$" "aa"`, `mustRegexMatch "b" "aa"`, `regexFind "a." "xab"`, `mustRegexFind "a." "xab"`,
	`regexFindAll "a." "abacad" 2`, `mustRegexFindAll "a." "abacad" -1`, `regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W"`,
	`mustRegexReplaceAll "a(x*)b" "-ab-axxb-" "$1W"`, `regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}"`,
	`mustRegexReplaceAllLiteral "b" "abc" "$"`, `regexSplit "z+" "pizza" -1`, `mustRegexSplit "z" "pizza" 2`, `regexQuoteMeta "1.2*"`,
	`dateInZone "2006-01-02 15:04" 86400 "UTC"`, `date_in_zone "2006" 0 "UTC"`, `htmlDateInZone 86400 "UTC"`,
	`unixEpoch (toDate "2006-01-02 MST" "2020-01-02 UTC")`, `unixEpoch (mustToDate "2006-01-02 MST" "2020-01-02 UTC")`,
	`unixEpoch (dateModify "-1h" (toDate "2006-01-02 MST" "2020-01-02 UTC"))`,
	`unixEpoch (mustDateModify "1h" (mustToDate "2006-01-02 MST" "2020-01-02 UTC"))`,
	`duration "95"`, `durationRound "2h10m5s"`, `durationRound "-49h"`, `durationRound "1s"`, `durationRound "40000h"`,
	`len (randAlpha 7)`, `len (randAlphaNum 7)`, `len (randNumeric 7)`, `len (randAscii 7)`, `len (randBytes 6)`, `len uuidv4`,
	`wrap 5 "to be or not to be"`, `wrapWith 5 "|" "antidisestablish a"`, `abbrevboth 5 10 "1234 5678 9123"`, `hello`,
	`camelcase "http_server"`, `kebabcase "HTTPServer"`, `snakecase "FirstName"`,
	// the numbers of fromJson
	`fromJson "5"`, `fromJson "5.5"`, `fromJson "-0.25"`, `fromJson "0.1"`, `fromJson "100000"`, `fromJson "0"`, `fromJson "1.50"`, `fromJson "1e3"`,
	`add (fromJson "5") 1`, `sub (fromJson "5.9") 1`, `mul (fromJson "5") (fromJson "2")`, `div (fromJson "7") 2`, `mod (fromJson "7") 2`,
	`addf (fromJson "0.1") (fromJson "0.2")`, `mulf (fromJson "1.1") 2`, `max (fromJson "5") 7`, `floor (fromJson "5.5")`, `round (fromJson "5.555") 2`,
	`int (fromJson "5.9")`, `int64 (fromJson "5")`, `float64 (fromJson "5.5")`, `toString (fromJson "5.5")`, `quote (fromJson "5.5")`, `toJson (fromJson "[5,5.5,0]")`,
	`eq (fromJson "5") 5.0`, `eq (fromJson "5") (fromJson "5.0")`, `ne (fromJson "5") 6.0`, `lt (fromJson "5") 10.0`, `gt (fromJson "5") (fromJson "10")`, `le (fromJson "0.1") 0.1`,
	`if fromJson "0"}}y{{else}}n{{end`, `if fromJson "0.0"}}y{{else}}n{{end`, `if fromJson "5"}}y{{else}}n{{end`, `default "d" (fromJson "0")`, `not (fromJson "0")`, `empty (fromJson "0")`,
	`and (fromJson "0") "x"`, `or (fromJson "0") "x"`, `coalesce (fromJson "0") "x"`, `ternary "y" "n" (gt (fromJson "2") 1.0)`,
	`printf "%v" (fromJson "5.5")`, `printf "%.2f" (fromJson "5")`, `printf "%5.1f|" (fromJson "5")`, `printf "%g" (fromJson "5")`, `printf "%e" (fromJson "5")`, `printf "%d" (int (fromJson "5"))`,
	`typeOf (fromJson "5")`, `kindOf (fromJson "5")`, `typeIs "float64" (fromJson "5")`, `kindIs "float64" (fromJson "5")`, `deepEqual (fromJson "[5]") (fromJson "[5.0]")`, `deepEqual (fromJson "5") 5.0`,
	`has 5.0 (fromJson "[5]")`, `uniq (fromJson "[5,5.0,6]")`, `without (fromJson "[5,6]") 5.0`, `range fromJson "[1,2]"}}{{.}},{{end`, `join "-" (fromJson "[1,2.5]")`, `sortAlpha (fromJson "[2,1]")`,
	`randInt 5 6`, `.number`, `add .number 1`, `addf .number 0.5`, `int .number`, `toJson .number`, `printf "%s" .number`, `eq .number "5432"`,
}

func testData() map[string]any {
	return map[string]any{
		"list": []any{"a", "b", "c"}, "unsorted": []any{"c", "a", "b"}, "mixed": []any{"a", 1, nil, true},
		"map":    map[string]any{"k": "v", "n": []any{1.5, true, nil}},
		"number": json.Number("5432"),
	}
}

func TestFunctionsAgreeWithSprig(t *testing.T) {
	t.Setenv("TZ", "UTC")
	for _, expression := range sameAsSprig {
		text := "{{" + expression + "}}"
		got, err := apply(text, templates.Functions())
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		want, err := apply(text, sprig.TxtFuncMap())
		if err != nil {
			t.Errorf("%s: Sprig fails: %v", expression, err)
			continue
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", expression, got, want)
		}
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

func TestEveryFunctionIsTested(t *testing.T) {
	tested := strings.Join(sameAsSprig, " ") + " print println html js urlquery date htmlDate date_modify must_date_modify ago now fail randAscii"
	for name := range templates.Functions() {
		if !regexp.MustCompile(fmt.Sprintf(`\b%s\b`, name)).MatchString(tested) {
			t.Errorf("%s is in no test", name)
		}
	}
}

func TestTheReferencePageListsTheWithheld(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/reference/vault-env.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range withheld {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s is not in docs/reference/vault-env.md", name)
		}
	}
}

// Names as people write them: words of a few kinds, with a connector or a capital letter between them.
func TestNamesAreConvertedAsBySprig(t *testing.T) {
	words := []string{"db", "Db", "DB", "user", "UserName", "userName", "HTTPServer", "http2xx", "HTTP20xOK", "v1", "V2", "2fa", "x", "X", "aB", "Bld4Floor3rd", "Duration2m3s", "42", "é", "É"}
	names := slices.Clone(words)
	for _, a := range words {
		for _, b := range words {
			for _, connector := range []string{"_", "-", " ", ""} {
				names = append(names, a+connector+b, a+connector+b+connector+"id")
			}
		}
	}
	ours, sprigs := templates.Functions(), sprig.TxtFuncMap()
	for _, function := range []string{"snakecase", "kebabcase", "camelcase"} {
		got, want := ours[function].(func(string) string), sprigs[function].(func(string) string)
		for _, name := range names {
			if got(name) != want(name) {
				t.Errorf("%s %q = %q; Sprig: %q", function, name, got(name), want(name))
			}
		}
	}
}

func TestTextIsWrappedAndAbbreviatedAsBySprig(t *testing.T) {
	ours, sprigs := templates.Functions(), sprig.TxtFuncMap()
	for _, text := range []string{"", "a", "to be or not to be", "  to  be ", "antidisestablishmentarianism", "one antidisestablishmentarianism two", "é à ü long enough text"} {
		for width := range 20 {
			if got, want := ours["wrap"].(func(int, string) string)(width, text), sprigs["wrap"].(func(int, string) string)(width, text); got != want {
				t.Errorf("wrap %d %q = %q; Sprig: %q", width, text, got, want)
			}
			for _, end := range []string{"", "|", "\r\n"} {
				if got, want := ours["wrapWith"].(func(int, string, string) string)(width, end, text), sprigs["wrapWith"].(func(int, string, string) string)(width, end, text); got != want {
					t.Errorf("wrapWith %d %q %q = %q; Sprig: %q", width, end, text, got, want)
				}
			}
			for offset := -2; offset < 30; offset++ {
				if got, want := ours["abbrevboth"].(func(int, int, string) string)(offset, width, text), sprigs["abbrevboth"].(func(int, int, string) string)(offset, width, text); got != want {
					t.Errorf("abbrevboth %d %d %q = %q; Sprig: %q", offset, width, text, got, want)
				}
			}
		}
	}
}

// differences are the expressions whose results differ on purpose. docs/reference/vault-env.md has them as a table.
var differences = []struct{ expression, ours, sprigs string }{
	{`fromJson "1000000"`, "1000000", "1e+06"},
	{`fromJson "12345678901234567891"`, "12345678901234567891", "1.2345678901234567e+19"},
	{`add (fromJson "9007199254740993") 0`, "9007199254740993", "9007199254740992"},
	{`fromJson "{"`, "fails", "<no value>"},
	{`b64dec "no base64!"`, "fails", "illegal base64 data at input byte 2"},
	{`toDate "2006" "x" | unixEpoch`, "fails", "-62135596800"},
	{`duration 95`, "1m35s", "0s"},
	{`keys (dict "b" 1 "a" 2)`, "[a b]", ""},
	{`toString nil`, "fails", "<nil>"},
	{`print nil`, "fails", "<nil>"},
	{`camelcase "_a__b"`, "AB", "_A_B"},
	{`until 70000 | len`, "fails", "70000"},
}

func TestDifferencesFromSprig(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/reference/vault-env.md")
	if err != nil {
		t.Fatal(err)
	}
	result := func(functions template.FuncMap, expression string) string {
		text, err := apply("{{"+expression+"}}", functions)
		if err != nil {
			return "fails"
		}
		return text
	}
	for _, d := range differences {
		if got := result(templates.Functions(), d.expression); got != d.ours {
			t.Errorf("%s = %q; want %q", d.expression, got, d.ours)
		}
		if got := result(sprig.TxtFuncMap(), d.expression); d.sprigs != "" && got != d.sprigs { // "" is any order
			t.Errorf("%s: Sprig says %q; want %q", d.expression, got, d.sprigs)
		}
		if !strings.Contains(string(page), "| `"+strings.ReplaceAll(d.expression, "|", `\|`)+"` ") {
			t.Errorf("%s is not in docs/reference/vault-env.md", d.expression)
		}
	}
}
