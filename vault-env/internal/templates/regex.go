package templates

import (
	"regexp"
	"strings"
	"text/template"
)

func regexFunctions() template.FuncMap {
	match := regexp.MatchString
	find := func(expression, s string) (string, error) {
		return with(expression, func(r *regexp.Regexp) string { return r.FindString(s) })
	}
	findAll := func(expression, s string, n int) ([]string, error) {
		return with(expression, func(r *regexp.Regexp) []string { return r.FindAllString(s, atMost(n)) })
	}
	replace := func(expression, s, by string) (string, error) {
		// Each reference to a group puts at most the whole match in its place.
		room(len(s)+1, len(by))
		room(strings.Count(by, "$"), len(s))
		return with(expression, func(r *regexp.Regexp) string { return r.ReplaceAllString(s, by) })
	}
	replaceLiteral := func(expression, s, by string) (string, error) {
		room(len(s)+1, len(by))
		return with(expression, func(r *regexp.Regexp) string { return r.ReplaceAllLiteralString(s, by) })
	}
	split := func(expression, s string, n int) ([]string, error) {
		return with(expression, func(r *regexp.Regexp) []string { return r.Split(s, atMost(n)) })
	}
	return template.FuncMap{
		"regexMatch": match, "mustRegexMatch": match,
		"regexFind": find, "mustRegexFind": find,
		"regexFindAll": findAll, "mustRegexFindAll": findAll,
		"regexReplaceAll": replace, "mustRegexReplaceAll": replace,
		"regexReplaceAllLiteral": replaceLiteral, "mustRegexReplaceAllLiteral": replaceLiteral,
		"regexSplit": split, "mustRegexSplit": split,
		"regexQuoteMeta": regexp.QuoteMeta,
	}
}

// atMost returns n, or what is just too many parts of a text if n is more or means all.
func atMost(n int) int {
	if n < 0 || n > maxItems {
		return maxItems + 1
	}
	return n
}

func with[T any](expression string, use func(*regexp.Regexp) T) (T, error) {
	r, err := regexp.Compile(expression)
	if err != nil {
		var zero T
		return zero, err
	}
	return use(r), nil
}
