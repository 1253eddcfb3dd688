package templates

import (
	"fmt"
	"text/template"
)

// printFunctions returns text/template's own functions that make text of any value. Unlike those, they fail for a value that
// is not there, and so never make a "<nil>" of a missing key.
func printFunctions() template.FuncMap {
	return template.FuncMap{
		"print":    func(v ...any) string { return fmt.Sprint(present(v)...) },
		"printf":   func(format string, v ...any) string { return fmt.Sprintf(format, present(v)...) },
		"println":  func(v ...any) string { return fmt.Sprintln(present(v)...) },
		"html":     func(v ...any) string { return template.HTMLEscaper(present(v)...) },
		"js":       func(v ...any) string { return template.JSEscaper(present(v)...) },
		"urlquery": func(v ...any) string { return template.URLQueryEscaper(present(v)...) },
	}
}

func present(values []any) []any {
	for _, v := range values {
		if v == nil {
			panic(errMissing(""))
		}
	}
	return values
}
