package update

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/firmware/pack"
	"wirepatch/firmware/repo"
	"wirepatch/firmware/uki"
)

// stub is a small EFI program for the firmware of the tests: the smallest that
// sections can be added to.
func stub(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/stub.efi")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// author is a repository with its keys.
type author struct {
	*testing.T
	*repo.Repo
	now time.Time
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	a := &author{T: t, now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	a.Repo = &repo.Repo{Dir: filepath.Join(dir, "repo"), Keys: repo.Keys(filepath.Join(dir, "keys")), Now: func() time.Time { return a.now },
		Threshold: map[string]int{"root": 2, "firmware": 2}}
	for role, names := range map[string]string{"root": "a b c", "targets": "a", "firmware": "a b", "definitions": "a", "snapshot": "a", "timestamp": "a"} {
		for n := range strings.FieldsSeq(names) {
			a.must(a.Keys.Make(role, n))
		}
	}
	a.must("", a.Init())
	return a
}

func (a *author) must(_ string, err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *author) firmware(board, version string) {
	a.Helper()
	image, err := uki.Add(stub(a.T), uki.Section{Name: uki.OSRelease, Data: uki.About{Version: version, Board: board}.Text()},
		uki.Section{Name: uki.Linux, Data: bytes.Repeat([]byte(version), 100_000)})
	if err != nil {
		a.Fatal(err)
	}
	file := filepath.Join(a.TempDir(), "f.efi")
	a.must("", os.WriteFile(file, image, 0o644))
	a.must(a.AddFirmware(file))
	a.must("", a.Publish())
}

func (a *author) definitions(revision int) {
	a.Helper()
	file := filepath.Join(a.TempDir(), "d.tar")
	f, err := os.Create(file)
	if err != nil {
		a.Fatal(err)
	}
	p := pack.Pack{Revision: revision, Files: map[string][]byte{"WP-1/patch.yaml": fmt.Appendf(nil, "id: WP-1\nrevision: %d\n", revision)}}
	a.must("", errors.Join(p.Write(f), f.Close()))
	a.must(a.AddDefinitions(file))
	a.must("", a.Publish())
}

func (a *author) bundle() string {
	a.Helper()
	file := filepath.Join(a.TempDir(), "x.update")
	f, err := os.Create(file)
	if err != nil {
		a.Fatal(err)
	}
	a.must("", errors.Join(a.Bundle(f), f.Close()))
	return file
}

// box returns a client that trusts the author's first root.
func (a *author) box() *Client {
	a.Helper()
	root, err := os.ReadFile(filepath.Join(a.Dir, "metadata", "1.root.json"))
	if err != nil {
		a.Fatal(err)
	}
	return &Client{Root: root, Dir: a.TempDir(), Board: "box", Version: "1.0.0", Revision: 3, Now: func() time.Time { return a.now }}
}

// web serves the repository.
func (a *author) web() *Web {
	a.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(a.Dir)))
	a.Cleanup(s.Close)
	w, err := NewWeb(s.URL, "")
	if err != nil {
		a.Fatal(err)
	}
	return w
}

func (a *author) open(file string) *Bundle {
	a.Helper()
	b, err := OpenBundle(file)
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() { b.Close() })
	return b
}

func code(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return fmt.Sprint(err)
}

