// Package daemon is vault-env as the parent of its program, where leases are to be renewed while that runs. The program
// shall not notice: it gets the signals (signals.go) and the terminal (terminal.go) that would be its own without
// vault-env, orphans are collected as process 1 would (reap.go), and vault-env exits as the program did.
package daemon

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/launch"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/renewal"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/signals"
	"vaultinjection.dev/vault-env/internal/vault"
)

// loanOf returns what is to be renewed. It is nil where nothing is: there are no leases, and the program has not got
// the token that vault-env logged in for.
func loanOf(r *resolve.Resolution, revoke vault.Revocation) *renewal.Loan {
	if len(r.Leases) == 0 && !(r.Token.Own && r.HasToken) {
		return nil
	}
	return &renewal.Loan{
		Token:  r.Token.Value,
		Client: r.Client,
		Revoke: r.Token.Revocable(revoke),
		Leases: append([]vault.Lease{r.Token.Lease}, r.Leases...), // the token first: the others end with it
		Since:  r.Asked,
	}
}

// daemon is vault-env as the parent of the program. All of it happens in one goroutine, the renewals apart, so that no
// signal is sent to a program that has just been reaped, and whose number may be another's.
type daemon struct {
	settings *settings.Settings
	log      *logging.Logger
	signals  <-chan os.Signal
	early    []syscall.Signal // those for a program that is not started yet
	terminal *terminal
	program  int // its process and its process group

	suspended bool // SIGTSTP was forwarded
	deaf      bool // the program cannot be sent signals, and the log has said so
}

// Run starts the program as a child and stays with it. It returns the program's exit status.
func Run(program string, argv []string, env environment.Variables, s *settings.Settings, log *logging.Logger) (int, *failure.Failure) {
	d := &daemon{settings: s, log: log, signals: catchSignals()}
	// The kernel ends the program when this thread is no more; so it must not be one that Go gives up.
	runtime.LockOSThread()

	resolved, l, f := d.resolve(env)
	if f != nil {
		return 0, f
	}
	keeping := renewal.Keep(l, d.settings, d.log)
	defer keeping.Stop()
	if f := d.wait(); f != nil {
		return 0, f
	}
	if f := d.start(program, argv, resolved); f != nil {
		return 0, f
	}
	forget()
	return d.supervise(keeping.Ended), nil
}

// resolve returns the program's environment, nothing where a signal ends it all before.
func (d *daemon) resolve(env environment.Variables) (resolved []string, l *renewal.Loan, f *failure.Failure) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, failed := resolve.Resolve(ctx, env, d.settings, d.log)
		if f = failed; f == nil {
			resolved, l = r.Environment, loanOf(r, d.settings.Revoke)
			if l == nil && r.Client != nil {
				r.Client.Close()
			}
		}
	}()
	if early := d.until(done); early != nil {
		cancel()
		<-done
		renewal.Keep(l, d.settings, d.log).Stop()
		return nil, nil, early
	}
	return resolved, l, f
}

// until waits for something before the program is started, and keeps the signals that arrive meanwhile for it. One
// that would end it comes first: then it is not started at all.
func (d *daemon) until(done <-chan struct{}) *failure.Failure {
	for {
		select {
		case <-done:
			return nil
		case s := <-d.signals:
			switch s := s.(syscall.Signal); {
			case endsEarly(s):
				return failure.Newf(signalStatus(s), "%s came before the program was started: it is not started", signals.Name(s))
			case isForwarded(s):
				d.early = append(d.early, s)
			}
		}
	}
}

// wait lets the settings' delay pass.
func (d *daemon) wait() *failure.Failure {
	if d.settings.Delay <= 0 {
		return nil
	}
	passed := make(chan struct{})
	timer := time.AfterFunc(d.settings.Delay, func() { close(passed) })
	defer timer.Stop()
	return d.until(passed)
}

