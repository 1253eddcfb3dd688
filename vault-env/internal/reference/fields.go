package reference

import (
	"encoding/json"
	"strings"
)

func (p *parser) path(s span) (string, error) {
	raw := trim(p.text[s.start:s.end])
	if i := strings.IndexByte(p.text[s.start:s.end], '?'); i >= 0 {
		return "", p.fail(s.start+i, `a path has no "?": write the version after the key, `+p.formWithVersion())
	}
	if i := strings.Index(p.text[s.start:s.end], "${"); i >= 0 {
		return "", p.fail(s.start+i, `"${" is not expanded in a path: write the path out, or $(NAME) in a manifest`)
	}
	if hasControl(raw) {
		return "", p.fail(s.start, `the path holds a control character: remove it`)
	}
	var segments []string
	for segment := range strings.SplitSeq(raw, "/") {
		switch segment {
		case "":
		case ".", "..":
			return "", p.fail(s.start, `the path holds a "." or ".." segment: write it out`)
		default:
			segments = append(segments, segment)
		}
	}
	if len(segments) == 0 {
		return "", p.fail(s.start, `the path is missing: write `+p.form())
	}
	return strings.Join(segments, "/"), nil
}

func (p *parser) formWithVersion() string {
	if p.inline {
		return "${vault:PATH#KEY#VERSION}"
	}
	return "vault:PATH#KEY#VERSION"
}

func (p *parser) selector(s span, r *Reference) error {
	raw := p.text[s.start:s.end]
	if s.template {
		r.Template = raw
		return nil
	}
	r.Key = trim(raw)
	if r.Key == "" {
		return p.fail(s.start, `the key is missing after "#": write `+p.form())
	}
	if hasControl(r.Key) {
		return p.fail(s.start, `the key holds a control character: remove it`)
	}
	return nil
}

func (p *parser) version() (string, error) {
	s, err := p.segment(false)
	if err != nil {
		return "", err
	}
	version := trim(p.text[s.start:s.end])
	if p.bankVaults && (version == "" || version == "-1") && (p.pos == len(p.text) || p.text[p.pos] != '#') {
		return "", nil
	}
	if !isDigits(version) || len(version) > 9 || p.pos < len(p.text) && p.text[p.pos] == '#' {
		return "", p.fail(s.start, `the version is not a whole number: write `+p.formWithVersion()+`, and ${"#"} for a "#" in a template`)
	}
	return version, nil
}

func (p *parser) body() (string, error) {
	p.skipSpace()
	start := p.pos
	const message = `the body is not a JSON object: write {"NAME":"VALUE"}`
	if start == len(p.text) || p.text[start] != '{' {
		return "", p.fail(start, message)
	}
	end := endOfObject(p.text, start)
	if end < 0 || !json.Valid([]byte(p.text[start:end])) {
		return "", p.fail(start, message)
	}
	p.pos = end
	p.skipSpace()
	if p.pos < len(p.text) && !(p.inline && p.text[p.pos] == '}') {
		return "", p.fail(p.pos, `there is text after the JSON object: remove it`)
	}
	return p.text[start:end], nil
}
