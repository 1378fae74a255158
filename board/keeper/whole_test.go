package keeper

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/board/socket"
)

// wholeBox keeps what it was asked.
type wholeBox struct {
	asked []string
	file  []byte
}

func (w *wholeBox) Export(_ context.Context, passphrase string) (*os.File, error) {
	f, err := Memory("test")
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(f, strings.Repeat("sealed with "+passphrase, 10_000))
	return f, err
}

func (w *wholeBox) Import(_ context.Context, who, passphrase string, file *os.File) (err error) {
	if passphrase != "right" {
		return errors.New("the passphrase is wrong")
	}
	w.asked = append(w.asked, "import "+who)
	w.file, err = io.ReadAll(file)
	return err
}

func TestWhole(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := socket.Listen(path, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go b.Serve(t.Context(), l)
	c, ctx := Client{path}, t.Context()

	var got bytes.Buffer
	if err := c.Export(ctx, "right", &got); !errors.Is(err, ErrCannot) {
		t.Errorf("Export of a box that keeps nothing = %v; want %v", err, ErrCannot)
	}
	w := new(wholeBox)
	b.Box = w
	if err := c.Export(ctx, "right", &got); err != nil || got.Len() != 10_000*len("sealed with right") {
		t.Errorf("Export gave %d bytes, %v", got.Len(), err)
	}
	if err := c.Import(ctx, "anna", "wrong", bytes.NewReader(got.Bytes()), int64(got.Len())); !errors.Is(err, ErrImport) || !strings.Contains(err.Error(), "passphrase is wrong") {
		t.Errorf("Import = %v; want %v and why", err, ErrImport)
	}
	if err := c.Import(ctx, "anna", "right", bytes.NewReader(nil), 1<<40); !errors.Is(err, ErrImport) {
		t.Errorf("Import of too much = %v; want %v", err, ErrImport)
	}
	if err := c.Import(ctx, "anna", "right", bytes.NewReader(got.Bytes()), int64(got.Len())); err != nil || !bytes.Equal(w.file, got.Bytes()) {
		t.Errorf("Import = %v with %d bytes; want the %d that were exported", err, len(w.file), got.Len())
	}
	if len(w.asked) != 1 || w.asked[0] != "import anna" {
		t.Errorf("the box was asked %q", w.asked)
	}
}

// The way back leads to what was in force, and is itself kept.
func TestBack(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := socket.Listen(path, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go b.Serve(t.Context(), l)
	c := Client{path}
	if err := b.write(t, second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Back(t.Context(), 1, "bert"); err != nil {
		t.Fatal(err)
	}
	b.inForce(t, first)
	h, err := c.History(t.Context())
	if err != nil || len(h) != 2 || h[0].Text != second || h[0].Who != "bert" || !strings.Contains(h[0].Reason, "back to number 1") {
		t.Errorf("History = %+v, %v; want who went back, and from what", h, err)
	}
	if _, err := c.Back(t.Context(), 99, "bert"); err == nil {
		t.Error("Back to a number that there is not = nil; want an error")
	}
}
