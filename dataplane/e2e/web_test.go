package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/internal/nginx"
)

// nginxConf serves files, and echoes what the definitions are about.
const nginxConf = `
	sendfile on;
	client_max_body_size 200m;
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
	}`

// startNginx starts nginx in the server's namespace and returns its folder.
func startNginx(t *testing.T, n *netns.NS) string {
	t.Helper()
	dir := t.TempDir()
	c, err := nginx.Command(dir, fmt.Sprintf(nginxConf, dir, netns.Server4, netns.Server6))
	if err != nil {
		t.Fatal(err)
	}
	startProcess(t, n, c, nginx.Ready)
	return dir
}

// curl runs curl in the client's namespace and returns what it printed.
func curl(t *testing.T, n *netns.NS, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command("curl", append([]string{"-sS", "--noproxy", "*", "--max-time", "600"}, args...)...)
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
