package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

// lab is a Poller with real neighbours: the dataplane's control server on a
// unix socket and a supervisor file.
type lab struct {
	*testing.T
	dir    string
	poller *Poller
	log    *control.Log
	server *control.Server

	mu     sync.Mutex
	clock  time.Time
	status control.Status
	fail   error
}

func newLab(t *testing.T) *lab {
	l := &lab{T: t, dir: t.TempDir(), clock: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)}
	l.poller = New(l.path("dataplane.sock"), l.path("box.json"), l.now)
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) now() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return l.clock }

func (l *lab) Status(context.Context) (control.Status, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status, l.fail
}

func (l *lab) Reload(context.Context) error { return nil }

func (l *lab) set(f func()) { l.mu.Lock(); defer l.mu.Unlock(); f() }

// start starts a dataplane process, the first or the next.
func (l *lab) start(instance string) {
	l.Helper()
	l.set(func() { l.status.Instance = instance })
	l.log = control.NewLog()
	l.server = control.NewServer(l, l.log)
	ln, err := control.Listen(l.path("dataplane.sock"), -1)
	if err != nil {
		l.Fatal(err)
	}
	srv := l.server
	go srv.Serve(ln)
	l.Cleanup(func() { srv.Close() })
}

func (l *lab) stop() { l.server.Close() }

func (l *lab) poll() {
	l.set(func() { l.clock = l.clock.Add(Interval) })
	l.poller.Poll(l.Context())
}

func (l *lab) correct(text string) {
	l.log.Add(control.Event{Kind: "correction", Text: text, Evidence: &session.Evidence{Definition: "d", Before: []byte(text)}})
}

func (l *lab) box(b state.Box) {
	l.Helper()
	text, err := json.Marshal(b)
	if err == nil {
		err = os.WriteFile(l.path("box.json"), text, 0o644)
	}
	if err != nil {
		l.Fatal(err)
	}
}

func texts(list []Record) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.Text)
	}
	return out
}

