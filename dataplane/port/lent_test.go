package port

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"

	"wirepatch/dataplane/internal/netns"
)

// The session of these tests was edited: the server has counted 30 bytes less
// than the client has sent, the client 7 more than the server has.
const (
	deltaToServer = ^uint32(30) + 1
	deltaToClient = 7
)

// lend makes a session that the engine has edited and lent. missing is what the
// server has not acknowledged of it, gone what the client has not.
func (j *judge) lend(client uint16, missing, gone uint32) *talk {
	k := j.open(client)
	s, _, _, err := k.Take(k.flow())
	if err != nil {
		j.t.Fatal(err)
	}
	k.seq[A], k.seq[B] = k.seq[A]+100, k.seq[B]+50
	k.lent(&s, missing, gone)
	return k
}

func (k *talk) lent(s *Session, missing, gone uint32) {
	s.Edited, s.Lent, s.Pending = true, true, true
	for i, d := range []*Stream{&s.Dir[0], &s.Dir[1]} {
		d.Next, d.Top, d.Edge, d.Edged = k.seq[i], k.seq[i], k.seq[i], true
		d.Acked, d.Delta = k.seq[i]-[]uint32{missing, gone}[i], []uint32{deltaToServer, deltaToClient}[i]
	}
	if err := k.Give(k.flow(), *s, A); err != nil {
		k.t.Fatal(err)
	}
}

// advertised has the program know of a window of so many bytes.
func (k *talk) advertised(by Side, window int) {
	s, _, err := k.Look(k.flow())
	if err != nil {
		k.t.Fatal(err)
	}
	s.Lent, s.Dir[by].Window, s.Dir[by].Scale = true, uint16(window), 0
	if err := k.Give(k.flow(), s, A); err != nil {
		k.t.Fatal(err)
	}
}

// theirs are the numbers in which an end counts what the other one sends.
func (k *talk) theirs(of Side) uint32 {
	return k.seq[of] + []uint32{deltaToServer, deltaToClient}[of]
}

// tell sends the next bytes of one end, as it counts, and returns what became
// of them and the segment that went on.
func (k *talk) tell(from Side, less uint32, payload string, options []byte) (fate, []byte) {
	frame := k.frame(piece{from: from, in: from, flags: flagACK, seq: k.seq[from], ack: k.theirs(1-from) - less, payload: payload, options: options})
	f, out := k.showOut(from, frame)
	if f == on {
		k.seq[from] += uint32(len(payload))
	}
	return f, out[34:]
}

// showOut is show, and returns the frame as it went on.
func (j *judge) showOut(s Side, frame []byte) (fate, []byte) {
	got := j.show(s, frame) // which sets the ports up
	if got != on {
		return got, frame
	}
	// It has gone on, and goes on again, now to be looked at.
	o := &ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+64)}
	if _, err := j.objs.Wire.Run(o); err != nil {
		j.t.Fatal(err)
	}
	return got, o.DataOut[:len(frame)]
}

// wantNumbers checks sequence and acknowledgement numbers and the checksum.
func (k *talk) wantNumbers(what string, from Side, seg []byte, seq, ack uint32) {
	k.t.Helper()
	gotSeq, gotAck := binary.BigEndian.Uint32(seg[4:]), binary.BigEndian.Uint32(seg[8:])
	if gotSeq != seq || gotAck != ack {
		k.t.Errorf("%s went on with seq %d, ack %d; want %d, %d", what, gotSeq, gotAck, seq, ack)
	}
	src, dst := netns.Client4, netns.Server4
	if from == B {
		src, dst = dst, src
	}
	if got := checksum(src, dst, seg); got != 0xffff {
		k.t.Errorf("%s went on with a wrong checksum: all adds up to %x", what, got)
	}
}

