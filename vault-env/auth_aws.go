package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/sigv4"
)

// awsRequest logs in with a request for sts:GetCallerIdentity that is signed here and sent by Vault: who it is signed
// by, AWS tells Vault (the type iam of Vault's aws method). The request is of no use for anything else, and for a
// quarter of an hour only.
func (c *client) awsRequest(ctx context.Context, v *vaultSettings) (*loginRequest, *failure.Failure) {
	k := c.newCloud(v)
	defer k.close()
	credentials, f := k.awsCredentials(ctx, v.region)
	if f != nil {
		return nil, f
	}
	region := v.region
	if region == "" {
		region = "us-east-1" // the global STS is signed for this one
	}
	host := stsHost(v.region)
	request := sigv4.Request{
		Method: "POST",
		Headers: map[string]string{
			"host":         host,
			"content-type": "application/x-www-form-urlencoded; charset=utf-8",
		},
		Body: "Action=GetCallerIdentity&Version=2011-06-15",
	}
	if v.headerValue != "" {
		request.Headers["x-vault-aws-iam-server-id"] = v.headerValue
	}
	authorization := request.Sign(credentials, region, "sts", c.log.Now())
	headers, err := json.Marshal(headersForVault(request.Headers, authorization))
	if err != nil {
		return nil, failure.Newf(failure.Settings, "the request to STS cannot be written as JSON")
	}
	fields := map[string]any{
		"iam_http_request_method": request.Method,
		"iam_request_url":         base64.StdEncoding.EncodeToString([]byte("https://" + host + "/")),
		"iam_request_body":        base64.StdEncoding.EncodeToString([]byte(request.Body)),
		"iam_request_headers":     base64.StdEncoding.EncodeToString(headers),
	}
	if v.role != "" {
		fields["role"] = v.role
	}
	_, signature, _ := strings.Cut(authorization, "Signature=")
	return &loginRequest{
		fields:  fields,
		secrets: []string{credentials.Secret, credentials.Token, signature},
		check:   "the role and its bound principals, that Vault's sts_endpoint is https://" + host + ", and the server id header",
	}, nil
}

// headersForVault returns the headers as Vault reads them. It takes the host from the URL.
func headersForVault(signed map[string]string, authorization string) map[string][]string {
	headers := map[string][]string{"Authorization": {authorization}}
	for name, value := range signed {
		if name != "host" {
			headers[http.CanonicalHeaderKey(name)] = []string{value}
		}
	}
	return headers
}

// stsHost gives the host of a region's STS, the global one for no region. The partitions of AWS have domains of their
// own ("AWS service endpoints" in the General Reference).
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

// isRegion keeps a region from being more than a part of a host's name.
func isRegion(region string) bool {
	for _, r := range region {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return len(region) <= 40 && strings.Contains(region, "-") && !strings.HasPrefix(region, "-") && !strings.HasSuffix(region, "-")
}
