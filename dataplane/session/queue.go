package session

import "container/heap"

// The lists a session can be in; each is ordered by last use.
const (
	embryonic = iota // not answered yet
	established
	closing // both ends are done, or one has reset it
	listCount
)

// list is a ring of sessions, the one used longest ago first.
type list struct {
	root Session
	n    int
}

func (l *list) init() { l.root.prev, l.root.following = &l.root, &l.root }

func (l *list) first() *Session {
	if l.n == 0 {
		return nil
	}
	return l.root.following
}

func (l *list) push(s *Session) {
	s.list = l
	s.prev, s.following = l.root.prev, &l.root
	s.prev.following, s.following.prev = s, s
	l.n++
}

func (l *list) remove(s *Session) {
	s.prev.following, s.following.prev = s.following, s.prev
	s.list = nil
	l.n--
}

// timers is a heap of the sessions that have something to do, by time.
type timers struct{ h timerHeap }

type timerHeap []*Session

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}
func (h *timerHeap) Push(x any) {
	s := x.(*Session)
	s.slot = len(*h)
	*h = append(*h, s)
}
func (h *timerHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.slot = -1
	return s
}

func (t *timers) first() *Session {
	if len(t.h) == 0 {
		return nil
	}
	return t.h[0]
}

// set gives s the time at, 0 for none.
func (t *timers) set(s *Session, at Instant) {
	switch {
	case at == 0 && s.slot >= 0:
		heap.Remove(&t.h, s.slot)
	case at != 0 && s.slot < 0:
		s.due = at
		heap.Push(&t.h, s)
	case at != 0 && at != s.due:
		s.due = at
		heap.Fix(&t.h, s.slot)
	}
}
