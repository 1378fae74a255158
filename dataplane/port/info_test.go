package port

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"wirepatch/dataplane/internal/netns"
)

func TestDescribe(t *testing.T) {
	bed := netns.NewBed(t)
	bed.Box.Must(t, func() error {
		got, err := Describe("b0")
		want := Info{Name: "b0", Driver: "veth", MAC: "02:00:00:00:00:b0", Up: true, SpeedMbit: 10000}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Describe(b0) (-want +got):\n%s", d)
		}
		if _, err := Describe("none"); err == nil {
			t.Error("Describe of an interface that is not there = nil; want an error")
		}
		return err
	})
}

func TestWatchLinks(t *testing.T) {
	bed, p, _ := wired(t, "tcx", nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen, ended := make(chan string, 16), make(chan error, 1)
	go func() {
		ended <- bed.Box.Do(func() error {
			return p.WatchLinks(ctx, func(s Side, up bool) { seen <- fmt.Sprintf("%s %t", s, up) })
		})
	}()
	expect := func(want ...string) {
		t.Helper()
		left := map[string]bool{}
		for _, w := range want {
			left[w] = true
		}
		for len(left) > 0 {
			select {
			case got := <-seen:
				if !left[got] {
					t.Fatalf("WatchLinks told %q; want %v", got, want)
				}
				delete(left, got)
			case <-ctx.Done():
				t.Fatalf("WatchLinks did not tell %v", left)
			}
		}
	}
	set := func(f func(netlink.Link) error) {
		t.Helper()
		bed.Client.Must(t, func() error {
			l, err := netlink.LinkByName("c0")
			if err != nil {
				return err
			}
			return f(l)
		})
	}
	expect("a true", "b true")
	set(netlink.LinkSetDown)
	expect("a false")
	set(netlink.LinkSetUp)
	expect("a true")
	set(netlink.LinkDel)
	if err := <-ended; !errors.Is(err, ErrGone) {
		t.Errorf("WatchLinks after the interface was deleted = %v; want ErrGone", err)
	}
}

func TestMTU(t *testing.T) {
	bed := netns.NewBed(t)
	bed.Box.Must(t, func() error {
		l, err := netlink.LinkByName("b1")
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(l, 1400)
	})
	bed.AttachBy(t, "tcx")
	pins := filepath.Join(netns.MountBPF(t), "wirepatch")
	p := open(t, bed, pins, nil)
	t.Cleanup(func() { removePins(pins, func(string) bool { return true }) })
	if a, b := p.MTU(A), p.MTU(B); a != 1500 || b != 1400 {
		t.Errorf("MTU of the ports = %d, %d; want 1500, 1400", a, b)
	}
}
