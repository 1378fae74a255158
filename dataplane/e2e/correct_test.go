package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/internal/netns"
)

func TestCorrections(t *testing.T) { eachWay(t, testCorrections) }

func testCorrections(t *testing.T, attach string) {
	variants := []struct {
		name, host string
		offloads   bool
		vlan       bool
	}{
		{"IPv4", netns.Server4, true, false},
		{"IPv6", "[" + netns.Server6 + "]", true, false},
		{"VLAN", netns.Server4, true, true},
		{"IPv4 checksums", netns.Server4, false, false},
		{"IPv6 checksums", "[" + netns.Server6 + "]", false, false},
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			b := newBoxBy(t, attach)
			if v.vlan {
				b.Tag(t, 42)
			}
			if !v.offloads { // then the ends verify every checksum
				b.AsOnWire(t)
			}
			startNginx(t, b.Server)
			corrections(t, b, "http://"+v.host)
		})
	}
}

// corrections makes requests that the definitions correct, and some that they
// leave alone.
func corrections(t *testing.T, b *box, url string) {
	reused := "%{http_code} connects=%{num_connects}\n"
	got := curl(t, b.Client, "-H", "X-Removed: secret", "-H", "X-Kept: here", url+"/echo")
	holds(t, "request", got, []string{"removed=[] kept=[here]"}, nil)
	got = curl(t, b.Client, "-i", url+"/answer")
	holds(t, "response", got, []string{"X-Answer: an answer that is quite a bit longer than what came\r\n", "\r\nbody\n"}, []string{"short"})
	got = curl(t, b.Client, "-w", reused, url+"/refused", url+"/plain", url+"/refused", url+"/answer")
	want := "refused by the patch\n403 connects=1\nplain\n200 connects=0\nrefused by the patch\n403 connects=0\nbody\n200 connects=0\n"
	if got != want {
		t.Errorf("refused and other requests on one connection = %q; want %q", got, want)
	}
	got = curl(t, b.Client, url+":8080/refused")
	holds(t, "unprotected port", got, []string{"the server has seen it"}, nil)

	e := b.event(t, "correction", "WP-2026-request")
	if e.Evidence == nil || string(e.Evidence.Before) != "X-Removed: secret\r\n" || len(e.Evidence.After) != 0 ||
		!strings.HasPrefix("http://"+e.Server, url) || e.Client == "" || e.Service == "" {
		t.Errorf("event = %+v, evidence %+v; want the removed header", e, e.Evidence)
	}
	s := b.status(t)
	if s.Corrections != 5 || s.Sessions.Edited != 3 || s.Sessions.Reset != 0 || s.Sessions.Passed != 0 {
		t.Errorf("status: corrections %d, sessions %+v; want 5 corrections in 3 edited sessions, none passed or reset", s.Corrections, s.Sessions)
	}
	counts := []string{}
	for _, d := range s.Definitions {
		counts = append(counts, fmt.Sprint(d.ID, " ", d.Mode, " ", d.Error, d.Corrections))
	}
	slices.Sort(counts)
	if want := []string{"WP-2026-reject correct 2", "WP-2026-request correct 1", "WP-2026-response correct 2"}; !slices.Equal(counts, want) {
		t.Errorf("definitions = %q; want %q", counts, want)
	}
	ports(t, s, b.Attach)
}

// ports checks what status says of the two ports.
func ports(t *testing.T, s control.Status, attach string) {
	t.Helper()
	if len(s.Ports) != 2 {
		t.Fatalf("status: %d ports; want 2", len(s.Ports))
	}
	for i, p := range s.Ports {
		if p.Name != fmt.Sprint("b", i) || p.Driver != "veth" || p.MAC != fmt.Sprint("02:00:00:00:00:b", i) || !p.Up || !strings.HasPrefix(p.Attach, attach) || p.AttachWhy != "" {
			t.Errorf("port = %+v; want b%d, veth, with link, attached by %s", p, i, attach)
		}
		if p.HandedUp == 0 || p.Forwarded == 0 || p.TxPackets == 0 || p.RxPackets != p.HandedUp+p.Forwarded || p.Dropped != 0 {
			t.Errorf("port %s counters = %+v; want every packet handed up or forwarded", p.Name, p)
		}
	}
}
