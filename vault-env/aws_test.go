package main

import (
	"encoding/json"
	"testing"

	"vaultinjection.dev/vault-env/internal/fake"
)

// The whole executable, with the EKS agent at the address in the container's environment.
func TestAWSLoginOfTheExecutable(t *testing.T) {
	server := fake.NewVault(t)
	server.AnswerLogin("aws", fake.CheckAWS(fake.STS, ""))
	server.KV1("secret/data/a", `{"k":"v"}`)
	agent := fake.NewCloud(t).Serve("agent:80", fake.Agent(fake.PodIdentityJWT))
	config, _ := json.Marshal(map[string]any{"vault": map[string]any{"address": server.URL, "tls": map[string]any{"caBundle": server.CaPEM()},
		"auth": map[string]any{"method": "AWS", "role": fake.Role}}})
	uri := "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + agent.URL + "/v1/credentials"
	e := vaultEnv(t, []string{"PATH=/usr/bin:/bin", "VAULT_ENV_CONFIG=" + string(config), uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + fake.PodIdentityJWT,
		"X=vault:secret/data/a#k"}, "sh", "-c", "echo $X; env | grep ^AWS_CONTAINER_CREDENTIALS")
	if e.status != 0 || e.stdout != "v\n"+uri+"\n" || e.stderr != "" {
		t.Errorf("%+v", e)
	}
}
