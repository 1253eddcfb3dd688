package login

import (
	"context"
	"testing"
	"time"
)

func TestRefusedLate(t *testing.T) {
	for reason, want := range map[string]string{
		"403 Forbidden: permission denied": "403: permission denied", "403 Forbidden": "403",
		"500 Internal Server Error: x": "500 Internal Server Error: x", "503 Service Unavailable": "", "timeout": "", "": "",
	} {
		if said, refused := refusedLate(reason); refused != (want != "") || refused && said != want {
			t.Errorf("%q: %q, %v", reason, said, refused)
		}
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
