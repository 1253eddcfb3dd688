// Package logging writes vault-env's own lines, as text or as JSON. Where all is well there are none at level Info, for
// the program's log is the one that people read.
package logging

import (
	"encoding/json"
	"io"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Level is how much a line matters. Its zero value is Debug.
type Level int

// The levels, in the order of what they matter.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

// String returns the level as lines have it.
func (l Level) String() string { return [...]string{"debug", "info", "warn", "error"}[l] }

// Logger writes to standard error alone: standard output is the program's. It is never given a value, a token or an
// argument of the program.
type Logger struct {
	Out   io.Writer
	Level Level
	JSON  bool
	Now   func() time.Time
}

// Debug writes a line for whoever looks for the reason of something.
func (l *Logger) Debug(message string) { l.write(Debug, message) }

// Info writes a line about something that went as it should.
func (l *Logger) Info(message string) { l.write(Info, message) }

// Warn writes a line about something that somebody should look at.
func (l *Logger) Warn(message string) { l.write(Warn, message) }

// Error writes the line of a failure.
func (l *Logger) Error(message string) { l.write(Error, message) }

// Debugs returns whether lines at level Debug are written: a message that takes work is made only then.
func (l *Logger) Debugs() bool { return l.Level <= Debug }

func (l *Logger) write(level Level, message string) {
	if level < l.Level {
		return
	}
	message = failure.OneLine(message)
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