// TestCheck finds the newest for this board in a repository on the web and in a
// file, and brings it.
func TestCheck(t *testing.T) {
	a := newAuthor(t)
	for _, v := range []string{"0.9.0", "1.10.0", "1.9.0"} {
		a.firmware("box", v)
	}
	a.firmware("other", "3.0.0")
	a.definitions(7)
	for name, s := range map[string]Source{"web": a.web(), "file": a.open(a.bundle())} {
		c := a.box()
		o, err := c.Check(t.Context(), s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o.Firmware == nil || o.Firmware.Version != "1.10.0" || o.Definitions == nil || o.Definitions.Revision != 7 {
			t.Fatalf("%s: Check = %+v; want firmware 1.10.0 and definitions 7", name, o)
		}
		for _, i := range []*Item{o.Firmware, o.Definitions} {
			var told int64
			file, err := c.Download(t.Context(), s, i, func(n int64) { told = n })
			if err != nil || told != i.Bytes || Verify(file, i) != nil {
				t.Errorf("%s: Download(%s) = %v, told of %d bytes; want all %d", name, i.Name, err, told, i.Bytes)
			}
			if i == o.Definitions {
				dir, err := c.InstallDefinitions(file, i)
				if err == nil {
					err = c.Use(7, 3)
				}
				if in, rev := InUse(c.Dir, 3); err != nil || in != dir || rev != 7 {
					t.Errorf("%s: in use are %s, %d after %v; want %s, 7", name, in, rev, err, dir)
				}
				if in, rev := InUse(c.Dir, 8); in != "" || rev != 8 {
					t.Errorf("%s: in use are %s, %d; want those of an image that has newer ones", name, in, rev)
				}
			}
		}
	}
}

// TestRefusals: what must not be taken is not, and each says why.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		want string
		says string
		do   func(a *author, c *Client) error
	}{
		{BadSignature, "not signed by keys that this box trusts", func(a *author, c *Client) error {
			foreign := newAuthor(a.T)
			foreign.firmware("box", "2.0.0")
			_, err := c.Check(a.Context(), foreign.open(foreign.bundle()))
			return err
		}},
		{BadSignature, "not signed by keys that this box trusts", func(a *author, c *Client) error {
			// The keys for definitions sign firmware.
			a.Keys = swapKeys(a.T, a.Keys)
			a.firmware("box", "2.0.0")
			_, err := c.Check(a.Context(), a.web())
			return err
		}},
		{BadSignature, "not signed by keys that this box trusts", func(a *author, c *Client) error {
			// One signature of two.
			a.must("", os.Remove(filepath.Join(string(a.Keys), "firmware-b.key")))
			a.firmware("box", "2.0.0")
			_, err := c.Check(a.Context(), a.web())
			return err
		}},
		{Expired, "has expired", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			a.now = a.now.Add(61 * 24 * time.Hour)
			_, err := c.Check(a.Context(), a.web())
			return err
		}},
		{Older, "older than what this box has seen already", func(a *author, c *Client) error {
			// A mirror that goes back in time.
			a.firmware("box", "2.0.0")
			old := a.bundle()
			a.firmware("box", "2.1.0")
			if _, err := c.Check(a.Context(), a.web()); err != nil {
				return err
			}
			_, err := c.Check(a.Context(), a.open(old))
			return err
		}},
		{Older, "has firmware 1.0.0; this box runs 1.0.0", func(a *author, c *Client) error {
			a.firmware("box", "1.0.0")
			o, err := c.Check(a.Context(), a.open(a.bundle()))
			return errors.Join(err, c.Useless(o))
		}},
		{Older, "has definitions 3; this box has 3", func(a *author, c *Client) error {
			a.definitions(3)
			o, err := c.Check(a.Context(), a.open(a.bundle()))
			return errors.Join(err, c.Useless(o))
		}},
		{WrongBoard, "for board other; this box is a box", func(a *author, c *Client) error {
			a.firmware("other", "2.0.0")
			o, err := c.Check(a.Context(), a.open(a.bundle()))
			return errors.Join(err, c.Useless(o))
		}},
		{CutShort, "cut short", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			return cut(a, a.bundle(), 2)
		}},
		{CutShort, "cut short", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			return cut(a, a.bundle(), 1000)
		}},
		{TooLarge, "larger than it may be", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			return tamper(a, c, func(b []byte) []byte { return append(b, "more"...) })
		}},
		{CutShort, "cut short", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			return tamper(a, c, func(b []byte) []byte { return b[:len(b)-1] })
		}},
		{Damaged, "not what was signed: it is damaged", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			return tamper(a, c, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}},
		{Damaged, "this file is no update", func(a *author, c *Client) error {
			file := filepath.Join(a.TempDir(), "text")
			a.must("", os.WriteFile(file, []byte(strings.Repeat("no update\n", 200)), 0o644))
			_, err := OpenBundle(file)
			return err
		}},
		{Unreachable, "cannot be read", func(a *author, c *Client) error {
			s := httptest.NewServer(nil)
			s.Close()
			w, err := NewWeb(s.URL, "")
			a.must("", err)
			_, err = c.Check(a.Context(), w)
			return err
		}},
		{NoRoom, "not enough room", func(a *author, c *Client) error {
			a.firmware("box", "2.0.0")
			o, err := c.Check(a.Context(), a.web())
			a.must("", err)
			o.Firmware.Bytes = 1 << 60
			_, err = c.Download(a.Context(), a.web(), o.Firmware, func(int64) {})
			return err
		}},
	} {
		a := newAuthor(t)
		c := a.box()
		err := tt.do(a, c)
		if code(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("refused with %q, %v; want %s, %q", code(err), err, tt.want, tt.says)
		}
		if left, _ := filepath.Glob(filepath.Join(c.Dir, "targets", "wirepatch_*")); len(left) > 0 {
			t.Errorf("%s: %q is there to be installed", tt.want, left)
		}
	}
}

