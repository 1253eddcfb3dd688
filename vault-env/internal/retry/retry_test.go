package retry

import (
	"context"
	"testing"
	"time"
)

func TestBackoffGrowsWithinBounds(t *testing.T) {
	for _, random := range []float64{0, 0.999} {
		c := Retrier{random: func() float64 { return random }}
		for attempt, full := range []time.Duration{firstBackoff, 2 * firstBackoff, 4 * firstBackoff} {
			if got := c.backoff(context.Background(), attempt); got < full/2 || got > full {
				t.Errorf("backoff(%d) = %s", attempt, got)
			}
		}
		if got := c.backoff(context.Background(), 1<<30); got < longestWait/2 || got > longestWait {
			t.Errorf("backoff far out = %s", got)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if got := c.backoff(ctx, 1<<30); got < firstBackoff/2 || got > time.Second/2 {
			t.Errorf("backoff a second before the deadline = %s", got)
		}
		cancel()
	}
}

func TestSleepDoesNotOutlastTheDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if Sleep(ctx, time.Hour) {
		t.Error("slept past the deadline")
	}
	cancel()
	if Sleep(ctx, time.Second) {
		t.Error("slept although cancelled")
	}
	if !Sleep(context.Background(), time.Millisecond) {
		t.Error("did not sleep")
	}
}
