package vault

import "time"

// Connection is where a Vault is, and how to reach it.
type Connection struct {
	Address    string // scheme, host, optional path; no trailing slash
	Namespace  string
	Timeout    time.Duration // for login, reads and retries together
	ProxyURL   string        // scheme, host and port; empty: no proxy
	CAPEM      string
	CAFile     string
	CADir      string
	ServerName string
	CertFile   string
	KeyFile    string
	SkipVerify bool
	UserAgent  string
	// FollowsEnvironment is true if the settings are variables: then others of the container count as well, which say
	// what proxy to use and where the services of a cloud are.
	FollowsEnvironment bool
}
