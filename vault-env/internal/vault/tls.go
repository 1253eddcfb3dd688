package vault

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
)

// tlsConfig returns a configuration that trusts only the CA that the settings name, or the system's CAs if they name
// none.
func tlsConfig(v *Connection) (*tls.Config, *failure.Failure) {
	c, f := rootsOf(v)
	if f != nil {
		return nil, f
	}
	c.ServerName, c.InsecureSkipVerify = v.ServerName, v.SkipVerify
	if v.CertFile != "" {
		certificate, f := clientCertificate(v.CertFile, v.KeyFile)
		if f != nil {
			return nil, f
		}
		c.Certificates = []tls.Certificate{certificate}
	}
	return c, nil
}

// rootsOf returns a configuration with only the CAs to trust.
func rootsOf(v *Connection) (*tls.Config, *failure.Failure) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if v.CAPEM == "" && v.CAFile == "" && v.CADir == "" {
		return c, nil
	}
	var f *failure.Failure
	c.RootCAs, f = caPool(v)
	return c, f
}

// clientCertificate reads a certificate, followed by its intermediates, and its key. Failures do not quote the files: a
// key in the wrong file would be printed.
func clientCertificate(certFile, keyFile string) (tls.Certificate, *failure.Failure) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, failure.Unreadable("the client certificate", certFile, err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, failure.Unreadable("the client certificate's key", keyFile, err)
	}
	chain, fault := readCertificates(certPEM)
	if fault != nil {
		return tls.Certificate{}, failure.Newf(failure.Settings, "the client certificate %s %s", certFile, fault)
	}
	certificate, err := tls.X509KeyPair(encode(chain), keyPEM)
	if err != nil {
		return tls.Certificate{}, failure.Newf(failure.Settings, "the client certificate %s and the key %s do not match: the first must contain a PEM certificate, the second its unencrypted PEM key", certFile, keyFile)
	}
	// Vault answers 500 to an expired certificate, as if another attempt might help.
	if end := certificate.Leaf.NotAfter; time.Now().After(end) {
		return tls.Certificate{}, failure.Newf(failure.Settings, "the client certificate %s expired at %s: renew it", certFile, end.UTC().Format(time.RFC3339))
	}
	return certificate, nil
}

// encode returns the certificates as every reader of PEM takes them.
func encode(chain []*x509.Certificate) []byte {
	var text []byte
	for _, certificate := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return text
}

func caPool(v *Connection) (*x509.CertPool, *failure.Failure) {
	pool := x509.NewCertPool()
	if v.CAPEM != "" {
		if fault := addCertificates(pool, []byte(v.CAPEM)); fault != nil {
			return nil, failure.Newf(failure.Settings, "the CA bundle for Vault %s", fault)
		}
	}
	if v.CAFile != "" {
		if f := appendFile(pool, v.CAFile); f != nil {
			return nil, f
		}
	}
	if v.CADir == "" {
		return pool, nil
	}
	names, err := os.ReadDir(v.CADir)
	if err != nil {
		return nil, failure.Unreadable("the CA directory", v.CADir, err)
	}
	for _, name := range names {
		if name.IsDir() || name.Name()[0] == '.' { // such as ..data in a mounted volume
			continue
		}
		path := filepath.Join(v.CADir, name.Name())
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		if f := appendFile(pool, path); f != nil {
			return nil, f
		}
	}
	return pool, nil
}

func appendFile(pool *x509.CertPool, path string) *failure.Failure {
	text, err := os.ReadFile(path)
	if err != nil {
		return failure.Unreadable("the CA file", path, err)
	}
	if fault := addCertificates(pool, text); fault != nil {
		return failure.Newf(failure.Settings, "the CA file %s %s", path, fault)
	}
	return nil
}

func addCertificates(pool *x509.CertPool, text []byte) *bundleFault {
	certificates, fault := readCertificates(text)
	for _, certificate := range certificates {
		pool.AddCert(certificate)
	}
	return fault
}
