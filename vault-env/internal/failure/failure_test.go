package failure

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The operator is held to the same table, by test/unit/core/shown.test.ts.
func TestText(t *testing.T) {
	b, err := os.ReadFile("../../testdata/texts.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Text, Shown string
		Most              int
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 30 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Most == 0 {
				c.Most = 4096
				if got := OneLine(c.Text); got != c.Shown {
					t.Errorf("OneLine: %q; want %q", got, c.Shown)
				}
			}
			if got := Bounded(c.Text, c.Most); got != c.Shown {
				t.Errorf("%q; want %q", got, c.Shown)
			}
		})
	}
}

func TestTextThatIsNotUTF8(t *testing.T) {
	if got := OneLine("bad\xff\xed\xa0\x80"); got != "bad"+strings.Repeat("\ufffd", 4) {
		t.Errorf("%q", got)
	}
	if got := Bounded(strings.Repeat("\xff", 1<<20), 10); got != "\ufffd\ufffd…" {
		t.Errorf("%q", got)
	}
	if got := Shorten("ééé", 3); got != "é…" {
		t.Errorf("Shorten cuts a character: %q", got)
	}
}

func TestErrno(t *testing.T) {
	if Errno(errors.New("with a path /secret")).Error() != "unknown error" || Errno(syscall.EACCES) != syscall.EACCES {
		t.Error("errnoOf")
	}
}
