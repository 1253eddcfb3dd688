package main

import (
	"math"
	"testing"
	"time"
)

func TestLeaseOf(t *testing.T) {
	key := readKey{path: "database/creds/shop"}
	for name, c := range map[string]struct {
		body string
		want lease
		is   bool
	}{
		"dynamic secret":         {`{"lease_id":"database/creds/shop/x","lease_duration":3600,"renewable":true,"data":{}}`, lease{"database/creds/shop/x", time.Hour, true, key}, true},
		"one that ends for good": {`{"lease_id":"aws/sts/x","lease_duration":900,"renewable":false}`, lease{"aws/sts/x", 15 * time.Minute, false, key}, true},
		"KV version 1":           {`{"lease_id":"","lease_duration":2764800,"renewable":false}`, lease{}, false},
		"no lease at all":        {`{"data":{}}`, lease{}, false},
		"a duration below zero":  {`{"lease_id":"x","lease_duration":-5}`, lease{"x", 0, false, key}, true},
		"a duration that lies":   {`{"lease_id":"x","lease_duration":9223372036854775807}`, lease{"x", longestLease, false, key}, true},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := decodeAnswer([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if got, is := leaseOf(key, answer); got != c.want || is != c.is {
				t.Errorf("got %+v, %v; want %+v, %v", got, is, c.want, c.is)
			}
		})
	}
}

func TestTokenLeaseOf(t *testing.T) {
	answer, err := decodeAnswer([]byte(`{"auth":{"client_token":"t","lease_duration":600,"renewable":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tokenLeaseOf(answer.Auth), (lease{duration: 10 * time.Minute, renewable: true}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	if seconds(math.MinInt64) != 0 || seconds(1) != time.Second {
		t.Error("seconds")
	}
}
