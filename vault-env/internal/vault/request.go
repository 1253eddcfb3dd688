package vault

// Request identifies one request to Vault for a secret: a read or, if Write is true, a write whose answer is the
// secret. All references to the same path and version, or with the same body for the same path, share one answer and
// its lease.
type Request struct {
	Path    string
	Version string
	Write   bool
	Body    string // of a write: a JSON object without white space
}
