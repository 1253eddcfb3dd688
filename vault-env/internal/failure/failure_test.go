package failure

import (
	"errors"
	"syscall"
	"testing"
)

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\r\tc\x00d\x7f": "a b  c d ", "é\u2028\u0085x": "é  x", "bad\xff": "bad?", "": "",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q; want %q", in, got, want)
		}
	}
	if got := Shorten("ééé", 3); got != "é…" {
		t.Errorf("shorten cuts a character: %q", got)
	}
}

func TestErrno(t *testing.T) {
	if Errno(errors.New("with a path /secret")).Error() != "unknown error" || Errno(syscall.EACCES) != syscall.EACCES {
		t.Error("errnoOf")
	}
}
