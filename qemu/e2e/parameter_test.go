package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// originReceived is the Origin that the portal gets of a request through the appliance.
func originReceived(t *testing.T, origin string) string {
	t.Helper()
	c := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest("GET", "http://"+appliance.Through+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Headers http.Header }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET /echo: %s, %v", resp.Status, err)
	}
	return strings.Join(got.Headers["Origin"], ", ")
}

// TestParameterByChange: a definition that is confined to a product and waits for
// its owner's values corrects once the service's product and the values are given
// on the page, and no more when they are taken back.
func TestParameterByChange(t *testing.T) {
	m := manage(t)
	const definition, evil = "WP-2022-1996", "https://shop.example.evil.test"
	expect := func(when, want string) {
		t.Helper()
		if got := originReceived(t, evil); got != want {
			t.Errorf("%s the portal gets the origin %q; want %q", when, got, want)
		}
	}
	expect("at first", evil)
	m.form("/settings", "/draft/service", "name", "portal", "address", "10.77.0.2", "port", "80", "protocol", "http", "fail", "open", "exceed", "reset", "product", "go-restful")
	m.form("/patches/"+definition, "/draft/parameter", "definition", definition, "name", "origins", "value", "https://shop.example")
	expect("before it is applied", evil)
	path := m.form("/changes", "/changes/submit", "reason", "the shop's own origin")
	expect("with the owner's values", "null")
	text, err := get(m.Client, m.base+path)
	if err != nil || !strings.Contains(text, "verified: the wire has") {
		t.Errorf("%s is not verified: %v\n%s", path, err, text)
	}
	if text, err := get(m.Client, m.base+"/patches/"+definition); err != nil || !strings.Contains(text, `value="https://shop.example"`) {
		t.Errorf("the page of %s does not show the value: %v", definition, err)
	}
	m.form(path, "/changes/undo", "id", strings.TrimPrefix(path, "/changes/"))
	expect("undone,", evil)
}
