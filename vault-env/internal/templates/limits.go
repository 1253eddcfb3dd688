package templates

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// The bounds of one template, except maxTime. The author of an environment writes its templates, so none may use up the memory or
// the time of the container, or end vault-env in another way than by a failure.
const (
	maxOutput  = 1 << 20         // bytes; a variable holds 128 KiB at most
	maxText    = 8 << 20         // bytes that all functions together return, and that one gets or could return
	maxItems   = 1 << 16         // of a list that a function makes
	maxWork    = 2_000_000       // elements of arguments and of what is printed; a step counts as stepWork of them
	stepWork   = 20              // of each turn of a loop, call of a template and expression
	maxDepth   = 100             // of templates that call templates
	maxNesting = 1_000           // of values in values: no secret is nested so deeply, so this is a cycle
	maxTime    = 5 * time.Second // of all templates of a start, for what the other bounds let through, such as a slow regular expression
)

// errLimit is the error of a template that exceeds a bound. Its text says which one, and quotes nothing.
type errLimit string

func (e errLimit) Error() string { return string(e) }

const (
	errTooLong   = errLimit("it makes more text than the 8 MiB that are allowed, or prints more than 1 MiB")
	errTooMany   = errLimit("it makes a list of more than 65536 elements")
	errTooMuch   = errLimit("it does more than the 100000 steps that are allowed, or reads more than 2000000 elements")
	errTooDeep   = errLimit("its templates call each other more than 100 levels deep")
	errTooNested = errLimit("a value contains itself, or is nested more than 1000 levels deep")
	errTooSlow   = errLimit("all templates together take longer than 5 seconds")
)

// errMissing is the error of a value that is not there and would be printed. It is the expression, if that is known.
type errMissing string

func (e errMissing) Error() string { return "no value" }

// budget is what one evaluation may still use.
type budget struct {
	work, text, depth int
	seen              size // by the walk that goes on
}

func newBudget() *budget { return &budget{work: maxWork, text: maxText, depth: maxDepth} }

func (b *budget) spend(steps int) error {
	if b.work -= steps; b.work < 0 {
		return errTooMuch
	}
	return nil
}

func (b *budget) spendText(bytes int) error {
	if b.text -= bytes; b.text < 0 {
		return errTooLong
	}
	return nil
}

// measure counts all that is in a value, as often as printing would come across it.
func (b *budget) measure(v reflect.Value) (size, error) {
	b.seen = size{}
	err := b.walk(v, 0)
	return b.seen, err
}

func (b *budget) walk(v reflect.Value, nesting int) error {
	if nesting > maxNesting {
		return errTooNested
	}
	if err := b.spend(1); err != nil {
		return err
	}
	b.seen.values++
	b.seen.indent += nesting
	switch v.Kind() {
	case reflect.String:
		b.seen.text += v.Len()
	case reflect.Interface, reflect.Pointer:
		return b.walk(v.Elem(), nesting+1)
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			b.seen.text += entries.Key().Len() // all keys are strings
			if err := b.walk(entries.Value(), nesting+1); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Interface, reflect.Map, reflect.Slice, reflect.String:
		default:
			b.seen.values += v.Len()
			b.seen.indent += (nesting + 1) * v.Len()
			return b.spend(v.Len())
		}
		for i := range v.Len() {
			if err := b.walk(v.Index(i), nesting+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// bounded returns the function of a name with its arguments and its result counted. It panics with the error, which text/template
// turns into one of the call.
func (b *budget) bounded(name string, function any) any {
	f := reflect.ValueOf(function)
	call := f.Call
	if f.Type().IsVariadic() {
		call = f.CallSlice
	}
	return reflect.MakeFunc(f.Type(), func(arguments []reflect.Value) []reflect.Value {
		must(b.before(name, arguments))
		results := call(arguments)
		must(b.after(results[0]))
		return results
	}).Interface()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// printed returns the text that the value of an expression is printed as. It fails for a value that is not there.
func (b *budget) printed(expression string, v any) (string, error) {
	if v == nil {
		return "", errMissing(expression)
	}
	text, isText := v.(string)
	if !isText {
		all, err := b.measure(reflect.ValueOf(v))
		if err != nil {
			return "", err
		}
		if all.text > maxText {
			return "", errTooLong
		}
		text = fmt.Sprint(v)
	}
	return text, b.spend(stepWork)
}

// made counts what a method returned.
func (b *budget) made(v any) (any, error) {
	if text, isText := v.(string); isText {
		return v, b.spendText(len(text))
	}
	return v, nil
}

// step is called at each turn of a loop, enter and leave around the body of each template.
func (b *budget) step() (string, error) { return "", b.spend(stepWork) }

func (b *budget) enter() (string, error) {
	if b.depth--; b.depth < 0 {
		return "", errTooDeep
	}
	return b.step()
}

func (b *budget) leave() string {
	b.depth++
	return ""
}

// output is the text of a template, up to maxOutput.
type output struct {
	strings.Builder
}

// Write appends to the text. It fails if that becomes too long.
func (o *output) Write(p []byte) (int, error) {
	if o.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return o.Builder.Write(p)
}

// room panics if a function would make a text that is too long, before it does.
func room(count, length int) {
	if count > 0 && length > 0 && count > maxText/length {
		panic(errTooLong)
	}
}

// roomForItems panics if a function would make a list that is too long, before it does.
func roomForItems(count int) {
	if count > maxItems {
		panic(errTooMany)
	}
}
