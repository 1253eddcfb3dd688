package vault

import (
	"net/http"
	"net/url"
	"strings"

	"vaultinjection.dev/vault-env/internal/retry"
)

// A standby redirects once, to the leader, and a load balancer perhaps once before it.
const maxRedirects = 3

// redirection returns where a response redirects a request, and whether to follow: only to the original host, because
// the request carries a token or proof of an identity, and never from https to http. Without a target that could be
// read, it returns nil.
//
// All five statuses are followed with the same method and body. Browsers, and net/http's client, turn a write into a
// GET for three of them, which reads something else and calls it the answer (RFC 9110, section 15.4, allows both).
func redirection(response *http.Response, first *url.URL) (target *url.URL, follow bool) {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, false
	}
	target, err := response.Location() // relative to the request that was redirected
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, false
	}
	target.User, target.Fragment = nil, ""
	follow = strings.EqualFold(target.Hostname(), first.Hostname()) && (first.Scheme == "http" || target.Scheme == "https")
	return target, follow
}

// notNow returns whether another attempt may get another answer: retry.Worth, or a redirect that is not followed. A
// standby of a cluster that cannot forward a request redirects it to the leader, while there is one; soon another
// server leads, or the standby can forward again.
func notNow(a *retry.Answer) bool { return retry.Worth(a.Status) || a.Elsewhere != "" }

// elsewhere returns whether another server may have another answer. For a rate limit, and for a server that has not
// caught up, it is the same server that has one later.
func elsewhere(a *retry.Answer) bool {
	return notNow(a) && a.Status != http.StatusTooManyRequests && a.Status != http.StatusPreconditionFailed
}
