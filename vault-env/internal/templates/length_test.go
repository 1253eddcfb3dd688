package templates

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// What would be too much is refused before it is made.
func TestTemplatesAllocateLittle(t *testing.T) {
	const megabyte = `${$s := repeat 1000000 "<"}`
	often := func(n int) string { return strings.Repeat(" $s", n) }
	lists := strings.Repeat(" (list $s $s $s)", 2)
	numbers := func(n int) string { return fmt.Sprintf(`(fromJson (print "[" (repeat %d "0,") "0]"))`, n) }
	for name, c := range map[string]struct {
		text  string
		limit errLimit
	}{
		"a list of a text":                 {megabyte + `${list` + often(300) + `}`, errTooLong},
		"a list that is printed":           {megabyte + `${$l := list` + often(8) + `}${$m := list $l}${$m}${$m}`, errTooLong},
		"print":                            {megabyte + `${print` + often(300) + `}`, errTooLong},
		"println":                          {megabyte + `${println` + often(300) + `}`, errTooLong},
		"print of the secret":              {`${print` + strings.Repeat(" .a", 300) + `}`, errTooLong},
		"keys of the secret":               {`${print` + strings.Repeat(" .k", 300) + `}`, errTooLong},
		"cat":                              {megabyte + `${cat` + often(300) + `}`, errTooLong},
		"squote":                           {megabyte + `${squote` + often(300) + `}`, errTooLong},
		"quote":                            {megabyte + `${quote` + often(3) + `}`, errTooLong},
		"html":                             {megabyte + `${html` + often(3) + `}`, errTooLong},
		"js":                               {megabyte + `${js` + often(3) + `}`, errTooLong},
		"urlquery":                         {megabyte + `${urlquery` + often(3) + `}`, errTooLong},
		"JSON":                             {megabyte + `${toJson (list` + often(3) + `)}`, errTooLong},
		"raw JSON":                         {megabyte + `${toRawJson (list` + often(3) + `)}`, errTooLong},
		"pretty JSON":                      {megabyte + `${toPrettyJson (list` + often(3) + `)}`, errTooLong},
		"pretty JSON that is deep":         {`${toPrettyJson (fromJson (print (repeat 400 "[") "0" (repeat 20000 ",0") (repeat 400 "]")))}`, errTooLong},
		"sortAlpha":                        {megabyte + `${$x := sortAlpha (list` + lists + `)}${$y := sortAlpha (list` + lists + `)}`, errTooLong},
		"toStrings":                        {megabyte + `${$x := toStrings (list` + lists + `)}${$y := toStrings (list` + lists + `)}`, errTooLong},
		"split":                            {`${$s := repeat 65000 "a,"}${range 100}${$x := split "," $s}${end}`, errTooLong},
		"printf with a width":              {`${printf "` + strings.Repeat("%999999[1]d", 300) + `" 1}`, errTooLong},
		"printf with a precision":          {`${printf "` + strings.Repeat("%.999999[1]d", 300) + `" 1}`, errTooLong},
		"printf with a width of a value":   {`${printf "` + strings.Repeat("%[2]*[1]d", 300) + `" 1 -999999}`, errTooLong},
		"printf with a width and a list":   {`${printf "%9999d" (until 60000)}`, errTooLong},
		"printf with a text many times":    {megabyte + `${printf "` + strings.Repeat("%[1]s", 300) + `" $s}`, errTooLong},
		"printf with a text in other form": {megabyte + `${printf "%x%x" $s $s}`, errTooLong},
		"printf with values left over":     {megabyte + `${printf ""` + often(300) + `}`, errTooLong},
		"printf with long decimals":        {`${printf "%f" ` + numbers(60000) + `}`, errTooLong},
		"printf without values":            {`${printf (repeat 1000000 "%d")}`, errTooLong},
		"numbers of JSON":                  {`${` + numbers(2000000) + ` | len}`, errTooMany},
		"numbers of JSON many times":       {`${$j := print "[" (repeat 60000 "0,") "0]"}${range 9}${$x := fromJson $j}${end}`, errTooMuch},
		"a text of JSON many times":        {megabyte + `${$j := toJson "` + strings.Repeat("a", 1000000) + `"}${range 9}${$x := fromJson $j}${end}`, errTooLong},
		"lists in JSON":                    {`${fromJson (repeat 70000 "[")}`, errTooMany},
		"dictionaries in JSON":             {`${fromJson (repeat 70000 "{\"a\":")}`, errTooMany},
		"commas in a text of JSON":         {`${fromJson (print "\"\\\"" (repeat 70000 ",") "\"") | len}`, ""},
		"regexSplit":                       {megabyte + `${regexSplit "" $s -1 | len}`, errTooMany},
		"regexFindAll":                     {megabyte + `${regexFindAll "<" $s 900000 | len}`, errTooMany},
		"chunk":                            {`${$l := until 60000}${chunk 1 (concat $l $l)}`, errTooMany},
		"concat":                           {`${$l := until 60000}${concat $l $l | len}`, errTooMany},
		"a method":                         {megabyte + `${range 300}${$x := (now).Format $s}${end}`, errTooLong},
		"a method in a pipe":               {megabyte + `${range 300}${$x := $s | (now).Format}${end}`, errTooLong},
		"a variable's method":              {megabyte + `${$t := now}${range 300}${$x := len ($t.Format $s)}${end}`, errTooLong},
		"methods":                          {`${$t := now}${if $t.Before ($t.AddDate 1 0 0)}${$t.Year | add 1}${end}`, ""},
		"append":                           {`${append (until 65536) 1 | len}`, errTooMany},
		"prepend":                          {`${prepend (until 65536) 1 | len}`, errTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			data := `{}`
			if strings.Contains(c.text, " .") {
				data = fmt.Sprintf(`{"a":%q,"k":{%q:1}}`, strings.Repeat("x", 1000000), strings.Repeat("y", 1000000))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, f := evaluated(t, c.text, data)
			runtime.ReadMemStats(&after)
			if c.limit == "" && f != nil || c.limit != "" && (f == nil || f.Message != limitFailure(c.limit).Message) {
				t.Errorf("%v; want %q", f, c.limit)
			}
			if all := (after.TotalAlloc - before.TotalAlloc) >> 20; all > 64 {
				t.Errorf("%d MiB are allocated", all)
			}
		})
	}
}

