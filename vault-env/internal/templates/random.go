package templates

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"text/template"
)

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// randomFunctions returns functions with a different result at each start, from the kernel's random numbers.
func randomFunctions() template.FuncMap {
	var printable strings.Builder
	for c := byte(' '); c < 0x7f; c++ {
		printable.WriteByte(c)
	}
	from := func(alphabet string) func(int) (string, error) {
		return func(n int) (string, error) { return randomText(alphabet, n) }
	}
	return template.FuncMap{
		"randAlphaNum": from(letters + digits),
		"randAlpha":    from(letters),
		"randNumeric":  from(digits),
		"randAscii":    from(printable.String()),
		"randInt": func(low, high int) (int64, error) {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(high-low)))
			if err != nil {
				return 0, err
			}
			return n.Int64() + int64(low), nil
		},
		"randBytes": func(n int) string {
			roomForItems(n)
			b := make([]byte, n)
			rand.Read(b)
			return base64.StdEncoding.EncodeToString(b)
		},
		"uuidv4": func() string {
			var b [16]byte
			rand.Read(b[:])
			b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		},
	}
}

func randomText(alphabet string, n int) (string, error) {
	roomForItems(n)
	b := make([]byte, n)
	for i := range b {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", err
		}
		b[i] = alphabet[k.Int64()]
	}
	return string(b), nil
}
