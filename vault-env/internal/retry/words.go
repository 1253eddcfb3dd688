package retry

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Reason returns briefly why there was no answer, without the request's URL.
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

// Quoted returns text from a server as part of a message: one short line, without the secrets that were sent to it. The
// secrets are removed before the text is shortened: half a secret would not be recognized.
func Quoted(said string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	return failure.Shorten(failure.OneLine(said), 200)
}

// StatusText returns a status and the text that came with it.
func StatusText(status int, said string) string {
	text := strconv.Itoa(status)
	if status >= 300 && status < 400 {
		text += ", a redirect, which is only followed to the same host"
	}
	if said != "" {
		text += ": " + said
	}
	return text
}