// TestTranslated: an edited session goes on below, in each end's own numbers.
func TestTranslated(t *testing.T) {
	j := vetted(t)
	k := j.lend(1, 20, 0)
	got, seg := k.tell(B, 0, answer+body, nil)
	want(t, "the response", got, on)
	k.wantNumbers("the response", B, seg, k.theirs(B)-uint32(len(answer+body)), k.seq[A])
	got, seg = k.tell(A, 0, ask, nil)
	want(t, "the next request", got, on)
	k.wantNumbers("the next request", A, seg, k.theirs(A)-uint32(len(ask)), k.seq[B])
	got, _ = k.tell(B, 0, answer, nil)
	want(t, "the next response's head", got, on)

	sack := func(of Side, from, to uint32) []byte {
		b := binary.BigEndian.AppendUint32([]byte{1, 1, 5, 10}, k.theirs(of)+from)
		return binary.BigEndian.AppendUint32(b, k.theirs(of)+to)
	}
	got, seg = k.tell(A, 0, "", sack(B, 3, 5))
	want(t, "a selective acknowledgement", got, on)
	k.wantNumbers("a selective acknowledgement", A, seg, k.theirs(A), k.seq[B])
	for i, want := range []uint32{k.seq[B] + 3, k.seq[B] + 5} {
		if got := binary.BigEndian.Uint32(seg[24+4*i:]); got != want {
			t.Errorf("edge %d of a selective acknowledgement = %d; want %d", i, got, want)
		}
	}
	got, seg = k.tell(B, 0, body, nil)
	want(t, "its body", got, on)
	k.wantNumbers("its body", B, seg, k.theirs(B)-uint32(len(body)), k.seq[A])
	s, known, err := k.Recall(k.flow())
	if err != nil || !known || !s.Edited || !s.Settled() || s.Pending {
		t.Errorf("Recall = %+v, %t, %v; want the session, edited, settled, with nothing pending", s, known, err)
	}
	for i, d := range s.Dir {
		if d.Next != k.seq[i] || d.Top != k.seq[i] || d.Delta != []uint32{deltaToServer, deltaToClient}[i] {
			t.Errorf("direction %d as recalled = %+v; want it to stand at %d", i, d, k.seq[i])
		}
	}
	got, _ = k.tell(A, 0, ask, nil)
	want(t, "a request of a session that was recalled", got, up)
}

// TestLentGoesUp: what only the engine can answer comes up.
func TestLentGoesUp(t *testing.T) {
	j := vetted(t)
	for i, c := range []struct {
		name          string
		missing, gone uint32
		do            func(k *talk) (fate, []byte)
		want          fate
	}{
		{"an acknowledgement of less than was sent", 20, 0, func(k *talk) (fate, []byte) { return k.tell(B, 5, "", nil) }, up},
		{"the same in a response", 20, 0, func(k *talk) (fate, []byte) { return k.tell(B, 5, answer+body, nil) }, up},
		{"a request before the last was acknowledged", 20, 0, func(k *talk) (fate, []byte) { return k.tell(A, 0, ask, nil) }, up},
		{"an acknowledgement by the sender", 20, 0, func(k *talk) (fate, []byte) { return k.tell(A, 0, "", nil) }, on},
		{"an old acknowledgement", 0, 0, func(k *talk) (fate, []byte) { return k.tell(B, 5, "", nil) }, on},
		{"the client's, of less than was sent", 0, 9, func(k *talk) (fate, []byte) { return k.tell(A, 1, "", nil) }, up},
		{"the client's, of all", 0, 9, func(k *talk) (fate, []byte) { return k.tell(A, 0, "", nil) }, on},
		{"what was edited, again", 0, 0, func(k *talk) (fate, []byte) { k.seq[A] -= 40; return k.tell(A, 0, ask, nil) }, up},
		{"a keep-alive probe", 0, 0, func(k *talk) (fate, []byte) { k.seq[A]--; return k.tell(A, 0, "", nil) }, up},
		{"a selective acknowledgement of what the engine sent", 0, 0, func(k *talk) (fate, []byte) {
			return k.tell(B, 0, "", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{1, 1, 5, 10}, k.theirs(A)-9), k.theirs(A)-3))
		}, up},
		{"options in another order", 0, 0, func(k *talk) (fate, []byte) {
			return k.tell(B, 0, "", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{5, 10}, k.theirs(A)+9), k.theirs(A)+13)[:8])
		}, up},
		{"a reset", 0, 0, func(k *talk) (fate, []byte) {
			return k.send(piece{from: B, in: B, flags: flagRST, seq: k.seq[B]}), nil
		}, up},
		{"a response whose head is longer than the client's window", 0, 0, func(k *talk) (fate, []byte) {
			k.advertised(A, len(answer)-1)
			return k.tell(B, 0, answer+body, nil)
		}, up},
		{"one whose head is as long", 0, 0, func(k *talk) (fate, []byte) {
			k.advertised(A, len(answer))
			return k.tell(B, 0, answer+body, nil)
		}, on},
		{"an acknowledgement of what was not sent", 0, 0, func(k *talk) (fate, []byte) { return k.tell(B, ^uint32(0), "", nil) }, up},
	} {
		k := j.lend(uint16(i+1), c.missing, c.gone)
		if got, _ := c.do(k); got != c.want {
			t.Errorf("%s went %s; want %s", c.name, got, c.want)
		}
	}
}

