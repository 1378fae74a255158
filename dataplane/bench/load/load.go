// Package load makes the load of the wire's measurements and answers it: an
// HTTP client and an HTTP server that do next to nothing for each request, on
// one thread each, so that the wire's share of a request is as large as it can
// get. They run as processes of their own at the ends of a bed; command bench
// tells the client what to do, in lines of JSON.
package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Kinds of load.
const (
	Stream   = "stream"   // Connections fetch bodies of Bytes, each on a connection of its own
	Requests = "requests" // one request after the other on each of Connections
	Connects = "connects" // a connection for each request
	PingPong = "pingpong" // 64 bytes there and back, on one connection, one at a time
	Exchange = "exchange" // the same as HTTP
	Packets  = "packets"  // datagrams of 64 bytes one way, as many as go
	Idle     = "idle"     // Connections that stay open, each after one request; 0 closes them
)

// Ports of the server.
const (
	EchoPort  = 7
	SinkPort  = 9    // UDP, which no box looks into
	PlainPort = 8080 // HTTP that no box looks into
	HTTPPort  = 80
	NginxPort = 81 // nginx's, not the server's here
)

// Order is what a client is to do.
type Order struct {
	Kind        string
	Address     string // IPv4 address of the server
	Port        int
	Connections int
	Bytes       int64
	Marked      bool // every request bears the header that the box removes
	Duration    time.Duration
}

// Result is what came of it.
type Result struct {
	Count    int64         // requests, connections or round trips that were completed, or packets that arrived
	Bytes    int64         // of bodies
	Elapsed  time.Duration //
	P50, P99 time.Duration // of round trips
	Longest  time.Duration // that a request waited for its answer, of Requests
	Kept     int64         // requests that arrived at the server with the header
	Error    string
}

// Agent does what the lines of in say until in ends. A server says when it
// listens.
func Agent(role string, in io.Reader, out io.Writer) error {
	answers := json.NewEncoder(out)
	switch role {
	case "client":
		c := &client{}
		lines := json.NewDecoder(bufio.NewReader(in))
		for {
			var o Order
			if err := lines.Decode(&o); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			r, err := c.do(o)
			if err != nil {
				r.Error = err.Error()
			}
			if err := answers.Encode(r); err != nil {
				return err
			}
		}
	case "server":
		s, err := newServer()
		if err != nil {
			return err
		}
		go func() {
			io.Copy(io.Discard, in)
			os.Exit(0)
		}()
		if err := answers.Encode(Result{}); err != nil {
			return err
		}
		return s.run()
	}
	return fmt.Errorf("unknown agent %q", role)
}
