package main

import (
	"path/filepath"
	"strings"

	"vaultinjection.dev/vault-env/internal/environment"
	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/reference"
)

// The kubelet mounts the pod's own token here unless a policy mounts another one.
const defaultJWTFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// authMethod is how vault-env proves to Vault who it is, where it has no token.
type authMethod int

const (
	authJWT         authMethod = iota // Kubernetes and JWT, which send the same request
	authAppRole                       // role id and secret id
	authCertificate                   // the TLS client certificate
	authAWS                           // a signed sts:GetCallerIdentity
	authGCE                           // an identity token of the instance
	authGCPIAM                        // a JWT that Google signs for the service account
	authAzure                         // a token of the managed or federated identity
)

// authSettings are those of every method; each has its own use for some of them.
type authSettings struct {
	method    authMethod
	authMount string
	role      string // AppRole: the one that must have made a wrapped secret id; empty: any of the mount
	jwtFile   string

	roleIDFile      string
	secretIDFile    string // empty: the role needs none
	secretIDWrapped bool

	region      string // whose STS the request is signed for; empty: the global one
	headerValue string // of X-Vault-AWS-IAM-Server-ID

	serviceAccount string // e-mail address; empty: the instance's or pod's own
	resource       string // what the Azure token is for

	// environment is the container's, where the clouds' webhooks and SDKs keep what they know.
	environment environment.Variables
}

// configAuth reads vault.auth. The keys of one method are unknown to the others, but for role and tokenPath, which a
// policy may set for all.
func configAuth(o configObject, v *vaultSettings) {
	v.role = o.text("role")
	if path := o.text("tokenPath"); path != "" {
		v.jwtFile = path
	}
	switch o.text("method") {
	case "", "Kubernetes":
		needRole(o, v)
	case "JWT": // its mount may have a default role
		v.authMount = "jwt"
	case "AppRole":
		configAppRole(o, v)
	case "Certificate":
		configCertificate(o, v)
	case "AWS":
		configAWS(o, v)
	case "GCP":
		configGCP(o, v)
	case "Azure":
		needRole(o, v)
		v.method, v.authMount, v.resource = authAzure, "azure", o.text("resource")
		if v.resource == "" {
			v.resource = defaultAzureResource
		}
	default:
		o.fail("method", "is unknown: write Kubernetes, JWT, AppRole, Certificate, AWS, GCP or Azure")
	}
	if mount := o.text("mountPath"); mount != "" {
		v.authMount = o.cleanPath("mountPath", mount)
	}
	o.done()
}

func needRole(o configObject, v *vaultSettings) {
	if v.role == "" {
		o.fail("role", "is missing: write the name of the role to log in as")
	}
}

func configAppRole(o configObject, v *vaultSettings) {
	v.method, v.authMount = authAppRole, "approle"
	v.roleIDFile, v.secretIDFile, v.secretIDWrapped = o.text("roleIDFile"), o.text("secretIDFile"), o.bool("secretIDWrapped")
	if v.roleIDFile == "" {
		o.fail("roleIDFile", "is missing: write the path of the file with the role id")
	}
	if v.secretIDWrapped && v.secretIDFile == "" {
		o.fail("secretIDFile", "is missing: write the path of the file with the wrapping token")
	}
}

func configCertificate(o configObject, v *vaultSettings) {
	v.method, v.authMount = authCertificate, "cert"
	v.certFile, v.keyFile = o.text("certFile"), o.text("keyFile")
	if v.certFile == "" || v.keyFile == "" {
		o.fail("certFile", "and keyFile go together: write the paths of the PEM certificate and of its key")
	}
	if strings.HasPrefix(v.address, "http:") {
		o.fail("method", "is Certificate, which needs TLS: write an address that begins with https://")
	}
}

func configAWS(o configObject, v *vaultSettings) {
	v.method, v.authMount = authAWS, "aws"
	switch o.text("type") {
	case "", "IAM":
	default:
		o.fail("type", "is unknown: write IAM, or leave it out")
	}
	v.region, v.headerValue = o.text("region"), o.text("headerValue")
	if v.region != "" && !isRegion(v.region) {
		o.fail("region", `is not an AWS region: write one like "eu-west-1", or leave it out for the global STS`)
	}
	if strings.TrimSpace(failure.OneLine(v.headerValue)) != v.headerValue {
		o.fail("headerValue", "is no value of a header: write it without control characters and white space around it")
	}
}

