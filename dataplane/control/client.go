package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Bounds of what a Client takes.
const (
	maxAnswer = 32 << 20 // bytes of an answer
	maxError  = 4 << 10  // bytes of an error's text
)

// Client asks the dataplane. It is safe for concurrent use.
type Client struct {
	path string
	http *http.Client
}

// Dial returns a client for the socket at path. It connects when it is asked
// something, and again after the dataplane was restarted.
func Dial(path string) *Client {
	d := net.Dialer{Timeout: 5 * time.Second}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		},
		MaxIdleConns:           4,
		IdleConnTimeout:        maxWait,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true,
	}}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks for the state of the wire.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.do(ctx, answerTime, http.MethodGet, "/v1/status", &s)
}

// Events asks for events with an ID above since, at most 500, oldest first. If
// there is none it waits for one, up to a minute; an empty answer is no error.
func (c *Client) Events(ctx context.Context, since uint64, wait time.Duration) ([]Event, error) {
	var e []Event
	wait = min(max(wait, 0), maxWait)
	seconds := int((wait + time.Second - 1) / time.Second)
	path := fmt.Sprintf("/v1/events?since=%d&wait=%d", since, seconds)
	return e, c.do(ctx, wait+answerTime, http.MethodGet, path, &e)
}

// Reload has the dataplane read settings and definitions anew.
func (c *Client) Reload(ctx context.Context) error {
	return c.do(ctx, reloadTime, http.MethodPost, "/v1/reload", nil)
}

func (c *Client) do(ctx context.Context, limit time.Duration, method, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://dataplane"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask dataplane at %s: %w", c.path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		return fmt.Errorf("dataplane: %s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(text)))
	}
	if into == nil {
		return nil
	}
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("dataplane: read answer to %s %s: %w", method, path, err)
	}
	return nil
}
