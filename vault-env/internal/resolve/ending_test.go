package resolve

import (
	"context"
	"io"
	"testing"
	"time"

	"vaultinjection.dev/vault-env/internal/failure"
	"vaultinjection.dev/vault-env/internal/logging"
	"vaultinjection.dev/vault-env/internal/settings"
	"vaultinjection.dev/vault-env/internal/vault"
)

// A signal ends the start, also while a template is evaluated.
func TestTemplatesEndWithTheStart(t *testing.T) {
	p, f := newPlan([]string{"X=vault:kv/a#${.k}"}, &settings.Settings{})
	if f != nil {
		t.Fatal(f)
	}
	a := &answers{secrets: map[vault.Request]*vault.Secret{{Path: "kv/a"}: {Data: map[string]any{"k": "v"}}}}
	log := &logging.Logger{Out: io.Discard, Now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	if got, f := p.environment(ctx, a, log); f != nil || len(got) != 1 || got[0] != "X=v" {
		t.Errorf("%q, %v", got, f)
	}
	cancel()
	if got, f := p.environment(ctx, a, log); f != failure.Cancelled {
		t.Errorf("%q, %v", got, f)
	}
}
