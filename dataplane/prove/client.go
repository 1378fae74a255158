package prove

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"wirepatch/dataplane/internal/netns"
)

// curl has the real client say a harmless request to the vulnerable server, with
// the appliance in front of it and without, and counts whether it prints the same.
func (j *judge) curl(name string, e *entry) error {
	if len(e.requests) != 1 || e.why != "" {
		return nil
	}
	args, ok := e.requests[0].curlArgs()
	if !ok {
		return nil
	}
	var bad failure
	for i := 0; ; i++ {
		got, err := j.through.run(args, e.requests[0].body)
		if err != nil {
			return err
		}
		want, err := j.alone.run(args, e.requests[0].body)
		if err != nil {
			return err
		}
		if j.p.alike(&got, &want) {
			break
		}
		if i > 0 { // twice in a row: it is no accident of the server's
			bad = failure{how: []string{"by curl"}, got: got, want: want}
			break
		}
	}
	j.r.count(false, len(bad.how) == 0)
	if len(bad.how) > 0 {
		j.fail(&trial{name: name, steps: []step{{send: e.requests[0].bytes()}}}, false, &bad)
	}
	return nil
}

// curlArgs are those with which curl sends the request; false when it cannot.
func (r *request) curlArgs() ([]string, bool) {
	if r.before+r.colon+r.eol != "" || r.has("Transfer-Encoding") || r.has("Expect") || r.has("Upgrade") || strings.ContainsAny(r.target, " \t\r\n") {
		return nil, false
	}
	args := []string{"-sS", "-i", "--noproxy", "*", "--max-time", strconv.Itoa(int(patience.Seconds())), "--request-target", r.target}
	switch {
	case r.method == "HEAD" && r.body == "":
		args = append(args, "--head")
	case r.method == "HEAD":
		return nil, false
	default:
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
	return append(args, "http://"+netns.Server4+":"+strconv.Itoa(port)+"/"), true
}

// run has curl run at the client's end of the world. How it ended is the answer's end.
func (w *world) run(args []string, body string) (a answer, err error) {
	var out, errs bytes.Buffer
	c := exec.CommandContext(w.ctx, "curl", args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(body), &out, &errs
	if err := w.bed.Client.Start(c); err != nil {
		return a, fmt.Errorf("start curl: %w", err)
	}
	if err := c.Wait(); err != nil {
		a.end = strings.TrimSpace(errs.String())
	}
	a.got = out.Bytes()
	a.exited = !w.server.alive()
	return a, w.mend(&a)
}
