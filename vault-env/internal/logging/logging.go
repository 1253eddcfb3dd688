// Package logging writes vault-env's own log lines, as text or as JSON. If all is well, there are none at level Info:
// people read the program's log.
package logging

import (
	"encoding/json"
	"io"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// In bytes. A failure and its policy fit into a line, and into what the kubelet reads of a termination message.
const (
	maxMessage = 4096
	maxFailure = 3500
	maxPolicy  = 500
)

// Level is the severity of a line. The zero value is Debug.
type Level int

// The levels, in order of severity.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

// String returns the level as it is logged.
func (l Level) String() string { return [...]string{"debug", "info", "warn", "error"}[l] }

// Logger writes to standard error only: standard output is the program's. Callers never pass it a value, a token or an
// argument of the program.
type Logger struct {
	Out   io.Writer
	Level Level
	JSON  bool
	// Policy names the policy that a failure is about, as namespace/name; empty if there is none.
	Policy string
	Now    func() time.Time
}

// Debug writes a line that helps to diagnose a problem.
func (l *Logger) Debug(message string) { l.write(Debug, message) }

// Info writes a line about something that is as it should be.
func (l *Logger) Info(message string) { l.write(Info, message) }

// Warn writes a line about something that needs attention.
func (l *Logger) Warn(message string) { l.write(Warn, message) }

// Error writes the line of a failure.
func (l *Logger) Error(message string) { l.write(Error, l.Failure(message)) }

// Failure returns the message of a failure with the policy that it is about.
func (l *Logger) Failure(message string) string {
	message = failure.Bounded(message, maxFailure)
	if l.Policy == "" {
		return message
	}
	return message + " [policy " + failure.Bounded(l.Policy, maxPolicy) + "]"
}

// Debugs returns whether lines at level Debug are written. Messages that take work to build are only built then.
func (l *Logger) Debugs() bool { return l.Level <= Debug }

func (l *Logger) write(level Level, message string) {
	if level < l.Level {
		return
	}
	message = failure.Bounded(message, maxMessage)
	if !l.JSON {
		io.WriteString(l.Out, "vault-env: "+level.String()+": "+message+"\n")
		return
	}
	line, err := json.Marshal(struct {
		Time    string `json:"time"`
		Level   string `json:"level"`
		App     string `json:"app"`
		Message string `json:"msg"`
	}{l.Now().UTC().Format(time.RFC3339Nano), level.String(), "vault-env", message})
	if err == nil {
		l.Out.Write(append(line, '\n'))
	}
}
