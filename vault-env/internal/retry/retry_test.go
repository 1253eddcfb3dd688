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

// A server that asks for a pause gets it whole; clients that were told the same time come back at different ones.
func TestThePauseThatAServerAsksForIsSpread(t *testing.T) {
	for _, c := range []struct {
		asked, left, least, most time.Duration
	}{
		{asked: time.Second, least: time.Second, most: 2 * time.Second},
		{asked: 30 * time.Second, least: 30 * time.Second, most: time.Minute},
		{asked: time.Second, left: time.Hour, least: time.Second, most: 2 * time.Second},
		{asked: time.Hour, left: 2 * time.Hour, least: time.Hour, most: 90 * time.Minute},
		{asked: time.Hour, left: time.Minute, least: time.Hour, most: time.Hour},
		{asked: 0, least: firstBackoff / 2, most: firstBackoff},
		{asked: -time.Hour, least: firstBackoff / 2, most: firstBackoff},
		{asked: time.Millisecond, least: firstBackoff / 2, most: firstBackoff},
	} {
		ctx, cancel := context.Background(), func() {}
		if c.left > 0 {
			ctx, cancel = context.WithTimeout(ctx, c.left)
		}
		var pauses []time.Duration
		for _, random := range []float64{0, 0.5, 0.999} {
			got := Retrier{random: func() float64 { return random }}.Pause(ctx, c.asked, 0)
			if got < c.least || got > c.most {
				t.Errorf("asked for %s with %s left: %s with %v", c.asked, c.left, got, random)
			}
			pauses = append(pauses, got)
		}
		if c.least != c.most && (pauses[0] == pauses[1] || pauses[1] == pauses[2]) {
			t.Errorf("asked for %s with %s left: the same pause for all: %v", c.asked, c.left, pauses)
		}
		cancel()
	}
}

func TestWorth(t *testing.T) {
	worth := map[int]bool{408: true, 412: true, 425: true, 429: true, 472: true, 473: true}
	for status := 100; status < 700; status++ {
		if want := worth[status] || status >= 500; Worth(status) != want {
			t.Errorf("Worth(%d) = %v", status, !want)
		}
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
