package main

import (
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
