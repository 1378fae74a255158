package process

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pidfd opens a process so that its end can be waited for by who is not its
// parent.
func pidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// awaitEnd waits until the process has ended.
func awaitEnd(p *os.File) error {
	deadline := time.Now().Add(time.Minute)
	for {
		fds := []unix.PollFd{{Fd: int32(p.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(time.Until(deadline).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return os.ErrDeadlineExceeded
		default:
			return nil
		}
	}
}
