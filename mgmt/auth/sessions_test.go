package auth

import (
	"testing"
	"time"
)

func TestSessionTimes(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration
		n     int
		touch bool
		want  bool
	}{
		{"idle just below", IdleTimeout - time.Second, 1, true, true},
		{"idle", IdleTimeout, 1, true, false},
		{"in use", IdleTimeout - time.Second, 10, true, true},
		{"refreshed by itself only", IdleTimeout / 2, 2, false, false},
		{"in use to the end", time.Minute, int(AbsoluteTimeout/time.Minute) - 1, true, true},
		{"in use beyond the end", time.Minute, int(AbsoluteTimeout / time.Minute), true, false},
	}
	for _, tt := range tests {
		c := newClock()
		s := NewSessions(c.now)
		id, _ := s.Create(User{Name: "anna"}, "192.0.2.9")
		var got bool
		for range tt.n {
			c.advance(tt.every)
			_, got = s.Get(id, tt.touch)
		}
		if got != tt.want {
			t.Errorf("%s: valid = %v; want %v", tt.name, got, tt.want)
		}
		if !tt.want && len(s.open) != 0 {
			t.Errorf("%s: %d kept; want 0", tt.name, len(s.open))
		}
	}
}

func TestSessionEnds(t *testing.T) {
	s := NewSessions(newClock().now)
	id, sess := s.Create(User{Name: "anna"}, "192.0.2.9")
	other, _ := s.Create(User{Name: "anna"}, "192.0.2.9")
	if id == other || len(id) < 43 {
		t.Errorf("IDs %q, %q; want different ones of 256 bits", id, other)
	}
	if !sess.CheckToken(sess.Token) || sess.CheckToken("") || sess.CheckToken(sess.Token+"x") {
		t.Error("CheckToken takes a wrong token or refuses the right one")
	}
	s.End(id)
	if _, ok := s.Get(id, true); ok {
		t.Error("a session lives on after End")
	}
	if _, ok := s.Get(other, true); !ok {
		t.Error("End ended another session")
	}
	if _, ok := s.Get("", true); ok {
		t.Error("the empty ID is valid")
	}
}

func TestSessionsBounded(t *testing.T) {
	c := newClock()
	s := NewSessions(c.now)
	first, _ := s.Create(User{Name: "anna"}, "192.0.2.9")
	var used string
	for i := range 10 * maxSessions {
		c.advance(time.Second)
		if id, _ := s.Create(User{Name: "anna"}, "192.0.2.9"); i == 0 {
			used = id
		}
		if _, ok := s.Get(used, true); !ok {
			t.Fatal("the session in use had to make room")
		}
	}
	if len(s.open) > maxSessions {
		t.Errorf("%d sessions; want at most %d", len(s.open), maxSessions)
	}
	if _, ok := s.Get(first, true); ok {
		t.Error("the session idle longest did not make room")
	}
}

func TestSessionsOfAUser(t *testing.T) {
	s := NewSessions(newClock().now)
	mine, _ := s.Create(User{Name: "anna"}, "192.0.2.9")
	s.Create(User{Name: "anna"}, "192.0.2.10")
	other, _ := s.Create(User{Name: "bert"}, "192.0.2.9")
	if got := s.Of("anna"); len(got) != 2 {
		t.Errorf("Of(anna) = %v; want two", got)
	}
	if n := s.EndOf("anna", mine); n != 1 {
		t.Errorf("EndOf ended %d; want the one that is not excepted", n)
	}
	for _, id := range []string{mine, other} {
		if _, ok := s.Get(id, true); !ok {
			t.Error("EndOf ended a session that it was to leave")
		}
	}
}
