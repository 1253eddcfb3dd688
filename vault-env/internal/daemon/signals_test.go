package daemon

import (
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
	for s, want := range map[syscall.Signal]bool{syscall.SIGTERM: true, syscall.SIGINT: true, syscall.SIGHUP: true, syscall.SIGQUIT: true, syscall.SIGUSR1: false, syscall.SIGWINCH: false} {
		if endsEarly(s) != want {
			t.Errorf("endsEarly(%d) = %v", s, !want)
		}
	}
	if signalStatus(syscall.SIGTERM) != 143 {
		t.Errorf("signalStatus(15) = %d", signalStatus(syscall.SIGTERM))
	}
}

func TestCatchSignals(t *testing.T) {
	c := catchSignals()
	defer signal.Stop(c)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGPIPE, 64} {
		syscall.Kill(syscall.Getpid(), s)
		for deadline := time.After(10 * time.Second); ; {
			var got any
			select {
			case got = <-c:
			case <-deadline:
				t.Fatalf("signal %d did not arrive", s)
			}
			if got == s {
				break
			}
		}
	}
}
