package login

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/fake"
	"vaultinjection.dev/vault-env/internal/retry"
	"vaultinjection.dev/vault-env/internal/sigv4"
	"vaultinjection.dev/vault-env/internal/vault"
)

func asAWS(w aws, change ...func(*applicant)) func(*applicant) {
	return func(a *applicant) {
		a.Mount, a.identity = "aws", w
		for _, c := range change {
			c(a)
		}
	}
}

func TestAWSLogin(t *testing.T) {
	server := fake.NewVault(t)
	server.AnswerLogin("aws", fake.CheckAWS(fake.STS, "vault.example"))
	env := environment.Variables{"AWS_ACCESS_KEY_ID=" + fake.LongLived.KeyID, "AWS_SECRET_ACCESS_KEY=" + fake.LongLived.Secret}
	withID := aws{headerValue: "vault.example"}
	cloud := fake.NewCloud(t)
	loginFrom(cloud, server, env, asAWS(withID)).wantToken(t)
	loginFrom(cloud, server, env, asAWS(withID, func(a *applicant) { a.Role = "" })).wantToken(t)
	loginFrom(cloud, server, env, asAWS(aws{headerValue: "vault.example", region: "eu-west-1"})).wantToken(t)
	loginFrom(cloud, server, append(env, "AWS_REGION=eu-west-1"), asAWS(withID)).wantToken(t) // only the region in the settings counts
	loginFrom(cloud, server, environment.Variables{"AWS_ACCESS_KEY_ID=" + fake.ShortTerm.KeyID, "AWS_SECRET_ACCESS_KEY=" + fake.ShortTerm.Secret, "AWS_SESSION_TOKEN=" + fake.ShortTerm.Token}, asAWS(withID)).wantToken(t)

	loginFrom(cloud, server, env, asAWS(aws{})).wantFailure(t, failure.Denied, `Vault refused the login with role "shop" at auth/aws/login (400: error validating X-Vault-AWS-IAM-Server-ID header`, "server ID")
	loginFrom(cloud, server, environment.Variables{"AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=other"}, asAWS(withID)).wantFailure(t, failure.Denied, "received error code 403 from STS", "check the role and its bound principals, that Vault's sts_endpoint is https://sts.amazonaws.com")
	if asked := cloud.Seen(); len(asked) != 0 {
		t.Errorf("keys in the environment, but asked %v", asked)
	}
	loginFrom(cloud, server, environment.Variables{"AWS_ACCESS_KEY_ID=AKIAEXAMPLE"}, asAWS(withID)).wantFailure(t, failure.Settings, "go together")
	loginFrom(cloud, server, environment.Variables{"AWS_ACCESS_KEY_ID=AK IA", "AWS_SECRET_ACCESS_KEY=x"}, asAWS(withID)).wantFailure(t, failure.Settings, "AWS_ACCESS_KEY_ID")
	loginFrom(cloud, server, environment.Variables{"AWS_EC2_METADATA_DISABLED=true"}, asAWS(withID)).wantFailure(t, failure.Settings, "no AWS credentials: give its ServiceAccount an IAM role")
}

// What Vault repeats of a request is shortened, which may cut a credential in two.
func TestAWSCredentialsAreNotRepeated(t *testing.T) {
	server := fake.NewVault(t)
	var sent http.Header
	server.AnswerLogin("aws", func(body map[string]any) string {
		json.Unmarshal([]byte(fake.FromBase64(body, "iam_request_headers")), &sent)
		return strings.Repeat("x", 190) + fake.ShortTerm.Token + " " + sent.Get("Authorization")
	})
	env := environment.Variables{"AWS_ACCESS_KEY_ID=" + fake.ShortTerm.KeyID, "AWS_SECRET_ACCESS_KEY=" + fake.ShortTerm.Secret, "AWS_SESSION_TOKEN=" + fake.ShortTerm.Token}
	l := loginFrom(fake.NewCloud(t), server, env, asAWS(aws{}))
	l.wantFailure(t, failure.Denied, "xxx…")
	if strings.Contains(l.said, fake.ShortTerm.Token[:5]) {
		t.Errorf("half of the token is printed: %s", l.said)
	}
}

