package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// openTerminal returns the two ends of a pseudo-terminal: the one of the user, and the one of programs.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("pseudo-terminals are not available: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	var locked, number int32
	raw, err := user.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&locked)))
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
	})
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("pseudo-terminals are not available: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	return user, program
}

// session is a process that runs on a terminal, as its session's leader.
type session struct {
	*running
	user   *os.File
	screen string
}

func startSession(t *testing.T, env []string, name string, args ...string) *session {
	t.Helper()
	user, program := openTerminal(t)
	s := &session{running: &running{t: t, cmd: exec.Command(name, args...)}, user: user}
	s.cmd.Env = append([]string{"PATH=/usr/bin:/bin", "GOCOVERDIR=" + t.TempDir()}, env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = program, program, program
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	t.Cleanup(s.endAll)
	return s
}

func (s *session) types(text string) {
	s.t.Helper()
	if _, err := s.user.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until the screen shows a text, and forgets everything up to it.
func (s *session) shows(text string) {
	s.t.Helper()
	s.user.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 1024)
	for !strings.Contains(s.screen, text) {
		n, err := s.user.Read(b)
		if err != nil {
			s.t.Fatalf("the screen shows %q (%v); want %q; children %v", s.screen, err, text, children(s.pid()))
		}
		s.screen += string(bytes.ReplaceAll(b[:n], []byte("\r"), nil))
	}
	_, s.screen, _ = strings.Cut(s.screen, text)
}

func (s *session) ended(status int) {
	s.t.Helper()
	s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("exit status %d; want %d", got, status)
	}
}

const (
	controlC = "\x03"
	controlZ = "\x1a"
)

var beDaemon = []string{"BE_VAULT_ENV=true", "VAULT_ENV_DAEMON=true"}

// In a container with a terminal, vault-env leads the session.
func TestTerminalOfAContainer(t *testing.T) {
	t.Run("the program gets the input", func(t *testing.T) {
		s := startSession(t, beDaemon, self(t), "sh", "-c", `read -r x; echo "got $x"; exit 3`)
		s.types("hello\n")
		s.shows("got hello")
		s.ended(3)
	})
	t.Run("the program gets ^C, once", func(t *testing.T) {
		s := startSession(t, append(beDaemon, "BE_PROGRAM=true"), self(t), self(t))
		s.shows("ready\n")
		s.types(controlC)
		s.shows("2\n")
		s.signal(syscall.SIGUSR1)
		s.shows("10\n")
		if strings.Contains(s.screen, "2") {
			t.Errorf("twice: %q", s.screen)
		}
		s.signal(syscall.SIGTERM)
		s.ended(0)
	})
	t.Run("^C ends a program", func(t *testing.T) {
		s := startSession(t, beDaemon, self(t), "sh", "-c", "echo ready; exec sleep 60")
		s.shows("ready\n")
		s.types(controlC)
		s.ended(130)
	})
	t.Run("^Z does not stop what nobody could continue", func(t *testing.T) {
		s := startSession(t, beDaemon, self(t), "sh", "-c", `echo ready; while read -r x; do echo "got $x"; done`)
		s.shows("ready\n")
		s.types(controlZ)
		time.Sleep(50 * time.Millisecond)
		s.types("hello\n")
		s.shows("got hello")
		s.types("\x04")
		s.ended(0)
	})
	t.Run("the size of the window", func(t *testing.T) {
		s := startSession(t, append(beDaemon, "BE_PROGRAM=true"), self(t), self(t))
		s.shows("ready\n")
		size := [4]uint16{50, 132}
		raw, _ := s.user.SyscallConn()
		raw.Control(func(fd uintptr) {
			syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
		})
		s.shows("28\n")
		s.signal(syscall.SIGTERM)
		s.ended(0)
	})
}

// At a shell, vault-env is a job like others.
func TestTerminalOfAShell(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	shell := func(t *testing.T) *session {
		s := startSession(t, []string{"PS1=$ ", "VE=" + self(t), "HISTFILE="}, "bash", "--norc", "--noprofile", "-i")
		s.types("stty -echo; ve() { BE_VAULT_ENV=true VAULT_ENV_DAEMON=true $VE \"$@\"; }; echo go\n")
		s.shows("\ngo\n")
		return s
	}
	t.Run("the terminal comes back", func(t *testing.T) {
		s := shell(t)
		s.types("ve sh -c 'read x; echo \"got $x\"; exit 5'; echo status $?\n")
		time.Sleep(100 * time.Millisecond)
		s.types("hello\n")
		s.shows("got hello\nstatus 5\n")
		s.types("sh -c '$VE --version >/dev/null; true'; ve sh -c 'exit 6'; read y; echo \"then $y\"\nagain\n")
		s.shows("then again\n")
	})
	t.Run("in a script, the terminal comes back, too", func(t *testing.T) {
		s := shell(t)
		s.types("sh -c 'BE_VAULT_ENV=true VAULT_ENV_DAEMON=true $VE true; read y; echo \"then $y\"'\n")
		time.Sleep(300 * time.Millisecond)
		s.types("hello\n")
		s.shows("then hello\n")
	})
	t.Run("^Z and fg", func(t *testing.T) {
		s := shell(t)
		s.types("ve sh -c 'echo ready; while read x; do echo \"got $x\"; done'\n")
		s.shows("ready\n")
		for range 2 {
			time.Sleep(100 * time.Millisecond) // the keys of the first milliseconds may be lost
			s.types(controlZ)
			s.shows("Stopped")
			s.shows("$ ")
			s.types("echo at the shell\n")
			s.shows("at the shell\n")
			s.types("fg\n")
			s.shows("$VE")
			time.Sleep(200 * time.Millisecond)
			s.types("hello\n")
			s.shows("got hello\n")
		}
		s.types(controlC)
		s.shows("$ ")
		s.types("echo status $?\n")
		s.shows("status 130\n")
	})
	t.Run("bg", func(t *testing.T) {
		s := shell(t)
		s.types("ve sh -c 'echo ready; exec sleep 60'\n")
		s.shows("ready\n")
		s.types(controlZ)
		s.shows("Stopped")
		s.shows("$ ")
		s.types("bg\n")
		s.shows("&\n")
		s.types("kill -USR1 %1; wait %1; echo status $?\n")
		s.shows("status 138\n")
	})
	t.Run("in a pipe, the pager has the terminal", func(t *testing.T) {
		s := shell(t)
		s.types("ve sh -c 'echo one; exec sleep 1' | (read x </dev/tty; echo \"pager $x\"; cat)\n")
		time.Sleep(200 * time.Millisecond)
		s.types("key\n")
		s.shows("pager key\none\n")
	})
	t.Run("in a pipe, the program gets the terminal when it uses it", func(t *testing.T) {
		s := shell(t)
		s.types("ve sh -c 'read x; echo \"got $x\"' | cat\n")
		time.Sleep(200 * time.Millisecond)
		s.types("hello\n")
		s.shows("got hello\n")
		s.types("echo back\n")
		s.shows("back\n")
	})
}
