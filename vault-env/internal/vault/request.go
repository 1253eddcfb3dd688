package vault

// Request names one request to Vault for a secret: a read or, where write is true, a write whose answer is the secret.
// Whatever refers to the same path and version, or writes the same body to the same path, shares one answer and with
// it one lease.
type Request struct {
	Path    string
	Version string
	Write   bool
	Body    string // of a write: a JSON object without white space
}
