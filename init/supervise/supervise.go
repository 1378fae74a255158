package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"wirepatch/board/state"
)

// How long pauses are between two starts, and how long a program has to end by
// itself when it is told to.
const (
	FirstPause = 250 * time.Millisecond
	LastPause  = 30 * time.Second
	Settled    = time.Minute // having run so long, a program begins with the first pause again
	StopTime   = 5 * time.Second
)

// Clock is time as the supervisor sees it.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now() }

// After implements Clock.
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Program is what to run.
type Program struct {
	Name string
	Argv []string // its path first
	Env  []string
}

// Supervisor keeps programs running. Its fields are set before the first Run.
type Supervisor struct {
	Reaper  *Reaper
	Clock   Clock
	Logf    func(format string, a ...any)
	Line    func(from, text string) // gets what the programs print
	Changed func()                  // called when the state of a program has changed; may be nil

	mu    sync.Mutex
	state []*state.Process
}

// Pause is how long to wait before the next start of a program that has run
// for ran, when the pause before was last.
func Pause(last, ran time.Duration) time.Duration {
	if last == 0 || ran >= Settled {
		return FirstPause
	}
	return min(2*last, LastPause)
}

// Renew ends a program that runs, which is then started again.
func (s *Supervisor) Renew(name string) {
	for _, p := range s.Processes() {
		if p.Name == name && p.PID > 0 {
			syscall.Kill(p.PID, syscall.SIGTERM)
		}
	}
}

// Processes returns the state of all programs.
func (s *Supervisor) Processes() []state.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []state.Process
	for _, p := range s.state {
		out = append(out, *p)
	}
	return out
}

// Run keeps p running until ctx ends, then stops it.
func (s *Supervisor) Run(ctx context.Context, p Program) {
	st := &state.Process{Name: p.Name, State: "waiting"}
	s.mu.Lock()
	s.state = append(s.state, st)
	slices.SortFunc(s.state, func(a, b *state.Process) int { return strings.Compare(a.Name, b.Name) })
	s.mu.Unlock()
	var pause time.Duration
	for ctx.Err() == nil {
		began := s.Clock.Now()
		exit := s.once(ctx, p, st)
		now := s.Clock.Now()
		if ctx.Err() != nil {
			break
		}
		pause = Pause(pause, now.Sub(began))
		s.set(func() {
			st.PID, st.State, st.LastExit, st.ExitedAt = 0, "waiting", exit, now
			st.Restarts++
		})
		s.Logf("%s ended (%s) after %v; starting it again in %v", p.Name, exit, now.Sub(began).Round(time.Millisecond), pause)
		select {
		case <-s.Clock.After(pause):
		case <-ctx.Done():
		}
	}
	s.set(func() { st.PID, st.State = 0, "stopped" })
}

// once runs p once and returns how it ended.
func (s *Supervisor) once(ctx context.Context, p Program, st *state.Process) string {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Sprintf("not started: %v", err)
	}
	defer r.Close()
	c := exec.Command(p.Argv[0], p.Argv[1:]...)
	c.Env, c.Dir, c.Stdout, c.Stderr = p.Env, "/", w, w
	// A group of its own, so that what it may have started ends with it.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pid, ended, err := s.Reaper.Start(c)
	w.Close()
	if err != nil {
		return fmt.Sprintf("not started: %v", err)
	}
	s.set(func() { st.PID, st.State, st.Started = pid, "running", s.Clock.Now() })
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		forward(r, s.Clock, func(text string) { s.Line(p.Name, text) })
	}()
	exit := s.wait(ctx, pid, ended)
	syscall.Kill(-pid, syscall.SIGKILL)
	// With its group gone the pipe ends; an escaped grandchild must not hold us.
	select {
	case <-lines:
	case <-time.After(time.Second):
	}
	return describe(exit)
}

// wait waits for the end of the process and hastens it when ctx ends.
func (s *Supervisor) wait(ctx context.Context, pid int, ended <-chan syscall.WaitStatus) syscall.WaitStatus {
	select {
	case e := <-ended:
		return e
	case <-ctx.Done():
	}
	syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case e := <-ended:
		return e
	case <-s.Clock.After(StopTime):
	}
	syscall.Kill(-pid, syscall.SIGKILL)
	return <-ended
}

func (s *Supervisor) set(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	if s.Changed != nil {
		s.Changed()
	}
}

// describe says how a process ended, in the words of os.ProcessState.
func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal: " + s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}