func (l *lab) want(what string, got []Record, want ...string) {
	l.Helper()
	if d := cmp.Diff(want, texts(got)); d != "" {
		l.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// Events of all processes are kept, once each, whether their numbers begin
// anew below or above those of the process before.
func TestEventsSurviveRestarts(t *testing.T) {
	l := newLab(t)
	l.start("one")
	for i := range 5 {
		l.correct(fmt.Sprint("one ", i))
	}
	l.poll()
	l.correct("one 5")
	l.poll()
	l.poll()
	l.stop()
	l.start("two") // no poll saw it missing
	l.correct("two 0")
	l.poll()
	l.stop()
	l.poll()
	l.start("three")
	for i := range 9 {
		l.correct(fmt.Sprint("three ", i))
	}
	l.poll()
	l.want("corrections", l.poller.Corrections(8), "three 8", "three 7", "three 6", "three 5", "three 4", "three 3", "three 2", "three 1")
	l.want("corrections before", l.poller.Corrections(99)[9:], "two 0", "one 5", "one 4", "one 3", "one 2", "one 1", "one 0")
	l.want("events", l.poller.Events(9), "the dataplane answers again", "the dataplane does not answer any more: its socket is not there",
		"another dataplane process answers")
	seq := uint64(0)
	for _, r := range l.poller.Since(0, 1000) {
		if r.Seq != seq+1 {
			t.Errorf("record %d follows %d; want no gap", r.Seq, seq)
		}
		seq = r.Seq
	}
}

func TestLostEvents(t *testing.T) {
	l := newLab(t)
	l.start("one")
	l.correct("0")
	l.poll()
	for i := range 20_000 { // more than the dataplane keeps
		l.correct(fmt.Sprint(i + 1))
	}
	for range 60 {
		l.poll()
	}
	if got := l.poller.Corrections(1)[0].Text; got != "20000" {
		t.Errorf("last correction = %s; want 20000", got)
	}
	ev := l.poller.Events(99)
	if len(ev) != 1 || ev[0].Kind != "lost" {
		t.Errorf("events = %v; want one that tells of the loss", texts(ev))
	}
}

func TestAway(t *testing.T) {
	l := newLab(t)
	l.poll()
	d := l.poller.State().Dataplane
	if d.Answers || d.Status != nil || d.Error == "" || d.Since.IsZero() {
		t.Errorf("before the first start: %+v; want no answer, no status, a cause", d)
	}
	if ev := l.poller.Events(9); len(ev) != 0 {
		t.Errorf("events before the first start = %v; want none", texts(ev))
	}
	l.set(func() { l.status.Corrections = 7 })
	l.start("one")
	l.poll()
	since := l.poller.State().Dataplane.Since
	l.poll()
	if d := l.poller.State().Dataplane; !d.Answers || d.Status.Corrections != 7 || d.Since != since || d.Error != "" {
		t.Errorf("running: %+v; want the status, since %v", d, since)
	}
	l.stop()
	l.poll()
	l.poll()
	d = l.poller.State().Dataplane
	if d.Answers || d.Status == nil || d.Status.Corrections != 7 || d.Rates != nil || !d.Seen.Equal(since.Add(Interval)) {
		t.Errorf("away: %+v; want the last status and when it was seen", d)
	}
	l.start("one") // the same process again, as after a long stall
	l.set(func() { l.fail = errors.New("not now") })
	l.poll()
	if d := l.poller.State().Dataplane; d.Answers || !strings.Contains(d.Error, "not now") {
		t.Errorf("a dataplane that answers with an error: %+v; want that error", d)
	}
}

func TestRates(t *testing.T) {
	l := newLab(t)
	port := func(i int) *control.Port { return &l.status.Ports[i] }
	l.set(func() { l.status.Ports = []control.Port{{Name: "a", RxBytes: 1e9}, {Name: "b"}} })
	l.start("one")
	l.poll()
	if r := l.poller.State().Dataplane.Rates; r != nil {
		t.Errorf("rates after one poll = %v; want none", r)
	}
	l.set(func() { port(0).RxBytes += 1000; port(0).RxPackets += 10; port(1).RxBytes += 50; port(1).HandedUp += 3 })
	l.poll()
	want := []Rate{{RxBits: 8000, RxPackets: 10}, {RxBits: 400, HandedUp: 3}}
	d := l.poller.State().Dataplane
	if diff := cmp.Diff(want, d.Rates); diff != "" {
		t.Errorf("rates (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Sample{{At: d.Seen, Known: true, ToServers: 8000, ToClients: 400}}, d.History); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	l.set(func() { port(0).RxBytes = 5 }) // the program was loaded anew
	l.poll()
	if r := l.poller.State().Dataplane.Rates; r != nil {
		t.Errorf("rates of counters that fell = %v; want none", r)
	}
	for range 2 * HistoryLength {
		l.poll()
	}
	l.stop()
	l.poll()
	h := l.poller.State().Dataplane.History
	if len(h) != HistoryLength || h[len(h)-1].Known {
		t.Errorf("history: %d samples, the last known %v; want %d, false", len(h), h[len(h)-1].Known, HistoryLength)
	}
}

func TestBox(t *testing.T) {
	l := newLab(t)
	l.start("one")
	l.poll()
	if s := l.poller.State(); s.Box != nil || s.BoxError == "" {
		t.Errorf("without a file: %+v, %q; want no box, a cause", s.Box, s.BoxError)
	}
	proc := state.Process{Name: "dataplane", State: "running"}
	l.box(state.Box{Version: "1", Processes: []state.Process{proc}})
	l.poll()
	l.poll()
	if ev := l.poller.Events(9); len(ev) != 0 {
		t.Errorf("events = %v; want none", texts(ev))
	}
	proc.Restarts, proc.LastExit = 1, "signal: killed"
	l.box(state.Box{Version: "1", Processes: []state.Process{proc}})
	l.poll()
	l.poll()
	l.want("events", l.poller.Events(9), "dataplane ended (signal: killed); init starts it again, restart 1 since power-on")
	if err := os.WriteFile(l.path("box.json"), []byte("{torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.poll()
	if s := l.poller.State(); s.Box == nil || s.Box.Version != "1" || s.BoxError == "" {
		t.Errorf("with a torn file: %+v, %q; want the last box, a cause", s.Box, s.BoxError)
	}
}
