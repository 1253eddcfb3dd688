package templates

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"text/template"
)

var errNotList = errors.New("not a list")

func listFunctions() template.FuncMap {
	list := func(v ...any) []any { return v }
	push := func(l, v any) ([]any, error) { return change(l, func(i []any) []any { return append(i, v) }) }
	prepend := func(l, v any) ([]any, error) {
		return change(l, func(i []any) []any { return slices.Insert(i, 0, v) })
	}
	first := func(l any) (any, error) { return at(l, func(n int) int { return 0 }) }
	last := func(l any) (any, error) { return at(l, func(n int) int { return n - 1 }) }
	rest := func(l any) ([]any, error) { return change(l, func(i []any) []any { return i[min(1, len(i)):] }) }
	initial := func(l any) ([]any, error) { return change(l, func(i []any) []any { return i[:max(0, len(i)-1)] }) }
	reverse := func(l any) ([]any, error) {
		return change(l, func(i []any) []any { slices.Reverse(i); return i })
	}
	compact := func(l any) ([]any, error) {
		return change(l, func(i []any) []any { return slices.DeleteFunc(i, isEmpty) })
	}
	uniq := func(l any) ([]any, error) { return change(l, unique) }
	without := func(l any, omit ...any) ([]any, error) {
		return change(l, func(i []any) []any {
			return slices.DeleteFunc(i, func(v any) bool { return holds(omit, v) })
		})
	}
	return template.FuncMap{
		"list": list, "tuple": list,
		"append": push, "push": push, "mustAppend": push, "mustPush": push,
		"prepend": prepend, "mustPrepend": prepend,
		"first": first, "mustFirst": first,
		"last": last, "mustLast": last,
		"rest": rest, "mustRest": rest,
		"initial": initial, "mustInitial": initial,
		"reverse": reverse, "mustReverse": reverse,
		"compact": compact, "mustCompact": compact,
		"uniq": uniq, "mustUniq": uniq,
		"without": without, "mustWithout": without,
		"has": has, "mustHas": has,
		"slice": slice, "mustSlice": slice,
		"chunk": chunk, "mustChunk": chunk,
		"concat": concat,
	}
}

// items returns a copy of any list.
func items(list any) ([]any, error) {
	l := reflect.ValueOf(list)
	if l.Kind() != reflect.Slice && l.Kind() != reflect.Array {
		return nil, errNotList
	}
	all := make([]any, l.Len())
	for i := range all {
		all[i] = l.Index(i).Interface()
	}
	return all, nil
}

func change(list any, f func([]any) []any) ([]any, error) {
	all, err := items(list)
	if err != nil {
		return nil, err
	}
	return f(all), nil
}

func at(list any, index func(length int) int) (any, error) {
	all, err := items(list)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[index(len(all))], nil
}

