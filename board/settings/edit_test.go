package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const byHand = `; the owner's own words
[appliance]
hostname   = rack7

[service "all six"]
address = ::/0     ; every one
port    = 80
; about the next one
[service web]
address = 10.77.0.2
port = 8080

[patch WP-1]
mode.web = off
`

func TestEdit(t *testing.T) {
	e := Edit(byHand)
	for _, err := range []error{
		e.Set("appliance", "hostname", "rack8"),
		e.Set("wire", "link_propagation", "no"),
		e.SetService("all six", "::/0", "443", "http", "closed", ""),
		e.SetService("mail", "10.77.0.3", "80", "http", "open", "reset"),
		e.SetMode("WP-1", "mail", "shadow"),
		e.SetMode("WP-2", "", "off"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e.RemoveService("web")
	want := `; the owner's own words
[appliance]
hostname   = rack8

[service "all six"]
address = ::/0
port    = 443
protocol = http
fail = closed
; about the next one

[patch WP-1]
mode.mail = shadow

[wire]
link_propagation = no

[service mail]
address = 10.77.0.3
port = 80
protocol = http
fail = open
exceed = reset

[patch WP-2]
mode = off
`
	if d := cmp.Diff(want, e.String()); d != "" {
		t.Errorf("the edited text (-want +got):\n%s", d)
	}
	s, err := Parse([]byte(e.String()))
	if err != nil || s.Hostname != "rack8" || len(s.Services) != 2 || s.ServiceModes["WP-1"]["mail"] != "shadow" || s.Modes["WP-2"] != "off" {
		t.Errorf("Parse = %+v, %v", s, err)
	}
	if got := Edit(byHand).String(); got != byHand {
		t.Errorf("an edit of nothing changes the text to %q", got)
	}
}

func TestEditTakesNothingElseIn(t *testing.T) {
	for _, value := range []string{"a\nb", "x ; y", "[wire]\n", "\"", "`", " lead", "a=b", strings.Repeat("x", 300)} {
		e := Edit(byHand)
		if err := e.Set("appliance", "hostname", value); err == nil || e.String() != byHand {
			t.Errorf("Set to %q = %v; want it refused and nothing changed", value, err)
		}
	}
	for _, name := range []string{"", " ", "a]", "a\n[wire", "-x", strings.Repeat("x", 64)} {
		if err := Edit(byHand).SetService(name, "10.0.0.1", "80", "http", "", ""); err == nil {
			t.Errorf("a service named %q is taken", name)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "rack-7": true, "rack7.example.net": true, "": false, "-a": false, "a-": false, "a b": false, "a..b": false, "ü": false, strings.Repeat("a", 65): false} {
		if err := CheckHost(name); (err == nil) != want {
			t.Errorf("CheckHost(%q) = %v; want it taken: %v", name, err, want)
		}
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(byHand, "web", "10.0.0.1", "off")
	f.Add("[service a]\r\nport=1", "a", "::", "x")
	f.Fuzz(func(t *testing.T, text, name, address, mode string) {
		e := Edit(text)
		if e.SetService(name, address, "80", "http", "open", "reset") != nil || e.SetMode("WP-1", name, mode) != nil {
			return
		}
		before, err := Parse([]byte(text))
		if err != nil {
			return
		}
		after, err := Parse([]byte(e.String()))
		if err == nil && len(after.Services) > len(before.Services)+1 {
			t.Errorf("one service became %d", len(after.Services)-len(before.Services))
		}
	})
}

// TestEditParameter: what is written is read back; what the file would read as
// something else is refused.
func TestEditParameter(t *testing.T) {
	const text = "[service web]\naddress = 10.0.0.1\nport = 80\n\n[service my shop.2]\naddress = 10.0.0.2\nport = 80\n"
	values := []string{"https://a.example, https://b.example:8443/x?y=1&z", "-5", "yes", "", "a = b: [c] (d) {e}|^$*+!@~<>", "Zürich"}
	for _, value := range values {
		for _, service := range []string{"", "web", "my shop.2"} {
			e := Edit(text)
			if err := e.SetParameter("WP-1", service, "origins", "first"); err != nil {
				t.Fatal(err)
			}
			if err := e.SetParameter("WP-1", service, "origins", value); err != nil {
				t.Fatal(err)
			}
			s, err := Parse([]byte(e.String()))
			if err != nil {
				t.Fatalf("%q in %q: %v", value, service, err)
			}
			if got, ok := s.Parameters["WP-1"][service]["origins"]; !ok || got != value {
				t.Errorf("%q in %q is read as %q, %v", value, service, got, ok)
			}
			if err := e.DropParameter("WP-1", service, "origins"); err != nil {
				t.Fatal(err)
			}
			if s, err := Parse([]byte(e.String())); err != nil || len(s.Parameters) != 0 {
				t.Errorf("dropped, %q holds %v, %v", e.String(), s, err)
			}
		}
	}
	e := Edit(text)
	for _, bad := range []string{"a ; b", "#x", "`x", `"x"`, `a\`, "%(x)s", " a", "a\nb", strings.Repeat("x", 1001)} {
		if err := e.SetParameter("WP-1", "", "origins", bad); err == nil {
			t.Errorf("SetParameter takes %q", bad)
		}
	}
	for _, name := range []string{"", "Origins", "a.b", "a b", "a=b"} {
		if err := e.SetParameter("WP-1", "", name, "x"); err == nil {
			t.Errorf("SetParameter takes the name %q", name)
		}
	}
	if err := e.DropParameter("WP-9", "", "address"); err != nil || e.String() != text {
		t.Errorf("dropping what is not there: %v, %q", err, e.String())
	}
	for _, service := range []string{"web", "my shop.2"} {
		if err := e.SetParameter("WP-1", service, "origins", "x"); err != nil {
			t.Fatal(err)
		}
	}
	e.RemoveService("my shop.2")
	if s, err := Parse([]byte(e.String())); err != nil || s.Parameters["WP-1"]["web"]["origins"] != "x" || len(s.Parameters["WP-1"]) != 1 {
		t.Errorf("without a service: %v, %v", s, err)
	}
}
