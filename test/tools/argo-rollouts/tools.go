//go:build tools

// Package tools pins the controller of Argo Rollouts, and with it the CRD, that `make test-argo-rollouts` runs.
package tools

import (
	_ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
)
