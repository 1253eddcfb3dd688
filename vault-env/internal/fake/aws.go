package fake

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"vaultinjection.dev/vault-env/internal/sigv4"
)

// Base64URL encodes as JWTs do.
func Base64URL(b []byte) string              { return base64.RawURLEncoding.EncodeToString(b) }
func fromBase64URL(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// FromBase64 decodes a field of a login.
func FromBase64(body map[string]any, key string) string {
	text, _ := body[key].(string)
	content, _ := base64.StdEncoding.DecodeString(text)
	return string(content)
}

// The credentials that the fakes issue and accept.
var (
	LongLived = sigv4.Credentials{KeyID: "AKIAEXAMPLE", Secret: "canary/secret+key"}
	ShortTerm = sigv4.Credentials{KeyID: "ASIAEXAMPLE", Secret: "canary/short+term", Token: "IQoJb3JpZ2luX2VjEXAMPLE/canary//////////token=="}
)

// What EKS mounts and sets for a ServiceAccount with a role.
const (
	WebIdentityJWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6c2hvcDp3ZWIifQ.canary"
	PodIdentityJWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJwb2RzLmVrcyJ9.canary"
	IAMRole        = "arn:aws:iam::123456789012:role/shop"
)

// STS answers as AWS STS does: sts:GetCallerIdentity with a Signature Version 4 that it checks, and
// sts:AssumeRoleWithWebIdentity.
func STS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	body, _ := io.ReadAll(r.Body)
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != "POST" || form.Get("Version") != "2011-06-15" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		STSFault(w, 400, "InvalidAction", "Could not find operation")
		return
	}
	switch form.Get("Action") {
	case "GetCallerIdentity":
		callerIdentity(w, r, string(body))
	case "AssumeRoleWithWebIdentity":
		switch {
		case form.Get("WebIdentityToken") != WebIdentityJWT:
			STSFault(w, 400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token): "+form.Get("WebIdentityToken"))
		case form.Get("RoleArn") != IAMRole:
			STSFault(w, 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		case form.Get("DurationSeconds") != "900" || !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(form.Get("RoleSessionName")):
			STSFault(w, 400, "ValidationError", "1 validation error detected")
		default:
			fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:shop:web</SubjectFromWebIdentityToken>
    <Audience>sts.amazonaws.com</Audience>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::123456789012:assumed-role/shop/%s</Arn>
      <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:%[1]s</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <SessionToken>%s</SessionToken>
      <SecretAccessKey>%s</SecretAccessKey>
      <Expiration>2026-10-24T23:00:23Z</Expiration>
      <AccessKeyId>%s</AccessKeyId>
    </Credentials>
    <Provider>arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/X</Provider>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>`, form.Get("RoleSessionName"), ShortTerm.Token, ShortTerm.Secret, ShortTerm.KeyID)
		}
	default:
		STSFault(w, 400, "InvalidAction", "Could not find operation "+form.Get("Action"))
	}
}

// STSFault answers with an error as STS does.
func STSFault(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>%s</Code>
    <Message>%s</Message>
  </Error>
  <RequestId>f3dd9ab5-6f1f-4f2b-9e6e-5f3a1b7d6a9a</RequestId>
</ErrorResponse>`, code, message)
}

var authorizationForm = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z]+)/(\d{8})/([a-z0-9-]+)/sts/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

