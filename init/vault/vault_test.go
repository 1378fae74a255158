package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// chip starts a TPM in software, whose state lies in dir, and switches it on.
func chip(t *testing.T, dir string) transport.TPMCloser {
	t.Helper()
	sockets, err := os.MkdirTemp("", "wptpm") // a short path
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(sockets, "s")
	c := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+path,
		"--ctrl", "type=unixio,path="+path+"c", "--flags", "not-need-init,startup-clear")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatalf("%v (make setup installs it)", err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait(); os.RemoveAll(sockets) })
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		tpm, err := linuxudstpm.Open(path)
		if err == nil {
			t.Cleanup(func() { tpm.Close() })
			return tpm
		}
		if time.Now().After(end) {
			t.Fatalf("%v; swtpm says %s", err, said.String())
		}
	}
}

func extend(t *testing.T, tpm transport.TPM, n uint) {
	t.Helper()
	sum := sha256.Sum256([]byte("measured"))
	_, err := tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(n), Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: sum[:]}}}}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
}

// TestSeal: a TPM gives back what was sealed to it, whatever firmware was
// measured; not once PCR 7 is another, and another TPM never.
func TestSeal(t *testing.T) {
	tpm, other := chip(t, t.TempDir()), chip(t, t.TempDir())
	s := New()
	sealed, err := Seal(tpm, s, SecureBoot)
	if err != nil {
		t.Fatal(err)
	}
	always, err := Seal(tpm, s, Always)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, s[:]) {
		t.Error("the secret lies open in what is sealed")
	}
	want := func(what string, t2 transport.TPM, blob []byte, p Policy, opens bool) {
		t.Helper()
		got, err := Unseal(t2, blob, p)
		switch {
		case opens && (err != nil || got != s):
			t.Errorf("Unseal %s = %v; want the secret", what, err)
		case !opens && !errors.Is(err, ErrRefused):
			t.Errorf("Unseal %s = %v; want %v", what, err, ErrRefused)
		}
	}
	want("on its TPM", tpm, sealed, SecureBoot, true)
	for _, n := range []uint{4, 9, 11} {
		extend(t, tpm, n)
	}
	want("under another firmware", tpm, sealed, SecureBoot, true)
	want("on another TPM", other, sealed, SecureBoot, false)
	want("by no policy", tpm, sealed, Always, false)
	extend(t, tpm, pcr)
	want("under another Secure Boot state", tpm, sealed, SecureBoot, false)
	want("sealed for always", tpm, always, Always, true)
	want("sealed for always on another TPM", other, always, Always, false)
	for _, cut := range []int{0, 1, 20, len(sealed) - 1} {
		if _, err := Unseal(tpm, sealed[:cut], SecureBoot); err == nil {
			t.Errorf("Unseal of %d bytes = nil; want an error", cut)
		}
	}
	// Sessions and keys that were left behind would fill it.
	for range 10 {
		want("again", tpm, always, Always, true)
	}
}

func TestCode(t *testing.T) {
	s := New()
	code := s.Code()
	if len(code) != 49 {
		t.Errorf("a code has %d characters; want 49", len(code))
	}
	for _, text := range []string{code, strings.ToUpper(code), strings.ReplaceAll(code, "-", " "), strings.ReplaceAll(code, "0", "O"), strings.ReplaceAll(code, "1", "l")} {
		if got, err := Parse(text); err != nil || got != s {
			t.Errorf("Parse(%s) = %v; want the secret", text, err)
		}
	}
	slip := []byte(code)
	slip[7] = map[bool]byte{true: 'b', false: 'a'}[slip[7] == 'a']
	for _, text := range []string{"", string(slip), code + "0000", code[5:]} {
		if _, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = nil; want an error", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Secret{}.Code())
	f.Add("00oo-il")
	f.Fuzz(func(t *testing.T, code string) {
		s, err := Parse(code)
		if err != nil {
			return
		}
		if again, err := Parse(s.Code()); err != nil || again != s {
			t.Errorf("Parse(%q) and back = %v; want the same secret", code, err)
		}
	})
}

// FuzzSized: what lies on the disk may be anything.
func FuzzSized(f *testing.F) {
	f.Add([]byte{0, 1, 7, 0, 0})
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if piece, rest, err := sized(b); err == nil && 2+len(piece)+len(rest) != len(b) {
			t.Errorf("sized lost %d bytes", len(b)-2-len(piece)-len(rest))
		}
	})
}
