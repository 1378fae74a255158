package auth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const goodPassword = "correct horse battery"

var testNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *Users {
	t.Helper()
	u, err := Open(dir, func() time.Time { return testNow })
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return u
}

// withAdmin has one administrator, admin.
func withAdmin(t *testing.T, dir string) *Users {
	t.Helper()
	u := open(t, dir)
	if err := u.SetUp(t.Context(), u.SetupCode(), "", goodPassword); err != nil {
		t.Fatal(err)
	}
	return u
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
		code, name, password string
		want                 error
	}{
		{"", "", goodPassword, ErrCode},
		{"0000-0000-0000-0000", "", goodPassword, ErrCode},
		{code, "", "short pass1", ErrPassword},
		{code, "", strings.Repeat("ab", 20), ErrPassword},
		{code, "", strings.Repeat("abcdef", 200), ErrPassword},
		{code, "", code, ErrPassword},
		{code, "charlotte", "charlotte's horse", ErrPassword},
		{code, "../root", goodPassword, ErrName},
		{code, "<b>", goodPassword, ErrName},
		{" " + strings.ToLower(strings.ReplaceAll(code, "-", "")) + " ", "", goodPassword, nil}, // as people type
		{code, "", "another password", ErrSet},
	}
	for _, tt := range tests {
		if err := a.SetUp(ctx, tt.code, tt.name, tt.password); !errors.Is(err, tt.want) {
			t.Errorf("SetUp(%q, %q, %q) = %v; want %v", tt.code, tt.name, tt.password, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, codeFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("code file after set-up: %v; want it gone", err)
	}
	for name, acc := range map[string]*Users{"same": a, "restarted": open(t, dir)} {
		if !acc.IsSet() || acc.SetupCode() != "" {
			t.Errorf("%s: IsSet = %v, code %q; want true, none", name, acc.IsSet(), acc.SetupCode())
		}
		for pw, want := range map[string]error{goodPassword: nil, goodPassword + " ": ErrRefused, "": ErrRefused, "another password": ErrRefused} {
			if got, err := acc.SignIn(ctx, FirstName, pw, ""); !errors.Is(err, want) || err == nil && got.Role != Administrator {
				t.Errorf("%s: SignIn(%q) = %v, %v; want %v", name, pw, got, err, want)
			}
		}
		if _, err := acc.SignIn(ctx, "nobody", goodPassword, ""); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: an unknown user: %v; want %v", name, err, ErrRefused)
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
			if a.SetUp(context.Background(), code, "", goodPassword+string(rune('a'+i))) == nil {
				won <- i
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || len(a.List()) != 1 {
		t.Errorf("%d set-ups with one code, %d users; want 1", len(won), len(a.List()))
	}
}

func TestPowerCutBetweenUserAndCode(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	code := a.SetupCode()
	if err := a.SetUp(context.Background(), code, "", goodPassword); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, codeFile), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	if err := b.SetUp(context.Background(), code, "", "another password"); !errors.Is(err, ErrSet) {
		t.Errorf("SetUp with a left-over code = %v; want %v", err, ErrSet)
	}
	if _, err := os.Stat(filepath.Join(dir, codeFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left-over code: %v; want it gone", err)
	}
}

func TestOldPasswordFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, passwordFile), []byte(hash(goodPassword)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := open(t, dir).SignIn(t.Context(), FirstName, goodPassword, ""); err != nil {
			t.Errorf("the password of an earlier version: %v; want it taken over", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, passwordFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the earlier file: %v; want it gone", err)
	}
}

func TestDamage(t *testing.T) {
	good := hash(goodPassword)
	for file, texts := range map[string][]string{
		passwordFile: {"", "plain text", "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		usersFile: {"", "{}", `{"users":[]}`, `{"users":[{"name":"a","role":"king","hash":"` + good + `"}]}`, `{"users":[{"name":"a","hash":"` + good + `"}]}`,
			`{"users":[{"name":"a","role":"auditor","hash":""}]}`, `{"users":[{"name":"A/..","role":"auditor","hash":"` + good + `"}]}`},
	} {
		for _, text := range texts {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if a, err := Open(dir, time.Now); err == nil {
				t.Errorf("Open with %s %q = %v; want an error, not the set-up page", file, text, a)
			}
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

func TestManage(t *testing.T) {
	dir := t.TempDir()
	u := withAdmin(t, dir)
	ctx := t.Context()
	for _, tt := range []struct {
		what string
		do   func() error
		want error
	}{
		{"add", func() error { return u.Add(ctx, "olga", Operator, goodPassword) }, nil},
		{"add again", func() error { return u.Add(ctx, "olga", Auditor, goodPassword) }, ErrTaken},
		{"short password", func() error { return u.Add(ctx, "paul", Operator, "short") }, ErrPassword},
		{"last administrator's role", func() error { return u.SetRole(FirstName, Auditor) }, ErrLast},
		{"disable the last administrator", func() error { return u.Disable(FirstName, true) }, ErrLast},
		{"remove the last administrator", func() error { return u.Remove(FirstName) }, ErrLast},
		{"role", func() error { return u.SetRole("olga", Approver) }, nil},
		{"nobody", func() error { return u.Disable("nobody", true) }, ErrNone},
		{"disable", func() error { return u.Disable("olga", true) }, nil},
	} {
		if err := tt.do(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", tt.what, err, tt.want)
		}
	}
	u = open(t, dir)
	if v, ok := u.Get("olga"); ok || v.Role != Approver || !v.Change || v.Hash != "" {
		t.Errorf("Get(olga) = %+v, %v; want an approver who may not act, without a hash", v, ok)
	}
	if _, err := u.SignIn(ctx, "olga", goodPassword, ""); !errors.Is(err, ErrRefused) {
		t.Errorf("a disabled user signs in: %v; want %v", err, ErrRefused)
	}
	if err := errors.Join(u.Disable("olga", false), u.ChangePassword(ctx, "olga", "a word of my own")); err != nil {
		t.Fatal(err)
	}
	if v, err := u.SignIn(ctx, "olga", "a word of my own", ""); err != nil || v.Change {
		t.Errorf("with the changed password: %+v, %v", v, err)
	}
}

// The vectors of RFC 6238, appendix B, of six digits.
func TestTOTPVectors(t *testing.T) {
	secret := base32Text.EncodeToString([]byte("12345678901234567890"))
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got, err := CodeAt(secret, time.Unix(at, 0)); got != want || err != nil {
			t.Errorf("code at %d = %s, %v; want %s", at, got, err, want)
		}
	}
}

func TestSecondFactor(t *testing.T) {
	dir := t.TempDir()
	u := withAdmin(t, dir)
	now := testNow
	u.now = func() time.Time { return now }
	secret := NewFactor()
	code := func(d time.Duration) string { c, _ := CodeAt(secret, now.Add(d)); return c }
	if _, err := u.SetFactor(FirstName, secret, "000000"); !errors.Is(err, ErrFactor) {
		t.Errorf("a factor that is not proven: %v; want %v", err, ErrFactor)
	}
	recovery, err := u.SetFactor(FirstName, secret, code(0))
	if err != nil || len(recovery) != recoveryCodes {
		t.Fatalf("SetFactor = %v, %v", recovery, err)
	}
	try := func(what, code string, want error) {
		t.Helper()
		if _, err := u.SignIn(t.Context(), FirstName, goodPassword, code); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", what, err, want)
		}
	}
	try("the code that proved it", code(0), ErrFactor)
	now = now.Add(time.Minute)
	try("no code", "", ErrFactor)
	try("an old code", code(-2*time.Minute), ErrFactor)
	try("the next code", code(30*time.Second), nil)
	try("the same again", code(30*time.Second), ErrFactor)
	try("one before it", code(0), ErrFactor)
	now = now.Add(10 * time.Minute)
	if _, err := u.SignIn(t.Context(), FirstName, "wrong password", code(0)); !errors.Is(err, ErrRefused) {
		t.Errorf("right code, wrong password: %v; want %v, and the code not used up", err, ErrRefused)
	}
	try("now", code(0), nil)
	now = time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC)
	try("the clock is not set", code(0), ErrClock)
	try("a recovery code", strings.ToLower(recovery[3]), nil)
	try("the same recovery code again", recovery[3], ErrClock)
	if text, err := os.ReadFile(filepath.Join(dir, usersFile)); err != nil || strings.Contains(string(text), normalRecovery(recovery[4])) {
		t.Errorf("recovery codes lie in the file as they are, or %v", err)
	}
	if err := u.DropFactor(FirstName); err != nil {
		t.Fatal(err)
	}
	try("without a factor", "", nil)
}

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	u := withAdmin(t, dir)
	text, err := u.NewToken("siem", Auditor, FirstName, 24*time.Hour)
	if err != nil || !strings.HasPrefix(text, TokenPrefix) || len(text) < len(TokenPrefix)+43 {
		t.Fatalf("NewToken = %q, %v; want 256 bits behind %s", text, err, TokenPrefix)
	}
	if file, err := os.ReadFile(filepath.Join(dir, usersFile)); err != nil || strings.Contains(string(file), text) {
		t.Error("the token lies in the file as it is")
	}
	for tok, want := range map[string]bool{text: true, text + "x": false, "": false, text[:len(text)-1]: false} {
		if got, ok := open(t, dir).CheckToken(tok); ok != want || ok && got.Role != Auditor {
			t.Errorf("CheckToken(%q) = %v, %v; want %v", tok, got, ok, want)
		}
	}
	if _, err := u.NewToken("siem", Operator, FirstName, time.Hour); !errors.Is(err, ErrTaken) {
		t.Errorf("another of the same name: %v; want %v", err, ErrTaken)
	}
	if _, err := u.NewToken("forever", Operator, FirstName, 10*MaxTokenLife); !errors.Is(err, ErrLife) {
		t.Errorf("one that lasts too long: %v; want %v", err, ErrLife)
	}
	u.now = func() time.Time { return testNow.Add(25 * time.Hour) }
	if _, ok := u.CheckToken(text); ok {
		t.Error("a token is valid after its end")
	}
	u.now = func() time.Time { return testNow }
	if err := u.DropToken("siem"); err != nil {
		t.Fatal(err)
	}
	if _, ok := u.CheckToken(text); ok {
		t.Error("a token is valid after it was dropped")
	}
}

func TestSignInWaitsNoLongerThanAsked(t *testing.T) {
	u := withAdmin(t, t.TempDir())
	for range cap(u.gate) {
		u.gate <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := u.SignIn(ctx, FirstName, goodPassword, ""); !errors.Is(err, ErrBusy) {
		t.Errorf("SignIn with all places taken = %v; want %v", err, ErrBusy)
	}
}

func FuzzUsersFile(f *testing.F) {
	f.Add([]byte(`{"users":[{"name":"a","role":"auditor","hash":"x"}],"tokens":[{"name":"t","role":"operator"}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, usersFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := readFile(dir); err == nil && len(v.Users) == 0 {
			t.Errorf("%q is taken for no user at all", text)
		}
	})
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
