package templates

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/adler32"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/template"
)

func encodingFunctions() template.FuncMap {
	return template.FuncMap{
		"b64enc":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"b64dec":           func(s string) (string, error) { return asString(base64.StdEncoding.DecodeString(s)) },
		"b32enc":           func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
		"b32dec":           func(s string) (string, error) { return asString(base32.StdEncoding.DecodeString(s)) },
		"sha1sum":          sha1Hex,
		"sha256sum":        sha256Hex,
		"sha512sum":        sha512Hex,
		"adler32sum":       adler32Decimal,
		"fromJson":         fromJSON,
		"mustFromJson":     fromJSON,
		"toJson":           toJSON,
		"mustToJson":       toJSON,
		"toPrettyJson":     toPrettyJSON,
		"mustToPrettyJson": toPrettyJSON,
		"toRawJson":        toRawJSON,
		"mustToRawJson":    toRawJSON,
		"urlParse":         urlParse,
		"urlJoin":          urlJoin,
	}
}

func asString(b []byte, err error) (string, error) { return string(b), err }

func sha1Hex(s string) string   { sum := sha1.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }
func sha256Hex(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
func sha512Hex(s string) string { sum := sha512.Sum512([]byte(s)); return hex.EncodeToString(sum[:]) }
func adler32Decimal(s string) string {
	return strconv.FormatUint(uint64(adler32.Checksum([]byte(s))), 10)
}

func fromJSON(s string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(s))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("data after the JSON value")
	}
	return withNumbers(v), nil
}

func toJSON(v any) (string, error)       { return asString(json.Marshal(v)) }
func toPrettyJSON(v any) (string, error) { return asString(json.MarshalIndent(v, "", "  ")) }

func toRawJSON(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func urlParse(s string) (map[string]any, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	user := ""
	if u.User != nil {
		user = u.User.String()
	}
	return map[string]any{
		"scheme": u.Scheme, "host": u.Host, "hostname": u.Hostname(), "path": u.Path, "query": u.RawQuery,
		"opaque": u.Opaque, "fragment": u.Fragment, "userinfo": user,
	}, nil
}

func urlJoin(parts map[string]any) (string, error) {
	part := func(name string) string {
		if v, ok := parts[name]; ok {
			return toString(v)
		}
		return ""
	}
	u := url.URL{
		Scheme: part("scheme"), Host: part("host"), Path: part("path"), RawQuery: part("query"),
		Opaque: part("opaque"), Fragment: part("fragment"),
	}
	if user := part("userinfo"); user != "" {
		parsed, err := url.Parse("proto://" + user + "@host")
		if err != nil {
			return "", err
		}
		u.User = parsed.User
	}
	return u.String(), nil
}
