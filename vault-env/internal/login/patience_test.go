package login

import (
	"context"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/retry"
)

func TestRefusedLate(t *testing.T) {
	const refusal = `{"errors":["permission denied"]}`
	for _, c := range []struct {
		status  int
		body    string
		refused bool
	}{
		{403, refusal, true}, {500, refusal, true}, {500, `{"errors":[]}`, true},
		{503, refusal, false}, {429, refusal, false}, {403, "", false}, {403, "<html>", false}, {500, "", false}, {500, "<html>", false}, {500, "{}", false},
	} {
		if got := refusedLate(&retry.Answer{Status: c.status, Body: []byte(c.body)}); got != c.refused {
			t.Errorf("%d %q: %v", c.status, c.body, got)
		}
	}
	if refusedLate(nil) {
		t.Error("a connection error is a refusal")
	}
}

func TestPatience(t *testing.T) {
	begun := time.Now()
	for _, c := range []struct {
		timeout time.Duration
		refused []time.Duration // when, after the login began
		again   []bool
	}{
		{10 * time.Second, []time.Duration{0, time.Second, 6600 * time.Millisecond, 6700 * time.Millisecond}, []bool{true, true, true, false}},
		{10 * time.Second, []time.Duration{9 * time.Second, 9500 * time.Millisecond}, []bool{true, false}},
		{time.Second, []time.Duration{600 * time.Millisecond, 700 * time.Millisecond}, []bool{true, false}},
		{0, []time.Duration{0, time.Millisecond}, []bool{true, false}},
	} {
		ctx, cancel := context.Background(), func() {}
		if c.timeout > 0 {
			ctx, cancel = context.WithDeadline(ctx, begun.Add(c.timeout))
		}
		p := patienceFor(ctx, begun)
		for i, after := range c.refused {
			if got := p.again(begun.Add(after)); got != c.again[i] {
				t.Errorf("timeout %s, refused after %s: %v", c.timeout, after, got)
			}
		}
		cancel()
	}
}
