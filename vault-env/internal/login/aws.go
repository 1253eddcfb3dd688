package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/sigv4"
	"vaultinjection.dev/vault-env/internal/source"
	"vaultinjection.dev/vault-env/internal/vault"
)

// aws logs in with a request for sts:GetCallerIdentity that is signed here and sent by Vault: AWS tells Vault who
// signed it (type iam of Vault's aws method). The request is useful for nothing else, and valid for 15 minutes.
type aws struct {
	region      string // whose STS the request is signed for; empty: the global one
	headerValue string // of X-Vault-AWS-IAM-Server-ID
}

func configAWS(o source.Object, _ *Settings, _ *vault.Connection) identity {
	switch o.Text("type") {
	case "", "IAM":
	default:
		o.Fail("type", "is unknown: write IAM, or omit it")
	}
	w := aws{o.Text("region"), o.Text("headerValue")}
	if w.region != "" && !isRegion(w.region) {
		o.Fail("region", `is not an AWS region: write one like "eu-west-1", or omit it for the global STS`)
	}
	if strings.TrimSpace(failure.OneLine(w.headerValue)) != w.headerValue {
		o.Fail("headerValue", "is not a valid header value: write it without control characters or surrounding white space")
	}
	return w
}

func readAWS(r *source.Variables, called string, _ *Settings, _ *vault.Connection) identity {
	if called == "aws-ec2" {
		r.Keep(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is aws-ec2, which is not supported because it identifies nodes, not pods: write aws-iam"))
	}
	return aws{region: readRegion(r)}
}

// readRegion returns the region if regional STS endpoints are enabled, like the SDK that Bank-Vaults uses.
func readRegion(r *source.Variables) string {
	if r.Text("AWS_STS_REGIONAL_ENDPOINTS", "") != "regional" {
		return ""
	}
	region := r.Text("AWS_REGION", r.Text("AWS_DEFAULT_REGION", ""))
	if region != "" && !isRegion(region) {
		r.Keep(failure.Newf(failure.Settings, `AWS_REGION is not an AWS region: write one like "eu-west-1"`))
	}
	return region
}

func (w aws) loginRequest(ctx context.Context, a *applicant) (*loginRequest, *failure.Failure) {
	k, f := a.newCloud()
	if f != nil {
		return nil, f
	}
	defer k.close()
	credentials, f := k.awsCredentials(ctx, w.region)
	if f != nil {
		return nil, f
	}
	region := w.region
	if region == "" {
		region = "us-east-1" // the global STS is signed for this one
	}
	host := stsHost(w.region)
	request := sigv4.Request{
		Method: "POST",
		Headers: map[string]string{
			"host":         host,
			"content-type": "application/x-www-form-urlencoded; charset=utf-8",
		},
		Body: "Action=GetCallerIdentity&Version=2011-06-15",
	}
	if w.headerValue != "" {
		request.Headers["x-vault-aws-iam-server-id"] = w.headerValue
	}
	authorization := request.Sign(credentials, region, "sts", a.log.Now())
	headers, err := json.Marshal(headersForVault(request.Headers, authorization))
	if err != nil {
		return nil, failure.Newf(failure.Settings, "the request to STS cannot be encoded as JSON")
	}
	fields := map[string]any{
		"iam_http_request_method": request.Method,
		"iam_request_url":         base64.StdEncoding.EncodeToString([]byte("https://" + host + "/")),
		"iam_request_body":        base64.StdEncoding.EncodeToString([]byte(request.Body)),
		"iam_request_headers":     base64.StdEncoding.EncodeToString(headers),
	}
	if a.Role != "" {
		fields["role"] = a.Role
	}
	_, signature, _ := strings.Cut(authorization, "Signature=")
	return &loginRequest{
		fields:  fields,
		secrets: []string{credentials.Secret, credentials.Token, signature},
		check:   "the role and its bound principals, that Vault's sts_endpoint is https://" + host + ", and the server ID header",
	}, nil
}

// headersForVault returns the headers in the form that Vault expects. Vault takes the host from the URL.
func headersForVault(signed map[string]string, authorization string) map[string][]string {
	headers := map[string][]string{"Authorization": {authorization}}
	for name, value := range signed {
		if name != "host" {
			headers[http.CanonicalHeaderKey(name)] = []string{value}
		}
	}
	return headers
}

// stsHost returns the host of a region's STS, or the global one if there is no region. Each AWS partition has its own
// domain ("AWS service endpoints" in the General Reference).
func stsHost(region string) string {
	if region == "" {
		return "sts.amazonaws.com"
	}
	domain := "amazonaws.com"
	switch partition, _, _ := strings.Cut(region, "-"); {
	case partition == "cn":
		domain = "amazonaws.com.cn"
	case partition == "eusc":
		domain = "amazonaws.eu"
	case strings.HasPrefix(region, "us-iso-"):
		domain = "c2s.ic.gov"
	case strings.HasPrefix(region, "us-isob-"):
		domain = "sc2s.sgov.gov"
	case strings.HasPrefix(region, "us-isof-"):
		domain = "csp.hci.ic.gov"
	case strings.HasPrefix(region, "eu-isoe-"):
		domain = "cloud.adc-e.uk"
	}
	return "sts." + region + "." + domain
}

// isRegion returns whether a region is safe as part of a host name.
func isRegion(region string) bool {
	for _, r := range region {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return len(region) <= 40 && strings.Contains(region, "-") && !strings.HasPrefix(region, "-") && !strings.HasSuffix(region, "-")
}
