package main

// readKey names one request to Vault for a secret: a read or, where write is true, a write whose answer is the secret.
// Whatever refers to the same path and version, or writes the same body to the same path, shares one answer and with
// it one lease.
type readKey struct {
	path    string
	version string
	write   bool
	body    string // of a write: a JSON object without white space
}
