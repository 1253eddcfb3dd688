package sigv4

import (
	"strings"
	"testing"
	"time"
)

// The credentials, the time and the scope of AWS' published test suite for Signature Version 4.
var (
	suiteCredentials = Credentials{KeyID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	suiteTime        = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
)

func TestSignatureTestSuite(t *testing.T) {
	for _, c := range []struct {
		name    string // of the case in the suite
		method  string
		headers map[string]string
		body    string
		token   string
		signed  string
		want    string
	}{
		{name: "get-vanilla", method: "GET", signed: "host;x-amz-date",
			want: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{name: "post-vanilla", method: "POST", signed: "host;x-amz-date",
			want: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{name: "get-header-value-trim", method: "GET", headers: map[string]string{"my-header1": " value1", "my-header2": ` "a   b   c"`},
			signed: "host;my-header1;my-header2;x-amz-date", want: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{name: "post-header-key-sort", method: "POST", headers: map[string]string{"my-header1": "value1"},
			signed: "host;my-header1;x-amz-date", want: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{name: "post-header-value-case", method: "POST", headers: map[string]string{"my-header1": "VALUE1"},
			signed: "host;my-header1;x-amz-date", want: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		{name: "post-x-www-form-urlencoded", method: "POST", headers: map[string]string{"content-type": "application/x-www-form-urlencoded"},
			body: "Param1=value1", signed: "content-type;host;x-amz-date", want: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{name: "post-x-www-form-urlencoded-parameters", method: "POST", headers: map[string]string{"content-type": "application/x-www-form-urlencoded; charset=utf8"},
			body: "Param1=value1", signed: "content-type;host;x-amz-date", want: "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
		{name: "post-sts-header-before", method: "POST",
			token:  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
			signed: "host;x-amz-date;x-amz-security-token", want: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Request{Method: c.method, Body: c.body, Headers: map[string]string{"host": "example.amazonaws.com"}}
			for name, value := range c.headers {
				r.Headers[name] = value
			}
			credentials := suiteCredentials
			credentials.Token = c.token
			got := r.Sign(credentials, "us-east-1", "service", suiteTime)
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.want
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// The example that AWS documents step by step in "Create a signed AWS API request": the signing key that the secret,
// the date, the region and the service make.
func TestSigningKey(t *testing.T) {
	key := []byte("AWS4" + suiteCredentials.Secret)
	for part := range strings.SplitSeq("20150830/us-east-1/iam/aws4_request", "/") {
		key = hmacSHA256(key, part)
	}
	const want = "\xc4\xaf\xb1\xcc\x57\x71\xd8\x71\x76\x3a\x39\x3e\x44\xb7\x03\x57\x1b\x55\xcc\x28\x42\x4d\x1a\x5e\x86\xda\x6e\xd3\xc1\x54\xa4\xb9"
	if string(key) != want {
		t.Errorf("got %x", key)
	}
}
