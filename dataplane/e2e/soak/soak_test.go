package soak

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// roundSize is how many sessions run at once, on one bed.
const roundSize = 250

// round is one bed: what holds for all of its sessions.
type round struct {
	netns.BadBed
	bodies           bool // request bodies are corrected, too
	vlan             int32
	sack, timestamps bool
	scaling, ecn     bool
	attach           string
}

func (r *round) String() string {
	return fmt.Sprintf("seed %d, %s, MTU %d, offload %t, VLAN %d, bodies %t, sack %t, timestamps %t, scaling %t, ECN %t; client's side: %v; server's side: %v",
		r.Seed, r.attach, r.MTU, r.Offload, r.vlan, r.bodies, r.sack, r.timestamps, r.scaling, r.ecn, r.Trouble[0], r.Trouble[1])
}

func makeRound(seed uint64, n int) *round {
	rng := rand.New(rand.NewPCG(seed, uint64(n)<<32))
	coin := func(of int) bool { return rng.IntN(of) == 0 }
	r := &round{bodies: n%2 == 1, sack: !coin(4), timestamps: !coin(3), scaling: !coin(6), ecn: coin(3)}
	r.Seed, r.Offload = seed<<16+uint64(n), coin(2)
	r.MTU = [...]int{1500, 1280, 9000, 1281 + rng.IntN(7000)}[n%4]
	if coin(3) {
		r.vlan = 1 + rng.Int32N(4094)
	}
	for i := range r.Trouble {
		r.Trouble[i] = makeTrouble(rng)
	}
	r.attach = "tcx"
	if !r.Offload {
		r.Trouble[rng.IntN(2)].Fragment = rng.Float64() * 0.1
	}
	if !r.Offload && coin(2) { // XDP wants frames as on a wire
		r.attach = "xdp"
	}
	if r.ecn {
		for i := range r.Trouble {
			r.Trouble[i].Mark = rng.Float64() * 0.05
		}
	}
	return r
}

func makeTrouble(rng *rand.Rand) (tr netns.Trouble) {
	for _, p := range []*float64{&tr.Loss, &tr.Duplicate, &tr.Corrupt, &tr.Reorder} {
		if rng.IntN(3) > 0 {
			*p = rng.Float64() * 0.02
		}
	}
	if rng.IntN(2) == 0 {
		tr.Delay = time.Duration(rng.IntN(3000)) * time.Microsecond
	}
	tr.Reorder *= 3
	tr.Late = time.Duration(1+rng.IntN(8)) * time.Millisecond
	return tr
}

// TestBadNetwork runs thousands of sessions on bad networks.
func TestBadNetwork(t *testing.T) {
	total := *sessions
	switch {
	case total == 0 && testing.Short():
		total = 1000
	case total == 0:
		total = 5000
	}
	for n := range (total + roundSize - 1) / roundSize {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			runRound(t, makeRound(*seed, n), min(roundSize, total-n*roundSize))
		})
	}
}

func runRound(t *testing.T, r *round, size int) {
	bed, done := netns.NewBadBed(t, r.BadBed)
	bed.Attach = r.attach
	r.prepare(t, bed)
	definitions := "heads"
	if r.bodies {
		definitions = "bodies"
	}
	b := newBox(t, bed, definitions, "closed") // so that a machine that stands still for a moment loses frames, not corrections
	l := newLab(t, bed)
	began := time.Now()
	for i := range size {
		l.start(makePlan(r.Seed, i, r.bodies))
	}
	failures := l.wait()
	s := b.status(t)
	if !strings.HasPrefix(s.Ports[0].Attach, r.attach) {
		t.Errorf("attached by %s (%s); want %s", s.Ports[0].Attach, s.Ports[0].AttachWhy, r.attach)
	}
	t.Logf("%d sessions in %v: %v", size, time.Since(began).Round(time.Millisecond), r)
	t.Logf("the longest took %v: %v", l.longest.Round(time.Millisecond), l.slow)
	t.Logf("paths: %v; sessions: %+v; ports: %+v; %d corrections", done, s.Sessions, s.Ports, s.Corrections)
	for i, err := range failures {
		if i == 10 {
			t.Errorf("and %d more", len(failures)-i)
			break
		}
		t.Error(err)
	}
	if t.Failed() {
		for _, e := range b.events(t) {
			if e.Kind != "correction" {
				t.Logf("event: %s %s", e.Kind, e.Text)
			}
		}
		t.Logf("again with: go test ./dataplane/e2e/soak -run '%s$' -seed %d -sessions %d", t.Name(), *seed, *sessions)
	}
	if s.Ports[0].Translated == 0 || s.Ports[1].Translated == 0 {
		t.Errorf("%d and %d packets of edited sessions were translated in the kernel; want some both ways", s.Ports[0].Translated, s.Ports[1].Translated)
	}
	if n := s.Ports[0].Untranslated + s.Ports[1].Untranslated; n > 0 {
		t.Errorf("%d packets of edited sessions could not be translated in the kernel", n)
	}
	if n := s.Ports[0].Bypassed + s.Ports[1].Bypassed; n > 0 {
		t.Errorf("%d packets went past the engine: it stood still", n)
	}
}

// prepare sets both ends' kernels up.
func (r *round) prepare(t *testing.T, bed *netns.Bed) {
	t.Helper()
	flag := func(on bool) string {
		if on {
			return "1"
		}
		return "0"
	}
	for _, n := range []*netns.NS{bed.Client, bed.Server} {
		for name, value := range map[string]string{
			"tcp_sack": flag(r.sack), "tcp_timestamps": flag(r.timestamps), "tcp_window_scaling": flag(r.scaling), "tcp_ecn": flag(r.ecn),
			"tcp_rto_min_us": "20000", "tcp_rto_max_ms": "4000", // on these paths a second is long
			"ip_local_port_range": "60000 60999",
		} {
			n.Sysctl(t, "net/ipv4/"+name, value)
		}
	}
	if r.vlan != 0 {
		bed.Tag(t, r.vlan)
	}
}
