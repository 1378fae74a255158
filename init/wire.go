package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"wirepatch/dataplane/control"
)

// dataplaneClient speaks to the dataplane over its socket.
var dataplaneClient = &http.Client{
	Timeout: 2 * time.Second,
	Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", control.Socket)
		},
		MaxIdleConns: 1,
	},
}

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 4 << 20

func ask(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://dataplane"+path, nil)
	if err != nil {
		return err
	}
	resp, err := dataplaneClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("dataplane: %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

func wireStatus(ctx context.Context) (*control.Status, error) {
	s := new(control.Status)
	return s, ask(ctx, "/v1/status", s)
}

// lastEvents returns the last n events, oldest first.
func lastEvents(ctx context.Context, n int) ([]control.Event, error) {
	s, err := wireStatus(ctx)
	if err != nil {
		return nil, err
	}
	since := uint64(0)
	if s.LastEvent > uint64(n) {
		since = s.LastEvent - uint64(n)
	}
	var all []control.Event
	return all, ask(ctx, fmt.Sprintf("/v1/events?since=%d", since), &all)
}

// attached says whether both wire ports carry the program.
func attached(s *control.Status) bool {
	if len(s.Ports) != 2 {
		return false
	}
	for _, p := range s.Ports {
		if p.Attach == "" {
			return false
		}
	}
	return true
}
