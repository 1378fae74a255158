package port

import "testing"

// TestRequestIsKept: who takes a session over that waits for an answer gets its
// request, if rules on responses may ask for it, and the request of no other.
func TestRequestIsKept(t *testing.T) {
	j := newJudge(t)
	taken := func(k *talk) string {
		t.Helper()
		s, known, marked, err := k.Take(k.flow())
		if err != nil || !known || !marked || !s.Pending {
			t.Fatalf("Take = %+v, %v, %v, %v; want a session that waits", s, known, marked, err)
		}
		return string(s.Request)
	}
	place := func(k *talk) uint32 {
		w := flowKey(k.flow())
		key, err := appendKey(nil, &w)
		if err != nil {
			t.Fatal(err)
		}
		return headPlace(key)
	}
	talkAt := func(client uint16) *talk { return &talk{judge: j, client: client} }

	j.SetVetting(Vetting{Requests: true, Responses: true})
	k := j.open(1)
	if got := k.say(A, goodRequests[1]); got != on {
		t.Fatalf("the request went %s; want on", got)
	}
	if got := taken(k); got != "" {
		t.Errorf("request %q was kept, though nobody may ask", got)
	}
	k.end()

	j.SetVetting(Vetting{Requests: true, Responses: true, Keep: true})
	first := j.open(2)
	other := uint16(3)
	for place(talkAt(other)) != place(first) {
		other++
	}
	for _, q := range goodRequests { // each takes the place of the one before
		if f, g := first.say(A, q), first.say(B, goodResponses[0]); f != on || g != on {
			t.Fatalf("request and response went %s and %s; want on", f, g)
		}
	}
	if got := first.say(A, goodRequests[2]); got != on {
		t.Fatalf("the request went %s; want on", got)
	}
	second := j.open(other)
	if got := second.say(A, goodRequests[0]); got != up {
		t.Errorf("with its place taken a request went %s; want up", got)
	}
	second.end()
	if got := taken(first); got != goodRequests[2] {
		t.Errorf("kept request is %q; want %q", got, goodRequests[2])
	}
	first.end()
	second = j.open(other)
	if got := second.say(A, goodRequests[1]); got != on {
		t.Errorf("with its place free again a request went %s; want on", got)
	}
	if got := taken(second); got != goodRequests[1] {
		t.Errorf("kept request is %q; want %q", got, goodRequests[1])
	}
	second.end()
}
