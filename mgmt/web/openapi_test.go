package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wirepatch/mgmt/auth"
)

// fits says where a value is not as a schema has it.
func fits(at string, v any, s map[string]any) []string {
	if all, ok := s["anyOf"].([]any); ok {
		var last []string
		for _, one := range all {
			if last = fits(at, v, one.(map[string]any)); last == nil {
				return nil
			}
		}
		return last
	}
	if want := s["type"]; want != nil && !isType(v, want) {
		return []string{fmt.Sprintf("%s is %T; want %v", at, v, want)}
	}
	var bad []string
	switch v := v.(type) {
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for _, name := range list(s["required"]) {
			if _, ok := v[name]; !ok {
				bad = append(bad, at+"."+name+" is missing")
			}
		}
		for name, value := range v {
			p, ok := properties[name].(map[string]any)
			if !ok {
				p, ok = s["additionalProperties"].(map[string]any)
			}
			if !ok && properties != nil {
				bad = append(bad, at+"."+name+" is not described")
			} else if ok {
				bad = append(bad, fits(at+"."+name, value, p)...)
			}
		}
	case []any:
		items, _ := s["items"].(map[string]any)
		for i, value := range v {
			bad = append(bad, fits(fmt.Sprintf("%s[%d]", at, i), value, items)...)
		}
	}
	return bad
}

func list(v any) (all []string) {
	some, _ := v.([]any)
	for _, one := range some {
		all = append(all, one.(string))
	}
	return all
}

func isType(v, want any) bool {
	names := list(want)
	if s, ok := want.(string); ok {
		names = []string{s}
	}
	is := map[string]bool{"null": v == nil}
	switch v := v.(type) {
	case map[string]any:
		is["object"] = true
	case []any:
		is["array"] = true
	case string:
		is["string"] = true
	case bool:
		is["boolean"] = true
	case float64:
		is["number"], is["integer"] = true, v == float64(int64(v))
	}
	return slices.ContainsFunc(names, func(n string) bool { return is[n] })
}

// beginsWith is how a file of each kind begins.
var beginsWith = map[string]string{"application/gzip": "\x1f\x8b", "application/vnd.tcpdump.pcap": "\xd4\xc3\xb2\xa1", "text/csv": "vulnerability,", "text/calendar": "BEGIN:VCALENDAR"}

// The description has every request of the API and no other, and every answer is
// as it says.
func TestOpenAPI(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.corrections(3)
	l.change(1)
	l.post("admin", "/draft/mode", "definition", "WP-2023-26125", "service", "portal", "mode", "shadow")
	l.upload("admin", "/servers/csv", "address,name,product,version\n10.77.0.2,portal,gin,1.8.2\n")
	l.post("admin", "/reports/keep", "kind", "compliance")
	l.post("admin", "/cycles/add", "name", "monthly", "week", "2", "weekday", "2", "at", "22:00", "zone", "UTC", "minutes", "60", "remind", "3")
	c, _ := l.session()
	var doc map[string]any
	l.must(json.Unmarshal(l.do("GET", "/api/v1/openapi.json", "", with(c)).Body.Bytes(), &doc))
	paths := doc["paths"].(map[string]any)
	described := 0
	for _, r := range l.site.routes() {
		if !strings.HasPrefix(r.path, "/api/v1/") {
			continue
		}
		ops, _ := paths[r.path].(map[string]any)
		op, ok := ops[strings.ToLower(r.method)].(map[string]any)
		if !ok {
			t.Errorf("%s %s is not described", r.method, r.path)
			continue
		}
		described++
		if got, want := fmt.Sprint(op["x-roles"]), r.may.String(); r.access == signedIn && got != want {
			t.Errorf("%s %s is for %q by the description; want %q", r.method, r.path, got, want)
		}
		if r.method != "GET" {
			continue
		}
		answer := op["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)
		w := l.do("GET", samplePath(r.path), "", with(c))
		text := w.Body.String()
		for kind, c := range answer {
			if begins, ok := beginsWith[kind]; ok {
				if got := w.Header().Get("Content-Type"); !strings.HasPrefix(text, begins) || !strings.HasPrefix(got, kind) {
					t.Errorf("GET %s: %s, %.10q…; want %s", r.path, got, text, kind)
				}
				continue
			}
			if kind == "application/jsonl" {
				text, _, _ = strings.Cut(text, "\n")
			}
			var v any
			l.must(json.Unmarshal([]byte(text), &v))
			for _, bad := range fits(r.path, v, c.(map[string]any)["schema"].(map[string]any)) {
				t.Errorf("GET %s: %s", r.path, bad)
			}
		}
	}
	if described != len(apiDocs) {
		t.Errorf("%d requests are described; there are %d", len(apiDocs), described)
	}
}

// What the description says a body needs, the request insists on.
func TestOpenAPIBodies(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	for name, d := range apiDocs {
		method, path, _ := strings.Cut(name, " ")
		if method != "POST" || path == "/api/v1/login" || path == "/api/v1/logout" || d.takes != "" || !slices.ContainsFunc(d.in, func(f field) bool { return !f.optional }) {
			continue
		}
		l.site.Throttle = auth.NewThrottle(l.now)
		c, _ := l.session()
		got := l.do("POST", path, "{}", with(c)).Code
		if got != 422 && got != 404 && got != 409 && name != "POST /api/v1/draft/management" {
			t.Errorf("%s without what it needs: %d; want it refused", name, got)
		}
	}
}

// All that the page can have done, a program can, too.
func TestAPIDoesAllThatThePageDoes(t *testing.T) {
	l := newLab(t)
	have := map[string]bool{}
	for _, r := range l.site.routes() {
		have[r.method+" "+r.path] = true
	}
	for _, r := range l.site.routes() {
		if r.method == "POST" && r.form == page && r.path != "/setup" && !have["POST /api/v1"+r.path] { // the set-up code is for people
			t.Errorf("POST %s is not in the API", r.path)
		}
	}
}
