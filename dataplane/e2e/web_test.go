package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// nginxConf serves files, and echoes what the definitions are about.
const nginxConf = `
user root;
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr notice;
events { worker_connections 256; }
http {
	access_log off;
	sendfile on;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	client_max_body_size 200m;
	keepalive_requests 100000;
	server {
		listen %[2]s:80;
		listen %[2]s:81;
		listen %[2]s:8080;
		listen [%[3]s]:80;
		listen [%[3]s]:8080;
		root %[1]s;
		location = /echo { return 200 "removed=[$http_x_removed] kept=[$http_x_kept]\n"; }
		location = /answer { add_header X-Answer short; return 200 "body\n"; }
		location = /refused { return 200 "the server has seen it\n"; }
		location /put/ { dav_methods PUT; create_full_put_path on; }
		location = /plain { return 200 "plain\n"; }
	}
}
`

// startNginx starts nginx in the server's namespace and returns its folder.
func startNginx(t *testing.T, n *netns.NS) string {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, netns.Server4, netns.Server6), 0o644); err != nil {
		t.Fatal(err)
	}
	startProcess(t, n, exec.Command("nginx", "-p", dir, "-c", conf), "getrlimit")
	return dir
}

// curl runs curl in the client's namespace and returns what it printed.
func curl(t *testing.T, n *netns.NS, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command("curl", append([]string{"-sS", "--noproxy", "*", "--max-time", "120"}, args...)...)
	c.Stdout, c.Stderr = &out, &errs
	err := n.Start(c)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		t.Errorf("curl %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// holds reports what a text lacks, or should lack.
func holds(t *testing.T, what, text string, want, not []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q:\n%s", what, w, text)
		}
	}
	for _, w := range not {
		if strings.Contains(text, w) {
			t.Errorf("%s holds %q; want it not to:\n%s", what, w, text)
		}
	}
}

// writeFile fills a file with n bytes of r.
func writeFile(t *testing.T, path string, r io.Reader, n int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, r, n); err != nil {
		t.Fatal(err)
	}
}