// swapKeys returns a folder in which the keys for definitions play firmware's.
func swapKeys(t *testing.T, k repo.Keys) repo.Keys {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(string(k))); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "firmware-b.key"))
	if err := os.Rename(filepath.Join(dir, "definitions-a.key"), filepath.Join(dir, "firmware-a.key")); err != nil {
		t.Fatal(err)
	}
	return repo.Keys(dir)
}

// cut offers all but the last part of the file.
func cut(a *author, file string, of int64) error {
	a.Helper()
	st, err := os.Stat(file)
	a.must("", err)
	a.must("", os.Truncate(file, st.Size()-st.Size()/of))
	b, err := OpenBundle(file)
	if err == nil {
		b.Close()
	}
	return err
}

// tamper changes the firmware's file in the repository.
func tamper(a *author, c *Client, change func([]byte) []byte) error {
	a.Helper()
	all, err := filepath.Glob(filepath.Join(a.Dir, "targets", "firmware", "box", "*"))
	a.must("", err)
	b, err := os.ReadFile(all[0])
	a.must("", err)
	a.must("", os.WriteFile(all[0], change(b), 0o644))
	o, err := c.Check(a.Context(), a.web())
	a.must("", err)
	_, err = c.Download(a.Context(), a.web(), o.Firmware, func(int64) {})
	return err
}

// TestResume: a download that broke off goes on where it was.
func TestResume(t *testing.T) {
	a := newAuthor(t)
	a.firmware("box", "2.0.0")
	c, w := a.box(), a.web()
	o, err := c.Check(t.Context(), w)
	a.must("", err)
	broken := &breaking{Source: w, after: 300_000}
	if _, err := c.Download(t.Context(), broken, o.Firmware, func(int64) {}); code(err) != Unreachable {
		t.Fatalf("Download over a line that breaks = %v; want %s", err, Unreachable)
	}
	broken.after = 0
	if _, err := c.Download(t.Context(), broken, o.Firmware, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	if broken.from == 0 {
		t.Error("the second try began at 0; want where the first broke off")
	}
}

type breaking struct {
	Source
	after, from int64
}

func (b *breaking) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	b.from = offset
	r, err := b.Source.Open(ctx, path, offset)
	if err != nil || b.after == 0 {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, b.after), failing{}), r}, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// TestRotation: keys change, root's among them, and a box that was asleep
// meanwhile follows.
func TestRotation(t *testing.T) {
	a := newAuthor(t)
	c := a.box()
	keys := func(name string) string { return filepath.Join(string(a.Keys), name+".key") }
	for _, r := range []struct{ role, out, in string }{{"root", "a", "d"}, {"root", "b", "e"}, {"timestamp", "a", "b"}, {"firmware", "a", "c"}} {
		a.must("", os.Rename(keys(r.role+"-"+r.out), keys("old-"+r.role+r.out)))
		a.must(a.Keys.Make(r.role, r.in))
		a.must("", a.Rotate(r.role))
		a.must("", a.Repo.Check())
	}
	a.firmware("box", "2.0.0")
	for range 2 {
		o, err := c.Check(t.Context(), a.web())
		if err != nil || o.Firmware == nil {
			t.Fatalf("Check after rotations = %+v, %v; want 2.0.0", o, err)
		}
	}
	a.must("", os.Remove(keys("root-c")))
	a.must("", os.Remove(keys("root-d")))
	a.must("", os.Remove(keys("old-rootb")))
	a.must(a.Keys.Make("root", "f"))
	a.must("", a.Rotate("root"))
	if err := a.Repo.Check(); err == nil {
		t.Error("a root that too few old keys signed passes Check; want an error")
	}
	if _, err := c.Check(t.Context(), a.web()); code(err) != BadSignature {
		t.Errorf("a box takes it: %v; want %s", err, BadSignature)
	}
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte("metadata/timestamp.json"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file := filepath.Join(t.TempDir(), "b")
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := OpenBundle(file)
		if err != nil {
			return
		}
		defer s.Close()
		(&Client{Root: []byte("{}"), Dir: t.TempDir(), Now: time.Now}).Check(t.Context(), s)
	})
}