func unique(all []any) []any {
	kept := []any{}
	for _, v := range all {
		if !holds(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func holds(all []any, v any) bool {
	return slices.ContainsFunc(all, func(other any) bool { return deepEqual(v, other) })
}

func has(v, list any) (bool, error) {
	if list == nil {
		return false, nil
	}
	all, err := items(list)
	return holds(all, v), err
}

func slice(list any, bounds ...any) (any, error) {
	all, err := items(list)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	start, end := 0, len(all)
	if len(bounds) > 0 {
		start = int(toInt64(bounds[0]))
	}
	if len(bounds) > 1 {
		end = int(toInt64(bounds[1]))
	}
	return reflect.ValueOf(list).Slice(start, end).Interface(), nil
}

func chunk(size int, list any) ([][]any, error) {
	all, err := items(list)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(all, size)), nil
}

func concat(lists ...any) ([]any, error) {
	var joined []any
	for _, list := range lists {
		all, err := items(list)
		if err != nil {
			return nil, err
		}
		joined = append(joined, all...)
	}
	return joined, nil
}

type dictionary = map[string]any

func dictFunctions() template.FuncMap {
	return template.FuncMap{
		"dict":               makeDict,
		"get":                func(d dictionary, key string) any { return pickKey(d, key) },
		"set":                func(d dictionary, key string, v any) dictionary { d[key] = v; return d },
		"unset":              func(d dictionary, key string) dictionary { delete(d, key); return d },
		"hasKey":             func(d dictionary, key string) bool { _, ok := d[key]; return ok },
		"keys":               sortedKeys,
		"values":             sortedValues,
		"pluck":              pluck,
		"pick":               pickKeys,
		"omit":               omitKeys,
		"merge":              func(d dictionary, from ...dictionary) dictionary { return merge(d, from, false) },
		"mustMerge":          func(d dictionary, from ...dictionary) dictionary { return merge(d, from, false) },
		"mergeOverwrite":     func(d dictionary, from ...dictionary) dictionary { return merge(d, from, true) },
		"mustMergeOverwrite": func(d dictionary, from ...dictionary) dictionary { return merge(d, from, true) },
		"dig":                dig,
	}
}

func makeDict(v ...any) dictionary {
	d := dictionary{}
	for i := 0; i < len(v); i += 2 {
		d[toString(v[i])] = ""
		if i+1 < len(v) {
			d[toString(v[i])] = v[i+1]
		}
	}
	return d
}

func pickKey(d dictionary, key string) any {
	if v, ok := d[key]; ok {
		return v
	}
	return ""
}

func sortedKeys(all ...dictionary) []string {
	keys := []string{}
	for _, d := range all {
		keys = append(keys, slices.Sorted(maps.Keys(d))...)
	}
	return keys
}

func sortedValues(d dictionary) []any {
	values := []any{}
	for _, key := range slices.Sorted(maps.Keys(d)) {
		values = append(values, d[key])
	}
	return values
}

func pluck(key string, all ...dictionary) []any {
	values := []any{}
	for _, d := range all {
		if v, ok := d[key]; ok {
			values = append(values, v)
		}
	}
	return values
}

func pickKeys(d dictionary, keys ...string) dictionary {
	picked := dictionary{}
	for _, key := range keys {
		if v, ok := d[key]; ok {
			picked[key] = v
		}
	}
	return picked
}

func omitKeys(d dictionary, keys ...string) dictionary {
	rest := maps.Clone(d)
	for _, key := range keys {
		delete(rest, key)
	}
	return rest
}

// merge fills d from the others, including nested dictionaries. Values that are already set stay, unless overwrite is
// true.
func merge(d dictionary, from []dictionary, overwrite bool) dictionary {
	for _, other := range from {
		for key, v := range other {
			mine, has := d[key]
			mineDict, isDict := mine.(dictionary)
			otherDict, otherIsDict := v.(dictionary)
			switch {
			case isDict && otherIsDict:
				merge(mineDict, []dictionary{otherDict}, overwrite)
			case !has || isEmpty(mine) || overwrite:
				d[key] = v
			}
		}
	}
	return d
}

// dig returns the value at nested keys of a dictionary, or a default. Its arguments are the keys, the default and the
// dictionary.
func dig(p ...any) (any, error) {
	if len(p) < 3 {
		return nil, errors.New("dig takes keys, a default and a dictionary")
	}
	value, otherwise := p[len(p)-1], p[len(p)-2]
	for _, key := range p[:len(p)-2] {
		d, ok := value.(dictionary)
		if !ok {
			return nil, errors.New("dig: not a dictionary")
		}
		if value, ok = d[toString(key)]; !ok {
			return otherwise, nil
		}
	}
	return value, nil
}

func defaultTo(otherwise any, given ...any) any {
	if len(given) == 0 || isEmpty(given[0]) {
		return otherwise
	}
	return given[0]
}

// isEmpty returns whether text/template treats v as false: zero, "", false, nil, or no elements.
func isEmpty(v any) bool {
	truth, ok := template.IsTrue(v)
	return ok && !truth
}

func coalesce(values ...any) any {
	for _, v := range values {
		if !isEmpty(v) {
			return v
		}
	}
	return nil
}

func allSet(values ...any) bool { return !slices.ContainsFunc(values, isEmpty) }

func anySet(values ...any) bool {
	return slices.ContainsFunc(values, func(v any) bool { return !isEmpty(v) })
}

func deepEqual(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }

func typeOf(v any) string {
	switch v.(type) {
	case number, exact:
		return "float64"
	}
	return fmt.Sprintf("%T", v)
}

func kindOf(v any) string {
	if _, ok := v.(exact); ok {
		return "float64"
	}
	return reflect.ValueOf(v).Kind().String()
}
