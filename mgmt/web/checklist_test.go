package web

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wirepatch/dataplane/control"
)

// How boxes of this kind were broken, a test for each class. Others stand
// elsewhere: authentication and roles in TestEveryRouteByEveryRole, forged
// requests in its checkForgery, what a stranger learns in TestNothingWithoutSignIn,
// unsigned firmware in the tests of firmware/update and of the page Updates.

// CWE-306, 288: no header makes a stranger a neighbour.
func TestTrustsNoHeader(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for _, h := range [][2]string{
		{"X-Forwarded-For", "127.0.0.1"}, {"X-Real-IP", "127.0.0.1"}, {"Forwarded", "for=127.0.0.1"}, {"X-Original-URL", "/login"}, {"X-Rewrite-URL", "/login"}, {"X-Forwarded-User", "admin"}, {"Remote-User", "admin"},
		{"X-PAN-AUTHCHECK", "off"}, {"X-F5-Auth-Token", ""}, {"Connection", "X-F5-Auth-Token"}, {"X-HTTP-Method-Override", "GET"}, {"Authorization", "Basic YWRtaW46"}, {"Authorization", "Bearer "}, {"Authorization", "Bearer wirepatch_"}, {"Cookie", "__Host-session="},
	} {
		for path, want := range map[string]int{"/": 303, "/api/v1/status": 401, "/api/v1/users": 401, "/metrics": 401} {
			if got := l.do("GET", path, "", header(h[0], h[1])).Code; got != want {
				t.Errorf("GET %s with %s: %s: %d; want %d", path, h[0], h[1], got, want)
			}
		}
	}
	for _, path := range []string{"//api/v1/status", "/api/v1/../v1/status", "/login/../api/v1/status", "/static/../api/v1/status", "/API/v1/status", "/api/v1/status/", "/api/v1/status;x=/login", "/api/v1/status%2f", "/%61pi/v1/status", "/login?/api/v1/status"} {
		if w := l.do("GET", path, ""); strings.Contains(w.Body.String(), "dataplane\":") {
			t.Errorf("GET %s answers a stranger", path)
		}
	}
}

// CWE-77, 78, 94: the program starts no others and loads no code.
func TestStartsNoPrograms(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen++
		for _, i := range f.Imports {
			switch name, _ := strconv.Unquote(i.Path.Value); name {
			case "os/exec", "plugin", "text/template", "net/rpc", "encoding/gob", "unsafe":
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Errorf("looked at %d files, %v", seen, err)
	}
}

// CWE-22: no name that is handed in is a path.
func TestTraversal(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, _ := l.session()
	outside := filepath.Join(filepath.Dir(l.dir), "escaped")
	for _, up := range []string{"../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//....//etc/passwd", "..%5c..%5cetc%5cpasswd", "%00/etc/passwd", "/etc/passwd", "..%252f..%252fetc%252fpasswd"} {
		for _, at := range []string{"/static/", "/reports/kept/", "/reports/now/", "/corrections/", "/servers/", "/changes/", "/vulnerabilities/", "/api/v1/reports/1/", "/api/v1/changes/"} {
			r := httptest.NewRequest("GET", "https://127.0.0.1/", nil)
			u, err := url.Parse("https://127.0.0.1" + at + up)
			if err != nil {
				continue
			}
			r.URL, r.RemoteAddr = u, testAddress
			r.AddCookie(c)
			w := httptest.NewRecorder()
			l.handler.ServeHTTP(w, r)
			if strings.Contains(w.Body.String(), "root:") || w.Code >= 500 {
				t.Errorf("GET %s%s: %d %.80q", at, up, w.Code, w.Body)
			}
		}
	}
	for _, name := range []string{"../escaped", "/" + outside, "..\\escaped", "escaped\x00.json"} {
		for path, key := range map[string]string{"/outputs/add": "name", "/feeds/add": "name", "/cycles/add": "name", "/reports/schedules/add": "name", "/users/add": "name", "/draft/service/add": "name", "/servers/add": "address"} {
			if w := l.post("admin", path, key, name, "kind", "udp", "target", "127.0.0.1:9", "url", "https://127.0.0.1/", "hours", "1"); w.Code < 400 {
				t.Errorf("POST %s with %s %q: %d", path, key, name, w.Code)
			}
		}
	}
	if _, err := os.Stat(outside); err == nil {
		t.Error("a file was written outside of the folder")
	}
}

// CWE-798: what opens one box opens no other, and nothing opens a new one.
func TestNoBuiltInSecrets(t *testing.T) {
	a, b := newLab(t), newLab(t)
	if a.site.Users.SetupCode() == b.site.Users.SetupCode() || string(a.cert.TLS.Certificate[0]) == string(b.cert.TLS.Certificate[0]) {
		t.Error("two boxes have the same set-up code or certificate")
	}
	a.setPassword()
	for _, user := range []string{"admin", "root", "support", "wirepatch", "operator", "service", ""} {
		for _, password := range []string{"admin", "password", "wirepatch", "root", "12345678", "changeme", user} {
			a.advance(600e9) // the throttle is tested elsewhere
			body := fmt.Sprintf(`{"user":%q,"password":%q}`, user, password)
			if w := a.do("POST", "/api/v1/login", body); w.Code == 200 {
				t.Errorf("%s / %s signs in", user, password)
			}
		}
	}
}

// hostileTexts is what somebody would like to have run in a browser, or in a database.
var hostileTexts = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `</textarea><script>alert(1)</script>`, `'; DROP TABLE audit; --`, `" OR ""="`, "{{.Token}}", "\u202eexe\x00\x1b[2J"}

