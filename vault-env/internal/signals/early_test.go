package signals

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWhichSignalsEndEarly(t *testing.T) {
	for s, want := range map[syscall.Signal]bool{syscall.SIGTERM: true, syscall.SIGINT: true, syscall.SIGHUP: true, syscall.SIGQUIT: true, syscall.SIGUSR1: false, syscall.SIGWINCH: false} {
		if EndsEarly(s) != want {
			t.Errorf("EndsEarly(%d) = %v", s, !want)
		}
	}
	for s, want := range map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGQUIT: 131, syscall.SIGTERM: 143} {
		if f := Received(s); f.Status != want || Status(s) != want {
			t.Errorf("%d: %+v", s, f)
		}
	}
}

func catchEarly(t *testing.T) *Early {
	t.Helper()
	e, f := CatchEarly()
	if f != nil {
		t.Fatal(f)
	}
	return e
}

func TestEarly(t *testing.T) {
	t.Run("no signal", func(t *testing.T) {
		e := catchEarly(t)
		if f := e.Wait(time.Microsecond); f != nil {
			t.Error(f)
		}
		if f := e.Stop(); f != nil || e.Context().Err() != nil || e.Stop() != nil {
			t.Error(f)
		}
	})
	t.Run("none", func(t *testing.T) {
		e := None()
		if e.Wait(0) != nil || e.Or(nil) != nil || e.Stop() != nil || e.Stop() != nil {
			t.Error("a failure")
		}
	})
	for _, s := range ending {
		t.Run(Name(s), func(t *testing.T) {
			e := catchEarly(t)
			defer e.Stop()
			syscall.Kill(syscall.Getpid(), s)
			if f := e.Wait(time.Minute); f == nil || f.Status != Status(s) || f.Message != "received "+Name(s)+" before the program started: not starting it" {
				t.Errorf("%v", f)
			}
			if f := e.Or(Received(syscall.SIGALRM)); f == nil || f.Status != Status(s) {
				t.Errorf("another failure is told: %v", f)
			}
		})
	}
	t.Run("one that arrives before the last look is not lost", func(t *testing.T) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for range 100 {
			e := catchEarly(t)
			tgkill(syscall.Gettid(), syscall.SIGTERM) // has arrived when this returns
			if f := e.Stop(); f == nil || f.Status != 143 {
				t.Fatalf("%v", f)
			}
		}
	})
	t.Run("the first one counts", func(t *testing.T) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		e := catchEarly(t)
		for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT} {
			tgkill(syscall.Gettid(), s)
		}
		<-e.Context().Done()
		if f := e.Stop(); f == nil || f.Status != 129 {
			t.Errorf("%v", f)
		}
	})
	t.Run("one that arrives while Go computes, collects garbage and switches goroutines", func(t *testing.T) {
		for range 200 {
			e := catchEarly(t)
			stop := make(chan struct{})
			var busy sync.WaitGroup
			for range 4 {
				busy.Go(func() {
					for kept := [][]byte{}; ; kept = kept[:len(kept)%100] {
						select {
						case <-stop:
							return
						default:
							kept = append(kept, make([]byte, 1000))
						}
					}
				})
			}
			syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
			<-e.Context().Done()
			close(stop)
			busy.Wait()
			if f := e.Stop(); f == nil || f.Status != 143 {
				t.Fatalf("%v", f)
			}
		}
	})
	t.Run("Go has the signals again afterwards", func(t *testing.T) {
		e := catchEarly(t)
		if f := e.Stop(); f != nil {
			t.Fatal(f)
		}
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		defer signal.Stop(c)
		syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
		<-c
		if e.Or(nil) != nil {
			t.Error("it was caught as well")
		}
	})
	t.Run("an ignored one", func(t *testing.T) {
		signal.Ignore(syscall.SIGHUP)
		defer func() { // signal.Reset would leave it marked as ignored
			c := make(chan os.Signal, 1)
			signal.Notify(c, syscall.SIGHUP)
			signal.Stop(c)
		}()
		e := catchEarly(t)
		tgkill(syscall.Gettid(), syscall.SIGHUP)
		if f := e.Stop(); f != nil || !signal.Ignored(syscall.SIGHUP) {
			t.Errorf("%v", f)
		}
	})
}

// tgkill sends a signal to one thread. If that is the caller's, the signal has arrived when it returns.
func tgkill(thread int, s syscall.Signal) {
	syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(thread), uintptr(s))
}
