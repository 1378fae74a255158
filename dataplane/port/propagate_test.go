package port

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"wirepatch/dataplane/internal/netns"
)

// TestPropagationPlan walks through a history: each step is what the kernel
// says, and what is to be done then.
func TestPropagationPlan(t *testing.T) {
	up, lost, down := portState{true, true}, portState{true, false}, portState{}
	start := time.Unix(1000, 0)
	for name, steps := range map[string][]struct {
		after time.Duration
		off   bool
		state [2]portState
		want  *order
	}{
		"lost and back": {
			{0, false, [2]portState{up, up}, nil},
			{1, false, [2]portState{lost, up}, &order{B, false}},
			{2, false, [2]portState{lost, down}, nil},
			{3, false, [2]portState{up, down}, &order{B, true}},
			{3, false, [2]portState{up, lost}, nil}, // B negotiates
			{4, false, [2]portState{up, up}, nil},
			{5, false, [2]portState{up, lost}, &order{A, false}},
		},
		"the other is lost meanwhile": {
			{0, false, [2]portState{up, up}, nil},
			{1, false, [2]portState{up, lost}, &order{A, false}},
			{2, false, [2]portState{down, up}, &order{A, true}},
			{2, false, [2]portState{lost, up}, nil},
			{2 + settleTime, false, [2]portState{lost, up}, &order{B, false}},
			{3 + settleTime, false, [2]portState{up, down}, &order{B, true}},
		},
		"slow at the start": {
			{0, false, [2]portState{lost, lost}, nil},
			{1, false, [2]portState{up, lost}, nil},
			{2, false, [2]portState{up, up}, nil},
		},
		"never connected": {
			{0, false, [2]portState{up, lost}, nil},
			{settleTime, false, [2]portState{up, lost}, &order{A, false}},
			{settleTime + 1, false, [2]portState{down, lost}, nil},
		},
		"both lost": {
			{0, false, [2]portState{up, up}, nil},
			{1, false, [2]portState{lost, lost}, nil},
			{2, false, [2]portState{lost, up}, &order{B, false}},
		},
		"switched off": {
			{0, false, [2]portState{up, up}, nil},
			{1, false, [2]portState{lost, up}, &order{B, false}},
			{2, true, [2]portState{lost, down}, &order{B, true}},
			{3, true, [2]portState{lost, up}, nil},
			{4, false, [2]portState{lost, up}, &order{B, false}},
		},
		"set up by somebody": {
			{0, false, [2]portState{up, up}, nil},
			{1, false, [2]portState{lost, up}, &order{B, false}},
			{2, false, [2]portState{lost, up}, &order{B, false}},
		},
	} {
		var p propagation
		p.begin(start)
		for i, s := range steps {
			now := start.Add(s.after)
			got, _ := p.plan(!s.off, s.state, now)
			if (got == nil) != (s.want == nil) || got != nil && *got != *s.want {
				t.Fatalf("%s, step %d: plan = %+v; want %+v", name, i, got, s.want)
			}
			if got != nil {
				p.done(*got, now)
			}
			if p.held[A] && p.held[B] {
				t.Fatalf("%s, step %d: both ports are held down", name, i)
			}
		}
	}
}

// TestPropagation takes the client's cable out, and then the server's.
func TestPropagation(t *testing.T) {
	bed, p, _ := wired(t, "tcx", nil)
	reports := make(chan string, 64)
	g := p.NewPropagator(func(s string) { reports <- s })
	g.Set(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	run := func(f func()) {
		go func() {
			bed.Box.Do(func() error { f(); return nil })
			done <- struct{}{}
		}()
	}
	run(func() { g.Run(ctx) })
	run(func() { p.WatchLinks(ctx, func(Side, bool) { g.Look() }) })

	ends := [2]struct {
		ns   *netns.NS
		name string
	}{{bed.Client, "c0"}, {bed.Server, "s0"}}
	for s, end := range ends {
		lose := Side(s)
		end.ns.SetLink(t, end.name, false)
		expect(t, reports, "wire port "+lose.Other().String()+" ("+p.Name(lose.Other())+") is taken down because")
		if far := ends[lose.Other()]; linked(t, far.ns, far.name) || !g.Held(lose.Other()) || g.Held(lose) {
			t.Errorf("port %s has lost its link: the other neighbour has link %t, held %t; want false, true", lose, linked(t, far.ns, far.name), g.Held(lose.Other()))
		}
		end.ns.SetLink(t, end.name, true)
		expect(t, reports, "is set up again")
		if far := ends[lose.Other()]; !linked(t, far.ns, far.name) {
			t.Errorf("port %s has its link back: the other neighbour has none", lose)
		}
	}
	bed.Client.SetLink(t, "c0", false)
	expect(t, reports, "is taken down")
	cancel()
	<-done
	<-done
	if !linked(t, bed.Server, "s0") {
		t.Error("after the end a port is still down")
	}
}

func expect(t *testing.T, reports <-chan string, text string) {
	t.Helper()
	select {
	case got := <-reports:
		if !strings.Contains(got, text) {
			t.Fatalf("report = %q; want %q", got, text)
		}
	case <-time.After(patience):
		t.Fatalf("no report %q", text)
	}
}

func linked(t *testing.T, n *netns.NS, name string) (up bool) {
	t.Helper()
	n.Must(t, func() error {
		l, err := netlink.LinkByName(name)
		if err == nil {
			up = hasLink(l)
		}
		return err
	})
	return up
}
