package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
	"wirepatch/board/sealed"
	"wirepatch/board/settings"
)

// Box is what is done with all that was set up on a box. Files are in memory and
// the callee's to read from their beginning.
type Box interface {
	// Export returns all that was set up, sealed with a passphrase.
	Export(ctx context.Context, passphrase string) (*os.File, error)
	// Import takes an export in place of what is there, from the restart on that
	// it brings about. One that is refused changes nothing.
	Import(ctx context.Context, who, passphrase string, file *os.File) error
}

// MaxPassphrase bounds a passphrase, in bytes.
const MaxPassphrase = 1024

// More errors that a client tells apart.
var (
	ErrCannot = errors.New("this box keeps no settings beyond power-off, so they cannot be reset, exported or imported")
	ErrImport = errors.New("nothing was imported")
)

func (k *Keeper) export(ctx context.Context, q request) (*os.File, int64, error) {
	switch {
	case k.Box == nil:
		return nil, 0, ErrCannot
	case len(q.Passphrase) > MaxPassphrase:
		return nil, 0, fmt.Errorf("the passphrase has more than %d bytes", MaxPassphrase)
	}
	f, err := k.Box.Export(ctx, q.Passphrase)
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

func (k *Keeper) importFile(ctx context.Context, q request, from io.Reader) error {
	switch {
	case k.Box == nil:
		return ErrCannot
	case q.Bytes < 0 || q.Bytes > sealed.MaxSize || len(q.Passphrase) > MaxPassphrase:
		return fmt.Errorf("%w: %w", ErrImport, sealed.ErrForm)
	}
	f, err := Memory("import")
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := io.Copy(f, from); err != nil || n != q.Bytes {
		return fmt.Errorf("%w: %w", ErrImport, errors.Join(sealed.ErrForm, err))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := k.Box.Import(ctx, q.Change.Who, q.Passphrase, f); err != nil {
		return fmt.Errorf("%w: %w", ErrImport, err)
	}
	return nil
}

// Memory returns a file that is on no disk.
func Memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Replace is for the start of the box: it puts a text in the place of what is in
// force, without applying it. What was in force is kept.
func (k *Keeper) Replace(text string, c Change) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := settings.Parse([]byte(text)); err != nil {
		return fmt.Errorf("%w: %w", ErrFault, err)
	}
	now, err := k.current()
	if err != nil {
		return err
	}
	if now.Text == text {
		return nil
	}
	return errors.Join(k.remember(now.Text, c), atomicfile.Write(k.Owner, []byte(text), 0o644))
}

// Export writes all that was set up, sealed with a passphrase.
func (c Client) Export(ctx context.Context, passphrase string, to io.Writer) error {
	_, err := c.exchange(ctx, request{Op: "export", Passphrase: passphrase}, nil, to)
	return err
}

// Import takes an export of so many bytes, and restarts the box.
func (c Client) Import(ctx context.Context, who, passphrase string, file io.Reader, size int64) error {
	_, err := c.exchange(ctx, request{Op: "import", Passphrase: passphrase, Bytes: size, Change: Change{Who: who}}, file, nil)
	return err
}

// Back puts an earlier file, by its number, into force again.
func (c Client) Back(ctx context.Context, number int, who string) (State, error) {
	now, err := c.Current(ctx)
	if err != nil {
		return now, err
	}
	r, err := c.Revision(ctx, number)
	if err != nil {
		return now, err
	}
	return c.Write(ctx, Change{Text: r.Text, Base: now.Sum, Who: who, Reason: fmt.Sprintf("back to number %d", number)})
}

// Revision returns one earlier file.
func (c Client) Revision(ctx context.Context, number int) (Revision, error) {
	all, err := c.History(ctx)
	if err != nil {
		return Revision{}, err
	}
	for _, r := range all {
		if r.Number == number {
			return r, nil
		}
	}
	return Revision{}, fmt.Errorf("there are no settings of number %d any more", number)
}
