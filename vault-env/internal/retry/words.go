package retry

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Reason returns in a few words why there was no answer, without the request's URL.
func Reason(err error) string {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return failure.Shorten(failure.OneLine(err.Error()), 200)
}

// Quoted returns what somebody else said as part of a message: one line, not long, and without the secrets that were
// sent to them. These go first: of one that is cut in two, the half would stay.
func Quoted(said string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	return failure.Shorten(failure.OneLine(said), 200)
}

// StatusText returns a status, and what was said with it.
func StatusText(status int, said string) string {
	text := strconv.Itoa(status)
	if status >= 300 && status < 400 {
		text += ", a redirect, which is followed to the same host only"
	}
	if said != "" {
		text += ": " + said
	}
	return text
}
