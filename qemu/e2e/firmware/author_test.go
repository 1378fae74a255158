package firmware

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/firmware/pack"
	"wirepatch/firmware/repo"
)

// author is an update repository with its keys, on a web server that machines
// reach.
type author struct {
	*testing.T
	*repo.Repo
	url   string // as a machine sees it
	files string // folder that is served beside the repository, below /files
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	dir := t.TempDir()
	a := &author{T: t, Repo: &repo.Repo{Dir: filepath.Join(dir, "repo"), Keys: repo.Keys(filepath.Join(dir, "keys")), Now: time.Now}, files: filepath.Join(dir, "files")}
	for _, role := range []string{"root", "targets", "firmware", "definitions", "snapshot", "timestamp"} {
		if _, err := a.Keys.Make(role, "a"); err != nil {
			t.Fatal(err)
		}
	}
	a.must(errors.Join(a.Init(), os.MkdirAll(a.files, 0o755)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	a.must(err)
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(a.Dir)))
	mux.Handle("/files/", http.StripPrefix("/files", http.FileServer(http.Dir(a.files))))
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	// What QEMU's network leads to this computer.
	a.url = fmt.Sprintf("http://10.0.2.2:%d", l.Addr().(*net.TCPAddr).Port)
	return a
}

func (a *author) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// trusting returns what a firmware that trusts this author has beside a plain one.
func (a *author) trusting(settings string) []cpio.Record {
	a.Helper()
	return a.trustingWith(quick + settings)
}

// trustingWith is trusting without the haste.
func (a *author) trustingWith(settings string) []cpio.Record {
	a.Helper()
	root, err := a.Root()
	a.must(err)
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "images", "appliance.ini"))
	a.must(err)
	return []cpio.Record{
		cpio.StaticFile("etc/wirepatch/root.json", string(root), 0o644),
		cpio.StaticFile("etc/wirepatch/appliance.ini", string(text)+settings, 0o644),
	}
}

// offer publishes a firmware and returns it.
func (a *author) offer(v variant) []byte {
	a.Helper()
	image := v.build(a)
	file := filepath.Join(a.TempDir(), "f.efi")
	a.must(os.WriteFile(file, image, 0o644))
	_, err := a.AddFirmware(file)
	a.must(errors.Join(err, a.Publish()))
	return image
}

// offerDefinitions publishes those of this source, with one more change.
func (a *author) offerDefinitions(revision int) {
	a.Helper()
	p, err := pack.Collect(os.DirFS(filepath.Join("..", "..", "..", "definitions")), revision)
	a.must(err)
	a.must(a.offerPack(p))
}

func (a *author) offerPack(p *pack.Pack) error {
	a.Helper()
	file := filepath.Join(a.TempDir(), "d.tar")
	f, err := os.Create(file)
	a.must(err)
	a.must(errors.Join(p.Write(f), f.Close()))
	_, err = a.AddDefinitions(file)
	return errors.Join(err, a.Publish())
}

// file puts the newest state as one file beside the repository, changed by harm,
// and returns its address.
func (a *author) file(to *author, name string, harm func([]byte) []byte) string {
	a.Helper()
	var b bytes.Buffer
	a.must(a.Bundle(&b))
	out := b.Bytes()
	if harm != nil {
		out = harm(out)
	}
	a.must(os.WriteFile(filepath.Join(to.files, name), out, 0o644))
	return to.url + "/files/" + name
}

// fetch brings a file onto the machine's data partition.
func (m *machine) fetch(url string) string {
	m.Helper()
	path := "/data/" + url[strings.LastIndexByte(url, '/')+1:]
	m.run("wget -O " + path + " " + url)
	return path
}
