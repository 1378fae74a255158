package inventory

import (
	"testing"

	"wirepatch/dataplane/control"
)

// An inline patch stands in only where sessions of its protocol are inspected, and
// where one flaw has several ways to it, only if each of them is closed.
func TestStandIn(t *testing.T) {
	patch := func(id, protocol, mode, proof string) Definition {
		return Definition{Definition: control.Definition{ID: id, Mode: mode, Vulnerabilities: []string{"CVE-2026-1000"}}, Protocol: protocol, Proof: proof}
	}
	service := func(name, protocol, fail string) control.Service {
		return control.Service{Name: name, Address: portal.String(), Protocol: protocol, Fail: fail}
	}
	aside := patch("B", "websocket", "correct", "")
	aside.Error = "test 1 failed"
	for name, tt := range map[string]struct {
		d                                 []Definition
		s                                 []control.Service
		definition, mode, in, fail, proof string
	}{
		"its protocol":           {[]Definition{patch("A", "http", "correct", "real")}, []control.Service{service("web", "http", "closed")}, "A", "correct", "web", "closed", "real"},
		"another protocol":       {[]Definition{patch("A", "http", "correct", "real")}, []control.Service{service("mail", "smtp", "closed")}, "A", "", "", "", "real"},
		"WebSocket within HTTP":  {[]Definition{patch("A", "websocket", "shadow", "")}, []control.Service{service("web", "http", "open")}, "A", "shadow", "web", "open", ""},
		"found out by its bytes": {[]Definition{patch("A", "ftp", "correct", "")}, []control.Service{service("any", "auto", "open")}, "A", "correct", "any", "open", ""},
		"the other is not met":   {[]Definition{patch("A", "tls", "correct", "real"), patch("B", "dtls", "correct", "vectors only")}, []control.Service{service("vpn", "tls", "closed")}, "A", "correct", "vpn", "closed", "real"},
		"one way is open":        {[]Definition{patch("A", "http", "correct", "real"), patch("B", "websocket", "off", "")}, []control.Service{service("web", "http", "closed")}, "B", "off", "web", "closed", ""},
		"one way is set aside":   {[]Definition{patch("A", "http", "correct", "real"), aside}, []control.Service{service("web", "http", "closed")}, "B", "", "", "", ""},
		"one service is open":    {[]Definition{patch("A", "http", "correct", "real")}, []control.Service{service("one", "http", "closed"), service("two", "http", "open")}, "A", "correct", "two", "open", "real"},
	} {
		m := matcher{definitions: tt.d, status: &control.Status{Services: tt.s}}
		e := Exposure{CVE: "CVE-2026-1000"}
		m.standIn(&e, portal)
		if e.Definition != tt.definition || e.Mode != tt.mode || e.Service != tt.in || e.Fail != tt.fail || e.Proof != tt.proof {
			t.Errorf("%s: %+v; want %+v", name, e, tt)
		}
	}
}
