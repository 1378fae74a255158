package demo

import (
	"fmt"
	"strings"
)

// step is one part of the demonstration.
type step struct {
	title      string
	flaw       string // the vulnerability, "" for the harmless request
	definition string
	request    string
	prepare    string                 // a request before it, whose cookie and token the request carries
	shown      []string               // headers of the request that matter
	telling    func(a *answer) string // the part of the answer that matters
	after      string                 // a request that must work on the same connection
	alike      bool                   // straight and through must answer alike, bit for bit
}

const host = "Host: portal.example\r\n"

var front = "GET / HTTP/1.1\r\n" + host + "\r\n"

// steps is the demonstration.
var steps = []step{
	{
		title:      "A field of a request is corrected; its length changes",
		flaw:       "CVE-2023-26125",
		definition: "WP-2023-26125",
		request:    "GET /docs HTTP/1.1\r\n" + host + "X-Forwarded-Prefix: https://evil.example\r\n\r\n",
		shown:      []string{"X-Forwarded-Prefix"},
		telling:    field("Location"),
	},
	{
		title:      "A request is answered with the server's own kind of error",
		flaw:       "CVE-2025-24358",
		definition: "WP-2025-24358",
		prepare:    "GET /form HTTP/1.1\r\n" + host + "\r\n",
		request: "POST /publish HTTP/1.1\r\n" + host + "Origin: http://evil.example\r\n{credentials}" +
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nnote=forged",
		shown:   []string{"Origin"},
		telling: func(a *answer) string { return strings.TrimSpace(a.Body) },
		after:   front,
	},
	{
		title:      "A response is corrected",
		flaw:       "CVE-2023-29401",
		definition: "WP-2023-29401",
		request:    "GET /download?name=setup.bat%22%3Bdummy%3D%22.txt HTTP/1.1\r\n" + host + "\r\n",
		telling:    field("Content-Disposition"),
	},
	{
		title: "A harmless request passes bit for bit",
		request: "POST /echo HTTP/1.1\r\nhost: portal.example\r\nX-odd-Case:   kept  \r\nTransfer-Encoding: chunked\r\n\r\n" +
			"5;ext=1\r\nwhole\r\n006\r\n words\r\n0\r\n\r\n",
		shown:   []string{"X-odd-Case", "Transfer-Encoding"},
		telling: func(a *answer) string { return fmt.Sprintf("%d bytes", len(a.raw)) },
		alike:   true,
	},
}

// field returns what tells one header of an answer.
func field(name string) func(*answer) string {
	return func(a *answer) string { return name + ": " + a.header(name) }
}

// outcome is what came of one step on one way.
type outcome struct {
	sent   string // the request, credentials filled in
	answer *answer
	rest   *answer // of step.after, nil if there is none
}

// run sends the step's requests on p.
func (s *step) run(p *peer) (*outcome, error) {
	o := &outcome{sent: s.request}
	if s.prepare != "" {
		a, err := p.ask(s.prepare)
		if err != nil {
			return nil, err
		}
		o.sent = strings.Replace(s.request, "{credentials}", credentials(a), 1)
	}
	var err error
	if o.answer, err = p.ask(o.sent); err != nil {
		return nil, err
	}
	if s.after != "" {
		if o.rest, err = p.ask(s.after); err != nil {
			return nil, fmt.Errorf("the next request on the same connection: %w", err)
		}
	}
	return o, nil
}

// credentials returns the header lines with which a visitor whom a served
// who it is: the cookie and the form's token.
func credentials(a *answer) string {
	cookie, _, _ := strings.Cut(a.header("Set-Cookie"), ";")
	return "Cookie: " + cookie + "\r\nX-CSRF-Token: " + a.header("X-CSRF-Token") + "\r\n"
}