// CWE-79: hostile text in every field, and from the wire, is only ever text.
func TestHostileTextIsText(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.hostileEvents()
	l.fill()
	for i, h := range hostileTexts {
		at := netip.AddrFrom4([4]byte{10, 66, 0, byte(i)})
		l.must(l.inventory.PutFound([]control.Found{{Address: at, Port: 80, Protocol: h, Names: []string{h}, First: l.now(), Last: l.now(), Software: []control.FoundSoftware{{Name: h, Version: h, Evidence: h, Seen: l.now()}}}}))
		if i%2 == 0 {
			l.post("admin", "/servers/take", "address", at.String())
		}
		l.post("admin", "/servers/add", "address", fmt.Sprintf("10.67.0.%d", i), "name", h, "group", h, "product", "gin"+h, "version", h)
		l.post("admin", "/cycles/add", "name", "c"+fmt.Sprint(i), "note", h, "week", "1", "weekday", "1", "at", "22:00", "zone", "UTC", "minutes", "60", "remind", "31")
		l.post("admin", "/draft/mode", "definition", "WP-2023-29401", "mode", []string{"off", "shadow"}[i%2])
		l.post("admin", "/changes/submit", "reason", h)
		l.post("admin", "/reports/keep", "kind", "compliance", "product", h, "group", h, "cve", h)
		l.post("admin", "/outputs/add", "name", "o"+fmt.Sprint(i), "kind", "udp", "target", "127.0.0.1:9", "format", h)
		l.do("GET", "/api/v1/status", "", header("Authorization", "Bearer "+h), header("User-Agent", h))
	}
	paths := append([]string{}, pages...)
	for _, h := range hostileTexts {
		q := url.QueryEscape(h)
		paths = append(paths, "/corrections?q="+q+"&definition="+q+"&service="+q+"&client="+q+"&from="+q, "/vulnerabilities?q="+q+"&state="+q, "/vulnerabilities/"+url.PathEscape(h), "/reports/now?kind=compliance&product="+q+"&group="+q+"&cve="+q, "/servers/"+url.PathEscape(h), "/"+url.PathEscape(h))
	}
	for i := range 9 {
		paths = append(paths, fmt.Sprintf("/reports/kept/%d", i+1), fmt.Sprintf("/servers/10.66.0.%d", i), fmt.Sprintf("/changes/%d", i+1))
	}
	c, _ := l.session()
	for _, path := range paths {
		w := l.do("GET", strings.NewReplacer("%00", "%01").Replace(path), "", with(c))
		if w.Code >= 500 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && w.Code == 200 {
			t.Errorf("GET %s: %d, %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		checkMarkup(t, path, w.Body.String())
	}
}

// checkMarkup finds what only hostile text can have made.
func checkMarkup(t *testing.T, path, text string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Errorf("GET %s: %v", path, err)
		return
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		src := ""
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") && (a.Key == "href" || a.Key == "src" || a.Key == "action") {
				t.Errorf("GET %s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
			if a.Key == "src" {
				src = a.Val
			}
		}
		if n.Data == "script" && (!strings.HasPrefix(src, "/static/") || n.FirstChild != nil) || n.Data == "img" || n.Data == "iframe" || n.Data == "object" || n.Data == "base" {
			t.Errorf("GET %s: <%s src=%q>", path, n.Data, src)
		}
	}
}

// CWE-89: a question with a database's own signs in it finds nothing, breaks
// nothing, and is no error.
func TestInjection(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.corrections(3)
	l.fill()
	before, err := l.audit.Head()
	l.must(err)
	for _, h := range append([]string{"' OR '1'='1", "%' OR 1=1 --", "x' UNION SELECT body FROM output --", `" NEAR/2 *`, "a*^:{}", "1; DELETE FROM report"}, hostileTexts...) {
		q := url.QueryEscape(h)
		c, _ := l.session() // those of before have made room
		for _, key := range []string{"q", "definition", "service", "client"} {
			w := l.do("GET", "/api/v1/events?"+key+"="+q, "", with(c))
			if w.Code != 200 || strings.TrimSpace(w.Body.String()) != "[]" {
				t.Errorf("events by %s = %q: %d %.100q; want none", key, h, w.Code, w.Body)
			}
		}
		for path, key := range map[string]string{"/feeds/remove": "name", "/cycles/remove": "name", "/outputs/remove": "name", "/reports/schedules/remove": "name", "/users/remove": "name", "/changes/undo": "id"} {
			if w := l.post("admin", path, key, h); w.Code < 400 || w.Code >= 500 {
				t.Errorf("POST %s, %s = %q: %d; want it refused", path, key, h, w.Code)
			}
		}
	}
	after, err := l.audit.Head()
	if err != nil || after.Seq < before.Seq {
		t.Errorf("the audit log ends at %v after %v, %v", after, before, err)
	}
}

// CWE-502, 400: bodies that are deep, long, of another type, or not what is asked
// for are refused in time.
func TestHostileBodies(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	c, _ := l.session()
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for name, body := range map[string]string{
		"deep": `{"text":` + deep + `}`, "deep object": strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000), "not an object": "[1]", "two": "{}{}", "a huge number": `{"id":1e999999}`, "half": `{"name":"`,
		"null": `{"name":null}`, "a type of somebody's": `{"name":{"$type":"System.Diagnostics.Process"}}`, "YAML": "name: !!python/object/apply:os.system ['id']", "no UTF-8": "{\"name\":\"\xff\xfe\"}",
	} {
		for _, path := range []string{"/api/v1/changes/undo", "/api/v1/servers/add", "/api/v1/advisories/add", "/api/v1/draft/mode", "/api/v1/servers/sbom", "/api/v1/cycles/add"} {
			if w := l.do("POST", path, body, with(c)); w.Code < 400 || w.Code >= 500 {
				t.Errorf("%s to %s: %d %.80q; want it refused", name, path, w.Code, w.Body)
			}
		}
	}
	for _, text := range []string{deep, `{"bomFormat":"CycloneDX","components":` + deep + `}`, `{"document":{"csaf_version":"2.0","tracking":{"id":"x"}},"product_tree":{"branches":` + strings.Repeat(`[{"branches":`, 5000) + "[]" + strings.Repeat("}]", 5000) + `}}`} {
		for _, path := range []string{"/advisories/add", "/servers/sbom"} {
			if w := l.upload("admin", path, text, "address", "10.0.0.1"); w.Code != 422 {
				t.Errorf("a deep file to %s: %d; want 422", path, w.Code)
			}
		}
	}
}

// CWE-918: the box goes where an administrator has said, by TLS, or to servers of
// its inventory, and nobody else leads it anywhere.
func TestForgedTargets(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	for _, target := range []string{"http://169.254.169.254/latest/meta-data/", "file:///data/mgmt/users.json", "unix:///run/wirepatch/dataplane.sock", "gopher://127.0.0.1:25/", "//127.0.0.1/", "https://", "ftp://x/"} {
		for path, kv := range map[string][]string{"/feeds/add": {"name", "x", "kind", "kev", "hours", "1", "url", target}, "/reports/schedules/add": {"name", "x", "kind", "effect", "every", "day", "target", target}, "/outputs/add": {"name", "x", "kind", "webhook", "target", target}} {
			if path == "/outputs/add" && strings.HasPrefix(target, "http:") {
				continue // an administrator may send events without TLS
			}
			if w := l.post("admin", path, kv...); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("POST %s to %s: %d; want 422", path, target, w.Code)
			}
		}
	}
	for _, at := range []string{"127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "::ffff:127.0.0.1"} {
		if w := l.post("operator", "/servers/check", "address", at, "port", "22"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("ask %s, which is no server of the inventory: %d; want 422", at, w.Code)
		}
	}
}
