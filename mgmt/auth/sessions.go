package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

// Life of a session.
const (
	IdleTimeout     = 30 * time.Minute // without a request of the user's own
	AbsoluteTimeout = 12 * time.Hour
	maxSessions     = 64 // the one idle longest makes room
)

// Session is what is known about one signed-in browser or program.
type Session struct {
	User    string    // name
	From    string    // address of the sign-in
	Begun   time.Time // the sign-in
	Token   string    // to be sent back in every form, against cross-site requests
	Expires time.Time // at the latest
	Reset   time.Time // of the user, at the sign-in
}

// Of says whether the session is of the user as they are now: nobody else has set the
// password since. The times are not put in order: between them the clock may have
// been set.
func (s Session) Of(u User) bool { return s.User == u.Name && s.Reset.Equal(u.Reset) }

// CheckToken compares a form's token in constant time.
func (s Session) CheckToken(got string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(s.Token)) == 1
}

// Sessions holds the open sessions, in memory only: a restart ends them all.
type Sessions struct {
	now func() time.Time
	mu  sync.Mutex
	// By the hash of the ID, so that the time of a look-up says nothing about it.
	open map[[sha256.Size]byte]*entry
}

type entry struct {
	Session
	used time.Time
}

// NewSessions returns an empty set that takes the time from now, which should
// carry a monotonic reading: setting the box's clock must not end or prolong
// sessions.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, open: map[[sha256.Size]byte]*entry{}}
}

// NewID returns 256 random bits as text, good for a session or a token.
func NewID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Create opens a session of a user and returns its ID, which is not kept.
func (s *Sessions) Create(user User, from string) (id string, _ Session) {
	id = NewID()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.sweep(now)
	e := &entry{Session{User: user.Name, From: from, Begun: now, Token: NewID(), Expires: now.Add(AbsoluteTimeout), Reset: user.Reset}, now}
	s.open[sha256.Sum256([]byte(id))] = e
	return id, e.Session
}

// Get returns the session of that ID while it is valid. touch restarts its
// idle time; a page that refreshes itself does not touch.
func (s *Sessions) Get(id string, touch bool) (Session, bool) {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.open[key]
	if e == nil {
		return Session{}, false
	}
	now := s.now()
	if e.over(now) {
		delete(s.open, key)
		return Session{}, false
	}
	if touch {
		e.used = now
	}
	return e.Session, true
}

// End ends the session of that ID, if there is one.
func (s *Sessions) End(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}

// EndOf ends all sessions of a user but the one of the ID except, and returns
// how many there were.
func (s *Sessions) EndOf(user, except string) (n int) {
	keep := sha256.Sum256([]byte(except))
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.open {
		if e.User == user && k != keep {
			delete(s.open, k)
			n++
		}
	}
	return n
}

// Of lists the open sessions of a user, the latest first.
func (s *Sessions) Of(user string) []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Session
	for _, e := range s.open {
		if e.User == user && !e.over(s.now()) {
			all = append(all, e.Session)
		}
	}
	slices.SortFunc(all, func(a, b Session) int { return b.Begun.Compare(a.Begun) })
	return all
}

func (e *entry) over(now time.Time) bool {
	return now.Sub(e.used) >= IdleTimeout || !now.Before(e.Expires)
}

// sweep forgets what is over and makes room for one more.
func (s *Sessions) sweep(now time.Time) {
	var oldest *[sha256.Size]byte
	for k, e := range s.open {
		if e.over(now) {
			delete(s.open, k)
		} else if oldest == nil || e.used.Before(s.open[*oldest].used) {
			oldest = &k
		}
	}
	if len(s.open) >= maxSessions {
		delete(s.open, *oldest)
	}
}
