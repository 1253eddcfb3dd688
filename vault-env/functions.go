package main

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path"
	"reflect"
	"regexp"
	"strings"
	"text/template"
	"time"
)

// templateFunctions are the functions of Sprig, by their names and with their meaning, beside text/template's own.
// Sprig itself is not linked: its dependencies' initialisation costs every start a third of the time that starting
// takes, template or not. A test holds these functions to Sprig's answers.
//
// Left out on purpose: what reads the environment or the network (env, expandenv, getHostByName), what makes keys,
// certificates and password hashes, and some that rewrap prose (see docs/reference/vault-env.md for the list).
// Different on purpose: a decoder or a date function that is given nonsense fails, where Sprig gives the error's
// text, nothing or the time of day as the value; keys and values come sorted; times are UTC.
func templateFunctions() template.FuncMap {
	functions := template.FuncMap{}
	for _, some := range []template.FuncMap{
		textFunctions(), encodingFunctions(), numberFunctions(), listFunctions(), dictFunctions(), logicFunctions(),
		timeFunctions(), regexFunctions(), randomFunctions(),
	} {
		for name, function := range some {
			functions[name] = function
		}
	}
	return functions
}

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

func logicFunctions() template.FuncMap {
	return template.FuncMap{
		"default":      defaultTo,
		"empty":        isEmpty,
		"coalesce":     coalesce,
		"all":          allSet,
		"any":          anySet,
		"ternary":      func(yes, no any, condition bool) any { return pick(condition, yes, no) },
		"fail":         func(message string) (string, error) { return "", errors.New(message) },
		"typeOf":       typeOf,
		"typeIs":       func(name string, v any) bool { return typeOf(v) == name },
		"typeIsLike":   func(name string, v any) bool { return typeOf(v) == name || typeOf(v) == "*"+name },
		"kindOf":       kindOf,
		"kindIs":       func(name string, v any) bool { return kindOf(v) == name },
		"deepEqual":    reflect.DeepEqual,
		"deepCopy":     copyValue,
		"mustDeepCopy": copyValue,
		"base":         path.Base,
		"dir":          path.Dir,
		"clean":        path.Clean,
		"ext":          path.Ext,
		"isAbs":        path.IsAbs,
		"osBase":       path.Base,
		"osDir":        path.Dir,
		"osClean":      path.Clean,
		"osExt":        path.Ext,
		"osIsAbs":      path.IsAbs,
	}
}

func pick[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}

func regexFunctions() template.FuncMap {
	match := regexp.MatchString
	find := func(expression, s string) (string, error) {
		return with(expression, func(r *regexp.Regexp) string { return r.FindString(s) })
	}
	findAll := func(expression, s string, n int) ([]string, error) {
		return with(expression, func(r *regexp.Regexp) []string { return r.FindAllString(s, n) })
	}
	replace := func(expression, s, by string) (string, error) {
		return with(expression, func(r *regexp.Regexp) string { return r.ReplaceAllString(s, by) })
	}
	replaceLiteral := func(expression, s, by string) (string, error) {
		return with(expression, func(r *regexp.Regexp) string { return r.ReplaceAllLiteralString(s, by) })
	}
	split := func(expression, s string, n int) ([]string, error) {
		return with(expression, func(r *regexp.Regexp) []string { return r.Split(s, n) })
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

func with[T any](expression string, use func(*regexp.Regexp) T) (T, error) {
	r, err := regexp.Compile(expression)
	if err != nil {
		var zero T
		return zero, err
	}
	return use(r), nil
}

// timeFunctions know one zone, UTC: what a template gives must not depend on the zone files of an image.
func timeFunctions() template.FuncMap {
	inZone := func(layout string, t any, zone string) (string, error) {
		if !strings.EqualFold(zone, "UTC") && zone != "Local" && zone != "" {
			return "", errors.New("only UTC is known")
		}
		at, err := asTime(t)
		return at.UTC().Format(layout), err
	}
	modify := func(change string, t time.Time) (time.Time, error) {
		d, err := time.ParseDuration(change)
		return t.Add(d), err
	}
	return template.FuncMap{
		"now":  func() time.Time { return time.Now().UTC() },
		"date": func(layout string, t any) (string, error) { return inZone(layout, t, "UTC") },
		"ago": func(t any) (string, error) {
			at, err := asTime(t)
			return time.Since(at).Round(time.Second).String(), err
		},
		"htmlDate": func(t any) (string, error) {
			return inZone(time.DateOnly, t, "UTC")
		},
		"htmlDateInZone": func(t any, zone string) (string, error) { return inZone(time.DateOnly, t, zone) },
		"dateInZone":     inZone, "date_in_zone": inZone,
		"dateModify": modify, "date_modify": modify, "mustDateModify": modify, "must_date_modify": modify,
		"toDate": time.Parse, "mustToDate": time.Parse,
		"unixEpoch":     func(t time.Time) string { return toString(t.Unix()) },
		"duration":      func(seconds any) string { return (time.Duration(toInt64(seconds)) * time.Second).String() },
		"durationRound": durationRound,
	}
}

// asTime takes a time or seconds since 1970. (Sprig takes anything else for now.)
func asTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case *time.Time:
		return *v, nil
	case int, int32, int64, json.Number:
		return time.Unix(toInt64(v), 0), nil
	}
	return time.Time{}, errors.New("not a time")
}

// durationRound gives the largest unit of a duration that it is longer than one of: "3h", "2mo".
func durationRound(v any) string {
	var d time.Duration
	switch v := v.(type) {
	case string:
		d, _ = time.ParseDuration(v)
	case int64:
		d = time.Duration(v)
	case time.Time:
		d = time.Since(v)
	}
	d = max(d, -d)
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * day, "y"}, {30 * day, "mo"}, {day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d > unit.length {
			return toString(int64(d/unit.length)) + unit.name
		}
	}
	return "0s"
}
