package settings

import (
	"os"
	"strings"
	"testing"
)

// The page on the appliance names every key, and its example is one.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/appliance.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, key := range knownKeys(t) {
		if !strings.Contains(page, key+"`") {
			t.Errorf("docs/appliance.md does not name the key %s", key)
		}
	}
	_, text, _ := strings.Cut(page, "```ini\n")
	text, _, _ = strings.Cut(text, "```")
	s, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Services) != 2 || s.Services[1].Protocol != "dns" || s.Services[1].Fail != "closed" || s.ServiceModes["WP-2022-1996"]["shop"] != "correct" ||
		s.Parameters["WP-2022-1996"]["shop"]["origins"] == "" || s.Management.Mode != "static" || len(s.Time.Servers) != 1 {
		t.Errorf("the example of docs/appliance.md reads as %+v", s)
	}
}
