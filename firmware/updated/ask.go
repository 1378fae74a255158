package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"wirepatch/firmware/update"
)

var errUsage = errors.New("usage: updated status | check | install | upload FILE")

// ask asks the running program something and prints the answer.
func ask(ctx context.Context, socket string, args []string, out io.Writer) error {
	method, path, body := http.MethodPost, "/v1/"+args[0], io.Reader(nil)
	switch {
	case args[0] == "status" && len(args) == 1:
		method = http.MethodGet
	case (args[0] == "check" || args[0] == "install") && len(args) == 1:
	case args[0] == "upload" && len(args) == 2:
		f, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer f.Close()
		path, body = path+"?restart=yes", f
	default:
		return errUsage
	}
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://updated"+path, body)
	if err != nil {
		return err
	}
	if f, ok := body.(*os.File); ok {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		req.ContentLength = st.Size()
	}
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("ask updated: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var r update.Refusal
		if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
			return fmt.Errorf("ask updated: %s: %w", resp.Status, err)
		}
		return fmt.Errorf("refused (%s): %s", r.Code, r.Text)
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
