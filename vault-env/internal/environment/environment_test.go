package environment

import (
	"slices"
	"testing"
)

func TestLookup(t *testing.T) {
	env := Variables{"AB=1", "A=2", "A=3", "C"}
	for name, want := range map[string]string{"A": "2", "AB": "1", "B": "-", "C": "-", "": "-"} {
		got, ok := env.Lookup(name)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q = %q; want %q", name, got, want)
		}
	}
	if !slices.Contains(env, "C") {
		t.Error("changed")
	}
}
