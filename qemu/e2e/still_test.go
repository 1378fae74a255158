package e2e

import (
	"bytes"
	"context"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"wirepatch/qemu/lab"
)

// stoppedFor is how long the engine stood still, in the event that tells that
// frames went past it.
var stoppedFor = regexp.MustCompile(`inspection had stopped for ([0-9.]+[a-zµ]+)`)

// TestStandsStill takes all processors from the machine again and again, as a host
// with too much to do takes them from its guests. What waits at its ports is not to
// go past the engine before that has had its turn, unless it had none for two
// seconds, as on a host that is busy besides.
func TestStandsStill(t *testing.T) {
	m := manage(t)
	since := m.last()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	asked, done := make(chan int), make(chan error, 1)
	var past atomic.Int64
	go func() { done <- triggers(ctx, asked, &past) }()
	for range 8 {
		for range 3 {
			select {
			case <-asked:
			case err := <-done:
				t.Fatal(err)
			}
		}
		if err := appliance.VM.StandStill(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	long := false
	for _, r := range m.events(since) {
		if found := stoppedFor.FindStringSubmatch(r.Text); found != nil {
			if d, err := time.ParseDuration(found[1]); err != nil || d < 2*time.Second {
				t.Errorf("event %q; want none", r.Text)
			}
			long = true
		}
	}
	if n := past.Load(); n != 0 && !long {
		t.Errorf("%d triggers reached the server; want none", n)
	}
}

// triggers sends one after the other, each in a session of its own, until ctx
// ends, and counts those that go past. The portal names the evil place in its
// answer then.
func triggers(ctx context.Context, asked chan<- int, past *atomic.Int64) error {
	const trigger = "GET /docs HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: https://evil.example\r\n\r\n"
	for ctx.Err() == nil {
		c, err := appliance.Lab.Client.Dial(ctx, lab.Service4)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := newReader(c).ask([][]byte{[]byte(trigger)})
		c.Close()
		if err != nil {
			return err
		}
		if bytes.Contains(answer, []byte("evil.example")) {
			past.Add(1)
		}
		select {
		case asked <- 1:
		case <-ctx.Done():
		}
	}
	return nil
}
