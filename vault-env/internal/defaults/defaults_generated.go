// Code generated from crds/vaultinjectionpolicies.yaml by build/generate; DO NOT EDIT.

package defaults

import "time"

const (
	VaultTimeout                  = 10 * time.Second // spec.vault.timeout
	VaultAuthMethod               = "Kubernetes"     // spec.vault.auth.method
	EnvironmentFromPathsOverwrite = false            // spec.environment.fromPaths.overwrite
	EnvironmentIgnoreMissing      = false            // spec.environment.ignoreMissing
	EnvironmentTransitMountPath   = "transit"        // spec.environment.transit.mountPath
	EnvironmentTransitBatchSize   = 25               // spec.environment.transit.batchSize
	ProcessMode                   = "Exec"           // spec.process.mode
	ProcessLeaseEndAction         = "Restart"        // spec.process.leaseEnd.action
	ProcessLeaseEndSignal         = "SIGTERM"        // spec.process.leaseEnd.signal
	ProcessLeaseEndGracePeriod    = 10 * time.Second // spec.process.leaseEnd.gracePeriod
	ProcessDelay                  = 0 * time.Second  // spec.process.delay
	ProcessRevokeToken            = true             // spec.process.revokeToken
	ProcessRefuseExec             = false            // spec.process.refuseExec
	ProcessLogLevel               = "Info"           // spec.process.log.level
	ProcessLogFormat              = "Text"           // spec.process.log.format
)
