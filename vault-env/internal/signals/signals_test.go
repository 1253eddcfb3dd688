package signals

import (
	"syscall"
	"testing"
)

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]syscall.Signal{
		"SIGTERM": 15, "SIGINT": 2, "SIGQUIT": 3, "SIGHUP": 1, "SIGUSR1": 10, "SIGUSR2": 12, "SIGKILL": 9, "SIGABRT": 6, "SIGALRM": 14, "SIGPWR": 30,
		"SIGRTMIN": 34, "SIGRTMIN+0": 34, "SIGRTMIN+3": 37, "SIGRTMIN+15": 49, "SIGRTMAX": 64, "SIGRTMAX-14": 50,
		"": 0, "TERM": 0, "sigterm": 0, "15": 0, "SIGSTOP": 0, "SIGCHLD": 0, "SIGCONT": 0, "SIGRTMIN3": 0, "SIGRTMIN-1": 0, "SIGRTMIN+16": 0,
		"SIGRTMIN++3": 0, "SIGRTMAX+1": 0, "SIGRTMAX-": 0, "SIGRTMAX-99999999999": 0,
	} {
		got, ok := Parse(name)
		if ok != (want != 0) || ok && got != want {
			t.Errorf("parseSignal(%q) = %d, %v; want %d", name, got, ok, want)
		}
	}
	if got := Name(syscall.SIGTERM); got != "SIGTERM" {
		t.Errorf("signalName(15) = %q", got)
	}
	if got := Name(37); got != "signal 37" {
		t.Errorf("signalName(37) = %q", got)
	}
}
