package vault

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
)

var (
	beginCertificate = []byte("-----BEGIN CERTIFICATE-----")
	endCertificate   = []byte("-----END CERTIFICATE-----")
)

// bundleFault is why a bundle of certificates cannot be used.
type bundleFault struct {
	kind   string // None, Truncated or Broken
	number int    // of the certificate, from 1; 0 for None
}

// String says it as the end of a sentence about the bundle. It quotes nothing of the bundle.
func (f *bundleFault) String() string {
	switch f.kind {
	case "None":
		return "contains no certificate: write PEM certificates"
	case "Truncated":
		return fmt.Sprintf("contains a truncated certificate (number %d): write each from BEGIN CERTIFICATE to END CERTIFICATE", f.number)
	default:
		return fmt.Sprintf("contains a certificate that cannot be parsed (number %d): write PEM certificates", f.number)
	}
}

// readCertificates reads a bundle of certificates in PEM, as people paste them. The operator reads the same bundle with
// the same rules, which are written down in core/pem.ts; testdata/certificates.json holds both to them. encoding/pem is
// stricter about lines, and skips in silence what it does not understand.
func readCertificates(text []byte) ([]*x509.Certificate, *bundleFault) {
	var found []*x509.Certificate
	for {
		begin := bytes.Index(text, beginCertificate)
		if begin < 0 {
			break
		}
		text = text[begin+len(beginCertificate):]
		end := bytes.Index(text, endCertificate)
		next := bytes.Index(text, beginCertificate)
		if end < 0 || next >= 0 && next < end {
			return nil, &bundleFault{"Truncated", len(found) + 1}
		}
		certificate := parseBody(text[:end])
		if certificate == nil {
			return nil, &bundleFault{"Broken", len(found) + 1}
		}
		found = append(found, certificate)
		text = text[end+len(endCertificate):]
	}
	if len(found) == 0 {
		return nil, &bundleFault{kind: "None"}
	}
	return found, nil
}

// parseBody returns nil if the text is not the base64 of one certificate.
func parseBody(text []byte) *x509.Certificate {
	body := make([]byte, 0, len(text))
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n', '\v', '\f':
		default:
			body = append(body, c)
		}
	}
	der := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(der, body)
	if err != nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(der[:n])
	if err != nil {
		return nil
	}
	return certificate
}
