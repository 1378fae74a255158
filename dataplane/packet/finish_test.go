package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// unfinished parses b and leaves its checksum to be completed.
func unfinished(t *testing.T, b []byte) (Frame, VNet) {
	t.Helper()
	var f Frame
	if err := f.Parse(b); err != nil {
		t.Fatal(err)
	}
	f.PutPartialChecksum()
	return f, VNet{Flags: VNetNeedsCsum, CsumStart: uint16(f.L4), CsumOffset: 16}
}

func TestFinishChecksum(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		want := segmentOf(r, r.IntN(2) == 0, r.IntN(3), 4*r.IntN(11), r.IntN(200))
		b := bytes.Clone(want)
		_, v := unfinished(t, b)
		var w Finisher
		if err := w.Finish(v, b, func(got []byte) error {
			if !bytes.Equal(got, want) {
				t.Errorf("seed %d: Finish = %x; want %x", seed, got, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFinishLeavesFinishedFrames(t *testing.T) {
	for _, b := range [][]byte{{}, {1}, bytes.Repeat([]byte{0x88}, 60)} {
		n := 0
		err := new(Finisher).Finish(VNet{}, b, func(got []byte) error {
			n++
			if !bytes.Equal(got, b) {
				t.Errorf("Finish(%x) = %x; want no change", b, got)
			}
			return nil
		})
		if err != nil || n != 1 {
			t.Errorf("Finish(%x): %d frames, %v; want 1", b, n, err)
		}
	}
}

func TestFinishCutsSegments(t *testing.T) {
	var w Finisher
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		size := 1 + r.IntN(300)
		b := segmentOf(r, r.IntN(2) == 0, r.IntN(3), 4*r.IntN(11), size+1+r.IntN(3000))
		f, v := unfinished(t, b)
		b[f.L4+13] |= FIN | PSH | CWR
		v.GSOType, v.GSOSize = gsoOf(&f)|GSOECN, uint16(size)
		checkCut(t, &w, f, v)
	}
}

// checkCut cuts f and looks at each segment.
func checkCut(t *testing.T, w *Finisher, f Frame, v VNet) {
	t.Helper()
	var body []byte
	whole, n := bytes.Clone(f.Data), 0
	size, count := int(v.GSOSize), (len(f.Body())+int(v.GSOSize)-1)/int(v.GSOSize)
	err := w.Finish(v, f.Data, func(b []byte) error {
		var g Frame
		if err := g.Parse(b); err != nil {
			t.Fatalf("segment %d: %v", n, err)
		}
		wantFlags := byte(ACK)
		if n == 0 {
			wantFlags |= CWR
		}
		if n == count-1 {
			wantFlags |= FIN | PSH
		}
		switch {
		case g.End != len(b) || !g.ValidChecksum():
			t.Errorf("segment %d: ends at %d of %d, checksum valid: %v", n, g.End, len(b), g.ValidChecksum())
		case g.Seq() != f.Seq()+uint32(n*size) || g.Flags != wantFlags:
			t.Errorf("segment %d: sequence number %d, flags %#x; want %d, %#x", n, g.Seq(), g.Flags, f.Seq()+uint32(n*size), wantFlags)
		case n < count-1 && len(g.Body()) != size:
			t.Errorf("segment %d of %d holds %d bytes; want %d", n, count, len(g.Body()), size)
		case !g.V6 && (fold(sum(b[g.L3:g.L4], 0)) != 0xffff || binary.BigEndian.Uint16(b[g.L3+4:]) != 1+uint16(n)):
			t.Errorf("segment %d: IPv4 header %x; want a right checksum, identification %d", n, b[g.L3:g.L4], 1+n)
		}
		body = append(body, g.Body()...)
		n++
		return nil
	})
	if err != nil || n != count || !bytes.Equal(body, whole[f.Payload:]) {
		t.Errorf("Finish made %d segments of %d bytes in all, %v; want %d, %d, the same bytes", n, len(body), err, count, len(whole)-f.Payload)
	}
}

func TestFinishRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	frame := segmentOf(r, false, 0, 0, 500)
	_, v := unfinished(t, frame)
	for name, change := range map[string]func(*VNet){
		"checksum behind the end": func(v *VNet) { v.CsumStart = 600 },
		"no size":                 func(v *VNet) { v.GSOType = GSOTCPv4 },
		"another protocol":        func(v *VNet) { v.GSOType, v.GSOSize = GSOTCPv6, 100 },
		"elsewhere":               func(v *VNet) { v.GSOType, v.GSOSize, v.CsumStart = GSOTCPv4, 100, 20 },
	} {
		bad := v
		change(&bad)
		err := new(Finisher).Finish(bad, bytes.Clone(frame), func([]byte) error { return nil })
		if !errors.Is(err, ErrUnfinished) {
			t.Errorf("%s: Finish = %v; want ErrUnfinished", name, err)
		}
	}
	stop := errors.New("stop")
	v.GSOType, v.GSOSize = GSOTCPv4, 100
	if err := new(Finisher).Finish(v, frame, func([]byte) error { return stop }); err != stop {
		t.Errorf("Finish = %v; want emit's error", err)
	}
}
