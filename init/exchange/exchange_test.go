package exchange

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/board/keeper"
	"wirepatch/board/sealed"
)

const (
	passphrase = "correct horse"
	byDefault  = "[appliance]\nhostname = fresh\n"
	old        = "; mine\n[appliance]\nhostname = old\n"
)

// bench is a box whose management program keeps one text.
type bench struct {
	Box
	page   string
	refuse error
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{page: "users of " + text}
	dir := t.TempDir()
	b.Data, b.Secret = dir, t.TempDir()
	b.Keeper = &keeper.Keeper{Owner: filepath.Join(dir, "appliance.ini"), Default: filepath.Join(dir, "default.ini"), Folder: filepath.Join(dir, "settings"), Now: time.Now}
	b.Page = func(how, who string, in io.Reader, out io.Writer) error {
		if how == "export" {
			_, err := io.WriteString(out, b.page)
			return err
		}
		text, err := io.ReadAll(in)
		if how == "import" && b.refuse == nil {
			b.page = string(text)
		}
		return errors.Join(err, b.refuse)
	}
	for name, text := range map[string]string{"default.ini": byDefault, "appliance.ini": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) want(t *testing.T, text, page string) {
	t.Helper()
	if now, err := b.Keeper.Current(); err != nil || now.Text != text || b.page != page {
		t.Errorf("the box has %q and %q, %v; want %q and %q", now.Text, b.page, err, text, page)
	}
}

func TestExchange(t *testing.T) {
	from, to := newBench(t, old), newBench(t, byDefault)
	file, err := from.Export(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, []byte("users of")) {
		t.Error("the export can be read without its passphrase")
	}
	if err := to.Stage("anna", passphrase, file); err != nil {
		t.Fatal(err)
	}
	to.want(t, byDefault, "users of "+byDefault)
	// The power goes before it is done to the end: once more.
	staged, err := os.ReadFile(filepath.Join(to.Data, Staged))
	key, err2 := os.ReadFile(to.keyPath())
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(staged, []byte("users of")) {
		t.Error("the page's part lies open in the data folder while it waits")
	}
	for range 2 {
		if err := errors.Join(os.WriteFile(filepath.Join(to.Data, Staged), staged, 0o600), os.WriteFile(to.keyPath(), key, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(to.TakeSettings(), to.TakeSettings(), to.TakePage()); err != nil {
			t.Fatal(err)
		}
		to.want(t, old, "users of "+old)
	}
	if Waiting(to.Data) {
		t.Error("the import still waits after it was taken")
	}
	if left, err := os.ReadDir(to.Secret); err != nil || len(left) > 0 {
		t.Errorf("of the import %v is left among the secrets, %v", left, err)
	}
	h, err := to.Keeper.History()
	if err != nil || len(h) != 1 || h[0].Who != "anna" || !strings.Contains(h[0].Reason, "import") || h[0].Text != byDefault {
		t.Errorf("History = %+v, %v; want what was there before the import, once", h, err)
	}
	if err := errors.Join(to.TakeSettings(), to.TakePage()); err != nil {
		t.Errorf("without an import: %v", err)
	}
}

// TestKeyRefused: an import whose key was changed is given up, whatever lies in the
// place of the key.
func TestKeyRefused(t *testing.T) {
	from := newBench(t, old)
	file, err := from.Export(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	for name, harm := range map[string]func(path string) error{
		"another key": func(p string) error { return os.WriteFile(p, make([]byte, keySize), 0o600) },
		"too long":    func(p string) error { return os.WriteFile(p, make([]byte, 1<<20), 0o600) },
		"a pipe":      func(p string) error { return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o600)) },
		"a link":      func(p string) error { return errors.Join(os.Rename(p, p+".x"), os.Symlink(p+".x", p)) },
		"nothing":     os.Remove,
	} {
		b := newBench(t, byDefault)
		if err := errors.Join(b.Stage("anna", passphrase, file), harm(b.keyPath()), b.TakeSettings()); err != nil {
			t.Fatal(err)
		}
		if err := b.TakePage(); err == nil {
			t.Errorf("TakePage with %s for a key = nil; want an error", name)
		}
		b.want(t, old, "users of "+byDefault)
		if Waiting(b.Data) {
			t.Errorf("with %s for a key the import waits on for ever", name)
		}
	}
}

func TestRefused(t *testing.T) {
	from := newBench(t, old)
	file, err := from.Export(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	seal := func(change func(*export)) []byte {
		e := export{about: about{Format: 1}, settings: old}
		change(&e)
		plain, err := e.pack()
		if err != nil {
			t.Fatal(err)
		}
		out, err := sealed.Seal(passphrase, plain)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	strange, err := sealed.Seal(passphrase, []byte("nonsense"))
	if err != nil {
		t.Fatal(err)
	}
	harmed := bytes.Clone(file)
	harmed[len(harmed)/2] ^= 1
	for name, tt := range map[string]struct {
		passphrase string
		file       []byte
		page       error
		want       string
	}{
		"a wrong passphrase":  {"wrong horse!", file, nil, "the passphrase is wrong"},
		"a changed file":      {passphrase, harmed, nil, "damaged or was changed"},
		"another file":        {passphrase, []byte("hello"), nil, "no file of exported settings"},
		"later firmware's":    {passphrase, seal(func(e *export) { e.Format = 99 }), nil, "update this box first"},
		"faulty settings":     {passphrase, seal(func(e *export) { e.settings = "[appliance]\nhostnme = x\n" }), nil, "hostnme"},
		"strange content":     {passphrase, strange, nil, "update this box first"},
		"a page that refuses": {passphrase, file, errors.New("users: none"), "users: none"},
	} {
		b := newBench(t, byDefault)
		b.refuse = tt.page
		if err := b.Stage("anna", tt.passphrase, tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Stage of %s = %v; want %q", name, err, tt.want)
		}
		if Waiting(b.Data) {
			t.Errorf("Stage of %s left an import", name)
		}
		b.want(t, byDefault, "users of "+byDefault)
	}
}

func FuzzUnpack(f *testing.F) {
	e := export{about: about{Format: 1}, settings: old}
	plain, err := e.pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, plain []byte) {
		if e, err := unpack(plain); err == nil {
			e.text()
		}
	})
}
