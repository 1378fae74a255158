package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/dataplane/internal/nginx"
)

const nginxBackend = `
	client_max_body_size 20m;
	absolute_redirect off;
	gzip on;
	gzip_types text/plain application/json;
	types { text/html html; text/plain txt; application/json json; text/css css; text/javascript js; image/svg+xml svg; }
	server {
		listen 127.0.0.1:9080;
		root %[1]s/www;
		location = /echo { add_header Set-Cookie "a=1; Path=/"; return 200 "$request_method $args\n"; }
		location = /go { return 302 /small.html; }
		location /put/ { root %[1]s; dav_methods PUT; create_full_put_path on; }
	}`

const apacheBackend = `
ServerRoot %[1]s
ServerName a.example
PidFile %[1]s/pid
ErrorLog /dev/stderr
LogLevel notice
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
TypesConfig /dev/null
AddType text/html .html
AddType application/json .json
AddType text/css .css
AddType text/javascript .js
AddType image/svg+xml .svg
AddOutputFilterByType DEFLATE text/html application/json
Listen 127.0.0.1:9081
User www-data
Group www-data
DocumentRoot %[1]s/www
Redirect /go /small.html
KeepAlive On
MaxKeepAliveRequests 0
`

const nodeBackend = `
const zlib = require('zlib'), fs = require('fs');
require('http').createServer((q, r) => {
  let n = 0;
  q.on('data', d => n += d.length);
  q.on('end', () => {
    const path = decodeURIComponent(q.url.split('?')[0]), file = __dirname + '/www' + path;
    if (q.method === 'GET' && fs.existsSync(file) && fs.statSync(file).isFile()) {
      const type = {html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', json: 'application/json'}[path.split('.').pop()];
      r.writeHead(200, {'Content-Type': type || 'application/octet-stream', 'X-Powered-By': 'test', 'Last-Modified': fs.statSync(file).mtime.toUTCString()});
      return fs.createReadStream(file).pipe(r);
    }
    if (/^\/(debian|modules|npm)\//.test(path)) { r.writeHead(404); return r.end(); }
    if (path === '/go') { r.writeHead(301, {Location: '/small.html'}); return r.end('<p>Moved. <a href="/small.html">here</a></p>'); }
    if (path === '/chunks') { for (let i = 0; i < 5; i++) r.write('part ' + i + '\n'); return r.end(); }
    r.setHeader('Content-Type', 'application/json');
    r.setHeader('Set-Cookie', ['a=1; HttpOnly', 'b=2']);
    const body = JSON.stringify({method: q.method, url: q.url, got: n, type: q.headers['content-type']});
    if (/gzip/.test(q.headers['accept-encoding'] || '')) { r.setHeader('Content-Encoding', 'gzip'); return r.end(zlib.gzipSync(body)); }
    r.end(body);
  });
}).listen(9082, '127.0.0.1', () => console.error('listening'));
`

// webServers are real ones, by port of the service.
var webServers = []struct {
	port    int
	name    string
	ready   string
	command func(dir string) (*exec.Cmd, error) // that serves the folder
}{
	{80, "nginx", nginx.Ready, func(dir string) (*exec.Cmd, error) { return nginx.Command(dir, fmt.Sprintf(nginxBackend, dir)) }},
	{81, "apache2", "resuming normal operations", func(dir string) (*exec.Cmd, error) {
		conf := filepath.Join(dir, "apache.conf")
		return exec.Command("apache2", "-DFOREGROUND", "-f", conf), os.WriteFile(conf, fmt.Appendf(nil, apacheBackend, dir), 0o644)
	}},
	{82, "node", "listening", func(dir string) (*exec.Cmd, error) {
		program := filepath.Join(dir, "server.js")
		return exec.Command("node", program), os.WriteFile(program, []byte(nodeBackend), 0o644)
	}},
}

