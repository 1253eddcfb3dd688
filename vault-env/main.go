// Vault-env starts a program with secrets from Vault. It replaces the references to Vault in the environment with the
// secrets that they refer to, then becomes the program: same process, no daemon, nothing on disk. In daemon mode it
// stays as the program's parent instead, and renews its leases.
//
//	vault-env [--] COMMAND [ARGS…]
//
// The steps, in order: the command line (here), the settings (package settings), the program's file (package launch),
// the references (package resolve: a plan, Vault's answers, the program's environment), and the program (package launch
// again, or package daemon). Nothing is sent until the plan is complete; if it is empty, Vault is not contacted. Every
// failure happens before the program starts: one line on standard error and a distinct exit status (package failure).
package main

import (
	"fmt"
	"io"
	stdlog "log"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/daemon"
	"vaultinjection.dev/vault-env/internal/entry"
	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/guard"
	"vaultinjection.dev/vault-env/internal/install"
	"vaultinjection.dev/vault-env/internal/launch"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/resolve"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/signals"
	"vaultinjection.dev/vault-env/internal/started"
	"vaultinjection.dev/vault-env/internal/termination"
)

// maxName bounds the bytes of a variable's name in a line of --check.
const maxName = 256

// version is set by the linker.
var version = "dev"

const help = `vault-env replaces the references to Vault in the environment with secrets, then executes a program.

  vault-env [--] COMMAND [ARGS…]   resolve the references in the environment, then execute COMMAND
  vault-env --install DIR          copy this executable to DIR/vault-env
  vault-env --check                resolve the references, print the names of the variables and the lengths of their values
  vault-env --started              exit with 0 if the program of this container runs, with 75 before (a startup probe)
  vault-env --version
  vault-env --help

A variable refers to Vault with vault:PATH#KEY, vault:PATH#KEY#VERSION, vault:PATH#TEMPLATE with ${…} expressions,
>>vault:PATH#KEY#JSON (write JSON, then take KEY from the response), vault:v1:CIPHERTEXT (transit), or any number of
${vault:…} in text. VAULT_TOKEN=vault:login gives the program the Vault token itself.
Settings come from VAULT_ENV_CONFIG (JSON) if it is set, otherwise from VAULT_ADDR, VAULT_ROLE, VAULT_PATH and the other
variables of Bank-Vaults' vault-env.
`

func main() {
	// The log lines of net/http contain parts of answers and, with GODEBUG, the token.
	stdlog.SetOutput(io.Discard)
	// The process lives for milliseconds: collect garbage only if the container's memory might run out.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(guard.MaxHeap) // until package resolve knows the container's
	signals.StayIgnored(entry.Ignored())
	env := environment.Variables(entry.Variables(os.Environ()))
	// Go's libraries would read the program's variables: proxies, CAs (SSL_CERT_FILE, SSL_CERT_DIR), and GODEBUG, which
	// can weaken TLS.
	settings.Expose(env)
	os.Exit(run(os.Args[1:], env, os.Stdout, os.Stderr))
}

// run returns the exit status. It does not return if the program replaced this process.
func run(args []string, env environment.Variables, stdout, stderr io.Writer) int {
	log := &logging.Logger{Out: stderr, Level: logging.Info, Now: time.Now}
	status, f := command(args, env, stdout, log)
	if f != nil {
		log.Error(f.Message)
		return f.Status
	}
	return status
}

// leaveMessage leaves a failure for the status of the container, if this process is the container's own: the message of
// any other would be about a program that runs.
func leaveMessage(f *failure.Failure, path string, log *logging.Logger) {
	if f != nil && !guard.StartedBefore("/proc", os.Getpid()) {
		termination.Write(path, "vault-env: error: "+log.Failure(f.Message))
	}
}

