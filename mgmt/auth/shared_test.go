package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Two programs with one file: each sees at once what the other has changed, and
// of changes at the same time none is lost.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	page, err1 := Open(dir, time.Now)
	menu, err2 := Open(dir, time.Now)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	const pw = "correct horse battery"
	if err := menu.SetUp(t.Context(), menu.SetupCode(), "anna", pw); err != nil {
		t.Fatal(err)
	}
	if !page.IsSet() || page.SetupCode() != "" {
		t.Error("the page does not see the first user")
	}
	if err := page.SetUp(t.Context(), page.code, "eve", pw); !errors.Is(err, ErrSet) {
		t.Errorf("SetUp after another's = %v; want %v", err, ErrSet)
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			u := []*Users{page, menu}[i%2]
			if _, err := u.NewToken(fmt.Sprintf("token%d", i), Auditor, "anna", time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := page.SignIn(t.Context(), "anna", pw, ""); err != nil || len(menu.List()) != 1 {
		t.Errorf("SignIn = %v; want the user whom the other has made", err)
	}
	again, err := Open(dir, time.Now)
	if err != nil || len(again.Tokens()) != 10 {
		t.Errorf("%d tokens are kept, %v; want all 10", len(again.Tokens()), err)
	}
}

func TestRecover(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	u, err := Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	const pw = "correct horse battery"
	u.SetUp(t.Context(), u.SetupCode(), "anna", pw)
	u.Add(t.Context(), "otto", Operator, pw)
	u.Disable("otto", true)
	if err := u.Recover(t.Context(), "otto", "another long phrase"); err != nil {
		t.Fatal(err)
	}
	got, err := u.SignIn(t.Context(), "otto", "another long phrase", "")
	if err != nil || got.Role != Administrator || got.Change || !got.Reset.Equal(now) {
		t.Errorf("SignIn = %+v, %v; want an administrator, whose sessions so far are over", got, err)
	}
	if err := u.Recover(t.Context(), "new", "short"); !errors.Is(err, ErrPassword) {
		t.Errorf("Recover with a bad password = %v; want %v", err, ErrPassword)
	}
	if err := u.Recover(t.Context(), "new", "another long phrase"); err != nil || len(u.List()) != 3 {
		t.Errorf("Recover = %v with %d users; want a new one", err, len(u.List()))
	}
}

// line is the authorized_keys line of a key.
func line(t testing.TB, key any) string {
	t.Helper()
	k, err := ssh.NewPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

func TestKeys(t *testing.T) {
	u, err := Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	u.SetUp(t.Context(), u.SetupCode(), "anna", "correct horse battery")
	pub, _, _ := ed25519.GenerateKey(rand.Reader)
	good := line(t, pub)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{"none": "", "nonsense": "ssh-ed25519 xyz", "options": `command="x" ` + good, "two": good + "\n" + good, "short": line(t, &small.PublicKey), "long": good + strings.Repeat(" ", maxKeyLine) + "x"} {
		if _, err := u.AddKey("anna", bad); !errors.Is(err, ErrKey) {
			t.Errorf("AddKey of %s = %v; want %v", name, err, ErrKey)
		}
	}
	k, err := u.AddKey("anna", good+" anna@desk\x1b[2J")
	if err != nil || k.Name != "anna@desk?[2J" || !strings.HasPrefix(k.Sum, "SHA256:") {
		t.Errorf("AddKey = %+v, %v", k, err)
	}
	if _, err := u.AddKey("anna", good); !errors.Is(err, ErrTaken) {
		t.Errorf("AddKey again = %v; want %v", err, ErrTaken)
	}
	wire, _ := ssh.NewPublicKey(pub)
	if _, ok := u.HasKey("anna", wire); !ok {
		t.Error("HasKey = false; want true")
	}
	if _, ok := u.HasKey("otto", wire); ok {
		t.Error("HasKey of nobody = true")
	}
	for range maxKeys - 1 {
		pub, _, _ := ed25519.GenerateKey(rand.Reader)
		if _, err := u.AddKey("anna", line(t, pub)); err != nil {
			t.Fatal(err)
		}
	}
	more, _, _ := ed25519.GenerateKey(rand.Reader)
	if _, err := u.AddKey("anna", line(t, more)); !errors.Is(err, ErrMany) {
		t.Errorf("one key too many: %v; want %v", err, ErrMany)
	}
	if err := u.DropKey("anna", k.Sum); err != nil {
		t.Error(err)
	}
	if _, ok := u.HasKey("anna", wire); ok {
		t.Error("a dropped key still opens")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMqqn4ei3lDcUNYpzUAIZ7dpY2dG9hyWPOlXSxDXhzA4 anna@desk")
	f.Add("ssh-rsa AAAA")
	f.Add("no-pty,command=\"x\" ssh-ed25519 AAAA")
	f.Fuzz(func(t *testing.T, line string) {
		if k, err := ParseKey(line); err == nil {
			if again, err := ParseKey(k.Line); err != nil || again.Sum != k.Sum {
				t.Errorf("ParseKey(%q) does not read what it made", line)
			}
		}
	})
}
