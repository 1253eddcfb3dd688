package templates

import (
	"errors"
	"path"
	"text/template"
)

// Functions returns the functions of Sprig, with the same names and meaning, in addition to text/template's own. Sprig
// itself is not linked: initializing its dependencies would add a third to the time of every start, with or without
// templates. A test compares these functions with Sprig's.
//
// Omitted on purpose: functions that read the environment or the network (env, expandenv, getHostByName), functions
// that create keys, certificates and password hashes, and some that reformat prose (see docs/reference/vault-env.md for
// the list). Different on purpose: decoders and date functions fail on invalid input, while Sprig returns the error's
// text, nothing or the current time as the value; keys and values are sorted; times are UTC; numbers of fromJson keep
// their digits; what would be too long fails.
func Functions() template.FuncMap {
	functions := template.FuncMap{}
	for _, some := range []template.FuncMap{
		textFunctions(), encodingFunctions(), numberFunctions(), listFunctions(), dictFunctions(), logicFunctions(),
		timeFunctions(), regexFunctions(), randomFunctions(), printFunctions(),
	} {
		for name, function := range some {
			functions[name] = function
		}
	}
	return functions
}

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
		"deepEqual":    deepEqual,
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
