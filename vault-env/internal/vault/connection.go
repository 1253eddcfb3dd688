package vault

import "time"

// Connection is where a Vault is, and how to reach it.
type Connection struct {
	Address    string // scheme, host, optional path; no trailing slash
	Namespace  string
	Timeout    time.Duration // for login, reads and retries together
	CAPEM      string
	CAFile     string
	CADir      string
	ServerName string
	CertFile   string
	KeyFile    string
	SkipVerify bool
	UserAgent  string
}
