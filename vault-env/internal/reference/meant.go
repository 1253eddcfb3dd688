package reference

import "strings"

// maxBraces bounds how often isMeant reads the same braces when they are nested in each other.
const maxBraces = 32

// isMeant returns whether the text at an offset is meant as a reference, well-formed or not, and not as ordinary text
// that begins alike: "vault://", "vault:1.15.2", "vault:8200,vault-1:8200", "${vault:none}". It is meant if it has a
// "#", a transit version or the word login, and otherwise if it is a path with a slash, which lacks its key.
func isMeant(text string, at int, inline bool) bool {
	prefix := opensReference(text[at:])
	if prefix == "" {
		return false
	}
	start := at + len(prefix)
	if prefix == readPrefix && (isLogin(text[at:], inline) || transitHeader(text, start) >= 0) {
		return true
	}
	depth := 0
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c == '#':
			return true
		case c == '{' && inline:
			if depth++; depth > maxBraces {
				return true
			}
		case c == '}' && inline:
			if depth == 0 {
				return lacksKey(trim(text[start:i]))
			}
			depth--
		}
	}
	return lacksKey(trim(text[start:]))
}

// isLogin returns whether the text is "vault:login" and nothing else.
func isLogin(text string, inline bool) bool {
	return text == loginValue || inline && strings.HasPrefix(text, loginValue+"}")
}

// lacksKey returns whether text without a "#" is the path of a secret: it begins with a name and has a slash, or has a
// $(NAME) that may become one. The text of hosts, addresses, users with passwords, lists, sentences and the operators of
// shells ("${vault:-/etc}") is none.
func lacksKey(text string) bool {
	if text == "" || !beginsName(text[0]) || strings.Contains(text, "//") || isPortFirst(text) {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == 0x7f || strings.IndexByte(",;@|\"'`<>\\", c) >= 0 {
			return false
		}
	}
	return strings.Contains(text, "/") || strings.Contains(text, "$(")
}

func beginsName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// isPortFirst returns whether the text begins with a port, of the host called vault, as in "8200/v1/sys/health".
func isPortFirst(text string) bool {
	end := strings.IndexAny(text, "/:")
	return end > 0 && end <= 5 && isDigits(text[:end])
}
