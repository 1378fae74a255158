package auth

import (
	"errors"
	"testing"
	"time"
)

// Who knows the password cannot try codes until one fits, from however many
// addresses; the owner has the recovery codes, and after an hour all is as before.
func TestFewWrongCodes(t *testing.T) {
	now := testNow
	u := withAdmin(t, t.TempDir())
	u.now = func() time.Time { return now }
	secret := NewFactor()
	right := func() string { c, _ := CodeAt(secret, now); return c }
	codes, err := u.SetFactor(FirstName, secret, right())
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	for range wrongCodes {
		if err := u.useCode(FirstName, "nonsense"); !errors.Is(err, ErrFactor) || errors.Is(err, errCodes) {
			t.Fatalf("a wrong code: %v; want %v", err, ErrFactor)
		}
	}
	if err := u.useCode(FirstName, right()); !errors.Is(err, errCodes) {
		t.Errorf("the right code after %d wrong ones: %v; want %v", wrongCodes, err, errCodes)
	}
	if err := u.useCode(FirstName, codes[0]); err != nil {
		t.Errorf("a recovery code: %v; want it taken", err)
	}
	now = now.Add(wrongTime)
	if err := u.useCode(FirstName, right()); err != nil {
		t.Errorf("an hour later: %v; want the code taken", err)
	}
	for range wrongCodes {
		now = now.Add(wrongTime / wrongCodes)
		if err := u.useCode(FirstName, "nonsense"); errors.Is(err, errCodes) {
			t.Error("few wrong codes in a long time keep the owner out")
		}
	}
}
