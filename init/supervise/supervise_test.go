package supervise

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirepatch/board/state"
)

// manual is a clock whose waits end when the test says so.
type manual struct {
	now   chan time.Time
	waits chan wait
}

type wait struct {
	d    time.Duration
	done chan time.Time
}

func (m *manual) Now() time.Time {
	t := <-m.now
	m.now <- t
	return t
}

func (m *manual) After(d time.Duration) <-chan time.Time {
	w := wait{d, make(chan time.Time, 1)}
	m.waits <- w
	return w.done
}

// advance sets the clock forward.
func (m *manual) advance(d time.Duration) { m.now <- (<-m.now).Add(d) }

// fixture is a supervisor on real processes and a manual clock.
type fixture struct {
	*Supervisor
	clock *manual
	lines chan string
	logs  chan string
	wake  chan struct{}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{clock: &manual{now: make(chan time.Time, 1), waits: make(chan wait, 1)}, lines: make(chan string, 1000), logs: make(chan string, 100), wake: make(chan struct{}, 1000)}
	f.clock.now <- time.Unix(1_000_000, 0)
	f.Supervisor = &Supervisor{Reaper: new(Reaper), Clock: f.clock,
		Logf:    func(format string, a ...any) { f.logs <- fmt.Sprintf(format, a...) },
		Line:    func(from, text string) { f.lines <- from + ": " + text },
		Changed: func() { f.wake <- struct{}{} },
	}
	children := make(chan os.Signal, 16)
	signal.Notify(children, syscall.SIGCHLD)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-children:
				f.Reaper.Reap()
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		signal.Stop(children)
		close(done)
	})
	return f
}

// start runs a shell script under supervision; the function stops it.
func (f *fixture) start(t *testing.T, script string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.Run(ctx, Program{Name: "p", Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}})
	}()
	return func() {
		cancel()
		<-ended
	}
}

// until waits for the program to be in that state.
func (f *fixture) until(t *testing.T, ok func(state.Process) bool) state.Process {
	t.Helper()
	timeout := time.After(3 * time.Minute)
	for {
		if all := f.Processes(); len(all) == 1 && ok(all[0]) {
			return all[0]
		}
		select {
		case <-f.wake:
		case <-timeout:
			t.Fatalf("the program is %+v; want another state", f.Processes())
		}
	}
}

func TestRestartWithGrowingPauses(t *testing.T) {
	f := newFixture(t)
	stop := f.start(t, "echo began; exit 3")
	defer stop()
	for i, want := range []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second} {
		w := <-f.clock.waits
		if w.d != want {
			t.Errorf("pause %d = %v; want %v", i+1, w.d, want)
		}
		p := f.until(t, func(p state.Process) bool { return p.State == "waiting" && p.Restarts == i+1 })
		if p.LastExit != "exit status 3" || p.PID != 0 || p.ExitedAt.IsZero() {
			t.Errorf("after the end it is %+v; want exit status 3 and no PID", p)
		}
		if got := <-f.lines; got != "p: began" {
			t.Errorf("line = %q; want what the program printed", got)
		}
		if got := <-f.logs; !strings.Contains(got, "p ended (exit status 3)") {
			t.Errorf("log = %q; want how it ended", got)
		}
		w.done <- time.Time{}
	}
}

func TestPause(t *testing.T) {
	for _, tt := range []struct{ last, ran, want time.Duration }{
		{0, 0, FirstPause},
		{FirstPause, 0, 2 * FirstPause},
		{20 * time.Second, time.Second, LastPause},
		{LastPause, Settled - 1, LastPause},
		{LastPause, Settled, FirstPause},
	} {
		if got := Pause(tt.last, tt.ran); got != tt.want {
			t.Errorf("Pause(%v, %v) = %v; want %v", tt.last, tt.ran, got, tt.want)
		}
	}
}

func TestPauseIsShortAgainAfterALongRun(t *testing.T) {
	f := newFixture(t)
	stop := f.start(t, "exec sleep 1000")
	defer stop()
	kill := func(ran time.Duration) time.Duration {
		p := f.until(t, func(p state.Process) bool { return p.State == "running" })
		f.clock.advance(ran)
		syscall.Kill(p.PID, syscall.SIGKILL)
		w := <-f.clock.waits
		w.done <- time.Time{}
		f.until(t, func(q state.Process) bool { return q.State == "running" && q.PID != p.PID })
		return w.d
	}
	kill(0)
	if got := kill(0); got != 2*FirstPause {
		t.Errorf("pause after two short runs = %v; want %v", got, 2*FirstPause)
	}
	if got := kill(2 * Settled); got != FirstPause {
		t.Errorf("pause after a long run = %v; want %v", got, FirstPause)
	}
	if p := f.Processes()[0]; p.LastExit != "signal: killed" || p.Restarts != 3 {
		t.Errorf("after three kills it is %+v; want signal: killed and 3 restarts", p)
	}
}

func TestStop(t *testing.T) {
	f := newFixture(t)
	stop := f.start(t, "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done")
	if got := <-f.lines; got != "p: ready" {
		t.Fatalf("line = %q; want ready", got)
	}
	go func() { <-f.clock.waits }() // the time it is given to end; it never runs out here
	stop()
	if got := <-f.lines; got != "p: bye" {
		t.Errorf("line = %q; want bye: it must be told before it is killed", got)
	}
	if p := f.Processes()[0]; p.State != "stopped" || p.PID != 0 {
		t.Errorf("after stopping it is %+v; want stopped", p)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	if err := becomeSubreaper(); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	stop := f.start(t, "trap '' TERM; echo $$; while :; do sleep 1000; done")
	pid, err := strconv.Atoi(strings.TrimPrefix(<-f.lines, "p: "))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w := <-f.clock.waits
		if w.d != StopTime {
			t.Errorf("it is given %v to end; want %v", w.d, StopTime)
		}
		w.done <- time.Time{}
	}()
	stop()
	f.untilGone(t, -pid)
}

func TestProgramThatCannotStart(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.Run(ctx, Program{Name: "p", Argv: []string{"/nothing/here"}})
	}()
	<-f.clock.waits
	p := f.until(t, func(p state.Process) bool { return p.Restarts == 1 })
	if !strings.Contains(p.LastExit, "not started") {
		t.Errorf("LastExit = %q; want why it did not start", p.LastExit)
	}
	cancel()
	<-ended
}

func TestOrphansAreReaped(t *testing.T) {
	if err := becomeSubreaper(); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	stop := f.start(t, "(exec sh -c 'echo $$; exec sleep 1000') & exec sleep 1000")
	defer stop()
	orphan, err := strconv.Atoi(strings.TrimPrefix(<-f.lines, "p: "))
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(f.Processes()[0].PID, syscall.SIGKILL)
	// Its group is killed with it, and the pause begins; the orphan must go too.
	<-f.clock.waits
	f.untilGone(t, orphan)
}

// untilGone waits until a process, or a group as its negative number, has ended
// and was reaped.
func (f *fixture) untilGone(t *testing.T, pid int) {
	t.Helper()
	timeout := time.After(3 * time.Minute)
	for syscall.Kill(pid, 0) != syscall.ESRCH {
		f.Reaper.Reap()
		select {
		case <-timeout:
			t.Fatalf("process %d is still there; want it ended and reaped", pid)
		default:
		}
	}
}
