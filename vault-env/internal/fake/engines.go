package fake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// DecryptPath is the request to decrypt.
const DecryptPath = "PUT transit/decrypt/shop"

// Transit decrypts as Vault 1.21 does: the status is 400 if one ciphertext of a batch cannot be decrypted.
type Transit struct {
	mu      sync.Mutex
	Batches []int
}

// Encrypted returns the ciphertext of a plaintext.
func Encrypted(plaintext string) string {
	return "vault:v1:" + base64.StdEncoding.EncodeToString([]byte("key"+plaintext))
}

// Decrypt answers a batch.
func (f *Transit) Decrypt(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Batch []struct{ Ciphertext string } `json:"batch_input"`
	}
	content, _ := io.ReadAll(r.Body)
	if json.Unmarshal(content, &body) != nil || len(body.Batch) == 0 {
		w.WriteHeader(400)
		io.WriteString(w, `{"errors":["missing batch input to process"]}`)
		return
	}
	f.mu.Lock()
	f.Batches = append(f.Batches, len(body.Batch))
	f.mu.Unlock()
	var results []map[string]string
	status := 200
	for _, item := range body.Batch {
		sealed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(item.Ciphertext, "vault:v1:"))
		plaintext, ok := strings.CutPrefix(string(sealed), "key")
		if err != nil || !ok {
			status = 400
			results = append(results, map[string]string{"plaintext": "", "error": "cipher: message authentication failed"})
			continue
		}
		results = append(results, map[string]string{"plaintext": base64.StdEncoding.EncodeToString([]byte(plaintext))})
	}
	answer, _ := json.Marshal(map[string]any{"data": map[string]any{"batch_results": results}})
	w.WriteHeader(status)
	w.Write(answer)
}

// Engine issues new credentials with each request, as the database engine does, and records the bodies.
type Engine struct {
	mu     sync.Mutex
	Bodies []string
}

// Lend answers with new credentials.
func (f *Engine) Lend(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.Bodies = append(f.Bodies, string(body))
	n := len(f.Bodies)
	f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	fmt.Fprintf(w, `{"lease_id":"%s/lease%d","lease_duration":3600,"renewable":true,"data":{"username":"u%d","password":"hunter2-%d"},"wrap_info":null,"warnings":null,"auth":null}`, path, n, n, n)
}
