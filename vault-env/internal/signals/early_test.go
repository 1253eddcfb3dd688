package signals

import (
	"os"
	"os/signal"
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

func TestEarly(t *testing.T) {
	t.Run("no signal", func(t *testing.T) {
		e := CatchEarly()
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
			e := CatchEarly()
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
		for range 100 {
			e := CatchEarly()
			witness := make(chan os.Signal, 1)
			signal.Notify(witness, syscall.SIGTERM)
			syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
			<-witness // Go has passed it on to one of the channels, in no particular order
			if f := e.Stop(); f == nil || f.Status != 143 {
				t.Fatalf("%v", f)
			}
			signal.Stop(witness)
		}
	})
	t.Run("an ignored one", func(t *testing.T) {
		signal.Ignore(syscall.SIGHUP)
		defer func() { // signal.Reset would leave it marked as ignored
			c := make(chan os.Signal, 1)
			signal.Notify(c, syscall.SIGHUP)
			signal.Stop(c)
		}()
		e := CatchEarly()
		syscall.Kill(syscall.Getpid(), syscall.SIGHUP)
		if f := e.Stop(); f != nil || !signal.Ignored(syscall.SIGHUP) {
			t.Errorf("%v", f)
		}
	})
}
