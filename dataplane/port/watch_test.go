package port

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"wirepatch/dataplane/internal/netns"
)

// TestWatch has a server greet its clients: the watch sees the service, and what
// it says first, once in 30 seconds, and the clients notice nothing.
func TestWatch(t *testing.T) { eachWay(t, testWatch) }

func testWatch(t *testing.T, attach string) {
	bed, p, _ := wired(t, attach, protected)
	w, err := watchOf(bed, p)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan Sighting, 64)
	go func() {
		defer close(seen)
		for {
			s, err := w.Next()
			if err != nil {
				return
			}
			s.Data = append([]byte(nil), s.Data...)
			select {
			case seen <- s:
			default:
			}
		}
	}()
	for _, host := range []string{netns.Server4, netns.Server6} {
		at := netip.AddrPortFrom(netip.MustParseAddr(host), 2525)
		greet(t, bed, at, "220 mail.example ESMTP\r\n")
		for range 3 {
			if got := hear(t, bed, at); got != "220 mail.example ESMTP\r\n" {
				t.Fatalf("the client heard %q", got)
			}
		}
		for _, want := range []string{"", "220 mail.example ESMTP\r\n"} {
			select {
			case s := <-seen:
				if s.Server != at || s.Begins != (want == "") || string(s.Data) != want || s.Offset != 0 || s.UDP {
					t.Errorf("seen %+v %q; want %v saying %q", s, s.Data, at, want)
				}
			case <-time.After(patience):
				t.Fatalf("nothing was seen of %v, %q", at, want)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for s := range seen {
		t.Errorf("seen again within 30 seconds: %+v %q", s, s.Data)
	}
}

func watchOf(bed *netns.Bed, p *Port) (w *Watch, err error) {
	return w, bed.Box.Do(func() error {
		w, err = p.NewWatch()
		return err
	})
}

// greet serves: what it says, and the end.
func greet(t *testing.T, bed *netns.Bed, at netip.AddrPort, text string) {
	t.Helper()
	var l net.Listener
	bed.Server.Must(t, func() (err error) {
		l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		return err
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, text)
			c.Close()
		}
	}()
}

func hear(t *testing.T, bed *netns.Bed, at netip.AddrPort) string {
	t.Helper()
	var text []byte
	bed.Client.Must(t, func() error {
		c, err := net.DialTimeout("tcp", at.String(), patience)
		if err != nil {
			return err
		}
		defer c.Close()
		text, err = io.ReadAll(c)
		return err
	})
	return string(text)
}

// BenchmarkWatch is what one frame costs the program that looks, in kinds of
// frames of which there are many; BenchmarkJudge has what the other one costs.
func BenchmarkWatch(b *testing.B) {
	var objs watchObjects
	if err := loadWatchObjects(&objs, nil); err != nil {
		b.Fatal(err)
	}
	defer objs.Close()
	data := join(toServer, ip4(6, netns.Server4, netns.Client4, 0, nil, tcp(80, 5000), make([]byte, 1000)))
	for name, v := range map[string]struct {
		frame  []byte
		active bool
	}{"data": {data, false}, "data, while a session is followed": {data, true}, "not IP": {join(toServer, make([]byte, 64)), false}} {
		b.Run(name, func(b *testing.B) {
			pace := struct{ Active, Spent uint64 }{}
			if v.active {
				pace.Active = 1 << 63
			}
			if err := objs.WpPaces.Put(uint32(0), pace); err != nil {
				b.Fatal(err)
			}
			_, d, err := objs.Watch.Benchmark(v.frame, max(b.N, 1), b.ResetTimer)
			if err != nil && !errors.Is(err, ebpf.ErrNotSupported) {
				b.Fatal(err)
			}
			b.ReportMetric(float64(d.Nanoseconds()), "ns/frame")
		})
	}
}

func FuzzParseSighting(f *testing.F) {
	f.Add(make([]byte, 48))
	f.Add(fmt.Appendf(make([]byte, 44), "\x04\x00\x00\x00data"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseSighting(b); ok && len(s.Data) > len(b) {
			t.Error("data from nowhere")
		}
	})
}
