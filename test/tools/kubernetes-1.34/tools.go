//go:build tools

// Package tools pins the programs of Kubernetes 1.34 that `make test-versions` runs.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
