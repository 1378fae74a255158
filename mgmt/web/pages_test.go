package web

import (
	"net/netip"
	"time"

	"wirepatch/dataplane/control"
)

// pages are the addresses that people open. One that is missing fails the test.
var pages = []string{"/", "/servers", "/servers/10.77.0.2", "/vulnerabilities", "/vulnerabilities/CVE-2023-26125", "/patches", "/patches/WP-2022-1996", "/corrections", "/corrections?show=events", "/corrections/2", "/reports", "/reports/now?kind=compliance", "/reports/kept/1",
	"/changes", "/changes/1", "/updates", "/system", "/settings", "/outputs", "/audit", "/account", "/users", "/no/such/page"}

// fill puts something of every kind on the pages.
func (l *lab) fill() {
	l.Helper()
	l.addUsers()
	l.settle()
	l.must(l.inventory.PutFound([]control.Found{
		{Address: netip.MustParseAddr("10.77.0.2"), Port: 80, Protocol: "http", Names: []string{"portal.example"}, First: l.now(), Last: l.now(), Software: []control.FoundSoftware{{Name: "gin", Version: "1.8.2", Evidence: "Server: gin/1.8.2", Seen: l.now()}}},
		{Address: netip.MustParseAddr("10.77.0.7"), Port: 22, Protocol: "ssh", First: l.now(), Last: l.now(), Software: []control.FoundSoftware{{Name: "OpenSSH", Version: "9.2p1 Debian-2+deb12u3", Evidence: "greeting: SSH-2.0-OpenSSH_9.2p1", Seen: l.now()}}},
		{Address: netip.MustParseAddr("10.77.0.7"), Port: 53, UDP: true, Protocol: "dns", First: l.now(), Last: l.now()},
	}))
	for _, w := range []struct {
		path string
		kv   []string
	}{
		{"/servers/take", []string{"address", "10.77.0.2"}},
		{"/servers/add", []string{"address", "10.77.0.9", "name", "old portal", "group", "web", "product", "gin", "version", "1.8.2"}},
		{"/servers/add", []string{"address", "10.77.0.10", "name", "new portal", "group", "web", "product", "gin", "version", "1.9.1"}},
		{"/draft/mode", []string{"definition", "WP-2023-29401", "mode", "correct"}}, {"/changes/submit", []string{"reason", "shadow was clean for a week"}},
		{"/draft/mode", []string{"definition", "WP-2023-26125", "service", "portal", "mode", "shadow"}},
		{"/cycles/add", []string{"name", "patch Tuesday", "week", "2", "weekday", "2", "at", "22:00", "zone", "Europe/Berlin", "minutes", "90", "remind", "30"}},
		{"/freezes/add", []string{"name", "end of the year", "from", "2026-12-18T00:00", "to", "2027-01-04T06:00", "note", "agreed with sales"}},
		{"/feeds/add", []string{"name", "kev", "kind", "kev", "url", "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json", "hours", "24"}},
		{"/reports/keep", []string{"kind", "effect"}}, {"/reports/schedules/add", []string{"name", "monthly", "kind", "compliance", "every", "month"}},
		{"/outputs/add", []string{"name", "siem", "kind", "udp", "target", "127.0.0.1:9", "format", "text"}},
	} {
		if got := l.post("admin", w.path, w.kv...); got.Code != 303 {
			l.Fatalf("POST %s: %d %s", w.path, got.Code, got.Body)
		}
	}
	l.advance(40 * time.Hour)
	l.poller.Poll(l.Context())
}
