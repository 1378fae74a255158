package web

import (
	"net"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/auth"
)

func TestOutputsAndMetrics(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	receiver, err := net.ListenPacket("udp", "127.0.0.1:0")
	l.must(err)
	defer receiver.Close()
	if w := l.post("admin", "/outputs/add", "name", "siem", "kind", "udp", "target", receiver.LocalAddr().String(), "format", "cef"); w.Code != 303 {
		t.Fatalf("add an output: %d %s", w.Code, w.Body)
	}
	if w := l.post("admin", "/outputs/add", "name", "hook", "kind", "webhook", "target", "https://127.0.0.1:1/x", "secret", "hush hush"); w.Code != 303 {
		t.Fatalf("add a webhook: %d %s", w.Code, w.Body)
	}
	l.corrections(2)
	receiver.SetReadDeadline(time.Now().Add(time.Minute))
	buf, got := make([]byte, 4096), ""
	for !strings.Contains(got, "Inline patch WP-1") || !strings.Contains(got, "output.add") {
		n, _, err := receiver.ReadFrom(buf)
		l.must(err)
		got += string(buf[:n]) + "\n"
	}
	page := l.page("admin", "/outputs")
	if !strings.Contains(page, "takes them") || strings.Contains(page, "hush") {
		t.Error("the page does not show how the outputs are doing, or tells a secret")
	}
	token, err := l.site.Users.NewToken("prometheus", auth.Auditor, "admin", time.Hour)
	l.must(err)
	w := l.do("GET", "/metrics", "", header("Authorization", "Bearer "+token))
	for _, want := range []string{`wirepatch_engine_up 1`, `wirepatch_port_up{port="wan0"} 1`, `wirepatch_sessions{service="portal"} 3`,
		`wirepatch_corrections_total{action="remove",definition="WP-1",mode="correct",service="portal"} 1`, `wirepatch_definitions{mode="set_aside"} 1`,
		`wirepatch_export_queue_events{output="siem"}`, `wirepatch_exposures{state="exposed"} 0`, `wirepatch_audit_records_total`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/metrics lacks %s:\n%d %s", want, w.Code, w.Body)
		}
	}
}
