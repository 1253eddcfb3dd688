//go:build tools

// Package tools pins the two versions of Helm that the tests install the chart with. They are in one module, so that they
// are built from the same versions of their dependencies, most of them once.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "helm.sh/helm/v4/cmd/helm"
)
