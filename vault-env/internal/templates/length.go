package templates

import (
	"reflect"
	"strconv"
	"strings"
)

// size is what a walk over a value comes across.
type size struct {
	values int
	text   int // bytes of strings and of keys, as often as they are reached
	indent int // at least what toPrettyJson puts before the values
}

// escaping is how much longer a function makes text at most: a control character is \u0001 in JSON, and a quote &#34; in HTML.
const escaping = 6

var escapes = map[string]bool{
	"html": true, "js": true, "urlquery": true, "quote": true,
	"toJson": true, "mustToJson": true, "toRawJson": true, "mustToRawJson": true, "toPrettyJson": true, "mustToPrettyJson": true,
}

// before fails if a function could make a text of its arguments that is too long, or decode too much, before it does.
func (b *budget) before(name string, arguments []reflect.Value) error {
	var all size
	var each []size
	widest := 0
	for i, argument := range arguments {
		if name == "printf" && i == 1 {
			for j := range argument.Len() {
				one, err := b.measure(argument.Index(j))
				if err != nil {
					return err
				}
				each = append(each, one)
				widest = max(widest, width(argument.Index(j).Elem()))
			}
			break
		}
		one, err := b.measure(argument)
		if err != nil {
			return err
		}
		all.text += one.text
		all.indent += one.indent
	}
	length := all.text
	switch {
	case name == "printf":
		length = printfLength(arguments[0].String(), each, widest)
	case name == "toPrettyJson", name == "mustToPrettyJson":
		length = escaping*all.text + all.indent
	case escapes[name]:
		length = escaping * all.text
	case name == "fromJson", name == "mustFromJson":
		count := valuesOfJSON(arguments[0].String())
		if count > maxItems {
			return errTooMany
		}
		if err := b.spend(stepWork * count); err != nil {
			return err
		}
		return b.spendText(all.text)
	}
	if length > maxText {
		return errTooLong
	}
	return nil
}

// after counts what a function returned.
func (b *budget) after(result reflect.Value) error {
	switch kind := result.Kind(); {
	case kind == reflect.String:
		return b.spendText(result.Len())
	case kind == reflect.Slice:
		if result.Len() > maxItems {
			return errTooMany
		}
		if result.Type().Elem().Kind() != reflect.String {
			return nil
		}
	case kind == reflect.Map && result.Type().Elem().Kind() == reflect.String:
	default:
		return nil
	}
	all, err := b.measure(result)
	if err != nil {
		return err
	}
	return b.spendText(16*result.Len() + all.text)
}

// maxPadding is the largest width and precision that package fmt accepts.
const maxPadding = 1_000_000

// printfLength returns at least how long the text of printf becomes, without following which value a verb gets: a width
// applies to every element of a list, and with [1] all verbs may print the same value.
func printfLength(format string, values []size, widest int) int {
	verbs, padding, number, factor, again := 0, 0, 64, 1, false
	for rest := format; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			break
		}
		verbs++
		rest = strings.TrimLeft(after, "+-# 0123456789.*[]")
		flags := after[:len(after)-len(rest)]
		for _, digits := range strings.FieldsFunc(flags, func(r rune) bool { return r < '0' || r > '9' }) {
			n, err := strconv.Atoi(digits)
			if err != nil {
				n = maxPadding
			}
			padding = max(padding, min(n, maxPadding))
		}
		if strings.Contains(flags, "*") {
			padding = max(padding, widest)
		}
		again = again || strings.Contains(flags, "[")
		switch {
		case rest == "":
		case rest[0] == 'f' || rest[0] == 'F':
			number = 400 // the largest number has 309 digits
		case strings.Contains(flags, "#") || !strings.ContainsRune("svd%", rune(rest[0])):
			factor = escaping
		}
	}
	length := func(s size) int { return factor*s.text + s.values*(number+2*padding) }
	total, longest := 0, 0
	for _, one := range values {
		total += length(one)
		longest = max(longest, length(one))
	}
	if again {
		total = verbs * longest
	}
	return total + len(format) + number*verbs
}

// width returns the width that a value is for the * of printf.
func width(v reflect.Value) int {
	switch {
	case v.CanInt():
		if v.Int() < -maxPadding {
			return maxPadding
		}
		return int(min(max(v.Int(), -v.Int()), maxPadding))
	case v.CanUint():
		return int(min(v.Uint(), maxPadding))
	}
	return 0
}

// valuesOfJSON returns at least how many values a text of JSON has.
func valuesOfJSON(text string) int {
	count, quoted := 1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			count++
		}
	}
	return count
}
