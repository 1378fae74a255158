package atomicfile

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Wipe overwrites a file where it lies, and removes it for good: its content is not
// left in the disk's free room. What a flash drive keeps of it by itself only the
// drive can discard. A file that is not there is no error.
func Wipe(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Remove(path) // one that is locked, a link
	}
	st, err := f.Stat()
	if err == nil && st.Mode().IsRegular() {
		_, err = io.CopyN(f, zeros{}, st.Size())
	}
	return errors.Join(err, f.Sync(), f.Close(), Remove(path))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
