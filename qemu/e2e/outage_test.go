package e2e

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"wirepatch/board/state"
	"wirepatch/mgmt/web"
	"wirepatch/qemu/bed"
	"wirepatch/qemu/demo"
	"wirepatch/qemu/lab"
)

// TestDataplaneKilled kills the inspecting process on the appliance: it is
// started again, management tells of it, and what is not protected crosses the
// box all the time, in sessions that last and in new ones. A session to the
// protected service lives on too.
func TestDataplaneKilled(t *testing.T) {
	m := manage(t)
	before, since := m.status(), m.last()
	old := dataplane(t, before)

	ctx, cancel := context.WithTimeout(t.Context(), terminalTime)
	defer cancel()
	traffic, stop := context.WithCancel(ctx)
	defer stop()
	reports := make(chan error, 2)
	lasting, fresh := make(chan int), make(chan int)
	go func() { reports <- lastingSession(traffic, lasting) }()
	go func() { reports <- freshSessions(traffic, fresh) }()
	<-lasting // both flow
	<-fresh

	protected, err := appliance.Lab.Client.Dial(ctx, lab.Service4)
	if err != nil {
		t.Fatal(err)
	}
	defer protected.Close()
	asking := newReader(protected)
	if _, err := asking.ask([][]byte{[]byte(tinyRequest)}); err != nil {
		t.Fatal(err)
	}

	onConsole(t, appliance, fmt.Sprintf("kill -9 %d", old.PID))
	// Both must flow on while it is away, and until it is back.
	rounds := 0
	for restarted := false; !restarted || rounds < 20; rounds++ {
		for _, flow := range []chan int{lasting, fresh} {
			select {
			case <-flow:
			case err := <-reports:
				t.Fatalf("unprotected traffic stopped in round %d after the kill: %v", rounds, err)
			case <-ctx.Done():
				t.Fatalf("unprotected traffic stands still in round %d after the kill; restarted: %v", rounds, restarted)
			}
		}
		s := m.status()
		now := dataplane(t, s)
		restarted = now.PID != old.PID && now.State == "running" && s.Dataplane.Answers &&
			s.Dataplane.Status.Instance != before.Dataplane.Status.Instance
	}
	stop()
	if _, err := asking.ask([][]byte{[]byte(tinyRequest)}); err != nil {
		t.Errorf("a session to the protected service after the restart: %v", err)
	}
	t.Logf("%d rounds of unprotected traffic until the dataplane was back", rounds)

	after := dataplane(t, m.status())
	if after.Restarts != old.Restarts+1 || after.LastExit != "signal: killed" {
		t.Errorf("dataplane after the kill: %d restarts, last exit %q; want %d, %q", after.Restarts, after.LastExit, old.Restarts+1, "signal: killed")
	}
	told := regexp.MustCompile(`(?i)dataplane.*(killed|ended|restart)`)
	m.untilTold(since, "one that tells of the kill", told.MatchString)
	w := demo.Ways{Straight: appliance.Vulnerable.Address, Patched: appliance.Patched.Address, Lab: appliance.Lab, Service: lab.Service4}
	if err := demo.Run(t.Context(), w, nil); err != nil {
		t.Errorf("the demonstration after the restart: %v", err)
	}
}

func dataplane(t *testing.T, s web.Status) state.Process {
	t.Helper()
	if s.Box == nil {
		t.Fatalf("management knows nothing of the box: %s", s.BoxError)
	}
	for _, p := range s.Box.Processes {
		if p.Name == "dataplane" {
			return p
		}
	}
	t.Fatalf("processes on the appliance are %+v; want a dataplane among them", s.Box.Processes)
	return state.Process{}
}

// onConsole runs a command in the shell that the test image's console offers.
func onConsole(t *testing.T, b *bed.Bed, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), terminalTime)
	defer cancel()
	serial := b.VM.Serial
	at := serial.Position()
	wait := func(pattern string) string {
		t.Helper()
		groups, next, err := serial.WaitFrom(ctx, at, regexp.MustCompile(pattern))
		if err != nil {
			t.Fatalf("%v\n%s", err, serial.Tail(20))
		}
		at = next
		return groups[0]
	}
	send := func(line string) {
		t.Helper()
		if err := serial.Type(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	signIn := func() {
		t.Helper()
		send("admin")
		wait(`Password`)
		send(adminPassword)
		wait(`5 shell`)
	}
	send("")
	if said := wait(`5 shell|Name \(`); said != "5 shell" {
		signIn()
	}
	send("5")
	// A menu that was there before the password asks for it now.
	if said := wait(`# |Name \(`); said != "# " {
		signIn()
		send("5")
		wait(`# `)
	}
	send(command + "; echo status=$?")
	wait(`status=0`)
	send("exit")
}

const tinyRequest = "GET /docs/ HTTP/1.1\r\nHost: a\r\n\r\n"

// lastingSession asks again and again in one session to an unprotected port
// and reports each answer, until ctx ends.
func lastingSession(ctx context.Context, answered chan<- int) error {
	c, err := appliance.Lab.Client.Dial(ctx, lab.Free4)
	if err != nil {
		return err
	}
	defer c.Close()
	r := newReader(c)
	for {
		if _, err := r.ask([][]byte{[]byte(tinyRequest)}); err != nil {
			return fmt.Errorf("in a lasting session: %w", err)
		}
		select {
		case answered <- 1:
		case <-ctx.Done():
			return nil
		}
	}
}

// freshSessions does the same with a new session each time.
func freshSessions(ctx context.Context, answered chan<- int) error {
	for {
		c, err := appliance.Lab.Client.Dial(ctx, lab.Free4)
		if err != nil {
			return fmt.Errorf("in a new session: %w", err)
		}
		_, err = newReader(c).ask([][]byte{[]byte(tinyRequest)})
		c.Close()
		if err != nil {
			return fmt.Errorf("in a new session: %w", err)
		}
		select {
		case answered <- 1:
		case <-ctx.Done():
			return nil
		}
	}
}
