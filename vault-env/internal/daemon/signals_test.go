package daemon

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestWhichSignalsAreForwarded(t *testing.T) {
	for s, want := range map[syscall.Signal]bool{
		syscall.SIGTERM: true, syscall.SIGINT: true, syscall.SIGHUP: true, syscall.SIGQUIT: true, syscall.SIGUSR1: true, syscall.SIGUSR2: true,
		syscall.SIGWINCH: true, syscall.SIGCONT: true, syscall.SIGTSTP: true, syscall.SIGALRM: true, 37: true, 64: true,
		syscall.SIGCHLD: false, syscall.SIGURG: false, syscall.SIGPIPE: false, syscall.SIGTTIN: false, syscall.SIGTTOU: false,
	} {
		if isForwarded(s) != want {
			t.Errorf("isForwarded(%d) = %v", s, !want)
		}
	}
}

func TestCatchSignals(t *testing.T) {
	c := catchSignals()
	defer c.stop()
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, 64} {
		syscall.Kill(syscall.Getpid(), s)
		select {
		case got := <-c.forwarded:
			if got != s {
				t.Errorf("received %d in place of %d", got, s)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("signal %d did not arrive", s)
		}
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGPIPE) // would end the process
	syscall.Kill(syscall.Getpid(), syscall.SIGCHLD)
	select {
	case <-c.children:
	case <-time.After(10 * time.Second):
		t.Fatal("SIGCHLD did not arrive")
	}
}

// Nobody receives the signals while they arrive: each of them is still there afterwards, once.
func TestAFloodOfSignalsLosesNone(t *testing.T) {
	c := catchSignals()
	defer c.stop()
	rare := []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGCHLD, 50}
	const last = syscall.SIGUSR2
	flood := make(chan os.Signal, 1)
	signal.Notify(flood, syscall.SIGUSR1)
	defer signal.Stop(flood)
	for range 4 * lastSignal {
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		<-flood // Go has passed it on, or dropped it
	}
	for _, s := range append(rare, last) {
		syscall.Kill(syscall.Getpid(), s)
	}
	missing := map[syscall.Signal]bool{last: true}
	for _, s := range rare {
		missing[s] = true
	}
	for deadline := time.After(10 * time.Second); len(missing) > 0; {
		select {
		case s := <-c.forwarded:
			delete(missing, s)
		case <-c.children:
			delete(missing, syscall.SIGCHLD)
		case <-deadline:
			t.Fatalf("lost: %v", missing)
		}
	}
}
