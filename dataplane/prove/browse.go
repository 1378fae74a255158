package prove

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// browse is what the page does for a request.
//
//go:embed browse.js
var browse string

// socket is what scripts of proofs find in the page.
//
//go:embed socket.js
var socket string

// forbidden are fields that a page cannot set, or not so that they are sent as they are.
var forbidden = []string{"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method", "connection", "cookie",
	"date", "dnt", "expect", "if-modified-since", "if-none-match", "if-range", "keep-alive", "origin", "range", "referer", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via"}

// browserScript is the script that has a page say the request, "" where no page can.
func (r *request) browserScript() string {
	if r.version != "HTTP/1.1" || !strings.HasPrefix(r.target, "/") || slices.Contains([]string{"CONNECT", "TRACE", "TRACK"}, strings.ToUpper(r.method)) {
		return ""
	}
	bodied := r.method != "GET" && r.method != "HEAD"
	if r.body != "" && !bodied {
		return ""
	}
	about := map[string]any{"method": r.method, "target": r.target, "headers": [][2]string{}}
	var headers [][2]string
	seen := map[string]bool{}
	for _, h := range r.headers {
		name := strings.ToLower(h[0])
		switch {
		case name == "host" || name == "content-length":
			continue
		case seen[name], slices.Contains(forbidden, name), strings.HasPrefix(name, "sec-"), strings.HasPrefix(name, "proxy-"), !printable(h[1]):
			return ""
		}
		seen[name] = true
		headers = append(headers, h)
	}
	if len(headers) > 0 {
		about["headers"] = headers
	}
	if bodied {
		about["body"] = base64.StdEncoding.EncodeToString([]byte(r.body))
	}
	_, query, _ := strings.Cut(r.target, "?")
	switch {
	case r.method == "GET" && len(headers) == 0:
		about["form"] = query
	case r.method == "POST" && len(headers) == 1 && strings.EqualFold(headers[0][0], "Content-Type") && headers[0][1] == "application/x-www-form-urlencoded":
		about["form"] = r.body
	}
	text, err := json.Marshal(about)
	if err != nil {
		return ""
	}
	return "(" + browse + ")(" + string(text) + ")"
}

// shows makes sure that the browser gets a page: else it would compare nothing.
func (w *world) shows(target string) error {
	r, err := parseRequest("GET " + target)
	if err != nil {
		return err
	}
	a, err := w.runScript(r.browserScript())
	if err == nil && !reFetched.Match(a.got) {
		err = fmt.Errorf("the browser gets no page from the %s server: %s", w.name, quote(a.got))
	}
	return err
}

// printable says whether a page can set a field to the value.
func printable(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' })
}

// runScript has the world's browser run a script. What it gives is the answer.
func (w *world) runScript(script string) (a answer, err error) {
	b, err := w.browser()
	if err != nil {
		return a, err
	}
	text, err := b.evaluate(script)
	a.got = []byte(text)
	if err != nil {
		a.end = err.Error()
	}
	a.exited = !w.server.alive()
	return a, w.mend(&a)
}
