package prove

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"wirepatch/dataplane/internal/netns"
)

// httpClients are real programs that send a request of a proof and print all of
// the answer: their command lines, false where they cannot say it as it is.
var httpClients = []struct {
	name string
	args func(*request) ([]string, bool)
}{{"curl", (*request).curlArgs}, {"wget", (*request).wgetArgs}, {"Node.js", (*request).nodeArgs}}

const browserName = "Chromium"

// reFetched tells what a page has got an answer to, whatever the status.
var reFetched = regexp.MustCompile(`^fetch: [1-9]`)

// asker has a real client at a world's end of the wire say something.
type asker func(*world) (answer, error)

// withClients has real clients say a harmless request, each in its own words.
func (j *judge) withClients(name string, e *entry) error {
	if len(e.requests) != 1 || e.why != "" {
		return nil
	}
	r := &e.requests[0]
	if !r.plainEnough() {
		return nil
	}
	t := &trial{name: name, steps: []step{{send: r.bytes()}}}
	turn := j.done % (len(httpClients) + 1) // in a quick proof each by one of them
	for i, c := range httpClients {
		args, ok := c.args(r)
		if !ok || j.quick && i != turn {
			continue
		}
		if err := j.withClient(t, c.name, func(w *world) (answer, error) { return w.run(args, r.body) }, false); err != nil {
			return err
		}
	}
	script := r.browserScript()
	if script == "" || j.quick && turn != len(httpClients) {
		return nil
	}
	return j.withClient(t, browserName, func(w *world) (answer, error) { return w.runScript(script) }, false)
}

// ownClients has the command lines and the browser's scripts of the proof run.
func (j *judge) ownClients() error {
	for i, line := range j.p.Clients {
		t := &trial{name: fmt.Sprintf("client %d", i+1), steps: []step{{send: []byte(line)}}}
		if err := j.withClient(t, "its client", func(w *world) (answer, error) { return w.run([]string{"sh", "-c", line}, "") }, true); err != nil {
			return err
		}
	}
	for i, script := range j.p.Browser {
		t := &trial{name: fmt.Sprintf("script %d", i+1), steps: []step{{send: []byte(script)}}}
		if err := j.withClient(t, browserName, func(w *world) (answer, error) { return w.runScript(script) }, true); err != nil {
			return err
		}
	}
	return nil
}

// withClient has a program talk to all three servers, and compares what it prints.
// The measure is the fixed one. must: it has to work, and alike with both versions.
// A client that prints nothing and is well cannot say it.
func (j *judge) withClient(t *trial, client string, ask asker, must bool) error {
	var bad failure
	differ := false
	for i := 0; i < 2; i++ { // what fails twice in a row is no accident of the server's
		var got [3]answer
		for n, w := range []*world{j.fixed, j.alone, j.through} {
			a, err := ask(w)
			if err != nil {
				return err
			}
			got[n] = a
		}
		if !must && len(got[0].got)+len(got[1].got)+len(got[2].got)+len(got[0].end)+len(got[1].end)+len(got[2].end) == 0 {
			return nil
		}
		if client == browserName && reFetched.Match(got[0].got) {
			j.shown++
		}
		differ = !j.p.alike(&got[0], &got[1])
		if must && i > 0 && (differ || got[0].end != "") {
			j.fault(t, false, &got[1], &got[0])
		}
		if same := j.p.alike(&got[2], &got[0]); same && !(must && differ) {
			bad.how = nil
			break
		}
		bad = failure{how: []string{"by " + client}, got: got[2], want: got[0]}
	}
	j.r.count(differ, len(bad.how) == 0)
	if len(bad.how) > 0 {
		j.fail(t, differ, &bad)
	}
	return nil
}

// plainEnough says whether clients can send the request at all.
func (r *request) plainEnough() bool {
	return r.before+r.colon+r.eol == "" && !r.has("Transfer-Encoding") && !r.has("Expect") && !r.has("Upgrade") &&
		!strings.ContainsAny(r.target, " \t\r\n") && (r.method != "HEAD" || r.body == "")
}

var address = "http://" + netns.Server4 + ":" + strconv.Itoa(port)

