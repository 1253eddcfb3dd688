package templates

import (
	"encoding/json"
	"errors"
	"strings"
	"text/template"
	"time"
)

// timeFunctions returns functions that only know UTC: the result of a template must not depend on the time zone files
// of the image.
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

// asTime returns a time, from a time or from seconds since 1970. (Sprig treats anything else as the current time.)
func asTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case *time.Time:
		return *v, nil
	case int, int32, int64, json.Number, number, exact:
		return time.Unix(toInt64(v), 0), nil
	}
	return time.Time{}, errors.New("not a time")
}

// durationRound returns a duration in its largest unit that is not zero: "3h", "2mo".
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
