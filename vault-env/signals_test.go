package main

import (
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]syscall.Signal{
		"SIGTERM": 15, "SIGINT": 2, "SIGQUIT": 3, "SIGHUP": 1, "SIGUSR1": 10, "SIGUSR2": 12, "SIGKILL": 9, "SIGABRT": 6, "SIGALRM": 14, "SIGPWR": 30,
		"SIGRTMIN": 34, "SIGRTMIN+0": 34, "SIGRTMIN+3": 37, "SIGRTMIN+15": 49, "SIGRTMAX": 64, "SIGRTMAX-14": 50,
		"": 0, "TERM": 0, "sigterm": 0, "15": 0, "SIGSTOP": 0, "SIGCHLD": 0, "SIGCONT": 0, "SIGRTMIN3": 0, "SIGRTMIN-1": 0, "SIGRTMIN+16": 0,
		"SIGRTMIN++3": 0, "SIGRTMAX+1": 0, "SIGRTMAX-": 0, "SIGRTMAX-99999999999": 0,
	} {
		got, ok := parseSignal(name)
		if ok != (want != 0) || ok && got != want {
			t.Errorf("parseSignal(%q) = %d, %v; want %d", name, got, ok, want)
		}
	}
	if got := signalName(syscall.SIGTERM); got != "SIGTERM" {
		t.Errorf("signalName(15) = %q", got)
	}
	if got := signalName(37); got != "signal 37" {
		t.Errorf("signalName(37) = %q", got)
	}
}

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
