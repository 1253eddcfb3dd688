// Package daemon runs vault-env as the parent of its program, to renew leases while the program runs. The program must
// not notice: it gets the signals (signals.go) and the terminal (terminal.go) that it would get without vault-env,
// orphans are reaped as process 1 would (reap.go), and vault-env exits as the program did.
package daemon

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
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

// loanOf returns what to renew. It returns nil if there are no leases and the program does not get the token that
// vault-env logged in for.
func loanOf(r *resolve.Resolution, revoke vault.Revocation) *renewal.Loan {
	if len(r.Leases) == 0 && !(r.Token.Own && r.HasToken) {
		return nil
	}
	return &renewal.Loan{
		Token:  r.Token.Value,
		Client: r.Client,
		Revoke: r.Token.Revocable(revoke),
		Leases: append([]vault.Lease{r.Token.Lease}, r.Leases...), // the token first: the other leases end with it
		Since:  r.Asked,
	}
}

// daemon is vault-env as the parent of the program. Everything but the renewals happens in one goroutine, so that no
// signal is sent to a program that has just been reaped and whose process ID may have been reused.
type daemon struct {
	settings *settings.Settings
	log      *logging.Logger
	signals  *caught
	early    []syscall.Signal // signals for a program that has not started yet, each once
	terminal *terminal
	program  int             // its process ID and its process group
	revoking *vault.Revoking // nil if no token is revoked before the program ends
	// abandoned is what was resolved if there is nothing to renew: only its token is to be revoked if the program is not started.
	abandoned *resolve.Resolution

	suspended bool // SIGTSTP was forwarded
	deaf      bool // signals cannot be sent to the program, which has been logged
}

// Run starts the program as a child and returns its exit status when it has ended. It takes the signals over from early.
func Run(early *signals.Early, argv []string, env environment.Variables, s *settings.Settings, log *logging.Logger) (int, *failure.Failure) {
	d := &daemon{settings: s, log: log, signals: catchSignals()}
	if f := early.Stop(); f != nil {
		return 0, f
	}
	// The kernel kills the program when this thread exits, so Go must not retire the thread.
	runtime.LockOSThread()

	resolved, l, f := d.resolve(env)
	defer d.revoking.SettleSoon(d.log)
	if f != nil {
		return 0, f
	}
	keeping := renewal.Keep(l, d.settings, d.log)
	defer keeping.Stop()
	if f := d.wait(); f != nil {
		d.abandon()
		return 0, f
	}
	program, f := launch.Find(argv[0], resolved)
	if f == nil {
		f = d.start(program, argv, resolved)
	}
	if f != nil {
		d.abandon()
		return 0, f
	}
	forget()
	return d.supervise(keeping.Ended), nil
}

// resolve returns the program's environment, or a failure if a signal arrives that ends vault-env first.
func (d *daemon) resolve(env environment.Variables) (resolved []string, l *renewal.Loan, f *failure.Failure) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, failed := resolve.Resolve(ctx, env, d.settings, d.log)
		if f = failed; f == nil {
			resolved, l = r.Environment, loanOf(r, d.settings.Revoke)
			d.revoking = r.Revoking()
			go d.revoking.Settle(context.Background(), d.log) // its warning is of no use when the program has ended
			if l == nil && r.Client != nil {
				d.abandoned = r
				r.Client.Close()
			}
		}
	}()
	if early := d.until(done); early != nil {
		cancel()
		<-done
		renewal.Keep(l, d.settings, d.log).Stop()
		d.abandon()
		return nil, nil, early
	}
	return resolved, l, f
}

// abandon makes sure that the token is revoked if the program is not started, and nothing is renewed with it.
func (d *daemon) abandon() {
	if d.abandoned != nil {
		d.abandoned.Abandon(d.settings.Revoke, d.log)
	}
}

// until waits for done before the program starts, and keeps the signals that arrive in the meantime for the program. If
// one of them would end the program, until returns a failure and the program is not started.
func (d *daemon) until(done <-chan struct{}) *failure.Failure {
	for {
		select {
		case <-done:
			return nil
		case <-d.signals.children: // not the program
		case s := <-d.signals.forwarded:
			switch {
			case signals.EndsEarly(s):
				return signals.Received(s)
			case !slices.Contains(d.early, s): // as the kernel does with a signal that is pending
				d.early = append(d.early, s)
			}
		}
	}
}

// wait waits for the delay in the settings.
func (d *daemon) wait() *failure.Failure {
	if d.settings.Delay <= 0 {
		return nil
	}
	passed := make(chan struct{})
	timer := time.AfterFunc(d.settings.Delay, func() { close(passed) })
	defer timer.Stop()
	return d.until(passed)
}

// start starts the program in its own process group, and sends it the signals that arrived early.
func (d *daemon) start(program string, argv, env []string) *failure.Failure {
	if err := becomeReaper(); err != nil && d.log.Debugs() {
		d.log.Debug(fmt.Sprintf("cannot adopt orphaned processes, which are left to process 1: %v", err))
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
		case <-d.signals.children:
			status, changed := reap(d.program)
			switch {
			case changed && hasEnded(status):
				return exitStatus(status)
			case changed && status.Stopped():
				d.stopped(status.StopSignal())
			}
		case s := <-d.signals.forwarded:
			d.forward(s)
		case why := <-ended:
			d.endProgram(why)
			graceOver = time.After(d.settings.LeaseEnd.GracePeriod)
		case <-graceOver:
			d.log.Warn(fmt.Sprintf("the program did not exit within %s: sending SIGKILL", d.settings.LeaseEnd.GracePeriod))
			d.kill(-d.program, syscall.SIGKILL)
		}
	}
}

// forward sends a signal to the program, but not to the program's children, as if it had been sent there directly. A
// job is stopped and continued as a whole.
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
	// vault-env may not be allowed to signal a program that runs as another user.
	if err := syscall.Kill(pid, s); err == syscall.EPERM && !d.deaf {
		d.deaf = true
		d.log.Warn("cannot send signals to the program, which runs as another user: add the capability KILL to the container")
	}
}

// stopped reacts to a program that was stopped.
func (d *daemon) stopped(by syscall.Signal) {
	suspended := d.suspended
	d.suspended = false
	switch {
	case by == syscall.SIGSTOP: // its sender will continue the program
	case leadsSession():
		// Nobody would continue it, so continue it here: without vault-env, the kernel would not have stopped it.
		d.terminal.hand(d.program)
		d.kill(-d.program, syscall.SIGCONT)
	case by != syscall.SIGTSTP && !suspended && d.terminal.give(d.program): // it tried to use the terminal before it had the foreground
		d.kill(-d.program, syscall.SIGCONT)
	case suspended || d.terminal != nil:
		// vault-env stops too, so that the shell notices, and continues when the shell continues it.
		d.terminal.take(d.program)
		syscall.Kill(0, syscall.SIGSTOP)
	}
}

func (d *daemon) endProgram(why string) {
	l := d.settings.LeaseEnd
	d.log.Warn(fmt.Sprintf("%s: sending %s to the program, then SIGKILL after %s, so that it restarts with valid secrets", why, signals.Name(l.Signal), l.GracePeriod))
	d.kill(d.program, l.Signal)
}

// leadsSession returns true in a container, and wherever no other process supervises vault-env.
func leadsSession() bool {
	session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	return errno == 0 && int(session) == os.Getpid() || os.Getpid() == 1
}

// forget releases the memory that resolving used, including the secrets in it, and enables garbage collection: the
// daemon lives as long as the program.
func forget() {
	debug.SetGCPercent(20) // of a heap of one or two megabytes
	debug.FreeOSMemory()
}
