package port

import (
	"bytes"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

const patience = time.Minute

var protected = []Service{
	{Address: netip.MustParsePrefix("10.77.0.2/32"), Port: 80},
	{Address: netip.MustParsePrefix("fd77::2/128"), Port: 80},
	{Address: netip.MustParsePrefix("10.99.0.0/16"), Port: 443, FailClosed: true},
	{Transport: UDP, Address: netip.MustParsePrefix("10.77.0.53/32"), Port: 53},
	{Transport: UDP, Address: netip.MustParsePrefix("fd77::53/128"), Port: 53},
}

// open opens the box's ports and detaches them at the end of the test.
func open(t *testing.T, bed *netns.Bed, pins string, services []Service) *Port {
	t.Helper()
	var p *Port
	bed.Box.Must(t, func() (err error) {
		p, err = Open(Config{A: "b0", B: "b1", PinDir: pins, Services: services, Attach: bed.Attach})
		return err
	})
	if got := p.Attached(); !strings.HasPrefix(got, bed.Attach) {
		t.Fatalf("attached by %s (%s); want %s", got, p.Reason(), bed.Attach)
	}
	t.Cleanup(func() { bed.Box.Do(p.Close) })
	return p
}

// eachWay runs a test with the ports attached in each way.
func eachWay(t *testing.T, test func(t *testing.T, attach string)) {
	for _, attach := range []string{"tcx", "xdp"} {
		t.Run(attach, func(t *testing.T) { test(t, attach) })
	}
}

// wired makes a bed with its ports open.
func wired(t *testing.T, attach string, services []Service) (*netns.Bed, *Port, string) {
	bed := netns.NewBed(t)
	bed.AttachBy(t, attach)
	pins := filepath.Join(netns.MountBPF(t), "wirepatch")
	p := open(t, bed, pins, services)
	t.Cleanup(func() { removePins(pins, func(string) bool { return true }) })
	return bed, p, pins
}

// alive keeps the heartbeat going until the returned function is called.
func alive(p *Port) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	p.Heartbeat()
	go func() {
		defer close(done)
		tick := time.NewTicker(StaleAfter / 8)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				p.Heartbeat()
			}
		}
	}()
	return func() { close(quit); <-done }
}

// recv waits for exactly this frame on the TAP of side s.
func recv(t *testing.T, p *Port, s Side, frame []byte) bool {
	t.Helper()
	buf := make([]byte, BufferSize)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := p.Wait(time.Until(end)); err != nil {
			t.Fatal(err)
		}
		for {
			_, got, err := p.Recv(s, buf)
			if errors.Is(err, ErrAgain) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(got, frame) {
				return true
			}
		}
	}
	return false
}
