package update

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
	"wirepatch/firmware/repo"
)

// spare is what stays free on the data partition, for the others on it.
const spare = 8 << 20

// Download brings an item onto the data partition and returns its file, verified.
// What an earlier try brought is not fetched again. progress is told how many
// bytes are there.
func (c *Client) Download(ctx context.Context, s Source, i *Item, progress func(int64)) (string, error) {
	file, err := c.download(ctx, s, i, progress)
	if err != nil {
		return "", judge(err)
	}
	return file, nil
}

func (c *Client) download(ctx context.Context, s Source, i *Item, progress func(int64)) (string, error) {
	dir := filepath.Join(c.Dir, "targets")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	done := filepath.Join(dir, filepath.Base(i.Name))
	if Verify(done, i) == nil {
		return done, nil
	}
	partial := filepath.Join(dir, fmt.Sprintf("%x.part", i.target.Hashes["sha256"]))
	if err := clear(dir, partial); err != nil {
		return "", err
	}
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := fill(ctx, s, i, f, progress); err != nil {
		return "", err
	}
	if err := Verify(partial, i); err != nil {
		// None of it can be trusted: the next try begins anew.
		return "", errors.Join(err, os.Remove(partial))
	}
	return done, os.Rename(partial, done)
}

// fill fetches what the file has not yet.
func fill(ctx context.Context, s Source, i *Item, f *os.File, progress func(int64)) error {
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if have > i.Bytes {
		have = 0
	}
	if err := room(f.Name(), i.Bytes-have); err != nil {
		return err
	}
	r, err := s.Open(ctx, "targets/"+repo.Path(i.Name, i.target.Hashes["sha256"]), have)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(&counter{f, have, progress}, io.LimitReader(r, i.Bytes-have+1))
	switch {
	case err != nil && errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w", i.Name, err)
	case err != nil:
		return fmt.Errorf("%s: %w: %w", i.Name, errUnreachable, err)
	case have+n > i.Bytes:
		return errors.Join(fmt.Errorf("%s: more than the %d bytes that are signed: %w", i.Name, i.Bytes, errTooLarge), f.Truncate(0))
	case have+n < i.Bytes:
		return fmt.Errorf("%s: it has %d bytes; want %d: %w", i.Name, have+n, i.Bytes, io.ErrUnexpectedEOF)
	}
	return f.Sync()
}

type counter struct {
	w    io.Writer
	n    int64
	tell func(int64)
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.tell(c.n)
	return n, err
}

// Verify says whether the file is the item, to the byte.
func Verify(path string, i *Item) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return VerifyReader(f, i)
}

// VerifyReader says whether what it reads is the item.
func VerifyReader(r io.Reader, i *Item) error {
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, i.Bytes+1))
	if err != nil {
		return err
	}
	if n != i.Bytes || !bytes.Equal(h.Sum(nil), i.target.Hashes["sha256"]) {
		return refuse(Damaged, "%s is not what was signed: it is damaged; get it again", i.Name)
	}
	return nil
}

// room says whether there is room for so many bytes beside path.
func room(path string, size int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &s); err != nil {
		return err
	}
	if free := int64(s.Bavail)*s.Bsize - spare; size > free {
		return fmt.Errorf("%w: %d bytes are free; the update needs %d", errNoRoom, max(free, 0), size)
	}
	return nil
}

// clear removes everything from dir but the file to keep: one download at a time
// has room.
func clear(dir, keep string) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if p := filepath.Join(dir, e.Name()); p != keep {
			if err := atomicfile.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