// start starts the program in a process group of its own, and hands over what waits for it.
func (d *daemon) start(program string, argv, env []string) *failure.Failure {
	if err := becomeReaper(); err != nil && d.log.Debugs() {
		d.log.Debug(fmt.Sprintf("orphans are left to process 1: %v", err))
	}
	d.terminal = controllingTerminal()
	var err error
	d.program, err = syscall.ForkExec(program, argv, &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return launch.Failure(program, err)
	}
	if d.terminal.alone() {
		d.terminal.give(d.program)
	}
	for _, s := range d.early {
		d.forward(s)
	}
	d.early = nil
	return nil
}

// supervise returns the program's exit status.
func (d *daemon) supervise(ended <-chan string) int {
	defer d.terminal.take(d.program)
	var graceOver <-chan time.Time
	for {
		select {
		case s := <-d.signals:
			switch s := s.(syscall.Signal); {
			case s == syscall.SIGCHLD:
				status, changed := reap(d.program)
				switch {
				case changed && hasEnded(status):
					return exitStatus(status)
				case changed && status.Stopped():
					d.stopped(status.StopSignal())
				}
			case isForwarded(s):
				d.forward(s)
			}
		case why := <-ended:
			d.endProgram(why)
			graceOver = time.After(d.settings.LeaseEnd.GracePeriod)
		case <-graceOver:
			d.log.Warn(fmt.Sprintf("the program has not ended within %s: SIGKILL", d.settings.LeaseEnd.GracePeriod))
			d.kill(-d.program, syscall.SIGKILL)
		}
	}
}

// forward passes a signal on to the program, as if it had been sent there: not to the program's own children. A job is
// stopped and continued as a whole.
func (d *daemon) forward(s syscall.Signal) {
	switch s {
	case syscall.SIGCONT:
		d.terminal.give(d.program)
		d.kill(-d.program, s)
	case syscall.SIGTSTP:
		d.suspended = true
		d.kill(-d.program, s)
	default:
		d.kill(d.program, s)
	}
}

func (d *daemon) kill(pid int, s syscall.Signal) {
	// A program that has another user than vault-env may be out of its reach.
	if err := syscall.Kill(pid, s); err == syscall.EPERM && !d.deaf {
		d.deaf = true
		d.log.Warn("the program runs as another user, and signals cannot be sent to it: give the container the capability KILL")
	}
}

// stopped is what happens where the program was stopped.
func (d *daemon) stopped(by syscall.Signal) {
	suspended := d.suspended
	d.suspended = false
	switch {
	case by == syscall.SIGSTOP: // by somebody who will continue it
	case leadsSession():
		// Nobody would continue it: undone, as the kernel would have done it with the program alone.
		d.terminal.hand(d.program)
		d.kill(-d.program, syscall.SIGCONT)
	case by != syscall.SIGTSTP && !suspended && d.terminal.give(d.program): // it wants the terminal, or did before it was given
		d.kill(-d.program, syscall.SIGCONT)
	case suspended || d.terminal != nil:
		// vault-env stops too, so that the shell takes note, and continues when it is continued.
		d.terminal.take(d.program)
		syscall.Kill(0, syscall.SIGSTOP)
	}
}

func (d *daemon) endProgram(why string) {
	l := d.settings.LeaseEnd
	d.log.Warn(fmt.Sprintf("%s: the program gets %s, and SIGKILL after %s, to be started again with what is valid", why, signals.Name(l.Signal), l.GracePeriod))
	d.kill(d.program, l.Signal)
}

// leadsSession is true in a container, and where nobody else looks after vault-env.
func leadsSession() bool {
	session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	return errno == 0 && int(session) == os.Getpid() || os.Getpid() == 1
}

// forget gives back the memory that resolving has taken, what was secret in it too, and collects from now on: the
// daemon lives for as long as the program.
func forget() {
	debug.SetGCPercent(20) // of a heap of one or two megabytes
	debug.FreeOSMemory()
}
