// Package entry is what happens before Go's run time starts, which reads variables and replaces signal handlers before
// any Go code can run. The linker makes vault_env_entry (entry_linux_*.s) the start of the executable, if it is told so
// with -E vault_env_entry. It does two things and then starts Go:
//
//   - It hides the variables whose names begin with GO, because Go reads GOMEMLIMIT, GOGC, GODEBUG, GOTRACEBACK and
//     GOMAXPROCS, and ends the process if it does not understand the first. They are the program's. Their first byte
//     becomes mark, in the process's own memory, until Variables reads them.
//   - It notes which signals are ignored: Go handles all but two of them, and they would not be ignored by the program.
//
// Without -E, as in tests, nothing is hidden and nothing is noted.
package entry

import "strings"

// mark replaces the first letter of the names of variables that are hidden from Go.
const mark = "\x01"

// ignored has bit N-1 set if signal N was ignored when the process started. vault_env_entry sets it.
var ignored uint64

// Ignored returns the signals that were ignored when the process started: bit N-1 stands for signal N.
func Ignored() uint64 { return ignored }

// Variables returns the environment as the kernel passed it, from the environment as Go has it.
func Variables(environ []string) []string {
	for i, entry := range environ {
		if rest, hidden := strings.CutPrefix(entry, mark+"O"); hidden {
			environ[i] = "GO" + rest
		}
	}
	return environ
}
