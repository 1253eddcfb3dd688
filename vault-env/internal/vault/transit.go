package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/retry"
)

// Transit is the transit engine and the key that decrypt.
type Transit struct {
	KeyID     string
	MountPath string
	BatchSize int // ciphertexts in one request, at most
}

// decryption is one batch of ciphertexts, sent in one request to the transit engine.
type decryption struct {
	client        *Client
	key           Transit
	ignoreMissing bool                              // skip what cannot be decrypted
	wanted        func(ciphertexts []string) string // the name of who needs them, for messages
	ciphertexts   []string
	Plaintexts    map[string]string // by ciphertext; without those that could not be decrypted, if they may be missing
}

// Decryptions splits ciphertexts into as few batches as the batch size allows, of about the same size: they are sent at
// the same time, so the largest one determines how long it takes.
func (c *Client) Decryptions(key Transit, ciphertexts []string, ignoreMissing bool, wanted func([]string) string) []*decryption {
	n := len(ciphertexts)
	if n == 0 {
		return nil
	}
	batches := (n-1)/key.BatchSize + 1
	var all []*decryption
	for batch := range slices.Chunk(ciphertexts, (n-1)/batches+1) {
		all = append(all, &decryption{c, key, ignoreMissing, wanted, batch, make(map[string]string, len(batch))})
	}
	return all
}

// Run sends the batch.
func (d *decryption) Run(ctx context.Context) *failure.Failure {
	path := d.key.MountPath + "/decrypt/" + d.key.KeyID
	answer, f := d.client.Do(ctx, http.MethodPut, path, "", d.body())
	if f != nil {
		return f.Under(d.wanted(d.ciphertexts))
	}
	return d.take(path, answer)
}

// take reads the plaintexts from an answer.
func (d *decryption) take(path string, answer *retry.Answer) *failure.Failure {
	results, f := d.results(path, answer)
	if f != nil {
		return f.Under(d.wanted(d.ciphertexts))
	}
	for i, result := range results {
		ciphertext := d.ciphertexts[i]
		plaintext, f := d.plaintext(path, result)
		switch {
		case f == nil:
			d.Plaintexts[ciphertext] = plaintext
		case f.Status != failure.Denied || !d.ignoreMissing:
			return f.Under(d.wanted(d.ciphertexts[i : i+1]))
		}
	}
	return nil
}

func (d *decryption) body() []byte {
	type item = map[string]string
	items := make([]item, len(d.ciphertexts))
	for i, ciphertext := range d.ciphertexts {
		items[i] = item{"ciphertext": ciphertext}
	}
	body, _ := json.Marshal(map[string][]item{"batch_input": items}) // strings cannot fail
	return body
}

// results returns one result for each ciphertext, or none if the key or the engine is missing and may be.
func (d *decryption) results(path string, answer *retry.Answer) ([]any, *failure.Failure) {
	decoded, err := Decode(answer.Body)
	if err != nil {
		decoded = &Body{}
	}
	// If one ciphertext cannot be decrypted, the status is 400, with the results of all.
	if results, ok := decoded.Data["batch_results"].([]any); ok && len(results) == len(d.ciphertexts) {
		return results, nil
	}
	fromVault := decoded.Errors != nil
	said := retry.StatusText(answer.Status, strings.ReplaceAll(Errors(answer.Body), d.client.Token, "…"))
	switch status := answer.Status; {
	case status < 300 || status == http.StatusNotFound && !fromVault:
		return nil, failure.Newf(failure.Protocol, "the response to %s (%d) is not from Vault's transit engine: check that %s is a Vault server, and check transit.mountPath", failure.QuoteName(path), status, d.client.address)
	case status == http.StatusForbidden:
		return nil, failure.Newf(failure.Denied, `Vault denied decrypting with %s (%s): grant "update" on it in the role's policy`, failure.QuoteName(path), said)
	case d.ignoreMissing && fromVault && (status == http.StatusBadRequest || status == http.StatusNotFound):
		return nil, nil
	}
	return nil, Refused(answer.Status, "Vault refused to decrypt with %s (%s): check transit.mountPath and transit.keyID", failure.QuoteName(path), said)
}

// plaintext returns the plaintext in one result of a batch.
func (d *decryption) plaintext(path string, result any) (string, *failure.Failure) {
	fields, _ := result.(map[string]any)
	if said, _ := fields["error"].(string); said != "" {
		return "", failure.Newf(failure.Denied, "Vault cannot decrypt the ciphertext with %s (%s): check the ciphertext, and that it was encrypted with this key", failure.QuoteName(path), failure.Shorten(failure.OneLine(said), 200))
	}
	encoded, isText := fields["plaintext"].(string)
	plaintext, err := base64.StdEncoding.DecodeString(encoded)
	if !isText || err != nil {
		return "", failure.Newf(failure.Protocol, "the response to %s contains no plaintext: check that %s is a Vault server", failure.QuoteName(path), d.client.address)
	}
	return string(plaintext), nil
}
