package main

import (
	"encoding/json"
	"io"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

type logLevel int

const (
	levelDebug logLevel = iota
	levelInfo
	levelWarn
	levelError
)

func (l logLevel) String() string { return [...]string{"debug", "info", "warn", "error"}[l] }

// logger writes to standard error alone: standard output is the program's. It is never given a value, a token or an
// argument of the program.
type logger struct {
	out   io.Writer
	level logLevel
	json  bool
	now   func() time.Time
}

func (l *logger) debug(message string) { l.write(levelDebug, message) }
func (l *logger) info(message string)  { l.write(levelInfo, message) }
func (l *logger) warn(message string)  { l.write(levelWarn, message) }
func (l *logger) error(message string) { l.write(levelError, message) }

func (l *logger) debugs() bool { return l.level <= levelDebug }

func (l *logger) write(level logLevel, message string) {
	if level < l.level {
		return
	}
	message = failure.OneLine(message)
	if !l.json {
		io.WriteString(l.out, "vault-env: "+level.String()+": "+message+"\n")
		return
	}
	line, err := json.Marshal(struct {
		Time    string `json:"time"`
		Level   string `json:"level"`
		App     string `json:"app"`
		Message string `json:"msg"`
	}{l.now().UTC().Format(time.RFC3339Nano), level.String(), "vault-env", message})
	if err == nil {
		l.out.Write(append(line, '\n'))
	}
}
