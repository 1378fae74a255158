// Package console opens the appliance's serial and virtual consoles, for the log
// and for the menu, which is mgmt's.
package console

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"wirepatch/board"
)

var speeds = map[int]uint32{9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200}

// Open opens a console of the board and sets it to whole lines with echo, at
// its speed.
func Open(c board.Console) (*os.File, error) {
	f, err := os.OpenFile("/dev/"+c.Device, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open console: %w", err)
	}
	if err := cook(f, c.Speed); err != nil {
		f.Close()
		return nil, fmt.Errorf("set up console %s: %w", c.Device, err)
	}
	return f, nil
}

func cook(f *os.File, speed int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		t, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil {
			inner = err
			return
		}
		t.Iflag = unix.ICRNL | unix.IGNPAR
		t.Oflag = unix.OPOST | unix.ONLCR
		t.Lflag = unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ISIG | unix.IEXTEN
		t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB|unix.CSTOPB|unix.CRTSCTS) | unix.CS8 | unix.CREAD | unix.CLOCAL
		if b, ok := speeds[speed]; ok {
			t.Cflag = t.Cflag&^unix.CBAUD | b
			t.Ispeed, t.Ospeed = b, b
		}
		inner = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
	})
	if err != nil {
		return err
	}
	return inner
}
