package templates

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// number is a number from fromJson. text/template calculates, compares and tests it like the float64 of Sprig, but it is
// printed without an exponent: 1000000, not 1e+06.
type number float64

// String returns the number as JSON has it.
func (n number) String() string {
	if size := math.Abs(float64(n)); size >= 1e21 || size != 0 && size < 1e-6 {
		return strconv.FormatFloat(float64(n), 'g', -1, 64)
	}
	return strconv.FormatFloat(float64(n), 'f', -1, 64)
}

// exact is a number from fromJson that a float64 would change, such as 12345678901234567891. It is text for text/template,
// and a number for the functions, printf and JSON.
type exact string

// String returns the number as it was written.
func (e exact) String() string { return string(e) }

// MarshalJSON returns the number as it was written.
func (e exact) MarshalJSON() ([]byte, error) { return []byte(e), nil }

// Format formats the number for printf: as a float64 or a whole number where the verb asks for one.
func (e exact) Format(f fmt.State, verb rune) {
	var v any = string(e)
	switch verb {
	case 'b', 'e', 'E', 'f', 'F', 'g', 'G':
		v = parseFloat(string(e))
	case 'd':
		if n, ok := new(big.Int).SetString(string(e), 10); ok {
			v = n
		}
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), v)
}

// withNumbers replaces the numbers of decoded JSON.
func withNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = withNumbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = withNumbers(value)
		}
	case json.Number:
		return numberOf(v.String())
	}
	return v
}

// maxExact is the length up to which a number is compared with its float64: longer ones have more digits than it, or an
// exponent that would take long to write out.
const maxExact = 40

func numberOf(text string) any {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > maxExact {
		return exact(text)
	}
	if f == 0 {
		return number(0)
	}
	written, ok := new(big.Rat).SetString(text)
	shortest, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	if !ok || written.Cmp(shortest) != 0 {
		return exact(text)
	}
	return number(f)
}

// plain returns a value with the numbers of fromJson as the float64 that Sprig has, for comparisons and names of types.
func plain(v any) any {
	switch v := v.(type) {
	case number:
		return float64(v)
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, value := range v {
			c[key] = plain(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, value := range v {
			c[i] = plain(value)
		}
		return c
	}
	return v
}
