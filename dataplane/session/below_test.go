package session

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/netip"
	"testing"

	"wirepatch/dataplane/packet"
)

// ledger stands for the ports: what they know of one session, and whose it is.
type ledger struct {
	r     Resting
	known bool
	lent  []Resting
	seed  maphash.Seed
}

func (l *ledger) Take(Conn, uint32) (Resting, bool, bool) { return l.r, l.known, true }
func (l *ledger) Lend(_ Conn, _ uint32, r Resting, _ Side) bool {
	l.lent, l.r = append(l.lent, r), r
	return true
}
func (l *ledger) Recall(Conn, uint32) (Resting, bool) { return l.r, l.known }
func (l *ledger) Look(Conn, uint32) (Resting, bool)   { return l.r, l.known }
func (l *ledger) Forget(Conn, uint32, bool)           {}
func (l *ledger) Sum(b []byte) uint64                 { return maphash.Bytes(l.seed, b) }

// open releases everything, and may be let go at any time.
type openInspector struct{ resumed *int64 }

func (o openInspector) Inspect(_ Direction, data []byte, _ bool) Verdict {
	return Verdict{Release: int64(len(data))}
}
func (openInspector) Stands() (bool, bool)          { return false, true }
func (openInspector) Answered()                     {}
func (o openInspector) Resume(_ []byte, left int64) { *o.resumed = left }

// taken is an engine whose ports have followed a session: the client has sent
// 100 bytes of a request in one message, which are not acknowledged.
type taken struct {
	*Engine
	*ledger
	out     frames
	resumed int64
	now     Instant
}

const request100 = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

func newTaken() *taken {
	k := &taken{ledger: &ledger{known: true, seed: maphash.MakeSeed()}, resumed: -1, now: 1}
	svc := &Service{Name: "web", Address: netip.PrefixFrom(icmpServer.Addr(), 32), Port: 80,
		New: func(Conn, bool) Inspector { return openInspector{&k.resumed} }}
	k.Engine = NewEngine(Config{Output: &k.out, Services: []*Service{svc}, Below: k.ledger})
	k.r = Resting{Followed: true, Established: true, Pending: true}
	k.r.Half[ToServer] = RestingHalf{First: 4999, Next: 5100, Top: 5100, Acked: 5000, From: 5000, Size: 100, Sum: k.Sum([]byte(request100)), Window: 1000, Hello: packet.Handshake{MSS: 1460}}
	k.r.Half[ToClient] = RestingHalf{First: 6999, Next: 7000, Top: 7000, Acked: 7000, Window: 1000, Hello: packet.Handshake{MSS: 1460}}
	return k
}

// say has a segment come up and returns what was sent for it: side, sequence
// and acknowledgement numbers, flags, payload.
func (k *taken) say(dir Direction, seq, ack uint32, flags byte, payload string, options ...byte) []string {
	src, dst, from := icmpClient, icmpServer, A
	if dir == ToClient {
		src, dst, from = dst, src, B
	}
	be16, be32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	b := append(make([]byte, 12), 8, 0, 0x45, 0)
	b = append(be16(b, uint16(40+len(options)+len(payload))), 0, 1, 0, 0, 64, 6, 0, 0)
	b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	b = be32(be32(be16(be16(b, src.Port()), dst.Port()), seq), ack)
	b = append(be16(append(b, byte(5+len(options)/4)<<4, flags), 1000), 0, 0, 0, 0)
	b = append(b, options...)
	b = append(b, payload...)
	k.out = nil
	k.now += 1000
	k.Handle(from, packet.VNet{Flags: packet.VNetNeedsCsum, CsumStart: 34, CsumOffset: 16}, b, k.now)
	return k.sent()
}

func (k *taken) sent() []string {
	var got []string
	for _, f := range k.out {
		to := "to server"
		if bytes.Equal(f[26:30], icmpServer.Addr().AsSlice()) {
			to = "to client"
		}
		got = append(got, fmt.Sprintf("%s seq %d ack %d flags %02x %q", to, be32(f[38:]), be32(f[42:]), f[47], f[54:]))
	}
	return got
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: sent %v; want %v", what, got, want)
	}
}

