package reference

import "strings"

// span is a part of the text between separators.
type span struct {
	start, end int
	template   bool // it contains at least one ${…} expression
}

// segment returns the text up to the next "#" or the end of the reference, and moves pos there. If expressions is true,
// it skips ${…} as a whole, whatever it contains.
func (p *parser) segment(expressions bool) (span, error) {
	s := span{start: p.pos}
	depth := 0
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '#':
			s.end = p.pos
			return s, nil
		case c == '$' && expressions && strings.HasPrefix(p.text[p.pos:], "${"):
			end, err := p.expression()
			if err != nil {
				return s, err
			}
			s.template = true
			p.pos = end - 1
		case c == '{' && p.inline:
			depth++
		case c == '}' && p.inline:
			if depth == 0 {
				s.end = p.pos
				return s, nil
			}
			depth--
		}
	}
	if p.inline {
		return s, p.unclosed()
	}
	s.end = p.pos
	return s, nil
}

// expression returns the offset after the template expression that begins with the "${" at pos. It skips what Go's
// text/template skips: comments, strings, raw strings and character constants.
func (p *parser) expression() (int, error) {
	i := p.pos + len("${")
	if rest := p.text[i:]; len(rest) > 1 && rest[0] == '-' && isSpace(rest[1]) {
		i += 2
	}
	if strings.HasPrefix(p.text[i:], "/*") {
		end := strings.Index(p.text[i:], "*/")
		if end < 0 {
			return 0, p.fail(i, `a template comment has no closing "*/": write ${/* COMMENT */}`)
		}
		i += end + len("*/")
	}
	for depth := 0; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '"', '\'', '`':
			end := endOfLiteral(p.text, i)
			if end < 0 {
				return 0, p.fail(i, `a string in a template expression has no closing quote: close it`)
			}
			i = end - 1
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i + 1, nil
			}
			depth--
		}
	}
	return 0, p.fail(p.pos, `a template expression has no closing "}": write ${.KEY}`)
}

// endOfLiteral returns the offset after the quoted literal that begins at i, or -1. Only raw strings may span lines.
func endOfLiteral(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			return i + 1
		case quote == '`':
		case c == '\\':
			i++
		case c == '\n':
			return -1
		}
	}
	return -1
}

// endOfObject returns the offset after the JSON object that begins at i, or -1.
func endOfObject(text string, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := endOfLiteral(text, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func (p *parser) skip(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) skipSpace() {
	for p.pos < len(p.text) && isSpace(p.text[p.pos]) {
		p.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trim(s string) string { return strings.Trim(s, " \t\n\r") }

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
