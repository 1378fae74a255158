package web

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/inventory"
)

// upload sends a file as a browser does.
func (l *lab) upload(user, path, file string, kv ...string) *httptest.ResponseRecorder {
	l.Helper()
	c, s := l.sessionOf(user)
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	m.WriteField("token", s.Token)
	for i := 0; i < len(kv); i += 2 {
		m.WriteField(kv[i], kv[i+1])
	}
	f, err := m.CreateFormFile("file", "../../etc/passwd")
	l.must(err)
	f.Write([]byte(file))
	l.must(m.Close())
	return l.do("POST", path, b.String(), with(c), header("Content-Type", m.FormDataContentType()))
}

// The auditor's two questions, each on one page, with evidence.
func TestAuditorsQuestions(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	l.poller.Poll(t.Context())
	l.poller.Poll(t.Context())
	const cve = "CVE-2023-26125"
	kev := `{"catalogVersion":"2026.11.01","vulnerabilities":[{"cveID":"` + cve + `","vulnerabilityName":"gin","dateAdded":"2026-10-01","dueDate":"2026-10-22","knownRansomwareCampaignUse":"Known"}]}`
	list := "address,name,group,product,version\n10.77.0.2,portal,web,gin,1.8.2\n10.77.0.9,old portal,web,gin,1.8.2\n10.77.0.10,new portal,web,gin,1.9.1\n"
	for _, w := range []*httptest.ResponseRecorder{
		l.upload("operator", "/advisories/add", kev),
		l.upload("operator", "/servers/csv", list),
		l.upload("operator", "/servers/sbom", `{"bomFormat":"CycloneDX","components":[{"name":"gin","version":"1.8.2","purl":"pkg:golang/github.com/gin-gonic/gin@1.8.2"}]}`, "address", "10.77.0.2"),
	} {
		if w.Code != 303 {
			t.Fatalf("upload: %d %s", w.Code, w.Body)
		}
	}
	l.advance(10 * 24 * time.Hour)

	// What needs patching for this vulnerability?
	page := l.page("auditor", "/vulnerabilities/"+cve)
	for _, want := range []string{">10.77.0.2</a> portal", ">corrected</span>", "WP-2023-26125 is correct in service portal on the running wire",
		">10.77.0.9</a> old portal", ">exposed</span>", "no protected service has this server&#39;s address", `data-label="Days">10<`,
		">10.77.0.10</a> new portal", ">patched</span>", "gin 1.9.1 is not in", "exploited, ransomware", "by 2026-10-22", "by SBOM"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of %s lacks %q", cve, want)
		}
	}
	// Is what should be patched really patched? The wire changes, and so does the answer.
	l.post("admin", "/draft/mode", "definition", "WP-2023-26125", "service", "portal", "mode", "off")
	l.post("admin", "/changes/submit", "reason", "test")
	l.poller.Poll(t.Context())
	var all []inventory.Exposure
	c, _ := l.sessionOf("auditor")
	l.must(json.Unmarshal(l.do("GET", "/api/v1/exposures?q="+cve+"+10.77.0.2", "", with(c)).Body.Bytes(), &all))
	if len(all) != 1 || all[0].State != inventory.Exposed || all[0].Advice != "switch on" {
		t.Errorf("with the inline patch off: %+v; want exposed, to be switched on", all)
	}
	l.must(l.server.Close())
	l.poller.Poll(t.Context())
	if page := l.page("auditor", "/vulnerabilities?state=exposed"); !strings.Contains(page, "the dataplane does not answer, so no inline patch counts") {
		t.Error("while the dataplane is away something still counts as corrected")
	}
	if text := l.page("auditor", "/vulnerabilities.csv"); strings.Count(text, "\n") < 4 || !strings.Contains(text, "CVE-2023-26125,10.77.0.9,old portal,web,gin,1.8.2,exposed") {
		t.Errorf("CSV: %s", text)
	}
	var vex inventory.VEX
	l.must(json.Unmarshal([]byte(l.page("auditor", "/vulnerabilities.vex.json?q="+cve)), &vex))
	if vex.SpecVersion != "1.6" || len(vex.Vulnerabilities) < 3 {
		t.Errorf("VEX = %+v", vex)
	}
}

