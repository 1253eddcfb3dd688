package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// config is the JSON of VAULT_ENV_CONFIG: the keys of the policy's own spec, and vault.auth.tokenPath.
type config struct {
	Vault struct {
		Address   string `json:"address"`
		Namespace string `json:"namespace"`
		Timeout   string `json:"timeout"`
		TLS       struct {
			CABundle   string `json:"caBundle"`
			CAFile     string `json:"caFile"`
			ServerName string `json:"serverName"`
		} `json:"tls"`
		Auth struct {
			Method    string `json:"method"`
			MountPath string `json:"mountPath"`
			Role      string `json:"role"`
			TokenPath string `json:"tokenPath"`
		} `json:"auth"`
	} `json:"vault"`
	Environment struct {
		FromPaths []struct {
			Path      string `json:"path"`
			Version   int    `json:"version"`
			Prefix    string `json:"prefix"`
			Overwrite bool   `json:"overwrite"`
		} `json:"fromPaths"`
		IgnoreMissing bool     `json:"ignoreMissing"`
		Passthrough   []string `json:"passthrough"`
		AllowedPaths  []string `json:"allowedPaths"`
	} `json:"environment"`
	Process struct {
		Delay string `json:"delay"`
		Log   struct {
			Level  string `json:"level"`
			Format string `json:"format"`
		} `json:"log"`
	} `json:"process"`
}

// parseConfig reads VAULT_ENV_CONFIG strictly: what it does not know it refuses, for a setting that is silently
// ignored may be the one that was to protect something.
func parseConfig(text string) (settings, *failure) {
	s := defaultSettings()
	var c config
	if f := decodeStrictly(text, &c); f != nil {
		return s, f
	}
	// The log's settings first, so that the other failures are told in the format that was asked for.
	for _, read := range []func(*config, *settings) *failure{configProcess, configVault, configAuth, configEnvironment} {
		if f := read(&c, &s); f != nil {
			return s, f
		}
	}
	return s, nil
}

func decodeStrictly(text string, c *config) *failure {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(c)
	if err == nil {
		if _, err = decoder.Token(); err == io.EOF {
			return nil
		}
		return failf(exitSettings, "there is text after the JSON object: remove it")
	}
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		return failf(exitSettings, "%s holds a JSON %s: write a %s", wrongType.Field, wrongType.Value, jsonName(wrongType.Type.Kind().String()))
	case errors.As(err, &syntax):
		return failf(exitSettings, "not JSON at byte %d: write one JSON object", syntax.Offset)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return failf(exitSettings, "unknown key %s: remove it, or update vault-env", strings.TrimPrefix(err.Error(), "json: unknown field "))
	}
	return failf(exitSettings, "not JSON: write one JSON object")
}

func jsonName(kind string) string {
	switch kind {
	case "slice":
		return "list"
	case "struct":
		return "JSON object"
	case "bool":
		return "true or false"
	case "int":
		return "whole number"
	}
	return kind
}

func configVault(c *config, s *settings) *failure {
	if c.Vault.Address == "" {
		return failf(exitSettings, "vault.address is missing: write https://HOST[:PORT]")
	}
	var f *failure
	if s.vault.address, f = parseAddress("vault.address", c.Vault.Address); f != nil {
		return f
	}
	s.vault.namespace = c.Vault.Namespace
	if c.Vault.Timeout != "" {
		d, err := time.ParseDuration(c.Vault.Timeout)
		if err != nil || d <= 0 {
			return failf(exitSettings, `vault.timeout is not a duration above zero: write one like "10s"`)
		}
		s.vault.timeout = d
	}
	s.vault.caPEM = c.Vault.TLS.CABundle
	s.vault.caFile = c.Vault.TLS.CAFile
	s.vault.serverName = c.Vault.TLS.ServerName
	return nil
}

func configAuth(c *config, s *settings) *failure {
	auth := &c.Vault.Auth
	switch auth.Method {
	case "", "Kubernetes":
		if auth.Role == "" {
			return failf(exitSettings, "vault.auth.role is missing: write the name of the role to log in as")
		}
	case "JWT": // its mount may have a default role
	default:
		return failf(exitSettings, "vault.auth.method is unknown: write Kubernetes or JWT")
	}
	s.vault.role = auth.Role
	if auth.MountPath != "" {
		var f *failure
		if s.vault.authMount, f = parsePath("vault.auth.mountPath", auth.MountPath); f != nil {
			return f
		}
	}
	if auth.TokenPath != "" {
		s.vault.jwtFile = auth.TokenPath
	}
	return nil
}

func configEnvironment(c *config, s *settings) *failure {
	for i, from := range c.Environment.FromPaths {
		name := fmt.Sprintf("environment.fromPaths[%d]", i)
		path, f := parsePath(name+".path", from.Path)
		if f != nil {
			return f
		}
		if from.Version < 0 {
			return failf(exitSettings, "%s.version is below zero: write a whole number, or leave it out for the latest", name)
		}
		entry := fromPath{path: path, prefix: from.Prefix, overwrite: from.Overwrite}
		if from.Version > 0 {
			entry.version = strconv.Itoa(from.Version)
		}
		s.fromPaths = append(s.fromPaths, entry)
	}
	for i, pattern := range c.Environment.AllowedPaths {
		path, f := parsePath(fmt.Sprintf("environment.allowedPaths[%d]", i), pattern)
		if f != nil {
			return f
		}
		s.allowedPaths = append(s.allowedPaths, path)
	}
	s.ignoreMissing = c.Environment.IgnoreMissing
	for _, name := range c.Environment.Passthrough {
		s.passthrough[name] = true
	}
	return nil
}

func configProcess(c *config, s *settings) *failure {
	levels := map[string]logLevel{"": levelInfo, "Debug": levelDebug, "Info": levelInfo, "Warn": levelWarn, "Error": levelError}
	level, ok := levels[c.Process.Log.Level]
	if !ok {
		return failf(exitSettings, "process.log.level is unknown: write Debug, Info, Warn or Error")
	}
	s.logLevel = level
	switch c.Process.Log.Format {
	case "", "Text":
	case "JSON":
		s.logJSON = true
	default:
		return failf(exitSettings, "process.log.format is unknown: write Text or JSON")
	}
	if c.Process.Delay != "" {
		d, err := time.ParseDuration(c.Process.Delay)
		if err != nil || d < 0 {
			return failf(exitSettings, `process.delay is not a duration: write one like "5s"`)
		}
		s.delay = d
	}
	return nil
}