func TestAWSCredentials(t *testing.T) {
	token := func(t *testing.T, content string) string { return fake.File(t, "token", content) }
	irsa := func(t *testing.T) environment.Variables {
		return environment.Variables{"AWS_ROLE_ARN=" + fake.IAMRole, "AWS_WEB_IDENTITY_TOKEN_FILE=" + token(t, fake.WebIdentityJWT+"\n"), "AWS_REGION=eu-west-1"}
	}
	podIdentity := func(t *testing.T) environment.Variables {
		return environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + token(t, fake.PodIdentityJWT)}
	}
	for name, c := range map[string]struct {
		env     func(*testing.T) environment.Variables
		address string
		fake    http.HandlerFunc
		called  string
		asked   []string
	}{
		"IRSA": {irsa, "sts.eu-west-1.amazonaws.com:443", fake.STS, "AWS STS", []string{"POST sts.eu-west-1.amazonaws.com/"}},
		"IRSA at the global STS": {func(t *testing.T) environment.Variables { return irsa(t)[:2] }, "sts.amazonaws.com:443", fake.STS, "AWS STS",
			[]string{"POST sts.amazonaws.com/"}},
		"EKS Pod Identity": {podIdentity, "169.254.170.23:80", fake.Agent(fake.PodIdentityJWT), "the container's AWS credentials endpoint",
			[]string{"GET 169.254.170.23/v1/credentials"}},
		"EKS Pod Identity over IPv6": {func(t *testing.T) environment.Variables {
			return environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[fd00:ec2::23]/v1/credentials", podIdentity(t)[1]}
		}, "[fd00:ec2::23]:80", fake.Agent(fake.PodIdentityJWT), "the container's AWS credentials endpoint", []string{"GET [fd00:ec2::23]/v1/credentials"}},
		"ECS": {func(*testing.T) environment.Variables {
			return environment.Variables{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/1?id=2"}
		}, "169.254.170.2:80", fake.Agent(""), "the container's AWS credentials endpoint", []string{"GET 169.254.170.2/v2/credentials/1?id=2"}},
		"the instance": {func(*testing.T) environment.Variables { return nil }, "169.254.169.254:80", fake.EC2, "the EC2 metadata service", []string{
			"PUT 169.254.169.254/latest/api/token",
			"GET 169.254.169.254/latest/meta-data/iam/security-credentials/",
			"GET 169.254.169.254/latest/meta-data/iam/security-credentials/node-role"}},
		"the instance over IPv6": {func(*testing.T) environment.Variables {
			return environment.Variables{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6"}
		}, "[fd00:ec2::254]:80", fake.EC2, "the EC2 metadata service", []string{
			"PUT [fd00:ec2::254]/latest/api/token",
			"GET [fd00:ec2::254]/latest/meta-data/iam/security-credentials/",
			"GET [fd00:ec2::254]/latest/meta-data/iam/security-credentials/node-role"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewVault(t)
			server.AnswerLogin("aws", fake.CheckAWS(fake.STS, ""))
			cloud := fake.NewCloud(t)
			cloud.Serve(c.address, c.fake)
			loginFrom(cloud, server, c.env(t), asAWS(aws{})).wantToken(t)
			if asked := cloud.Seen(); !slices.Equal(asked, c.asked) {
				t.Errorf("asked %v; want %v", asked, c.asked)
			}
			if strings.Contains(name, "IPv6") || strings.Contains(name, "global") { // the same as without
				return
			}
			testTrouble(t, c.called, func(t *testing.T, broken http.HandlerFunc, timeout time.Duration) loggedIn {
				if broken == nil {
					broken = fake.Recovering(c.fake)
				}
				cloud := fake.NewCloud(t)
				cloud.Serve(c.address, broken)
				return loginFrom(cloud, server, c.env(t), asAWS(aws{}, func(a *applicant) { a.connection.Timeout = timeout }))
			})
		})
	}
}

// The order of the AWS SDKs: the first source that is set takes precedence.
func TestAWSCredentialsOrder(t *testing.T) {
	server := fake.NewVault(t)
	server.AnswerLogin("aws", fake.CheckAWS(fake.STS, ""))
	env := environment.Variables{
		"AWS_ACCESS_KEY_ID=" + fake.LongLived.KeyID, "AWS_SECRET_ACCESS_KEY=" + fake.LongLived.Secret,
		"AWS_WEB_IDENTITY_TOKEN_FILE=" + fake.File(t, "token", fake.WebIdentityJWT), "AWS_ROLE_ARN=" + fake.IAMRole,
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/ecs",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/eks",
	}
	for i, want := range map[int]string{0: "", 2: "POST sts.amazonaws.com/", 4: "GET 169.254.170.2/ecs", 5: "GET 169.254.170.23/eks", 6: "PUT 169.254.169.254/latest/api/token"} {
		cloud := fake.NewCloud(t)
		cloud.Serve("sts.amazonaws.com:443", fake.STS)
		cloud.Serve("169.254.170.2:80", fake.Agent(""))
		cloud.Serve("169.254.170.23:80", fake.Agent(""))
		cloud.Serve("169.254.169.254:80", fake.EC2)
		loginFrom(cloud, server, env[i:], asAWS(aws{})).wantToken(t)
		if asked := append(cloud.Seen(), ""); asked[0] != want {
			t.Errorf("from %d: asked %v first; want %q", i, asked, want)
		}
	}
	// Keys that refer to Vault are the program's.
	cloud := fake.NewCloud(t)
	cloud.Serve("169.254.169.254:80", fake.EC2)
	loginFrom(cloud, server, environment.Variables{"AWS_ACCESS_KEY_ID=vault:aws/creds/shop#access_key", "AWS_SECRET_ACCESS_KEY=vault:aws/creds/shop#secret_key"}, asAWS(aws{})).wantToken(t)
}

func TestAWSCredentialsDenied(t *testing.T) {
	server := fake.NewVault(t)
	cloud := fake.NewCloud(t)
	cloud.Serve("sts.amazonaws.com:443", fake.STS)
	cloud.Serve("169.254.170.23:80", fake.Agent(fake.PodIdentityJWT))
	token := fake.File(t, "token", fake.WebIdentityJWT)
	for name, c := range map[string]struct {
		env    environment.Variables
		status int
		says   string
	}{
		"an invalid web identity": {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + fake.File(t, "token", "canary"), "AWS_ROLE_ARN=" + fake.IAMRole}, failure.Denied,
			"AWS STS refused the request (400: InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token): …): check AWS_ROLE_ARN, and that its trust policy"},
		"a role that does not trust it":         {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + token, "AWS_ROLE_ARN=arn:aws:iam::1:role/x"}, failure.Denied, "AWS STS refused the request (403: AccessDenied: Not authorized to perform"},
		"no role":                               {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + token}, failure.Settings, "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN"},
		"no token":                              {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent", "AWS_ROLE_ARN=" + fake.IAMRole}, failure.Settings, "the web identity token /nonexistent cannot be read: no such file"},
		"a region that is a host":               {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + token, "AWS_ROLE_ARN=" + fake.IAMRole, "AWS_REGION=evil.example/"}, failure.Settings, "AWS_REGION is not an AWS region"},
		"an STS that is not a URL":              {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + token, "AWS_ROLE_ARN=" + fake.IAMRole, "AWS_ENDPOINT_URL_STS=sts"}, failure.Settings, "AWS_ENDPOINT_URL_STS is not a URL"},
		"an STS without TLS elsewhere":          {environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + token, "AWS_ROLE_ARN=" + fake.IAMRole, "AWS_ENDPOINT_URL_STS=http://192.0.2.1/"}, failure.Settings, "the address of AWS STS is not local to this machine"},
		"a token that the agent does not know":  {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/", "AWS_CONTAINER_AUTHORIZATION_TOKEN=canary"}, failure.Denied, "the container's AWS credentials endpoint refused the request (400: InvalidTokenException: Token provided in the request is invalid: …): check that the ServiceAccount has a Pod Identity association"},
		"an agent elsewhere":                    {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://192.0.2.1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN=canary"}, failure.Settings, "is not local to this machine: only loopback"},
		"an agent at another link-local":        {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.1.1/"}, failure.Settings, "is not local to this machine"},
		"an agent that hides behind userinfo":   {environment.Variables{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=@192.0.2.1/"}, failure.Settings, `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path`},
		"an agent that is not a URL":            {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=file:///etc/passwd"}, failure.Settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL"},
		"an agent with a malformed URL":         {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[::1"}, failure.Settings, "is not a URL"},
		"an agent's token with a line break":    {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/", "AWS_CONTAINER_AUTHORIZATION_TOKEN=canary\r\nX: y"}, failure.Settings, "control character"},
		"an agent's token file that is missing": {environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nonexistent"}, failure.Settings, "authorization token /nonexistent cannot be read"},
		"metadata elsewhere":                    {environment.Variables{"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://192.0.2.1"}, failure.Settings, "the address of the EC2 metadata service is not local to this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			loginFrom(cloud, server, c.env, asAWS(aws{})).wantFailure(t, c.status, c.says)
		})
	}
	if logins := server.Seen(); len(logins) != 0 {
		t.Errorf("Vault was asked without credentials: %v", logins)
	}
}

// STS cannot always fetch the cluster's keys; the AWS SDKs retry as well.
func TestSTSIsRetried(t *testing.T) {
	server := fake.NewVault(t)
	server.AnswerLogin("aws", fake.CheckAWS(fake.STS, ""))
	cloud := fake.NewCloud(t)
	n := 0
	cloud.Serve("sts.amazonaws.com:443", func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			fake.STSFault(w, 400, "IDPCommunicationError", "The identity provider could not be reached")
			return
		}
		fake.STS(w, r)
	})
	l := loginFrom(cloud, server, environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + fake.File(t, "token", fake.WebIdentityJWT), "AWS_ROLE_ARN=" + fake.IAMRole}, asAWS(aws{}))
	l.wantToken(t)
	if !strings.Contains(l.said, "AWS STS: 400: IDPCommunicationError: The identity provider could not be reached, retrying") {
		t.Errorf("said %s", l.said)
	}
}

// Images without CA certificates are common, and the solution is not obvious.
func TestSTSNotTrusted(t *testing.T) {
	server := fake.NewVault(t)
	cloud, stranger := fake.NewCloud(t), fake.NewCloud(t)
	stranger.Serve("sts.amazonaws.com:443", fake.STS)
	cloud.Hosts = stranger.Hosts
	l := loginFrom(cloud, server, environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + fake.File(t, "token", fake.WebIdentityJWT), "AWS_ROLE_ARN=" + fake.IAMRole}, asAWS(aws{}))
	l.wantFailure(t, failure.Unavailable, "the certificate of AWS STS is not trusted: add CA certificates to the image (/etc/ssl/certs), or name a file in SSL_CERT_FILE")
}

func TestXMLText(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"<a><Code>X</Code></a>", "X"}, {"<Code> X\n</Code>", "X"}, {"<Code></Code>", ""}, {"<Code>X", ""}, {"", ""}, {"</Code>", ""},
		{"<Code><b>X</b></Code>", ""}, {"<Code>&lt;</Code>", ""}, {"<Codes>X</Codes><Code>Y</Code>", "Y"},
	} {
		if got := xmlText([]byte(c.body), "Code"); got != c.want {
			t.Errorf("%s: %q; want %q", c.body, got, c.want)
		}
	}
}

// FuzzSTSAnswer checks that, whatever STS answers, a credential is the text of one element, and an error is one short
// line.
func FuzzSTSAnswer(f *testing.F) {
	f.Add([]byte("<Credentials><AccessKeyId>A</AccessKeyId></Credentials>"))
	f.Add([]byte("<Error><Code>X</Code><Message>a\nb</Message></Error>"))
	f.Add([]byte("<AccessKeyId><AccessKeyId></AccessKeyId>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		id := xmlText(body, "AccessKeyId")
		if strings.ContainsAny(id, "<&") || id != "" && !strings.Contains(string(body), "<AccessKeyId>") {
			t.Errorf("%q returns %q", body, id)
		}
		if c := (sigv4.Credentials{KeyID: id, Secret: "s", Token: id}); wellFormed(c) && strings.ContainsAny(id, "\r\n,/ ") {
			t.Errorf("%q is accepted as a key's ID", id)
		}
		if said := retry.Quoted(stsError(body), "secret"); len(said) > 210 || strings.ContainsAny(said, "\r\n") || strings.Contains(said, "secret") {
			t.Errorf("says %q", said)
		}
	})
}

// Answers of a metadata service are for this machine only; a proxy could read them.
func TestMetadataBypassesProxies(t *testing.T) {
	for _, connection := range []*vault.Connection{{FollowsEnvironment: true}, {ProxyURL: "http://proxy:3128"}} {
		k, f := (&applicant{Settings: &Settings{}, connection: connection, outside: outside{dial: directly}}).newCloud()
		if f != nil || k.local.Transport.(*http.Transport).Proxy != nil || k.public.Transport.(*http.Transport).Proxy == nil {
			t.Error("the local services are asked by a proxy, or the others without", f)
		}
	}
}

// byPolicy logs in with the settings of a policy: the environment says who the workload is, and not where to prove it.
func byPolicy(a *applicant) { a.connection.FollowsEnvironment = false }

// Somebody who may edit a ConfigMap that the environment comes from must not get the pod's token for AWS.
func TestTheEnvironmentDoesNotSayWhereAWSIs(t *testing.T) {
	cloud, server := fake.NewCloud(t), fake.NewVault(t)
	server.AnswerLogin("aws", fake.CheckAWS(fake.STS, ""))
	cloud.Serve("sts.eu-west-1.amazonaws.com:443", fake.STS)
	evil := cloud.Serve("evil.example:443", fake.STS)
	agent := cloud.Serve("127.0.0.3:80", fake.Agent(fake.PodIdentityJWT))
	env := environment.Variables{"AWS_WEB_IDENTITY_TOKEN_FILE=" + fake.File(t, "token", fake.WebIdentityJWT), "AWS_ROLE_ARN=" + fake.IAMRole, "AWS_REGION=eu-west-1"}
	for _, endpoint := range []string{"https://evil.example/", "sts", "http://192.0.2.1/"} {
		loginFrom(cloud, server, append(env, "AWS_ENDPOINT_URL_STS="+endpoint), asAWS(aws{}, byPolicy)).wantToken(t)
	}
	loginFrom(cloud, server, environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + agent.URL + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + fake.PodIdentityJWT}, asAWS(aws{}, byPolicy)).wantToken(t)
	loginFrom(cloud, server, environment.Variables{"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://192.0.2.1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN=canary"}, asAWS(aws{}, byPolicy)).
		wantFailure(t, failure.Settings, "the address of the container's AWS credentials endpoint is not local to this machine")
	for _, asked := range cloud.Seen() {
		if strings.Contains(asked, "evil") || strings.Contains(asked, evil.URL) {
			t.Errorf("asked %s", asked)
		}
	}
}

func TestSTSHost(t *testing.T) {
	for region, want := range map[string]string{
		"":                "sts.amazonaws.com",
		"eu-west-1":       "sts.eu-west-1.amazonaws.com",
		"us-gov-west-1":   "sts.us-gov-west-1.amazonaws.com",
		"cn-north-1":      "sts.cn-north-1.amazonaws.com.cn",
		"eusc-de-east-1":  "sts.eusc-de-east-1.amazonaws.eu",
		"us-iso-east-1":   "sts.us-iso-east-1.c2s.ic.gov",
		"us-isob-east-1":  "sts.us-isob-east-1.sc2s.sgov.gov",
		"us-isof-south-1": "sts.us-isof-south-1.csp.hci.ic.gov",
		"eu-isoe-west-1":  "sts.eu-isoe-west-1.cloud.adc-e.uk",
	} {
		if got := stsHost(region); got != want {
			t.Errorf("%q: %s; want %s", region, got, want)
		}
	}
}
