package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

const (
	piece = 1 << 20 // what is written and compared at once
	head  = piece   // where the image's partition table lies, before its first partition
	flush = 32      // pieces, after which they are brought onto the disk: so progress is true
)

// zeros lies over the tables of a disk that is about to be written.
var zeros = make([]byte, piece)

// Write writes the image at path, packed with zstd, to the disk, reads it back
// and compares. The partition table is written last, with GUIDs of the disk's
// own and a data partition that fills it, so that a disk whose installation
// broke off starts nothing. Progress is told in what is being done and percent.
func Write(d Disk, path string, progress func(what string, percent int)) error {
	f, err := os.OpenFile(d.Device, os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", d.Name, err)
	}
	defer f.Close()
	i, err := open(path)
	if err != nil {
		return err
	}
	for _, at := range []int64{0, d.Bytes - piece} {
		if _, err := f.WriteAt(zeros, at); err != nil {
			return fmt.Errorf("write %s: %w", d.Name, err)
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", d.Name, err)
	}
	if err := i.copy(f, progress); err != nil {
		return fmt.Errorf("write %s: %w; nothing starts from it now", d.Name, err)
	}
	if err := i.compare(f, progress); err != nil {
		return fmt.Errorf("read %s back: %w; nothing starts from it now", d.Name, err)
	}
	if err := i.partition(f, d.Bytes); err != nil {
		return fmt.Errorf("write the partition table of %s: %w", d.Name, err)
	}
	return f.Sync()
}

// image is a packed disk image.
type image struct {
	path  string
	size  int64
	table []byte // its first piece
}

// errEnough ends going through an image.
var errEnough = errors.New("enough")

// open reads how long the image is and its head.
func open(path string) (*image, error) {
	i := &image{path: path}
	err := i.measure()
	if err == nil {
		err = i.each(func(_ int64, b []byte) error { i.table = bytes.Clone(b); return errEnough })
	}
	if errors.Is(err, errEnough) && i.size > head {
		return i, nil
	}
	return nil, fmt.Errorf("read the image in the installer: it holds no disk: %w", err)
}

// measure reads the image's length from its packed form.
func (i *image) measure() error {
	f, err := os.Open(i.path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, zstd.HeaderMaxSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	var h zstd.Header
	if err := h.Decode(b[:n]); err != nil {
		return err
	}
	i.size = int64(min(h.FrameContentSize, 1<<50))
	return nil
}

// each unpacks the image piece by piece.
func (i *image) each(do func(at int64, b []byte) error) error {
	f, err := os.Open(i.path)
	if err != nil {
		return err
	}
	defer f.Close()
	// One thread: the rest of the machine has nothing else to do, but memory is
	// bounded so.
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	b := make([]byte, piece)
	for at := int64(0); ; at += piece {
		n, err := io.ReadFull(z, b)
		if n > 0 {
			if err := do(at, b[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n > 0:
			return nil
		case err != nil:
			return err
		}
	}
}

// body goes through all behind the head and tells how far it is.
func (i *image) body(what string, progress func(string, int), do func(at int64, b []byte) error) error {
	said := -1
	return i.each(func(at int64, b []byte) error {
		if at < head {
			return nil
		}
		if err := do(at, b); err != nil {
			return err
		}
		if now := int(100 * (at + int64(len(b))) / i.size); now/10 != said {
			said = now / 10
			progress(what, now)
		}
		return nil
	})
}

func (i *image) copy(f *os.File, progress func(string, int)) error {
	err := i.body("writing", progress, func(at int64, b []byte) error {
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
		if at/piece%flush == 0 {
			return f.Sync()
		}
		return nil
	})
	return errors.Join(err, f.Sync())
}

// compare reads from the disk, not from memory, what was written.
func (i *image) compare(f *os.File, progress func(string, int)) error {
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return err
	}
	got := make([]byte, piece)
	return i.body("reading back", progress, func(at int64, want []byte) error {
		if _, err := f.ReadAt(got[:len(want)], at); err != nil {
			return err
		}
		if !bytes.Equal(got[:len(want)], want) {
			return fmt.Errorf("between bytes %d and %d it is not what was written: the disk is faulty, take another", at, at+piece)
		}
		return nil
	})
}