func TestUploads(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for name, w := range map[string]*httptest.ResponseRecorder{
		"no CSV":    l.upload("admin", "/servers/csv", "\x00\xff"),
		"no JSON":   l.upload("admin", "/advisories/add", "<html>"),
		"no SBOM":   l.upload("admin", "/servers/sbom", "{}", "address", "10.0.0.1"),
		"no server": l.upload("admin", "/servers/sbom", "{}", "address", "../x"),
	} {
		if w.Code != 422 {
			t.Errorf("%s: %d %s; want 422", name, w.Code, w.Body)
		}
	}
	if w := l.upload("admin", "/servers/csv", strings.Repeat("x", inventory.MaxUpload+maxBody)); w.Code != 403 && w.Code != 400 {
		t.Errorf("a file over the limit: %d; want it refused", w.Code)
	}
	if w := l.upload("admin", "/users/add", strings.Repeat("x", 2*maxBody), "name", "x"); w.Code != 403 && w.Code != 400 {
		t.Errorf("a file where none is taken: %d; want it refused", w.Code)
	}
	if got := harmlessCell("=cmd|' /C calc'!A0"); got[0] != '\'' {
		t.Errorf("harmlessCell = %q", got)
	}
}

// The lists come in the order that is asked for, and so does what is downloaded.
func TestOrders(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	for i, sv := range [][3]string{{"10.9.0.1", "zebra", "1.9.1"}, {"10.9.0.2", "antling", "1.8.2"}, {"10.9.0.3", "mole", "1.9.1"}} {
		l.post("admin", "/servers/add", "address", sv[0], "name", sv[1], "group", string("bca"[i]), "product", "gin", "version", sv[2])
	}
	l.poller.Poll(t.Context())
	order := func(path string, words ...string) string {
		t.Helper()
		text, got := l.page("auditor", path), ""
		at := map[int]string{}
		for _, w := range words {
			at[strings.Index(text, w)] = w
		}
		for _, i := range slices.Sorted(maps.Keys(at)) {
			got += at[i] + " "
		}
		return strings.TrimSpace(got)
	}
	for path, want := range map[string]string{
		"/servers": "zebra antling mole", "/servers?order=name": "antling mole zebra", "/servers?order=group": "mole zebra antling", "/servers?order=most+exposed": "antling zebra mole", "/servers?order=%27": "zebra antling mole",
		"/vulnerabilities": "antling zebra mole", "/vulnerabilities?order=server": "zebra antling mole", "/vulnerabilities.csv?order=server": "zebra antling mole", "/api/v1/exposures?order=server": "zebra antling mole",
	} {
		if got := order(path, "zebra", "antling", "mole"); got != want {
			t.Errorf("%s lists %s; want %s", path, got, want)
		}
	}
	if got := order("/vulnerabilities?order=vulnerability", ">CVE-2023-29401<", ">CVE-2023-26125<"); got != ">CVE-2023-29401< >CVE-2023-26125<" {
		t.Errorf("by vulnerability: %s; want the newest first", got)
	}
	for _, path := range []string{"/servers", "/settings"} {
		if !strings.Contains(l.page("operator", path), "<option>gin</option>") {
			t.Errorf("%s does not offer the products that inline patches are for", path)
		}
	}
	for path, want := range map[string][]string{"/vulnerabilities": {`href="/servers/10.9.0.2"`, `href="/patches/WP-2023-26125"`}, "/reports/now?kind=compliance": {`href="/vulnerabilities/CVE-2023-26125"`}} {
		for _, w := range want {
			if !strings.Contains(l.page("auditor", path), w) {
				t.Errorf("%s does not lead on by %s", path, w)
			}
		}
	}
}
