//go:build tools

// Package tools pins Vault's Kubernetes auth plugin that the tests run.
package tools

import _ "github.com/hashicorp/vault-plugin-auth-kubernetes/cmd/vault-plugin-auth-kubernetes"
