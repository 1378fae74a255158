package prove

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// chromium is Debian's browser at the client's end of a world, with one page. It is
// led through a pair of pipes, so that all that it does on the network is what
// pages do.
type chromium struct {
	c       *exec.Cmd
	profile string // folder, which it takes away when it ends
	to      *os.File
	from    *os.File
	lines   *bufio.Reader
	session string // of the page
	calls   int
}

// openChromium starts the browser in a namespace. Its page has the address of the
// server and comes from here: scripts in it may ask the server whatever they like,
// and no policy of the server's stands in their way.
func openChromium(ctx context.Context, ns *netns.NS, profile, base string) (*chromium, error) {
	theirs, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	from, back, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	b := &chromium{profile: profile, to: to, from: from, lines: bufio.NewReaderSize(from, 64<<10)}
	b.c = exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
		"--no-proxy-server", "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests", "--user-data-dir="+profile)
	b.c.ExtraFiles = []*os.File{theirs, back} // 3 and 4
	b.c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = ns.Start(b.c)
	theirs.Close()
	back.Close()
	if err != nil {
		return nil, fmt.Errorf("start chromium: %w; make setup installs it", err)
	}
	if err := b.open(base + "/page-of-the-browser"); err != nil {
		b.close()
		return nil, fmt.Errorf("chromium: %w", err)
	}
	return b, nil
}

// open opens the page.
func (b *chromium) open(address string) error {
	var target struct {
		ID      string `json:"targetId"`
		Session string `json:"sessionId"`
	}
	if err := b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return err
	}
	if err := b.call("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &target); err != nil {
		return err
	}
	b.session = target.Session
	if err := b.call("Fetch.enable", map[string]any{"patterns": []any{map[string]any{"urlPattern": address}}}, nil); err != nil {
		return err
	}
	if err := b.call("Page.enable", nil, nil); err != nil {
		return err
	}
	if err := b.send("Page.navigate", map[string]any{"url": address}); err != nil {
		return err
	}
	var request struct {
		ID string `json:"requestId"`
	}
	if err := b.await("Fetch.requestPaused", &request); err != nil {
		return err
	}
	const page = "PCFkb2N0eXBlIGh0bWw+PGxpbmsgcmVsPWljb24gaHJlZj0iZGF0YTosIj4=" // <!doctype html><link rel=icon href="data:,">
	if err := b.send("Fetch.fulfillRequest", map[string]any{"requestId": request.ID, "responseCode": 200, "body": page,
		"responseHeaders": []any{map[string]string{"name": "Content-Type", "value": "text/html"}}}); err != nil {
		return err
	}
	if err := b.await("Page.loadEventFired", nil); err != nil {
		return err
	}
	if err := b.call("Fetch.disable", nil, nil); err != nil {
		return err
	}
	_, err := b.evaluate(socket + ";''")
	return err
}

// evaluate has an expression evaluated in the page: what it promises, a text.
func (b *chromium) evaluate(expression string) (string, error) {
	var v struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
		Exception struct {
			Object struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &v); err != nil {
		return "", err
	}
	if d := v.Exception.Object.Description; d != "" {
		return "", errors.New(d)
	}
	text, ok := v.Result.Value.(string)
	if !ok {
		return "", fmt.Errorf("the script gave %v; want a text", v.Result.Value)
	}
	return text, nil
}

// call has a command carried out, and reads its result.
func (b *chromium) call(method string, params, result any) error {
	if err := b.send(method, params); err != nil {
		return err
	}
	return b.read(func(m *message) bool { return m.ID == b.calls }, result)
}

// await waits for an event.
func (b *chromium) await(event string, params any) error {
	return b.read(func(m *message) bool { return m.Method == event }, params)
}

// message is what the browser says: the result of a command, or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (b *chromium) send(method string, params any) error {
	b.calls++
	m := map[string]any{"id": b.calls, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	return err
}

// read reads messages up to one that is wanted, or one that says that the last
// command failed.
func (b *chromium) read(wanted func(*message) bool, v any) error {
	b.from.SetReadDeadline(time.Now().Add(2 * patience))
	for {
		line, err := b.lines.ReadBytes(0)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			return err
		}
		if m.Error != nil && m.ID == b.calls {
			return errors.New(m.Error.Message)
		}
		if !wanted(&m) {
			continue
		}
		if v == nil {
			return nil
		}
		if m.ID != 0 {
			return json.Unmarshal(m.Result, v)
		}
		return json.Unmarshal(m.Params, v)
	}
}

// close ends the browser with all its processes.
func (b *chromium) close() {
	syscall.Kill(-b.c.Process.Pid, syscall.SIGKILL)
	b.c.Wait()
	b.to.Close()
	b.from.Close()
	// Processes of it that are not quite gone may still write there. Once the folder is
	// away they cannot, and whoever lent it can remove what is around it.
	for end := time.Now().Add(10 * time.Second); os.RemoveAll(b.profile) != nil && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
}

// browser is the world's, started when it is first needed.
func (w *world) browser() (*chromium, error) {
	if w.chromium != nil {
		return w.chromium, nil
	}
	b, err := openChromium(w.ctx, w.bed.Client, filepath.Join(w.host.TempDir(), "profile"), address)
	if err != nil {
		return nil, err
	}
	w.chromium = b
	w.host.Cleanup(b.close)
	return b, nil
}