func (r *request) curlArgs() ([]string, bool) {
	args := []string{"curl", "-sS", "-i", "--noproxy", "*", "--max-time", strconv.Itoa(int(patience.Seconds())), "--request-target", r.target}
	if r.method == "HEAD" {
		args = append(args, "--head")
	} else {
		args = append(args, "-X", r.method)
	}
	if r.version == "HTTP/1.0" {
		args = append(args, "--http1.0")
	}
	for _, h := range r.headers {
		switch {
		case strings.EqualFold(h[0], "Content-Length"):
			continue
		case h[1] == "": // else curl would leave it out
			args = append(args, "-H", h[0]+";")
		default:
			args = append(args, "-H", h[0]+": "+h[1])
		}
	}
	if r.body != "" || r.has("Content-Length") {
		args = append(args, "--data-binary", "@-")
		if !r.has("Content-Type") {
			args = append(args, "-H", "Content-Type:")
		}
	}
	return append(args, address+"/"), true
}

// reAsItIs are targets that wget does not write otherwise.
var reAsItIs = regexp.MustCompile(`^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*/?)*(\?[A-Za-z0-9._~=&+-]*)?$`)

func (r *request) wgetArgs() ([]string, bool) {
	if !reAsItIs.MatchString(r.target) || r.version == "HTTP/1.0" {
		return nil, false
	}
	args := []string{"wget", "-q", "-O", "-", "--save-headers", "--content-on-error", "--no-config", "--no-proxy", "--no-hsts", "--max-redirect=0", "--tries=1",
		"--timeout=" + strconv.Itoa(int(patience.Seconds())), "--method=" + r.method}
	seen := map[string]bool{}
	for _, h := range r.headers {
		name := strings.ToLower(h[0])
		if seen[name] || h[1] == "" { // one of a name alone is sent, and none without a value
			return nil, false
		}
		seen[name] = true
		if name != "content-length" {
			args = append(args, "--header="+h[0]+": "+h[1])
		}
	}
	if r.body != "" {
		args = append(args, "--body-file=/dev/stdin")
	}
	return append(args, address+r.target), true
}

// nodeClient sends what its argument says, with the body from its input.
const nodeClient = `
const r = JSON.parse(process.argv[1])
r.timeout = 60000
const q = require('http').request(r, (s) => {
  console.log(s.httpVersion, s.statusCode, s.statusMessage)
  for (let i = 0; i < s.rawHeaders.length; i += 2) console.log(s.rawHeaders[i] + ': ' + s.rawHeaders[i + 1] + '\r')
  s.pipe(process.stdout)
  s.on('end', () => console.log(s.complete, s.rawTrailers))
  s.on('aborted', () => console.log('aborted'))
})
q.on('error', (e) => { console.log(e.code); process.exitCode = 1 })
q.end(require('fs').readFileSync(0))
`

func (r *request) nodeArgs() ([]string, bool) {
	if r.version == "HTTP/1.0" || strings.ContainsFunc(r.target, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, false
	}
	about, err := json.Marshal(map[string]any{"host": netns.Server4, "port": port, "method": r.method, "path": r.target, "headers": r.headers, "agent": false})
	return []string{"node", "-e", nodeClient, string(about)}, err == nil
}

// run has a program run at the client's end of the world, with the installed
// version's folder and Node.js. How it ended is the answer's end.
func (w *world) run(args []string, body string) (a answer, err error) {
	var out, errs bytes.Buffer
	c := exec.CommandContext(w.ctx, "timeout", append([]string{strconv.Itoa(2 * int(patience.Seconds())), "env", "PATH=" + w.server.path,
		"HOST=" + netns.Server4, "PORT=" + strconv.Itoa(port)}, args...)...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = w.server.dir, strings.NewReader(body), &out, &errs
	if err := w.bed.Client.Start(c); err != nil {
		return a, fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := c.Wait(); err != nil {
		a.end = err.Error() + " " + strings.TrimSpace(errs.String())
	}
	a.got = out.Bytes()
	a.exited = !w.server.alive()
	return a, w.mend(&a)
}
