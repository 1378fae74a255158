package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHands(t *testing.T) {
	dir := t.TempDir()
	now := testNow
	u, err := Open(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	f := &file{}
	for _, name := range []string{"root", "anna", "bert", "cleo"} {
		f.Users = append(f.Users, User{Name: name, Role: Administrator, Hash: u.decoy.String()})
	}
	if err := f.write(dir); err != nil {
		t.Fatal(err)
	}
	gave := func(name, by string) {
		t.Helper()
		now = now.Add(time.Minute)
		if err := u.Gave(name, by); err != nil {
			t.Fatalf("Gave(%s, %s) = %v", name, by, err)
		}
	}
	at := func(n int) time.Time { return testNow.Add(time.Duration(n) * time.Minute).UTC() }
	gave("anna", "root")
	gave("bert", "anna")
	gave("cleo", "bert")
	gave("anna", "bert") // a circle forgets nobody
	gave("root", "root")
	for name, want := range map[string][]Hand{
		"root": nil,
		"anna": {{"bert", at(4)}, {"root", at(1)}},
		"bert": {{"anna", at(2)}, {"root", at(1)}},
		"cleo": {{"anna", at(2)}, {"bert", at(3)}, {"root", at(1)}},
	} {
		got, _ := u.Get(name)
		if diff := cmp.Diff(want, got.Hands()); diff != "" {
			t.Errorf("hands of %s (-want +got):\n%s", name, diff)
		}
	}
	now = now.Add(handLife)
	gave("cleo", "root")
	if got, _ := u.Get("cleo"); len(got.Hands()) != 1 {
		t.Errorf("hands after their time = %v; want root", got.Hands())
	}
}

// Nobody falls out of the list for others having come after them.
func TestTooManyHands(t *testing.T) {
	var all []Hand
	for i := range maxHands {
		all = append(all, Hand{fmt.Sprint("user", i), testNow})
	}
	if got := JoinHands(all); len(got) != maxHands {
		t.Errorf("JoinHands of %d = %d", maxHands, len(got))
	}
	later := testNow.Add(time.Hour)
	want := []Hand{{At: later}}
	if diff := cmp.Diff(want, JoinHands(all, []Hand{{"one more", later}})); diff != "" {
		t.Errorf("JoinHands of too many (-want +got):\n%s", diff)
	}
}
