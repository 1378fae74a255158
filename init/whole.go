package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/init/exchange"
)

const settingsProgram = "/bin/settings"

// whole is the box as the keeper's socket exports and imports it.
type whole struct{ *box }

func (w whole) Export(ctx context.Context, passphrase string) (*os.File, error) {
	return w.runSettings(ctx, passphrase, nil, "collect")
}

func (w whole) Import(ctx context.Context, who, passphrase string, file *os.File) error {
	if w.onlyInMemory() {
		return keeper.ErrCannot
	}
	out, err := w.runSettings(ctx, passphrase, file, "stage", who)
	if err != nil {
		return err
	}
	out.Close()
	w.reboot("import of settings asked for by " + who)
	return nil
}

// onlyInMemory says whether there is no data partition.
func (b *box) onlyInMemory() bool {
	var s unix.Statfs_t
	return unix.Statfs(dataFolder, &s) != nil || s.Type == unix.TMPFS_MAGIC
}

// takeImport takes one part of an import that waits: the settings before they are
// read, the management page's before that is served.
func (b *box) takeImport(part string) {
	if !exchange.Waiting(dataFolder) {
		return
	}
	out, err := b.runSettings(context.Background(), "", nil, part)
	if err != nil {
		b.journal.Logf("settings: import: %v", err)
		return
	}
	out.Close()
	b.journal.Logf("settings: the import is in force: %s", part)
}

// The parts, as commands of the program settings.
const (
	takeSettings = "take-settings"
	takePage     = "take-page"
)

// runSettings runs the program settings, with a passphrase on its standard input and a
// file as its third; one at a time, for each takes much memory. It returns what the
// child writes.
func (b *box) runSettings(ctx context.Context, passphrase string, file *os.File, args ...string) (*os.File, error) {
	b.children.Lock()
	defer b.children.Unlock()
	out, err1 := keeper.Memory("out")
	said, err2 := keeper.Memory("said")
	in, feed, err3 := os.Pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	defer in.Close()
	defer said.Close()
	// A pipe holds more than the longest passphrase.
	_, err := io.WriteString(feed, passphrase)
	if err := errors.Join(err, feed.Close()); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	c := exec.Command(settingsProgram, args...)
	c.Env = []string{"PATH=/bin", "HOME=/", "TMPDIR=/tmp"}
	c.Stdin, c.Stdout, c.Stderr = in, out, said
	if file != nil {
		c.ExtraFiles = []*os.File{file}
	}
	status, err := b.runChild(ctx, c)
	if err == nil && status == 0 {
		_, err = out.Seek(0, io.SeekStart)
		return out, err
	}
	if err == nil {
		err = errors.New(words(said))
	}
	return nil, errors.Join(err, out.Close())
}

// words is what a child said last, at most a few lines.
func words(f *os.File) string {
	const most = 2000
	b := make([]byte, most)
	n, _ := f.ReadAt(b, 0)
	if text := strings.TrimSpace(string(b[:n])); text != "" {
		return text
	}
	return "it failed and did not say why"
}

// asChild is what the program settings does for init.
func asChild(args []string) error {
	passphrase, err := io.ReadAll(io.LimitReader(os.Stdin, keeper.MaxPassphrase+1))
	if err != nil {
		return err
	}
	b := exchange.Box{Data: dataFolder, Secret: mgmtFolder, Keeper: keeper.New(settings.DataFolder), Page: pagePart}
	switch args[0] {
	case "collect":
		file, err := b.Export(string(passphrase))
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(file)
		return err
	case "stage":
		file, err := io.ReadAll(os.NewFile(3, "import"))
		if err != nil {
			return err
		}
		return b.Stage(args[1], string(passphrase), file)
	case takeSettings:
		return b.TakeSettings()
	default:
		return b.TakePage()
	}
}

// pagePart runs the management program on its part, with no more rights than it
// has when it serves the page.
func pagePart(how, who string, in io.Reader, out io.Writer) error {
	c := exec.Command(confinePath, mgmt.Args(mgmtPath, "-data", mgmtFolder, "-carry", how, "-who", who)...)
	c.Env = []string{"PATH=/bin", "HOME=/", "TMPDIR=" + mgmtFolder}
	var said strings.Builder
	c.Stdin, c.Stdout, c.Stderr = in, out, &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("management page's part: %s", strings.TrimSpace(said.String()+" "+err.Error()))
	}
	return nil
}
