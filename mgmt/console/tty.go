package console

import (
	"os"

	"golang.org/x/sys/unix"
)

// TTY is a terminal device that init has opened and set up.
type TTY struct{ *os.File }

// Echo implements Terminal. Without it the kernel still edits the line.
func (t TTY) Echo(on bool) {
	raw, err := t.SyscallConn()
	if err != nil {
		return
	}
	// A device that is no terminal shows nothing anyway.
	_ = raw.Control(func(fd uintptr) {
		s, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil {
			return
		}
		s.Lflag &^= unix.ECHO
		if on {
			s.Lflag |= unix.ECHO
		}
		_ = unix.IoctlSetTermios(int(fd), unix.TCSETS, s)
	})
}
