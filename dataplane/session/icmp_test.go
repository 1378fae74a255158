package session

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"wirepatch/dataplane/packet"
)

var (
	icmpClient = netip.MustParseAddrPort("10.0.0.1:1000")
	icmpServer = netip.MustParseAddrPort("10.0.0.2:80")
)

// fragmentationNeeded is an ICMP error about a segment with 8 bytes of its TCP
// header.
func fragmentationNeeded(src, dst netip.AddrPort, seq uint32) []byte {
	be16, be32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	quoted := slices.Concat([]byte{0x45, 0, 5, 220, 0, 1, 0, 0, 64, 6, 0, 0}, src.Addr().AsSlice(), dst.Addr().AsSlice())
	quoted = be32(be16(be16(quoted, src.Port()), dst.Port()), seq)
	icmp := append([]byte{3, 4, 0, 0, 0, 0, 4, 76}, quoted...)
	var sum uint32
	for i := 0; i < len(icmp); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(icmp[i:]))
	}
	binary.BigEndian.PutUint16(icmp[2:], ^uint16(sum+sum>>16))
	ip := be16([]byte{0x45, 0}, uint16(20+len(icmp)))
	ip = append(ip, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9)
	ip = append(ip, src.Addr().AsSlice()...)
	return slices.Concat(make([]byte, 12), []byte{8, 0}, ip, icmp)
}

// frames collects what the engine sends.
type frames [][]byte

func (f *frames) Send(_ Side, _ packet.VNet, b []byte) { *f = append(*f, slices.Clone(b)) }

type freeSlot struct{}

func (freeSlot) Set(Carriage)    {}
func (freeSlot) Mark(Mark)       {}
func (freeSlot) Stands() bool    { return true }
func (freeSlot) Lend(bool)       {}
func (freeSlot) Carried() uint64 { return 0 }
func (freeSlot) Free()           {}

func TestQuotedSequenceNumbers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(e *Engine, s *Session)
		from    Side
		seq     uint32 // as quoted
		want    uint32
	}{
		{"unedited", func(*Engine, *Session) {}, B, 5100, 5100},
		{"behind an edit", func(_ *Engine, s *Session) {
			s.half[ToServer].edits.add(edit{10, 20, 10, 15})
		}, B, 5100, 5105},
		{"before an edit", func(_ *Engine, s *Session) {
			s.half[ToServer].edits.add(edit{150, 160, 150, 200})
		}, B, 5100, 5100},
		{"settled", func(_ *Engine, s *Session) { s.half[ToServer].edits.base = -500 }, B, 5100, 5600},
		{"from the sender's side", func(_ *Engine, s *Session) { s.half[ToServer].edits.base = -500 }, A, 5100, 5100},
		{"acknowledged in advance", func(_ *Engine, s *Session) { s.half[ToServer].acked = 180 }, B, 5100, 5180},
		{"acknowledged by the receiver", func(_ *Engine, s *Session) {
			s.half[ToServer].acked, s.half[ToServer].una = 180, 180
		}, B, 5100, 5100},
		{"handshake under way", func(_ *Engine, s *Session) { s.half[ToServer].known = false }, B, 5100, 5100},
		{"of an earlier engine", func(e *Engine, s *Session) {
			delete(e.sessions, s.key)
			e.Adopt(s.conn, 0, freeSlot{}, [2]uint32{^uint32(0) - 6, 0})
		}, B, 5100, 5107},
		{"unknown", func(e *Engine, s *Session) { delete(e.sessions, s.key) }, B, 5100, 5100},
	} {
		var out frames
		svc := &Service{Name: "web", Address: netip.PrefixFrom(icmpServer.Addr(), 32), Port: 80}
		e := NewEngine(Config{Output: &out, Services: []*Service{svc}})
		s := newSession(e, svc, A, &packet.Frame{Src: icmpClient.Addr().As16(), Dst: icmpServer.Addr().As16(), SrcPort: icmpClient.Port(), DstPort: icmpServer.Port()}, true)
		e.sessions[s.key] = s
		h := &s.half[ToServer]
		h.start(5000)
		h.top, h.next, h.sent, h.una = 200, 200, 250, 50
		tt.prepare(e, s)

		frame := fragmentationNeeded(icmpClient, icmpServer, tt.seq)
		e.Handle(tt.from, packet.VNet{}, slices.Clone(frame), 1)
		if want := fragmentationNeeded(icmpClient, icmpServer, tt.want); len(out) != 1 || !bytes.Equal(out[0], want) {
			t.Errorf("%s: sent %x; want %x", tt.name, out, want)
		}
		out = nil
		wrong := slices.Clone(frame)
		wrong[36] ^= 0x55 // the checksum
		e.Handle(tt.from, packet.VNet{}, slices.Clone(wrong), 2)
		if same := tt.want == tt.seq; same != (len(out) == 1) || same && !bytes.Equal(out[0], wrong) {
			t.Errorf("%s, checksum wrong: sent %x; want it as it came %t, else nothing", tt.name, out, same)
		}
	}
}

func TestPathFromErrors(t *testing.T) {
	var out frames
	svc := &Service{Name: "web", Address: netip.PrefixFrom(icmpServer.Addr(), 32), Port: 80}
	e := NewEngine(Config{Output: &out, Services: []*Service{svc}})
	s := newSession(e, svc, A, &packet.Frame{Src: icmpClient.Addr().As16(), Dst: icmpServer.Addr().As16(), SrcPort: icmpClient.Port(), DstPort: icmpServer.Port()}, true)
	e.sessions[s.key] = s
	h, r := &s.half[ToServer], &s.half[ToClient]
	h.start(5000)
	h.top, h.next, h.sent = 200, 200, 250
	r.hs.MSS = 1460
	e.Handle(B, packet.VNet{}, fragmentationNeeded(icmpClient, icmpServer, 9000), 1)
	if got := h.mss(r, 0); got != 1460 {
		t.Errorf("mss after an error about what was never sent = %d; want 1460", got)
	}
	e.Handle(B, packet.VNet{}, fragmentationNeeded(icmpClient, icmpServer, 5100), 1)
	if got := h.mss(r, 0); got != 1100-40 {
		t.Errorf("mss after an error that names an MTU of 1100 = %d; want 1060", got)
	}
}
