package vault

import (
	"math"
	"testing"
	"time"
)

func TestLeaseOf(t *testing.T) {
	key := Request{Path: "database/creds/shop"}
	for name, c := range map[string]struct {
		body string
		want Lease
		is   bool
	}{
		"dynamic secret":          {`{"lease_id":"database/creds/shop/x","lease_duration":3600,"renewable":true,"data":{}}`, Lease{"database/creds/shop/x", time.Hour, true, key}, true},
		"not renewable":           {`{"lease_id":"aws/sts/x","lease_duration":900,"renewable":false}`, Lease{"aws/sts/x", 15 * time.Minute, false, key}, true},
		"KV version 1":            {`{"lease_id":"","lease_duration":2764800,"renewable":false}`, Lease{}, false},
		"no lease at all":         {`{"data":{}}`, Lease{}, false},
		"a duration below zero":   {`{"lease_id":"x","lease_duration":-5}`, Lease{"x", 0, false, key}, true},
		"an implausible duration": {`{"lease_id":"x","lease_duration":9223372036854775807}`, Lease{"x", longestLease, false, key}, true},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := Decode([]byte(c.body))
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
	answer, err := Decode([]byte(`{"auth":{"client_token":"t","lease_duration":600,"renewable":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := TokenLease(answer.Auth), (Lease{Duration: 10 * time.Minute, Renewable: true}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	if Seconds(math.MinInt64) != 0 || Seconds(1) != time.Second {
		t.Error("seconds")
	}
}