// What secrets need stays possible.
func TestLongTextIsPossible(t *testing.T) {
	long := strings.Repeat("x", 1000000)
	for text, want := range map[string]int{
		`${.a}`: 1000000, `${printf "%s" .a}`: 1000000, `${printf "%-20s%5.1f" .a 1.5}`: 1000005, `${. | toJson}`: 1000008, `${quote .a}`: 1000002, `${html .a}`: 1000000,
		`${(. | toJson | fromJson).a}`: 1000000, `${printf "%[1]*[2]d" 10 1000000}`: 10, `${printf "%*d" 1000000 5 | len}`: 7, `${join "," (until 60000) | len}`: 6,
		`${toPrettyJson . | fromJson | len}`: 1, `${regexSplit "," .a -1 | len}`: 1, `${until 65536 | len}`: 5, `${until 60000 | toJson | len}`: 6,
	} {
		if got, f := evaluated(t, text, fmt.Sprintf(`{"a":%q}`, long)); f != nil || len(got) != want {
			t.Errorf("%s: %d bytes, %v; want %d", text, len(got), f, want)
		}
	}
}

func TestAFailureShowsTheExpressionAsItIsWritten(t *testing.T) {
	for _, text := range []string{`fail ((now).Format "x")`, `b64dec ("!" | (now).Format)`} {
		if _, f := evaluated(t, "${"+text+"}", `{}`); f == nil || !strings.Contains(f.Message, "failed at ${"+text+"}:") {
			t.Errorf("%s: %v", text, f)
		}
	}
}
