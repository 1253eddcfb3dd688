// Package termination leaves a message for the kubelet, which shows it in the status of the container when that has
// ended: kubectl describe pod says then why, without a log.
package termination

import (
	"os"

	"vaultinjection.dev/vault-env/internal/failure"
)

// DefaultPath is where the kubelet looks unless the container says otherwise (terminationMessagePath).
const DefaultPath = "/dev/termination-log"

// maxMessage is how much the kubelet reads.
const maxMessage = 4096

// Write leaves a message, as one line that is not longer than the kubelet reads. It does nothing if there is no such file, which the kubelet provides, or if it cannot be
// written: the message is on standard error in any case.
func Write(path, message string) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	defer file.Close()
	file.WriteString(failure.Bounded(message, maxMessage-1) + "\n")
}
