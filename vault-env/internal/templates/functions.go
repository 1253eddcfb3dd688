package templates

import (
	"errors"
	"path"
	"reflect"
	"text/template"
)

// Functions returns the functions of Sprig, by their names and with their meaning, beside text/template's own.
// Sprig itself is not linked: its dependencies' initialisation costs every start a third of the time that starting
// takes, template or not. A test holds these functions to Sprig's answers.
//
// Left out on purpose: what reads the environment or the network (env, expandenv, getHostByName), what makes keys,
// certificates and password hashes, and some that rewrap prose (see docs/reference/vault-env.md for the list).
// Different on purpose: a decoder or a date function that is given nonsense fails, where Sprig returns the error's
// text, nothing or the time of day as the value; keys and values come sorted; times are UTC.
func Functions() template.FuncMap {
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
