//go:build tools

// Package tools pins the Vault server that the tests run.
package tools

import _ "github.com/hashicorp/vault"
