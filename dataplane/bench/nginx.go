package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"wirepatch/dataplane/bench/load"
	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/internal/nginx"
)

// nginxConf answers as the bench's own server does: with a word on the mark.
const nginxConf = `
	map $http_%[1]s $word { "" gone; default kept; }
	server {
		listen %[2]d backlog=8192;
		location / { return 200 "$word%[3]s"; }
	}`

func hasNginx() bool {
	_, err := exec.LookPath("nginx")
	return err == nil
}

// startNginx starts nginx in the server's namespace and waits until it listens.
func (h *host) startNginx(n *netns.NS) {
	header := strings.ReplaceAll(strings.ToLower(load.Mark), "-", "_")
	c, err := nginx.Command(h.TempDir(), fmt.Sprintf(nginxConf, header, load.NginxPort, strings.Repeat(".", 252)))
	if err != nil {
		h.Fatal(err)
	}
	h.start(n, c, nginx.Ready)
}

// start starts a program in a namespace and waits until it logs a line with
// ready in it. It is ended by end.
func (h *host) start(n *netns.NS, c *exec.Cmd, ready string) {
	log, w, err := os.Pipe()
	if err != nil {
		h.Fatal(err)
	}
	c.Stderr, c.SysProcAttr = w, ownGroup
	err = n.Start(c)
	w.Close()
	if err != nil {
		log.Close()
		h.Fatalf("start %s: %v", c.Path, err)
	}
	h.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { c.Process.Kill() })
		defer late.Stop()
		c.Wait()
		log.Close()
	})
	if err := started(h.Ctx, log, ready); err != nil {
		h.Fatalf("start %s: %v", filepath.Base(c.Path), err)
	}
}
