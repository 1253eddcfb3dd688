// Package signals has the signals that can end a program, by the names that people write in settings.
package signals

import (
	"strconv"
	"strings"
	"syscall"
)

// endingSignals are the signals that can end a program, in addition to the real-time signals.
var endingSignals = [...]struct {
	name   string
	signal syscall.Signal
}{
	{"SIGTERM", syscall.SIGTERM}, {"SIGINT", syscall.SIGINT}, {"SIGQUIT", syscall.SIGQUIT}, {"SIGHUP", syscall.SIGHUP},
	{"SIGUSR1", syscall.SIGUSR1}, {"SIGUSR2", syscall.SIGUSR2}, {"SIGKILL", syscall.SIGKILL}, {"SIGABRT", syscall.SIGABRT},
	{"SIGALRM", syscall.SIGALRM}, {"SIGPWR", syscall.SIGPWR},
}

// SIGRTMIN and SIGRTMAX as in the C libraries and the container runtimes.
const (
	realTimeMin = 34
	realTimeMax = 64
)

// Parse returns the signal with a name (SIGTERM, SIGRTMIN+3), and whether it can end a program.
func Parse(name string) (syscall.Signal, bool) {
	for _, s := range endingSignals {
		if s.name == name {
			return s.signal, true
		}
	}
	if offset, ok := strings.CutPrefix(name, "SIGRTMIN"); ok {
		n, ok := realTimeOffset(offset, "+")
		return syscall.Signal(realTimeMin + n), ok
	}
	if offset, ok := strings.CutPrefix(name, "SIGRTMAX"); ok {
		n, ok := realTimeOffset(offset, "-")
		return syscall.Signal(realTimeMax - n), ok
	}
	return 0, false
}

func realTimeOffset(text, sign string) (int, bool) {
	if text == "" {
		return 0, true
	}
	digits, ok := strings.CutPrefix(text, sign)
	n, err := strconv.ParseUint(digits, 10, 8)
	return int(n), ok && err == nil && n <= 15
}

// Name returns the name of a signal, for messages.
func Name(s syscall.Signal) string {
	for _, known := range endingSignals {
		if known.signal == s {
			return known.name
		}
	}
	return "signal " + strconv.Itoa(int(s))
}
