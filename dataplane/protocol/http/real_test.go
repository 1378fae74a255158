package http

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/session"
)

// between listens on loopback and carries each connection to the server
// through a decoder of its own.
func between(t *testing.T, server string, rules protocol.Rules) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() { l.Close(); done.Wait() })
	done.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { carry(t, client, server, rules) })
		}
	})
	return "http://" + l.Addr().String()
}

// carry moves one connection's bytes until both directions have ended.
func carry(t *testing.T, client net.Conn, server string, rules protocol.Rules) {
	defer client.Close()
	back, err := net.Dial("tcp", server)
	if err != nil {
		t.Error(err)
		return
	}
	defer back.Close()
	var mu sync.Mutex
	w := newWire(t, rules, Options{})
	sent := [2]int{}
	ends := [2]net.Conn{session.ToServer: back, session.ToClient: client}
	pump := func(dir session.Direction, from net.Conn) {
		buf := make([]byte, 3000)
		for {
			n, err := from.Read(buf)
			mu.Lock()
			w.feed(dir, string(buf[:n]), err != nil)
			for d, to := range ends {
				to.Write(w.Out(session.Direction(d))[sent[d]:])
				sent[d] = len(w.Out(session.Direction(d)))
			}
			ended := w.End
			mu.Unlock()
			if err != nil {
				ends[dir].(*net.TCPConn).CloseWrite()
				return
			}
			if ended != session.Continue {
				client.Close()
				back.Close()
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { pump(session.ToServer, client) })
	both.Go(func() { pump(session.ToClient, back) })
	both.Wait()
}

func realServer(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s bad=%q body=%q", r.Method, r.URL, r.Header.Values("X-Bad"), body)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { // chunked: longer than the buffer
		for i := range 3000 {
			fmt.Fprintf(w, "line %d of a body that takes a while\n", i)
		}
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, rw)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// A real client and a real server with the decoder between them.
func TestRealPrograms(t *testing.T) {
	server := realServer(t)
	url := between(t, server, ruleSet{removeX, rejectBad,
		when("request.body", "evil", protocol.Set, set("value", "replaced by something longer"))})
	transport := &http.Transport{ExpectContinueTimeout: time.Hour} // a 100 has to come
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	do := func(method, path, body string, header ...string) (int, string) {
		t.Helper()
		var in io.Reader
		if body != "" {
			in = struct{ io.Reader }{strings.NewReader(body)} // of unknown length: chunked
		}
		req, err := http.NewRequest(method, url+path, in)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return resp.StatusCode, string(got)
	}
	check := func(status int, got string, wantStatus int, want string) {
		t.Helper()
		if status != wantStatus || got != want {
			t.Errorf("got %d %q; want %d %q", status, got, wantStatus, want)
		}
	}
	for range 3 {
		status, got := do("GET", "/echo?a=b", "", "X-Bad", "1", "X-Bad", "2")
		check(status, got, 200, `GET /echo?a=b bad=[] body=""`)
		status, got = do("GET", "/bad", "")
		check(status, got, 403, "no!")
		status, got = do("HEAD", "/bad", "")
		check(status, got, 403, "")
		status, got = do("POST", "/bad", "some body")
		check(status, got, 403, "no!")
		status, got = do("POST", "/echo", "this is evil")
		check(status, got, 200, `POST /echo bad=[] body="replaced by something longer"`)
		status, got = do("PUT", "/echo", "harmless", "Expect", "100-continue")
		check(status, got, 200, `PUT /echo bad=[] body="harmless"`)
		_, big := do("GET", "/big", "")
		if straight := fetch(t, "http://"+server+"/big"); sha256.Sum256([]byte(big)) != sha256.Sum256(straight) {
			t.Errorf("/big differs: %d bytes; straight %d", len(big), len(straight))
		}
	}
}

func fetch(t *testing.T, url string) []byte {
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRealUpgrade(t *testing.T) {
	url := between(t, realServer(t), ruleSet{removeX, rejectBad})
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /upgrade HTTP/1.1\r\nHost: h\r\nX-Bad: 1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	br := bufio.NewReader(c)
	if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v; want 101", resp, err)
	}
	frame := []byte(bad + "\x00\xff not HTTP any more")
	c.Write(frame)
	got := make([]byte, len(frame))
	if _, err := io.ReadFull(br, got); err != nil || !bytes.Equal(got, frame) {
		t.Errorf("echo: %q, %v; want %q", got, err, frame)
	}
}
