package vault

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// The operator's reader is held to the same table, by test/unit/core/pem.test.ts.
func TestReadCertificates(t *testing.T) {
	b, err := os.ReadFile("../../testdata/certificates.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Text, Fault    string
		Certificates, Number int
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			found, fault := readCertificates([]byte(c.Text))
			if len(found) != c.Certificates {
				t.Errorf("%d certificates, want %d", len(found), c.Certificates)
			}
			var kind string
			var number int
			if fault != nil {
				kind, number = fault.kind, fault.number
			}
			if kind != c.Fault || number != c.Number {
				t.Errorf("fault %q number %d, want %q number %d", kind, number, c.Fault, c.Number)
			}
		})
	}
}

func FuzzReadCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----"))
	f.Add(bytes.Repeat(beginCertificate, 3))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, fault := readCertificates(text)
		if (len(found) == 0) != (fault != nil) {
			t.Errorf("%d certificates with fault %v", len(found), fault)
		}
	})
}
