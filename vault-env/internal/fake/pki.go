package fake

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// PKI is a CA that issues certificates.
type PKI struct {
	t    *testing.T
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewPKI returns a new CA.
func NewPKI(t *testing.T) *PKI {
	t.Helper()
	p := &PKI{t: t}
	p.Cert, p.key = p.issue("test CA", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	return p
}

func (p *PKI) issue(name string, change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := leaf(name)
	change(template)
	if p.Cert == nil { // it signs itself
		return p.sign(template, template, &key.PublicKey, key), key
	}
	return p.sign(template, p.Cert, &key.PublicKey, p.key), key
}

// IssueFor returns a certificate for another key.
func (p *PKI) IssueFor(name string, key crypto.PublicKey) *x509.Certificate {
	p.t.Helper()
	return p.sign(leaf(name), p.Cert, key, p.key)
}

func leaf(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
}

func (p *PKI) sign(template, parent *x509.Certificate, key crypto.PublicKey, signer *ecdsa.PrivateKey) *x509.Certificate {
	p.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		p.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return certificate
}

// Files returns the paths of PEM files with a certificate and its key.
func (p *PKI) Files(name string, change func(*x509.Certificate)) (certFile, keyFile string) {
	p.t.Helper()
	certificate, key := p.issue(name, change)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	return File(p.t, "tls.crt", PEM("CERTIFICATE", certificate.Raw)), File(p.t, "tls.key", PEM("PRIVATE KEY", der))
}

// PEM returns a PEM block.
func PEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// NewCA returns a CA that has not signed anything.
func NewCA(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