// TestNotedAbove: what is known of a session can be put down while it is the engine's.
func TestNotedAbove(t *testing.T) {
	j := vetted(t)
	k := j.lend(1, 0, 0)
	s, _, err := k.Recall(k.flow())
	if err != nil {
		t.Fatal(err)
	}
	s.Lent, s.Above, s.Dir[1].Delta = true, true, deltaToClient+1
	if err := k.Give(k.flow(), s, A); err != nil {
		t.Fatal(err)
	}
	got, _ := k.tell(A, 0, "", nil)
	want(t, "a frame of it", got, up)
	if s, known, err := k.Look(k.flow()); err != nil || !known || !s.Above || !s.Edited || s.Dir[1].Delta != deltaToClient+1 {
		t.Errorf("Look = %+v, %t, %v; want it above, as it was put down", s, known, err)
	}
}

// TestLentWithoutEngine: a session whose edits are settled goes on in its ends'
// numbers, and the next engine learns these; one whose are not is held back.
func TestLentWithoutEngine(t *testing.T) {
	j := vetted(t)
	k := j.lend(1, 0, 0)
	j.dead = true
	got, seg := k.tell(A, 0, "POST /x HTTP/1.1\r\n", nil)
	want(t, "settled, without the engine", got, on)
	k.wantNumbers("settled, without the engine", A, seg, k.theirs(A)-18, k.seq[B])
	got, _ = k.tell(B, 3, "anything", nil)
	want(t, "the answer", got, on)
	if s, known, err := k.Recall(k.flow()); err != nil || !known || !s.Stale {
		t.Errorf("Recall = %+v, %t, %v; want it stale", s, known, err)
	}
	s, known, marked, err := k.Take(k.flow())
	if err != nil || !known || !marked || !s.Stale || s.Dir[0].Delta != deltaToServer || s.Dir[1].Delta != deltaToClient {
		t.Errorf("Take = %+v, %t, %t, %v; want it stale, with its deltas", s, known, marked, err)
	}

	k = j.lend(2, 20, 0)
	j.dead = true
	got, _ = k.tell(A, 0, ask, nil)
	want(t, "not settled, without the engine", got, lost)
	got, _ = k.tell(B, 1, "", nil)
	want(t, "an acknowledgement of a part", got, lost)
	if s, known, err := k.Look(k.flow()); err != nil || !known || s.Stale || s.Settled() {
		t.Errorf("Look = %+v, %t, %v; want it as it was", s, known, err)
	}
	got, seg = k.tell(B, 0, "answer", nil)
	want(t, "the acknowledgement that settles it", got, on)
	k.wantNumbers("the acknowledgement that settles it", B, seg, k.theirs(B)-6, k.seq[A])
	got, _ = k.tell(A, 0, ask, nil)
	want(t, "what comes then", got, on)
	want(t, "a SYN", k.send(piece{from: A, in: A, flags: flagSYN, seq: 9}), on)
	if _, known, _ := k.Look(k.flow()); known {
		t.Error("the session is known behind the SYN of another one")
	}

	k = j.lend(3, 0, 0)
	j.dead = true
	want(t, "the answer to a SYN", k.send(piece{from: B, in: B, flags: flagSYN | flagACK, seq: 9, ack: 10}), on)
	if _, known, _ := k.Look(k.flow()); known {
		t.Error("the session is known behind the answer to the SYN of another one")
	}
}

// TestServiceGivenUp: an edited session goes on in its ends' numbers when its
// service is no longer protected; one that lacks what the engine owes does not.
func TestServiceGivenUp(t *testing.T) {
	j := vetted(t)
	settled, owed := j.lend(1, 0, 0), j.lend(2, 20, 0)
	s := protected[0]
	s.Follow, s.HTTP = false, false
	if err := j.SetServices([]Service{s}); err != nil {
		t.Fatal(err)
	}
	got, seg := settled.tell(A, 0, "anything", nil)
	want(t, "a session that is settled", got, on)
	settled.wantNumbers("a session that is settled", A, seg, settled.theirs(A)-8, settled.seq[B])
	if got, _ := owed.tell(A, 0, "anything", nil); got == on {
		t.Error("a session with something unacknowledged went on")
	}
	if c, err := j.Counters(); err != nil || c[A].DroppedEdited == 0 {
		t.Errorf("Counters = %+v, %v; want its segment counted", c[A], err)
	}
	if got := settled.send(piece{from: A, in: A, flags: flagACK, seq: 7, ack: 7}); got != on {
		t.Errorf("another segment of it went %s; want on", got)
	}
}
