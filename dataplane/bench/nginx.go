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
)

// nginxConf answers as the bench's own server does: with a word on the mark.
const nginxConf = `
user root;
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 100000000;
	map $http_%[2]s $word { "" gone; default kept; }
	server {
		listen %[3]d backlog=8192;
		location / { return 200 "$word%[4]s"; }
	}
}
`

func hasNginx() bool {
	_, err := exec.LookPath("nginx")
	return err == nil
}

// startNginx starts nginx in the server's namespace and waits until it listens.
func (h *host) startNginx(n *netns.NS) {
	dir := h.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	header := strings.ReplaceAll(strings.ToLower(load.Mark), "-", "_")
	text := fmt.Sprintf(nginxConf, dir, header, load.NginxPort, strings.Repeat(".", 252))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		h.Fatal(err)
	}
	c := exec.Command("nginx", "-p", dir, "-c", conf)
	h.start(n, c, "getrlimit")
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
	if err := started(h.ctx, log, ready); err != nil {
		h.Fatalf("start %s: %v", filepath.Base(c.Path), err)
	}
}
