package vault

// The limits of the client, for tests in the external test package.
const (
	MaxAnswer      = maxAnswer
	MaxAnswers     = maxAnswers
	MaxConnections = maxConnections
)
