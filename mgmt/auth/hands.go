package auth

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Hand is somebody who may act in another's name, since they gave the account, its
// role, its password or a key: who makes an account knows how to use it.
type Hand struct {
	Name string    `json:"name"` // "" is anybody: there were too many to name
	At   time.Time `json:"at"`
}

// Bounds of the hands that are kept. A change waits for approval for two weeks at
// most, and what was given in the day before it counts.
const (
	handLife = 15 * 24 * time.Hour
	maxHands = maxUsers
)

// Hands are those who may act in the user's name: who gave it, and in turn those who
// may act in theirs, as it was then.
func (u User) Hands() []Hand {
	if u.GivenBy == "" {
		return u.Through
	}
	return JoinHands(u.Through, []Hand{{u.GivenBy, u.Given}})
}

// JoinHands is everybody who is in one of the lists, each as of the last time.
func JoinHands(lists ...[]Hand) (all []Hand) {
	last := map[string]time.Time{}
	for _, h := range slices.Concat(lists...) {
		if h.At.After(last[h.Name]) {
			last[h.Name] = h.At
		}
	}
	if len(last) > maxHands {
		// Who would fall out of the list is who it is for.
		return []Hand{{At: slices.MaxFunc(slices.Collect(maps.Values(last)), time.Time.Compare)}}
	}
	for name, at := range last {
		all = append(all, Hand{name, at})
	}
	slices.SortFunc(all, func(a, b Hand) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Gave notes who gave a user the account, a role, a password, a key or the right to
// sign in.
func (u *Users) Gave(name, by string) error {
	if name == by {
		return nil
	}
	return u.change(func(f *file) error {
		v := f.user(name)
		if v == nil {
			return ErrNone
		}
		now := u.now().UTC()
		through := v.Hands()
		if giver := f.user(by); giver != nil {
			through = JoinHands(through, giver.Hands())
		}
		v.Through = slices.DeleteFunc(slices.Clone(through), func(h Hand) bool {
			return h.Name == name || h.Name == by || now.Sub(h.At) > handLife
		})
		v.GivenBy, v.Given = by, now
		return nil
	})
}