// TestRetransmissionOfVouched: what the ports have let go on may come again,
// whole or in parts, but not otherwise.
func TestRetransmissionOfVouched(t *testing.T) {
	const ack, push = packet.ACK, packet.ACK | packet.PSH
	k := newTaken()
	expect(t, "the same again", k.say(ToServer, 5000, 7000, push, request100),
		fmt.Sprintf("to server seq 5000 ack 7000 flags 18 %q", request100))
	if k.resumed != 0 {
		t.Errorf("the decoder was resumed with %d bytes to come; want 0", k.resumed)
	}

	k = newTaken()
	changed := "x" + request100[1:]
	expect(t, "changed", k.say(ToServer, 5000, 7000, push, changed),
		`to server seq 5100 ack 7000 flags 14 ""`, `to server seq 5000 ack 7000 flags 14 ""`, `to client seq 7000 ack 5000 flags 14 ""`)

	k = newTaken()
	expect(t, "the first part", k.say(ToServer, 5000, 7000, ack, request100[:40]), `to client seq 7000 ack 5040 flags 10 ""`)
	expect(t, "the first part again", k.say(ToServer, 5000, 7000, ack, request100[:40]), `to client seq 7000 ack 5040 flags 10 ""`)
	expect(t, "the second part", k.say(ToServer, 5040, 7000, push, request100[40:]),
		`to client seq 7000 ack 5040 flags 10 ""`, fmt.Sprintf("to server seq 5000 ack 7000 flags 18 %q", request100))
	k.out = nil
	k.Tick(k.now + firstRTO + 1)
	expect(t, "nobody acknowledges", k.sent(), fmt.Sprintf("to server seq 5000 ack 7000 flags 18 %q", request100))

	k = newTaken()
	k.say(ToServer, 5000, 7000, ack, request100[:40])
	expect(t, "the second part changed", k.say(ToServer, 5040, 7000, push, "x"+request100[41:]),
		`to server seq 5100 ack 7000 flags 14 ""`, `to server seq 5000 ack 7000 flags 14 ""`, `to client seq 7000 ack 5040 flags 14 ""`)

	k = newTaken()
	k.say(ToClient, 7000, 5100, ack, "")
	expect(t, "what was acknowledged, changed", k.say(ToServer, 5000, 7000, push, changed), fmt.Sprintf("to server seq 5000 ack 7000 flags 18 %q", changed))
}

// TestRestOfVouched: where the receiver has a part of what the ports have let go
// on, the rest, sent again, is for the policy.
func TestRestOfVouched(t *testing.T) {
	rest := request100[40:]
	k := newTaken()
	k.r.Half[ToServer].Acked = 5040
	expect(t, "reset", k.say(ToServer, 5040, 7000, packet.ACK, rest),
		`to server seq 5100 ack 7000 flags 14 ""`, `to server seq 5040 ack 7000 flags 14 ""`, `to client seq 7000 ack 5040 flags 14 ""`)

	k = newTaken()
	k.cfg.Services[0].Exceed = PolicyPass
	k.r.Half[ToServer].Acked = 5040
	expect(t, "pass", k.say(ToServer, 5040, 7000, packet.ACK, rest), fmt.Sprintf("to server seq 5040 ack 7000 flags 10 %q", rest))
	if n := k.Stats().Passed; n != 1 {
		t.Errorf("%d sessions passed; want 1", n)
	}
	expect(t, "the answer", k.say(ToClient, 7000, 5100, packet.ACK, "ok"), `to client seq 7000 ack 5100 flags 10 "ok"`)
}

// TestResumedResponse: the rest of a body passes unseen, apart from its last byte.
func TestResumedResponse(t *testing.T) {
	k := newTaken()
	k.r.Half[ToServer].Acked = 5100
	k.r.Half[ToClient] = RestingHalf{First: 6999, Next: 7100, Top: 7050, Acked: 7000, From: 7000, Size: 40, Sum: k.Sum([]byte(request100[:40])), Window: 1000, Hello: packet.Handshake{MSS: 1460}}
	expect(t, "a part of the body", k.say(ToClient, 7060, 5100, packet.ACK, request100[:20]), fmt.Sprintf("to client seq 7060 ack 5100 flags 10 %q", request100[:20]))
	if k.resumed != 1 {
		t.Errorf("the decoder was resumed with %d bytes to come; want 1", k.resumed)
	}
	expect(t, "the head again", k.say(ToClient, 7000, 5100, packet.ACK, request100[:50]), fmt.Sprintf("to client seq 7000 ack 5100 flags 10 %q", request100[:50]))
	expect(t, "the rest", k.say(ToClient, 7080, 5100, packet.ACK, request100[:20]), fmt.Sprintf("to client seq 7080 ack 5100 flags 10 %q", request100[:20]))
	expect(t, "the head changed", k.say(ToClient, 7000, 5100, packet.ACK, "x"+request100[1:50]),
		`to server seq 5100 ack 7000 flags 14 ""`, `to client seq 7100 ack 5100 flags 14 ""`, `to client seq 7000 ack 5100 flags 14 ""`)
}

// TestHalfOpenStays: a session that the client has not confirmed may be forged,
// and gets no place among those that the ports follow.
func TestHalfOpenStays(t *testing.T) {
	k := newTaken()
	k.known = false
	k.say(ToServer, 4999, 0, packet.SYN, "with data")
	k.say(ToClient, 6999, 5000, packet.SYN|packet.ACK, "")
	k.Tick(k.now + restAfter + 1)
	if len(k.lent) != 0 || k.Stats().Open != 1 {
		t.Fatalf("half-open: lent %d times, %d sessions open; want none, one", len(k.lent), k.Stats().Open)
	}
	k.say(ToServer, 5000, 7000, packet.ACK, "")
	k.Tick(k.now + restAfter + 1)
	if len(k.lent) != 1 || k.Stats().Open != 0 {
		t.Errorf("confirmed: lent %d times, %d sessions open; want once, none", len(k.lent), k.Stats().Open)
	}
}