func callerIdentity(w http.ResponseWriter, r *http.Request, body string) {
	m := authorizationForm.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		STSFault(w, 400, "IncompleteSignature", "Authorization header is malformed")
		return
	}
	var credentials sigv4.Credentials
	for _, known := range []sigv4.Credentials{LongLived, ShortTerm} {
		if known.KeyID == m[1] && known.Token == r.Header.Get("X-Amz-Security-Token") {
			credentials = known
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	region := "us-east-1"
	if host := strings.Split(r.Host, "."); len(host) > 3 {
		region = host[1]
	}
	names := strings.Split(m[4], ";")
	switch {
	case credentials.KeyID == "":
		STSFault(w, 403, "InvalidClientTokenId", "The security token included in the request is invalid.")
		return
	case err != nil || time.Since(at).Abs() > 15*time.Minute || m[2] != at.Format("20060102"):
		STSFault(w, 400, "RequestExpired", "Request has expired.")
		return
	case m[3] != region:
		STSFault(w, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region.")
		return
	case r.URL.Path != "/" && r.URL.Path != "//", !slices.IsSorted(names), !slices.Contains(names, "host"):
		STSFault(w, 403, "SignatureDoesNotMatch", "not in canonical form")
		return
	}
	signed := sigv4.Request{Method: r.Method, Body: body, Headers: map[string]string{}}
	for _, name := range names {
		signed.Headers[name] = r.Header.Get(name)
	}
	signed.Headers["host"] = r.Host
	if want := signed.Sign(credentials, region, "sts", at); want != r.Header.Get("Authorization") {
		STSFault(w, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
		return
	}
	io.WriteString(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
  <Arn>arn:aws:sts::123456789012:assumed-role/shop/vault-env</Arn><UserId>AROACLKWSDQRAOEXAMPLE:vault-env</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`)
}

// CheckAWS checks a login as Vault's aws method does (1.21, pathLoginIamGetRoleNameCallerIdAndEntity): it sends the
// signed request to the STS in its configuration, with the host that was signed.
func CheckAWS(sts http.HandlerFunc, serverID string) func(map[string]any) string {
	return func(body map[string]any) string {
		target, err := url.Parse(FromBase64(body, "iam_request_url"))
		form, formErr := url.ParseQuery(FromBase64(body, "iam_request_body"))
		var headers http.Header
		headersErr := json.Unmarshal([]byte(FromBase64(body, "iam_request_headers")), &headers)
		switch {
		case body["iam_http_request_method"] != "POST":
			return "invalid iam_http_request_method"
		case err != nil || target.RawQuery != "" || target.Host == "" || target.Scheme != "https":
			return "error parsing iam_request_url"
		case formErr != nil || len(form) != 2 || form.Get("Action") != "GetCallerIdentity" || form.Get("Version") == "":
			return "iam_request_body not valid"
		case headersErr != nil || len(headers) == 0:
			return "missing iam_request_headers"
		case body["role"] != Role && body["role"] != nil:
			return "entry for role not found"
		}
		if serverID != "" {
			signed := authorizationForm.FindStringSubmatch(headers.Get("Authorization"))
			if got := headers.Get("X-Vault-AWS-IAM-Server-ID"); got != serverID {
				return fmt.Sprintf("error validating X-Vault-AWS-IAM-Server-ID header: expected %q but got %q", serverID, got)
			}
			if signed == nil || !slices.Contains(strings.Split(signed[4], ";"), "x-vault-aws-iam-server-id") {
				return "error validating X-Vault-AWS-IAM-Server-ID header: vault header wasn't signed"
			}
		}
		for name := range headers {
			if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Date" && name != "X-Amz-Security-Token" {
				return "invalid request header: " + name
			}
		}
		request, _ := http.NewRequest("POST", "https://sts.amazonaws.com/"+target.RequestURI(), strings.NewReader(FromBase64(body, "iam_request_body")))
		request.Host = target.Host
		for name, values := range headers {
			for _, value := range values {
				request.Header.Add(name, value)
			}
		}
		answer := &recorder{header: http.Header{}, status: 200}
		sts(answer, request)
		var identity struct {
			ARN string `xml:"GetCallerIdentityResult>Arn"`
		}
		if answer.status != 200 || xml.Unmarshal([]byte(answer.body.String()), &identity) != nil {
			return fmt.Sprintf("error making upstream request: received error code %d from STS: %s", answer.status, answer.body.String())
		}
		if !strings.HasPrefix(identity.ARN, "arn:aws:sts::123456789012:assumed-role/shop/") {
			return "IAM Principal does not belong to the role"
		}
		return ""
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// EC2 is version 2 of EC2's metadata service, with an instance profile called node-role.
func EC2(w http.ResponseWriter, r *http.Request) {
	const session = "canary-session=="
	switch {
	case r.Header.Get("X-Forwarded-For") != "":
		w.WriteHeader(403)
	case r.URL.Path == "/latest/api/token" && r.Method == "PUT":
		if ttl := r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds"); ttl == "" || ttl == "0" || len(ttl) > 5 {
			w.WriteHeader(400)
			return
		}
		io.WriteString(w, session)
	case r.Method != "GET":
		w.WriteHeader(405)
	case r.Header.Get("X-aws-ec2-metadata-token") != session:
		w.WriteHeader(401)
	case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
		io.WriteString(w, "node-role")
	case r.URL.Path == "/latest/meta-data/iam/security-credentials/node-role":
		fmt.Fprintf(w, `{
  "Code" : "Success",
  "LastUpdated" : "2026-10-24T17:27:43Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "%s",
  "SecretAccessKey" : "%s",
  "Token" : "%s",
  "Expiration" : "2026-10-24T23:39:48Z"
}`, ShortTerm.KeyID, ShortTerm.Secret, ShortTerm.Token)
	default:
		w.WriteHeader(404)
	}
}

// Agent is the EKS Pod Identity agent, and the ECS agent, which answers the same way.
func Agent(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method != "GET" || r.Header.Get("Authorization") != token {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"code":"InvalidTokenException","message":"Token provided in the request is invalid: %s"}`, r.Header.Get("Authorization"))
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId":"%s","SecretAccessKey":"%s","Token":"%s","AccountId":"123456789012","Expiration":"2026-10-24T23:39:48Z"}`,
			ShortTerm.KeyID, ShortTerm.Secret, ShortTerm.Token)
	}
}
