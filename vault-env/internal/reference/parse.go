package reference

import (
	"strings"
	"unicode/utf8"
)

const (
	readPrefix  = "vault:"
	writePrefix = ">>vault:"
	typoPrefix  = ">vault:"
	loginValue  = "vault:login"
)

// Parse parses the value of the variable called name. It returns a Value, which is zero if there is nothing for
// vault-env to do, or an *Error.
func Parse(name, value string) (Value, error) { return parse(name, value, false) }

// ParseForBankVaults does the same, and also takes an empty version and -1 for the latest one, as Bank-Vaults' vault-env
// does: containers that were made for it have them.
func ParseForBankVaults(name, value string) (Value, error) { return parse(name, value, true) }

func parse(name, value string, bankVaults bool) (Value, error) {
	if !strings.Contains(value, readPrefix) {
		return Value{}, nil
	}
	v, err := parseInline(value, bankVaults)
	if err != nil || v.Inline {
		return v, err
	}
	return parseWhole(name, value, bankVaults)
}

func parseWhole(name, value string, bankVaults bool) (Value, error) {
	text := strings.TrimLeft(value, "$")
	switch {
	case value == loginValue && name == "VAULT_TOKEN":
		return whole(Reference{Kind: Login, End: len(value)}), nil
	case !isMeant(text, 0, false):
		return Value{}, nil
	case len(text) < len(value): // the escape
		return Value{Refers: true, Inline: true, literals: []string{value[1:]}}, nil
	}
	p := parser{text: value, bankVaults: bankVaults}
	r, err := p.reference()
	if err != nil {
		return Value{}, err
	}
	return whole(r), nil
}

func whole(r Reference) Value {
	return Value{Refers: true, References: []Reference{r}}
}

// parseInline returns the inline references and escapes of the value. If there are none, the Value is zero.
func parseInline(value string, bankVaults bool) (Value, error) {
	var v Value
	var literal strings.Builder
	copied := 0 // value[:copied] is in literal or in a reference
	for at := 0; ; {
		i := strings.Index(value[at:], "${")
		if i < 0 {
			break
		}
		open := at + i
		at = open + len("${")
		if opensReference(value[at:]) == "" {
			continue
		}
		if open > copied && value[open-1] == '$' {
			v.Refers, v.Inline = true, true
			literal.WriteString(value[copied:open])
			copied = open + 1 // drop the second "$"
			continue
		}
		if !isMeant(value, at, true) {
			continue
		}
		v.Refers, v.Inline = true, true
		p := parser{text: value, start: open, pos: at, inline: true, bankVaults: bankVaults}
		r, err := p.reference()
		if err != nil {
			return Value{}, err
		}
		literal.WriteString(value[copied:open])
		v.literals = append(v.literals, literal.String())
		v.References = append(v.References, r)
		literal.Reset()
		at, copied = r.End, r.End
	}
	if v.Inline {
		literal.WriteString(value[copied:])
		v.literals = append(v.literals, literal.String())
	}
	return v, nil
}

func opensReference(s string) string {
	for _, prefix := range []string{readPrefix, writePrefix, typoPrefix} {
		if strings.HasPrefix(s, prefix) {
			return prefix
		}
	}
	return ""
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parser parses one reference in text, from pos on. It ends at the closing "}" if inline is true, else at the end of
// the text.
type parser struct {
	text       string
	start      int
	pos        int
	inline     bool
	write      bool
	bankVaults bool
}

func (p *parser) fail(at int, message string) error {
	return &Error{Message: message, Column: utf8.RuneCountInString(p.text[:at]) + 1}
}

// form returns how to write the reference, for messages.
func (p *parser) form() string {
	form := "vault:PATH#KEY"
	if p.write {
		form = ">>" + form
	}
	if p.inline {
		form = "${" + form + "}"
	}
	return form
}

func (p *parser) reference() (Reference, error) {
	at := p.pos
	switch prefix := opensReference(p.text[p.pos:]); prefix {
	case typoPrefix:
		return Reference{}, p.fail(at, `a write begins with ">>vault:" and a read with "vault:": write one of them`)
	case writePrefix:
		p.write = true
		p.pos += len(prefix)
		return p.readOrWrite()
	default:
		p.pos += len(prefix)
	}
	if ciphertextAt := transitHeader(p.text, p.pos); ciphertextAt >= 0 {
		return p.transit(at, ciphertextAt)
	}
	if isLogin(p.text[at:], p.inline) {
		return Reference{}, p.fail(at, `"vault:login" can only be the whole value of the variable VAULT_TOKEN: write `+p.form())
	}
	return p.readOrWrite()
}

// transitHeader returns the offset of the ciphertext if there is "vN:" at the offset at, else -1.
func transitHeader(text string, at int) int {
	version, _, found := strings.Cut(text[at:], ":")
	if !found || !strings.HasPrefix(version, "v") || !isDigits(version[1:]) {
		return -1
	}
	return at + len(version) + 1
}

func (p *parser) transit(at, ciphertextAt int) (Reference, error) {
	end := len(p.text)
	if p.inline {
		closing := strings.IndexByte(p.text[ciphertextAt:], '}')
		if closing < 0 {
			return Reference{}, p.unclosed()
		}
		end = ciphertextAt + closing
	}
	if trim(p.text[ciphertextAt:end]) == "" {
		return Reference{}, p.fail(ciphertextAt, `the ciphertext is missing: write vault:v1:CIPHERTEXT`)
	}
	p.pos = end
	r := Reference{Kind: Transit, Ciphertext: trim(p.text[at:end])}
	return p.close(r)
}

func (p *parser) readOrWrite() (Reference, error) {
	r := Reference{Kind: Read}
	if p.write {
		r.Kind = Write
	}
	path, err := p.segment(false)
	if err != nil {
		return r, err
	}
	if r.Path, err = p.path(path); err != nil {
		return r, err
	}
	if !p.skip('#') {
		return r, p.fail(p.pos, `there is no "#" after the path: write `+p.form())
	}
	selector, err := p.segment(true)
	if err != nil {
		return r, err
	}
	if err := p.selector(selector, &r); err != nil {
		return r, err
	}
	if p.skip('#') {
		if p.write {
			r.Body, err = p.body()
		} else {
			r.Version, err = p.version()
		}
		if err != nil {
			return r, err
		}
	}
	return p.close(r)
}

// close ends the reference at pos.
func (p *parser) close(r Reference) (Reference, error) {
	if p.inline && !p.skip('}') {
		return r, p.unclosed()
	}
	r.Start, r.End = p.start, p.pos
	return r, nil
}

func (p *parser) unclosed() error {
	return p.fail(p.start, `the reference has no closing "}": close it, or write "$${vault:" for the literal text`)
}
