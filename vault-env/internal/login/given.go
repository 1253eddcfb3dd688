package login

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"vaultinjection.dev/vault-env/internal/failure"
)

// Given returns the token in the settings or in a file that they name. If it is empty, log in.
func Given(s *Settings) (string, *failure.Failure) {
	switch {
	case s.TokenFile != "":
		return readSecretFile("the token file", s.TokenFile)
	case s.Token != "":
		return s.Token, nil
	case s.TokenPath == "":
		return "", nil
	}
	if info, err := os.Stat(s.TokenPath); s.TokenPathIsGuess && err == nil && !info.Mode().IsRegular() {
		return "", nil // reading a pipe would not end
	}
	token, err := os.ReadFile(s.TokenPath)
	// HOME may belong to another user, or be no directory: the program's concern.
	if errors.Is(err, fs.ErrNotExist) || s.TokenPathIsGuess && err != nil {
		return "", nil
	}
	if err != nil {
		return "", failure.Unreadable("the token file", s.TokenPath, err)
	}
	return strings.TrimSpace(string(token)), nil
}

// readSecretFile returns the content of a file with one secret, without surrounding white space.
func readSecretFile(what, path string) (string, *failure.Failure) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", failure.Unreadable(what, path, err)
	}
	secret := strings.TrimSpace(string(content))
	switch {
	case secret == "":
		return "", failure.Newf(failure.Settings, "%s %s is empty", what, path)
	case failure.OneLine(secret) != secret:
		return "", failure.Newf(failure.Settings, "%s %s is malformed: it must contain one line of text", what, path)
	}
	return secret, nil
}
