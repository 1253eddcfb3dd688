package templates

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"
)

// textFunctions returns functions that take the text last, so that it can come from a pipe.
func textFunctions() template.FuncMap {
	return template.FuncMap{
		"trim":       strings.TrimSpace,
		"trimAll":    func(cut, s string) string { return strings.Trim(s, cut) },
		"trimall":    func(cut, s string) string { return strings.Trim(s, cut) },
		"trimSuffix": func(cut, s string) string { return strings.TrimSuffix(s, cut) },
		"trimPrefix": func(cut, s string) string { return strings.TrimPrefix(s, cut) },
		"upper":      strings.ToUpper,
		"lower":      strings.ToLower,
		"title":      title,
		"untitle":    func(s string) string { return mapWordStarts(s, unicode.IsSpace, unicode.ToLower) },
		"swapcase":   swapCase,
		"nospace":    func(s string) string { return strings.Join(strings.Fields(s), "") },
		"initials":   initials,
		"repeat":     func(n int, s string) string { room(n, len(s)); return strings.Repeat(s, n) },
		"substr":     substring,
		"trunc":      truncate,
		"abbrev":     abbreviate,
		"contains":   func(part, s string) bool { return strings.Contains(s, part) },
		"hasPrefix":  func(part, s string) bool { return strings.HasPrefix(s, part) },
		"hasSuffix":  func(part, s string) bool { return strings.HasSuffix(s, part) },
		"replace": func(old, by, s string) string {
			room(strings.Count(s, old), len(by))
			return strings.ReplaceAll(s, old, by)
		},
		"quote":     quote,
		"squote":    singleQuote,
		"cat":       concatenate,
		"indent":    indent,
		"nindent":   func(n int, s string) string { return "\n" + indent(n, s) },
		"plural":    func(one, many string, n int) string { return pick(n == 1, one, many) },
		"toString":  func(v any) string { return toString(present([]any{v})[0]) },
		"toStrings": toStrings,
		"join":      func(separator string, list any) string { return joined(separator, toStrings(list)) },
		"split":     func(separator, s string) map[string]string { return numbered(splitList(separator, s)) },
		"splitn": func(separator string, n int, s string) map[string]string {
			roomForItems(pick(n < 0, strings.Count(s, separator), min(strings.Count(s, separator), n)))
			return numbered(strings.SplitN(s, separator, n))
		},
		"splitList":  splitList,
		"sortAlpha":  sortAlpha,
		"snakecase":  lowerWords('_'),
		"kebabcase":  lowerWords('-'),
		"camelcase":  camelCase,
		"wrap":       func(width int, s string) string { return wrapText(width, "", false, s) },
		"wrapWith":   func(width int, lineEnd, s string) string { return wrapText(width, lineEnd, true, s) },
		"abbrevboth": abbreviateBoth,
		"hello":      func() string { return "Hello!" },
	}
}

// title returns s with the first letter of every word in upper case. Words are separated as in strings.Title.
func title(s string) string {
	return mapWordStarts(s, func(r rune) bool {
		if r < 0x80 {
			return !(r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
		}
		return unicode.IsSpace(r)
	}, unicode.ToTitle)
}

func mapWordStarts(s string, separates func(rune) bool, change func(rune) rune) string {
	start := true
	return strings.Map(func(r rune) rune {
		if separates(r) {
			start = true
			return r
		}
		if start {
			start = false
			return change(r)
		}
		return r
	}, s)
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) || unicode.IsTitle(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func initials(s string) string {
	var b strings.Builder
	for _, word := range strings.Fields(s) {
		b.WriteRune([]rune(word)[0])
	}
	return b.String()
}

// substring returns s[start:end] in bytes. A negative start means 0; a negative or too large end means the end of the
// text.
func substring(start, end int, s string) string {
	if start < 0 {
		return s[:end]
	}
	if end < 0 || end > len(s) {
		return s[start:]
	}
	return s[start:end]
}

// truncate returns the first n bytes, or the last -n.
func truncate(n int, s string) string {
	switch {
	case n < 0 && len(s)+n > 0:
		return s[len(s)+n:]
	case n >= 0 && len(s) > n:
		return s[:n]
	}
	return s
}

func abbreviate(width int, s string) string {
	if width < 4 || len(s) <= width {
		return s
	}
	return s[:width-3] + "..."
}

func quote(values ...any) string {
	var quoted []string
	for _, v := range withoutNil(values) {
		quoted = append(quoted, strconv.Quote(toString(v)))
	}
	return strings.Join(quoted, " ")
}

func singleQuote(values ...any) string {
	var quoted []string
	for _, v := range withoutNil(values) {
		quoted = append(quoted, "'"+fmt.Sprint(v)+"'")
	}
	return strings.Join(quoted, " ")
}

func concatenate(values ...any) string {
	var words []string
	for _, v := range withoutNil(values) {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, " ")
}

func withoutNil(values []any) []any {
	return slices.DeleteFunc(slices.Clone(values), func(v any) bool { return v == nil })
}

func indent(n int, s string) string {
	room(strings.Count(s, "\n")+1, n)
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad)
}

func joined(separator string, texts []string) string {
	room(len(texts), len(separator))
	length := 0
	for _, text := range texts {
		length += len(text)
	}
	room(1, length)
	return strings.Join(texts, separator)
}

func splitList(separator, s string) []string {
	roomForItems(strings.Count(s, separator))
	return strings.Split(s, separator)
}

func toString(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

func toStrings(v any) []string {
	if v == nil {
		return []string{}
	}
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice || list.Kind() == reflect.Array {
		texts := make([]string, 0, list.Len())
		for i := range list.Len() {
			if item := list.Index(i).Interface(); item != nil {
				texts = append(texts, toString(item))
			}
		}
		return texts
	}
	return []string{toString(v)}
}

func numbered(parts []string) map[string]string {
	m := make(map[string]string, len(parts))
	for i, part := range parts {
		m["_"+strconv.Itoa(i)] = part
	}
	return m
}

func sortAlpha(list any) []string {
	texts := toStrings(list)
	slices.Sort(texts)
	return texts
}
