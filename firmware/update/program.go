package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Program is the running program updated, behind its socket.
type Program struct{ Socket string }

// maxStatus bounds an answer, bytes.
const maxStatus = 1 << 20

// statusTime is how long an answer to what is done at once may take, and
// startTime how long the program may take to be there: it starts anew when the
// settings change.
const (
	statusTime = 5 * time.Second
	startTime  = 20 * time.Second
)

// Status asks what runs, what is offered and what is being done.
func (p Program) Status(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	return p.ask(ctx, http.MethodGet, "/v1/status", nil, 0)
}

// Check has it look into the repository now.
func (p Program) Check(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime+statusTime)
	defer cancel()
	return p.ask(ctx, http.MethodPost, "/v1/check", nil, 0)
}

// Install has it put in the firmware that is offered, and restart.
func (p Program) Install(ctx context.Context) (*Status, error) {
	return p.ask(ctx, http.MethodPost, "/v1/install", nil, 0)
}

// Plan has it put in the firmware that is offered in the next window, or not.
func (p Program) Plan(ctx context.Context, wanted bool) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime+statusTime)
	defer cancel()
	if wanted {
		return p.ask(ctx, http.MethodPost, "/v1/install?when=window", nil, 0)
	}
	return p.ask(ctx, http.MethodPost, "/v1/install?when=never", nil, 0)
}

// Upload hands it an update file of so many bytes (0: not known). Definitions go
// live; firmware is put in and started when restart says so.
func (p Program) Upload(ctx context.Context, file io.Reader, size int64, restart bool) (*Status, error) {
	path := "/v1/upload"
	if restart {
		path += "?restart=yes"
	}
	return p.ask(ctx, http.MethodPost, path, file, size)
}

// ask returns the status, or a *Refusal as error.
func (p Program) ask(ctx context.Context, method, path string, body io.Reader, size int64) (*Status, error) {
	patience := startTime
	if method == http.MethodGet { // asked again and again anyway
		patience = 0
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return p.dial(ctx, patience)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://updated"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil && size > 0 {
		req.ContentLength = size
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("updated does not answer: %w", err)
	}
	defer resp.Body.Close()
	d := json.NewDecoder(io.LimitReader(resp.Body, maxStatus))
	if resp.StatusCode != http.StatusOK {
		r := new(Refusal)
		if err := d.Decode(r); err != nil || r.Code == "" {
			return nil, fmt.Errorf("updated answers %s", resp.Status)
		}
		return nil, r
	}
	s := new(Status)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("updated: read answer: %w", err)
	}
	return s, nil
}

// dial waits so long for a program that is not there yet.
func (p Program) dial(ctx context.Context, patience time.Duration) (net.Conn, error) {
	for end := time.Now().Add(patience); ; {
		c, err := new(net.Dialer).DialContext(ctx, "unix", p.Socket)
		away := errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
		if !away || time.Now().After(end) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
