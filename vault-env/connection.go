package main

import "time"

// vaultSettings say where a Vault is, and how to reach it.
type vaultSettings struct {
	address    string // scheme, host, optional path; no trailing slash
	namespace  string
	timeout    time.Duration // for login, reads and retries together
	caPEM      string
	caFile     string
	caDir      string
	serverName string
	certFile   string
	keyFile    string
	skipVerify bool
	userAgent  string
}