func configGCP(o configObject, v *vaultSettings) {
	v.method, v.authMount = authGCE, "gcp"
	needRole(o, v)
	switch o.text("type") {
	case "GCE":
	case "", "IAM":
		v.method = authGCPIAM
	default:
		o.fail("type", "is unknown: write GCE or IAM")
	}
	v.serviceAccount = o.text("serviceAccount")
	if v.serviceAccount != "" && !isServiceAccount(v.serviceAccount) {
		o.fail("serviceAccount", "is not a service account of Google Cloud: write its e-mail address, or leave it out for the own one")
	}
}

// readAuth reads the variables that say how to log in: Bank-Vaults' own, and three for AppRole.
func readAuth(r *variableReader, v *vaultSettings) {
	v.environment = r.env
	v.role = r.text("VAULT_ROLE", "default")
	v.jwtFile = r.text("KUBERNETES_SERVICE_ACCOUNT_TOKEN", r.text("VAULT_JWT_FILE", defaultJWTFile))
	mount := readMethod(r, v)
	v.authMount = r.path("VAULT_PATH", mount)

	v.tokenFile = r.text("VAULT_TOKEN_FILE", "")
	// A reference in VAULT_TOKEN is for the program: no token of ours.
	v.token = strings.TrimSpace(unlessReference("VAULT_TOKEN", r.text("VAULT_TOKEN", "")))
	v.tokenPath = r.text("VAULT_TOKEN_PATH", "")
	if home := r.text("HOME", ""); v.tokenPath == "" && home != "" {
		v.tokenPath = filepath.Join(home, ".vault-token")
	}
}

// readMethod gives the mount that is taken where none is set.
func readMethod(r *variableReader, v *vaultSettings) string {
	switch r.text("VAULT_AUTH_METHOD", "jwt") {
	case "jwt", "kubernetes":
		return "kubernetes"
	case "approle":
		readAppRole(r, v)
		return "approle"
	case "cert":
		v.method, v.role = authCertificate, r.text("VAULT_ROLE", "")
		if v.certFile == "" || !strings.HasPrefix(v.address, "https:") {
			r.fail(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is cert: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, and a VAULT_ADDR that begins with https://"))
		}
		return "cert"
	case "aws-iam":
		v.method, v.region = authAWS, readRegion(r)
		return "aws"
	case "gcp-gce":
		v.method = authGCE
		return "gcp"
	case "gcp-iam":
		v.method = authGCPIAM
		return "gcp"
	case "azure":
		v.method, v.resource = authAzure, defaultAzureResource
		return "azure"
	case "aws-ec2":
		r.fail(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is aws-ec2, which knows nodes but no pods, and is not supported: write aws-iam"))
	default:
		r.fail(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is unknown: write jwt, kubernetes, approle, cert, aws-iam, gcp-gce, gcp-iam or azure"))
	}
	return "kubernetes"
}

func readAppRole(r *variableReader, v *vaultSettings) {
	v.method, v.role = authAppRole, r.text("VAULT_ROLE", "")
	v.roleIDFile, v.secretIDFile = r.text("VAULT_ROLE_ID_FILE", ""), r.text("VAULT_SECRET_ID_FILE", "")
	v.secretIDWrapped = r.bool("VAULT_SECRET_ID_WRAPPED")
	if v.roleIDFile == "" || v.secretIDWrapped && v.secretIDFile == "" {
		r.fail(failure.Newf(failure.Settings, "VAULT_AUTH_METHOD is approle: set VAULT_ROLE_ID_FILE, and VAULT_SECRET_ID_FILE unless the role needs no secret id"))
	}
}

// readRegion gives a region where its own STS is asked for, as the SDK that Bank-Vaults uses.
func readRegion(r *variableReader) string {
	if r.text("AWS_STS_REGIONAL_ENDPOINTS", "") != "regional" {
		return ""
	}
	region := r.text("AWS_REGION", r.text("AWS_DEFAULT_REGION", ""))
	if region != "" && !isRegion(region) {
		r.fail(failure.Newf(failure.Settings, `AWS_REGION is not an AWS region: write one like "eu-west-1"`))
	}
	return region
}

// unlessReference gives the value of a variable, empty where it refers to Vault: what is to come out of Vault for the
// program cannot be what vault-env gets into Vault with.
func unlessReference(name, value string) string {
	if parsed, err := reference.Parse(name, value); err != nil || parsed.Refers {
		return ""
	}
	return value
}
