package failure

import "strings"

// OneLine returns text from elsewhere as one line: control characters become spaces.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// Shorten returns the first n bytes of text from elsewhere, with "…" if there is more.
func Shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// QuoteName returns a name from elsewhere in quotes, as part of one line.
func QuoteName(name string) string {
	return `"` + Shorten(OneLine(name), 100) + `"`
}
