package templates

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"text/template"
)

var errDivision = errors.New("division by zero")

func numberFunctions() template.FuncMap {
	return template.FuncMap{
		"atoi":      func(s string) int { n, _ := strconv.Atoi(s); return n },
		"int":       func(v any) int { return int(toInt64(v)) },
		"int64":     toInt64,
		"float64":   toFloat64,
		"toDecimal": func(v any) int64 { n, _ := strconv.ParseInt(fmt.Sprint(v), 8, 64); return n },
		"add1":      func(v any) int64 { return toInt64(v) + 1 },
		"add":       func(v ...any) int64 { return fold(0, v, func(a, b int64) int64 { return a + b }) },
		"sub":       func(a, b any) int64 { return toInt64(a) - toInt64(b) },
		"mul":       func(a any, v ...any) int64 { return fold(toInt64(a), v, func(a, b int64) int64 { return a * b }) },
		"div":       func(a, b any) (int64, error) { return divide(a, b, func(a, b int64) int64 { return a / b }) },
		"mod":       func(a, b any) (int64, error) { return divide(a, b, func(a, b int64) int64 { return a % b }) },
		"max":       largest,
		"biggest":   largest,
		"min":       func(a any, v ...any) int64 { return fold(toInt64(a), v, func(a, b int64) int64 { return min(a, b) }) },
		"add1f":     func(v any) float64 { return foldDecimal(v, []any{1}, (*big.Rat).Add) },
		"addf":      func(v ...any) float64 { return foldDecimal(0, v, (*big.Rat).Add) },
		"subf":      func(a any, v ...any) float64 { return foldDecimal(a, v, (*big.Rat).Sub) },
		"mulf":      func(a any, v ...any) float64 { return foldDecimal(a, v, (*big.Rat).Mul) },
		"divf":      func(a any, v ...any) float64 { return foldDecimal(a, v, (*big.Rat).Quo) },
		"maxf":      func(a any, v ...any) float64 { return foldFloat(a, v, math.Max) },
		"minf":      func(a any, v ...any) float64 { return foldFloat(a, v, math.Min) },
		"ceil":      func(v any) float64 { return math.Ceil(toFloat64(v)) },
		"floor":     func(v any) float64 { return math.Floor(toFloat64(v)) },
		"round":     round,
		"seq":       sequence,
		"until":     func(n int) []int { return untilStep(0, n, pick(n < 0, -1, 1)) },
		"untilStep": untilStep,
	}
}

func largest(a any, v ...any) int64 {
	return fold(toInt64(a), v, func(a, b int64) int64 { return max(a, b) })
}

func fold(start int64, values []any, f func(a, b int64) int64) int64 {
	for _, v := range values {
		start = f(start, toInt64(v))
	}
	return start
}

func foldFloat(start any, values []any, f func(a, b float64) float64) float64 {
	result := toFloat64(start)
	for _, v := range values {
		result = f(result, toFloat64(v))
	}
	return result
}

// foldDecimal calculates with decimal numbers, so that 0.1 plus 0.2 is 0.3.
func foldDecimal(start any, values []any, f func(z, a, b *big.Rat) *big.Rat) float64 {
	result := decimal(start)
	for _, v := range values {
		result = f(new(big.Rat), result, decimal(v))
		room(result.Num().BitLen()+result.Denom().BitLen(), maxText/maxItems)
	}
	number, _ := result.Float64()
	return number
}

func decimal(v any) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(toFloat64(v), 'g', -1, 64))
	if !ok {
		return new(big.Rat)
	}
	return r
}

func divide(a, b any, f func(a, b int64) int64) (int64, error) {
	if toInt64(b) == 0 {
		return 0, errDivision
	}
	return f(toInt64(a), toInt64(b)), nil
}

// toInt64 returns v as a number, or 0 if it is not one, like Sprig.
func toInt64(v any) int64 {
	switch v := v.(type) {
	case json.Number:
		return parseInt(v.String())
	case exact:
		return parseInt(string(v))
	case string:
		return parseInt(v)
	case bool:
		return pick[int64](v, 1, 0)
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return r.Int()
	case r.CanUint():
		return int64(r.Uint())
	case r.CanFloat():
		return int64(r.Float())
	}
	return 0
}

// parseInt parses a whole number, optionally with a base prefix and a fraction of zeros.
func parseInt(s string) int64 {
	if whole, fraction, found := strings.Cut(s, "."); found && fraction != "" && strings.Trim(fraction, "0") == "" {
		s = whole
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		return 0
	}
	return n
}

func toFloat64(v any) float64 {
	switch v := v.(type) {
	case json.Number:
		return parseFloat(v.String())
	case exact:
		return parseFloat(string(v))
	case string:
		return parseFloat(v)
	case bool:
		return pick(v, 1.0, 0.0)
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return float64(r.Int())
	case r.CanUint():
		return float64(r.Uint())
	case r.CanFloat():
		return r.Float()
	}
	return 0
}

func parseFloat(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return f
}

// round rounds to a number of decimal places; a fraction of on or more is rounded up.
func round(v any, places int, on ...float64) float64 {
	up := 0.5
	if len(on) > 0 {
		up = on[0]
	}
	power := math.Pow(10, float64(places))
	shifted := power * toFloat64(v)
	if _, fraction := math.Modf(shifted); fraction >= up {
		return math.Ceil(shifted) / power
	}
	return math.Floor(shifted) / power
}

func untilStep(start, stop, step int) []int {
	numbers := []int{}
	if step == 0 || (stop < start) != (step < 0) {
		return numbers
	}
	for i := start; (step > 0 && i < stop) || (step < 0 && i > stop); i += step {
		numbers = append(numbers, i)
		roomForItems(len(numbers))
		if (i+step < i) != (step < 0) { // beyond all numbers
			break
		}
	}
	return numbers
}

// sequence works like seq(1): END, START END, or START STEP END, including the end.
func sequence(p ...int) string {
	start, step := 1, 1
	var end int
	switch len(p) {
	case 1:
		end = p[0]
	case 2:
		start, end = p[0], p[1]
	case 3:
		start, step, end = p[0], p[1], p[2]
	default:
		return ""
	}
	if len(p) < 3 && end < start {
		step = -1
	}
	if len(p) == 3 && end < start && step > 0 {
		return ""
	}
	return strings.Join(toStrings(untilStep(start, end+pick(end < start, -1, 1), step)), " ")
}
