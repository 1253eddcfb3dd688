package login

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/sigv4"
)

// awsCredentials returns the workload's credentials. It looks where the AWS SDKs look, in the same order: keys in the
// environment, a web identity (IRSA), a container endpoint (EKS Pod Identity, ECS), the instance profile. It does not
// read the files in ~/.aws, which belong to people, not to workloads.
func (k *cloud) awsCredentials(ctx context.Context, region string) (sigv4.Credentials, *failure.Failure) {
	id, secret := k.lookup("AWS_ACCESS_KEY_ID"), k.lookup("AWS_SECRET_ACCESS_KEY")
	var c sigv4.Credentials
	var f *failure.Failure
	switch {
	case id != "" && secret != "":
		c = sigv4.Credentials{KeyID: id, Secret: secret, Token: k.lookup("AWS_SESSION_TOKEN")}
		if !wellFormed(c) {
			f = failure.Newf(failure.Settings, "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN contains a control character")
		}
	case id != "" || secret != "":
		f = failure.Newf(failure.Settings, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set both or neither")
	case k.lookup("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		c, f = k.webIdentity(ctx, region)
	case k.lookup("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || k.lookup("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		c, f = k.containerCredentials(ctx)
	case strings.EqualFold(k.lookup("AWS_EC2_METADATA_DISABLED"), "true"):
		f = failure.Newf(failure.Settings, "the container has no AWS credentials: give its ServiceAccount an IAM role (IRSA or EKS Pod Identity)")
	default:
		c, f = k.instanceCredentials(ctx)
	}
	return c, f
}

func wellFormed(c sigv4.Credentials) bool {
	all := c.KeyID + c.Secret + c.Token
	return c.KeyID != "" && c.Secret != "" && failure.OneLine(all) == all && !strings.ContainsAny(c.KeyID, ", /")
}

// webIdentity exchanges the ServiceAccount token that EKS mounts for credentials of the role that EKS names
// (sts:AssumeRoleWithWebIdentity, an unsigned request).
func (k *cloud) webIdentity(ctx context.Context, region string) (sigv4.Credentials, *failure.Failure) {
	const name = "AWS STS"
	role := k.lookup("AWS_ROLE_ARN")
	if role == "" {
		return sigv4.Credentials{}, failure.Newf(failure.Settings, "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN: set both, as EKS does for a ServiceAccount with a role")
	}
	token, f := readSecretFile("the web identity token", k.lookup("AWS_WEB_IDENTITY_TOKEN_FILE"))
	if f != nil {
		return sigv4.Credentials{}, f
	}
	endpoint, f := k.stsEndpoint(region)
	if f != nil {
		return sigv4.Credentials{}, f
	}
	session := k.lookup("AWS_ROLE_SESSION_NAME")
	if session == "" {
		session = "vault-env"
	}
	form := url.Values{
		"Action":           {"AssumeRoleWithWebIdentity"},
		"Version":          {"2011-06-15"},
		"DurationSeconds":  {"900"}, // the minimum
		"RoleArn":          {role},
		"RoleSessionName":  {session},
		"WebIdentityToken": {token},
	}
	request := cloudRequest{
		name: name, method: http.MethodPost, url: endpoint, local: strings.HasPrefix(endpoint, "http:"),
		header:  [][2]string{{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
		body:    form.Encode(),
		secrets: []string{token},
		// AWS sometimes fails to fetch the cluster's keys; the AWS SDKs retry as well.
		again:   func(a *retry.Answer) bool { return xmlText(a.Body, "Code") == "IDPCommunicationError" },
		said:    stsError,
		missing: "check that the pod can reach " + hostOf(endpoint) + ", or raise the timeout",
		refused: "check AWS_ROLE_ARN, and that its trust policy names the cluster's OIDC provider and this ServiceAccount",
	}
	body, f := k.ask(ctx, request)
	if f != nil {
		return sigv4.Credentials{}, f
	}
	c := sigv4.Credentials{KeyID: xmlText(body, "AccessKeyId"), Secret: xmlText(body, "SecretAccessKey"), Token: xmlText(body, "SessionToken")}
	if !wellFormed(c) || c.Token == "" {
		return sigv4.Credentials{}, request.malformed()
	}
	return c, nil
}

// stsEndpoint returns the URL of STS: in the region that Vault uses, else in the container's region.
func (k *cloud) stsEndpoint(region string) (string, *failure.Failure) {
	// The pod's token goes there: a policy decides where, not the environment.
	if endpoint := k.lookup("AWS_ENDPOINT_URL_STS"); endpoint != "" && k.follows {
		if u, err := url.Parse(endpoint); err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
			return "", failure.Newf(failure.Settings, "AWS_ENDPOINT_URL_STS is not a URL: write https://HOST, or remove it")
		}
		return endpoint, nil
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region == "" {
			region = k.lookup(name)
		}
	}
	if region != "" && !isRegion(region) {
		return "", failure.Newf(failure.Settings, `AWS_REGION is not an AWS region: write one like "eu-west-1"`)
	}
	return "https://" + stsHost(region) + "/", nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "it"
	}
	return u.Host
}

func stsError(body []byte) string {
	code, message := xmlText(body, "Code"), xmlText(body, "Message")
	if message == "" {
		return code
	}
	return code + ": " + message
}

// xmlText returns the text of the first element with a name. STS' answers are small and flat: the elements that matter
// have no attributes or children, and credentials have no characters that XML escapes. An XML package would cost 10 µs
// at every start, and 115 kB in the executable.
func xmlText(body []byte, element string) string {
	_, rest, _ := bytes.Cut(body, []byte("<"+element+">"))
	text, _, closed := bytes.Cut(rest, []byte("</"+element+">"))
	if !closed || bytes.ContainsAny(text, "<&") {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// endpointCredentials is the answer of a container endpoint and of the metadata service.
type endpointCredentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Code            string // of the metadata service
}

func (e endpointCredentials) credentials() sigv4.Credentials {
	return sigv4.Credentials{KeyID: e.AccessKeyID, Secret: e.SecretAccessKey, Token: e.Token}
}

// containerCredentials requests credentials from the agent on the node that EKS Pod Identity or ECS names.
func (k *cloud) containerCredentials(ctx context.Context) (sigv4.Credentials, *failure.Failure) {
	request := cloudRequest{
		name:    "the container's AWS credentials endpoint",
		said:    containerError,
		missing: "check that the EKS Pod Identity agent runs on the node, or raise the timeout",
		refused: "check that the ServiceAccount has a Pod Identity association, or that the task has a role",
	}
	if path := k.lookup("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		if !strings.HasPrefix(path, "/") {
			return sigv4.Credentials{}, failure.Newf(failure.Settings, `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path: it must begin with "/"`)
		}
		request.url = "http://169.254.170.2" + path
	} else {
		request.url = k.lookup("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	}
	if !strings.HasPrefix(request.url, "http://") && !strings.HasPrefix(request.url, "https://") {
		return sigv4.Credentials{}, failure.Newf(failure.Settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL: it must begin with http:// or https://")
	}
	request.local = strings.HasPrefix(request.url, "http:") || !k.follows
	token := k.lookup("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if path := k.lookup("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); path != "" {
		var f *failure.Failure
		if token, f = readSecretFile("the container's authorization token", path); f != nil {
			return sigv4.Credentials{}, f
		}
	}
	if token != "" {
		if failure.OneLine(token) != token {
			return sigv4.Credentials{}, failure.Newf(failure.Settings, "AWS_CONTAINER_AUTHORIZATION_TOKEN contains a control character")
		}
		request.header = [][2]string{{"Authorization", token}}
		request.secrets = []string{token}
	}
	var answer endpointCredentials
	if f := k.askJSON(ctx, request, &answer); f != nil {
		return sigv4.Credentials{}, f
	}
	if c := answer.credentials(); wellFormed(c) {
		return c, nil
	}
	return sigv4.Credentials{}, request.malformed()
}

func containerError(body []byte) string {
	var said struct{ Code, Message string }
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	return strings.Trim(said.Code+": "+said.Message, ": ")
}

// instanceCredentials requests the node's credentials from the EC2 metadata service. It only uses version 2: version 1
// is open to anyone who can make the pod send a request.
func (k *cloud) instanceCredentials(ctx context.Context) (sigv4.Credentials, *failure.Failure) {
	endpoint := strings.TrimRight(k.lookup("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "/")
	switch {
	case endpoint != "":
	case strings.EqualFold(k.lookup("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6"):
		endpoint = "http://[fd00:ec2::254]"
	default:
		endpoint = "http://169.254.169.254"
	}
	request := cloudRequest{
		name:    "the EC2 metadata service",
		method:  http.MethodPut,
		url:     endpoint + "/latest/api/token",
		local:   true,
		header:  [][2]string{{"X-aws-ec2-metadata-token-ttl-seconds", "60"}},
		missing: "give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or let pods reach the service (hop limit 2)",
		refused: "give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or give the node an instance profile",
	}
	session, f := k.askText(ctx, request)
	if f != nil {
		return sigv4.Credentials{}, f
	}
	request.method, request.header = http.MethodGet, [][2]string{{"X-aws-ec2-metadata-token", session}}
	request.url = endpoint + "/latest/meta-data/iam/security-credentials/"
	role, f := k.askText(ctx, request)
	if f != nil {
		return sigv4.Credentials{}, f
	}
	request.url += url.PathEscape(role)
	var answer endpointCredentials
	if f := k.askJSON(ctx, request, &answer); f != nil {
		return sigv4.Credentials{}, f
	}
	if c := answer.credentials(); wellFormed(c) && (answer.Code == "Success" || answer.Code == "") {
		return c, nil
	}
	return sigv4.Credentials{}, request.malformed()
}
