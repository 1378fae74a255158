package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFirmware(t *testing.T) {
	s, err := Parse([]byte("[firmware]\nconfirm_after = 5m\ngive_up_after = 10m\nrepository = https://updates.example/wirepatch\nproxy = http://10.0.0.1:3128\nevery = 1h\ninstall = window\nwindow = 23:30-01:00\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Firmware{5 * time.Minute, 10 * time.Minute, "https://updates.example/wirepatch", "http://10.0.0.1:3128", time.Hour, "window", Window{23*time.Hour + 30*time.Minute, time.Hour}}
	if d := cmp.Diff(want, s.Firmware); d != "" {
		t.Errorf("Parse (-want +got):\n%s", d)
	}
	if s, err := Parse(nil); err != nil || s.Firmware != DefaultFirmware {
		t.Errorf("Parse of nothing = %+v, %v; want %+v", s.Firmware, err, DefaultFirmware)
	}
	_, err = Parse([]byte("[firmware]\nconfirm_after = soon\nrepository = ftp://x\nevery = 1s\ninstall = later\nwindow = 25:00-26:00\n"))
	for _, want := range []string{`confirm_after: got "soon"`, `repository: got "ftp://x"`, `every: got "1s"`, `install: got "later"`, `window: got "25:00-26:00"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse = %v; want %q in it", err, want)
		}
	}
}

func TestTime(t *testing.T) {
	s, err := Parse([]byte("[time]\nservers = ntp.example, 10.0.0.1:123, 2001:db8::1\n"))
	if err != nil || len(s.Time.Servers) != 3 {
		t.Errorf("Parse = %q, %v; want three servers", s.Time.Servers, err)
	}
	if _, err := Parse([]byte("[time]\nservers = ../x\n")); err == nil || !strings.Contains(err.Error(), `servers: got "../x"`) {
		t.Errorf("Parse of what is no server = %v; want an error that names it", err)
	}
}

func TestWindow(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		w    Window
		at   time.Duration
		want bool
	}{
		{Window{2 * time.Hour, 4 * time.Hour}, 3 * time.Hour, true},
		{Window{2 * time.Hour, 4 * time.Hour}, 4 * time.Hour, false},
		{Window{23 * time.Hour, time.Hour}, 23*time.Hour + time.Minute, true},
		{Window{23 * time.Hour, time.Hour}, 30 * time.Minute, true},
		{Window{23 * time.Hour, time.Hour}, 12 * time.Hour, false},
	} {
		if got := tt.w.Open(day.Add(tt.at)); got != tt.want {
			t.Errorf("%+v.Open(midnight + %v) = %v; want %v", tt.w, tt.at, got, tt.want)
		}
		until := tt.w.Until(day.Add(tt.at))
		if (until == 0) != tt.want || !tt.w.Open(day.Add(tt.at+until)) {
			t.Errorf("%+v.Until(midnight + %v) = %v; want the time until it is open", tt.w, tt.at, until)
		}
	}
}
