package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"wirepatch/dataplane/control"
)

// TestRehearsal has the engine stand still under traffic, and compares the
// report with what the ends saw.
func TestRehearsal(t *testing.T) { eachWay(t, testRehearsal) }

func testRehearsal(t *testing.T, attach string) {
	b := newBoxBy(t, attach)
	startNginx(t, b.Server)
	edited, plain := dial(t, b.Client, "10.77.0.2:80"), dial(t, b.Client, "10.77.0.2:80")
	edited.get(t, "/echo", "X-Removed: yes\r\n", nil)
	plain.get(t, "/echo", "", nil)
	for _, s := range b.status(t).Services {
		if s.InForce != s.Fail {
			t.Errorf("service %s: the kernel's policy is %q; want %q", s.Name, s.InForce, s.Fail)
		}
	}

	type result struct {
		control.Rehearsal
		error
	}
	answer := make(chan result, 1)
	go func() {
		r, err := b.control.Rehearse(t.Context(), 5*time.Second) // as long as can be: the requests meanwhile have to be over by then
		answer <- result{r, err}
	}()
	b.event(t, "wire", "rehearsal: inspection stops")
	if got := curl(t, b.Client, "http://10.77.0.2/refused"); got != "the server has seen it\n" {
		t.Errorf("fail-open request during a rehearsal = %q; want it to reach the server", got)
	}
	refused := make(chan error, 1)
	go b.Client.Do(func() error { // the engine has been given up by now; one SYN, long before it goes on
		c, err := net.DialTimeout("tcp", "10.77.0.2:81", 900*time.Millisecond)
		if err == nil {
			c.Close()
		}
		refused <- err
		return nil
	})
	if err := <-refused; err == nil {
		t.Error("fail-closed session was opened during a rehearsal")
	}
	b.event(t, "wire", "rehearsal: inspection goes on")
	for _, c := range []*conn{edited, plain} {
		if got := c.get(t, "/echo", "X-Removed: yes\r\nX-Kept: seen\r\n", nil); !strings.Contains(got, "removed=[] kept=[seen]") {
			t.Errorf("request after the rehearsal = %q; want it corrected", got)
		}
	}
	r := <-answer
	if r.error != nil {
		t.Fatal(r.error)
	}
	if r.StoppedMS < 5000 || r.Bypassed == 0 || r.Dropped == 0 || r.Waiting == 0 {
		t.Errorf("rehearsal = %+v; want packets that waited, passed and were dropped", r.Rehearsal)
	}
	for _, s := range r.Services {
		passed, dropped := s.Name == "four", s.Name == "closed"
		if s.Passed > 0 != passed || s.Dropped > 0 != dropped {
			t.Errorf("service %s = %+v; want packets passed %t, dropped %t", s.Name, s, passed, dropped)
		}
	}
	if s := r.Sessions; !s.StartOver || s.Adopted != 1 || s.Doomed != 0 || s.Open < 2 {
		t.Errorf("sessions = %+v; want two open, one of them edited, none doomed", s)
	}
}

// TestRehearsalUnderLoad: busy sessions go on while the engine stands still, also
// those that were edited, and afterwards; none is lost.
func TestRehearsalUnderLoad(t *testing.T) { eachWay(t, testRehearsalUnderLoad) }

func testRehearsalUnderLoad(t *testing.T, attach string) {
	const sessions, edited, requests = 32, 3, 20
	b := newBoxBy(t, attach)
	startNginx(t, b.Server)
	k := talk(t, b, sessions, edited)
	k.goOn(t, sessions*requests)
	r, err := b.control.Rehearse(t.Context(), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	k.goOn(t, sessions*requests)
	if r.Bypassed == 0 || !r.Sessions.StartOver || r.Sessions.Doomed != 0 || r.Sessions.Open < sessions {
		t.Errorf("rehearsal = %+v; want all sessions open, none doomed", r)
	}
	for _, s := range r.Services {
		if busy := s.Name != "closed"; s.Passed > 0 != busy || s.Dropped != 0 {
			t.Errorf("service %s = %+v; want packets passed: %t, none dropped", s.Name, s, busy)
		}
	}
	if got := once(t, b, "/refused", ""); !strings.Contains(got, "refused by the patch") {
		t.Errorf("a request after the rehearsal = %q; want it refused", got)
	}
	k.end()
	if s := b.status(t).Sessions; s.Lost+s.Doomed+s.Reset+s.Passed != 0 {
		t.Errorf("sessions = %+v; want none lost", s)
	}
}

// TestRehearsalCommand is what a technician sees.
func TestRehearsalCommand(t *testing.T) {
	b := newBox(t)
	var socket string
	for i, a := range b.args {
		if a == "-socket" {
			socket = b.args[i+1]
		}
	}
	out, err := exec.Command(program, "-rehearse", "-socket", socket).Output()
	if got := string(out); err != nil || !strings.Contains(got, "closed   closed  0") || !strings.Contains(got, "Sessions open before: 0") {
		t.Errorf("dataplane -rehearse = %v:\n%s", err, got)
	}
	if _, err := b.control.Rehearse(t.Context(), 10*time.Second); err == nil || !strings.Contains(err.Error(), "want 600 to 5000") {
		t.Errorf("Rehearse of 10 s = %v; want it refused", err)
	}
}
