package http

import (
	"strings"
	"testing"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

const browserRequest = "GET /assets/app.js?v=17 HTTP/1.1\r\nHost: portal.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\n" +
	"Accept: */*\r\nAccept-Language: en\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: https://portal.example/\r\n" +
	"Cookie: session=0123456789abcdef; theme=dark\r\nConnection: keep-alive\r\n\r\n"

const serverResponse = "HTTP/1.1 200 OK\r\nServer: portal\r\nDate: Tue, 04 Mar 2025 05:06:07 GMT\r\nContent-Type: text/plain\r\n" +
	"Cache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"

// quiet is a rule set that asks for kinds, looks at every element and never
// corrects.
type quiet []string

func (q quiet) Wants(kind string) bool {
	for _, k := range q {
		if k == kind {
			return true
		}
	}
	return false
}

func (q quiet) Match(m *protocol.Message) []protocol.Correction {
	for i := range m.Elements {
		if f := m.Elements[i].Field("name"); f != nil && f.Value == "x-bad" {
			return []protocol.Correction{{}}
		}
	}
	return nil
}

func benchmarkKeepAlive(b *testing.B, rules protocol.Rules) {
	d := New(rules, protocol.Conn{}, Options{})
	request, response := []byte(browserRequest), []byte(serverResponse)
	b.ReportAllocs()
	b.SetBytes(int64(len(request) + len(response)))
	for b.Loop() {
		up := d.Inspect(session.ToServer, request, false)
		down := d.Inspect(session.ToClient, response, false)
		if up.Release != int64(len(request)) || down.Release != int64(len(response)) {
			b.Fatalf("released %d and %d", up.Release, down.Release)
		}
	}
}

// TestSteadyPathAllocatesNothing: messages that no rule corrects cost no memory,
// and elements are made only where rules ask for their kind.
func TestSteadyPathAllocatesNothing(t *testing.T) {
	for _, rules := range []quiet{{}, {"request.line", "request.header"}, {"request.line", "request.header", "response.line", "response.header"},
		{"request.body", "request.json", "request.form", "request.part", "request.chunk", "request.trailer"}} {
		d := New(rules, protocol.Conn{}, Options{})
		request, response := []byte(browserRequest), []byte(serverResponse)
		exchange := func() {
			d.Inspect(session.ToServer, request, false)
			d.Inspect(session.ToClient, response, false)
		}
		exchange()
		if n := testing.AllocsPerRun(200, exchange); n != 0 {
			t.Errorf("rules on %v: %v allocations for an exchange; want none", rules, n)
		}
	}
}

func BenchmarkKeepAliveNoRules(b *testing.B) { benchmarkKeepAlive(b, quiet{}) }
func BenchmarkKeepAliveRequestRules(b *testing.B) {
	benchmarkKeepAlive(b, quiet{"request.line", "request.header"})
}
func BenchmarkKeepAliveAllRules(b *testing.B) {
	benchmarkKeepAlive(b, quiet{"request.line", "request.header", "response.line", "response.header"})
}

// BenchmarkBytewise feeds a request byte by byte, all of it shown each time.
func BenchmarkBytewise(b *testing.B) {
	d := New(quiet{"request.header"}, protocol.Conn{}, Options{MaxOutstanding: 1 << 30})
	request := []byte(strings.Replace(browserRequest, "Cookie: ", "Cookie: "+strings.Repeat("c", 4000), 1))
	b.SetBytes(int64(len(request)))
	for b.Loop() {
		for i := 1; i <= len(request); i++ {
			d.Inspect(session.ToServer, request[:i], false)
		}
		d.Inspect(session.ToClient, []byte(serverResponse), false)
	}
}
