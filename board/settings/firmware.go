package settings

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"gopkg.in/ini.v1"
)

// Firmware is how the box keeps its firmware and definitions up to date.
type Firmware struct {
	// ConfirmAfter is how long a new firmware must be in health before it stays.
	ConfirmAfter time.Duration
	// GiveUpAfter is how much longer it may take to get there before the box
	// goes back to the firmware before.
	GiveUpAfter time.Duration
	Repository  string        // address of the update repository; "" for none
	Proxy       string        // address of a proxy on the way there; "" for none
	Every       time.Duration // how often the repository is looked at
	// Install says when a newer firmware is put in: "ask", "window", "now".
	// Newer definitions go live at once, for that leaves the wire alone.
	Install string
	Window  Window
}

// Window is the time of day, in UTC, at which the wire may be interrupted.
type Window struct{ From, To time.Duration } // since midnight

// String is the window as appliance.ini has it.
func (w Window) String() string {
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return clock(w.From) + "-" + clock(w.To)
}

// Short is a time as appliance.ini has it: 6h, not 6h0m0s.
func Short(d time.Duration) string {
	text := d.String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// DefaultFirmware is in force where the file says nothing.
var DefaultFirmware = Firmware{ConfirmAfter: 2 * time.Minute, GiveUpAfter: 5 * time.Minute, Every: 6 * time.Hour, Install: "ask", Window: Window{2 * time.Hour, 4 * time.Hour}}

// Open says whether the window is open at t. One that ends before it begins
// goes over midnight.
func (w Window) Open(t time.Time) bool {
	t = t.UTC()
	since := t.Sub(t.Truncate(24 * time.Hour))
	if w.From <= w.To {
		return w.From <= since && since < w.To
	}
	return since >= w.From || since < w.To
}

// Until is how long it takes from t until the window is open; 0 if it is.
func (w Window) Until(t time.Time) time.Duration {
	if w.Open(t) {
		return 0
	}
	t = t.UTC()
	wait := w.From - t.Sub(t.Truncate(24*time.Hour))
	if wait < 0 {
		wait += 24 * time.Hour
	}
	return wait
}

func (p *parser) firmware(sec *ini.Section) {
	p.known(sec, "confirm_after", "give_up_after", "repository", "proxy", "every", "install", "window")
	f := &p.s.Firmware
	f.ConfirmAfter = p.duration(sec, "confirm_after", f.ConfirmAfter, time.Second, 24*time.Hour)
	f.GiveUpAfter = p.duration(sec, "give_up_after", f.GiveUpAfter, time.Second, 24*time.Hour)
	f.Every = p.duration(sec, "every", f.Every, time.Minute, 30*24*time.Hour)
	f.Repository, f.Proxy = p.address(sec, "repository"), p.address(sec, "proxy")
	f.Install = p.oneOf(sec, "install", f.Install, "ask", "window", "now")
	if v := sec.Key("window").String(); v != "" {
		var fh, fm, th, tm int
		if n, err := fmt.Sscanf(v, "%2d:%2d-%2d:%2d", &fh, &fm, &th, &tm); n != 4 || err != nil || fh > 23 || th > 24 || fm > 59 || tm > 59 || min(fh, fm, th, tm) < 0 {
			p.fault(sec, "window", "got %q, want two times of day in UTC, as 02:00-04:00", v)
			return
		}
		clock := func(h, m int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute }
		f.Window = Window{clock(fh, fm), clock(th, tm)}
	}
}

func (p *parser) duration(sec *ini.Section, key string, def, least, most time.Duration) time.Duration {
	v := sec.Key(key).String()
	if v == "" {
		return def
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < least || d > most {
		p.fault(sec, key, "got %q, want a time from %v to %v, as 90s, 5m or 6h", v, least, most)
		return def
	}
	return d
}

func (p *parser) address(sec *ini.Section, key string) string {
	v := sec.Key(key).String()
	if v == "" {
		return ""
	}
	if u, err := url.Parse(v); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		p.fault(sec, key, "got %q, want an address that begins with https:// or http://", v)
	}
	return v
}
