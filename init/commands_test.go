package main

import (
	"context"
	"testing"
	"time"

	"wirepatch/board/settings"
	"wirepatch/firmware/release"
)

// The power button shows presence where it is waited for, and else ends work.
func TestPresence(t *testing.T) {
	b := newBox()
	waited := make(chan struct{})
	b.presence.waiting = waited
	b.pressed()
	select {
	case <-waited:
	default:
		t.Error("the button did not tell who waited")
	}
	select {
	case r := <-b.stopping:
		t.Errorf("the box goes down: %v; want it to stay", r.why)
	default:
	}
	b.pressed()
	if r := <-b.stopping; r.why != "power button pressed" {
		t.Errorf("the box goes down: %q; want the button", r.why)
	}
}

func TestCommandsAreRefused(t *testing.T) {
	c := commands{newBox()}
	if err := c.SetClock(release.Released.Add(-time.Hour), "anna"); err == nil {
		t.Error("SetClock to before the firmware = nil; want an error")
	}
	if err := c.ChooseSlot("0.1.0", "anna"); err == nil {
		t.Error("ChooseSlot without boot loader = nil; want an error")
	}
}

// A change that was not taken yet gives way to the next one.
func TestReplace(t *testing.T) {
	c := make(chan int, 1)
	replace(c, 1)
	replace(c, 2)
	if got := <-c; got != 2 {
		t.Errorf("the channel has %d; want the last", got)
	}
}

func TestConcernsWire(t *testing.T) {
	parse := func(text string) *settings.Settings {
		t.Helper()
		s, err := settings.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const base = "[service web]\naddress = 10.0.0.1\nport = 80\n"
	for text, want := range map[string]bool{
		base: false, "[appliance]\nhostname = x\n[management]\nmode = static\naddress = 192.0.2.1/24\n[time]\nservers = a\n[firmware]\nevery = 1h\n" + base: false,
		base + "[patch WP-1]\nmode = off\n": true, "[wire]\nbypass = yes\n" + base: true, "[wire]\nfail = closed\n" + base: true, "": true,
	} {
		if got := concernsWire(parse(base), parse(text)); got != want {
			t.Errorf("concernsWire(…, %q) = %v; want %v", text, got, want)
		}
	}
}

// Time servers that change are asked at once, without a restart.
func TestKeepTimeFollowsSettings(t *testing.T) {
	b := newBox()
	b.settings, _, _ = chooseSettings("/nothing", "../images/appliance.ini")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { b.keepTime(ctx); close(ended) }()
	replace(b.timeFrom, []string{"127.0.0.1:1"})
	for end := time.Now().Add(time.Minute); len(b.journal.Entries()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody was asked for the time")
		}
	}
	cancel()
	<-ended
}
