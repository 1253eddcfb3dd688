package vault

// The bounds of the client, for tests that see it from outside.
const (
	MaxAnswer      = maxAnswer
	MaxAnswers     = maxAnswers
	MaxConnections = maxConnections
)