func command(args []string, env environment.Variables, stdout io.Writer, log *logging.Logger) (int, *failure.Failure) {
	if len(args) == 0 {
		return 0, failure.Newf(failure.Usage, "no command given: write vault-env [--] COMMAND [ARGS…]")
	}
	switch first := args[0]; {
	case first == "--":
		if len(args) == 1 {
			return 0, failure.Newf(failure.Usage, `no command given after "--": write vault-env [--] COMMAND [ARGS…]`)
		}
		return wrap(args[1:], env, log)
	case first == "--version" && len(args) == 1:
		fmt.Fprintf(stdout, "vault-env %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0, nil
	case first == "--help" && len(args) == 1:
		io.WriteString(stdout, help)
		return 0, nil
	case first == "--install":
		if len(args) != 2 {
			return 0, failure.Newf(failure.Usage, "write vault-env --install DIR")
		}
		f := install.Install("/proc/self/exe", args[1])
		leaveMessage(f, termination.DefaultPath, log)
		return 0, f
	case first == "--check":
		if len(args) != 1 {
			return 0, failure.Newf(failure.Usage, "write vault-env --check, without arguments")
		}
		return 0, check(env, stdout, log)
	case first == started.Option:
		if len(args) != 1 {
			return 0, failure.Newf(failure.Usage, "write vault-env --started, without arguments")
		}
		if !started.ProgramRuns("/proc", os.Getpid(), os.Args[0]) {
			return 0, failure.Newf(failure.NotYet, "the program has not been started yet: vault-env is waiting for Vault")
		}
		return 0, nil
	case first == "" || first[0] == '-':
		return 0, failure.Newf(failure.Usage, `unknown option: see vault-env --help, and write "--" before a command that begins with "-"`)
	}
	return wrap(args, env, log)
}

// wrap starts the program argv with the references in env resolved: in place of this process or, in daemon mode, as a
// child. It returns the child's exit status.
func wrap(argv []string, env environment.Variables, log *logging.Logger) (int, *failure.Failure) {
	s, f := load(env, log)
	status := 0
	if f == nil {
		status, f = start(argv, env, &s, log)
	}
	leaveMessage(f, s.TerminationMessage, log)
	return status, f
}

// load reads the settings and configures the logger, also if it fails.
func load(env environment.Variables, log *logging.Logger) (settings.Settings, *failure.Failure) {
	s, f := settings.Load(env)
	s.Vault.UserAgent = "vault-env/" + version
	log.Level, log.JSON, log.Policy = s.LogLevel, s.LogJSON, s.Policy
	if f == nil {
		for _, warning := range s.Warnings {
			log.Warn(warning)
		}
	}
	return s, f
}

func start(argv []string, env environment.Variables, s *settings.Settings, log *logging.Logger) (int, *failure.Failure) {
	early := signals.None()
	if mayTakeTime(env, s) { // else the program is there before a signal could be
		var f *failure.Failure
		if early, f = signals.CatchEarly(); f != nil {
			return 0, f
		}
	}
	// A mistake in the command does not cost a login.
	if !launch.Awaits(argv[0], env) {
		if _, f := launch.Find(argv[0], env); f != nil {
			return 0, f
		}
	}
	if s.Mode == settings.ModeDaemon {
		return daemon.Run(early, argv, env, s, log)
	}
	r, f := resolve.Resolve(early.Context(), env, s, log)
	if f != nil {
		return 0, early.Or(f)
	}
	r.TellLeases(log)
	program, f := launch.Find(argv[0], r.Environment)
	if f == nil {
		f = early.Wait(s.Delay)
	}
	if f == nil {
		r.Settle(early.Context(), log)
		if f = early.Stop(); f == nil {
			f = launch.Replace(program, argv, r.Environment)
		}
	}
	r.Abandon(s.Revoke, log)
	return 0, f
}

// mayTakeTime returns whether the start in mode Exec may have to wait for something.
func mayTakeTime(env environment.Variables, s *settings.Settings) bool {
	if s.Mode == settings.ModeDaemon { // catches all signals itself
		return false
	}
	if s.Delay > 0 || len(s.FromPaths) > 0 {
		return true
	}
	for _, entry := range env {
		if strings.Contains(entry, "vault:") { // every reference does
			return true
		}
	}
	return false
}

// check resolves the references as for a program, and prints the name of each variable that the program would get from
// Vault with the length of its value. What was created for it is revoked.
func check(env environment.Variables, stdout io.Writer, log *logging.Logger) *failure.Failure {
	s, f := load(env, log)
	if f != nil {
		return f
	}
	early, f := signals.CatchEarly()
	if f != nil {
		return f
	}
	r, f := resolve.Resolve(early.Context(), env, &s, log)
	if f != nil {
		return early.Or(f)
	}
	defer func() {
		r.Settle(early.Context(), log)
		r.Abandon(s.Revoke, log)
	}()
	count := 0
	for _, variable := range r.Environment {
		name, value, _ := strings.Cut(variable, "=")
		if before, known := env.Lookup(name); known && before == value {
			continue
		}
		fmt.Fprintf(stdout, "%s: %d bytes\n", failure.Bounded(name, maxName), len(value))
		count++
	}
	if count == 0 {
		fmt.Fprintln(stdout, "no variable refers to Vault")
	}
	return nil
}
