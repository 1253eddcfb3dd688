//go:build tools

// Package tools pins the Vault server that the tests run, and its plugin for PostgreSQL.
package tools

import (
	_ "github.com/hashicorp/vault"
	_ "github.com/hashicorp/vault/plugins/database/postgresql/postgresql-database-plugin"
)
