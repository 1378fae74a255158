package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// offerPages puts a page with all that a page has into a web server's folder.
// Its script asks one after the other, and marks the page at its end.
func offerPages(t *testing.T, www string) {
	t.Helper()
	var page strings.Builder
	page.WriteString(`<!doctype html><meta charset=utf-8><title>page</title><link rel=stylesheet href=/style.css?1><script src=/part.js></script>`)
	for i := range browserImages {
		fmt.Fprintf(&page, "<img src=/dot.svg?%d alt=dot>", i)
	}
	page.WriteString(`<iframe src=/small.html></iframe><script>
const ask = (method, url, body, headers = {}) => {
  const x = new XMLHttpRequest();
  x.open(method, url, false);
  for (const name in headers) x.setRequestHeader(name, headers[name]);
  x.send(body);
  return x.status;
};
document.cookie = 'theme=dark; path=/';
document.cookie = 'session=' + 'x'.repeat(200) + '; path=/';
let done = 0;
const all = [...Array(20).keys()];
for (const i of all) {
  const form = new FormData();
  form.append('name', 'value ' + i);
  form.append('file', new Blob(['text '.repeat(100)], {type: 'text/plain'}), 'f.txt');
  ask('GET', '/data.json?n=' + i + '&q=a%20b%2Bc'); done++;
  ask('POST', '/echo?form=' + i, form); done++;
  ask('POST', '/echo?pairs=' + i, new URLSearchParams({a: 'b c', 'd[e]': '1', 'f.g': '\u00fc'})); done++;
  ask('POST', '/echo?json=' + i, JSON.stringify({a: [1, {b: '}'}], c: '"'}), {'Content-Type': 'application/json', 'X-Requested-With': 'XMLHttpRequest'}); done++;
  ask('POST', '/echo?text=' + i, 'plain', {'Content-Type': 'text/plain'}); done++;
  ask('POST', '/echo?nothing=' + i); done++;
}
document.body.append('asked ' + done);
</script>`)
	for name, text := range map[string]string{
		"browse.html": page.String(), "style.css": "body { background: url(/dot.svg?css) }", "part.js": "window.part = 1",
		"dot.svg": `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`,
	} {
		if err := os.WriteFile(filepath.Join(www, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const browserImages, browserAsks = 30, 120

// surf has Chromium look at the page and returns how many exchanges that were.
func surf(t *testing.T, n *netns.NS, url string) int {
	t.Helper()
	// Not the test's own folder: processes that outlive Chromium write there for a
	// moment, and a folder of a test that cannot be removed fails it.
	dir, err := os.MkdirTemp("", "surf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	out := runClient(t, n, "timeout", "300", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
		"--user-data-dir="+dir, "--dump-dom", url+"/browse.html")
	holds(t, "what Chromium made of the page at "+url, out, []string{fmt.Sprintf("asked %d", browserAsks)}, nil)
	return browserImages + browserAsks + 4
}

// offerPackages makes a web server's folder one from which apt, npm and Go install.
func offerPackages(t *testing.T, www string) {
	t.Helper()
	write := func(name string, b []byte) {
		path := filepath.Join(www, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var list strings.Builder
	sum := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	for i := range aptPackages {
		deb := bytes.Repeat([]byte("package "), 1000+i)
		name := fmt.Sprintf("pool/thing%d_1+1_all.deb", i)
		write("debian/"+name, deb)
		fmt.Fprintf(&list, "Package: thing%d\nVersion: 1+1\nArchitecture: all\nMaintainer: a <a@a.example>\nFilename: %s\nSize: %d\nSHA256: %s\nDescription: a thing\n\n",
			i, name, len(deb), sum(deb))
	}
	packed := gzipped(t, []byte(list.String()))
	write("debian/dists/stable/main/binary-amd64/Packages.gz", packed)
	write("debian/dists/stable/main/binary-amd64/Packages", []byte(list.String()))
	write("debian/dists/stable/Release", fmt.Appendf(nil, "Suite: stable\nCodename: stable\nComponents: main\nArchitectures: amd64 all\nDate: Sun, 06 Nov 2022 08:49:37 UTC\nSHA256:\n"+
		" %s %d main/binary-amd64/Packages.gz\n %s %d main/binary-amd64/Packages\n", sum(packed), len(packed), sum([]byte(list.String())), list.Len()))

	var tarball bytes.Buffer
	tw := tar.NewWriter(&tarball)
	text := `{"name":"thing","version":"1.0.0"}`
	if err := tw.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	tw.Write([]byte(text))
	tw.Close()
	write("npm/thing-1.0.0.tgz", gzipped(t, tarball.Bytes()))
	write("npm/thing", []byte(`{"name":"thing","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"thing","version":"1.0.0","dist":{"tarball":"http://registry.example/npm/thing-1.0.0.tgz"}}}}`))

	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	mod := "module a.example/thing\n\ngo 1.20\n"
	for name, text := range map[string]string{"go.mod": mod, "thing.go": "package thing\n"} {
		w, err := zw.Create("a.example/thing@v1.0.0/" + name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	zw.Close()
	write("modules/a.example/thing/@v/v1.0.0.info", []byte(`{"Version":"v1.0.0"}`))
	write("modules/a.example/thing/@v/v1.0.0.mod", []byte(mod))
	write("modules/a.example/thing/@v/v1.0.0.zip", z.Bytes())
	write("modules/a.example/thing/@v/list", []byte("v1.0.0\n"))
}

const aptPackages = 20

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// install has package managers fetch what offerPackages has made, and returns how
// many exchanges that were, at least.
func install(t *testing.T, n *netns.NS, url string) int {
	t.Helper()
	dir := t.TempDir()
	run := func(env []string, name string, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		c := exec.Command(name, args...)
		c.Dir, c.Env = dir, append(os.Environ(), append(env, "HOME="+dir, "http_proxy=", "HTTP_PROXY=", "no_proxy=*")...)
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
	for _, d := range []string{"lists/partial", "cache/archives/partial", "etc", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(dir, 0o755)
	sources := filepath.Join(dir, "sources.list")
	if err := os.WriteFile(sources, []byte("deb [trusted=yes arch=amd64] "+url+"/debian stable main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	apt := []string{"-o", "Dir::Etc::sourcelist=" + sources, "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::Etc::main=-", "-o", "Dir::Etc::parts=-", "-o", "Dir::State::lists=" + dir + "/lists",
		"-o", "Dir::State=" + dir + "/state", "-o", "Dir::State::status=" + dir + "/status", "-o", "Dir::Cache=" + dir + "/cache", "-o", "Acquire::http::Proxy=DIRECT", "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64"}
	run(nil, "apt-get", append(apt, "update")...)
	var names []string
	for i := range aptPackages {
		names = append(names, fmt.Sprintf("thing%d", i))
	}
	run(nil, "apt-get", append(append(apt, "download"), names...)...)
	if got, _ := filepath.Glob(filepath.Join(dir, "thing*.deb")); len(got) != aptPackages {
		t.Errorf("apt-get has fetched %d packages; want %d", len(got), aptPackages)
	}
	npm := []string{"--registry", url + "/npm/", "--cache", dir + "/npm", "--replace-registry-host=always", "--no-audit", "--no-fund", "--no-update-notifier"}
	run(nil, "npm", append([]string{"install", "thing"}, npm...)...)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "thing", "package.json")); err != nil {
		t.Errorf("npm: %v", err)
	}
	out := run([]string{"GOPROXY=" + url + "/modules", "GONOSUMDB=*", "GONOSUMCHECK=1", "GOFLAGS=-modcacherw", "GOMODCACHE=" + dir + "/mod", "GOSUMDB=off", "GOTOOLCHAIN=local", "GO111MODULE=on"}, "go", "mod", "download", "-json", "a.example/thing@v1.0.0")
	holds(t, "go mod download", out, []string{"a.example/thing@v1.0.0"}, nil)
	return 2 + aptPackages + 2 + 3
}
