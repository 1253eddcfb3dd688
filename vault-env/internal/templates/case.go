package templates

import (
	"strings"
	"unicode"
)

// isConnector returns whether a character separates words of a name.
func isConnector(r rune) bool { return r == '_' || r == '-' || unicode.IsSpace(r) }

// lowerWords returns a name in lower case with a connector between its words: HTTPServer2xx is http_server_2xx. A number
// belongs to the word before it, or begins one with the lower case letters after it.
func lowerWords(connector rune) func(string) string {
	return func(name string) string {
		var b strings.Builder
		runes := []rune(name)
		isNumber := false // the current word begins with a digit
		for i, r := range runes {
			if isConnector(r) {
				b.WriteRune(connector)
				isNumber = false
				continue
			}
			if i > 0 && begins(runes, i, isNumber) {
				b.WriteRune(connector)
				isNumber = unicode.IsDigit(r)
			} else if i == 0 || isConnector(runes[i-1]) {
				isNumber = unicode.IsDigit(r)
			}
			b.WriteRune(unicode.ToLower(r))
		}
		return b.String()
	}
}

// begins returns whether a word begins at i, although no connector is before it.
func begins(runes []rune, i int, isNumber bool) bool {
	before, r := runes[i-1], runes[i]
	switch {
	case unicode.IsUpper(r):
		lowerFollows := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		return unicode.IsLower(before) || unicode.IsDigit(before) || unicode.IsUpper(before) && lowerFollows
	case unicode.IsDigit(r):
		if isNumber || !unicode.IsLetter(before) {
			return false
		}
		for i < len(runes) && unicode.IsDigit(runes[i]) {
			i++
		}
		return i < len(runes) && unicode.IsLower(runes[i])
	}
	return false
}

// camelCase returns the words of a name, each with its first letter in upper case, without their connectors: http_server
// is HttpServer, and GO_PATH is GoPath.
func camelCase(name string) string {
	var b strings.Builder
	start, wasUpper := true, false
	for _, r := range name {
		switch {
		case isConnector(r):
			start = true
			continue
		case start:
			b.WriteRune(unicode.ToUpper(r))
			wasUpper = unicode.IsUpper(r)
		case wasUpper && unicode.IsUpper(r):
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
			wasUpper = false
		}
		start = false
	}
	return b.String()
}
