package auth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const goodPassword = "correct horse battery"

func open(t *testing.T, dir string) *Account {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return a
}

func TestSetUpOnce(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	a := open(t, dir)
	code := a.SetupCode()
	if again := open(t, dir).SetupCode(); again != code {
		t.Errorf("code after a restart = %q; want the same, %q", again, code)
	}
	if st, err := os.Stat(filepath.Join(dir, codeFile)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("code file: %v, %v; want mode 0600", st, err)
	}
	tests := []struct {
		code, password string
		want           error
	}{
		{"", goodPassword, ErrCode},
		{"0000-0000-0000-0000", goodPassword, ErrCode},
		{code, "short pass1", ErrPassword},
		{code, strings.Repeat("ab", 20), ErrPassword},
		{code, strings.Repeat("abcdef", 200), ErrPassword},
		{code, code, ErrPassword},
		{" " + strings.ToLower(strings.ReplaceAll(code, "-", "")) + " ", goodPassword, nil}, // as people type
		{code, "another password", ErrSet},
	}
	for _, tt := range tests {
		if err := a.SetUp(ctx, tt.code, tt.password); !errors.Is(err, tt.want) {
			t.Errorf("SetUp(%q, %q) = %v; want %v", tt.code, tt.password, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, codeFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("code file after set-up: %v; want it gone", err)
	}
	for name, acc := range map[string]*Account{"same": a, "restarted": open(t, dir)} {
		if !acc.IsSet() || acc.SetupCode() != "" {
			t.Errorf("%s: IsSet = %v, code %q; want true, none", name, acc.IsSet(), acc.SetupCode())
		}
		for pw, want := range map[string]bool{goodPassword: true, goodPassword + " ": false, "": false, "another password": false} {
			if got, err := acc.Verify(ctx, pw); got != want || err != nil {
				t.Errorf("%s: Verify(%q) = %v, %v; want %v", name, pw, got, err, want)
			}
		}
	}
}

func TestSetUpRace(t *testing.T) {
	a := open(t, t.TempDir())
	code := a.SetupCode()
	var wg sync.WaitGroup
	won := make(chan int, 8)
	for i := range 8 {
		wg.Go(func() {
			if a.SetUp(context.Background(), code, goodPassword+string(rune('a'+i))) == nil {
				won <- i
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d set-ups with one code; want 1", len(won))
	}
}

func TestPowerCutBetweenPasswordAndCode(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	code := a.SetupCode()
	if err := a.SetUp(context.Background(), code, goodPassword); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, codeFile), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	if err := b.SetUp(context.Background(), code, "another password"); !errors.Is(err, ErrSet) {
		t.Errorf("SetUp with a left-over code = %v; want %v", err, ErrSet)
	}
	if _, err := os.Stat(filepath.Join(dir, codeFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left-over code: %v; want it gone", err)
	}
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "plain text", "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if err := os.WriteFile(filepath.Join(dir, passwordFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := Open(dir); err == nil {
			t.Errorf("Open with password file %q = %v; want an error, not the set-up page", text, a)
		}
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, codeFile), []byte("\x00torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := open(t, other).SetupCode(); !validCode(code) {
		t.Errorf("code in place of a torn one = %q; want a new one", code)
	}
}

func TestVerifyWaitsNoLongerThanAsked(t *testing.T) {
	a := open(t, t.TempDir())
	if err := a.SetUp(context.Background(), a.SetupCode(), goodPassword); err != nil {
		t.Fatal(err)
	}
	for range cap(a.gate) {
		a.gate <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Verify(ctx, goodPassword); !errors.Is(err, ErrBusy) {
		t.Errorf("Verify with all places taken = %v; want %v", err, ErrBusy)
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(params{2, 19456, 1, make([]byte, 16), make([]byte, 32)}.String())
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseHash(s)
		if err != nil {
			return
		}
		if p.memory > maxMemory || p.time > maxTime || p.threads != 1 || len(p.key) < 16 {
			t.Errorf("parseHash(%q) = %+v; out of range", s, p)
		}
		if again, err := parseHash(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("parseHash(%q): %v, %v", p.String(), again, err)
		}
	})
}
