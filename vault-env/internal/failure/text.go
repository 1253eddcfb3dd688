package failure

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cut ends text of which more is not shown.
const cut = "…"

// OneLine returns text from elsewhere as one line that shows all it holds: line breaks and tabs become spaces, other
// characters that hide or move text become U+FFFD, as does what is not UTF-8. The twin of core/shown.ts, held to it by the
// table testdata/texts.json.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r < 0x7f:
			return r
		case r >= '\t' && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			return utf8.RuneError
		}
		return r
	}, s)
}

// Bounded returns text as one line of at most n bytes; what is cut off leaves "…".
func Bounded(s string, n int) string {
	// three bytes may become one, so of more than these some cannot be shown
	line := OneLine(s[:min(len(s), 3*n+utf8.UTFMax)])
	if len(line) <= n {
		return line
	}
	end := n - len(cut)
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + cut
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
