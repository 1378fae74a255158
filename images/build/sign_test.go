package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/firmware/secureboot"
)

// A TPM gives its secrets to all that the key signed: a shell is never among that.
func TestShellIsNotSigned(t *testing.T) {
	dir := t.TempDir()
	if err := secureboot.Make(dir, "Example Ltd", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []bool{false, true} {
		i := &image{options: options{secure: dir, shell: shell}}
		_, err := i.readKey(t.Context())
		if shell && (err == nil || !strings.Contains(err.Error(), "not signed") || i.key != nil) || !shell && (err != nil || i.key == nil) {
			t.Errorf("readKey, shell %v: %v", shell, err)
		}
	}
}

// A build signs with the key of its own when it is asked to, each time with the
// same, and with no key that is not there.
func TestDevelopmentKey(t *testing.T) {
	cache := t.TempDir()
	var first []byte
	for range 2 {
		i := &image{options: options{secure: development}, cache: cache}
		if _, err := i.readKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = i.certificate
		}
		if !bytes.Equal(i.certificate, first) {
			t.Error("the second build signs with another key; want the one that the first made")
		}
	}
	i := &image{options: options{secure: filepath.Join(cache, "misspelt")}, cache: cache}
	if got, err := i.readKey(t.Context()); err == nil {
		t.Errorf("readKey from a folder that is not there = %s; want an error", got)
	}
}
