// Package nginx starts nginx for tests and benchmarks: in the foreground, one
// process, with all its files in one folder.
package nginx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Ready is in the line that nginx logs when it listens.
const Ready = "getrlimit"

const frame = `
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
%[2]s
}
`

// Command writes nginx's configuration into a folder, with directives in its http
// block, and returns the command that starts it.
func Command(dir, directives string) (*exec.Cmd, error) {
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, frame, dir, directives), 0o644); err != nil {
		return nil, err
	}
	return exec.Command("nginx", "-p", dir, "-c", conf), nil
}
