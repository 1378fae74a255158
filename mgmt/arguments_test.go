package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asProgram has the test's program be the management program.
const asProgram = "WIREPATCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A word that is no option starts nothing: whoever types "mgmt help" wants no
// page on port 443 and no new certificate.
func TestArguments(t *testing.T) {
	c := exec.Command(os.Args[0], "-listen", "127.0.0.1:0", "-data", t.TempDir(), "help")
	c.Env = append(os.Environ(), asProgram+"=1")
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "-help") {
		t.Errorf("mgmt help: %v, %q; want status 2 and where to look", err, out)
	}
}

// A log that was changed is told from one that could not be looked at.
func TestVerifyAudit(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		path, head string
		status     int
		says       string
	}{
		{file("changed", `{"seq":1}`), "", 1, "NOT intact"},
		{file("other", "hello\n"), "", 1, "NOT intact"},
		{file("empty", ""), "", 0, "intact up to record 0"},
		{filepath.Join(dir, "none"), "", 2, "not checked"},
		{file("changed", `{"seq":1}`), "12", 2, "SEQ:HASH"},
	} {
		var out strings.Builder
		if got := verifyAudit(&out, c.path, c.head); got != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("verifyAudit(%s, %q) = %d, %q; want %d and %q", filepath.Base(c.path), c.head, got, &out, c.status, c.says)
		}
	}
}
