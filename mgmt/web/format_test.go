package web

import (
	"testing"
	"time"

	"wirepatch/board/settings"
)

func TestFormat(t *testing.T) {
	tests := []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1\u202f000"}, {count(1234567), "1\u202f234\u202f567"},
		{count(1<<64 - 1), "18\u202f446\u202f744\u202f073\u202f709\u202f551\u202f615"},
		{bitRate(0), "0 bit/s"}, {bitRate(999), "999 bit/s"}, {bitRate(999.7), "1.00 kbit/s"}, {bitRate(12_345), "12.3 kbit/s"},
		{bitRate(99_960), "100 kbit/s"}, {bitRate(9.4e9), "9.40 Gbit/s"}, {bitRate(5e15), "5000 Tbit/s"},
		{byteSize(1023), "1023 B"}, {byteSize(2048), "2.00 KiB"},
		{linkSpeed(0), "speed unknown"}, {linkSpeed(-1), "speed unknown"}, {linkSpeed(100), "100 Mbit/s"}, {linkSpeed(1000), "1 Gbit/s"},
		{linkSpeed(2500), "2.5 Gbit/s"}, {linkSpeed(10000), "10 Gbit/s"},
		{span(-time.Second), "0 s"}, {span(59 * time.Second), "59 s"}, {span(2 * time.Minute), "2 min"}, {span(3661 * time.Second), "1 h 1 min"},
		{span(49 * time.Hour), "2 d 1 h"},
		{at(time.Time{}).Text, ""}, {at(time.Unix(0, 0)).Text, "1970-01-01 00:00:00 UTC"},
	}
	for i, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%d: got %q; want %q", i, tt.got, tt.want)
		}
	}
}

func TestPortText(t *testing.T) {
	for _, tt := range []struct {
		over []settings.Transport
		want string
	}{{nil, "53"}, {[]settings.Transport{settings.TCP}, "53"}, {[]settings.Transport{settings.UDP}, "53 udp"}, {[]settings.Transport{settings.UDP, settings.TCP}, "53 udp, tcp"}} {
		if got := portText(53, tt.over); got != tt.want {
			t.Errorf("portText(53, %q) = %q; want %q", tt.over, got, tt.want)
		}
	}
}
