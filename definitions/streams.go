package main

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"

	"wirepatch/dataplane/packet"
	"wirepatch/dataplane/session"
)

// recorded is one session of a capture: what each side sent, in the order in
// which it could be read.
type recorded struct {
	ends     [2]netip.AddrPort // by the direction that they send in
	datagram bool
	begun    bool // its beginning is in the capture
	pieces   []piece
	streams  [2]assembly
}

// piece is bytes of one side, or its end.
type piece struct {
	dir  session.Direction
	data []byte
	end  bool
}

// assembly puts the segments of one side in order.
type assembly struct {
	known bool
	next  uint32
	ahead []segment
	fin   bool
}

type segment struct {
	seq  uint32
	data []byte
	fin  bool
}

// maxAhead bounds the segments that wait for one that is missing.
const maxAhead = 4096

// recorder gathers the sessions of a capture.
type recorder struct {
	sessions []*recorded
	open     map[[2]netip.AddrPort]*recorded
	other    int // frames that are no TCP or UDP, or not whole
}

func newRecorder() *recorder { return &recorder{open: map[[2]netip.AddrPort]*recorded{}} }

// frame takes one frame of the capture.
func (r *recorder) frame(b []byte) {
	var f packet.Frame
	err := f.Parse(b)
	datagram := errors.Is(err, packet.ErrUDP)
	if err != nil && !datagram || f.End < f.Payload {
		r.other++
		return
	}
	from := netip.AddrPortFrom(netip.AddrFrom16(f.Src).Unmap(), f.SrcPort)
	to := netip.AddrPortFrom(netip.AddrFrom16(f.Dst).Unmap(), f.DstPort)
	s, dir := r.session(from, to, &f, datagram)
	body := bytes.Clone(f.Body())
	if datagram {
		s.pieces = append(s.pieces, piece{dir: dir, data: body})
		return
	}
	s.segment(dir, &f, body)
}

// session finds the session of a frame, or begins one. Who sends a SYN is its
// client; else who has the higher port.
func (r *recorder) session(from, to netip.AddrPort, f *packet.Frame, datagram bool) (*recorded, session.Direction) {
	syn := !datagram && f.Flags&(packet.SYN|packet.ACK) == packet.SYN
	if !syn {
		if s := r.open[[2]netip.AddrPort{from, to}]; s != nil && s.datagram == datagram {
			return s, session.ToServer
		}
		if s := r.open[[2]netip.AddrPort{to, from}]; s != nil && s.datagram == datagram {
			return s, session.ToClient
		}
	}
	s := &recorded{datagram: datagram, begun: syn || datagram, ends: [2]netip.AddrPort{from, to}}
	dir := session.ToServer
	answers := !datagram && f.Flags&packet.SYN != 0 && !syn
	if answers || !syn && from.Port() < to.Port() {
		s.ends, dir = [2]netip.AddrPort{to, from}, session.ToClient
	}
	r.open[s.ends] = s
	r.sessions = append(r.sessions, s)
	return s, dir
}

// segment puts one segment in its place. Of bytes that come twice the first
// ones count.
func (s *recorded) segment(dir session.Direction, f *packet.Frame, body []byte) {
	a := &s.streams[dir]
	seq := f.Seq()
	if f.Flags&packet.SYN != 0 {
		a.known, a.next = true, seq+1
		seq++
	}
	if !a.known {
		a.known, a.next = true, seq
	}
	if len(body) > 0 || f.Flags&packet.FIN != 0 {
		a.ahead = append(a.ahead, segment{seq, body, f.Flags&packet.FIN != 0})
	}
	for again := true; again; {
		again = false
		for i, g := range a.ahead {
			if int32(g.seq-a.next) > 0 {
				continue
			}
			a.ahead = slices.Delete(a.ahead, i, i+1)
			if skip := int(a.next - g.seq); skip <= len(g.data) {
				s.take(dir, g.data[skip:], g.fin)
			}
			again = true
			break
		}
	}
	if len(a.ahead) > maxAhead { // what is missing was not captured
		a.next = a.ahead[0].seq
	}
}

func (s *recorded) take(dir session.Direction, data []byte, fin bool) {
	a := &s.streams[dir]
	if a.fin {
		return
	}
	a.next += uint32(len(data))
	if len(data) > 0 {
		s.pieces = append(s.pieces, piece{dir: dir, data: data})
	}
	if a.fin = fin; fin {
		s.pieces = append(s.pieces, piece{dir: dir, end: true})
	}
}