// site makes the folder of a web server.
func site(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "site") // readable by others, which t.TempDir's parent need not be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	www := filepath.Join(dir, "www")
	if err := os.MkdirAll(www, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	for name, text := range map[string]string{
		"small.html": "<p>small <a href=\"/x\">x</a></p>\n", "data.json": `{"items":[` + strings.Repeat(`{"id":1,"class.name":"a"},`, 400) + `{}]}`,
		"page.html": strings.Repeat("<p>a page that compresses</p>\n", 2000),
	} {
		if err := os.WriteFile(filepath.Join(www, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(www, "big.bin"), content(3<<20), 3<<20)
	offerPages(t, www)
	offerPackages(t, www)
	return dir
}

// allCorrect copies the firmware's definitions and returns the folder, and
// settings in which each of them is to correct, in all services.
func allCorrect(t *testing.T) (folder, settings string) {
	t.Helper()
	folder = t.TempDir()
	list, err := filepath.Glob("../../definitions/WP-*")
	if err != nil || len(list) < 10 {
		t.Fatalf("%d definitions, %v; want those of the firmware", len(list), err)
	}
	if err := os.CopyFS(filepath.Join(folder, "protocols"), os.DirFS("../../definitions/protocols")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range webServers {
		fmt.Fprintf(&b, "[service %s]\naddress = 10.77.0.2\nport = %d\nproduct = %[1]s\n", s.name, s.port)
	}
	for _, from := range list {
		id := filepath.Base(from)
		if err := os.CopyFS(filepath.Join(folder, id), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "[patch %s]\nmode = correct\n", id)
	}
	return folder, b.String()
}

// TestHarmlessIsIdentical: ten thousand exchanges of real clients and servers,
// with every definition set to correct, and what each end sent is what the other got.
func TestHarmlessIsIdentical(t *testing.T) {
	definitions, settings := allCorrect(t)
	b := newBoxWith(t, "tcx", settings, definitions)
	near, far := &recorder{seen: map[string]*tally{}}, &recorder{seen: map[string]*tally{}}
	for i, s := range webServers {
		c, err := s.command(site(t))
		if err != nil {
			t.Fatal(err)
		}
		p := startProcess(t, b.Server, c, s.ready)
		t.Cleanup(func() { p.end(t, syscall.SIGTERM) }) // apache2 ends its children then
		far.record(t, b.Server, fmt.Sprintf("%s:%d", netns.Server4, s.port), fmt.Sprintf("127.0.0.1:%d", 9080+i), true)
		near.record(t, b.Client, fmt.Sprintf("127.0.0.1:%d", 8000+i), fmt.Sprintf("%s:%d", netns.Server4, s.port), false)
	}
	files := t.TempDir()
	exchanges := 0
	for i, s := range webServers {
		t.Logf("exchanges with %s", s.name)
		url := fmt.Sprintf("http://127.0.0.1:%d", 8000+i)
		exchanges += browse(t, b.Client, url, files)
		exchanges += surf(t, b.Client, url)
		exchanges += install(t, b.Client, url)
	}
	if exchanges < 10000 {
		t.Errorf("%d exchanges; want 10,000", exchanges)
	}
	t.Logf("%d exchanges", exchanges)
	compare(t, near, far)
	for _, d := range b.status(t).Definitions {
		if d.Corrections > 0 {
			t.Errorf("%s has corrected something %d times", d.ID, d.Corrections)
		}
		// Those that are made for one product are in force where that runs alone.
		if d.Error != "" || d.Mode != "correct" && (d.Mode != "off" || d.Only == "") {
			t.Errorf("%s is not in force: mode %s, %s", d.ID, d.Mode, d.Error)
		}
	}
	if st := b.status(t).Sessions; st.Reset != 0 || st.Passed != 0 || st.Total < 500 {
		t.Errorf("sessions = %+v; want hundreds, none reset, none passed", st)
	}
}

// runClient runs a client, which must succeed.
func runClient(t *testing.T, n *netns.NS, name string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &out
	err := n.Start(c)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// browse has the clients ask a server for all that they know, and returns how many
// exchanges that were.
func browse(t *testing.T, n *netns.NS, url, files string) int {
	t.Helper()
	body := func(name, text string) string {
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	form := body("form", "a=1&b=%23x&c[d]=2&user=%7Bname%7D&text="+strings.Repeat("word+", 300))
	data := body("json", `{"a":{"b":[1,2,{"c":"${amount}"}]},"d":"`+strings.Repeat("x", 2000)+`"}`)
	xml := body("xml", `<?xml version="1.0"?><a b="1">text<c/></a>`)
	upload := body("upload", strings.Repeat("0123456789abcdef", 10000))
	// More than the appliance holds of a body.
	binary := make([]byte, 700_000)
	rand.NewChaCha8([32]byte{1}).Read(binary)
	large := body("large", string(binary))
	largeData := body("large.json", `[{"text":"\u00e9\n"},"`+base64.StdEncoding.EncodeToString(binary)+`"]`)
	total := 0
	ab := func(count int, path string, args ...string) {
		out := runClient(t, n, "ab", append(append([]string{"-q", "-l", "-c", "8", "-n", fmt.Sprint(count)}, args...), url+path)...)
		holds(t, "ab "+path, out, []string{fmt.Sprintf("Complete requests:      %d", count)}, nil)
		total += count
	}
	ab(1500, "/small.html", "-k")
	ab(150, "/small.html")
	ab(400, "/data.json?class=a&q=x", "-k", "-H", "Accept-Encoding: gzip", "-C", "session=0123456789abcdef; theme=dark")
	ab(400, "/echo", "-k", "-p", form, "-T", "application/x-www-form-urlencoded")
	ab(400, "/echo", "-k", "-p", data, "-T", "application/json")
	fetch := func(count int, args ...string) {
		runClient(t, n, "curl", append([]string{"-sS", "--noproxy", "*", "--max-time", "120", "-o", "/dev/null"}, args...)...)
		total += count
	}
	fetch(200, url+"/page.html?n=[1-200]", "--compressed", "-A", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0")
	fetch(100, url+"/missing/%7Euser/a%20b/c%2fd/[1-100]?x%5B%5D=1&y=a+b%2B;z")
	fetch(100, url+"/small.html?[1-100]", "-H", "Accept: */*", "-H", "X-Forwarded-For: 192.0.2.1, 192.0.2.2", "-b", "a=1; b=\"2\"", "-e", "http://other.example/page")
	fetch(40, url+"/big.bin?[1-20]", "-L", url+"/go?[1-20]")
	fetch(50, url+"/page.html?[1-50]", "-r", "0-99,200-299,-50")
	fetch(50, url+"/echo?[1-50]", "-F", "name=value", "-F", "file=@"+upload+";type=text/plain")
	fetch(20, url+"/echo?[1-20]", "-H", "Expect: 100-continue", "-H", "Content-Type: application/json", "--data-binary", "@"+data)
	fetch(20, url+"/echo?[1-20]", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: text/xml", "--data-binary", "@"+xml)
	for _, more := range [][]string{nil, {"-H", "Transfer-Encoding: chunked"}} {
		fetch(5, append(more, url+"/echo?[1-5]", "-F", "name=value", "-F", "file=@"+large+";type=image/png")...)
		fetch(5, append(more, url+"/echo?[1-5]", "-H", "Content-Type: application/json", "--data-binary", "@"+largeData)...)
		fetch(5, append(more, url+"/put/[1-5]", "-T", large)...)
	}
	fetch(20, url+"/echo?[1-20]", "-X", "OPTIONS")
	fetch(20, url+"/small.html?[1-20]", "-I")
	fetch(10, url+"/put/[1-10]", "-T", upload)
	fetch(20, url+"/chunks?[1-20]", "-0")
	var list strings.Builder
	for i := range 100 {
		fmt.Fprintf(&list, "%s/small.html?w=%d\n", url, i)
	}
	runClient(t, n, "wget", "-q", "--no-proxy", "-O", "/dev/null", "-i", body("list", list.String()))
	return total + 100
}
