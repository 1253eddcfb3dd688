package main

import (
	"strings"
)

// oneLine makes text that comes from elsewhere fit for one line of a log.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// shorten cuts text that comes from elsewhere to at most n bytes.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// quoteName makes the name of a key fit for a log line.
func quoteName(name string) string {
	return `"` + shorten(oneLine(name), 100) + `"`
}
